"""What a classifier gets wrong: the confusion matrix, and the samples that it is wrong about most surely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, check_value, checked
from thalweg.data.arrays import as_array
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.metrics.report import ConfusionTable, confusion_matrix
from thalweg.model import Model
from thalweg.plotting import figure
from thalweg.table import Table, Tabular
from thalweg.visualization.pictures import as_images, draw_grid


@dataclass(frozen=True)
class Mistakes(Tabular):
    """The wrong answers of a model, the surest first, with the confusion matrix of all.

    Attributes:
        rows: (mistakes,): where in the data.
        targets, answers: (mistakes,): the class, and what it was taken for.
        confidence: (mistakes,): the probability that the model gave its answer.
        x: (mistakes, ...): the samples.
        confusion: of all the data.
    """

    rows: np.ndarray
    targets: np.ndarray
    answers: np.ndarray
    confidence: np.ndarray
    x: np.ndarray
    confusion: ConfusionTable

    def __len__(self) -> int:
        return len(self.rows)

    def table(self) -> Table:
        entries = zip(self.rows, self.targets, self.answers, self.confidence, strict=True)
        rows = [(str(row), self._name(c), self._name(said), f"{p:.4f}") for row, c, said, p in entries]
        return Table("the surest mistakes", ("row", "target", "answer", "confidence"), rows)

    def plot(self) -> Any:
        """Draw the confusion matrix and beside it the images; returns the matplotlib figure.

        Raises: MissingPackageError without matplotlib, ShapeError if the samples are no images.
        """
        classes = len(self.confusion.labels)
        left = max(3.5, 0.45 * classes + 1)
        if not len(self):
            drawn = figure(figsize=(left, left), layout="constrained")
            self.confusion.plot(drawn.add_subplot())
            return drawn
        pictures = as_images(self.x, "Mistakes.plot")
        columns = max(1, round(len(pictures) ** 0.5))
        lines = -(-len(pictures) // columns)
        drawn = figure(figsize=(left + 1.35 * columns, max(left, 1.6 * lines)), layout="constrained")
        matrix, images = drawn.subfigures(1, 2, width_ratios=(left, 1.35 * columns))
        self.confusion.plot(matrix.add_subplot())
        entries = zip(self.targets, self.answers, self.confidence, strict=True)
        titles = [f"{self._name(c)}, said {self._name(said)}\n{100 * p:.1f} %" for c, said, p in entries]
        draw_grid(images, pictures, titles, columns)
        return drawn

    def _name(self, number: Any) -> str:
        return self.confusion.labels[int(number)]


@checked
def worst_mistakes(model: Model, x: Any, y: Any, count: int = 12, labels: Sequence[Any] | None = None) -> Mistakes:
    """The samples that a classifier is most confidently wrong about: often the labels are, or the images are spoilt.

    Shapes: x as ``model.predict`` takes it; y (n,) or (n, 1) class numbers, or (n, classes) one-hot.

    Arguments:
        model: of one output: (n, classes), or (n, 1) for the probability of class 1. Where its numbers are not from 0
            to 1 they are taken for logits.
        count: how many at most.
        labels: what the classes are called.

    Raises: ShapeError or DataError if data and model do not fit.
    Example:
        >>> import thalweg
        >>> model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Activation("softmax")])
        >>> print(worst_mistakes(model, [[5.0, 0.0], [0.0, 1.0], [0.0, 3.0]], [0, 0, 0]))
        the surest mistakes
        row  target  answer  confidence
        -------------------------------
          2       0       1      0.9526
          1       0       1      0.7311
    """
    limit = check_value("worst_mistakes", "count", Annotated[int, In("[1, inf)")], count)
    output = np.asarray(model.predict(x, verbose=0), np.float64)
    if output.ndim != 2:
        raise ShapeError(
            "worst_mistakes is for models that tell classes apart",
            expected="one output of shape (n, classes)",
            got=str(output.shape),
            fix="pass the part that gives classes: Model(input, output)",
        )
    chances = _probabilities(output)
    given = as_array(y, "y")
    targets = given.argmax(1) if given.ndim == 2 and given.shape[1] > 1 else given.reshape(-1).astype(np.int64)
    answers = chances.argmax(1)
    names = range(chances.shape[1]) if labels is None else labels
    confusion = confusion_matrix(targets, answers, labels=list(names))
    confidence = chances.max(1)
    wrong = np.flatnonzero(answers != targets)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:limit]
    samples = as_array(x, "x")[worst]
    return Mistakes(worst, targets[worst], answers[worst], confidence[worst], samples, confusion)


def _probabilities(output: np.ndarray) -> np.ndarray:
    """(n, classes) that add up to 1, from probabilities or logits, also of a single unit."""
    if output.min(initial=0) < 0 or output.max(initial=0) > 1:
        logits = np.concatenate([np.zeros_like(output), output], 1) if output.shape[1] == 1 else output
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True))
    return np.concatenate([1 - output, output], 1) if output.shape[1] == 1 else output
