"""Curves of runs: as text for terminals, and as pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thalweg import plotting

__all__ = ["chart", "draw"]

Curves = Mapping[str, tuple[Sequence[float], Sequence[float]]]
"""Name -> x and y."""

MARKS = "•x+o*#@%"
PLAIN_MARKS = "*x+o.#@%"


def chart(curves: Curves, title: str = "", width: int = 78, height: int = 14, plain: bool = False) -> str:
    """The curves in characters, each with a mark of its own; what is not finite is left out.

    Arguments:
        width, height: in characters, of everything and of the curves.
        plain: ASCII only.

    Example:
        >>> print(chart({"loss": ([0, 1, 2], [3.0, 2.0, 1.0])}, "loss", width=30, height=3, plain=True))
        loss
            3 |*
              |           *
            1 |                      *
              +-----------------------
               0                     2
        * loss
    """
    points = {name: _finite(x, y) for name, (x, y) in curves.items()}
    xs = np.concatenate([x for x, _ in points.values()]) if points else np.zeros(0)
    ys = np.concatenate([y for _, y in points.values()]) if points else np.zeros(0)
    if not len(xs):
        return f"{title}: nothing to draw"
    low, high, left, right = float(ys.min()), float(ys.max()), float(xs.min()), float(xs.max())
    margin = max(5, len(_number(low)), len(_number(high)))
    columns = max(width - margin - 2, 10)
    canvas = [[" "] * columns for _ in range(height)]
    marks = PLAIN_MARKS if plain else MARKS
    for number, (x, y) in enumerate(points.values()):
        for column, row in zip(_places(x, left, right, columns), _places(y, low, high, height), strict=True):
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


def _finite(x: Sequence[float], y: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    keep = np.isfinite(ys)
    return xs[keep], ys[keep]


def _places(values: np.ndarray, low: float, high: float, count: int) -> list[int]:
    """In which of so many cells each value stands."""
    share = (values - low) / (high - low) if high > low else np.full(len(values), 0.5)
    return [int(place) for place in np.round(share * (count - 1))]


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def draw(curves: Mapping[str, Curves]) -> Any:
    """A picture with the curves of each metric in axes of their own; gives the figure.

    Arguments:
        curves: metric -> label -> x and y.

    Raises: MissingPackageError without matplotlib.
    """
    figure = plotting.figure(figsize=(7, 3 * max(len(curves), 1)), layout="constrained")
    for number, (metric, each) in enumerate(curves.items()):
        place = figure.add_subplot(len(curves), 1, number + 1)
        for label, (x, y) in each.items():
            place.plot(x, y, label=label, marker="." if len(x) < 30 else None)
        place.set_ylabel(metric)
        place.set_xlabel("epoch")
        place.legend()
    return figure
