"""Curves of runs: as text for terminals, and as pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from thalweg import plotting
from thalweg.record.reading import Record

__all__ = ["Curve", "chart", "curves_of", "draw"]

MARKS, RANGE = "•x+o*#@%", "·"
PLAIN_MARKS, PLAIN_RANGE = "*x+o&#@%", "."


class Curve(NamedTuple):
    """Points; with several curves in one their means, and between which values these lie."""

    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


Curves = Mapping[str, Curve]
"""By name."""


def curves_of(runs: Sequence[Record], metrics: Sequence[str]) -> dict[str, dict[str, Curve]]:
    """Metric -> label -> curve over the epochs, of the training and, where it is there, of the validation.

    The members of an ensemble are one curve; fits that come one after the other in a run one each.
    """
    found: dict[str, dict[str, Curve]] = {}
    for metric in metrics:
        found[metric] = {}
        for run in runs:
            front = f"{run.number} {run.name} " if len(runs) > 1 else ""
            for behind, parts in _drawn_together(run).items():
                histories = [run.history(part) for part in parts]
                for name in (metric, f"val_{metric}"):
                    values: dict[int, list[float]] = {}
                    for history in histories:
                        told = history.history.get(name, [])
                        if told and not hasattr(told[0], "shape"):
                            for epoch, value in zip(history.epoch[-len(told) :], told, strict=True):
                                values.setdefault(epoch, []).append(value)
                    if values:
                        found[metric][f"{front}{name}{behind}"] = _one(values, len(parts) > 1)
    return found


def _drawn_together(run: Record) -> dict[str, list[int]]:
    """What is behind the name of a curve -> the fits whose mean it is."""
    parts = run.parts
    if len(parts) == 1:
        return {"": parts}
    if run.has_members:
        return {f" (mean and range of {len(parts)})": parts}
    return {f" ({part})": [part] for part in parts}


def _one(values: Mapping[int, Sequence[float]], several: bool) -> Curve:
    """Of the values of each epoch."""
    epochs = sorted(values)
    means = [float(np.mean(values[epoch])) for epoch in epochs]
    if not several:
        return Curve(epochs, means)
    return Curve(epochs, means, [min(values[epoch]) for epoch in epochs], [max(values[epoch]) for epoch in epochs])


def chart(curves: Curves, title: str = "", width: int = 78, height: int = 14, plain: bool = False) -> str:
    """The curves in characters, each with a mark of its own; what is not finite is left out.

    Arguments:
        width, height: in characters, of everything and of the curves.
        plain: ASCII only.

    Example:
        >>> print(chart({"loss": Curve([0, 1, 2], [3.0, 2.0, 1.0])}, "loss", width=30, height=3, plain=True))
        loss
            3 |*
              |           *
            1 |                      *
              +-----------------------
               0                     2
        * loss
    """
    points = {name: _finite(*curve) for name, curve in curves.items()}
    xs = np.concatenate([x for x, _ in points.values()]) if points else np.zeros(0)
    ys = np.concatenate([y.ravel() for _, y in points.values()]) if points else np.zeros(0)
    if not len(xs):
        return f"{title}: nothing to draw"
    low, high, left, right = float(ys.min()), float(ys.max()), float(xs.min()), float(xs.max())
    margin = max(5, len(_number(low)), len(_number(high)))
    columns = max(width - margin - 2, 10)
    canvas = [[" "] * columns for _ in range(height)]
    marks = PLAIN_MARKS if plain else MARKS
    for x, y in points.values():
        places = [_places(values, low, high, height) for values in y[1:]] or [[], []]
        for column, lowest, highest in zip(_places(x, left, right, columns), *places, strict=bool(len(y[1:]))):
            for row in range(lowest, highest + 1):
                canvas[height - 1 - row][column] = PLAIN_RANGE if plain else RANGE
    for number, (x, y) in enumerate(points.values()):
        for column, row in zip(_places(x, left, right, columns), _places(y[0], low, high, height), strict=True):
            canvas[height - 1 - row][column] = marks[number % len(marks)]
    side, corner, line = ("|", "+", "-") if plain else ("│", "└", "─")
    labels = {0: _number(high), height - 1: _number(low)}
    lines = [f"{labels.get(row, ''):>{margin}} {side}{''.join(cells).rstrip()}" for row, cells in enumerate(canvas)]
    foot = f"{_number(left)}{_number(right):>{columns - len(_number(left))}}"
    below = [f"{'':>{margin}} {corner}{line * columns}", f"{'':>{margin}}  {foot}"]
    below += _packed([f"{marks[number % len(marks)]} {name}" for number, name in enumerate(points)], width)
    return "\n".join([*([title] if title else []), *lines, *below])


def _packed(parts: Sequence[str], width: int) -> list[str]:
    """As many to a line as fit."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]}  {part}" if lines[-1] else part
        if len(longer) > width and lines[-1]:
            lines.append(part)
        else:
            lines[-1] = longer
    return lines


def _finite(x: Sequence[float], *y: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """x, and a row of y; of means a row each of the lowest and the highest too."""
    xs, ys = np.asarray(x, np.float64), np.array([values for values in y if len(values)], np.float64)
    keep = np.isfinite(ys).all(0)
    return xs[keep], ys[:, keep]


def _places(values: np.ndarray, low: float, high: float, count: int) -> list[int]:
    """In which of so many cells each value stands."""
    share = (values - low) / (high - low) if high > low else np.full(len(values), 0.5)
    return [int(place) for place in np.round(share * (count - 1))]


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def draw(curves: Mapping[str, Curves]) -> Any:
    """A picture with the curves of each metric in axes of their own; gives the figure.

    Arguments:
        curves: metric -> label -> curve.

    Raises: MissingPackageError without matplotlib.
    """
    figure = plotting.figure(figsize=(7, 3 * max(len(curves), 1)), layout="constrained")
    for number, (metric, each) in enumerate(curves.items()):
        place = figure.add_subplot(len(curves), 1, number + 1)
        for label, curve in each.items():
            (line,) = place.plot(curve.x, curve.y, label=label, marker="." if len(curve.x) < 30 else None)
            if curve.low:
                place.fill_between(curve.x, curve.low, curve.high, color=line.get_color(), alpha=0.2, linewidth=0)
        place.set_ylabel(metric)
        place.set_xlabel("epoch")
        place.legend()
    return figure
