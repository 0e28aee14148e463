"""Arrays that stay as they are, of which an executor that computes elsewhere may keep copies there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Staying(dict[str, np.ndarray]):
    """Arrays by label that nobody changes as long as this mapping is there, and that are asked for again and again.

    Copies live as long as it does: whoever makes another mapping of the same arrays gets new ones.
    """

    __slots__ = ("_copies",)

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        super().__init__(arrays)
        self._copies: dict[tuple[str, Any], Any] = {}

    def copy_of(self, label: str, where: Any, make: Callable[[np.ndarray], Any]) -> Any:
        """The array where an executor wants it: what ``make`` made of it at first.

        Arguments:
            where: what tells such places apart, hashable.
        """
        copy = self._copies.get((label, where))
        if copy is None:
            copy = self._copies[label, where] = make(self[label])
        return copy

    def has_copies(self, where: Any) -> bool:
        """Whether some of the arrays were copied there."""
        return any(place == where for _, place in self._copies)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are of the arrays alone."""
        return Staying, (dict(self),)
