"""What a metric keeps between batches: running sums and variables, on the host or in the graph of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import numpy as np

from thalweg import ops
from thalweg.errors import GraphError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.operators import Operators
from thalweg.graph.types import TensorType
from thalweg.layers.tracing import Lasting, Trace, as_node
from thalweg.ops.recording import stands_in
from thalweg.ops.reference import on_arrays, reference_values
from thalweg.state import Variable

Values = Mapping[str, Any]
"""Name of a sum or variable -> its value on the host."""


class Cells(Protocol):
    """Where one metric keeps its sums and variables, as nodes."""

    def read(self, name: str, kind: TensorType, start: Any = 0) -> Node:
        """The value so far; ``start`` is what it is before there was one."""

    def write(self, name: str, node: Node) -> None:
        """A new value."""


class StepCells:
    """In the graph of a step: states of it, whose names begin with ``prefix``."""

    def __init__(self, trace: Trace, prefix: str) -> None:
        self._trace = trace
        self._prefix = prefix

    def read(self, name: str, kind: TensorType, start: Any = 0) -> Node:
        """See Cells."""
        return self._trace.latest(f"{self._prefix}/{name}", kind, start)

    def write(self, name: str, node: Node) -> None:
        """See Cells."""
        self._trace.updates[f"{self._prefix}/{name}"] = node


class HostCells:
    """On the host: nodes for variables, whose new values are worked out when all is said."""

    def __init__(self, variables: dict[str, Variable]) -> None:
        self._variables = variables
        self.known: dict[Node, np.ndarray] = {}
        self._latest: dict[str, Node] = {}

    def read(self, name: str, kind: TensorType, start: Any = 0) -> Node:
        """See Cells."""
        if name not in self._latest:
            if name not in self._variables:
                self._variables[name] = Variable(kind, start)
            self._latest[name] = ops.state_node(name, kind.shape, kind.dtype)
            self.known[self._latest[name]] = self._variables[name].read()
        return self._latest[name]

    def write(self, name: str, node: Node) -> None:
        """See Cells."""
        self._latest[name] = node

    def numbers(self) -> Values:
        """The values that there are."""
        return {name: variable.read() for name, variable in self._variables.items()}

    def store(self, inputs: Mapping[Node, np.ndarray]) -> None:
        """Work out the new values, which depend on these."""
        changed = {name: node for name, node in self._latest.items() if node not in self.known}
        values = reference_values(list(changed.values()), {**self.known, **inputs})
        for name, value in zip(changed, values, strict=True):
            self._variables[name].write(value)


_host: ContextVar[dict[int, HostCells] | None] = ContextVar("thalweg_metrics", default=None)
"""Of the metrics that are at work on the host, by their id."""


@contextmanager
def on_host() -> Iterator[dict[int, HostCells]]:
    """Metrics that are called inside keep what they add up on the host, though they work on nodes."""
    cells: dict[int, HostCells] = {}
    token = _host.set(cells)
    try:
        yield cells
    finally:
        _host.reset(token)


def cells_on_host() -> dict[int, HostCells] | None:
    """Those of ``on_host``; None outside of it."""
    return _host.get()


@dataclass(eq=False)
class MetricVariable(Lasting):
    """An array that a metric of a user's own keeps from batch to batch; made by its ``add_weight``.

    Arguments:
        cells: gives where the metric keeps things at the moment; None while it is called by nobody.
        variable: gives what holds the value on the host.
    """

    name: str
    key: str
    type: TensorType
    start: np.ndarray
    cells: Callable[[], Cells | None]
    variable: Callable[[], Variable]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the value."""
        return self.type.shape

    @property
    def dtype(self) -> str:
        """Of the value."""
        return self.type.dtype

    @property
    def node(self) -> Node:
        """The value so far, in the graph that is being made."""
        node = self.now()
        if isinstance(node, Node):
            return node
        raise GraphError(
            f"the variable {self.name!r} of a metric is used outside of it",
            expected="update_state() or result() of the metric",
            got="no metric that is being called",
            fix="take its value: variable.numpy()",
        )

    def now(self) -> Any:
        cells = self.cells()
        return self.numpy() if cells is None else cells.read(self.key, self.type, self.start)

    def numpy(self) -> np.ndarray:
        """A copy of the value on the host."""
        return self.variable().read()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.numpy(), dtype)

    def assign(self, value: Any) -> None:
        """Put in another value. Raises ShapeError if it has another shape."""
        cells = self.cells()
        value = value.now() if isinstance(value, Lasting) else value
        shape = value.shape if isinstance(value, Node) else np.shape(value)
        if shape not in ((), self.shape):
            raise ShapeError(
                f"this value does not fit the variable {self.name!r} of a metric",
                expected=str(self.shape),
                got=str(shape),
                fix="assign something of the variable's shape, or make the variable in this shape",
            )
        if cells is None:
            self.variable().write(value)
        else:
            cells.write(self.key, ops.broadcast_to(as_node(value, self.dtype), self.shape))

    def assign_add(self, value: Any) -> None:
        """Add to the value. Raises as ``assign``."""
        self.assign(self + _in_dtype(value, self.dtype))

    def assign_sub(self, value: Any) -> None:
        """Take from the value. Raises as ``assign``."""
        self.assign(self - _in_dtype(value, self.dtype))


def _in_dtype(value: Any, dtype: str) -> Any:
    return ops.cast(value, dtype) if isinstance(value, Node) else value


class Late(Operators):
    """What a metric says at the end of the steps: made in the graph of a step, and worked out on the host.

    Arguments:
        compute: gives the value for the sums of the step, by their names without the level.
    """

    def __init__(self, compute: Callable[[Values], Any]) -> None:
        self.compute = compute


@stands_in(Late)
def _late(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Late:
    """A function of metrics' results is worked out late, too. Raises GraphError beside tensors of the graph."""
    if any(isinstance(x, Node) for x in args):
        raise GraphError(
            "the result of a metric, which is known only after the steps, meets a tensor of the step",
            expected="results of metrics and numbers together",
            got="a tensor of the graph beside a metric's result()",
            fix="return both from the step under names of their own; or put the tensor into a metric, metrics.Mean()",
        )

    def compute(values: Values) -> Any:
        given = [np.asarray(x.compute(values) if isinstance(x, Late) else x, "float64") for x in args]
        return on_arrays(lambda *nodes: {"value": function(*nodes, **kwargs)}, *given)["value"][()]

    return Late(compute)
