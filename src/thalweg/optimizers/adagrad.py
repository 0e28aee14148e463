"""Optimizers that divide by all the gradients so far: Adagrad and Adadelta."""

from __future__ import annotations

from typing import Annotated

from thalweg import ops
from thalweg.checks import In
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.optimizers.optimizer import Optimizer, Slots, registry

__all__ = ["Adadelta", "Adagrad"]


@registry.register("adagrad")
@dataclass(frozen=True)
class Adagrad(Optimizer):
    """The gradient divided by the root of the sum of its squares so far: seldom seen features get larger steps.

    ``a += g^2;  w -= rate * g / sqrt(a + epsilon)``, a starting from ``initial_accumulator_value``.

    Source: Duchi, Hazan & Singer (2011), JMLR 12, section 1.1 (the diagonal form); start and place of epsilon are
    Keras's. PyTorch starts at 0 and adds epsilon (1e-10) to the root.
    """

    initial_accumulator_value: Annotated[float, In("[0, inf)")] = 0.1
    epsilon: Annotated[float, In("(0, inf)")] = 1e-7

    def slots(self, parameter: TensorType, path: str) -> tuple[str, ...]:
        return ("accumulator",)

    def start(self, slot: str) -> float:
        return self.initial_accumulator_value

    def update(self, w: Node, g: Node, t: Node, rate: Node, *, accumulator: Node) -> tuple[Node, Slots]:
        accumulator = accumulator + ops.square(g)
        return w - g * rate / ops.sqrt(accumulator + self.epsilon), {"accumulator": accumulator}


@registry.register("adadelta")
@dataclass(frozen=True)
class Adadelta(Optimizer):
    """Steps in the unit of the parameter: the gradient times a running size of steps over a running size of gradients.

    ``a = rho * a + (1 - rho) * g^2;  d = -g * sqrt(s + epsilon) / sqrt(a + epsilon);
    s = rho * s + (1 - rho) * d^2;  w += rate * d``.

    Source: Zeiler (2012), arXiv:1212.5701, Algorithm 1, which has no rate (rate 1); the default 0.001 is Keras's.
    """

    rho: Annotated[float, In("[0, 1)")] = 0.95
    epsilon: Annotated[float, In("(0, inf)")] = 1e-7

    def slots(self, parameter: TensorType, path: str) -> tuple[str, ...]:
        return ("accumulated_gradient", "accumulated_step")

    def update(
        self, w: Node, g: Node, t: Node, rate: Node, *, accumulated_gradient: Node, accumulated_step: Node
    ) -> tuple[Node, Slots]:
        gradient = accumulated_gradient * self.rho + ops.square(g) * (1 - self.rho)
        move = g * ops.sqrt(accumulated_step + self.epsilon) / ops.sqrt(gradient + self.epsilon)
        step = accumulated_step * self.rho + ops.square(move) * (1 - self.rho)
        return w - move * rate, {"accumulated_gradient": gradient, "accumulated_step": step}
