"""What is odd about rows beside those of training: values that were never seen, columns that are missing altogether."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from thalweg.data.tables.encodings import MISSING, MISSING_MOMENT, UNSEEN
from thalweg.tables.schema import Column, Schema

__all__ = ["Oddities"]

FEWEST_ODD = 10
"""So many rows at least must be odd before it is worth a word."""
ODD_SHARE = 0.5


class Oddities:
    """Counts them over the pieces of a table."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.rows = 0
        self._present = {group: np.zeros(len(columns), np.int64) for group, columns in schema.groups.items()}
        self._unseen = {group: np.zeros(len(columns), np.int64) for group, columns in schema.groups.items()}

    def add(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Count further encoded rows. Shapes: group -> (rows, columns of the group)."""
        self.rows += len(next(iter(arrays.values())))
        for group, present in self._present.items():
            present += np.count_nonzero(_is_present(arrays[group], group), axis=0)
            if group == "codes":
                self._unseen[group] += np.count_nonzero(arrays[group] == UNSEEN, axis=0)

    def sentences(self, above: float = ODD_SHARE) -> list[str]:
        """One for each odd column; a few rows say nothing.

        Arguments:
            above: a share; of the values that are there more must be new before it is said.
        """
        if self.rows < FEWEST_ODD:
            return []
        return [
            sentence
            for group, columns in self.schema.groups.items()
            for column, present, unseen in zip(
                columns, self._present[group].tolist(), self._unseen[group].tolist(), strict=True
            )
            if (sentence := self._sentence(column, present, unseen, above))
        ]

    def _sentence(self, column: Column, present: int, unseen: int, above: float) -> str:
        # Rare categories count as never seen in training too, but they are few.
        if unseen > above * present and len(column.categories) == column.distinct:
            return f"{unseen:,} of the {present:,} values of {column.name!r} were never seen in training"
        if not present and column.missing < ODD_SHARE:
            return f"{column.name!r} is missing in all rows; in training it was in {column.missing:.0%}"
        return ""


def _is_present(values: np.ndarray, group: str) -> np.ndarray:
    if group == "numbers":
        present: np.ndarray = ~np.isnan(values)
    else:
        present = values != (MISSING if group == "codes" else MISSING_MOMENT)
    return present
