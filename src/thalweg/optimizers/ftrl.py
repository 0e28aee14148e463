"""Ftrl."""

from __future__ import annotations

from typing import Annotated

from thalweg import ops
from thalweg.checks import In
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.optimizers.optimizer import Optimizer, Slots, registry

__all__ = ["Ftrl"]

Strength = Annotated[float, In("[0, inf)")]


@registry.register("ftrl")
@dataclass(frozen=True)
class Ftrl(Optimizer):
    """Follow the regularized leader: parameters that do little are 0, for wide models of sparse features.

    ``z += g - w (n^p - (n - g^2)^p) / rate``, with n the sum of g^2 so far and p = ``-learning_rate_power``;
    ``w = (clip(z, -l1, l1) - z) / (n^p / rate + 2 l2 + beta / rate)``.

    Arguments:
        learning_rate_power: 0 for a rate that does not fall.
        initial_accumulator_value: what n starts from.
        l1_regularization_strength, l2_regularization_strength: l1 and l2 above.
        l2_shrinkage_regularization_strength: s; ``2 s w`` is added to the gradient in z.

    Source: McMahan et al. (2013), KDD, algorithm 1; the factor 2 and the shrinkage are Keras's.
    """

    learning_rate_power: Annotated[float, In("(-inf, 0]")] = -0.5
    initial_accumulator_value: Strength = 0.1
    l1_regularization_strength: Strength = 0.0
    l2_regularization_strength: Strength = 0.0
    l2_shrinkage_regularization_strength: Strength = 0.0
    beta: Strength = 0.0

    def slots(self, parameter: TensorType, path: str) -> tuple[str, ...]:
        return ("accumulator", "linear")

    def start(self, slot: str) -> float:
        return self.initial_accumulator_value if slot == "accumulator" else 0.0

    def update(self, w: Node, g: Node, t: Node, rate: Node, *, accumulator: Node, linear: Node) -> tuple[Node, Slots]:
        l1, l2, power = self.l1_regularization_strength, self.l2_regularization_strength, -self.learning_rate_power
        total = accumulator + ops.square(g)
        grown = total**power
        stands = ops.equal(rate, 0.0)
        rate = ops.select(stands, 1.0, rate)
        pull = g + w * (2 * self.l2_shrinkage_regularization_strength)
        linear = linear + pull - w * ((grown - accumulator**power) / rate)
        curvature = grown / rate + (2 * l2 + self.beta / rate)
        moved = (ops.clip(linear, -l1, l1) - linear) / curvature
        return ops.select(stands, w, moved), {"accumulator": total, "linear": linear}
