"""The trials of a search, as plain values: told while they end, ranked, and shown as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from thalweg.fields import dataclass
from thalweg.table import Table

__all__ = ["HOW", "Trial", "ranking", "table"]

HOW = {"pruned": "stopped early", "time": "time was over", "diverged": "diverged", "failed": "failed", "runs": "runs"}
"""How a trial may end other than with its last epoch, in words."""

SHOWN = 10
"""Of the trials, in the table."""


@dataclass(frozen=True)
class Trial:
    """One combination of values.

    Attributes:
        value: of the metric, its best over the epochs (the mean over the folds); None where no epoch came to its end.
        epochs, seconds: that it was trained.
        ended: "" for a trial that ran to its end, else how it ended: "stopped early", "diverged", "failed: ..." ...
    """

    number: int
    values: dict[str, Any]
    value: float | None
    epochs: int
    seconds: float
    ended: str


def ranking(trials: Sequence[Trial], rises: bool) -> list[Trial]:
    """The best first: those that ran to their end, then the others."""

    def key(trial: Trial) -> tuple[bool, bool, float]:
        value = trial.value if trial.value is not None and math.isfinite(trial.value) else None
        ended = trial.ended not in ("", HOW["time"])
        return ended, value is None, 0.0 if value is None else -value if rises else value

    return sorted(trials, key=key)


def table(trials: Sequence[Trial], metric: str, rises: bool, took: str) -> Table:
    """The best of them.

    Arguments:
        took: how long, in words, for the title.
    """
    names = list(dict.fromkeys(name for trial in trials for name in trial.values))
    rows = []
    for trial in ranking(trials, rises)[:SHOWN]:
        value = "" if trial.value is None else f"{trial.value:.5g}"
        cells = [_shown(trial.values[name]) if name in trial.values else "" for name in names]
        rows.append([str(trial.number), *cells, value, str(trial.epochs), f"{trial.seconds:.1f}", trial.ended])
    early = sum(trial.ended == HOW["pruned"] for trial in trials)
    title = f"{len(trials)} trials" + (f", {early} of them stopped early" if early else "") + f"; {took}"
    if len(trials) > SHOWN:
        title += f"; the best {SHOWN}"
    return Table(title, ["trial", *names, metric, "epochs", "seconds", "ended"], rows)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
