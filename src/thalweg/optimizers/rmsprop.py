"""RMSprop."""

from __future__ import annotations

from typing import Annotated

from thalweg import ops
from thalweg.checks import In
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.optimizers.optimizer import Optimizer, Slots, registry

__all__ = ["RMSprop"]


@registry.register("rmsprop")
@dataclass(frozen=True)
class RMSprop(Optimizer):
    """The gradient divided by a running root mean square of itself.

    ``v = rho * v + (1 - rho) * g^2;  d = g / sqrt(v + epsilon);  w -= rate * d``.
    Centered: ``a = rho * a + (1 - rho) * g``, and ``v - a^2``, an estimate of the variance, in place of v.
    With momentum: ``m = momentum * m + rate * d;  w -= m``.

    Source: Tieleman & Hinton (2012), Coursera lecture 6.5; centered: Graves (2013), arXiv:1308.0850, equations 38-45.
    epsilon stands under the root, as in Keras; in PyTorch it is added to the root.
    """

    rho: Annotated[float, In("[0, 1)")] = 0.9
    momentum: Annotated[float, In("[0, 1]")] = 0.0
    epsilon: Annotated[float, In("(0, inf)")] = 1e-7
    centered: bool = False

    def slots(self, parameter: TensorType, path: str) -> tuple[str, ...]:
        wanted = {"velocity": True, "momentum": self.momentum > 0, "average_gradient": self.centered}
        return tuple(name for name, kept in wanted.items() if kept)

    def update(
        self,
        w: Node,
        g: Node,
        t: Node,
        rate: Node,
        *,
        velocity: Node,
        momentum: Node | None = None,
        average_gradient: Node | None = None,
    ) -> tuple[Node, Slots]:
        variance = velocity = velocity * self.rho + ops.square(g) * (1 - self.rho)
        new = {"velocity": velocity}
        if average_gradient is not None:
            mean = new["average_gradient"] = average_gradient * self.rho + g * (1 - self.rho)
            variance = velocity - ops.square(mean)
        move = g * rate / ops.sqrt(variance + self.epsilon)
        if momentum is not None:
            move = new["momentum"] = momentum * self.momentum + move
        return w - move, new
