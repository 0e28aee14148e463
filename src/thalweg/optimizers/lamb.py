"""LAMB."""

from __future__ import annotations

from typing import Annotated

from thalweg import ops
from thalweg.checks import In
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.optimizers.optimizer import Optimizer, Slots, registry

__all__ = ["Lamb"]


@registry.register("lamb")
@dataclass(frozen=True)
class Lamb(Optimizer):
    """Adam's step, scaled to the size of the parameter that it changes; made for very large batches.

    ``r = m_hat / (sqrt(v_hat) + epsilon);  w -= rate * |w| / |r| * r`` with Adam's m_hat and v_hat; the ratio is 1
    where a norm is 0.

    Source: You et al. (2020), arXiv:1904.00962, Algorithm 2 with phi(z) = z. Differs: as in Keras weight decay is
    applied before, by the base, and is no part of r.
    """

    beta_1: Annotated[float, In("[0, 1)")] = 0.9
    beta_2: Annotated[float, In("[0, 1)")] = 0.999
    epsilon: Annotated[float, In("(0, inf)")] = 1e-7

    def slots(self, parameter: TensorType, path: str) -> tuple[str, ...]:
        return ("m", "v")

    def update(self, w: Node, g: Node, t: Node, rate: Node, *, m: Node, v: Node) -> tuple[Node, Slots]:
        m = m + (g - m) * (1 - self.beta_1)
        v = v + (ops.square(g) - v) * (1 - self.beta_2)
        # r = m * alpha / (sqrt(v) + spread): both corrections in the scalars
        root = ops.sqrt(1.0 - self.beta_2**t)
        alpha = ops.cast(root / (1.0 - self.beta_1**t), w.dtype)
        r = m * alpha / (ops.sqrt(v) + ops.cast(root * self.epsilon, w.dtype))
        w_norm, r_norm = (ops.sqrt(ops.reduce_sum(ops.square(x))) for x in (w, r))
        sized = (w_norm > 0) & (r_norm > 0)
        ratio = ops.select(sized, w_norm / ops.select(sized, r_norm, 1.0), 1.0)
        return w - r * (ratio * rate), {"m": m, "v": v}
