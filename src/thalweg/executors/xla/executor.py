"""The xla executor: many steps as one program of XLA, whose states stay where it computes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Hashable, Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from thalweg import memory
from thalweg.executors import debug
from thalweg.executors.executor import (
    Arrays,
    check_array,
    check_index,
    check_outputs,
    check_samples,
    largest,
    leaf_types,
)
from thalweg.executors.patience import told_if_long
from thalweg.executors.xla.devices import devices, wide
from thalweg.executors.xla.distribution import DataParallel, Distribution, list_devices
from thalweg.executors.xla.feeding import feeding, most_steps
from thalweg.executors.xla.placed import Placed
from thalweg.executors.xla.profile import XlaProfiledProgram
from thalweg.executors.xla.shared import shared
from thalweg.fields import dataclass
from thalweg.graph.node import Graph
from thalweg.graph.text import to_text
from thalweg.graph.types import TensorType
from thalweg.graph.verify import verify
from thalweg.processes.job import current
from thalweg.state import Variable


@dataclass(frozen=True)
class XlaExecutor:
    """Compiles with XLA, through JAX.

    Arguments:
        kind: of device, as ``"gpu"``; by default what JAX prefers.
        distribution: over which devices; unless given over all of this kind if there are several processes, else on
            the first.

    Raises: ArgumentError if these devices are of another kind.
    """

    kind: str | None = None
    distribution: Distribution | None = None
    stages: ClassVar[tuple[str, ...]] = ("graph", "simplified", "stablehlo", "hlo")

    def __post_init__(self) -> None:
        if self.kind is not None and self.distribution is not None:
            self.distribution.device_mesh.require(self.kind)

    @property
    def name(self) -> str:
        """With the kind of device, where one was asked for."""
        return "xla" if self.kind is None else f"xla:{self.kind}"

    @cached_property
    def placement(self) -> Any:
        """Where things lie. Raises as ``devices``."""
        from thalweg.executors.xla.placement import on_one, over

        if self.distribution is not None:
            return over(self.distribution)
        if current().count > 1:
            return over(DataParallel(devices=list_devices(self.kind)))
        return on_one(devices(self.kind)[0])

    def compile(self, graph: Graph, *, gather: bool) -> XlaProgram:
        """See Executor.compile. XLA compiles at the first run, which shows how many rows the data have."""
        phases = debug.Phases()
        program = self._program(graph, gather)
        phases.done("simplified")
        debug.report(self, graph, gather=gather, phases=phases)
        return program

    def _program(self, graph: Graph, gather: bool) -> XlaProgram:
        from thalweg.executors.xla.step import simplified

        verify(graph)
        if gather:
            check_samples(leaf_types(graph)[0])
        return XlaProgram(simplified(graph), leaf_types(graph), self.placement, gather)

    def profiled(self, graph: Graph, *, gather: bool) -> XlaProfiledProgram:
        """See Executor.profiled."""
        return XlaProfiledProgram(self._program(graph, gather))

    def peak_flops(self, threads: int) -> None:
        """Not known."""

    def explain(self, graph: Graph, stage: str, *, gather: bool) -> str:
        """See Executor.explain."""
        program = self._program(graph, gather)
        if stage == "simplified":
            return to_text(program.graph)
        lowered = program.lowered()
        text: str = lowered.as_text() if stage == "stablehlo" else lowered.compile().as_text()
        return text


class XlaProgram:
    """A graph for XLA, compiled once for each shape of data.

    Attributes:
        compile_seconds: what that took so far.
        proved: kinds of calls that have run, so that there is memory for them.
        counts: whether a call runs any number of steps up to its length.
        most: steps of a call.
    """

    keeps_state = True

    def __init__(
        self,
        graph: Graph,
        leaves: tuple[dict[str, TensorType], dict[str, TensorType]],
        placement: Any,
        gather: bool,
    ) -> None:
        self.graph = graph
        self.inputs, self.states = leaves
        self.outputs = {name: node.type for name, node in graph.outputs.items()}
        self.placement = placement
        self.gather = gather
        self.compile_seconds = 0.0
        self.shardings = {name: placement.state(name, kind) for name, kind in self.states.items()}
        self.counts = placement.counts
        output_bytes = sum(kind.nbytes for kind in self.outputs.values())
        self.most = most_steps(output_bytes)
        self._compiled: dict[Hashable, Any] = {}
        self.proved: set[Hashable] = set()

    @cached_property
    def _digest(self) -> bytes:
        """Of the graph: of equal ones the same."""
        return hashlib.sha256(to_text(self.graph).encode()).digest()

    @cached_property
    def _jitted(self) -> Any:
        import jax

        from thalweg.executors.xla.step import many_steps, one_step

        changed = {name: self.shardings[name] for name in self.graph.updates}
        results = changed, dict.fromkeys(self.outputs, self.placement.whole), None
        if self.gather:
            return jax.jit(many_steps(self.graph, self.placement), donate_argnums=0, out_shardings=results)
        step = one_step(self.graph, self.placement.on_host)

        def once(changed: Mapping[str, Any], fixed: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
            return *step({**fixed, **changed}, data), None

        return jax.jit(once, donate_argnums=0, out_shardings=results)

    def run(
        self,
        state: Mapping[str, Any],
        data: Arrays,
        index: np.ndarray | None = None,
        outputs: Arrays | None = None,
        threads: int = 1,
    ) -> None:
        """See Program.run; XLA decides about threads itself.

        Raises: InsufficientMemoryError or ExecutorError if the device fails; the states are as they were before, or
            say that they were lost.
        """
        outputs = {} if outputs is None else outputs
        check_outputs(self.outputs, outputs, None if index is None else len(index))
        for name, kind in self.inputs.items():
            check_array(name, kind, data, "the input", rows=index is not None)
        if index is not None:
            check_index(index, self.inputs, data)
        with wide():
            from thalweg.executors.xla.running import Running

            running = Running(self, state, outputs)
            if index is None:
                running.once({label: data[label] for label in self.inputs})
            else:
                running.all(feeding(self.placement, data, tuple(self.inputs), index, self.most), len(index))

    def lowered(self) -> Any:
        """What XLA gets, for data of as many rows as a batch has: a ``jax.stages.Lowered``."""
        import jax

        whole = self.placement.whole

        def like(kind: TensorType, where: Any = whole) -> Any:
            return jax.ShapeDtypeStruct(kind.shape, kind.dtype, sharding=where)

        with wide():
            states = {name: like(kind, self.shardings[name]) for name, kind in self.states.items()}
            changed = {name: states.pop(name) for name in self.graph.updates}
            data = {name: like(kind) for name, kind in self.inputs.items()}
            index: tuple[Any, ...] = ()
            if self.gather:
                batch = next(iter(self.inputs.values())).shape[0]
                index = (like(TensorType((1, batch), "int32")), None)
            return self._jitted.lower(changed, states, data, *index)

    def value(self, name: str, state: Mapping[str, Any]) -> Any:
        """A state where XLA computes."""
        where = self.shardings[name]
        given = state.get(name)
        if isinstance(given, Variable):
            kept = given.kept
            if isinstance(kept, Placed) and kept.sharding == where:
                return kept.array
            value = self.placement.put(given.read(), where)
            given.keep(Placed(value, self.placement, where), newer=False)
            return value
        return self.placement.put(check_array(name, self.states[name], state, "the state"), where)

    def keep(self, name: str, state: Mapping[str, Any], value: Any) -> None:
        """The new value of a state."""
        given = state[name]
        if isinstance(given, Variable):
            given.keep(Placed(value, self.placement, self.shardings[name]), newer=True)
        else:
            given[...] = self.placement.read(value)

    def compiled(self, key: Hashable, arguments: tuple[Any, ...]) -> Any:
        """The program for arguments of this kind; compiled if it is the first time.

        Raises: InsufficientMemoryError if the host has not the memory that it needs: it would end us without a word.
        """
        import jax

        if key not in self._compiled:
            from thalweg.executors.xla import cache

            began = time.perf_counter()
            whole = (self._digest, self.gather, self.placement, key, jax.tree.structure(arguments))
            with told_if_long(self.graph):
                program = shared(
                    whole,
                    lambda: cache.compiled(self._jitted.lower(*arguments), self.placement.devices, self._digest),
                )
            self.compile_seconds += time.perf_counter() - began
            if self.placement.on_host and (analysis := program.memory_analysis()) is not None:
                memory.require(analysis.temp_size_in_bytes, "what a step keeps on its way", lambda: largest(self.graph))
            self._compiled[key] = program
        return self._compiled[key]

    def temporary_words(self) -> str:
        """What the largest of the programs takes for what it makes on the way, in words."""
        known = [compiled.memory_analysis() for compiled in self._compiled.values()]
        sizes = [analysis.temp_size_in_bytes for analysis in known if analysis is not None]
        return memory.in_words(max(sizes)) if sizes else "an unknown amount"

    def optimized(self) -> list[str]:
        """See profile.Running."""
        return [compiled.as_text() for compiled in self._compiled.values()]
