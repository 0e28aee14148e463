"""Derivatives from values alone: forward, backward and central differences, and Richardson's extrapolation.

Each takes any function of a number or an array, in Python, NumPy or compiled, and gives the derivatives of every number
of the result by every number of ``x``: ``result.shape + x.shape``. For a scalar function that is the gradient.

The step ``h`` is a number, the same for every entry of ``x``. Unless given it is the formula's best power of the
precision, times ``max(|x|, 1)`` for each entry: a larger one cuts off more of the Taylor series, a smaller one loses
more digits in ``f(x + h) - f(x)``. The precision is that of the function's result: float32 or float64.
Source: Press, Teukolsky, Vetterling & Flannery (2007), Numerical Recipes, 3rd ed., section 5.7.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, check_value, checked
from thalweg.data.arrays import as_array
from thalweg.errors import ArgumentError, ShapeError

ArrayFunction = Callable[[float], np.ndarray]
"""The function along one entry of x, by the distance from x."""

Formula = Callable[[ArrayFunction, float], np.ndarray]


@checked
def forward(function: Callable[[Any], Any], x: Any, h: float | None = None) -> np.ndarray:
    """``(f(x + h) - f(x)) / h``: off by ``h/2 f''``, first order. Best h about eps^(1/2), for half of the digits.

    Raises: ArgumentError if h is not positive or too small to change x; DTypeError or ShapeError if the function's
        results are no numbers or change their shape.

    Example:
        >>> forward(lambda x: x**2, 3.0, h=0.125)
        array(6.125)
    """
    return _by_entries(function, x, h, 1 / 2, lambda at, h: (at(h) - at(0.0)) / h)


@checked
def backward(function: Callable[[Any], Any], x: Any, h: float | None = None) -> np.ndarray:
    """``(f(x) - f(x - h)) / h``: as :func:`forward`, off to the other side.

    Example:
        >>> backward(lambda x: x**2, 3.0, h=0.125)
        array(5.875)
    """
    return _by_entries(function, x, h, 1 / 2, lambda at, h: (at(0.0) - at(-h)) / h)


@checked
def central(function: Callable[[Any], Any], x: Any, h: float | None = None) -> np.ndarray:
    """``(f(x + h) - f(x - h)) / 2h``: off by ``h^2/6 f'''``, second order. Best h about eps^(1/3).

    Example:
        >>> central(lambda x: x[0] ** 2 * x[1], np.array([3.0, 2.0]), h=0.125)
        array([12.,  9.])
    """
    return _by_entries(function, x, h, 1 / 3, _central)


@checked
def richardson(function: Callable[[Any], Any], x: Any, h: float | None = None, levels: int = 3) -> np.ndarray:
    """Central differences for h, h/2, h/4 ..., extrapolated to h = 0. Off by a multiple of ``h^(2 levels)``.

    The error of a central difference is a series in h^2, so ``(4 D(h/2) - D(h)) / 3`` has no term in h^2 any more, and
    so on. Best h about eps^(1/(2 levels + 1)).

    Arguments:
        levels: how many central differences; 1 is :func:`central`.

    Source: Richardson (1911), Phil. Trans. R. Soc. A 210; the table as in Ridders (1982), Adv. Eng. Software 4.

    Example:
        >>> float(abs(richardson(np.sin, 1.0) - np.cos(1.0))) < 1e-12
        True
    """
    count = check_value("richardson", "levels", Annotated[int, In("[1, 10]")], levels)

    def formula(at: ArrayFunction, h: float) -> np.ndarray:
        row = [_central(at, h / 2**k) for k in range(count)]
        for order in range(1, count):
            weight = 4.0**order
            row = [(weight * finer - coarser) / (weight - 1) for coarser, finer in pairwise(row)]
        return row[0]

    return _by_entries(function, x, h, 1 / (2 * count + 1), formula)


def _central(at: ArrayFunction, h: float) -> np.ndarray:
    return (at(h) - at(-h)) / (2 * h)


def _by_entries(function: Callable[[Any], Any], x: Any, h: float | None, power: float, formula: Formula) -> np.ndarray:
    """The formula along each entry of x; the results along the last axes."""
    if h is not None:
        h = check_value("numdiff", "h", Annotated[float, In("(0, inf)")], h)
    point = as_array(x, "x")
    if point.dtype.kind != "f":
        point = point.astype(np.float64)
    here = _value(function, point)
    precision = np.finfo(here.dtype if here.dtype.kind == "f" else point.dtype).eps
    here = here.astype(np.float64)

    def along(index: tuple[int, ...]) -> np.ndarray:
        start = float(point[index])
        wanted = h if h is not None else precision**power * max(abs(start), 1.0)
        step = float(point.dtype.type(start + wanted)) - start  # a distance that the numbers near x can have
        if step == 0:
            least = np.spacing(abs(point[index]))
            raise ArgumentError(
                "the step of a difference is too small to change x",
                expected=f"h of at least {least:.1e}, the distance of {point.dtype} numbers there",
                got=f"h={wanted:.1e} at x={start!r}",
                fix="leave h out, or make it larger",
            )

        def at(distance: float) -> np.ndarray:
            if distance == 0.0:
                return here
            there = point.copy()
            there[index] = start + distance
            value = _value(function, there)
            if value.shape != here.shape:
                raise ShapeError(
                    "the function's results change their shape",
                    expected=f"{here.shape}, as at x",
                    got=f"{value.shape} near x",
                    fix="differentiate a function whose results always have one shape",
                )
            return value.astype(np.float64)

        return formula(at, step)

    columns = [along(index) for index in np.ndindex(point.shape)]
    if not columns:
        return np.zeros((*here.shape, *point.shape))
    return np.stack(columns, axis=-1).reshape((*here.shape, *point.shape))


def _value(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    # [()] makes a NumPy number of a 0-dimensional array: functions of Python's math module take those only
    return as_array(function(x[()]), "the result of the function to differentiate")
