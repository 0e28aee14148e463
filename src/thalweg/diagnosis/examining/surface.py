"""Slices of the loss: along the step that comes next, and along the direction in which the loss curves most."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from thalweg import plotting
from thalweg.checks import Count, In, checked
from thalweg.diagnosis.examining.lanczos import ends
from thalweg.diagnosis.examining.objective import Objective
from thalweg.diagnosis.examining.outcome import Outcome
from thalweg.diagnosis.examining.subject import Subject
from thalweg.diagnosis.examining.trial import Trial
from thalweg.errors import NonFiniteError
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.state.names import parameter_state

__all__ = ["Surface", "loss_surface", "surface_of"]

MULTIPLES = (0.0, *(2.0**k for k in range(-4, 9)))
"""Of the step, at which the loss is looked at."""

TOO_FAR, TOO_SHORT = 0.5, 16.0
"""The best multiple of the step below which it overshoots, and above which it crawls."""

VECTORS = 30
"""Products with the Hessian, for the sharpest direction: a picture needs no more digits."""


@dataclass(frozen=True)
class Surface(Outcome):
    """What ``loss_surface`` found; ``code`` is "the step overshoots", "the step is small" or "the step fits".

    Attributes:
        loss: where the model is.
        best_multiple: of the step, among 0, 1/16, 1/8 ... 256, at which the loss of the sample is lowest.
        multiples, along_step: these, and the losses there.
        positions: along the two directions; 1 is as long, filter by filter, as the weights are.
        losses: (step, sharpest) at all pairs of positions. Infinite where it is not finite.
    """

    loss: float
    best_multiple: float
    multiples: np.ndarray
    along_step: np.ndarray
    positions: np.ndarray
    losses: np.ndarray

    def plot(self, axes: Any = None) -> Any:
        """Draw the loss along the step, the slices along both directions, and the plane of both.

        Arguments:
            axes: three matplotlib axes; those of a new figure unless given.

        Returns the axes. Raises: MissingPackageError without matplotlib.
        """
        axes = plotting.axes(axes, ncols=3, figsize=(15, 4.2), layout="constrained")
        along, slices, plane = axes
        along.plot(self.multiples, _shown(self.along_step), "o-")
        along.axvline(1.0, color="C3", linestyle=":", label="the step")
        along.set(xscale="symlog", xlabel="times the step", ylabel="loss", title=self.code)
        along.legend()
        middle = len(self.positions) // 2
        slices.plot(self.positions, _shown(self.losses[:, middle]), label="along the step")
        slices.plot(self.positions, _shown(self.losses[middle]), label="along the sharpest direction")
        slices.set(xlabel="distance, in sizes of the filters", ylabel="loss")
        slices.legend()
        drawn = plane.contourf(self.positions, self.positions, _shown(self.losses).T, levels=30)
        plane.plot(0, 0, "w+")
        plane.set(xlabel="along the step", ylabel="along the sharpest direction")
        plane.figure.colorbar(drawn, ax=plane, label="loss")
        return axes


@checked
def loss_surface(
    model: Model,
    x: Any,
    y: Any,
    *,
    rows: Count = 256,
    batch_size: Count = 32,
    points: Annotated[int, In("[3, inf)")] = 21,
    span: Annotated[float, In("(0, inf)")] = 1.0,
    sample_weight: Any = None,
    seed: int = 0,
) -> Surface:
    """The loss of a fixed sample around the weights: along the next step of training, and along the sharpest direction.

    Both directions are filter-normalised: what leads to one unit or channel is made as long as its weights are, and
    biases stay where they are. So pictures of different networks can be compared, although scaling one layer up and the
    next one down changes no output.

    Arguments:
        batch_size: of the step.
        points: on each axis of the plane, made odd.
        span: how far it reaches to either side.

    Raises: GraphError, ArgumentError, NonFiniteError.
    Source: Li et al. (2018), arXiv:1712.09913, section 4.
    """
    return surface_of(Subject("loss_surface", model, x, y, sample_weight, batch_size, seed), rows, points, span)


def surface_of(subject: Subject, rows: int = 256, points: int = 21, span: float = 1.0) -> Surface:
    """Of a subject."""
    objective = Objective(subject, subject.some(rows))
    here, loss = objective.here, objective.loss()
    if not math.isfinite(loss):
        raise NonFiniteError(
            "the loss is not finite, and has no surface",
            expected="a finite loss of these rows",
            got=str(loss),
            fix="go back to weights from before the loss became infinite, and lower the learning rate",
        )
    step = _next_step(subject, objective)
    multiples = np.array(MULTIPLES)
    along = np.array([_finite(objective.loss(here + t * step)) for t in multiples])
    sharpest = ends(
        objective.product, objective.size, products=VECTORS, tolerance=0.05, seed=subject.seed
    ).largest_vector
    a, b = (_normalised(objective, direction) for direction in (step, sharpest))
    half = np.linspace(0, span, max(points // 2, 1) + 1)
    positions = np.concatenate([-half[:0:-1], half])
    losses = np.array([[_finite(objective.loss(here + s * a + t * b)) for t in positions] for s in positions])
    best = float(multiples[int(np.argmin(along))])
    level = max(loss, objective.loss_alike())
    code, verdict, change = _words(best, step, along[MULTIPLES.index(1.0)] > level)
    return Surface(code, verdict, change, loss, best, multiples, along, positions, losses)


def _next_step(subject: Subject, objective: Objective) -> np.ndarray:
    """The move of the next step of training."""
    trial = Trial(subject, subject.batch)
    trial.run(subject.order(1, subject.batch))
    before = objective.here
    after = [trial.state.read(parameter_state(path)) for path in objective.paths]
    move: np.ndarray = objective.joined(after) - before
    return move


def _normalised(objective: Objective, direction: np.ndarray) -> np.ndarray:
    """Filter by filter as long as the weights; a filter of zeros is as long as the mean of the others, or 1."""
    parts, weights = objective.parts(direction), objective.parts(objective.here)
    if all(w.ndim < 2 for w in weights):
        return direction * _ratio(float(np.linalg.norm(objective.here)), float(np.linalg.norm(direction)))
    lengths = [np.linalg.norm(w.reshape(-1, w.shape[-1]), axis=0) for w in weights if w.ndim > 1]
    usual = float(np.concatenate(lengths).mean()) or 1.0
    scaled = []
    for d, w in zip(parts, weights, strict=True):
        if w.ndim < 2:
            scaled.append(np.zeros_like(d))
            continue
        own = np.linalg.norm(d.reshape(-1, d.shape[-1]), axis=0)
        size = np.linalg.norm(w.reshape(-1, w.shape[-1]), axis=0)
        size = np.where(size > 0, size, usual)
        scaled.append(d * np.where(own > 0, size / np.where(own > 0, own, 1.0), 0.0))
    return objective.joined(scaled)


def _ratio(size: float, own: float) -> float:
    return (size or 1.0) / own if own else 0.0


def _finite(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf


def _shown(losses: np.ndarray) -> np.ndarray:
    """What a picture can show: NaN for infinity."""
    return np.where(np.isfinite(losses), losses, np.nan)


def _words(best: float, step: np.ndarray, harms: bool) -> tuple[str, str, str]:
    """Arguments:
    harms: whether the step leads above chance; close to a minimum any step of a batch is too long for the others.
    """
    if not step.any():
        return "the step is small", "the next step does not move the weights", "look at curvature: the gradient is 0"
    says = f"along the next step the loss is lowest at {best:g} times its length"
    if best < TOO_FAR:
        change = "a smaller learning rate, or larger batches" if harms else ""
        return "the step overshoots", f"{says}: it goes too far", change
    if best > TOO_SHORT:
        return "the step is small", f"{says}: it could go much further", ""  # which Adam's early steps could, too
    return "the step fits", says, ""
