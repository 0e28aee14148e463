"""The native executor: a graph compiled into one function that runs many steps on all cores."""

from __future__ import annotations

import ctypes
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from thalweg import memory
from thalweg.cores import AtMost
from thalweg.errors import OUR_FAULT, ExecutorError
from thalweg.executors import debug, forks
from thalweg.executors.executor import (
    Arrays,
    check_array,
    check_index,
    check_outputs,
    check_samples,
    largest,
    leaf_types,
)
from thalweg.executors.native.code.addresses import BARRIER_SHIFT, FAULTS, FIXED, RUN
from thalweg.executors.native.code.llvm import compile_parts, llvm_version
from thalweg.executors.native.code.stamps import CLOCK, row_length
from thalweg.executors.native.host import Host
from thalweg.executors.native.machine import cpu_features, cpu_name, this_host
from thalweg.executors.native.run import cache
from thalweg.executors.native.run.chooser import ThreadChooser, candidates, learned_of
from thalweg.executors.native.run.idle import IdleCores
from thalweg.executors.native.run.loader import load, system_yield
from thalweg.executors.native.run.team import LOOK_SECONDS, run_apart, run_on
from thalweg.executors.native.scaling import Scaling
from thalweg.executors.patience import told_if_long
from thalweg.executors.work import Timing, Work
from thalweg.fields import dataclass
from thalweg.graph.node import Graph
from thalweg.graph.text import to_text
from thalweg.graph.types import TensorType
from thalweg.graph.verify import verify
from thalweg.state.layout import strides

if TYPE_CHECKING:
    from thalweg.executors.native.plan.plan import Plan


@dataclass(frozen=True)
class NativeExecutor:
    """Compiles for ``host``; None is this machine with its widest vectors.

    ``checked`` bounds every load and store, for tests.
    """

    host: Host | None = None
    checked: bool = False
    name: str = "native"
    stages: ClassVar[tuple[str, ...]] = ("graph", "simplified", "kernels", "plan", "ir", "assembly")

    def compile(self, graph: Graph, *, gather: bool) -> NativeProgram:
        """The graph's program, from the cache if it was ever compiled on this machine."""
        phases = debug.Phases()
        verify(graph)
        if gather:
            check_samples(leaf_types(graph)[0])
        host = self.host or this_host()
        features = " ".join(sorted(cpu_features()))
        key = cache.key(to_text(graph), repr((host, gather, self.checked)), cpu_name(), features, llvm_version())
        with forks.compiling():  # of programs alike that are asked for at once, the others find the first's code
            content = _kept(key)
            phases.done("looked into the cache")
            if content is None:
                with told_if_long(graph):
                    content = _compiled(graph, host, gather, self.checked, phases)
                cache.save(key, content.to_bytes())
                phases.done("saved")
            learned = learned_of(key)
        program = NativeProgram(graph, content, gather, self.checked, learned)
        phases.done("loaded")
        debug.report(self, graph, gather=gather, phases=phases)
        return program

    def profiled(self, graph: Graph, *, gather: bool) -> NativeProfiledProgram:
        """See Executor.profiled. Compiled each time: it is asked for rarely, and needs the plan."""
        from thalweg.executors.native.code.step import generate, target
        from thalweg.executors.native.plan.plan import make_plan
        from thalweg.executors.native.plan.work import works

        verify(graph)
        host = self.host or this_host()
        plan = make_plan(graph, target(host), gather)
        objects = compile_parts(generate(plan, host, checked=self.checked, profiled=True), host)
        program = NativeProgram(graph, _content(plan, host, objects), gather, self.checked)
        return NativeProfiledProgram(program, works(plan), len(plan.stages))

    def explain(self, graph: Graph, stage: str, *, gather: bool) -> str:
        """See Executor.explain."""
        from thalweg.executors.native.explain import explain

        return explain(graph, self.host or this_host(), stage, gather=gather, checked=self.checked)

    def peak_flops(self, threads: int) -> float:
        """See Executor.peak_flops; measured, in some 100 ms."""
        from thalweg.executors.native.run.peak import peak_flops

        return peak_flops(self.host or this_host(), threads)


class Content(NamedTuple):
    """What is kept of a program."""

    arena_bytes: int
    scaling: Scaling
    objects: Sequence[bytes]

    def to_bytes(self) -> bytes:
        """As it lies in the cache."""
        head = _HEAD.pack(self.arena_bytes, *self.scaling)
        return head + b"".join(_SIZE.pack(len(code)) + code for code in self.objects)

    @classmethod
    def from_bytes(cls, content: bytes) -> Content:
        """Raises ValueError for bytes that are not ``to_bytes`` of one."""
        objects = []
        at = _HEAD.size
        try:
            arena_bytes, *scaling = _HEAD.unpack_from(content)
            while at < len(content):
                (size,) = _SIZE.unpack_from(content, at)
                objects.append(content[at + _SIZE.size : at + _SIZE.size + size])
                at += _SIZE.size + size
        except struct.error as error:
            raise ValueError(str(error)) from error
        if at != len(content) or not objects or arena_bytes < 0:
            raise ValueError("it is cut off")
        return cls(arena_bytes, Scaling(*scaling), objects)


_HEAD, _SIZE = struct.Struct("<qddq"), struct.Struct("<Q")


def _kept(key: str) -> Content | None:
    """What the cache has for a key, if it can be used."""
    content = cache.load(key)
    try:
        return None if content is None else Content.from_bytes(content)
    except ValueError:
        return None


def _compiled(graph: Graph, host: Host, gather: bool, checked: bool, phases: debug.Phases) -> Content:
    """The program, made anew."""
    # The code generator is loaded only when there is something to compile.
    from thalweg.executors.native.code.step import generate, target
    from thalweg.executors.native.plan.plan import make_plan

    plan = make_plan(graph, target(host), gather)
    phases.done("planned")
    objects = compile_parts(generate(plan, host, checked=checked), host)
    phases.done("written as IR and compiled by LLVM")
    return _content(plan, host, objects)


def _content(plan: Plan, host: Host, objects: Sequence[bytes]) -> Content:
    from thalweg.executors.native.plan.cost import scaling

    return Content(plan.arena_bytes, scaling(plan.stages, host), objects)


SMALL_SECONDS = 5e-6
"""Steps predicted to be shorter stay on one thread unless told otherwise: the barriers alone take longer."""

SHARED_SECONDS = 1e-4
"""Calls of independent steps predicted to be shorter are not worth waking others for."""

TURN_SECONDS = 5e-4
"""How long a thread works on steps that it has taken: so long that taking them costs nothing beside it."""

ARENA = slice(4, 6)
"""Where the arena stands in the table of addresses."""

LONG_SECONDS = 0.02
"""Calls predicted to take longer are made from another thread, which takes some 20 us."""

_SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 4)
_YIELD = system_yield()


class NativeProgram:
    """A compiled graph with its arena. Calls from several threads take turns."""

    keeps_state = False
    compile_seconds = 0.0

    def __init__(
        self, graph: Graph, content: Content, gather: bool, checked: bool, learned: dict[int, float] | None = None
    ) -> None:
        """Arguments: learned: seconds that a step took earlier, by number of threads; kept up to date."""
        self.inputs, self.states = leaf_types(graph)
        self.outputs = {name: node.type for name, node in graph.outputs.items()}
        self.gather = gather
        self.checked = checked
        self._scaling = content.scaling
        self._code = load(content.objects)
        self._run = _SIGNATURE(self._code.address(RUN))
        memory.require(content.arena_bytes, "what a step keeps on its way", lambda: largest(graph))
        self._arenas = [_aligned(content.arena_bytes)]  # one, and for steps that threads take one by one more
        self._barrier = _aligned(0)
        self._table = np.zeros(2 * (len(FIXED) + len(self.states) + len(self.inputs) + len(self.outputs)), np.int64)
        self._table[0] = _YIELD
        self._table[ARENA] = _ends(self._arenas[0])
        self._independent = not graph.updates  # no step needs what another has done
        self._bound: dict[str, np.ndarray] = {}  # the states whose addresses are in the table
        self._learned = {} if learned is None else learned
        self._choosers: dict[int, ThreadChooser] = {}
        self._renew_lock()
        forks.renew_in_child(self, NativeProgram._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    def run(
        self,
        state: Arrays,
        data: Arrays,
        index: np.ndarray | None = None,
        outputs: Arrays | None = None,
        threads: int = 1,
    ) -> None:
        """See Program.run. Ctrl-C does not wait for a long call, which then goes on by itself."""
        steps = 1 if index is None else len(index)
        lock, claims = self._lock, [None]
        while not (lock.acquire(False) or lock.acquire(timeout=LOOK_SECONDS)):  # so that Ctrl-C is seen between
            pass
        try:
            self._bind_states(state)
            kept = self._bind_data(data, index)
            results = self._bind_outputs(outputs or {}, None if index is None else steps)
            kept += results.values()
            if (
                steps * self._scaling.work_seconds > LONG_SECONDS
                and threading.current_thread() is threading.main_thread()
            ):
                run_apart(lambda: self._run_steps(threads, steps, kept), claims, lock.release)
            else:
                self._run_steps(threads, steps, kept)
        finally:
            if claims:  # else the other thread lets go of it
                lock.release()
        for name, array in (outputs or {}).items():
            if array is not results[name]:
                array[...] = results[name]
        if self.checked:
            self._raise_faults()

    # --- the table of addresses -------------------------------------------------------------------------------------

    def _bind_states(self, state: Arrays) -> None:
        slot = 2 * len(FIXED)
        for name, kind in self.states.items():
            array = state.get(name)
            if array is None or array is not self._bound.get(name):
                array = check_array(name, kind, state, "the state")
                in_place = kind.size < 2 or array.strides == tuple(s * array.itemsize for s in strides(kind))
                if not in_place or not array.flags.writeable:
                    raise _misplaced(name, kind)
                self._table[slot : slot + 2] = _ends(array)
                self._bound[name] = array
            slot += 2

    def _bind_data(self, data: Arrays, index: np.ndarray | None) -> list[np.ndarray]:
        """Enters the data and the index; the arrays that the addresses belong to."""
        rows = index is not None
        if rows is not self.gather:
            raise ExecutorError(
                "the step was compiled for another kind of data",
                expected="an index" if self.gather else "no index",
                got="an index" if rows else "none",
                fix="compile the graph with gather=True to run it with an index",
            )
        kept = []
        slot = 2 * (len(FIXED) + len(self.states))
        for name, kind in self.inputs.items():
            array = np.ascontiguousarray(check_array(name, kind, data, "the input", rows=rows)).reshape(-1)
            kept.append(array)
            self._table[slot : slot + 2] = _ends(array)
            slot += 2
        if index is not None:
            check_index(index, self.inputs, data)
            index = np.ascontiguousarray(index)
            kept.append(index)
            self._table[6:8] = _ends(index)
        return kept

    def _bind_outputs(self, outputs: Arrays, steps: int | None) -> Mapping[str, np.ndarray]:
        results = {}
        missing = 0
        slot = 2 * (len(FIXED) + len(self.states) + len(self.inputs))
        for name, kind in self.outputs.items():
            shape = kind.shape if steps is None else (steps, *kind.shape)
            array = outputs.get(name)
            if array is None:
                missing += 1
                array = np.empty(shape, kind.dtype)
            elif array.shape != shape or array.dtype != kind.dtype:
                check_outputs(self.outputs, outputs, steps)
            elif not array.flags.carray:  # results are copied into it afterwards
                array = np.empty(shape, kind.dtype)
            results[name] = array
            self._table[slot : slot + 2] = _ends(array)
            slot += 2
        if len(outputs) + missing != len(results):
            check_outputs(self.outputs, outputs, steps)
        return results

    # --- the call -----------------------------------------------------------------------------------------------------

    def _run_steps(self, threads: int, steps: int, kept: Sequence[np.ndarray]) -> None:
        """Arguments: kept: what the addresses in the table belong to; not to be given back before this returns."""
        if self._should_share(threads, steps) and self._add_arenas(threads):
            self._share(threads, steps)
            return
        if not isinstance(threads, AtMost) or threads == 1:
            self._call(threads, 0, steps)
            return
        if self._scaling.work_seconds < SMALL_SECONDS:
            self._call(1, 0, steps)
            return
        chooser = self._choosers.get(threads)
        if chooser is None:
            predicted = {count: self._scaling.seconds(count) for count in candidates(threads)}
            chooser = self._choosers[threads] = ThreadChooser(predicted, self._learned, IdleCores().since)
        done = 0
        while done < steps:
            team, some = chooser.next(steps - done)
            chooser.took(some, self._timed(team, done, done + some))
            done += some

    def _should_share(self, threads: int, steps: int) -> bool:
        """Whether threads may take whole steps, and it pays."""
        if not self._independent or min(threads, steps) < 2:
            return False
        return not isinstance(threads, AtMost) or steps * self._scaling.work_seconds >= SHARED_SECONDS

    def _add_arenas(self, threads: int) -> bool:
        """Makes one for each thread; False if there is no memory for so many."""
        size, missing = self._arenas[0].size, threads - len(self._arenas)
        with suppress(MemoryError):
            memory.require(missing * size, "what steps keep on their way", lambda: "an arena for each thread")
            self._arenas += [_aligned(size) for _ in range(missing)]
            return True
        return False

    def _share(self, threads: int, steps: int) -> None:
        """Steps that do not depend on each other: each thread does some whole ones, then the next that nobody does.

        No thread waits for another before the end, and one that is late takes fewer.
        """
        tables = [self._table.copy() for _ in range(threads)]
        for table, arena in zip(tables, self._arenas, strict=False):
            table[ARENA] = _ends(arena)
        some = max(1, min(int(TURN_SECONDS / max(self._scaling.work_seconds, 1e-9)), steps // threads))
        turns, lock = iter(range(0, steps, some)), threading.Lock()

        def work(thread: int) -> None:
            while True:
                with lock:
                    first = next(turns, steps)
                if first == steps:
                    return
                self._run(_address(tables[thread]), 0, 1, first, min(first + some, steps))

        run_on(threads, work)

    def _timed(self, threads: int, first: int, last: int) -> float:
        """Runs some steps; seconds that they have taken."""
        start = time.perf_counter()
        self._call(threads, first, last)
        return time.perf_counter() - start

    def _call(self, threads: int, first: int, last: int) -> None:
        table = _address(self._table)
        if threads == 1:
            self._run(table, 0, 1, first, last)
            return
        if self._barrier.size < threads << BARRIER_SHIFT:
            self._barrier = _aligned(threads << BARRIER_SHIFT)
            self._table[2:4] = _ends(self._barrier)
        self._barrier[:] = 0
        run_on(threads, lambda thread: self._run(table, thread, threads, first, last))

    def measure(self, state: Arrays, data: Arrays, index: np.ndarray | None, threads: int, row: int) -> np.ndarray:
        """Run a program with stamps on so many threads; each thread's row (``stamps.row_length``) of counters.

        The outputs are lost.
        """
        with self._lock:
            self._bind_states(state)
            kept = self._bind_data(data, index)
            steps = 1 if index is None else len(index)
            kept += self._bind_outputs({}, None if index is None else steps).values()
            counters = np.zeros((threads, row), np.int64)
            self._table[8:10] = _ends(counters)
            self._call(threads, 0, steps)
            del kept
        return counters

    def clock(self) -> int:
        """The counter of a program with stamps."""
        ticks: int = ctypes.CFUNCTYPE(ctypes.c_int64)(self._code.address(CLOCK))()
        return ticks

    def _raise_faults(self) -> None:
        faults = ctypes.CFUNCTYPE(ctypes.c_int64)(self._code.address(FAULTS))()
        if faults:
            raise ExecutorError(
                "compiled code reached outside its memory",
                expected="every load and store within its buffer",
                got=f"{faults} outside",
                fix=OUR_FAULT,
            )


class NativeProfiledProgram:
    """A program with stamps in it, which tell what each task and each barrier takes."""

    def __init__(self, program: NativeProgram, works: Sequence[Work], stages: int) -> None:
        self.works = works
        self._program = program
        self._stages = stages
        self._row = row_length(len(works) + stages)

    def teams(self, threads: int) -> list[int]:
        """What a ThreadChooser chooses between."""
        return candidates(threads)

    def measure(self, state: Arrays, data: Arrays, index: np.ndarray | None, threads: int) -> Timing:
        """See ProfiledProgram.measure."""
        first, began = self._program.clock(), time.perf_counter()
        counters = self._program.measure(state, data, index, threads, self._row)
        ticks, seconds = self._program.clock() - first, time.perf_counter() - began
        steps = 1 if index is None else len(index)
        means = (counters.mean(0) * (seconds / max(ticks, 1) / max(steps, 1))).tolist()[1:]
        tasks = len(self.works)
        return Timing(means[:tasks], means[tasks : tasks + self._stages] if threads > 1 else ())


def _aligned(size: int) -> np.ndarray:
    """Bytes that begin on a cache line."""
    memory = np.zeros(size + 64, np.uint8)
    start = -_address(memory) % 64
    return memory[start : start + size]


def _address(array: np.ndarray) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _ends(array: np.ndarray) -> tuple[int, int]:
    """The first byte of an array and the one after its last."""
    first = _address(array)
    if array.size == 0:
        return first, first
    if array.flags.c_contiguous:
        return first, first + array.nbytes
    last = sum((n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True))
    return first, first + last + array.itemsize


def _misplaced(name: str, kind: TensorType) -> ExecutorError:
    return ExecutorError(
        f"the state {name!r} does not lie in memory as the compiled step expects",
        expected=f"an array from state.layout.empty({kind})",
        got="other strides, or an array that cannot be written",
        fix="create states with state.layout.empty and write into them",
    )
