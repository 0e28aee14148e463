"""The numpy executor: one reference function per operation. The definition of what every other executor computes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from thalweg.errors import InsufficientMemoryError
from thalweg.executors import debug
from thalweg.executors.executor import Arrays, check_arrays, check_index, check_outputs, check_samples, leaf_types
from thalweg.executors.work import Timing, Work, contraction_words, flops, sizes_words
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Kind, Node
from thalweg.graph.text import to_text
from thalweg.graph.verify import verify
from thalweg.ops.leaf import Input, State
from thalweg.passes.simplify import simplify


def evaluate(
    graph: Graph, inputs: Arrays, state: Arrays, seconds: dict[Node, float] | None = None
) -> dict[Node, np.ndarray]:
    """The value of every node; in ``seconds`` what each has taken is added up, if it is given."""
    values: dict[Node, np.ndarray] = {}
    with np.errstate(all="ignore"):  # NaN and inf are values here; whoever wants to know looks at them
        for node in graph.nodes():
            began = time.perf_counter() if seconds is not None else 0.0
            if isinstance(node.op, Input):
                value = inputs[node.op.label]
            elif isinstance(node.op, State):
                value = state[node.op.label]
            else:
                try:
                    value = np.asarray(node.op.reference(*(values[x] for x in node.inputs)))
                except MemoryError as error:
                    layer = node.layer or None
                    raise InsufficientMemoryError.found(f"computing {node.op.name!r}", error, layer) from error
            assert value.shape == node.shape and value.dtype == node.dtype, f"{node}: {value.dtype}{value.shape}"
            values[node] = value
            if seconds is not None:
                seconds[node] = seconds.get(node, 0.0) + time.perf_counter() - began
    return values


@dataclass(frozen=True)
class NumpyProgram:
    """A graph as it is, of which every operation is computed for itself."""

    graph: Graph
    gather: bool
    seconds: dict[Node, float] | None = None  # what each node takes is added up here, if it is asked for
    keeps_state: ClassVar[bool] = False
    compile_seconds: ClassVar[float] = 0.0

    def run(
        self,
        state: Arrays,
        data: Arrays,
        index: np.ndarray | None = None,
        outputs: Arrays | None = None,
        threads: int = 1,
    ) -> None:
        """See Program.run; always on one thread of Python."""
        inputs, states = leaf_types(self.graph)
        outputs = {} if outputs is None else outputs
        check_arrays(states, state, "the state")
        check_arrays(inputs, data, "the input", rows=index is not None)
        kinds = {name: node.type for name, node in self.graph.outputs.items()}
        check_outputs(kinds, outputs, None if index is None else len(index))
        if index is None:
            self._step({name: data[name] for name in inputs}, state, outputs)
            return
        check_index(index, inputs, data)
        for step, rows in enumerate(index):
            self._step(
                {name: data[name][rows] for name in inputs},
                state,
                {name: array[step : step + 1].reshape(array.shape[1:]) for name, array in outputs.items()},
            )

    def _step(self, inputs: Arrays, state: Arrays, outputs: Mapping[str, np.ndarray]) -> None:
        values = evaluate(self.graph, inputs, state, self.seconds)
        for name, node in self.graph.outputs.items():
            if name in outputs:
                outputs[name][...] = values[node]
        new = {name: values[node].copy() for name, node in self.graph.updates.items()}
        for name, value in new.items():  # only now: a new value may depend on another state's old one
            state[name][...] = value


class NumpyProfiledProgram:
    """A graph run operation by operation, each with a clock. Its last task is what is done between the operations."""

    def __init__(self, graph: Graph, gather: bool) -> None:
        self._seconds: dict[Node, float] = {}
        self._program = NumpyProgram(graph, gather, self._seconds)
        self._nodes = [node for node in graph.nodes() if node.inputs]
        self.works = [_work(node, place) for place, node in enumerate(self._nodes)]
        self.works.append(Work("rows by the index, new states", "", len(self.works), 0.0, 0, 0))

    def teams(self, threads: int) -> list[int]:
        """As many as there are: NumPy decides itself how many of them it uses."""
        return [threads]

    def measure(self, state: Arrays, data: Arrays, index: np.ndarray | None, threads: int) -> Timing:
        """See ProfiledProgram.measure."""
        self._seconds.clear()
        began = time.perf_counter()
        self._program.run(state, data, index, None, threads)
        whole, steps = time.perf_counter() - began, 1 if index is None else len(index)
        seconds = [self._seconds[node] for node in self._nodes]
        return Timing([s / steps for s in (*seconds, max(whole - sum(seconds), 0.0))], ())


def _work(node: Node, place: int) -> Work:
    return Work(
        contraction_words(node) if node.op.kind is Kind.CONTRACTION else f"{sizes_words(node.shape)} {node.op.name}",
        node.layer,
        place,
        flops(node),
        sum(x.type.nbytes for x in node.inputs),
        node.type.nbytes,
        node.dtype,
    )


@dataclass(frozen=True)
class NumpyExecutor:
    """The executor that defines what all others compute."""

    name: str = "numpy"
    stages: ClassVar[tuple[str, ...]] = ("graph", "simplified")

    def compile(self, graph: Graph, *, gather: bool) -> NumpyProgram:
        """See Executor.compile. Nothing is compiled; the graph is checked."""
        phases = debug.Phases()
        verify(graph)
        if gather:
            check_samples(leaf_types(graph)[0])
        phases.done("checked")
        debug.report(self, graph, gather=gather, phases=phases)
        return NumpyProgram(graph, gather)

    def profiled(self, graph: Graph, *, gather: bool) -> NumpyProfiledProgram:
        """See Executor.profiled."""
        verify(graph)
        return NumpyProfiledProgram(graph, gather)

    def peak_flops(self, threads: int) -> None:
        """Not known: how many threads NumPy's library for matrices takes is its own affair."""

    def explain(self, graph: Graph, stage: str, *, gather: bool) -> str:
        """The simplified graph, which is what an executor that has everything would run; this one runs the graph."""
        return to_text(simplify(graph, lambda op: True))
