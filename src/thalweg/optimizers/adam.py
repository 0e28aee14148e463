"""Adam and its relatives."""

from __future__ import annotations

from typing import Annotated

from thalweg import ops
from thalweg.checks import In
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.optimizers.optimizer import Optimizer, Slots, registry


@registry.register("adam")
@dataclass(frozen=True)
class Adam(Optimizer):
    """A running mean of the gradient divided by a running root mean square of it, both corrected for their start at 0.

    ``m += (g - m) * (1 - beta_1);  v += (g^2 - v) * (1 - beta_2);  w -= alpha * m / (sqrt(v) + epsilon)``
    with ``alpha = rate * sqrt(1 - beta_2^t) / (1 - beta_1^t)``, t counting from 1. With amsgrad the largest v so far
    stands in for v.

    Source: Kingma & Ba (2015), arXiv:1412.6980, Algorithm 1 in the form of the last lines of section 2, where epsilon
    is the "epsilon hat"; amsgrad: Reddi et al. (2018), arXiv:1904.09237. PyTorch adds epsilon (1e-8) to the root of
    the corrected v.
    """

    beta_1: Annotated[float, In("[0, 1)")] = 0.9
    beta_2: Annotated[float, In("[0, 1)")] = 0.999
    epsilon: Annotated[float, In("(0, inf)")] = 1e-7
    amsgrad: bool = False

    def slots(self, parameter: TensorType) -> tuple[str, ...]:
        return ("m", "v", "v_max") if self.amsgrad else ("m", "v")

    def update(
        self, w: Node, g: Node, t: Node, rate: Node, *, m: Node, v: Node, v_max: Node | None = None
    ) -> tuple[Node, Slots]:
        alpha = rate * ops.cast(ops.sqrt(1.0 - self.beta_2**t) / (1.0 - self.beta_1**t), w.dtype)
        m = m + (g - m) * (1 - self.beta_1)
        v = v + (ops.square(g) - v) * (1 - self.beta_2)
        new = {"m": m, "v": v}
        if v_max is not None:
            v = new["v_max"] = ops.maximum(v_max, v)
        return w - m * alpha / (ops.sqrt(v) + self.epsilon), new
