"""Learning curves of several fits on one plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from thalweg.errors import NameNotFoundError, did_you_mean
from thalweg.plotting import axes
from thalweg.record.history import History


def draw(histories: Mapping[str, History], metric: str, ax: Any = None) -> Any:
    """One colour for each fit: the metric in training dashed and, where there is one, in validation solid.

    Raises: NameNotFoundError if no history has the metric; MissingPackageError without matplotlib.
    """
    known = sorted({name for history in histories.values() for name in history.history})
    if metric not in known:
        raise NameNotFoundError(
            "there is no such curve",
            expected=f"one of {', '.join(map(repr, known))}",
            got=repr(metric),
            fix=did_you_mean(metric, known),
        )
    ax = axes(ax)
    positive = True
    for number, (label, history) in enumerate(histories.items()):
        own, held_out = (history.history.get(name, []) for name in (metric, f"val_{metric}"))
        epochs = np.array(history.epoch) + 1
        for values, style, name in ((own, "--", label if not held_out else None), (held_out, "-", label)):
            if len(values):
                ax.plot(epochs[-len(values) :], values, style, color=f"C{number % 10}", label=name)
                positive &= bool(np.min(values) > 0)
    if positive and metric == "loss":
        ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel(metric)
    ax.legend()
    return ax
