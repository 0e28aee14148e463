"""The processes that run one program together: which of them this is, and how all come to the same decisions.

Every process does the same in the same order, as the programs on their devices wait for each other. So what depends on
something else than the program and its data (the time, Ctrl-C, a file of the machine) is decided by the first process
and told to the others. The first alone writes files and says something.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TextIO

import numpy as np

from thalweg import errors
from thalweg.errors import ProcessError, ThalwegError

__all__ = ["ALONE", "Board", "Job", "clock", "current", "say", "together"]

BLOCK = 256
"""After so many notes all wait for each other, and the notes before are taken away."""

PIECE_BYTES = 4 << 20
"""Of a long note."""

Arrays = Mapping[str, np.ndarray]


class Board(Protocol):
    """Where processes leave notes for each other."""

    def put(self, name: str, note: bytes) -> None:
        """Leave a note under a name that there is not yet."""

    def get(self, name: str) -> bytes:
        """The note of a name; waits until it is there. Raises ProcessError if it cannot come any more."""

    def wait(self, name: str) -> None:
        """Wait until every process waits for this name. Raises ProcessError if one cannot come any more."""

    def remove(self, folder: str) -> None:
        """Take away all notes whose name begins with this and a slash."""


class Job:
    """The processes of a program, seen from one of them.

    Arguments:
        index: of this process, from 0.
        count: of all.
        board: None for a process alone.
    """

    def __init__(self, index: int = 0, count: int = 1, board: Board | None = None) -> None:
        self.index = index
        self.count = count
        self._board = board
        self._notes = 0

    @property
    def is_first(self) -> bool:
        """Whether this process decides, writes and speaks."""
        return self.index == 0

    def agreed(self, what: str, value: Any) -> Any:
        """The value that the first process has, in JSON types.

        Arguments:
            what: it is about; the same in all processes.

        Raises: ProcessError if the first process is somewhere else in the program.
        """
        if self._board is None:
            return value
        name = self._next()
        if self.is_first:
            note = json.dumps([what, value])
            self._board.put(name, note.encode())
        else:
            note = self._board.get(name).decode()
        there, agreed = json.loads(note)
        if there != what:
            raise ProcessError(
                "the processes of this job do not do the same",
                expected=f"{there}, as in process 0",
                got=f"{what}, in process {self.index}",
                fix="let no process do more or less than the others: "
                "ask for thalweg.processes.job.current().is_first only to print or to write",
            )
        return agreed

    def shared(self, what: str, arrays: Arrays | None) -> dict[str, np.ndarray] | None:
        """The arrays that the first process has, by name; None if it has none."""
        if self._board is None:
            return None if arrays is None else dict(arrays)
        told = None if arrays is None else [[name, a.dtype.str, list(a.shape)] for name, a in arrays.items()]
        kinds = self.agreed(what, told)
        if kinds is None:
            return None
        found = {}
        for name, dtype, shape in kinds:
            array = np.empty(shape, dtype)
            if arrays is not None and self.is_first:
                array[...] = arrays[name]
            self._share(array.reshape(-1).view(np.uint8))
            found[name] = array
        return found

    def _share(self, numbers: np.ndarray) -> None:
        """Fill the bytes with those that the first process has."""
        assert self._board is not None, "asked where there are others"
        for start in range(0, len(numbers), PIECE_BYTES):
            piece = numbers[start : start + PIECE_BYTES]
            name = self._next()
            if self.is_first:
                self._board.put(name, piece.tobytes())
            else:
                piece[...] = np.frombuffer(self._board.get(name), np.uint8)

    def gathered(self, what: str, value: Any) -> list[Any] | None:
        """In the first process the values of all, in their order and in JSON types; None in the others."""
        if self._board is None:
            return [value]
        name = self._next()
        self._board.put(f"{name}/{self.index}", json.dumps([what, value]).encode())
        if not self.is_first:
            return None
        return [json.loads(self._board.get(f"{name}/{index}"))[1] for index in range(self.count)]

    def by_the_first(self, what: str, work: Callable[[], Any]) -> None:
        """Let the first process do something, and all wait until it has; what it raises is raised in all."""
        failed: dict[str, Any] | None = None
        error: Exception | None = None
        if self.is_first:
            try:
                work()
            except Exception as raised:
                error, failed = raised, _told(raised)
        failed = self.agreed(what, failed)
        if error is not None:
            raise error
        if failed is not None:
            raise _raised(failed)

    def _next(self) -> str:
        """The name of the next note."""
        assert self._board is not None, "asked where there are others"
        block, number = divmod(self._notes, BLOCK)
        self._notes += 1
        if number == 0 and block:
            self._board.wait(f"thalweg/{block}")
            if self.is_first:
                self._board.remove(f"thalweg/{block - 1}")
        return f"thalweg/{block}/{number}"


ALONE = Job()
"""The job of a process that has joined none."""

_current: Job = ALONE


def current() -> Job:
    """The job of this process."""
    return _current


def clock() -> float:
    """Seconds, as they have passed in the first process, so that all decide alike; to be asked for by all at once."""
    seconds: float = _current.agreed("clock", time.perf_counter())
    return seconds


def say(text: object, *, file: TextIO | None = None) -> None:
    """Print, in the first process only.

    Arguments:
        file: standard output unless given.
    """
    if _current.is_first:
        print(text, file=file)


def together(job: Job) -> None:
    """From now on this process is one of a job."""
    global _current
    _current = job


def _told(error: Exception) -> dict[str, Any]:
    """An error in JSON types."""
    if isinstance(error, ThalwegError):
        parts = ("problem", "expected", "got", "fix", "layer")
        return {"kind": type(error).__name__, **{part: getattr(error, part) for part in parts}}
    return {"kind": "", "got": f"{type(error).__name__}: {error}"}


def _raised(told: Mapping[str, Any]) -> ThalwegError:
    """The error of the first process, for the others."""
    parts = {name: text for name, text in told.items() if name != "kind"}
    kind = getattr(errors, told["kind"], None)
    if isinstance(kind, type) and issubclass(kind, ThalwegError):
        return kind(parts.pop("problem"), **parts)
    return ProcessError(
        "the first process of this job failed",
        expected="what it does for all of them",
        fix="look at what it says itself",
        **parts,
    )
