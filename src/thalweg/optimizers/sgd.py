"""Gradient descent."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from thalweg.checks import In
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.optimizers.optimizer import Optimizer, RateOrSchedule, Slots, registry

__all__ = ["SGD"]


@registry.register("sgd")
@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent, with momentum if wanted.

    Plain: ``w -= rate * g``. With momentum: ``m = momentum * m - rate * g; w += m``, with Nesterov's
    ``w += momentum * m - rate * g`` instead.

    Source: Polyak (1964), USSR Comp. Math. 4; Sutskever et al. (2013), ICML, for Nesterov's in this form. The slot
    holds the rate, as in Keras; PyTorch's does not, which differs when the rate changes.
    """

    learning_rate: RateOrSchedule = field(default=0.01, kw_only=False)
    momentum: Annotated[float, In("[0, 1]")] = 0.0
    nesterov: bool = False

    def slots(self, parameter: TensorType, path: str) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def update(self, w: Node, g: Node, t: Node, rate: Node, *, momentum: Node | None = None) -> tuple[Node, Slots]:
        move = g * rate
        if momentum is None:
            return w - move, {}
        m = momentum * self.momentum - move
        return (w + (m * self.momentum - move) if self.nesterov else w + m), {"momentum": m}
