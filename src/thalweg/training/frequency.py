"""How often something is done in a training: every epoch, so many steps, or so many seconds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from thalweg.checks import In, Rule, check_value
from thalweg.fields import dataclass
from thalweg.processes.job import clock

EPOCH = "epoch"


def seconds(text: str) -> float | None:
    """How long: ``90``, ``90s``, ``1.5m``, ``1h30m``; None for what is no length of time.

    Example:
        >>> seconds("60s"), seconds("1h30m"), seconds("2"), seconds("soon")
        (60.0, 5400.0, 2.0, None)
    """
    parts = re.fullmatch(r"(?:(\d+\.?\d*)h)?(?:(\d+\.?\d*)m(?:in)?)?(?:(\d+\.?\d*)s?)?", text.strip().lower())
    if parts is None:
        return None
    total = sum(float(part or 0) * unit for part, unit in zip(parts.groups(), (3600, 60, 1), strict=True))
    return total if total > 0 else None


class OftenEnough(Rule):
    """``"epoch"``, or a length of time."""

    def admits(self, value: Any) -> bool:
        return value == EPOCH or (not value.isdecimal() and seconds(value) is not None)

    def describe(self, noun: str) -> str:
        return "'epoch', a length of time as '30s' or '5m'"

    def outside(self) -> tuple[str, ...]:
        return ("batch", "0s", "")


Freq = Annotated[str, OftenEnough()] | Annotated[int, In("[1, inf)")]
"""The rule of ``save_freq``."""


@dataclass
class Frequency:
    """When something is due the next time.

    Attributes:
        steps, seconds: from one time to the next; without either at the end of each epoch.
    """

    steps: int | None = None
    seconds: float | None = None
    clock: Callable[[], float] = clock
    last_step: int = 0
    last_time: float = 0.0

    @classmethod
    def of(cls, owner: str, name: str, value: Any) -> Frequency:
        """From an argument. Raises ArgumentError."""
        given = check_value(owner, name, Freq, value)
        if isinstance(given, int):
            return cls(steps=given)
        return cls(seconds=None if given == EPOCH else seconds(given))

    @property
    def by_epochs(self) -> bool:
        """Whether it is for the ends of epochs."""
        return self.steps is None and self.seconds is None

    def begin(self, step: int) -> None:
        """Count from this step, and from now."""
        self.last_step, self.last_time = step, self.clock()

    def due(self, step: int, epoch_ended: bool) -> bool:
        """Whether it is due.

        Arguments:
            step: how many the model has ever made.
        """
        if self.steps is not None:
            return step - self.last_step >= self.steps
        if self.seconds is not None:
            return self.clock() - self.last_time >= self.seconds
        return epoch_ended

    def due_in(self, step: int) -> int | None:
        """See ``Callback.due_in``."""
        return None if self.steps is None else self.steps - (step - self.last_step)
