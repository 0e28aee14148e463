"""A column of text: each different word once, and for each row which one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from thalweg.fields import dataclass

__all__ = ["Words"]


@dataclass(frozen=True)
class Words:
    """Text of many rows. Millions of rows have thousands of words: what is asked of words is asked of each once.

    Shapes: codes (rows,) int32, -1 where it is missing; words (words,) objects.
    """

    codes: np.ndarray
    words: np.ndarray

    @classmethod
    def of(cls, values: Iterable[str | None], length: int) -> Words:
        """From the text of each row, None where it is missing."""
        known: dict[str | None, int] = {None: -1}
        codes = np.fromiter((known.setdefault(value, len(known) - 1) for value in values), np.int32, length)
        del known[None]
        return cls(codes, objects(known))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Words:
        return Words(self.codes[rows], self.words)

    def array(self) -> np.ndarray:
        """The text of each row, None where it is missing."""
        return self.spread(self.words, None)

    def spread(self, answers: np.ndarray, missing: Any) -> np.ndarray:
        """For each row the answer that belongs to its word. Shapes: (words,) -> (rows,)."""
        of_rows: np.ndarray = np.append(answers, np.array([missing], answers.dtype))[self.codes]
        return of_rows

    def ranks(self) -> np.ndarray:
        """For each row the place of its word among all words in their order, -1 where it is missing."""
        ranks = np.empty(len(self.words), np.int32)
        ranks[sorted(range(len(self.words)), key=self.words.tolist().__getitem__)] = np.arange(len(self.words))
        return self.spread(ranks, -1)

    def counts(self) -> list[tuple[str, int]]:
        """The words that are there and how often, the most frequent first; equally frequent ones by their order."""
        counted = np.bincount(self.codes + 1, minlength=len(self.words) + 1)[1:]
        there = np.flatnonzero(counted)
        pairs = zip(self.words[there].tolist(), counted[there].tolist(), strict=True)
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


def objects(values: Iterable[Any]) -> np.ndarray:
    """An array of objects, whatever they are."""
    several = list(values)
    array = np.empty(len(several), object)
    array[:] = several
    return array
