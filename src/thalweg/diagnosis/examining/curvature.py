"""Where the model stands on the loss: on a slope, in a minimum, on a saddle, on a plateau; and how sharp it is."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from thalweg.checks import Count, In, checked
from thalweg.diagnosis.examining.lanczos import Ends, ends
from thalweg.diagnosis.examining.objective import Objective
from thalweg.diagnosis.examining.outcome import Outcome
from thalweg.diagnosis.examining.stability import Stability, stability
from thalweg.diagnosis.examining.subject import Subject
from thalweg.errors import ArgumentError, NonFiniteError
from thalweg.fields import dataclass
from thalweg.model import Model

__all__ = ["Curvature", "curvature", "curvature_of"]

GAIN, LITTLE = 0.01, 0.1
"""The share of the loss that the best step along the gradient gains: below the first the model is at rest; below the
second it may be stuck, if further steps do not lead below chance."""

NEGATIVE = 0.01
"""Curvature downwards has weight from this share of the largest on."""

CHANCE = 0.97
"""A loss above this share of the one with the same answer for all rows is that of a model that has learned nothing."""

NUDGE = 0.5
"""The size of a nudge, times ``1 / sqrt(fan_in)``: about half of what initial weights are."""

NEARLY, SHRINKINGS = 0.5, 5
"""By what share of itself a nudge may raise the loss, and how often it is made a quarter for that: inputs of a large
scale make a large move of a small one."""

SETTLING = 10
"""Steps in which the mean of the predictions is found: it is what the loss curves most along. As long as it is wrong,
that alone makes curvature downwards."""

BATCHES = 8
"""Of gradients, for what Adam's running mean square will be."""


@dataclass(frozen=True)
class Curvature(Outcome):
    """What ``curvature`` found; ``code`` is "slope", "minimum", "saddle" or "plateau".

    Attributes:
        loss: of the rows; ``loss_alike``: if all rows got the same answer, the mean of the predictions.
        gradient_norm: the length of the gradient.
        gain: the share of the loss that the best step along the gradient gains, by gradient and curvature.
        largest, smallest: eigenvalues of the Hessian; there is one within ``largest_error``, ``smallest_error``.
        settled: the smallest eigenvalue where the gradient leads in a few steps, as a share of the largest: below 0 on
            a saddle. NaN where the model is not stuck.
        nudged: the same after a small random move, for saddles whose Hessian is not negative right on them. NaN where
            that was not asked.
        rate, limit: of the optimizer's next step, and what ``sharpness`` may be before steps overshoot; NaN if unknown.
        sharpness: largest eigenvalue times rate; of Adam and RMSprop that of the Hessian as they scale it. Evidence,
            not a verdict: full-batch training that goes well hovers about the limit.
        products: how many products with the Hessian it took.
        sharpest, downward: the eigenvectors, over all trained parameters one after the other.
    """

    loss: float
    loss_alike: float
    gradient_norm: float
    gain: float
    largest: float
    smallest: float
    largest_error: float
    smallest_error: float
    settled: float
    nudged: float
    rate: float
    sharpness: float
    limit: float
    products: int
    sharpest: np.ndarray
    downward: np.ndarray


@checked
def curvature(
    model: Model,
    x: Any,
    y: Any,
    *,
    rows: Count = 256,
    batch_size: Count = 32,
    products: Annotated[int, In("[2, inf)")] = 60,
    tolerance: Annotated[float, In("(0, 1)")] = 1e-3,
    sample_weight: Any = None,
    seed: int = 0,
) -> Curvature:
    """The largest and the smallest eigenvalue of the Hessian of the loss, and what they say of where the model stands.

    The model is stuck if its loss is at chance, the gradient gains less than 10 % of it, and ten steps along the
    gradient, each as long as its curvature says, end at chance as well: they find the mean of the targets and no more.
    If there is curvature downwards then, of 1 % of the largest or more, it is a saddle; also if it only shows after a
    nudge (XOR with all weights 0 has no negative eigenvalue; next to it there are some). Without, it is a plateau. A
    minimum is where a loss below chance gains less than 1 % along the gradient, and nothing curves downwards.

    Arguments:
        rows: of a fixed sample; the loss is of these, in float64, with layers as in training.
        batch_size: of the training, for what Adam divides by before its first step.
        products: of Hessian and vector at most, each about four steps' work.
        tolerance: of the eigenvalues, relative to the larger one.

    Raises: GraphError, ArgumentError; NonFiniteError if the loss or its derivatives are not finite.
    Source: Lanczos (1950); Pearlmutter (1994), Neural Computation 6(1), for the products.
    """
    subject = Subject("curvature", model, x, y, sample_weight, batch_size, seed)
    return curvature_of(subject, rows=rows, products=products, tolerance=tolerance)


def curvature_of(subject: Subject, rows: int = 256, products: int = 60, tolerance: float = 1e-3) -> Curvature:
    """Of a subject."""
    sample = subject.some(rows)
    objective = Objective(subject, sample)
    loss, alike = objective.loss(), objective.loss_alike()
    if not math.isfinite(loss):
        raise NonFiniteError(
            "the loss is not finite, and has no curvature",
            expected="a finite loss of these rows",
            got=str(loss),
            fix="go back to weights from before the loss became infinite, and lower the learning rate",
        )
    g = objective.gradient()

    def spectrum(at: np.ndarray | None = None) -> Ends:
        return ends(
            lambda v: objective.product(v, at),
            objective.size,
            products=products,
            tolerance=tolerance,
            seed=subject.seed,
        )

    found = spectrum()
    gain = _gain(g, objective.product(g), loss) if g.any() else 0.0
    settled = nudged = math.nan
    code, products_done = "slope", found.products
    if loss <= CHANCE * alike:
        code = "minimum" if gain < GAIN and not _falls(found) else "slope"
    elif gain < LITTLE and _at_chance(objective, _settled(objective, objective.here)):
        code, shares = "plateau", []
        for move in (np.zeros(objective.size), _nudge(objective, loss, subject.seed)):
            near = spectrum(_settled(objective, objective.here + move))
            products_done += near.products
            shares.append(near.smallest / max(near.largest, -near.smallest, 1e-300))
            if _falls(near):
                code = "saddle"
                break
        settled, nudged = (*shares, math.nan)[:2]
    rate, sharpness, limit = _sharpness(subject, objective, found, products, tolerance)
    verdict, change = _words(code, loss, gain, found, settled, nudged)
    if sharpness > limit:
        verdict += f"; sharpness {sharpness:.3g} is above the {limit:.3g} that steps at rate {rate:.2g} stand"
        change = change or "where the loss swings: a lower rate, or warm-up; where it falls, leave it"
    return Curvature(
        code,
        verdict,
        change,
        loss,
        alike,
        float(np.linalg.norm(g)),
        gain,
        found.largest,
        found.smallest,
        found.largest_error,
        found.smallest_error,
        settled,
        nudged,
        rate,
        sharpness,
        limit,
        products_done,
        found.largest_vector,
        found.smallest_vector,
    )


def _falls(found: Ends) -> bool:
    """Whether curvature downwards has weight beside the largest, by more than its error."""
    return -found.smallest - found.smallest_error > NEGATIVE * max(found.largest, 0.0)


def _at_chance(objective: Objective, at: np.ndarray) -> bool:
    return objective.loss(at) > CHANCE * objective.loss_alike(at)


def _gain(g: np.ndarray, product: np.ndarray, loss: float) -> float:
    """The share of the loss that ``-t g`` gains for the best t, ``(g.g)^2 / (2 g.Hg)``; all if it falls ever faster."""
    square, curved = float(g @ g), float(g @ product)
    gained = square**2 / (2 * curved) if curved > 0 else math.inf
    return min(gained / abs(loss), 1.0) if loss else 1.0


def _settled(objective: Objective, at: np.ndarray) -> np.ndarray:
    """Where steps along the gradient lead, each as long as its curvature says."""
    for _ in range(SETTLING):
        g = objective.gradient(at)
        curved = float(g @ objective.product(g, at))
        if not curved > 0:
            break
        at = at - g * (float(g @ g) / curved)
    return at


def _nudge(objective: Objective, loss: float, seed: int) -> np.ndarray:
    """A random move, small beside what initial weights are, and so small that the loss stays about where it is."""
    random = np.random.default_rng(seed)
    parts = []
    for shape in objective.shapes:
        fan_in = math.prod(shape[:-1]) if len(shape) > 1 else 4
        parts.append(random.standard_normal(shape) * NUDGE / math.sqrt(max(fan_in, 1)))
    move = objective.joined(parts)
    for _ in range(SHRINKINGS):
        if objective.loss(objective.here + move) < loss + NEARLY * abs(loss):
            break
        move = move / 4
    return move


def _sharpness(
    subject: Subject, objective: Objective, found: Ends, products: int, tolerance: float
) -> tuple[float, float, float]:
    """Rate, largest eigenvalue times rate, and the limit for that."""

    def squares() -> np.ndarray:
        count = min(subject.batch, max(subject.rows.count // 2, 1))
        batches = [subject.some(count, part + 1) for part in range(BATCHES)]
        small = Objective(subject, batches[0])
        total: np.ndarray = sum((small.on(rows).gradient() ** 2 for rows in batches), np.zeros(small.size)) / BATCHES
        return total

    try:
        known: Stability = stability(subject.model, objective, squares)
    except ArgumentError:
        return math.nan, math.nan, math.nan
    largest = found.largest
    if known.scale is not None:
        root = np.sqrt(known.scale)
        largest = ends(
            lambda v: objective.product(v / root) / root,
            objective.size,
            products=products,
            tolerance=tolerance,
            seed=subject.seed,
        ).largest
    return known.rate, largest * known.rate, known.limit


def _words(code: str, loss: float, gain: float, found: Ends, settled: float, nudged: float) -> tuple[str, str]:
    ends_are = f"eigenvalues from {found.smallest:.3g} to {found.largest:.3g}"
    if code == "slope":
        return f"the loss, {loss:.4g}, falls along the gradient, by {gain:.1%} in the best step; {ends_are}", ""
    if code == "minimum":
        return f"at rest in a minimum: loss {loss:.4g}, nothing to gain along the gradient; {ends_are}", ""
    if code == "saddle":
        share = settled if math.isnan(nudged) else nudged
        beside = f"; {'on' if math.isnan(nudged) else 'next to'} it the smallest is {share:.1%} of the largest"
        return (
            f"on a saddle: the gradient gains {gain:.1%} of the loss, {loss:.4g}; {ends_are}{beside}",
            "leave it: initial weights that differ from unit to unit if these are all alike, momentum or Adam, noise "
            "from smaller batches",
        )
    return (
        f"on a plateau: the gradient gains {gain:.1%} of the loss, {loss:.4g}, and no curvature leads down; {ends_are}",
        "let gradients through: relu with he_normal weights in place of sigmoid or tanh, BatchNormalization, residual "
        "connections, scaled inputs; if all that is there, the inputs may say nothing of the targets",
    )
