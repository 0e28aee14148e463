"""A part of a judgement: printed, as plain values for JSON, and with its pictures on a page."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from thalweg.fields import dataclass
from thalweg.table import Table, Tabular

WIDTH = 80
"""Columns of a terminal that everything fits into."""


@dataclass(frozen=True)
class Picture:
    """One to draw: below it stands the caption.

    Attributes:
        draw: draws it on matplotlib's axes.
        width, height: in inches, as matplotlib has it; 96 of the page's pixels each.
    """

    caption: str
    draw: Callable[[Any], Any]
    width: float = 4.0
    height: float = 3.1


class Section(Tabular):
    """The base of the parts of a judgement. A subclass has dataclass fields and a table, and may have more to say."""

    key: ClassVar[str]
    heading: ClassVar[str]

    def page_tables(self) -> list[Table]:
        """What stands on a page, which has more room."""
        return [self.table()]

    def sentences(self) -> list[str]:
        """What the numbers mean, in plain words."""
        return []

    def pictures(self) -> Iterator[Picture]:
        """What is drawn on a page: of a section with ``plot`` that."""
        plot = getattr(self, "plot", None)
        if plot is not None:
            yield Picture("", plot)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values that JSON knows; None for what is no finite number."""
        found: dict[str, Any] = plain(self)
        return found


def plain(value: Any) -> Any:
    """As what JSON knows: mappings, lists, text, finite numbers and None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def short(text: Any, width: int) -> str:
    """One line of at most so many characters; what is cut off is shown by three dots.

    Example:
        >>> short("the first line and more", 12)
        'the first...'
    """
    line = " ".join(str(text).split())
    return line if len(line) <= width else line[: max(1, width - 3)].rstrip() + "..."


def fitted(header: list[str], rows: list[list[str]], width: int = WIDTH) -> int:
    """How many of the first columns fit into the width, two spaces between them."""
    used = -2
    for count, cells in enumerate(zip(header, *rows, strict=True)):
        used += 2 + max(map(len, cells))
        if used > width:
            return count
    return len(header)
