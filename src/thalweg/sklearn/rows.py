"""The rows that an estimator gets: dense, or sparse and made dense a piece at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from thalweg.data.fingerprint import of_arrays
from thalweg.data.source import CHUNK_BYTES, Arrays, Chunk, Indexed, Rows


class SparseRows(Indexed):
    """Rows of which the features are a matrix of SciPy: made dense some batches at a time, in the order wanted.

    Arguments:
        x: in compressed rows.
        others: the arrays beside the features.
    """

    def __init__(self, x: Any, others: Arrays) -> None:
        self.x = x
        self.others = others
        self.count = x.shape[0]

    def fingerprint(self) -> dict[str, Any]:
        """See Source."""
        parts = {"x": self.x.data, "x/indices": self.x.indices, "x/indptr": self.x.indptr, **self.others}
        return {**of_arrays(parts), "rows": self.count}

    @property
    def labels(self) -> tuple[str, ...]:
        """See Source."""
        return ("x", *self.others)

    def gathered(self, order: np.ndarray | None, start: int, stop: int, batch: int) -> Iterator[Chunk]:
        """See Indexed."""
        row_bytes = max(self.x.shape[1] * self.x.dtype.itemsize, 1)
        size = max(1, CHUNK_BYTES // (row_bytes * batch)) * batch
        for first in range(start, stop, size):
            last = min(first + size, stop)
            rows = np.arange(first, last) if order is None else order[first:last]
            arrays = {label: array[rows] for label, array in self.others.items()}
            yield Chunk({"x": self.x[rows].toarray(), **arrays}, np.arange(len(rows)), batch)


def rows_of(x: Any, dtype: str, **others: np.ndarray | None) -> Indexed:
    """Features, dense or sparse, and what goes with them, where it is there.

    Arguments:
        dtype: of the arithmetic, which features are cast to.
    """
    beside = {label: array for label, array in others.items() if array is not None}
    if isinstance(x, np.ndarray):
        return Rows({"x": np.ascontiguousarray(x, dtype), **beside})
    return SparseRows(x.tocsr().astype(dtype, copy=False), beside)
