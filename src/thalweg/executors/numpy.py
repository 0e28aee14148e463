"""The numpy executor: one reference function per operation. The definition of what every other executor computes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from thalweg.executors.executor import Arrays, check_arrays, check_index, check_outputs, check_samples, leaf_types
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Node
from thalweg.graph.verify import verify
from thalweg.ops.leaf import Input, State


def evaluate(graph: Graph, inputs: Arrays, state: Arrays) -> dict[Node, np.ndarray]:
    """The value of every node."""
    values: dict[Node, np.ndarray] = {}
    with np.errstate(all="ignore"):  # NaN and inf are values here; whoever wants to know looks at them
        for node in graph.nodes():
            if isinstance(node.op, Input):
                value = inputs[node.op.label]
            elif isinstance(node.op, State):
                value = state[node.op.label]
            else:
                value = np.asarray(node.op.reference(*(values[x] for x in node.inputs)))
            assert value.shape == node.shape and value.dtype == node.dtype, f"{node}: {value.dtype}{value.shape}"
            values[node] = value
    return values


@dataclass(frozen=True)
class NumpyProgram:
    """A graph as it is, of which every operation is computed for itself."""

    graph: Graph
    gather: bool

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
        values = evaluate(self.graph, inputs, state)
        for name, node in self.graph.outputs.items():
            if name in outputs:
                outputs[name][...] = values[node]
        new = {name: values[node].copy() for name, node in self.graph.updates.items()}
        for name, value in new.items():  # only now: a new value may depend on another state's old one
            state[name][...] = value


@dataclass(frozen=True)
class NumpyExecutor:
    """The executor that defines what all others compute."""

    name: str = "numpy"

    def compile(self, graph: Graph, *, gather: bool) -> NumpyProgram:
        """See Executor.compile. Nothing is compiled; the graph is checked."""
        verify(graph)
        if gather:
            check_samples(leaf_types(graph)[0])
        return NumpyProgram(graph, gather)
