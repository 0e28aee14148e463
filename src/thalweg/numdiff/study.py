"""How exact the difference formulas are at one point: their orders, the floor that rounding sets, and the best step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from thalweg import plotting
from thalweg.checks import check_value, checked
from thalweg.data.arrays import as_array
from thalweg.errors import DataError, ShapeError
from thalweg.fields import dataclass
from thalweg.numdiff.differences import backward, central, forward, richardson

FORMULAS: dict[str, tuple[Callable[..., np.ndarray], int]] = {
    "forward": (forward, 1),
    "backward": (backward, 1),
    "central": (central, 2),
    "richardson": (richardson, 6),
}
"""Each formula and its order p: the error is about C h^p while h is large."""

STUDIED_STEPS = 10.0 ** -np.arange(0.5, 15.5, 0.5)
"""Times max(|x|, 1): from large to hardly more than the distance of two float64 numbers."""


@dataclass(frozen=True)
class FormulaStudy:
    """One formula at one point.

    Attributes:
        errors: the distance from the exact derivative for each step.
        order: the measured p of the error ``C h^p``; NaN where only rounding is seen (a parabola has no h^2 term).
        floor: the smallest error that rounding allows on average.
        best_h: where ``C h^p`` and the error of rounding, ``R / h``, are together smallest.
    """

    errors: np.ndarray
    order: float
    floor: float
    best_h: float


@dataclass(frozen=True)
class ErrorStudy:
    """The errors of all formulas over the step size. ``print`` shows a table, :meth:`plot` draws it.

    Attributes:
        x, exact: the point, and the derivative there.
        steps: the step sizes, from large to small.
        formulas: by name.
        best: the name of the formula with the lowest floor.
    """

    x: float
    exact: float
    steps: np.ndarray
    formulas: dict[str, FormulaStudy]

    @property
    def best(self) -> str:
        """The formula with the smallest error."""
        return min(self.formulas, key=lambda name: self.formulas[name].floor)

    def __str__(self) -> str:
        names = list(self.formulas)
        lines = [f"errors of f'({self.x:g}) = {self.exact:.15g}", "h       " + "".join(f"{name:>12}" for name in names)]
        for i, h in enumerate(self.steps):
            if i % 2:  # whole powers of ten; the others are for the fit and the drawing
                lines.append(f"{h:<8.0e}" + "".join(f"{self.formulas[name].errors[i]:>12.1e}" for name in names))
        rows: dict[str, Callable[[FormulaStudy], str]] = {
            "order": lambda f: "-" if math.isnan(f.order) else f"{f.order:.2f}",
            "floor": lambda f: f"{f.floor:.0e}",
            "best h": lambda f: f"{f.best_h:.0e}",
        }
        for label, text in rows.items():
            lines.append(f"{label:<8}" + "".join(f"{text(self.formulas[name]):>12}" for name in names))
        return "\n".join(lines)

    def plot(self, axes: Any = None) -> Any:
        """Draw the errors over h, both logarithmic: lines falling with slope p, then the noise of rounding.

        Arguments:
            axes: matplotlib axes to draw on; those of a new figure unless given.

        Returns the axes; ``study.plot().figure.savefig("errors.png")`` saves the drawing.
        Raises: MissingPackageError without matplotlib.
        """
        axes = plotting.axes(axes)
        axes.set(xlabel="step h", ylabel="error of the derivative", xscale="log", yscale="log", title=f"x = {self.x:g}")
        for name, study in self.formulas.items():
            shown = study.errors > 0  # an error of exactly 0 has no place on the axis
            (line,) = axes.plot(self.steps[shown], study.errors[shown], ".-", label=name)
            axes.plot(study.best_h, study.floor, "o", color=line.get_color(), markersize=9, fillstyle="none")
        axes.legend(title="circle: best h")
        return axes


@checked
def error_study(function: Callable[[Any], Any], x: float, exact: Any) -> ErrorStudy:
    """The errors of every formula at ``x`` for steps from 0.3 to 1e-15, times max(|x|, 1).

    Arguments:
        function: of one number, computed in float64.
        exact: the derivative at x, or a function for it, such as ``thalweg.grad(f)``.

    Raises: DataError if the function or the derivative is not finite where it is needed.

    Example:
        >>> study = error_study(np.exp, 1.0, np.exp)
        >>> round(study.formulas["forward"].order, 1), round(study.formulas["central"].order, 1)
        (1.0, 2.0)
        >>> study.best
        'richardson'
    """
    point = check_value("error_study", "x", float, x)
    slope = _number("the exact derivative", exact(np.float64(point)) if callable(exact) else exact)
    steps = STUDIED_STEPS * max(abs(point), 1.0)
    scale = max(abs(_number("f(x)", function(point + step))) for step in (0.0, steps[-1], -steps[-1]))
    _require_finite("f(x)", scale, point)
    _require_finite("the exact derivative", slope, point)
    studies = {}
    for name, (formula, order) in FORMULAS.items():
        values = np.array([float(formula(function, point, h)) for h in steps])
        for h, value in zip(steps, values, strict=True):
            _require_finite(f"the {name} difference with h={h:.0e}", value, point)
        studies[name] = _studied(np.abs(values - slope), steps, order, scale)
    return ErrorStudy(point, slope, steps, studies)


def _studied(errors: np.ndarray, steps: np.ndarray, order: int, scale: float) -> FormulaStudy:
    """Fit ``C h^p`` to the errors far above rounding, and ``R / h`` to those that rounding makes."""
    precision = float(np.finfo(np.float64).eps)
    noise = precision * max(scale, np.finfo(np.float64).tiny) / steps  # a function that rounds once is off by less
    cut_off = errors > 100 * noise
    if not cut_off.all():
        cut_off[int(np.argmin(cut_off)) :] = False  # only down to the first step at which rounding is seen
    rounding = ~cut_off
    if not rounding.any():
        rounding[-1] = True
    # The mean is of the squares: single errors happen to be small, which is no merit of their step.
    root_mean_square = float(np.sqrt(np.mean((errors[rounding] * steps[rounding]) ** 2)))
    r = max(root_mean_square, precision * scale / 4, np.finfo(np.float64).tiny)
    if np.count_nonzero(cut_off) < 2:
        # nothing is cut off: the largest step is the best
        return FormulaStudy(errors, math.nan, r / float(steps[0]), float(steps[0]))
    h, error = np.log(steps[cut_off]), np.log(errors[cut_off])
    # The smaller half: with larger steps the next terms of the series still show.
    half = len(h) // 2 if len(h) > 3 else 0
    slope = float(np.polyfit(h[half:], error[half:], 1)[0])
    c = float(np.exp(error[-1] - order * h[-1]))
    best_h = float(min((r / (order * c)) ** (1 / (order + 1)), steps[0]))  # where d/dh (C h^p + R / h) = 0
    return FormulaStudy(errors, slope, c * best_h**order + r / best_h, best_h)


def _number(what: str, value: Any) -> float:
    array = as_array(value, what)
    if array.size == 1:
        return float(array.reshape(()))
    raise ShapeError(
        f"error_study: {what} is not one number",
        expected="a function of one number that gives one number",
        got=f"shape {array.shape}",
        fix="study one entry of the result: lambda x: f(x)[0]",
    )


def _require_finite(what: str, value: float, x: float) -> None:
    if not math.isfinite(value):
        raise DataError(
            f"error_study: {what} is not finite",
            expected=f"a function that is smooth around x={x:g}",
            got=str(value),
            fix="choose an x farther from where the function ends",
        )
