"""How much curvature an optimizer's steps stand before they overshoot along it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from thalweg.diagnosis.examining.objective import Objective
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.optimizers import SGD, Adam, RMSprop
from thalweg.optimizers.optimizer import Optimizer
from thalweg.state.names import slot_state

__all__ = ["Stability", "stability"]

Squares = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Stability:
    """What the largest eigenvalue times the rate is to be compared with.

    Attributes:
        rate: of the next step.
        limit: on a quadratic, steps grow along a direction where its eigenvalue times the rate is larger.
        scale: the optimizer divides the gradient by this; the eigenvalue is that of the Hessian divided by it too.
            None: by nothing.
    """

    rate: float
    limit: float
    scale: np.ndarray | None


def stability(model: Model, objective: Objective, squares: Squares) -> Stability:
    """Of the model's optimizer, in the state in which it is.

    Arguments:
        squares: gives the mean square of the gradients of batches: for an optimizer that has seen no gradient yet.

    Raises: ArgumentError for an optimizer of which no such limit is known.
    Source: Polyak (1964) for momentum; Cohen et al. (2021), arXiv:2103.00065, section 2 and appendix B, for SGD; Cohen
        et al. (2022), arXiv:2207.14484, section 3, for Adam: 38 with beta_1 = 0.9. RMSprop is Adam with beta_1 = 0.
    """
    handle = model.optimizer
    assert handle is not None, "the model is compiled"
    rule, rate, steps = handle.rule, float(handle.learning_rate), int(handle.iterations)
    if rule.learning_rate_factors or not isinstance(rule, SGD | Adam | RMSprop) or getattr(rule, "centered", False):
        raise _unknown(rule)
    if isinstance(rule, SGD):
        limit = 2 * (1 + rule.momentum)
        return Stability(rate, limit / (1 + 2 * rule.momentum) if rule.nesterov else limit, None)

    def kept(slot: str) -> np.ndarray:
        return objective.joined([model.state.read(slot_state(path, slot)) for path in objective.paths])

    if isinstance(rule, RMSprop):
        if rule.momentum:
            raise _unknown(rule)
        return Stability(rate, 2.0, np.sqrt((kept("velocity") if steps else squares()) + rule.epsilon))
    limit = 2 * (1 + rule.beta_1) / (1 - rule.beta_1)
    if not steps:
        return Stability(rate, limit, np.sqrt(squares()) + rule.epsilon)
    corrected = (1 - rule.beta_1**steps) / np.sqrt(1 - rule.beta_2**steps)
    return Stability(rate, limit, (np.sqrt(kept("v_max" if rule.amsgrad else "v")) + rule.epsilon) * corrected)


def _unknown(rule: Optimizer) -> ArgumentError:
    return ArgumentError(
        f"no limit of stability is known for this {type(rule).__name__}",
        expected="SGD, Adam, AdamW, or RMSprop without momentum; one rate for all parameters",
        got=repr(rule),
        fix="go by the other numbers",
    )
