"""Tables into files, a piece at a time: CSV, TSV, JSON lines, Parquet, and text to standard output."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

import numpy as np

from thalweg.checks import check_value
from thalweg.data import atomic
from thalweg.data.tables.arrays import typed
from thalweg.data.tables.database import connect, explained, literal, quoted
from thalweg.errors import ArgumentError, ShapeError

__all__ = ["FORMATS", "TableWriter", "write_table"]

FORMATS = {".csv": "csv", ".txt": "csv", ".tsv": "tsv", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}
"""Ending -> what is written."""
STANDARD = "-"


def write_table(path: str | os.PathLike[str], columns: Mapping[str, Any]) -> None:
    """Write columns, name -> values, as a file; ``"-"`` is standard output. Raises as ``TableWriter``."""
    with TableWriter(path) as writer:
        writer.write(columns)


class TableWriter:
    """Writes a table in pieces of rows; a file is there when all is written, or not at all.

    Arguments:
        standard: what is written to standard output: ``"csv"``, ``"tsv"`` or ``"json"`` (lines).

    Example:
        >>> with TableWriter("-") as writer:
        ...     writer.write({"prediction": np.array([0.5, np.nan]), "town": ["Ulm", 'the "old" one']})
        prediction,town
        0.5,Ulm
        ,"the ""old"" one"

    Raises: ArgumentError for an ending that is none of ``FORMATS``; StorageError if it cannot be written; ShapeError or
        ArgumentError if a piece has other columns than the first.
    """

    def __init__(self, path: str | os.PathLike[str], standard: Literal["csv", "tsv", "json"] = "csv") -> None:
        self.path = os.fspath(path)
        check_value("TableWriter", "standard", Literal["csv", "tsv", "json"], standard)
        self.format = standard if self.path == STANDARD else FORMATS.get(Path(self.path).suffix.lower(), "")
        if not self.format:
            raise ArgumentError(
                f"what to write cannot be seen from the ending of {self.path!r}",
                expected=f"one of {', '.join(FORMATS)}",
                got=repr(Path(self.path).suffix),
                fix="give the file another ending",
            )
        self._names: list[str] | None = None
        self._until_closed = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="thalweg-"))
            self._file: BinaryIO | None = (
                None if self.path == STANDARD else stack.enter_context(atomic.writing(self.path))
            )
            self._database = stack.enter_context(connect())
            stack.push(self._finish)
            self._until_closed = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._until_closed.__exit__(kind, error, trace)

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        """Before the file takes its name: what can only be written as a whole."""
        if kind is None and self.format == "parquet" and self._names is not None:
            with explained(self.path, "write"):
                self._copy("select * from kept")

    def write(self, columns: Mapping[str, Any]) -> None:
        """Add rows: name -> values, all of one length and under the same names each time."""
        prepared = {name: _writable(column, name) for name, column in columns.items()}
        if len({len(column) for column in prepared.values()}) > 1:
            raise ShapeError(
                "the columns differ in length",
                expected="as many values in each column",
                got=", ".join(f"{len(column)} in {name!r}" for name, column in prepared.items()),
                fix="write columns of the same rows",
            )
        first = self._names is None
        if first:
            self._names = list(prepared)
        elif self._names != list(prepared):
            raise ArgumentError(
                "a piece of a table has other columns than the first",
                expected=f"{self._names}, in this order",
                got=f"{list(prepared)}",
                fix="write the same columns each time",
            )
        with explained(self.path, "write"):
            self._database.register("given", {f"c{place}": column for place, column in enumerate(prepared.values())})
            self._add(prepared, first)
            self._database.unregister("given")

    def _add(self, columns: Mapping[str, np.ndarray], first: bool) -> None:
        wanted = ", ".join(
            f"{self._shown(f'c{place}', values.dtype)} as {quoted(name)}"
            for place, (name, values) in enumerate(columns.items())
        )
        if self.format == "parquet":
            how = "create table kept as" if first else "insert into kept"
            self._database.execute(f"{how} select {wanted} from given")
        else:
            self._copy(f"select {wanted} from given", header=first)

    def _shown(self, column: str, dtype: np.dtype[Any]) -> str:
        """A column as it is written."""
        if dtype == np.float32 and self.format == "json":
            return f"{column}::varchar::double"  # JSON has no float32: 0.1 would become 0.10000000149011612
        return f"{column}::varchar" if dtype.kind == "O" else column  # a piece may have nothing but missing text

    def _copy(self, rows: str, header: bool = True) -> None:
        piece = os.path.join(self._folder, "piece")
        options = {
            "csv": f"format csv, header {str(header).lower()}",
            "tsv": f"format csv, delimiter '\t', header {str(header).lower()}",
            "json": "format json",
            "parquet": "format parquet",
        }[self.format]
        self._database.execute(f"copy ({rows}) to {literal(piece)} ({options})")
        with open(piece, "rb") as written:
            if self._file is not None:
                shutil.copyfileobj(written, self._file, 1 << 20)
            elif hasattr(sys.stdout, "buffer"):
                sys.stdout.flush()
                shutil.copyfileobj(written, sys.stdout.buffer, 1 << 20)
            else:  # a notebook's, a test's
                sys.stdout.write(written.read().decode())


def _writable(column: Any, name: str) -> np.ndarray:
    """As the database takes it: float32 stays what it is, so that it is written with its own few digits."""
    if isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind == "f":
        return column
    values, kind = typed(column, name)
    if kind == "integer" and values.dtype == np.float64:
        return np.ma.masked_array(np.nan_to_num(values).astype(np.int64), np.isnan(values))
    if kind == "boolean" and values.dtype == object:
        return np.ma.masked_array(values == True, values == None)  # noqa: E711, E712 (of each of them)
    return values
