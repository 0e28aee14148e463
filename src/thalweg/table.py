"""Tables of results: plain text wherever they are printed, drawn by rich on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from thalweg.fields import dataclass

NARROWEST = 20
"""Letters of the first column that stay where a table has to be narrow."""


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header; the first ``left`` columns to the left, all others to the right.

    ``print(table)`` writes plain text, ``table.show()`` and ``rich.print(table)`` draw it.

    Example:
        >>> print(Table("digits", ("class", "recall"), (("0", "0.98"), ("1", "0.99"))))
        digits
        class  recall
        -------------
        0        0.98
        1        0.99
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1

    def narrowed(self, width: int) -> Table:
        """The same in so many letters a line, as nearly as that goes: the cells of the first column are cut, and where
        that is not enough, columns at the end are left out.
        """
        first, *others = self._widths()
        narrowest = min(first, NARROWEST)
        while others and narrowest + sum(others) + 2 * len(others) > width:
            others.pop()
        room = max(width - sum(others) - 2 * len(others), narrowest)
        header, *rows = (
            (name if len(name) <= room else f"{name[: room - 3]}...", *rest[: len(others)])
            for name, *rest in (self.header, *self.rows)
        )
        return Table(self.title, header, rows, self.left)

    def _widths(self) -> list[int]:
        """Of each column."""
        return [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]

    def __str__(self) -> str:
        lines = [list(self.header), *map(list, self.rows)]
        widths = self._widths()
        text = ["  ".join(_padded(cells, widths, self.left)).rstrip() for cells in lines]
        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        return "\n".join([*([self.title] if self.title else []), text[0], rule, *text[1:]])

    def __rich__(self) -> Any:
        from rich.table import Table as RichTable  # only where something is drawn
        from rich.text import Text  # brackets in a user's names are no markup

        table = RichTable(title=Text(self.title) if self.title else None)
        for number, name in enumerate(self.header):
            table.add_column(Text(name), justify="left" if number < self.left else "right")
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table

    def show(self) -> None:
        """Print it: drawn on a terminal, else as plain text."""
        if sys.stdout is not None and sys.stdout.isatty():
            from rich.console import Console

            Console().print(self)
        else:
            print(self)


class Tabular:
    """The base of results that are printed as a table. A subclass writes ``table``."""

    def table(self) -> Table:
        """The result as a table."""
        raise NotImplementedError(f"{type(self).__name__} has no table()")

    def __str__(self) -> str:
        return str(self.table())

    def __rich__(self) -> Any:
        return self.table().__rich__()

    def show(self) -> None:
        """Print the table: drawn on a terminal, else as plain text."""
        self.table().show()


def _padded(cells: Sequence[str], widths: Sequence[int], left: int) -> list[str]:
    return [
        cell.ljust(width) if number < left else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
