"""What users hand in for a stream, told from arrays and made into parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from thalweg.data.streams.foreign import Loaders, RowIterables, numbered, of_hugging_face
from thalweg.data.streams.parts import Functions, Iterables, Iterators, Parts
from thalweg.data.streams.py_dataset import DatasetParts, PyDataset
from thalweg.errors import ArgumentError

__all__ = ["has_columns", "parts_of", "refuse_beside"]


def parts_of(x: Any, target: Any = None) -> Parts | None:
    """The parts of a stream; None for arrays, tables, and whatever else is no stream.

    Arguments:
        target: of data with named columns the name of the one to predict.
    """
    if isinstance(x, Parts):
        return x
    if isinstance(x, np.ndarray | Mapping | Sequence | Set) or x is None:
        return None
    if isinstance(x, PyDataset) or _is(x, "PyDataset", "keras."):
        return DatasetParts(x)
    if has_columns(x):
        return of_hugging_face(x, target)
    if _is(x, "DataLoader", "torch."):
        return Loaders(x)
    if _is(x, "IterableDataset", "torch."):
        return RowIterables(x)
    if _is(x, "Dataset", "torch."):
        return numbered(x)
    if hasattr(x, "__next__"):
        return Iterators(x)
    if any(hasattr(x, name) for name in ("__array__", "shape", "columns", "dtype", "__buffer__", "typecode")):
        return None
    if hasattr(x, "__iter__"):
        return Iterables(x)
    return Functions(x) if callable(x) and not isinstance(x, type) else None


def has_columns(x: Any) -> bool:
    """Whether these are rows of named columns, one of which may be the target."""
    return _is(x, "Dataset", "datasets.") or _is(x, "IterableDataset", "datasets.")


def _is(x: Any, name: str, module: str) -> bool:
    """Whether a class of this name, of a library that need not be there, is among those of ``x``."""
    return any(cls.__name__ == name and cls.__module__.startswith(module) for cls in type(x).__mro__)


def refuse_beside(parts: Parts, owner: str, **others: Any) -> None:
    """Raise ArgumentError for an argument that has no meaning beside a stream."""
    for name, value in others.items():
        if value is not None:
            raise ArgumentError(
                f"{owner}: {name} is given beside {parts.name}, which gives whole batches",
                expected="batches of (x, y) or (x, y, sample_weight) from the stream, and nothing beside it",
                got=f"{name} of type {type(value).__name__}",
                fix=f"let the stream yield it as a part of each batch, and leave {name} out",
            )
