"""What a search found: its trials, the best of them as a trained model, and what it all cost."""

from __future__ import annotations

import math
from typing import Any

from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.plotting import part
from thalweg.record.trials import HOW, Trial, ranking, table
from thalweg.table import Table, Tabular
from thalweg.training.progress import duration
from thalweg.tuning.space import Space
from thalweg.tuning.studies import optuna, quiet

__all__ = ["SearchResult", "is_better", "trial_of"]


def trial_of(kept: Any, space: Space) -> Trial:
    """Of a trial as a storage holds it."""
    state = optuna(".trial").TrialState
    known = kept.user_attrs
    value = kept.value if kept.state == state.COMPLETE else None
    if value is None and kept.intermediate_values:
        value = kept.intermediate_values[max(kept.intermediate_values)]
    ended = known.get("why", "" if kept.state == state.COMPLETE else HOW["runs"])
    return Trial(
        kept.number, space.values(kept.params), value, known.get("epochs", 0), known.get("seconds", 0.0), ended
    )


def is_better(value: float | None, reference: float | None, rises: bool) -> bool:
    """Whether a value is better than another; anything but NaN is better than None."""
    if value is None or math.isnan(value):
        return False
    return reference is None or (value > reference if rises else value < reference)


@dataclass(frozen=True)
class SearchResult(Tabular):
    """What ``search`` found.

    Attributes:
        model: trained with the best values.
        best: the trial that they are from.
        trials: all of the study, in the order in which they began.
        metric, rises: what was compared, and whether more of it is better.
        seconds: of this call, by the clock; ``trial_seconds`` those of all trials together.
        study: Optuna's, for whatever else Optuna can do with it.
    """

    model: Model
    best: Trial
    trials: tuple[Trial, ...]
    metric: str
    rises: bool
    seconds: float
    study: Any

    @property
    def values(self) -> dict[str, Any]:
        """The best values, by name."""
        return self.best.values

    @property
    def trial_seconds(self) -> float:
        """Of all trials together, those of other machines and of earlier calls among them."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def ranking(self) -> list[Trial]:
        """The trials, the best first: those that ran to their end, then the others."""
        return ranking(self.trials, self.rises)

    def table(self) -> Table:
        took = f"{duration(self.seconds)}, in which the trials took {duration(self.trial_seconds)}"
        return table(self.trials, self.metric, self.rises, took)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the model and the study as values that JSON knows."""
        trials = [
            {
                **{name: getattr(one, name) for name in ("number", "epochs", "seconds", "ended")},
                "values": {name: _plain(value) for name, value in one.values.items()},
                self.metric: one.value if one.value is not None and math.isfinite(one.value) else None,
            }
            for one in self.trials
        ]
        costs = {"seconds": self.seconds, "trial_seconds": self.trial_seconds}
        return {"metric": self.metric, "best": self.best.number, "trials": trials, **costs}

    def importance(self) -> dict[str, float]:
        """How much of what the metric does is each value's doing, the most important first; the sum is 1.

        Empty with fewer than two trials that ran to their end.
        """
        state = optuna(".trial").TrialState.COMPLETE
        if len(self.study.get_trials(deepcopy=False, states=(state,))) < 2:
            return {}
        with quiet():
            return {
                name: float(share) for name, share in optuna(".importance").get_param_importances(self.study).items()
            }

    def plot_importance(self) -> Any:
        """Draw ``importance`` as bars; returns the matplotlib axes. Raises MissingPackageError without matplotlib."""
        return self._plotted("plot_param_importances", target_name=self.metric)

    def plot_slices(self) -> Any:
        """Draw the metric over each value; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        return self._plotted("plot_slice", target_name=self.metric)

    def plot_history(self) -> Any:
        """Draw the metric of one trial after the other; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        return self._plotted("plot_optimization_history", target_name=self.metric)

    def _plotted(self, name: str, **options: Any) -> Any:
        part("pyplot")
        with quiet():
            return getattr(optuna(".visualization.matplotlib"), name)(self.study, **options)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else repr(value)
