"""How the predictions go with one column, everything else left as it is: for each row, and on the average."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np

from thalweg.checks import In, checked
from thalweg.evaluation.answers import as_predictions
from thalweg.evaluation.bootstrap import decimals, number
from thalweg.evaluation.columns import Columns, Predict, columns_of, several
from thalweg.evaluation.importance import predictor
from thalweg.evaluation.section import Picture, Section, short
from thalweg.fields import dataclass
from thalweg.plotting import axes
from thalweg.table import Table, Tabular

MOST_ROWS, MOST_LINES = 1000, 40
"""Rows that a mean is taken over, and rows that are drawn one by one."""


@dataclass(frozen=True)
class Dependence(Tabular):
    """What the model says of rows if a column had another value.

    A value that does not go with the rest of a row (a house of one room and 400 square metres) is tried all the same:
    where columns hang together, the ends of a curve are about rows that there are not.

    Attributes:
        column: its name.
        values: (points,) of the column, rising: numbers, or text.
        outputs: what is predicted: a target, or the probability of a class.
        mean: (points, outputs): partial dependence.
        lines: (rows, points): individual conditional expectation of the first of the outputs drawn, some rows.
        shares: (points,): the share of rows at each value of a category; empty for numbers.
    """

    column: str
    values: tuple[Any, ...]
    outputs: tuple[str, ...]
    mean: np.ndarray
    lines: np.ndarray
    shares: np.ndarray

    @property
    def is_numbers(self) -> bool:
        """Whether the column is one of numbers, rather than of categories."""
        return not len(self.shares)

    def table(self) -> Table:
        step = max(1, -(-len(self.values) // 10))
        shown, outputs = self._shown(24), list(range(len(self.outputs)))[:5]
        rows = [
            (shown[at], *(number(self.mean[at, output]) for output in outputs))
            for at in range(0, len(self.values), step)
        ]
        head = (short(self.column, 24), *(short(self.outputs[output], 12) for output in outputs))
        return Table("mean prediction if all rows had", head, rows)

    def plot(self, ax: Any = None) -> Any:
        """Draw it: single rows thin, the mean thick; bars for a category. Returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        ax = axes(ax)
        one = len(self.outputs) == 1
        if self.is_numbers:
            for line in self.lines if one else ():
                ax.plot(self.values, line, color="0.6", linewidth=0.5, alpha=0.5)
            ax.locator_params(axis="x", nbins=5)
            for at, name in enumerate(self.outputs[:8]):
                ax.plot(self.values, self.mean[:, at], f"C{at}", linewidth=2.2, label=short(name, 18))
        else:
            place, width = np.arange(len(self.values)), 0.8 / min(len(self.outputs), 8)
            for at, name in enumerate(self.outputs[:8]):
                ax.bar(place + width * at, self.mean[:, at], width, color=f"C{at}", label=short(name, 18))
            names = [_value(value, 12) for value in self.values]
            turned = max(map(len, names)) * len(names) > 40
            ax.set_xticks(place + width * (min(len(self.outputs), 8) - 1) / 2, names, rotation=60 * turned)
        ax.set_xlabel(short(self.column, 40))
        ax.set_ylabel(short(self.outputs[0], 30) if one else "mean probability")
        if not one:
            ax.legend(fontsize=8)
        return ax

    def _shown(self, width: int) -> list[str]:
        """The values as text, numbers with as many digits as tell them apart."""
        if not all(isinstance(value, float) for value in self.values):
            return [_value(value, width) for value in self.values]
        spread = [max(self.values) - min(self.values)]
        return [f"{value:.{decimals(spread)}f}" for value in self.values]

    def in_a_line(self, points: int = 4) -> list[str]:
        """``value: prediction`` at some values, of the output that changes most; its name."""
        ranges = self.mean.max(0) - self.mean.min(0)
        output = int(np.argmax(ranges))
        chosen = np.unique(np.linspace(0, len(self.values) - 1, points).round().astype(np.int64))
        shown = self._shown(7)
        cells = [f"{shown[at]}: {_value(float(self.mean[at, output]), 7)}" for at in chosen.tolist()]
        return [short(self.outputs[output], 12), *cells, *[""] * (points - len(cells))]


@dataclass(frozen=True)
class Dependences(Section):
    """How the predictions go with the most important columns, the most important first."""

    key: ClassVar = "dependence"
    heading: ClassVar = "How the predictions go with a column"

    curves: tuple[Dependence, ...]

    def table(self) -> Table:
        outputs = self.curves[0].outputs
        first = 1 if len(outputs) == 1 else 0  # one output is named once
        rows = [[short(curve.column, 18), *curve.in_a_line()[first:]] for curve in self.curves]
        head = ["column", "of", "value: mean", "", "", ""]
        what = f"the prediction {short(outputs[0], 30)}" if first else "the class that goes with it most"
        return Table(f"{what}, if all rows had that value", [head[0], *head[1 + first :]], rows)

    def page_tables(self) -> list[Table]:
        return []  # the pictures say it

    def pictures(self) -> Iterator[Picture]:
        yield from (Picture("", curve.plot, 4.0, 3.0) for curve in self.curves)


def _value(value: Any, width: int) -> str:
    if value is None:
        return "(missing)"
    if not isinstance(value, float):
        return short(value, width)
    return f"{value:.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"


@checked
def partial_dependence(
    model: Any,
    x: Any,
    column: str,
    *,
    classes: Any = (),
    names: Sequence[str] | None = None,
    points: Annotated[int, In("[2, inf)")] = 20,
    rows: int | None = MOST_ROWS,
    seed: int = 0,
) -> Dependence:
    """What a model says on the average, and of single rows, if all rows had the same value in one column.

    Arguments:
        model, x, names: as for ``permutation_importance``.
        classes: what the outputs are, if they are probabilities of classes.
        points: so many values of the column are tried: quantiles of numbers, the most frequent categories.
        rows: at most so many are used, drawn at random; None for all.

    Source: Friedman (2001), Annals of Statistics 29(5), section 8.2; Goldstein et al. (2015), JCGS 24(1).
    """
    return dependence_of(
        predictor(model), columns_of(x, names), column, classes=classes, points=points, rows=rows, seed=seed
    )


def dependence_of(
    predict: Predict,
    columns: Columns,
    column: str,
    *,
    values: np.ndarray | None = None,
    classes: Sequence[str] = (),
    targets: Sequence[str] = (),
    points: int = 20,
    rows: int | None = MOST_ROWS,
    seed: int = 0,
) -> Dependence:
    """As ``partial_dependence``, of columns that are encoded already.

    Arguments:
        values: (rows,) of the column before it was encoded, as they are shown; the encoded ones unless given.
    """
    raw = columns.shown(column) if values is None else values
    donors, shares = _donors(raw, points)
    random = np.random.default_rng(seed)
    chosen = np.arange(columns.rows)
    if rows is not None and columns.rows > rows:
        chosen = np.sort(random.choice(columns.rows, rows, replace=False))

    def moved() -> Iterator[Columns]:
        # The donors are put in front, so that each row can take from them, and are left out again.
        own = columns.take(np.concatenate([donors, chosen]))
        for at in range(len(donors)):
            everyone = own.exchanged(column, np.full(own.rows, at))
            yield everyone.take(np.arange(len(donors), own.rows))

    said = np.stack([as_predictions(one, classes) for one in several(predict, moved())])
    outputs: tuple[str, ...]
    if len(classes) == 2:  # the other is 1 minus it
        said, outputs = said[:, :, 1:], (f"p({classes[1]})",)
    else:
        outputs = tuple(classes) or tuple(targets) or tuple(f"output {at}" for at in range(said.shape[2]))
        outputs = ("prediction",) if not classes and not targets and len(outputs) == 1 else outputs
    lines = said[:, :: max(1, len(chosen) // MOST_LINES), 0].T[:MOST_LINES]
    return Dependence(column, tuple(raw[donors].tolist()), tuple(map(str, outputs)), said.mean(1), lines, shares)


def _donors(values: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose values are tried, and for categories the share of each.

    Numbers of more than ``points`` values: the 1st to the 99th percentile, in equal steps of rank. Few: each of them.
    """
    is_number = values.dtype.kind in "fiub" or values.dtype.kind in "mM"
    if is_number:
        there = np.flatnonzero(
            ~(np.isnat(values) if values.dtype.kind in "mM" else np.isnan(values.astype(np.float64)))
        )
        order = there[np.argsort(values[there], kind="stable")]
        if not len(order):
            return np.zeros(1, np.int64), np.ones(1)
        places = np.linspace(0.01, 0.99, points) * (len(order) - 1)
        distinct, first = np.unique(values[order], return_index=True)
        donors = order[first] if len(distinct) <= points else order[np.unique(places.round().astype(np.int64))]
        _, first = np.unique(values[donors], return_index=True)
        return donors[first], np.empty(0)
    text = np.array(["(missing)" if value is None or value != value else str(value) for value in values.tolist()])
    distinct, first, counts = np.unique(text, return_index=True, return_counts=True)
    frequent = np.argsort(-counts, kind="stable")[:points]
    return first[frequent], counts[frequent] / len(text)
