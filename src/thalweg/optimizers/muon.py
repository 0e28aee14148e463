"""Muon."""

from __future__ import annotations

import math
import re
from dataclasses import field
from typing import Annotated, ClassVar

from thalweg import ops
from thalweg.checks import In
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.optimizers.optimizer import Optimizer, Slots, check_pattern, registry
from thalweg.optimizers.schedules import Schedule

__all__ = ["Muon"]


@registry.register("muon")
@dataclass(frozen=True)
class Muon(Optimizer):
    """Momentum whose singular values are all brought near 1, for matrices; Adam for every other parameter.

    ``m = momentum * m + g;  w -= rate * rms_rate * sqrt(max(rows, columns)) * O(g + momentum * m)``, or ``O(m)``
    without ``nesterov``. O is ``ns_steps`` of ``X <- a X + (b A + c A A) X``, ``A = X X^T``, from ``X / |X|``.

    Arguments:
        adam_weight_decay: the decay of the parameters that Adam trains.
        adam_lr_ratio: Adam's rate over Muon's.
        exclude_embeddings: Adam trains parameters with "embedding" in their path.
        exclude_layers: patterns of paths (regular expressions) that Adam trains.
        muon_a, muon_b, muon_c: the iteration's coefficients.
        rms_rate: the root mean square of the update; None leaves its size (and that of the matrix) alone.

    Source: Jordan et al. (2024), kellerjordan.github.io/posts/muon, for the iteration; Liu et al. (2025),
    arXiv:2502.16982, equation 4, for the size of the update. Differs from the former as Keras does: the momentum is
    not dampened.
    """

    argument_order: ClassVar[tuple[str, ...]] = (
        "learning_rate",
        "adam_beta_1",
        "adam_beta_2",
        "adam_weight_decay",
        "epsilon",
    )
    adam_beta_1: Annotated[float, In("[0, 1)")] = 0.9
    adam_beta_2: Annotated[float, In("[0, 1)")] = 0.999
    adam_weight_decay: Annotated[float, In("[0, inf)")] | None = 0.004
    epsilon: Annotated[float, In("(0, inf)")] = 1e-7
    weight_decay: Annotated[float, In("[0, inf)")] | None = field(default=0.004, kw_only=True)
    exclude_layers: tuple[str, ...] = ()
    exclude_embeddings: bool = True
    muon_a: float = 3.4445
    muon_b: float = -4.7750
    muon_c: float = 2.0315
    adam_lr_ratio: Annotated[float, In("(0, inf)")] = 1.0
    momentum: Annotated[float, In("[0, 1]")] = 0.95
    ns_steps: Annotated[int, In("[1, inf)")] = 5
    nesterov: bool = True
    rms_rate: Annotated[float, In("(0, inf)")] | None = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        for pattern in self.exclude_layers:
            check_pattern(self, "exclude_layers", pattern)

    def is_for_adam(self, parameter: TensorType, path: str) -> bool:
        """Whether Adam trains the parameter."""
        embedding = self.exclude_embeddings and "embedding" in path.lower()
        return parameter.rank != 2 or embedding or any(re.search(pattern, path) for pattern in self.exclude_layers)

    def slots(self, parameter: TensorType, path: str) -> tuple[str, ...]:
        return ("momentum", "velocity") if self.is_for_adam(parameter, path) else ("momentum",)

    def decay(self, parameter: TensorType, path: str) -> float | Schedule | None:
        return self.adam_weight_decay if self.is_for_adam(parameter, path) else self.weight_decay

    def update(
        self, w: Node, g: Node, t: Node, rate: Node, *, momentum: Node, velocity: Node | None = None
    ) -> tuple[Node, Slots]:
        if velocity is not None:
            return self._adam(w, g, t, rate, momentum, velocity)
        m = momentum * self.momentum + g
        size = 1.0 if self.rms_rate is None else self.rms_rate * math.sqrt(max(w.shape))
        return w - self.orthogonal(g + m * self.momentum if self.nesterov else m) * (rate * size), {"momentum": m}

    def _adam(self, w: Node, g: Node, t: Node, rate: Node, m: Node, v: Node) -> tuple[Node, Slots]:
        alpha = rate * ops.cast(
            ops.sqrt(1.0 - self.adam_beta_2**t) / (1.0 - self.adam_beta_1**t) * self.adam_lr_ratio, w.dtype
        )
        m = m + (g - m) * (1 - self.adam_beta_1)
        v = v + (ops.square(g) - v) * (1 - self.adam_beta_2)
        return w - m * alpha / (ops.sqrt(v) + self.epsilon), {"momentum": m, "velocity": v}

    def orthogonal(self, x: Node) -> Node:
        """About ``U V^T`` for ``x = U S V^T``: singular values that are not tiny come to lie between 0.7 and 1.2."""
        rows, columns = x.shape
        if rows > columns:  # the smaller one of the two products
            return ops.transpose(self.orthogonal(ops.transpose(x)))
        x = x / (ops.sqrt(ops.reduce_sum(ops.square(x))) + 1e-7)
        for _ in range(self.ns_steps):
            a = ops.matmul(x, ops.transpose(x))
            b = a * self.muon_b + ops.matmul(a, a) * self.muon_c
            x = x * self.muon_a + ops.matmul(b, x)
        return x
