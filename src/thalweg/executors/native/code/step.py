"""The compiled function: many steps, each the stages of a plan, on any number of threads at once.

Every thread runs the same function and does its share of every task. A task's units are divided by their number, never
within a sum, so the results do not depend on the number of threads. Between stages the threads wait for each other at a
barrier.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import chain

from thalweg.executors.native.code import lookup, stamps
from thalweg.executors.native.code.addresses import BARRIER_SHIFT, FAULTS, FIXED, RUN
from thalweg.executors.native.code.builder import INSIDE, Builder, Ends, Module, Value
from thalweg.executors.native.code.contraction import Tiles
from thalweg.executors.native.code.llvm import Part
from thalweg.executors.native.code.lookup import Lookup
from thalweg.executors.native.code.operations import LOWERINGS, is_cheap, is_costly
from thalweg.executors.native.code.sweep import Sweep
from thalweg.executors.native.code.transpose import TransposedCopy
from thalweg.executors.native.host import Host
from thalweg.executors.native.plan.buffer import Buffer
from thalweg.executors.native.plan.chains import images_at_once
from thalweg.executors.native.plan.cost import negligible, task_seconds
from thalweg.executors.native.plan.nest import Nest, signature
from thalweg.executors.native.plan.plan import Plan, Target
from thalweg.fields import dataclass
from thalweg.graph.node import Kind, Op

SPINS = 100
"""Turns that a thread waits at a barrier before it lets others run; more starves a second job on the same core."""

PART_CHARACTERS = 96 * 1024
"""About how much text goes into one part of a program: parts are compiled at the same time."""

SHORT_PARTS = 4
"""So many parts at first are half as long, so that the cores share a small network's code evenly."""

Writer = Tiles | Lookup | TransposedCopy | Sweep


def target(host: Host) -> Target:
    """What a planner has to know of the code that can be written for a host."""
    return Target(host, supported, is_cheap, is_costly)


def table_order(plan: Plan) -> list[Buffer]:
    """The caller's arrays in the order of the table, after FIXED."""
    callers = plan.callers
    return [*callers.states.values(), *callers.data.values(), *callers.outputs.values()]


def supported(op: type[Op]) -> bool:
    """Whether there is code for an operation. What lies somewhere, or only moves numbers, needs none of its own."""
    planned = (Kind.LEAF, Kind.VIEW, Kind.WINDOW, Kind.MOVE, Kind.CONTRACTION)
    return op.kind in planned or op in LOWERINGS or op in lookup.LOWERINGS


def generate(
    plan: Plan, host: Host, *, checked: bool, profiled: bool = False, part_characters: int | None = None
) -> Iterator[Part]:
    """The LLVM IR of a plan, in parts that refer to each other's functions.

    Functions in which a step spends next to no time are in parts of their own, which LLVM need not optimize; nor need
    it the one that calls the others, which is as quick after a fifth of the time.

    Arguments:
        profiled: with time stamps (stamps.py).
        part_characters: a part that is longer is ended; PART_CHARACTERS unless given.
    """
    module = Module(host, checked)
    longest = PART_CHARACTERS if part_characters is None else part_characters
    alike = [[signature(nest) for nest in stage] for stage in plan.stages]
    tasks = dict(zip(chain(*alike), chain(*plan.stages), strict=True))
    quick = _quick(plan, alike, host)
    written: dict[Hashable, TaskCall] = {}
    taken = 0
    for key in sorted(tasks, key=lambda key: key in quick):  # those last share a part with the function that calls them
        most = longest if taken >= SHORT_PARTS else longest // 2
        if len(module) > most or (len(module) and module.optimized == (key in quick)):
            taken += 1
            yield module.part()
        module.optimized = key not in quick
        written[key] = call_of(tasks[key], module)
    # The calls of many tasks take as long to compile as a part.
    if len(module) > longest / 2 or (len(module) and module.optimized):
        yield module.part()
    module.optimized = False
    calls = [
        [written[key].with_buffers(nest) for key, nest in zip(keys, stage, strict=True)]
        for keys, stage in zip(alike, plan.stages, strict=True)
    ]
    _write_entry(plan, calls, module, profiled)
    if profiled:
        module.write(f"@{stamps.CLOCK}", stamps.functions(host))
    if checked:
        module.write("@inside", _FAULTS)
    module.write("@barrier", barrier_function(host))
    yield module.part()


def _quick(plan: Plan, alike: Sequence[Sequence[Hashable]], host: Host) -> frozenset[Hashable]:
    """The signatures of functions that take next to nothing of a step."""
    seconds: dict[Hashable, float] = {}
    for key, nest in zip(chain(*alike), chain(*plan.stages), strict=True):
        seconds[key] = seconds.get(key, 0.0) + task_seconds(nest, host)
    return negligible(seconds)


def writer_of(nest: Nest, module: Module) -> Writer:
    """Who writes the function of a task."""
    if nest.kernel.contraction is not None:
        return Tiles(nest, module)
    if nest.kernel.roots[0].op.kind is Kind.LOOKUP and not nest.copies:
        return Lookup(nest, module)
    return TransposedCopy(nest, module) if TransposedCopy.fits(nest) else Sweep(nest, module)


@dataclass(frozen=True)
class TaskCall:
    """A task's function, its number of units, and its buffers (None for the index)."""

    name: str
    units: int
    buffers: tuple[Buffer | None, ...]

    def with_buffers(self, nest: Nest) -> TaskCall:
        """The same function for another nest that is alike."""
        return TaskCall(self.name, self.units, (*nest.buffers, *self.buffers[len(nest.buffers) :]))


def call_of(nest: Nest, module: Module) -> TaskCall:
    """Writes the function of a task."""
    gathers = any(b.gathered for b in nest.buffers)
    writer = writer_of(nest, module)
    if writer.units == 0:
        return TaskCall("", 0, ())
    pointers = [f"b{i}" for i in range(len(nest.buffers))] + (["index"] if gathers else [])
    build = Builder(module, pointers, ["begin", "end"])
    writer.write(build)
    return TaskCall(module.add("kernel", build), writer.units, (*nest.buffers, *([None] if gathers else [])))


def _write_entry(plan: Plan, calls: list[list[TaskCall]], module: Module, profiled: bool) -> None:
    """``run(table, thread, threads, first, last)``: the steps from ``first`` to ``last``.

    The stamps of a profile are the tasks, one after the other, and then the barriers.
    """
    build = Builder(module, ["table"], ["thread", "threads", "first", "last"], buffers=False)
    pointers = _table(build, plan)
    build.line("%arrivals = alloca i64")
    build.line("store i64 0, ptr %arrivals")
    shares = _shares(build)
    many = build.emit("icmp ugt i64 %threads, 1", "bool")
    tasks = sum(map(len, calls))
    stamp = stamps.Stamps(build, pointers["profile"][0], tasks + len(calls)).stamp if profiled else _no_stamp

    def barrier() -> None:
        build.line("call void @barrier(ptr %table, i64 %thread, i64 %threads, ptr %arrivals)")

    def step(s: Value, _: list[Value]) -> list[Value]:
        here = _at_step(build, plan, pointers, s)
        numbers = iter(range(tasks))

        def do(call: TaskCall, share: tuple[Value, Value]) -> None:
            build.call(call.name, [_pointer(build, plan, b, here) for b in call.buffers], share)

        for place, (nests, stage) in enumerate(zip(plan.stages, calls, strict=True)):
            links = [nest for nest in nests if nest.images]
            if links:
                linked = [(call, next(numbers)) for call in stage[: len(links)]]
                _write_chain(build, links, linked, shares[0], do, stamp)
            for turn, call in enumerate(stage[len(links) :]):
                if call.units:
                    do(call, _share(build, call.units, shares[turn % 2 if call.units == 1 else 0]))
                stamp(next(numbers))
            build.when(many, barrier)
            stamp(tasks + place)
        return []

    build.loop(Value("%first", "int64"), Value("%last", "int64"), 1, [], step)
    module.write(f"@{RUN}", f"define void @{RUN}{build.text()}")


def _write_chain(
    build: Builder,
    links: Sequence[Nest],
    calls: Sequence[tuple[TaskCall, int]],
    share: tuple[Value, Value],
    do: Callable[[TaskCall, tuple[Value, Value]], None],
    stamp: Callable[[int], None],
) -> None:
    """A few images at a time through all tasks of a chain, each of which comes with its number."""
    images = links[0].images
    first, last = _share(build, images, share)
    step = images_at_once(links)

    def some(begin: Value, _: list[Value]) -> list[Value]:
        end = build.i_min(build.i_add(begin, build.index(step)), last)
        for call, number in calls:
            of_each = call.units // images
            do(call, (build.i_multiply(begin, of_each), build.i_multiply(end, of_each)))
            stamp(number)
        return []

    build.loop(first, last, step, [], some)


def _no_stamp(number: int) -> None:
    """What a step without a profile does after each task."""


def _table(build: Builder, plan: Plan) -> dict[Buffer | str, Ends]:
    """Loads the callers' pointers: two entries each, begin and end."""
    names: list[Buffer | str] = [*FIXED[2:], *table_order(plan)]
    pointers: dict[Buffer | str, Ends] = {}
    for i, name in enumerate(names, 2):
        ends = []
        for slot in (2 * i, 2 * i + 1):
            at, value = build.fresh("t"), build.fresh("t")
            build.line(f"{at} = getelementptr ptr, ptr %table, i64 {slot}")
            build.line(f"{value} = load ptr, ptr {at}")
            ends.append(value)
        pointers[name] = (ends[0], ends[1])
    return pointers


def _shares(build: Builder) -> list[tuple[Value, Value]]:
    """This thread's share as fractions of 2^32; and the same counted from the other end.

    Of ``units`` a thread does those from ``units * low >> 32`` to ``units * high >> 32``: the same part of every task,
    so that what it reads is mostly what it wrote. A task of one unit falls to the last thread, or, counted from the
    other end, to the first; a stage's tasks of one unit take turns. The fractions are rounded up, or of three units for
    three threads the last one would do two.
    """

    def fraction(name: str, more: int) -> Value:
        place = build.emit(f"add i64 {name}, {more}", "int64")
        shifted = build.emit(f"shl i64 {place.text}, 32", "int64")
        above = build.emit(f"add i64 {shifted.text}, {less_one.text}", "int64")
        return build.emit(f"udiv i64 {above.text}, %threads", "int64")

    less_one = build.emit("sub i64 %threads, 1", "int64")
    mirrored = build.emit("sub i64 %threads, %thread", "int64")
    other = build.emit(f"sub i64 {mirrored.text}, 1", "int64")
    return [(fraction(name, 0), fraction(name, 1)) for name in ("%thread", other.text)]


def _at_step(build: Builder, plan: Plan, pointers: dict[Buffer | str, Ends], s: Value) -> dict[Buffer | str, Ends]:
    """The pointers of one step: the index and the outputs move on, the others stay."""
    here = dict(pointers)

    def advance(key: Buffer | str, step_bytes: int) -> None:
        offset = build.i_multiply(s, step_bytes)
        moved = build.fresh("s")
        build.line(f"{moved} = getelementptr i8, ptr {pointers[key][0]}, {offset}")
        here[key] = (moved, pointers[key][1])

    if plan.batch is not None:
        advance("index", 8 * plan.batch)
    for buffer in plan.callers.outputs.values():
        advance(buffer, buffer.type.nbytes)
    return here


def _share(build: Builder, units: int, share: tuple[Value, Value]) -> tuple[Value, Value]:
    """The first unit of this thread's share, and the one after its last."""
    products = [build.emit(f"mul i64 {part.text}, {units}", "int64") for part in share]
    low, high = (build.emit(f"lshr i64 {product.text}, 32", "int64") for product in products)
    return low, high


def _pointer(build: Builder, plan: Plan, buffer: Buffer | None, here: dict[Buffer | str, Ends]) -> Ends:
    if buffer is None:
        return here["index"]
    if buffer.kind != "temporary":
        return here[buffer]
    begin = build.fresh("a")
    build.line(f"{begin} = getelementptr i8, ptr {here['arena'][0]}, i64 {plan.offsets[buffer]}")
    if not build.module.checked:
        return begin, ""
    end = build.fresh("a")
    build.line(f"{end} = getelementptr i8, ptr {begin}, i64 {buffer.nbytes}")
    return begin, end


def barrier_function(host: Host) -> str:
    """``barrier``: each thread raises its own number, then waits until every other's is as high.

    A number of its own, on a cache line of its own: writing it takes the line from the readers once, where a shared
    counter would travel to every thread for its addition and back again. Numbers are never set back within a call.
    Spins a little, then gives way at every turn: of two threads on one core the waiting one must not hold up the other.
    """
    hint, arguments = ("@llvm.aarch64.hint", "i32 1") if host.name == "neon" else ("@llvm.x86.sse2.pause", "")
    return f"""declare void {hint}({arguments.removesuffix(" 1")})
define internal void @barrier(ptr %table, i64 %thread, i64 %threads, ptr %arrivals) noinline nounwind {{
entry:
  %slot = getelementptr ptr, ptr %table, i64 2
  %numbers = load ptr, ptr %slot
  %yield = load ptr, ptr %table
  %before = load i64, ptr %arrivals
  %arrival = add i64 %before, 1
  store i64 %arrival, ptr %arrivals
  %place = shl i64 %thread, {BARRIER_SHIFT}
  %own = getelementptr i8, ptr %numbers, i64 %place
  store atomic i64 %arrival, ptr %own release, align 8
  br label %who
who:
  %t = phi i64 [ 0, %entry ], [ %following, %there ]
  %all = icmp eq i64 %t, %threads
  br i1 %all, label %over, label %one
one:
  %its = shl i64 %t, {BARRIER_SHIFT}
  %number = getelementptr i8, ptr %numbers, i64 %its
  br label %look
look:
  %turn = phi i64 [ 0, %one ], [ %next, %wait ], [ %next, %give ]
  %now = load atomic i64, ptr %number acquire, align 8
  %done = icmp uge i64 %now, %arrival
  br i1 %done, label %there, label %again
again:
  %next = add i64 %turn, 1
  %patient = icmp ult i64 %turn, {SPINS}
  br i1 %patient, label %wait, label %give
wait:
  call void {hint}({arguments})
  br label %look
give:
  %ignored = call i32 %yield()
  br label %look
there:
  %following = add i64 %t, 1
  br label %who
over:
  ret void
}}
"""


_FAULTS = f"""{INSIDE}
define i64 @{FAULTS}() {{
  %n = load i64, ptr @faults
  ret i64 %n
}}"""
