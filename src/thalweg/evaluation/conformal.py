"""Intervals for predictions of numbers, as wide as the errors on held-out rows say, with a guarantee (split conformal).

For each share of rows that are to lie inside there is one width, that of an order statistic of the errors. The only
assumption is that new rows come from where the held-out ones came from; the network may be as wrong as it likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, check_value, checked
from thalweg.errors import DataError, FileFormatError
from thalweg.evaluation.answers import answers
from thalweg.fields import dataclass

Coverage = Annotated[float, In("(0, 1)")]

MOST_ERRORS = 4000
"""Kept: of more held-out rows every k-th in rank, always the larger of those it stands for."""


@dataclass(frozen=True)
class Conformal:
    """What is known of the errors on ``rows`` held-out rows.

    Attributes:
        errors: (targets, kept): absolute errors, rising, of each target.
        ranks: (kept,): which of all errors each is, from 1 to ``rows``.
        rows: how many rows were held out.
    """

    errors: np.ndarray
    ranks: np.ndarray
    rows: int

    @classmethod
    def of(cls, y: Any, predictions: Any) -> Conformal:
        """From the targets and predictions of rows that the model was neither trained nor chosen by.

        Raises: ShapeError or DataError if they do not fit each other.
        """
        found = answers(y, predictions, classes=())
        errors = np.sort(np.abs(found.said - found.truth), axis=0).T
        kept = np.unique(np.ceil(np.linspace(1, found.rows, min(MOST_ERRORS, found.rows))).astype(np.int64))
        return cls(errors[:, kept - 1], kept, found.rows)

    @checked
    def half_width(self, coverage: Coverage = 0.9) -> np.ndarray:
        """How far an interval goes to both sides. Shapes: -> (targets,).

        Raises: DataError if there are too few held-out rows for the coverage.
        """
        place = self._place(check_value("half_width", "coverage", Coverage, coverage))
        return self.errors[:, np.searchsorted(self.ranks, place)]

    def interval(self, predictions: Any, coverage: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """(low, high), each shaped as the predictions: (n, targets), or of one target also (n,)."""
        said = np.asarray(predictions)
        width = self.half_width(coverage).astype(said.dtype)
        width = width[0] if said.ndim == 1 else width
        return said - width, said + width

    def promise(self, coverage: float = 0.9) -> str:
        """What the intervals hold and what not, in words."""
        place = self._place(coverage)
        # The share of new rows that lies within the place-th of n errors is distributed as Beta(place, n + 1 - place):
        # Vovk (2012), arXiv:1209.2673. Its quantiles by drawing, to two digits.
        beta = np.random.default_rng(0).beta(place, self.rows + 1 - place, 100_000)
        low, high = np.quantile(beta, [0.025, 0.975])
        return (
            f"Intervals of {coverage:.0%} from {self.rows} held-out rows: of new rows from the same source, between "
            f"{low:.1%} and {high:.1%} will lie inside (in 95 of 100 such cases), on the average over all rows; for a "
            "group of rows it may be fewer, and nothing is promised of rows from elsewhere or of a later time"
        )

    def _place(self, coverage: float) -> int:
        """The rank of the error that is the half width, ``ceil((n + 1) coverage)``.

        Source: Lei et al. (2018), JASA 113, Algorithm 2.
        """
        place = int(np.ceil((self.rows + 1) * coverage - 1e-9))
        if place > self.rows:
            raise DataError(
                f"there are too few held-out rows for intervals of {coverage:.4g}",
                expected=f"at least {int(np.ceil(coverage / (1 - coverage) - 1e-9))} rows",
                got=f"{self.rows}",
                fix=f"ask for at most {self.rows / (self.rows + 1):.4g}, or hold out more rows",
            )
        return place

    def to_dict(self) -> dict[str, Any]:
        """As what JSON knows."""
        return {"errors": self.errors.tolist(), "ranks": self.ranks.tolist(), "rows": self.rows}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Conformal:
        """What ``to_dict`` gave. Raises FileFormatError for anything else."""
        try:
            errors, ranks = np.array(found["errors"], np.float64), np.array(found["ranks"], np.int64)
            rows = int(found["rows"])
            whole = errors.ndim == 2 and errors.shape[1] == len(ranks) > 0 and ranks[-1] == rows
            rising = (np.diff(errors) >= 0).all() and (np.diff(ranks) > 0).all() and ranks[0] >= 1
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise _damaged(repr(error)) from error
        if not whole or not rising or not np.isfinite(errors).all():
            raise _damaged("errors that do not rise, or not one for each rank")
        return cls(errors, ranks, rows)


def _damaged(got: str) -> FileFormatError:
    return FileFormatError(
        "the errors that intervals are made from are damaged",
        expected="errors, ranks and rows, as Conformal.to_dict gives them",
        got=got,
        fix="save the model anew",
    )
