"""How sure a score is: the same score of rows that are drawn again and again, with repetition, from those there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from thalweg.fields import dataclass

LEVEL = 0.95
"""How often an interval holds the score of all such rows."""

MOST_DRAWS, FEWEST_DRAWS, WORK = 1000, 200, 2e7
"""So many draws, fewer for many rows: 200 still place the ends of an interval to within a tenth of its width."""


@dataclass(frozen=True)
class Score:
    """A score and the interval in which that of all such rows lies, in 95 of 100 cases; NaN where there is none."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    def __str__(self) -> str:
        return f"{number(self.value)} {self.interval}".rstrip()

    @property
    def interval(self) -> str:
        """``"[0.81, 0.93]"``; empty where there is none."""
        return "" if np.isnan(self.low) else f"[{number(self.low)}, {number(self.high)}]"


def number(value: float) -> str:
    """A number as it is printed, with four digits or so.

    Example:
        >>> number(0.5), number(31234.5), number(1.2e-5), number(-45.678), number(float("nan"))
        ('0.500', '31234', '1.2e-05', '-45.68', '-')
    """
    size = abs(value)
    if not np.isfinite(value):
        return "-"
    if size >= 1e7 or 0 < size < 0.001:
        return f"{value:.3g}"
    return f"{value:.{3 - int(size >= 10) - int(size >= 100) - int(size >= 1000)}f}"


def decimals(values: Sequence[float], digits: int = 3) -> int:
    """So many decimal places show the largest of the numbers with so many digits.

    Example:
        >>> decimals([0.0123, -0.4]), decimals([1234.0])
        (3, 0)
    """
    largest = max((abs(value) for value in values if np.isfinite(value)), default=0.0)
    return int(np.clip(digits - 1 - np.floor(np.log10(largest)), 0, 12)) if largest > 0 else digits


def draws(rows: int, work_per_row: int = 1) -> int:
    """How often to draw: so that all of it takes a second or so."""
    return int(np.clip(WORK / (max(1000, rows) * work_per_row), FEWEST_DRAWS, MOST_DRAWS))


def drawn(rows: int, times: int, seed: int, groups: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """How often each row is drawn, ``times`` over. Shapes: groups (rows,) -> each (rows,) float64.

    Arguments:
        groups: numbers of groups that are drawn whole: rows of one patient say less than as many of different ones.
    """
    random = np.random.default_rng(seed)
    count = rows if groups is None else int(groups.max()) + 1
    for _ in range(times):
        weight = np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64)
        yield weight if groups is None else weight[groups]


def scored(
    statistics: Callable[[np.ndarray], np.ndarray],
    rows: int,
    seed: int,
    groups: np.ndarray | None = None,
    work_per_row: int = 1,
) -> list[Score]:
    """The scores of all rows, with the percentile interval of the bootstrap.

    Arguments:
        statistics: how often each row counts (rows,) -> the scores (k,); NaN where one is undefined.

    Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    values = statistics(np.ones(rows))
    if rows < 2 or (groups is not None and groups.max() < 1):
        return [Score(float(value)) for value in values]
    samples = np.array([statistics(weight) for weight in drawn(rows, draws(rows, work_per_row), seed, groups)])
    return [Score(float(value), *limits(sample)) for value, sample in zip(values, samples.T, strict=True)]


def limits(sample: np.ndarray) -> tuple[float, float]:
    """The interval that leaves equally many of the draws out on both sides.

    NaN if fewer than half are defined, and if all are the same: where every answer is right these rows show no
    variation, and that is no proof that others would not.
    """
    defined = sample[np.isfinite(sample)]
    if len(defined) < len(sample) / 2 or np.ptp(defined) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def share_limits(share: float, rows: int) -> tuple[float, float]:
    """The interval for a share of independent rows, which is sound also where none or all are so.

    Source: Wilson (1927), JASA 22.
    """
    z = 1.959964
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))
