"""What tells data from other data: a few letters that are quick to find, however large the data are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["WHOLE_BYTES", "differences", "in_a_line", "of_arrays"]

WHOLE_BYTES = 4 << 20
"""Arrays up to this size are read as a whole, which takes some milliseconds; of larger ones so much is read."""

BLOCK_BYTES = 4096
"""Of a large array blocks of this size, or of a row if that is more, are read at equal distances, with both ends."""


def of_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """How many rows there are, and by label the dtype of an array, the shape of a row and a digest of its bytes.

    Of an array of more than 4 MB the digest is of a sample, spread over all of it: other data, another order and
    another cut are noticed, a change of few rows may not be.

    Example:
        >>> of_arrays({"x": np.zeros((5, 3), np.float32)})
        {'rows': 5, 'x': 'float32[3] 70f6d7685d5be129'}
    """
    rows = {len(array) for array in arrays.values() if array.ndim}
    told = {label: f"{array.dtype}{list(array.shape[1:])} {_digest(array)}" for label, array in arrays.items()}
    return {"rows": max(rows, default=0), **told}


def _digest(array: np.ndarray) -> str:
    digest = hashlib.blake2b(digest_size=8)
    if array.nbytes <= WHOLE_BYTES:
        digest.update(_bytes(array))
    else:
        rows, row_bytes = len(array), array.nbytes // len(array)
        size = max(1, BLOCK_BYTES // row_bytes)
        for start in np.linspace(0, rows - size, max(2, WHOLE_BYTES // (size * row_bytes)), dtype=np.int64).tolist():
            digest.update(_bytes(array[start : start + size]))
    return digest.hexdigest()


def _bytes(array: np.ndarray) -> Any:
    """Its numbers as they lie in memory; of objects their text."""
    return (
        repr(array.tolist()).encode() if array.dtype.hasobject else np.ascontiguousarray(array).reshape(-1).view("u1")
    )


def differences(now: Any, before: Any, where: str = "") -> list[str]:
    """What one fingerprint, or another value in JSON types, has otherwise than another, in words; none if nothing.

    Example:
        >>> differences({"rows": 100, "kind": "arrays"}, {"rows": 90, "kind": "arrays"})
        ['rows: 100, was 90']
    """
    pairs: list[tuple[str, Any, Any]]
    if isinstance(now, Mapping) and isinstance(before, Mapping):
        names = [*now, *(name for name in before if name not in now)]
        pairs = [(f"{where}.{name}" if where else name, now.get(name), before.get(name)) for name in names]
    elif isinstance(now, list) and isinstance(before, list) and len(now) == len(before):
        pairs = [(f"{where}[{number}]", *both) for number, both in enumerate(zip(now, before, strict=True))]
    else:  # as text, for which NaN is NaN
        return [] if repr(now) == repr(before) else [f"{where}: {_told(now)}, was {_told(before)}"]
    return [text for path, new, old in pairs for text in differences(new, old, path)]


def in_a_line(found: Sequence[str], most: int = 5) -> str:
    """The first of some differences, and how many more there are."""
    more = f"; and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(found[:most]) + more


def _told(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} of them"
    if isinstance(value, Mapping):
        return f"a {value.get('class_name', 'mapping')}"
    return "not there" if value is None else f"{value}"[:60]
