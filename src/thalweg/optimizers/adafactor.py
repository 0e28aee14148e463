"""Adafactor."""

from __future__ import annotations

from typing import Annotated

from thalweg import ops
from thalweg.checks import In
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.optimizers.optimizer import Optimizer, Slots, registry
from thalweg.optimizers.schedules import Schedule

__all__ = ["Adafactor"]


@registry.register("adafactor")
@dataclass(frozen=True)
class Adafactor(Optimizer):
    """Adam's second moment of a matrix from the means of its rows and columns, which are all that is kept.

    ``v = b v + (1 - b) (g^2 + epsilon_1)`` with ``b = 1 - t^beta_2_decay``, of matrices the product of the means of
    rows and columns over the mean of all; ``u = g / sqrt(v)``, made smaller where its root mean square is above
    ``clip_threshold``; ``w -= max(epsilon_2, rms(w)) * rate * u``.

    Arguments:
        relative_step: the rate, if it is a number, is at most ``1 / sqrt(t)``.

    Source: Shazeer & Stern (2018), arXiv:1804.04235, algorithms 4 and 5.
    """

    beta_2_decay: Annotated[float, In("(-inf, 0)")] = -0.8
    epsilon_1: Annotated[float, In("(0, inf)")] = 1e-30
    epsilon_2: Annotated[float, In("(0, inf)")] = 1e-3
    clip_threshold: Annotated[float, In("(0, inf)")] = 1.0
    relative_step: bool = True

    def slots(self, parameter: TensorType, path: str) -> tuple[str, ...]:
        return ("rows", "columns") if parameter.rank > 1 else ("velocity",)

    def slot_type(self, slot: str, parameter: TensorType) -> TensorType:
        *outer, rows, columns = (1, *parameter.shape) if parameter.rank < 2 else parameter.shape
        if slot == "velocity":
            return parameter
        return parameter.with_shape((*outer, rows if slot == "rows" else columns))

    def update(
        self,
        w: Node,
        g: Node,
        t: Node,
        rate: Node,
        *,
        rows: Node | None = None,
        columns: Node | None = None,
        velocity: Node | None = None,
    ) -> tuple[Node, Slots]:
        if self.relative_step and not isinstance(self.learning_rate, Schedule):
            rate = ops.minimum(rate, ops.cast(1.0 / ops.sqrt(t), w.dtype))
        keep = ops.cast(1.0 - t**self.beta_2_decay, w.dtype)
        squares = ops.square(g) + self.epsilon_1

        def mixed(before: Node, new: Node) -> Node:
            return before * keep + new * (1.0 - keep)

        if velocity is not None:
            variance = mixed(velocity, squares)
            new = {"velocity": variance}
        else:
            assert rows is not None and columns is not None, "a matrix has both"
            rows, columns = mixed(rows, ops.reduce_mean(squares, -1)), mixed(columns, ops.reduce_mean(squares, -2))
            share = rows / ops.reduce_mean(rows, -1, keepdims=True)
            variance = ops.expand_dims(share, -1) * ops.expand_dims(columns, -2)
            new = {"rows": rows, "columns": columns}
        move = g / ops.sqrt(variance)
        move = move / ops.maximum(_size(move) / self.clip_threshold, 1.0)
        return w - move * (rate * ops.maximum(_size(w), self.epsilon_2)), new


def _size(x: Node) -> Node:
    """The root mean square."""
    return ops.sqrt(ops.reduce_mean(ops.square(x)))
