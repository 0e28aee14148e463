"""The graph: operations applied to nodes, nothing else. Nodes are immutable and know which layer made them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from thalweg.errors import GraphError, ThalwegError
from thalweg.graph.operators import Operators
from thalweg.graph.types import TensorType

if TYPE_CHECKING:
    import numpy as np

Nodes = tuple["Node", ...]
Gradients = tuple["Node | None", ...]

OPS: dict[str, type[Op]] = {}
"""Every primitive by the name under which graphs print it; a new subclass of Op enters by itself,
unless it is private or a base."""


class Kind(Enum):
    """What an operation does with numbers. Passes and executors treat all operations of a kind alike."""

    LEAF = "leaf"
    """Made of nothing: a value from outside, a constant, a counter."""
    VIEW = "view"
    """The input's numbers, each at one or more places of the result (``ops.views.View``): nothing is computed."""
    WINDOW = "window"
    """A view of all places where a window fits, which may reach beyond the edge, where there are zeros."""
    MOVE = "move"
    """The inputs' numbers, each at one place of the result, and zeros at the other places."""
    LOOKUP = "lookup"
    """Rows at places that are numbers themselves, known only when the graph runs."""
    ELEMENTWISE = "elementwise"
    """One number of the result from those at the same place of the inputs, whose shape is the result's."""
    REDUCTION = "reduction"
    """Some axes of the input folded into one number (``ops.broadcast.Reduction``)."""
    CONTRACTION = "contraction"
    """Sums of products."""
    RANDOM = "random"
    """Random numbers, each from its place and a counter."""
    COMPOSITE = "composite"
    """Made of operations of other kinds, see ``Op.decompose``; an operation only so that it can be recognised, or for
    its gradient's sake."""


class Op:
    """One primitive operation. A frozen dataclass whose fields are its attributes (axes, shapes, a name).

    All that is true of a primitive stands in its class: its kind, the rule for its result's type, its definition in
    NumPy and its vector-Jacobian product. Executors keep one table of lowerings each.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind]

    def __init_subclass__(cls, kind: Kind | None = None, base: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = _snake_case(cls.__name__)
        if kind is not None:
            cls.kind = kind
        assert hasattr(cls, "kind"), f"{cls.__name__} does not say its kind, nor does a base of it"
        if not base and not cls.__name__.startswith("_"):
            OPS[cls.name] = cls

    # Annotations, not methods: each operation names its own inputs, and a type checker accepts that only so.
    infer: ClassVar[Callable[..., TensorType]]
    """``infer(self, *types)``: the type of the result. Raises ShapeError or DTypeError if the inputs do not fit."""
    reference: ClassVar[Callable[..., np.ndarray]]
    """``reference(self, *arrays)``: the definition, in NumPy."""

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        """``g`` times the Jacobian: one node per input, None for an input that has no gradient."""
        raise GraphError(
            f"the operation {self.name!r} has no gradient",
            expected="an operation with a vector-Jacobian product on the way from the loss to the parameters",
            got=f"{self} at {output}",
            fix="keep this operation out of the loss, or wrap its result in stop_gradient",
            layer=output.layer or None,
        )

    def decompose(self, *inputs: Node) -> Node | None:
        """The same result from other operations, for executors without a lowering; None if there are none."""
        return None


@dataclass(frozen=True, eq=False, slots=True)
class Node(Operators):
    """One value: an operation, what it is applied to, the type of its result and the layer that made it."""

    op: Op
    inputs: Nodes
    type: TensorType
    layer: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its type's shape."""
        return self.type.shape

    @property
    def dtype(self) -> str:
        """Its type's dtype, by the name that NumPy gives it."""
        return self.type.dtype

    @property
    def rank(self) -> int:
        """How many axes it has."""
        return len(self.type.shape)

    def on(self, inputs: Nodes) -> Node:
        """The same operation of the same layer on other inputs, of the same types; the node itself on its own."""
        return self if inputs == self.inputs else Node(self.op, inputs, self.type, self.layer)

    def __repr__(self) -> str:
        made_by = f" of {self.layer}" if self.layer else ""
        return f"<{self.op.name} {self.type}{made_by}>"

    __hash__ = object.__hash__


_scope: ContextVar[str] = ContextVar("thalweg_layer", default="")


@contextmanager
def scope(layer: str) -> Iterator[None]:
    """Nodes made inside carry the name ``layer``; scopes nest as ``outer/inner``."""
    outer = _scope.get()
    with exact_scope(f"{outer}/{layer}" if outer else layer):
        yield


@contextmanager
def exact_scope(layer: str) -> Iterator[None]:
    """Nodes made inside carry just this name. For passes and back-propagation, which extend what a layer made.

    An error raised inside that does not say yet which layer it concerns says so from here on.
    """
    token = _scope.set(layer)
    try:
        yield
    except ThalwegError as error:
        if layer and error.layer is None:
            error.layer = f"layer {layer!r}"
        raise
    finally:
        _scope.reset(token)


def apply(op: Op, *inputs: Node) -> Node:
    """The node ``op(inputs)``, its type checked and inferred. Raises ShapeError, DTypeError or GraphError."""
    nodes = tuple([x if type(x) is Node else node_of(x) for x in inputs])
    return Node(op, nodes, op.infer(*[x.type for x in nodes]), _scope.get())


def node_of(x: Any) -> Node:
    """A node as it is; of a layer's parameter the node that stands for it. Raises GraphError for anything else."""
    if isinstance(x, Node):
        return x
    node = getattr(x, "node", None)
    if isinstance(node, Node):
        return node
    raise GraphError(
        "an operation needs a tensor of the graph",
        expected="a node: an argument of a function that is compiled, of a layer's call, or of a loss",
        got=f"{x!r:.60} ({type(x).__name__})",
        fix="for arrays write thalweg.compile_function(function)(array)",
    )


def topological(outputs: Iterable[Node]) -> list[Node]:
    """All nodes that the outputs need, each after its inputs, in an order that depends only on the graph."""
    order: list[Node] = []
    done: set[Node] = set()
    for root in outputs:
        stack = [(root, False)]  # not recursive: a deep net is deeper than Python's stack
        while stack:
            node, inputs_done = stack.pop()
            if node in done:
                continue
            if inputs_done:
                done.add(node)
                order.append(node)
            else:
                stack.append((node, True))
                stack.extend((x, False) for x in reversed(node.inputs) if x not in done)
    return order


@dataclass(frozen=True)
class Graph:
    """A pure function: inputs and state in; outputs and the state's new values out.

    ``outputs`` are what the caller gets back. ``updates`` maps the name of a state to its new value; a state without
    an entry keeps its value. Inputs and states are the ``Input`` and ``State`` leaves that these nodes reach.
    """

    outputs: Mapping[str, Node] = field(default_factory=dict)
    updates: Mapping[str, Node] = field(default_factory=dict)

    def roots(self) -> list[Node]:
        """The outputs, then the updates."""
        return [*self.outputs.values(), *self.updates.values()]

    def nodes(self) -> list[Node]:
        """All nodes that the results need, each after its inputs."""
        return list(self._nodes)

    @cached_property
    def _nodes(self) -> tuple[Node, ...]:
        """Kept, because every pass asks for them."""
        return tuple(topological(self.roots()))

    @cached_property
    def found(self) -> dict[str, Any]:
        """What was found out of the graph that it takes a while to find again, by names."""
        return {}

    def rebuilt(self, new: Mapping[Node, Node]) -> Graph:
        """The same graph with its roots replaced through ``new``."""
        return Graph(
            {name: new[node] for name, node in self.outputs.items()},
            {name: new[node] for name, node in self.updates.items()},
        )


def _snake_case(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))
