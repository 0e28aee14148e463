"""How far to go along a direction. Numbers in, numbers out: nothing here knows of graphs or models.

Source: Nocedal & Wright (2006), "Numerical Optimization", 2nd edition, section 3.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from thalweg.fields import dataclass

DECREASE = 1e-4
"""c1: the share of the decrease promised by the first slope that a step must bring."""
CURVATURE = 0.9
"""c2: the share of the first slope that may be left at the end of a step."""
EVALUATIONS = 25


@dataclass(frozen=True)
class Trial:
    """A step, and the function's value and derivative there; ``of`` is whatever else the function has to tell."""

    step: float
    value: float
    slope: float
    of: Any = None


Function = Callable[[float], Trial]


def strong_wolfe(function: Function, start: Trial, first: float, noise: float = 0.0) -> Trial | None:
    """A step with ``value <= start + c1 * step * slope`` and ``|slope| <= c2 * |slope at the start|``.

    Arguments:
        start: the trial of step 0; its slope is negative.
        first: the step to try first; the later ones are larger until a good one is passed.
        noise: by how much a value may be wrong. Differences below it decide nothing; the slope does. After Hager &
            Zhang (2005), SIAM J. Optim. 16, section 2, where this makes convergence to the precision possible.

    Gives the best step found when the evaluations are used up, None if no step is better than the start.

    Source: algorithm 3.5; 3.6 for the interval between two steps. Differs: values that are not finite count as too
    far, steps double until then.
    """
    before, step = start, first
    for _ in range(EVALUATIONS):
        here = function(step)
        if not _is_enough(here, start, noise) or here.value > before.value + noise:
            return _between(function, start, before, here, noise)
        if abs(here.slope) <= -CURVATURE * start.slope:
            return here
        if here.slope >= 0:
            return _between(function, start, here, before, noise)
        before, step = here, 2.0 * step
    return before


def _between(function: Function, start: Trial, low: Trial, high: Trial, noise: float) -> Trial | None:
    """Algorithm 3.6: ``low`` is the best step with enough decrease, and a good one lies between it and ``high``."""
    for _ in range(EVALUATIONS):
        step = _minimum_of_cubic(low, high)
        if step in (low.step, high.step):  # nothing lies between them
            break
        here = function(step)
        if not _is_enough(here, start, noise) or here.value > low.value + noise:
            high = here
            continue
        if abs(here.slope) <= -CURVATURE * start.slope:
            return here
        if here.slope * (high.step - low.step) >= 0:
            high = low
        low = here
    return low if low.step > 0 else None


def _is_enough(here: Trial, start: Trial, noise: float) -> bool:
    """The first Wolfe condition, equation 3.7a; False for NaN."""
    return math.isfinite(here.slope) and here.value <= start.value + DECREASE * here.step * start.slope + noise


def _minimum_of_cubic(a: Trial, b: Trial) -> float:
    """Where the cubic through both values and slopes is least, equation 3.59; not too near to either end.

    The middle, if a number is not finite or the cubic has no minimum.
    """
    width = b.step - a.step
    step = a.step + 0.5 * width
    if all(map(math.isfinite, (b.value, b.slope))):
        d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.step - b.step)
        square = d1 * d1 - a.slope * b.slope
        if square >= 0:
            d2 = math.copysign(math.sqrt(square), width)
            bottom = b.slope - a.slope + 2.0 * d2
            if bottom != 0:
                step = b.step - width * (b.slope + d2 - d1) / bottom
    low, high = sorted((a.step + 0.1 * width, b.step - 0.1 * width))
    return min(max(step, low), high)
