"""What every executor does: make a graph ready once, run it often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from thalweg.errors import ExecutorError
from thalweg.executors.work import Timing, Work
from thalweg.graph.node import Graph, Kind, Op
from thalweg.graph.types import TensorType
from thalweg.ops.leaf import Input, State

Arrays = Mapping[str, np.ndarray]


class Program(Protocol):
    """A graph made ready to run."""

    @property
    def keeps_state(self) -> bool:
        """Whether ``run`` may get the variables of a ``State`` in place of their arrays, and keeps their values."""

    @property
    def compile_seconds(self) -> float:
        """What its runs have taken to compile so far: 0 where all is done when it is made."""

    def run(
        self,
        state: Arrays,
        data: Arrays,
        index: np.ndarray | None = None,
        outputs: Arrays | None = None,
        threads: int = 1,
    ) -> None:
        """Run the graph once for every row of ``index``, each time on the state that the last time left.

        Arguments:
            state: for each State of the graph (and each update) its array; changed in place.
            data: for each Input its array. With ``index`` an Input of shape (batch, ...) stands for an array
                (samples, ...), of which step s gets the rows ``index[s]``. Without, the arrays are the inputs.
            index: (steps, batch) int64, or None for one step on the data as it is.
            outputs: for each output of shape (...) an array (steps, ...), (...) without ``index``; filled.
            threads: exactly so many, or an ``AtMost``; the results do not depend on it.

        Raises: ExecutorError if an array is missing, does not fit, or an index lies outside the data.
        """


class ProfiledProgram(Protocol):
    """A program that measures its tasks."""

    @property
    def works(self) -> Sequence[Work]:
        """The tasks, in the order in which they run."""

    def teams(self, threads: int) -> Sequence[int]:
        """The numbers of threads to try, where there are so many."""

    def measure(self, state: Arrays, data: Arrays, index: np.ndarray | None, threads: int) -> Timing:
        """Run as ``Program.run`` does, on exactly so many threads; the outputs are lost."""


class Executor(Protocol):
    """What makes programs of graphs. All of them agree; ``NumpyExecutor`` is the definition."""

    @property
    def name(self) -> str:
        """As in THALWEG_EXECUTOR."""
        ...

    @property
    def stages(self) -> tuple[str, ...]:
        """Those of ``explain.STAGES`` that a graph goes through."""

    def compile(self, graph: Graph, *, gather: bool) -> Program:
        """A program for the graph; ``gather`` says whether it will run with an index."""

    def profiled(self, graph: Graph, *, gather: bool) -> ProfiledProgram:
        """The same program, made so that it measures its tasks."""

    def peak_flops(self, threads: int) -> float | None:
        """Operations on float32 that so many threads can do in a second at most; None if that is not known."""

    def explain(self, graph: Graph, stage: str, *, gather: bool) -> str:
        """The graph at one of the ``stages`` after "graph", as text; see ``explain.explain``."""


def leaf_types(graph: Graph) -> tuple[dict[str, TensorType], dict[str, TensorType]]:
    """The types of the graph's inputs and of its states, by name, in the order of the graph."""
    inputs, states = {}, {}
    for node in graph.nodes():
        if isinstance(node.op, Input):
            inputs[node.op.label] = node.type
        elif isinstance(node.op, State):
            states[node.op.label] = node.type
    for name, node in graph.updates.items():
        states.setdefault(name, node.type)
    return inputs, states


def check_supported(graph: Graph, supported: Callable[[type[Op]], bool], executor: str) -> None:
    """Raises ExecutorError naming the operation, and the layer that asked for it, that an executor has no code for."""
    for node in graph.nodes():
        if not supported(type(node.op)):
            raise ExecutorError(
                f"the {executor} executor has no code for the operation {node.op.name!r}",
                expected="an operation with a lowering, or one that decomposes into such operations",
                got=f"{node!r}, which has neither",
                fix="set THALWEG_EXECUTOR=numpy, or give the operation a lowering or a decompose()",
                layer=node.layer or None,
            )


def check_arrays(kinds: Mapping[str, TensorType], arrays: Arrays, what: str, rows: bool = False) -> None:
    """Every name has an array of its type; with ``rows`` the first axis may have any size. Raises ExecutorError."""
    for name, kind in kinds.items():
        check_array(name, kind, arrays, what, rows)


def check_array(name: str, kind: TensorType, arrays: Arrays, what: str, rows: bool = False) -> np.ndarray:
    """The array of a name, if it is of its type. Raises ExecutorError naming it."""
    array = arrays.get(name)
    if array is None:
        raise _misfit(what, name, str(kind), f"only {', '.join(arrays) or 'nothing'}")
    first = 1 if rows else 0
    if array.dtype != kind.dtype or array.shape[first:] != kind.shape[first:] or array.ndim != len(kind.shape):
        raise _misfit(what, name, str(kind), str(TensorType.of(array)))
    return array


def check_samples(inputs: Mapping[str, TensorType]) -> None:
    """Every input has rows for an index to choose from. Raises ExecutorError naming the input."""
    for name, kind in inputs.items():
        if kind.rank == 0:
            raise _misfit("the input", name, "an axis of samples to take rows from by an index", str(kind))


def check_index(index: np.ndarray, inputs: Mapping[str, TensorType], data: Arrays) -> None:
    """The index is (steps, batch) int64 and within every data array. Raises ExecutorError."""
    batch = {kind.shape[0] for kind in inputs.values()}
    if index.dtype != np.int64 or index.ndim != 2 or (batch and {index.shape[1]} != batch):
        raise _misfit("the index", "index", f"int64[steps,{batch}]", f"{index.dtype}{list(index.shape)}")
    rows = min((len(data[name]) for name in inputs), default=0)
    if not inputs or not index.size:
        return
    few = index.size <= 16  # plain Python is quicker for a single row
    low, high = (min(index.flat), max(index.flat)) if few else (index.min(), index.max())
    if not 0 <= low <= high < rows:
        raise _misfit("the index", "index", f"rows 0 to {rows - 1}", f"{low} to {high}")


def check_outputs(kinds: Mapping[str, TensorType], outputs: Arrays, steps: int | None) -> None:
    """Every array to be filled is for one of the outputs and of its type, with an axis of ``steps`` before unless None.

    Raises: ExecutorError naming the output.
    """
    for name, array in outputs.items():
        kind = kinds.get(name)
        if kind is None:
            raise _misfit("the output", name, f"one of {', '.join(kinds) or 'none'}", repr(name))
        shape = kind.shape if steps is None else (steps, *kind.shape)
        check_array(name, kind.with_shape(shape), {name: array}, "the output")


def largest(graph: Graph) -> str:
    """Which of the tensors that a graph computes takes most memory, in words."""
    computed = [node for node in graph.nodes() if node.inputs and node.op.kind not in (Kind.VIEW, Kind.WINDOW)]
    node = max(computed, key=lambda node: node.type.nbytes, default=None)
    if node is None:
        return "all of it for its inputs"
    return f"the largest of its tensors is {node.type} of {node.op.name!r}" + (
        f" in {node.layer}" if node.layer else ""
    )


def _misfit(what: str, name: str, expected: str, got: str) -> ExecutorError:
    return ExecutorError(
        f"{what} {name!r} does not fit the compiled step",
        expected=expected,
        got=got,
        fix="pass arrays of the shapes and dtypes that the step was compiled for, or compile it for these",
    )
