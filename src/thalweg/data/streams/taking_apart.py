"""A part of a stream as a user's code gave it, taken apart; and errors that say which part they are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from thalweg.data.arrays import as_array
from thalweg.data.source import common_length
from thalweg.errors import DataError, ShapeError, ThalwegError
from thalweg.fields import dataclass
from thalweg.trees import LEAF, Tree, TreeForm, flatten, paths

__all__ = ["Part", "failed", "named", "on_the_cpu", "taken_apart"]


@dataclass(frozen=True)
class Part:
    """A part taken apart: its arrays, and how they are nested."""

    leaves: list[np.ndarray]
    form: TreeForm
    rows: int

    def after(self, rows: int) -> Part | None:
        """What comes after so many rows; None for nothing."""
        if rows >= self.rows:
            return None
        return Part([leaf[rows:] for leaf in self.leaves], self.form, self.rows - rows)

    def until(self, rows: int) -> Part:
        """At most the first so many rows."""
        return self if rows >= self.rows else Part([leaf[:rows] for leaf in self.leaves], self.form, rows)


def taken_apart(given: Tree) -> Part:
    """A part as it came from a user. Raises DTypeError, ShapeError or DataError for what no steps can be made on."""
    if type(given) is tuple and all(type(one) is np.ndarray and one.dtype.kind in "fiu" for one in given):
        sizes = {one.shape[:1] for one in given}  # what most give, at a tenth of the price
        if len(sizes) == 1 and sizes not in ({()}, {(0,)}):
            return Part(list(given), TreeForm(tuple, (), (LEAF,) * len(given)), len(given[0]))
    leaves, form = flatten(_arrays_only(given))
    for place, leaf in zip(paths(form, "batch"), leaves, strict=True):
        if not leaf.ndim:
            raise ShapeError(f"{place} is one number", expected="(rows, ...)", got="()", fix="give it an axis of rows")
    rows = common_length(dict(zip(paths(form, "batch"), leaves, strict=True))) if leaves else 0
    if not rows:
        raise DataError("the batch has no rows", expected="at least 1", got="0", fix="leave it out")
    return Part(leaves, form, rows)


def _arrays_only(value: Any) -> Tree:
    """Lists of numbers become arrays; containers of arrays stay what they are."""
    if value is None:
        return None
    if isinstance(value, Mapping) and not hasattr(value, "columns"):
        return {key: _arrays_only(part) for key, part in value.items()}
    if isinstance(value, tuple) or (isinstance(value, list) and _holds_arrays(value)):
        parts = [_arrays_only(part) for part in value]
        return parts if isinstance(value, list) else tuple(parts)
    return as_array(on_the_cpu(value), "the batch")


def on_the_cpu(value: Any) -> Any:
    """PyTorch's tensor as an array, wherever it is; anything else as it came."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def _holds_arrays(value: list[Any] | tuple[Any, ...]) -> bool:
    return any(
        isinstance(part, Mapping)
        or getattr(part, "ndim", 0) > 0
        or (isinstance(part, list | tuple) and _holds_arrays(part))
        for part in value
    )


def named(error: ThalwegError, number: int, name: str, what: str = "batch") -> ThalwegError:
    """The error with the part where it is."""
    return type(error)(
        f"{what} {number} of {name}, counted from 0: {error.problem}",
        expected=error.expected,
        got=error.got,
        fix=error.fix,
        layer=error.layer,
    )


def failed(error: BaseException, number: int, name: str) -> ThalwegError:
    """What a user's code raised, as an error that says which batch it was to give."""
    if isinstance(error, ThalwegError):
        return named(error, number, name)
    made = DataError(
        f"{name} failed at batch {number}, counted from 0",
        expected="a batch, or the end of the data",
        got=f"{type(error).__name__}: {str(error)[:300]}",
        fix="mend what makes the batches; the model and its history are as after the batch before",
    )
    made.__cause__ = error
    return made
