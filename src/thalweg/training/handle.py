"""The optimizer as users of a model see it: its arguments, and its rate and step counter, which live in the state."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, check_value
from thalweg.errors import ArgumentError, did_you_mean
from thalweg.optimizers.optimizer import ITERATIONS_STATE, LEARNING_RATE_STATE, Optimizer
from thalweg.optimizers.schedules import Schedule
from thalweg.spelling import SpellingNotice
from thalweg.state import Variable


class AssignableRate(float):
    """A learning rate that was read: a float, with the methods that Keras's variable has."""

    def __new__(cls, value: float, assign: Callable[[float], None]) -> AssignableRate:
        self = super().__new__(cls, value)
        self.assign = assign
        return self

    assign: Callable[[float], None]
    """``model.optimizer.learning_rate.assign(0.01)`` sets the rate, as in Keras."""

    def numpy(self) -> np.float32:
        """The rate as a NumPy number."""
        return np.float32(self)


class OptimizerHandle:
    """``model.optimizer``. ``learning_rate``, if no schedule, may be set at any time; nothing is compiled again.

    Optimizers themselves are values that never change, so that two models may share one.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.rule = optimizer
        self.scalars = {name: Variable(kind, start) for name, (kind, start) in optimizer.states({}).items()}

    @property
    def learning_rate(self) -> AssignableRate:
        """The rate of the next step."""
        return AssignableRate(self.scalars[LEARNING_RATE_STATE].number(), self._set_rate)

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._set_rate(value)

    def _set_rate(self, value: float) -> None:
        if isinstance(self.rule.learning_rate, Schedule):
            raise ArgumentError(
                "the learning rate cannot be set: the optimizer has a schedule",
                expected="an optimizer with a number as its learning_rate",
                got=f"{type(self.rule.learning_rate).__name__}, which would set the rate again in the next step",
                fix=f"compile with {type(self.rule).__name__}(learning_rate={value!r})",
            )
        rate = check_value(type(self.rule).__name__, "learning_rate", Annotated[float, In("[0, inf)")], value)
        self.scalars[LEARNING_RATE_STATE].write(rate)

    @property
    def lr(self) -> AssignableRate:
        """The older spelling of ``learning_rate``."""
        return self.learning_rate

    @lr.setter
    def lr(self, value: float) -> None:
        warnings.warn("optimizer.lr is read as optimizer.learning_rate", SpellingNotice, stacklevel=2)
        self._set_rate(value)

    @property
    def iterations(self) -> int:
        """How many steps it has made; with ``gradient_accumulation_steps`` a step takes so many batches."""
        steps: int = self.scalars[ITERATIONS_STATE].number()
        return steps // (self.rule.gradient_accumulation_steps or 1)

    def exclude_from_weight_decay(self, *arguments: Any, **named: Any) -> None:
        """Raises ArgumentError: after ``compile`` it is too late for that, as in Keras."""
        raise ArgumentError(
            "exclude_from_weight_decay comes too late",
            expected="a call before compile",
            got="a call on the optimizer of a compiled model",
            fix=f"compile with {type(self.rule).__name__}(..., decay_exclusions=('bias',))",
        )

    def __setattr__(self, name: str, value: Any) -> None:
        """Only the rate changes. Anything else would look as if it had an effect, and have none."""
        if name not in ("rule", "scalars", "learning_rate", "lr"):
            raise ArgumentError(
                f"optimizer.{name} cannot be set",
                expected="learning_rate, which may change at any time",
                got=f"{name} = {value!r:.80}",
                fix=f"compile with a new {type(self.rule).__name__}({name}=...)"
                if hasattr(self.rule, name)
                else did_you_mean(name, ["learning_rate"]),
            )
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        """The optimizer's arguments."""
        return getattr(self.rule, name)

    def __repr__(self) -> str:
        return repr(self.rule)
