"""All that can be said of a model on rows that it has not seen: printed, as JSON, and as a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.checks import FilePath, checked
from thalweg.data import atomic
from thalweg.errors import NameNotFoundError, did_you_mean
from thalweg.evaluation import of_tables, page
from thalweg.evaluation.answers import Answers, answers
from thalweg.evaluation.bootstrap import Score
from thalweg.evaluation.columns import Columns, Predict, columns_of
from thalweg.evaluation.conformal import Conformal
from thalweg.evaluation.dependence import Dependences, dependence_of
from thalweg.evaluation.holdout import as_text
from thalweg.evaluation.importance import importance_of, predictor
from thalweg.evaluation.scores import constant, of_classes, of_numbers, scores
from thalweg.evaluation.section import WIDTH, Section, plain
from thalweg.evaluation.sections import (
    Calibration,
    Confusion,
    Curves,
    Intervals,
    Report,
    Residuals,
    Scores,
    by_groups,
    worst,
)
from thalweg.fields import dataclass
from thalweg.table import Table, Tabular


@dataclass(frozen=True)
class Judgement(Tabular):
    """What ``judge`` found. ``print(judgement)`` writes it for a terminal of 80 columns.

    Attributes:
        name: of what was judged.
        rows: how many rows.
        classes: what the classes are called; empty for numbers.
        targets: what is predicted.
        notes: what there is to say before everything else: how the rows were held out, duplicates.
        sections: the parts, in their order.
    """

    name: str
    rows: int
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    notes: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def scores(self) -> dict[str, Score]:
        """Name -> score with its interval."""
        return dict(self.section("scores").scores)

    def section(self, key: str) -> Any:
        """The part of this name: ``"scores"``, ``"report"``, ``"importance"`` ... Raises NameNotFoundError."""
        for section in self.sections:
            if section.key == key:
                return section
        known = dict.fromkeys(section.key for section in self.sections)
        raise NameNotFoundError(
            "the judgement has no such part", expected="one that it has", got=repr(key), fix=did_you_mean(key, known)
        )

    def table(self) -> Table:
        """The scores."""
        table: Table = self.section("scores").table()
        return table

    def with_sections(self, *more: Section) -> Judgement:
        """The same with further parts at the end."""
        return Judgement(self.name, self.rows, self.classes, self.targets, self.notes, (*self.sections, *more))

    def __str__(self) -> str:
        return "\n".join(line for part in self._printed(str) for line in part.split("\n"))

    def __rich__(self) -> Any:
        from rich.console import Group  # only where something is drawn
        from rich.text import Text

        parts = self._printed(lambda table: table.__rich__())
        return Group(*(Text(part) if isinstance(part, str) else part for part in parts))

    def show(self) -> None:
        """Print it: drawn on a terminal, else as plain text."""
        import sys

        if sys.stdout is not None and sys.stdout.isatty():
            from rich.console import Console

            Console().print(self)
        else:
            print(self)

    def _printed(self, draw: Callable[[Table], Any]) -> Iterator[Any]:
        """Lines of text, and tables as ``draw`` makes them."""
        yield from _wrapped([self.name, *self.notes])
        heading = ""
        for section in self.sections:
            if section.heading != heading:  # several of one kind stand below one heading
                heading = section.heading
                yield ""
                yield heading.upper()
            table = section.table()
            if table.rows:
                yield draw(table)
            yield from _wrapped(section.sentences())

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON knows: each part by its name, of several a list."""
        parts: dict[str, list[Any]] = {}
        for section in self.sections:
            parts.setdefault(section.key, []).append(section.to_dict())
        head = {name: plain(getattr(self, name)) for name in ("name", "rows", "classes", "targets", "notes")}
        return {**head, **{key: found if key in SEVERAL else found[0] for key, found in parts.items()}}

    def html(self) -> str:
        """One page with everything, pictures included; it asks nothing of the net.

        Raises: MissingPackageError without matplotlib.
        """
        return page.html(self.name, self.notes, self.sections)

    def write(self, path: FilePath) -> None:
        """Write the page into a file.

        Raises: MissingPackageError without matplotlib; StorageError.
        """
        atomic.write(path, [self.html().encode("utf-8", "replace")])


SEVERAL = ("residuals",)
"""Parts of which there is one for each target."""


def _wrapped(sentences: Sequence[str]) -> Iterator[str]:
    import textwrap

    for sentence in sentences:
        yield from textwrap.wrap(sentence, WIDTH, break_long_words=True) or [""]


@checked
def judge_predictions(
    y: Any,
    predictions: Any,
    *,
    classes: Any = None,
    targets: Any = None,
    columns: Mapping[str, Any] | None = None,
    by: str | None = None,
    groups: Any = None,
    rows: Any = None,
    name: str = "predictions",
    notes: Sequence[str] = (),
    conformal: Conformal | None = None,
    seed: int = 0,
) -> Judgement:
    """Judge finished predictions by their targets.

    Arguments:
        y, predictions, classes, targets: labels and probabilities, or numbers; see ``answers``.
        columns: name -> values of the same rows, shown beside the worst mistakes.
        by: one of the columns: the scores of each of its values.
        groups: one value per row; intervals are for other groups rather than for other rows.
        rows: the numbers of the rows in their table; 0, 1, 2 ... unless given.
        conformal: a model's own errors on rows held out before, for its intervals.
        seed: of the bootstrap.

    Raises: ShapeError, DataError or ArgumentError if these do not fit each other; NameNotFoundError for ``by``.
    """
    known = answers(y, predictions, classes=classes, targets=targets)
    numbers = np.arange(known.rows) if rows is None else np.asarray(rows)
    belong = None if groups is None else np.asarray(np.unique(np.asarray(groups), return_inverse=True)[1]).reshape(-1)
    parts = list(_sections(known, numbers, columns or {}, by, belong, conformal, seed))
    return Judgement(name, known.rows, known.classes, known.targets, tuple(notes), tuple(parts))


def _sections(
    known: Answers,
    numbers: np.ndarray,
    columns: Mapping[str, Any],
    by: str | None,
    groups: np.ndarray | None,
    conformal: Conformal | None,
    seed: int,
) -> Iterator[Section]:
    statistics = of_classes if known.classes else of_numbers
    names, least = statistics(constant(known))
    beside = dict(zip(names, least(np.ones(known.rows)).tolist(), strict=True))
    yield Scores(scores(known, seed, groups), beside, known.rows)
    if known.classes:
        report = Report.of(known)
        yield report
        yield Confusion(report.report.confusion.matrix, known.classes)
        curves = Curves.of(known)
        if curves is not None:
            yield curves
        yield Calibration.from_answers(known)
    else:
        yield from (Residuals.of(known, at) for at in range(len(known.targets)))
        intervals = Intervals.of(known, conformal, seed)
        if intervals is not None:
            yield intervals
    if by is not None:
        if by not in columns:
            raise NameNotFoundError(
                "there is no such column", expected="one of the columns", got=repr(by), fix=did_you_mean(by, columns)
            )
        yield by_groups(known, by, np.asarray(columns[by]), seed)
    yield worst(known, numbers, columns)


@checked
def judge(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    classes: Any = None,
    targets: Any = None,
    names: Sequence[str] | None = None,
    by: str | None = None,
    groups: Any = None,
    importance: bool = True,
    dependence: int = 6,
    name: str | None = None,
    rows: Any = None,
    notes: Sequence[str] = (),
    conformal: Conformal | None = None,
    seed: int = 0,
) -> Judgement:
    """Judge a model by rows that it was not trained on: scores, curves, calibration, worst mistakes, columns.

    Arguments:
        model: has ``predict``, or is a function from inputs to predictions; or takes tables, as a TableModel does.
        x: an array (rows, columns), a table of numbers, or a mapping of arrays, as the model takes it. Of other
            shapes, images say, columns have no meaning and are left out. For a model that takes tables: raw rows, with
            their targets; rows without are left out.
        y, classes, targets: as for ``judge_predictions``; a model that takes tables knows them, and one with
            ``class_names`` its classes.
        names: of the columns of one array.
        by: a column: the scores of each of its values.
        groups: one value per row, of a table also the name of its column: as for ``judge_predictions``.
        importance: whether to measure what each column is worth to the model.
        dependence: of so many columns it is shown how the predictions go with them, the most important first.
        name, rows, notes, conformal, seed: as for ``judge_predictions``; a TableModel may know its own errors.

    Raises: as ``judge_predictions``, and what the model raises for such rows.
    """
    predict = predictor(model)
    called = getattr(model, "name", "model") if name is None else name
    asked = Asked(by, importance, dependence, seed)
    shown: Mapping[str, np.ndarray]
    if y is None and isinstance(model, of_tables.TakesTables):
        own = of_tables.rows_of(model, predict, x)
        if isinstance(groups, str):
            groups = as_text(own.table.values(own.table.require(groups)))
        numbers = own.rows if rows is None else np.asarray(rows)[own.rows]
        columns, known, shown, notes = own.columns, own.known, own.shown, (*notes, *own.notes)
        conformal = model.conformal if conformal is None else conformal
    else:
        columns = columns_of(x, names)
        named = classes if classes is not None else getattr(model, "class_names", None) or None
        known = answers(y, predict(columns.inputs), classes=named, targets=targets)
        shown = {column: columns.shown(column) for column in columns.places}
        numbers = rows
    return judged(
        predict,
        columns,
        known,
        shown,
        asked,
        name=called,
        rows=numbers,
        notes=notes,
        groups=groups,
        conformal=conformal,
    )


@dataclass(frozen=True)
class Asked:
    """What is to be found out beside the scores: see ``judge``."""

    by: str | None = None
    importance: bool = True
    dependence: int = 6
    seed: int = 0


@dataclass(frozen=True)
class Ordered(Mapping[str, Any]):
    """A mapping in another order, which still reads only what is asked for."""

    values_by_name: Mapping[str, Any]
    order: tuple[str, ...]

    def __getitem__(self, name: str) -> Any:
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.order)

    def __len__(self) -> int:
        return len(self.order)


def judged(
    predict: Predict,
    columns: Columns,
    known: Answers,
    shown: Mapping[str, np.ndarray],
    asked: Asked,
    *,
    name: str,
    rows: np.ndarray | None = None,
    notes: Sequence[str] = (),
    groups: Any = None,
    conformal: Conformal | None = None,
) -> Judgement:
    """As ``judge``, of inputs that are encoded already and whose predictions are known.

    Arguments:
        shown: column -> (rows,) values before they were encoded.
        rows, conformal: as for ``judge_predictions``.
    """
    more: list[Section] = []
    order = list(shown)
    if asked.importance and columns.places:
        worth = importance_of(predict, columns, known, seed=asked.seed)
        more.append(worth)
        order = [*worth.columns, *(column for column in shown if column not in columns.places)]
        curves = [
            dependence_of(
                predict,
                columns,
                column,
                values=shown[column],
                classes=known.classes,
                targets=() if known.classes else known.targets,
                seed=asked.seed,
            )
            for column in worth.columns[: asked.dependence]
        ]
        if curves:
            more.append(Dependences(tuple(curves)))
    found = judge_predictions(
        known.truth,
        known.said,
        classes=known.classes,
        targets=known.targets,
        columns=Ordered(shown, tuple(order)),
        by=asked.by,
        groups=groups,
        rows=rows,
        name=name,
        notes=notes,
        conformal=conformal,
        seed=asked.seed,
    )
    return found.with_sections(*more)
