"""What every command does with errors and with text: four parts and an exit status, and never a lost training."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

import typer

from thalweg.cli.codes import FAILED, INTERRUPTED, MISUSED
from thalweg.errors import ArgumentError, NameNotFoundError, StorageError, ThalwegError
from thalweg.table import Table
from thalweg.training.progress import Counter

MOST_COLUMNS = 100
"""Of a terminal that sentences use: longer lines are hard to read."""


class Shown(Protocol):
    """What can be printed as text or drawn, and given as names with values."""

    def show(self) -> None:
        """Print it, drawn on a terminal."""

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON knows."""


P = ParamSpec("P")
R = TypeVar("R")


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Print an error's four parts instead of a traceback, and end with the exit status of its kind."""

    @wraps(command)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (ArgumentError, NameNotFoundError) as error:
            raise _ended(error, MISUSED) from None
        except ThalwegError as error:
            raise _ended(error, FAILED) from None
        except KeyboardInterrupt:  # while there is nothing to keep yet: typer would call that a failure
            typer.echo("Ctrl-C: ended.", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # the reader of the output has what it wanted, as in `| head -1`
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 1)  # what is not written yet would fail again when Python ends
            raise typer.Exit(0) from None
        except OSError as error:
            full = StorageError(
                "what there is to say cannot be written",
                expected="a standard output that takes text",
                got=error.strerror or str(error),
                fix="look whether the disk is full; a model that was trained has been saved",
            )
            raise _ended(full, FAILED) from None

    return reporting


def _ended(error: ThalwegError, status: int) -> typer.Exit:
    typer.echo(f"Error: {error}", err=True)
    return typer.Exit(status)


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is; None if it is none."""
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None


def fitted(sentence: str, indent: int = 0) -> str:
    """A sentence, on a terminal in lines that fit it. Arguments: how far further lines go in."""
    width = terminal_width()
    if width is None:
        return sentence
    return textwrap.fill(sentence, min(width, MOST_COLUMNS), subsequent_indent=" " * indent)


class Teller:
    """Says what a command does on its way, where that is wanted and possible: nothing is lost because nobody listens.

    Arguments:
        quiet: nothing but the result and errors.
        as_json: one object on standard output in place of the result, and nothing else there.
    """

    def __init__(self, quiet: bool = False, as_json: bool = False) -> None:
        self.silent = quiet or as_json
        self.as_json = as_json

    @property
    def verbose(self) -> int | str:
        """For ``fit`` and its like."""
        return 0 if self.silent else "auto"

    def progress(self, what: str) -> Callable[[int, int], None]:
        """Shows how many of how many are done, from half a second on."""
        counter: list[Counter] = []

        def update(done: int, count: int) -> None:
            if not counter:
                counter.append(Counter(self.verbose, what, count))
            counter[0].update(done)
            if done == count:
                counter[0].finish()

        return update

    def say(self, text: str) -> None:
        """Something on the way to the result."""
        if text and not self.silent:
            with contextlib.suppress(OSError):
                typer.echo(text)

    def note(self, sentence: str) -> None:
        """A sentence on the way; on a terminal in lines that fit it."""
        self.say(fitted(sentence))

    def table(self, table: Table) -> None:
        """A table on the way, drawn on a terminal."""
        if not self.silent:
            with contextlib.suppress(OSError):
                table.show()

    def aside(self, sentence: str) -> None:
        """A sentence about the data beside a result that may go to standard output itself: on standard error."""
        if not self.silent:
            with contextlib.suppress(OSError):
                typer.echo(f"Note: {sentence}", err=True)

    def show(self, found: Shown, **further: Any) -> None:
        """A result that draws itself on a terminal. Raises OSError."""
        if self.as_json:
            self.result("", {**found.to_dict(), **further})
        else:
            found.show()

    def result(self, text: str, values: dict[str, Any]) -> None:
        """What the command was called for, in words and as names with values. Raises OSError."""
        typer.echo(json.dumps(values, ensure_ascii=False) if self.as_json else text)
