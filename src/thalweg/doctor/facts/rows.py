"""Rows to look at: few enough to be quick, from all over the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from thalweg.data.source import Arrays

INPUT, TARGET = "x", "y"
"""What the labels of inputs and of targets are, or begin with."""

NUMBERS = 500_000
"""That are looked at: a millisecond's work."""

FEWEST_OF_A_UNIT = 16
"""Columns, to see that they are of one unit."""

LARGEST = 1e15
"""Numbers beyond, whose squares cannot be added up, count as this."""


def of_kind(arrays: Arrays, kind: str) -> dict[str, np.ndarray]:
    """The inputs, or the targets, that hold numbers and have rows."""
    return {
        label: array
        for label, array in arrays.items()
        if (label == kind or label.startswith(f"{kind}/")) and array.dtype.kind in "biuf" and array.ndim and array.size
    }


def count(arrays: Mapping[str, np.ndarray]) -> int:
    """How many rows there are."""
    return min((len(array) for array in arrays.values()), default=0)


def size(array: np.ndarray) -> int:
    """Of a row."""
    return max(1, array.size // max(len(array), 1))


def spread(rows: int, wanted: int) -> slice:
    """At most so many rows, at equal distances."""
    return slice(0, None, max(1, -(-rows // max(wanted, 1))))


def sample(array: np.ndarray, rows: int, numbers: int = NUMBERS) -> np.ndarray:
    """At most so many rows with about so many numbers, flat, float32 or float64 as they are.

    Shapes: (all rows, ...) -> (rows, numbers of a row).
    """
    part = array[spread(len(array), min(rows, max(numbers // size(array), 16)))]
    dtype = np.float64 if part.dtype == np.float64 else np.float32
    flat: np.ndarray = part.reshape(len(part), -1).astype(dtype, copy=False)
    return flat


def finite(x: np.ndarray) -> np.ndarray:
    """With 0 in place of what is not finite, and what is too large cut off."""
    with np.errstate(all="ignore"):
        flat = x.reshape(-1)
        if np.isfinite(np.dot(flat, flat)):
            return x
        filled: np.ndarray = np.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0)
        return filled.clip(-LARGEST, LARGEST)


def matrix(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays side by side, a row for each row; float32, finite."""
    parts = [x.reshape(len(x), -1).astype(np.float32, copy=False) for x in arrays]
    return finite(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1))


def keys(arrays: list[np.ndarray]) -> np.ndarray:
    """A number for each row, of all arrays together, equal for equal rows and hardly ever for others.

    Shapes: each (rows, ...) -> (rows,) uint64.
    """
    random = np.random.default_rng(0)
    found = np.zeros(len(arrays[0]), np.uint64)
    for x in arrays:
        bits = _bits(x.reshape(len(x), -1))
        factors = random.integers(0, 2**63, bits.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
        found += bits @ factors  # modulo 2^64
    return found


def _bits(x: np.ndarray) -> np.ndarray:
    """As whole numbers, equal for equal numbers."""
    if x.dtype.kind != "f":
        return x.astype(np.uint64)
    exact = (x.astype(np.float64) if x.dtype.itemsize not in (4, 8) else x) + 0.0  # -0 is 0
    return exact.view(np.uint32 if exact.dtype.itemsize == 4 else np.uint64).astype(np.uint64)


def scales(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of columns: which change, their means, and what to divide them by so that none outweighs the others.

    That is their own deviation; but all columns' together where they are of one unit, as pixels are: many have about
    the widest range of all. A pixel at the edge that is hardly ever set would else count as much as one in the middle.

    Shapes: x (rows, columns) -> (changing columns,) each.
    """
    center, deviation = x.mean(axis=0), x.std(axis=0)
    moving = np.flatnonzero(deviation > 1e-6 * np.abs(center))
    own = deviation[moving]
    ranges = np.ptp(x[:, moving], axis=0)
    if len(moving) >= FEWEST_OF_A_UNIT and (ranges > 0.8 * ranges.max()).mean() > 0.25:
        own = np.full(len(own), np.sqrt(np.square(own).mean()), own.dtype)
    return moving, center[moving], own
