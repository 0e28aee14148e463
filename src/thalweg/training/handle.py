"""The optimizer as users of a model see it: its arguments, and its rate and step counter, which live in the state."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, check_value
from thalweg.executors import layout
from thalweg.optimizers.optimizer import ITERATIONS_STATE, LEARNING_RATE_STATE, Optimizer


class OptimizerHandle:
    """``model.optimizer``. ``learning_rate`` may be set at any time; nothing is compiled again.

    Optimizers themselves are values that never change, so that two models may share one.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.rule = optimizer
        self.scalars: dict[str, np.ndarray] = {}
        for name, (kind, start) in optimizer.states({}).items():
            self.scalars[name] = layout.empty(kind)
            self.scalars[name][...] = start

    @property
    def learning_rate(self) -> float:
        return float(self.scalars[LEARNING_RATE_STATE])

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        rate = check_value(type(self.rule).__name__, "learning_rate", Annotated[float, In("[0, inf)")], value)
        self.scalars[LEARNING_RATE_STATE][...] = rate

    @property
    def iterations(self) -> int:
        """How many steps it has made."""
        return int(self.scalars[ITERATIONS_STATE])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rule, name)

    def __repr__(self) -> str:
        return repr(self.rule)
