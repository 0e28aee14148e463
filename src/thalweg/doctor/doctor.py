"""The doctor of a training: what it is told, what it keeps while it runs, and what it says when it is over."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from thalweg.checks import Count, OneOf, check_fields
from thalweg.doctor.case import Case
from thalweg.doctor.finding import Diagnosis
from thalweg.doctor.watch import MeasuringWatch, Watch
from thalweg.errors import ThalwegError
from thalweg.fields import dataclass
from thalweg.state import State


class DiagnosisNotice(UserWarning):
    """A training could not be judged, by a fault of ours."""


@dataclass(frozen=True)
class Doctor:
    """Watches a ``fit`` and names what went wrong. ``fit(diagnose=True)`` takes one with these defaults.

    Keeps a few snapshots of the parameters while training runs, and computes nothing; when it is over, what costs time
    is looked at only where the network does not clearly do well.

    Arguments:
        task: what the network is for: "binary", "multiclass" or "regression"; worked out from targets, loss and head
            unless given.
        every: measure the statistics of the layers in every so many steps, too, so that they can be drawn over time.

    Raises: ArgumentError for a bad value.

    Example:
        >>> Doctor(task="binary").task
        'binary'
    """

    task: Annotated[str, OneOf("binary", "multiclass", "regression")] | None = None
    every: Count | None = None

    def __post_init__(self) -> None:
        check_fields(self, "Doctor")

    def watch(self, state: State) -> Watch:
        """What keeps an eye on a training of this state."""
        return Watch(state) if self.every is None else MeasuringWatch(state, self.every)

    def look(self, case: Case) -> Diagnosis:
        """What can be said of a model as it is, without a training that went before."""
        from thalweg.doctor.visit import look

        return look(self.task, case)

    def conclude(
        self,
        case: Case,
        watch: Watch,
        curves: Mapping[str, Sequence[Any]],
        error: ThalwegError | None = None,
    ) -> Diagnosis:
        """What is wrong with a training that is over. Never raises: a fault of ours must not cost a trained model.

        Arguments:
            curves: as in ``History.history``.
            error: that ended it.
        """
        from thalweg.doctor.visit import visit  # takes longer to load than some networks to train

        try:
            return visit(self.task, case, watch, curves, error)
        except Exception as fault:
            warnings.warn(
                f"the training could not be judged, which is a fault of thalweg; please report it, or pass "
                f"fit(diagnose=False): {type(fault).__name__}: {fault}",
                DiagnosisNotice,
                stacklevel=2,
            )
            return Diagnosis(unknown={"all": f"{type(fault).__name__}: {fault}"})
