"""Where the time of a step goes that XLA computes: JAX's profiler measures each instruction."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np

from thalweg.data.staying import Staying
from thalweg.executors.executor import Arrays
from thalweg.executors.work import Timing, Work
from thalweg.executors.xla.devices import wide
from thalweg.executors.xla.instructions import instructions, works
from thalweg.graph.node import Graph
from thalweg.graph.types import TensorType
from thalweg.state import Variable


class Running(Protocol):
    """What a profile needs to know of a program."""

    @property
    def graph(self) -> Graph:
        """What it computes."""

    @property
    def states(self) -> Mapping[str, TensorType]:
        """The types of its states."""

    def value(self, name: str, state: Mapping[str, Any]) -> Any:
        """A state where XLA computes: brought there, if it is not there yet."""

    def run(self, state: Any, data: Any, index: Any = None, outputs: Any = None, threads: int = 1) -> None:
        """See Program.run."""

    def optimized(self) -> list[str]:
        """What XLA has made of the graph, for each form of arguments that it has run with."""


class XlaProfiledProgram:
    """A program whose instructions are measured while it runs.

    Attributes:
        works: see ProfiledProgram. The first is all that is not in an instruction: the way into a call, the loop over
            the steps. Calls of other lengths are other programs of XLA, and may add further ones.
    """

    def __init__(self, program: Running) -> None:
        self.works = [Work("not in an instruction", "", 0, 0.0, 0, 0)]
        self._program = program
        self._data: tuple[Arrays, Staying] | None = None
        self._tasks: dict[str, int] = {}  # instruction -> its place in works
        self._known = 0  # texts that have been looked at

    def teams(self, threads: int) -> list[int]:
        """As many as there are: XLA decides itself how many of them it uses."""
        return [threads]

    def measure(self, state: Arrays, data: Arrays, index: np.ndarray | None, threads: int) -> Timing:
        """See ProfiledProgram.measure. States and data are brought to the device before, as a training has them there
        already; the data at the first call.
        """
        if self._data is None or self._data[0] is not data:
            self._data = data, Staying(dict(data))
        variables = {name: Variable(kind, state[name]) for name, kind in self._program.states.items()}
        with wide():
            for name in variables:
                self._program.value(name, variables)
        with _traced() as events:
            began = time.perf_counter()
            self._program.run(variables, self._data[1], index, None, threads)
            whole = time.perf_counter() - began
        for name, variable in variables.items():
            state[name][...] = variable.read()
        texts = self._program.optimized()
        for text in texts[self._known :]:
            self._look_at(text)
        self._known = len(texts)
        seconds = np.zeros(len(self.works))
        for name, taken in events.items():
            if name in self._tasks:
                seconds[self._tasks[name]] += taken
        if seconds.sum() > whole:  # some ran at the same time
            seconds *= whole / seconds.sum()
        seconds[0] = whole - seconds.sum()
        return Timing((seconds / (1 if index is None else max(len(index), 1))).tolist(), ())

    def _look_at(self, text: str) -> None:
        """Instructions that do the same for the same layer are one task."""
        places = {(work.computes, work.layer): place for place, work in enumerate(self.works)}
        before = len(places)
        for name, work in works(instructions(text).values(), self._program.graph.nodes()).items():
            place = places.setdefault((work.computes, work.layer), len(places))
            self._tasks[name] = place
            if place == len(self.works):
                self.works.append(work)
            elif place >= before:
                same = self.works[place]
                self.works[place] = replace(
                    same,
                    flops=same.flops + work.flops,
                    read_bytes=same.read_bytes + work.read_bytes,
                    written_bytes=same.written_bytes + work.written_bytes,
                )


@contextmanager
def _traced() -> Iterator[dict[str, float]]:
    """The seconds that each instruction of XLA took inside, of all devices, divided by their number.

    They are there at the end; none where somebody else traces this process.
    """
    import jax

    seconds: dict[str, float] = defaultdict(float)
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    with TemporaryDirectory(prefix="thalweg-profile-") as folder:
        try:
            jax.profiler.start_trace(folder, profiler_options=options)
        except RuntimeError:
            yield seconds
            return
        try:
            yield seconds
        finally:
            jax.profiler.stop_trace()
        for file in Path(folder).rglob("*.xplane.pb"):
            _add(jax.profiler.ProfileData.from_file(str(file)), seconds)


def _add(profile: Any, seconds: dict[str, float]) -> None:
    """Arguments: profile: a ``jax.profiler.ProfileData``."""
    found = []
    for plane in profile.planes:
        for line in plane.lines:
            for event in line.events:
                about = dict(event.stats)
                if "hlo_op" in about:
                    device = plane.name, about.get("device_ordinal")
                    found.append((str(about["hlo_op"]), device, event.duration_ns / 1e9))
    devices = len({device for _, device, _ in found})
    for name, _, taken in found:
        seconds[name] += taken / devices
