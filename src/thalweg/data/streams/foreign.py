"""Other libraries' data sets as parts: PyTorch's Dataset and DataLoader, Hugging Face's datasets.

None of these is imported here: what hands one in has it loaded.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from thalweg.data.source import Place, Turn
from thalweg.data.streams.parts import LOOKED_AT, Iterables, Parts
from thalweg.data.streams.rows import NumberedRows
from thalweg.data.streams.taking_apart import on_the_cpu
from thalweg.errors import ArgumentError, ShapeError, did_you_mean, listed
from thalweg.trees import Tree, flatten, unflatten

__all__ = ["Columns", "Loaders", "RowIterables", "numbered", "of_hugging_face"]


def stacked(rows: Sequence[Tree]) -> Tree:
    """Rows, each without an axis of rows, as one part."""
    forms = [flatten(on_the_cpu(row)) for row in rows]
    leaves, form = forms[0]
    columns = []
    for place in range(len(leaves)):
        column = [np.asarray(on_the_cpu(own[place])) for own, _ in forms]
        if len({one.shape for one in column}) != 1:
            raise ShapeError(
                "the rows of the data set are not alike",
                expected=f"all of shape {column[0].shape}, as the first",
                got=", ".join(sorted({str(one.shape) for one in column})[:5]),
                fix="bring them to one shape in the data set",
            )
        columns.append(np.stack(column))
    return unflatten(form, iter(columns))


def numbered(dataset: Any) -> NumberedRows:
    """A data set that has a length and gives any row by its number, (x, y) for one."""
    name, count = type(dataset).__name__, len(dataset)
    size = sum(np.asarray(on_the_cpu(leaf)).nbytes for leaf in flatten(dataset[0])[0]) if count else 1
    return NumberedRows(name, count, lambda rows: stacked([dataset[row] for row in rows.tolist()]), size)


class RowIterables(Parts):
    """Something whose iteration gives row by row."""

    own = False

    def __init__(self, iterable: Iterable[Tree]) -> None:
        self.iterable = iterable
        self.name = type(iterable).__name__

    def read(self, turn: Turn, start: Place, batch: int | None) -> Iterator[Tree]:
        rows = itertools.islice(iter(self.iterable), start.rows, None)
        while some := list(itertools.islice(rows, batch or LOOKED_AT)):
            yield stacked(some)


class Loaders(Iterables):
    """PyTorch's DataLoader. What it draws from PyTorch's own generator is of the seed and the pass alone.

    Where it has a generator of its own, the passes before are iterated again when a training goes on.
    """

    def read(self, turn: Turn, start: Place, batch: int | None) -> Iterator[Tree]:
        if getattr(self.iterable, "generator", None) is not None:
            return super().read(turn, start, batch)
        return itertools.islice(self._drawn(turn), start.batches, None)

    def first(self) -> Tree:
        return next(self._drawn(Turn())) if getattr(self.iterable, "generator", None) is None else super().first()

    def _drawn(self, turn: Turn) -> Iterator[Tree]:
        """The batches of a pass; PyTorch's generator is as it was whenever somebody else may draw from it."""
        random = sys.modules["torch"].random
        outside = random.get_rng_state()
        random.manual_seed(int(np.random.SeedSequence([turn.seed, turn.number]).generate_state(1, np.uint64)[0] >> 1))
        inside = random.get_rng_state()
        random.set_rng_state(outside)
        iterator: Iterator[Tree] | None = None
        while True:
            outside = random.get_rng_state()
            random.set_rng_state(inside)
            try:
                iterator = iter(self.iterable) if iterator is None else iterator
                part = next(iterator, self)
                inside = random.get_rng_state()
            finally:
                random.set_rng_state(outside)
            if part is self:
                return
            yield part


class Columns:
    """Rows of named columns as (x, y): the others as a mapping, or as one array if there is only one.

    Arguments:
        names: all of them.
        target: the name of that which is to be predicted, or several; None for none.
    """

    def __init__(self, names: Sequence[str], target: Any) -> None:
        self.targets = [target] if isinstance(target, str) else list(target or ())
        for name in self.targets:
            if name not in names:
                raise ArgumentError(
                    f"y names a column that is not there: {name!r}",
                    expected=f"one of {listed(names)}",
                    got=repr(name),
                    fix=did_you_mean(name, names),
                )
        self.inputs = [name for name in names if name not in self.targets]

    def __call__(self, row: dict[str, Any]) -> Tree:
        x, y = self._chosen(row, self.inputs), self._chosen(row, self.targets)
        return (x, y) if self.targets else x

    @staticmethod
    def _chosen(row: dict[str, Any], names: list[str]) -> Any:
        return row[names[0]] if len(names) == 1 else {name: row[name] for name in names}


def of_hugging_face(dataset: Any, target: Any) -> Parts:
    """A ``datasets.Dataset`` or ``IterableDataset``; ``target`` is the name of the column to predict."""
    names = dataset.column_names
    if names is None:
        names = list(next(iter(dataset)))
    columns = Columns(names, target)
    plain = dataset.with_format("numpy")
    if hasattr(dataset, "__len__"):
        row = plain[0] if len(dataset) else {}
        size = sum(np.asarray(value).nbytes for value in row.values())
        return NumberedRows("Dataset", len(dataset), lambda rows: columns(plain[rows.tolist()]), size)
    return RowIterables(_Mapped(plain, columns))


class _Mapped:
    """An iterable whose every row goes through a function."""

    def __init__(self, iterable: Iterable[Any], function: Any) -> None:
        self.iterable, self.function = iterable, function

    def __iter__(self) -> Iterator[Any]:
        return map(self.function, self.iterable)
