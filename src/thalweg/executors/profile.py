"""Where the time of a step goes: the profile, for people as tables and for programs as rows."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from thalweg import cores
from thalweg.executors.executor import Arrays, Executor, ProfiledProgram, leaf_types
from thalweg.executors.work import Timing, Work
from thalweg.fields import dataclass
from thalweg.graph.node import Graph
from thalweg.state import layout
from thalweg.table import Table, Tabular

NO_LAYER = "(step)"
"""Where no layer has asked for a task: counters, the sums of metrics."""

MOST_ROWS = 30
"""A table has so many rows of tasks at most; those that take the least time are counted together."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What a part of a step does (see ``Work``) and takes.

    Attributes:
        seconds: per step, of all threads, divided by their number.
        share: of the step's time.
        peak_share: of the operations that the processor could have done in this time; None if that is not known.
    """

    flops: float
    read_bytes: int
    written_bytes: int
    seconds: float
    share: float
    peak_share: float | None

    @property
    def flops_per_second(self) -> float:
        """0 where no time was measured."""
        return self.flops / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, kw_only=True)
class TaskProfile(Costs):
    """A task: what it computes, the layer that asked for it ("(step)" for none), its stage."""

    computes: str
    layer: str
    stage: int


@dataclass(frozen=True, kw_only=True)
class LayerProfile(Costs):
    """The tasks of a layer together, and how many they are."""

    layer: str
    tasks: int


@dataclass(frozen=True)
class Profile(Tabular):
    """Where the time of a step goes. ``print`` shows the tasks that take longest first, then the layers.

    Attributes:
        what: "train", "evaluate" or "predict".
        batch_size, threads, steps: how it was measured; the numbers are those of the quickest call of several.
        seconds: per step.
        peak: floating point operations that so many threads can do in a second, in float32; None if not known.
        tasks: a TaskProfile for each, in the order in which they run.
        barriers: seconds per step that threads wait for each other after each stage.
    """

    what: str
    executor: str
    batch_size: int
    threads: int
    steps: int
    seconds: float
    peak: float | None
    tasks: tuple[TaskProfile, ...]
    barriers: tuple[float, ...]

    @property
    def flops(self) -> float:
        """Of a step."""
        return sum(task.flops for task in self.tasks)

    @property
    def barrier_seconds(self) -> float:
        """Per step."""
        return sum(self.barriers)

    @property
    def peak_share(self) -> float | None:
        """Of the operations that the processor could have done in the time of a step."""
        parts = [task.peak_share for task in self.tasks]
        return None if None in parts else sum(p * t.share for p, t in zip(parts, self.tasks, strict=True) if p)

    @property
    def layers(self) -> tuple[LayerProfile, ...]:
        """The layers in the order in which they first appear; what belongs to none as "(step)"."""
        grouped: dict[str, list[TaskProfile]] = {}
        for task in self.tasks:
            grouped.setdefault(task.layer, []).append(task)
        return tuple(_together(layer, tasks) for layer, tasks in grouped.items())

    def table(self) -> Table:
        """The tasks, those that take longest first."""
        ordered = sorted(self.tasks, key=lambda task: -task.seconds)
        shown = ordered if len(ordered) <= MOST_ROWS else ordered[: MOST_ROWS - 1]
        rows = [(t.computes, t.layer, str(t.stage), *_cells(t)) for t in shown]
        if rest := ordered[len(shown) :]:
            rows.append((f"{len(rest)} more tasks", "", "", *_cells(_together("", rest))))
        if self.barriers:
            share = self.barrier_seconds / self.seconds if self.seconds else 0.0
            waiting = _micro(self.barrier_seconds), _percent(share), *[""] * (len(_COLUMNS) - 2)
            rows.append((f"waiting at {len(self.barriers)} barriers", "", "", *waiting))
        return Table(self._title(), ("task", "layer", "stage", *_COLUMNS), rows, left=2)

    def layers_table(self) -> Table:
        """The layers, those that take longest first."""
        ordered = sorted(self.layers, key=lambda layer: -layer.seconds)
        rows = [(x.layer, str(x.tasks), *_cells(x)) for x in ordered]
        return Table("", ("layer", "tasks", *_COLUMNS), rows)

    def __str__(self) -> str:
        return f"{self.table()}\n\n{self.layers_table()}"

    def show(self) -> None:
        """Print both tables: drawn on a terminal, else as plain text."""
        self.table().show()
        self.layers_table().show()

    def _title(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        parts = [
            f"{self.what}, {self.executor}, batch size {self.batch_size}, {threads}: {_micro(self.seconds)} µs a step"
        ]
        if self.seconds:
            parts.append(f"{self.batch_size / self.seconds:,.0f} samples/s")
            parts.append(f"{self.flops / self.seconds / 1e9:.1f} GFLOP/s")
        if self.peak_share is not None:
            parts.append(f"{_percent(self.peak_share)} of the peak")
        return ", ".join(parts)


def measured(
    executor: Executor,
    graph: Graph,
    state: Arrays,
    data: Arrays,
    batch_size: int,
    *,
    what: str,
    threads: int | None = None,
    seconds: float = 1.0,
    peak: float | None = None,
) -> Profile:
    """What a step takes: it is run again and again, and the quickest of some calls counts.

    Another program can only make a call slower. Every call begins with a copy of the state, which stays as it is.

    Arguments:
        data: arrays of samples, of which every step takes ``batch_size`` in an arbitrary order.
        threads: exactly so many; unless given, as many as are quickest.
        seconds: to spend, beside the time to compile.
        peak: see ``Profile``; measured unless given.
    """
    program = executor.profiled(graph, gather=True)
    everyone = cores.wanted(threads)
    teams = program.teams(everyone) if isinstance(everyone, cores.AtMost) else [everyone]
    best = {team: _quickest(program, graph, state, data, batch_size, team, seconds / len(teams)) for team in teams}
    team = min(teams, key=lambda team: best[team][0].step)
    timing, steps = best[team]
    possible = executor.peak_flops(team) if peak is None else peak
    # A program may have found further tasks in later calls.
    tasks = tuple(_task(*pair, timing.step, possible) for pair in zip(program.works, timing.tasks, strict=False))
    barriers = tuple(timing.barriers)
    return Profile(what, executor.name, batch_size, team, steps, timing.step, possible, tasks, barriers)


CALL_SECONDS = 0.01
"""Of one call: many small steps, and short enough that some calls are not disturbed by other programs."""

FEWEST_CALLS = 3

MOST_BYTES = 64 << 20
"""Of the index and the outputs of a call."""


def _quickest(
    program: ProfiledProgram, graph: Graph, state: Arrays, data: Arrays, batch_size: int, threads: int, seconds: float
) -> tuple[Timing, int]:
    """What a step took in the quickest call, and how many steps that had."""
    order = np.random.default_rng(0).permutation(len(next(iter(data.values()))))
    memory = 8 * batch_size + sum(node.type.nbytes for node in graph.outputs.values())
    steps, most = 1, max(1, MOST_BYTES // memory)
    best: tuple[Timing, int] | None = None
    calls, began = 0, time.perf_counter()
    while best is None or calls < FEWEST_CALLS or time.perf_counter() < began + seconds:
        index = np.resize(order, (steps, batch_size))
        timing = program.measure(_copies(graph, state), data, index, threads)
        calls += 1
        if best is None or timing.step < best[0].step:
            best = timing, steps
        steps = min(most, max(1, int(CALL_SECONDS / max(timing.step, 1e-7))))
    return best


def _copies(graph: Graph, state: Arrays) -> dict[str, np.ndarray]:
    """New arrays for all states of a graph, those that are there already with their values."""
    copies = {}
    for name, kind in leaf_types(graph)[1].items():
        copies[name] = layout.empty(kind)
        if name in state:
            copies[name][...] = state[name]
    return copies


def _task(work: Work, seconds: float, step: float, peak: float | None) -> TaskProfile:
    possible = None if peak is None else peak * seconds / (2 if work.dtype == "float64" else 1)
    return TaskProfile(
        computes=work.computes,
        layer=work.layer or NO_LAYER,
        stage=work.stage,
        flops=work.flops,
        read_bytes=work.read_bytes,
        written_bytes=work.written_bytes,
        seconds=seconds,
        share=seconds / step if step else 0.0,
        peak_share=None if possible is None else work.flops / possible if possible else 0.0,
    )


def _together(layer: str, tasks: Iterable[TaskProfile]) -> LayerProfile:
    tasks = list(tasks)
    seconds = sum(t.seconds for t in tasks)
    parts = [t.peak_share for t in tasks]
    weighted = sum(p * t.seconds for p, t in zip(parts, tasks, strict=True) if p)
    return LayerProfile(
        layer=layer,
        tasks=len(tasks),
        flops=sum(t.flops for t in tasks),
        read_bytes=sum(t.read_bytes for t in tasks),
        written_bytes=sum(t.written_bytes for t in tasks),
        seconds=seconds,
        share=sum(t.share for t in tasks),
        peak_share=None if None in parts else weighted / seconds if seconds else 0.0,
    )


_COLUMNS = ("µs", "step", "MFLOP", "GFLOP/s", "peak", "read", "written")


def _cells(x: Costs) -> tuple[str, ...]:
    return (
        _micro(x.seconds),
        _percent(x.share),
        f"{x.flops / 1e6:.2f}",
        f"{x.flops_per_second / 1e9:.1f}",
        "" if x.peak_share is None else _percent(x.peak_share),
        _kilo(x.read_bytes),
        _kilo(x.written_bytes),
    )


def _micro(seconds: float) -> str:
    return f"{1e6 * seconds:.1f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _kilo(count: int) -> str:
    return f"{count / 1000:.1f} KB"
