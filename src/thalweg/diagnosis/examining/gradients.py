"""Whether the gradients are right: those of back-propagation against differences of the loss."""

from __future__ import annotations

from typing import Any

from thalweg.checks import Count, checked
from thalweg.diagnosis.examining.outcome import Outcome
from thalweg.diagnosis.examining.subject import Subject
from thalweg.evaluation.split import take
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.numdiff import GradientCheck, check_gradients

__all__ = ["GradientTest", "gradient_test", "gradients_of"]


@dataclass(frozen=True)
class GradientTest(Outcome):
    """What ``gradient_test`` found; ``code`` is "right" or "wrong".

    Attributes:
        worst: the largest relative distance between slope and difference.
        parameters: how many were looked at.
        check: all of it, parameter by parameter.
    """

    worst: float
    parameters: int
    check: GradientCheck

    def to_dict(self) -> dict[str, Any]:
        """The numbers, and of the check the verdict for each parameter."""
        values = {"code": self.code, "verdict": self.verdict, "change": self.change, **self.numbers}
        return values | {"tensors": {tensor.path: tensor.verdict for tensor in self.check.tensors}}


@checked
def gradient_test(
    model: Model, x: Any, y: Any, *, rows: Count = 8, sample_weight: Any = None, seed: int = 0
) -> GradientTest:
    """``thalweg.check_gradients`` on a few rows: float64, the numpy executor, central differences.

    Raises: what that raises.
    """
    return gradients_of(Subject("gradient_test", model, x, y, sample_weight, rows, seed), rows)


def gradients_of(subject: Subject, rows: int = 8) -> GradientTest:
    """Of a subject."""
    subject.require_plain()
    subject.require_trained()
    few = subject.drawn(rows)
    given = (subject.x, subject.y, subject.sample_weight)
    x, y, weight = (None if part is None else take(part, few) for part in given)
    check = check_gradients(subject.model, x, y, weight, seed=subject.seed)
    worst = max(tensor.error for tensor in check.tensors)
    if check.passed:
        verdict = f"all {len(check.tensors)} gradients agree with differences of the loss"
        return GradientTest("right", verdict, "", worst, len(check.tensors), check)
    return GradientTest(
        "wrong",
        f"the gradients of {', '.join(check.wrong)} differ from differences of the loss",
        "look at the vjp of the operations between these parameters and the loss: print(outcome.check)",
        worst,
        len(check.tensors),
        check,
    )
