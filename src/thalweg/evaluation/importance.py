"""How much a model makes of each column: what its predictions lose when the column's values are dealt out anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np

from thalweg.checks import In, check_value, checked
from thalweg.evaluation.answers import Answers, answers
from thalweg.evaluation.bootstrap import Score, decimals
from thalweg.evaluation.columns import Columns, Predict, columns_of, several
from thalweg.evaluation.section import Picture, Section, short
from thalweg.fields import dataclass
from thalweg.plotting import axes
from thalweg.table import Table

NORMAL = 1.96
"""So many standard errors to both sides hold 95 of 100."""

MOST_ROWS = 5000
"""Dealt out anew: with these the error is small beside any effect that matters."""

FEWEST_ROWS, MOST_PREDICTIONS = 200, 3e6
"""Of very many columns fewer rows are dealt out anew, so that it takes seconds."""

MOST_BARS = 20
"""Columns that are drawn."""

ALIKE = 0.9
"""From this rank correlation on two columns are said to tell much the same."""


@dataclass(frozen=True)
class Importance(Section):
    """What each column is worth to the model, the most important first.

    Attributes:
        score: what rises when a column is dealt out anew.
        columns: their names.
        rises: by how much, with an interval; at or below 0 the model makes nothing of the column.
        rows, repeats: how many rows were used, and how often each column was dealt out.
        alike: groups of columns that tell much the same: each seems worth little while the others are there.
    """

    key: ClassVar = "importance"
    heading: ClassVar = "What each column is worth"

    score: str
    columns: tuple[str, ...]
    rises: tuple[Score, ...]
    rows: int
    repeats: int
    alike: tuple[tuple[str, ...], ...] = ()

    def table(self) -> Table:
        digits = decimals([rise.value for rise in self.rises])
        rows = [
            (short(name, 34), f"{rise.value:.{digits}f}", f"[{rise.low:.{digits}f}, {rise.high:.{digits}f}]")
            for name, rise in zip(self.columns, self.rises, strict=True)
        ]
        return Table(
            f"{self.score} rises by, when the column is shuffled", ("column", "rise", "95 % interval"), rows[:30]
        )

    def sentences(self) -> list[str]:
        said = []
        if len(self.columns) > 30:
            said.append(f"{len(self.columns) - 30} further columns are worth less.")
        nothing = [name for name, rise in zip(self.columns, self.rises, strict=True) if not rise.low > 0]
        if nothing and len(nothing) < len(self.columns):
            said.append(f"Nothing is lost, as far as {self.rows} rows can show, without any of: {_some(nothing)}.")
        if self.alike:
            together = "; ".join(_some(names) for names in self.alike[:5])
            said.append(f"These tell much the same, so that each seems worth less than all of them: {together}.")
        return said

    def pictures(self) -> Iterator[Picture]:
        yield Picture("", self.plot, 4.6, 1.0 + 0.22 * min(len(self.columns), MOST_BARS))

    def plot(self, ax: Any = None) -> Any:
        """Draw the rises as bars with their intervals; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        ax = axes(ax)
        shown = range(min(len(self.columns), MOST_BARS))
        values = np.array([self.rises[i].value for i in shown])
        ends = np.array(
            [[self.rises[i].value - self.rises[i].low, self.rises[i].high - self.rises[i].value] for i in shown]
        )
        place = np.arange(len(values))[::-1]
        ax.barh(place, values, 0.7, color="C0")
        ax.errorbar(
            values,
            place,
            xerr=np.maximum(ends.T, 0),
            fmt="none",
            ecolor=ax.xaxis.label.get_color(),
            elinewidth=1.2,
            capsize=2,
        )
        ax.set_yticks(place, [short(self.columns[i], 24) for i in shown])
        ax.set_xlabel(f"{self.score} rises by")
        ax.axvline(0, color="0.5", linewidth=0.8)
        return ax


def _some(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(short(name, 30) for name in names[:most]) + more


@checked
def permutation_importance(
    model: Any,
    x: Any,
    y: Any,
    *,
    classes: Any = None,
    names: Sequence[str] | None = None,
    repeats: Annotated[int, In("[1, inf)")] = 5,
    rows: int | None = MOST_ROWS,
    seed: int = 0,
) -> Importance:
    """How much worse a model is when the values of one column are dealt out anew among the rows, for each column.

    The loss is the log loss of classes, the root mean squared error of numbers. The error bars hold for other rows of
    the same kind and other shuffles. Use rows that the model was not trained on.

    Arguments:
        model: has ``predict``, or is a function from inputs to predictions.
        x: an array (rows, columns) or a mapping of arrays, as the model takes it.
        classes: as for ``judge_predictions``.
        names: of the columns of one array.
        repeats: how often each column is dealt out.
        rows: at most so many are used, drawn at random, and fewer for hundreds of columns; None for all.

    Source: Breiman (2001), Machine Learning 45, section 10; Fisher, Rudin & Dominici (2019), JMLR 20:177.
    """
    predict = predictor(model)
    found = columns_of(x, names)
    known = answers(y, predict(found.inputs), classes=classes)
    return importance_of(predict, found, known, repeats=repeats, rows=rows, seed=seed)


def predictor(model: Any) -> Predict:
    """A function from inputs to predictions; quiet, if it is that of a model."""
    from thalweg.model import Model

    if isinstance(model, Model):
        return lambda x: np.asarray(model.predict(x, batch_size=4096, verbose=0))
    function: Predict = check_value("predict", "model", Predict, getattr(model, "predict", model))
    return function


def importance_of(
    predict: Predict,
    columns: Columns,
    known: Answers,
    *,
    repeats: int = 5,
    rows: int | None = MOST_ROWS,
    seed: int = 0,
) -> Importance:
    """As ``permutation_importance``, of columns that are encoded already and whose predictions are known."""
    random = np.random.default_rng(seed)
    if rows is not None:
        rows = int(min(rows, max(FEWEST_ROWS, MOST_PREDICTIONS / max(1, repeats * len(columns.places)))))
    if rows is not None and columns.rows > rows:
        chosen = np.sort(random.choice(columns.rows, rows, replace=False))
        columns, known = columns.take(chosen), known.take(chosen)
    before = known.losses()
    names = list(columns.places)

    def shuffled() -> Iterator[Columns]:
        for name in names:
            for _ in range(repeats):
                yield columns.exchanged(name, random.permutation(columns.rows))

    rises = np.empty((len(names), repeats, columns.rows))
    for at, said in enumerate(several(predict, shuffled())):
        rises[at // repeats, at % repeats] = known.losses(said) - before
    scores = [_rise(known, before, rise) for rise in rises]
    order = sorted(range(len(names)), key=lambda at: -scores[at].value)
    return Importance(
        known.score_name,
        tuple(names[at] for at in order),
        tuple(scores[at] for at in order),
        columns.rows,
        repeats,
        tuple(_alike(columns, [names[at] for at in order])),
    )


def _rise(known: Answers, before: np.ndarray, rises: np.ndarray) -> Score:
    """Shapes: rises (repeats, rows). The error has two parts: which rows there are, and how they were dealt out."""
    repeats, rows = rises.shape
    each = rises.mean(0)
    variance = each.var(ddof=1) / rows if rows > 1 else 0.0
    if repeats > 1:
        variance += rises.mean(1).var(ddof=1) / repeats
    base = before.mean()
    ends = each.mean() + NORMAL * np.sqrt(variance) * np.array([0, -1, 1])
    value, low, high = known.score(base + ends) - known.score(base)
    return Score(float(value), float(low), float(high))


def _alike(columns: Columns, names: Sequence[str], most: int = 60) -> list[tuple[str, ...]]:
    """Groups of columns of numbers whose ranks go together; of very many columns the first are looked at."""
    ranks = {}
    for name in names[:most]:
        place = columns.places[name]
        if len(place) == 1 and columns.arrays[place[0][0]].dtype.kind == "f":
            rank = np.unique(columns.key(name), return_inverse=True)[1].reshape(-1).astype(np.float64)
            if rank.std() > 0:
                ranks[name] = rank
    if len(ranks) < 2:
        return []
    near = np.abs(np.corrcoef(np.stack(list(ranks.values())))) >= ALIKE
    known, left, groups = list(ranks), set(range(len(ranks))), []
    for first in range(len(known)):
        if first in left:
            group = near[first]
            while (wider := near[group].any(0)).sum() > group.sum():
                group = wider
            left -= set(np.flatnonzero(group).tolist())
            groups.append(tuple(known[at] for at in np.flatnonzero(group)))
    return [group for group in groups if len(group) > 1]
