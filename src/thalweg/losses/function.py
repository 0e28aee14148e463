"""A loss that a user wrote as a plain function of two nodes."""

from __future__ import annotations

from collections.abc import Callable

from thalweg import ops
from thalweg.errors import GraphError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.losses.loss import Loss


@dataclass(frozen=True)
class FunctionLoss(Loss):
    """``function(y_true, y_pred)``, compiled like every other loss.

    Shapes: y_true and y_pred (batch, ...) alike; the result (batch, ...), whose further axes are averaged, or a scalar.
    """

    function: Callable[[Node, Node], Node]

    def __post_init__(self) -> None:
        if self.name is None:
            object.__setattr__(self, "name", getattr(self.function, "__name__", "loss"))
        super().__post_init__()

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        try:
            values = self.function(y_true, y_pred)
        except (TypeError, AttributeError) as error:  # what NumPy's functions raise for a node
            raise GraphError(
                f"the loss function {self.name!r} cannot be applied to nodes of the graph",
                expected="an expression of y_true and y_pred, made with + - * / and thalweg.ops",
                got=f"{type(error).__name__}: {error}",
                fix="replace NumPy's functions by those of thalweg.ops: ops.square, ops.reduce_mean ...",
            ) from error
        if not isinstance(values, Node):
            raise GraphError(
                f"the loss function {self.name!r} gives no node of the graph",
                expected="an expression of y_true and y_pred, made with + - * / and thalweg.ops",
                got=type(values).__name__,
                fix="replace NumPy's functions by those of thalweg.ops: ops.square, ops.reduce_mean ...",
            )
        return values if values.rank else ops.broadcast(values, y_pred.shape[:1], ())
