"""Rows of files in blocks: runs from all over the files, read next to each other into memory, and an order of them.

The step itself fetches its rows from the block, as it does from arrays in memory; so a row is copied once.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from io import BufferedIOBase
from typing import Annotated, Any

import numpy as np

from thalweg import cores
from thalweg.checks import In, OneOf, check_value
from thalweg.data.source import Place, Turn, shuffled
from thalweg.data.streams.parts import LOOKED_AT, Parts
from thalweg.data.streams.slots import Block, Pool
from thalweg.errors import DataError
from thalweg.fields import dataclass
from thalweg.trees import Tree, flatten, unflatten

__all__ = ["BlockRows", "Raw", "Shuffle"]

RUN_BYTES, BLOCK_BYTES = 1 << 18, 24 << 20
"""Of a full shuffle: what lies together in the files, and what is mixed. Seven blocks may be in memory at a time."""

READERS = min(4, cores.available())
"""Threads that read the runs of a block."""

FULL = "full"

Shuffle = Annotated[str, OneOf(FULL)] | Annotated[int, In("[1, inf)")]
"""The rule of the argument ``shuffle``."""


@dataclass(eq=False)
class Raw:
    """Rows of numbers that stand in a file as they are.

    Arguments:
        offset: of the first byte.
        shape: of a row.
    """

    file: BufferedIOBase
    offset: int
    count: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        weakref.finalize(self, self.file.close)

    @property
    def row_bytes(self) -> int:
        """Of one row."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def read(self, first: int, into: np.ndarray) -> None:
        """Fill the array with rows from this one on. Raises DataError if the file has become shorter."""
        place = self.offset + first * self.row_bytes
        wanted = into.reshape(-1).view(np.uint8).data
        while len(wanted):
            count = self._read_at(place, wanted)
            if not count:
                raise DataError(
                    f"{os.fspath(getattr(self.file, 'name', 'the file'))!r} has become shorter",
                    expected=f"{self.count:,} rows, as at the beginning",
                    got="the end of the file",
                    fix="leave the file as it is while it is trained on",
                )
            wanted, place = wanted[count:], place + count

    def _read_at(self, place: int, into: memoryview) -> int:
        """From any thread: how many bytes were read."""
        if hasattr(os, "preadv"):
            return os.preadv(self.file.fileno(), [into], place)
        with self.lock:  # of Windows
            self.file.seek(place)
            return self.file.readinto(into)


class Column:
    """The rows of several files, one after the other."""

    def __init__(self, parts: Sequence[Raw]) -> None:
        self.parts = list(parts)
        self.ends = np.cumsum([part.count for part in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    @property
    def row_bytes(self) -> int:
        """Of one row."""
        return self.parts[0].row_bytes

    def read(self, first: int, into: np.ndarray) -> None:
        """Fill the array with rows from this one on."""
        done = 0
        while done < len(into):
            at = int(np.searchsorted(self.ends, first + done, side="right"))
            part, begin = self.parts[at], int(self.ends[at]) - self.parts[at].count
            count = min(len(into) - done, int(self.ends[at]) - first - done)
            part.read(first + done - begin, into[done : done + count])
            done += count


class BlockRows(Parts):
    """Rows of files by blocks. Their order is of the seed and the pass alone, and known at any place of it.

    Arguments:
        columns: a tree of ``Column``.
        shuffle: ``"full"``, or a number of rows that follow each other and are mixed.
    """

    own = False

    def __init__(self, name: str, columns: Tree, count: int, shuffle: str | int) -> None:
        self.name = name
        self.count = count
        leaves, self.form = flatten(columns)
        self.columns: list[Column] = leaves
        row_bytes = max(sum(column.row_bytes for column in leaves), 1)
        shuffle = check_value(name, "shuffle", Shuffle, shuffle)
        self.full = isinstance(shuffle, str)
        self.run = max(1, RUN_BYTES // row_bytes)
        self.block = max(1, BLOCK_BYTES // row_bytes) if isinstance(shuffle, str) else shuffle
        self._pool = Pool()
        self._readers = ThreadPoolExecutor(READERS, "thalweg-file")

    def first(self) -> Tree:
        if not self.count:
            raise StopIteration
        return self._filled(min(self.count, LOOKED_AT), 0, [(0, min(self.count, LOOKED_AT))])

    def read(self, turn: Turn, start: Place, batch: int | None) -> Iterator[Tree]:
        assert batch is not None, "rows of files are cut into batches by who reads them"
        done = 0
        for part, runs in enumerate(self._runs(turn)):
            rows = sum(end - first for first, end in runs)
            skip = min(max(start.rows - done, 0), rows)
            done += rows
            if skip == rows:
                continue
            order = shuffled(rows, turn.seed, turn.number, part + 1) if turn.shuffle else np.arange(rows)
            yield Block(self._filled(rows, batch, runs), batch, order[skip:])

    def _runs(self, turn: Turn) -> Iterator[list[tuple[int, int]]]:
        """For each block the rows from ... to ... that it has, as they stand in it."""
        assert self.count is not None, "files have an end"
        if not (turn.shuffle and self.full):
            for first in range(0, self.count, self.block):
                yield [(first, min(first + self.block, self.count))]
            return
        runs = shuffled(-(-self.count // self.run), turn.seed, turn.number) * self.run
        together = max(1, self.block // self.run)
        for at in range(0, len(runs), together):
            firsts = runs[at : at + together].tolist()
            yield [(first, min(first + self.run, self.count)) for first in firsts]

    def _filled(self, rows: int, front: int, runs: Sequence[tuple[int, int]]) -> Tree:
        """These rows behind an empty front."""
        kinds = [((front + self._room(rows), *column.parts[0].shape), column.parts[0].dtype) for column in self.columns]
        buffers = [buffer[: front + rows] for buffer in self._pool.take(kinds)]
        places = front + np.cumsum([0, *(end - first for first, end in runs)])

        def read(some: range) -> None:
            for at in some:
                (first, end), place = runs[at], places[at]
                for column, buffer in zip(self.columns, buffers, strict=True):
                    column.read(first, buffer[place : place + end - first])

        # The system copies on several cores: nothing else runs on them while a block is read between the steps.
        parts = [range(at, len(runs), READERS) for at in range(min(READERS, len(runs)))]
        for _ in self._readers.map(read, parts) if len(parts) > 1 else map(read, parts):
            pass
        return unflatten(self.form, iter(buffers))

    def _room(self, rows: int) -> int:
        """The memory of a block is as large as the largest is, so that it can be used again."""
        return rows if rows <= LOOKED_AT else max(self.block, self.run)

    def fingerprint(self) -> dict[str, Any]:
        return {"stream": self.name, "rows": self.count}
