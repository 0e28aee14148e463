"""Adam and its relatives."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from thalweg import ops
from thalweg.checks import In
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.optimizers.optimizer import Optimizer, Slots, registry

__all__ = ["Adam", "AdamW", "Adamax", "Nadam"]


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

    def slots(self, parameter: TensorType, path: str) -> tuple[str, ...]:
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


@registry.register("adam_w", "adamw")
@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay apart from the gradient, ``w -= rate * weight_decay * w``, which every optimizer here has.

    Source: Loshchilov & Hutter (2019), arXiv:1711.05101, Algorithm 2. Default as in Keras; PyTorch's decay is 0.01.
    """

    weight_decay: Annotated[float, In("[0, inf)")] = field(default=0.004, kw_only=False)


@registry.register("adamax")
@dataclass(frozen=True)
class Adamax(Optimizer):
    """Adam with the largest recent gradient in place of the root mean square.

    ``m += (g - m) * (1 - beta_1);  u = max(beta_2 * u, |g|);  w -= rate / (1 - beta_1^t) * m / (u + epsilon)``.

    Source: Kingma & Ba (2015), arXiv:1412.6980, Algorithm 2. epsilon is Keras's; PyTorch adds it to |g|.
    """

    beta_1: Annotated[float, In("[0, 1)")] = 0.9
    beta_2: Annotated[float, In("[0, 1)")] = 0.999
    epsilon: Annotated[float, In("(0, inf)")] = 1e-7

    def slots(self, parameter: TensorType, path: str) -> tuple[str, ...]:
        return ("m", "u")

    def update(self, w: Node, g: Node, t: Node, rate: Node, *, m: Node, u: Node) -> tuple[Node, Slots]:
        alpha = rate * ops.cast(1.0 / (1.0 - self.beta_1**t), w.dtype)
        m = m + (g - m) * (1 - self.beta_1)
        u = ops.maximum(u * self.beta_2, ops.absolute(g))
        return w - m * alpha / (u + self.epsilon), {"m": m, "u": u}


@registry.register("nadam")
@dataclass(frozen=True)
class Nadam(Optimizer):
    """Adam with Nesterov's momentum: the mean of the gradient as it will be after the next step.

    ``m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product);
    w -= rate * m_hat / (sqrt(v / (1 - beta_2^t)) + epsilon)``, m and v as in Adam, ``mu = beta_1 * (1 - 0.96^t / 2)``,
    mu_next that of step t + 1, product that of all mu so far.

    Source: Dozat (2016), ICLR workshop, "Incorporating Nesterov momentum into Adam", Algorithm 2; the schedule of mu is
    Sutskever's with a decay per step, as in Keras. PyTorch's mu decays by ``momentum_decay=0.004`` of that.
    """

    beta_1: Annotated[float, In("[0, 1)")] = 0.9
    beta_2: Annotated[float, In("[0, 1)")] = 0.999
    epsilon: Annotated[float, In("(0, inf)")] = 1e-7

    def slots(self, parameter: TensorType, path: str) -> tuple[str, ...]:
        return ("m", "v", "product")

    def slot_type(self, slot: str, parameter: TensorType) -> TensorType:
        return TensorType((), "float64") if slot == "product" else parameter

    def start(self, slot: str) -> float:
        return 1.0 if slot == "product" else 0.0

    def update(self, w: Node, g: Node, t: Node, rate: Node, *, m: Node, v: Node, product: Node) -> tuple[Node, Slots]:
        mu, mu_next = ((1.0 - 0.5 * 0.96**step) * self.beta_1 for step in (t, t + 1.0))
        product = product * mu
        m = m + (g - m) * (1 - self.beta_1)
        v = v + (ops.square(g) - v) * (1 - self.beta_2)
        of_m, of_g, of_v = (
            ops.cast(x, w.dtype)
            for x in (mu_next / (1.0 - product * mu_next), (1.0 - mu) / (1.0 - product), 1.0 / (1.0 - self.beta_2**t))
        )
        ahead = m * of_m + g * of_g
        return w - ahead * rate / (ops.sqrt(v * of_v) + self.epsilon), {"m": m, "v": v, "product": product}
