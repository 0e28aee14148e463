"""Lion."""

from __future__ import annotations

from typing import Annotated

from thalweg import ops
from thalweg.checks import In
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.optimizers.optimizer import Optimizer, Slots, registry

__all__ = ["Lion"]


@registry.register("lion")
@dataclass(frozen=True)
class Lion(Optimizer):
    """Every number moves by the rate, in the direction of the sign of a mean of gradients.

    ``w -= rate * sign(beta_1 * m + (1 - beta_1) * g);  m = beta_2 * m + (1 - beta_2) * g``.
    The rate should be 3 to 10 times smaller than Adam's, the weight decay as much larger (section 5 of the source).

    Source: Chen et al. (2023), arXiv:2302.06675, Algorithm 2.
    """

    beta_1: Annotated[float, In("(0, 1]")] = 0.9
    beta_2: Annotated[float, In("[0, 1]")] = 0.99

    def slots(self, parameter: TensorType, path: str) -> tuple[str, ...]:
        return ("m",)

    def update(self, w: Node, g: Node, t: Node, rate: Node, *, m: Node) -> tuple[Node, Slots]:
        direction = ops.sign(m * self.beta_1 + g * (1 - self.beta_1))
        return w - direction * rate, {"m": m * self.beta_2 + g * (1 - self.beta_2)}
