"""What training shows: one line redrawn on a terminal, an updating cell in a notebook, else plain lines."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TextIO

import numpy as np

from thalweg.errors import ArgumentError
from thalweg.processes.job import current
from thalweg.record.events import EpochBegun, EpochEnded, Event, Interval, Resumed, TrainingEnded

REDRAW_SECONDS = 0.1
MOST_NUMBERS = 10
"""Of an array in a line; longer ones show their shape."""

MOST_LINES = 50
"""In a file, a pipe or above the bar: enough to see the course, few enough for a log of 10,000 epochs."""

QUIET_SECONDS = 0.5
"""Evaluation and prediction shorter than this show no bar."""


CERTAIN_SECONDS = 1.0
"""Of training, before it is said how long the rest takes."""


class Screen(Protocol):
    """Where lines go."""

    def redraw(self, line: str) -> None:
        """Show the line in place of the last one that was redrawn."""

    def keep(self, line: str) -> None:
        """Show the line in place of the last one that was redrawn, for good."""

    def close(self) -> None:
        """Leave the cursor at the start of a line of its own."""


class Output:
    """Standard output, or nothing once that cannot be written any more (a full disk, a pipe whose reader has gone).

    A training of hours must not end because nobody watches it.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        """Writes and flushes; does nothing once that has failed."""
        if self.stream is None:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):  # ValueError: the stream has been closed
            self.stream = None


class Lines(Output, Screen):
    """A pipe, a file, a dumb terminal: only lines that stay."""

    def redraw(self, line: str) -> None:
        pass

    def keep(self, line: str) -> None:
        self.write(line + "\n")

    def close(self) -> None:
        pass


class Terminal(Output, Screen):
    """A terminal: the line is redrawn from its start, and cut to the width, because a wrapped line cannot be."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.drawn = False

    def redraw(self, line: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self.write(f"\r{line[:width]}\x1b[K")
        self.drawn = True

    def keep(self, line: str) -> None:
        self.redraw(line)
        self.close()

    def close(self) -> None:
        if self.drawn:
            self.write("\n")
        self.drawn = False


class Notebook(Screen):
    """A notebook's cell, whose text is replaced as a whole."""

    def __init__(self, display: Callable[..., Any]) -> None:
        self.kept: list[str] = []
        self.handle = display({"text/plain": ""}, raw=True, display_id=True)

    def redraw(self, line: str) -> None:
        self.handle.update({"text/plain": "\n".join([*self.kept, line])}, raw=True)

    def keep(self, line: str) -> None:
        self.kept.append(line)
        self.handle.update({"text/plain": "\n".join(self.kept)}, raw=True)

    def close(self) -> None:
        pass


def screen() -> Screen:
    """The kind of screen that standard output is."""
    display = _notebook_display()
    if display is not None:
        return Notebook(display)
    if sys.stdout is not None and sys.stdout.isatty():
        return Terminal(sys.stdout)
    return Lines(sys.stdout)


def _notebook_display() -> Callable[..., Any] | None:
    """IPython's display function inside a notebook's kernel. Whoever runs in one has imported IPython already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if type(shell).__name__ != "ZMQInteractiveShell":
        return None
    from IPython.display import display  # type: ignore[import-not-found, unused-ignore]

    return display  # type: ignore[no-any-return, unused-ignore]


def check_verbose(verbose: Any) -> int | str:
    """``verbose`` as 0, 1, 2 or ``"auto"``. Raises ArgumentError."""
    if isinstance(verbose, str) and verbose == "auto":
        return "auto"
    if isinstance(verbose, int | np.integer | np.bool_) and verbose in (0, 1, 2):
        return int(verbose)
    raise ArgumentError(
        "argument 'verbose' does not fit its rule",
        expected="0 (silent), 1 (a bar), 2 (one line per epoch) or 'auto'",
        got=f"{verbose!r:.80}",
        fix="pass verbose='auto'",
    )


class Progress:
    """The progress of one ``fit``.

    Arguments:
        verbose: 1 and ``"auto"`` redraw a line where the screen can; 2 writes every epoch's line; 0 nothing.
        epochs: the final index, as in ``fit``.
        steps: per epoch; None if nobody knows.
    """

    def __init__(self, verbose: int | str, first_epoch: int, epochs: int, steps: int | None) -> None:
        self.screen = _screen_for(verbose)
        self.shown = range(first_epoch, epochs) if verbose == 2 else _shown(first_epoch, epochs)
        self.epochs = epochs
        self.steps = steps
        self.epoch = self.first_epoch = first_epoch
        self.before = 0  # steps of the first epoch that were done when training went on
        self.began = 0.0
        self.began_training: float | None = None
        self.next_redraw = 0.0

    def hear(self, event: Event) -> None:
        """Show what happened."""
        if isinstance(event, Resumed):
            self.first_epoch, self.before = event.epoch, event.step
        elif isinstance(event, EpochBegun):
            self.begin_epoch(event.epoch)
        elif isinstance(event, Interval) and self.wants_redraw():
            self.redraw(event.step, event.logs)
        elif isinstance(event, EpochEnded):
            self.end_epoch(event.logs)
        elif isinstance(event, TrainingEnded):
            self.close()

    def begin_epoch(self, epoch: int) -> None:
        """Starts the clock of an epoch."""
        self.epoch = epoch
        self.began = time.perf_counter()
        self.began_training = self.began_training or self.began

    def wants_redraw(self) -> bool:
        """Whether it is time to call :meth:`redraw`; asked after every call of the program, so it must cost nothing."""
        return self.screen is not None and time.perf_counter() >= self.next_redraw

    def redraw(self, done: int, logs: Mapping[str, Any]) -> None:
        """Show that ``done`` steps of the epoch are finished."""
        if self.screen is not None:
            now = time.perf_counter()
            self.next_redraw = now + REDRAW_SECONDS
            self.screen.redraw(self._line(done, logs, now - self.began, self._left(done, now)))

    def end_epoch(self, logs: Mapping[str, Any]) -> None:
        """Show the finished epoch. The line stays, for at most 50 epochs spread over the whole."""
        if self.screen is None:
            return
        line = self._line(self.steps, logs, time.perf_counter() - self.began)
        if self.epoch in self.shown:
            self.screen.keep(line)
        elif self.wants_redraw():
            self.next_redraw = time.perf_counter() + REDRAW_SECONDS
            self.screen.redraw(line)

    def close(self) -> None:
        """Leaves the cursor on a line of its own, whatever has been shown."""
        if self.screen is not None:
            self.screen.close()

    def _left(self, done: int, now: float) -> str:
        """How long the training goes on if it goes on like this; nothing as long as that is a guess."""
        spent = now - (self.began_training or now)
        steps = (self.epoch - self.first_epoch) * (self.steps or 0) + done - self.before
        if self.steps is None or spent < CERTAIN_SECONDS or not steps:
            return ""
        every = (self.epochs - self.first_epoch) * self.steps - self.before
        return f"  {duration(spent / steps * (every - steps))} left"

    def _line(self, done: int | None, logs: Mapping[str, Any], seconds: float, left: str = "") -> str:
        head = f"Epoch {self.epoch + 1:>{len(str(self.epochs))}}/{self.epochs}"
        return _line(head, done, self.steps, seconds, logs, left)


class Counter:
    """The progress of one ``evaluate`` or ``predict``: nothing for the first half second, then a redrawn line."""

    def __init__(self, verbose: int | str, what: str, steps: int | None) -> None:
        self.screen = _screen_for(verbose)
        self.what = what
        self.steps = steps
        self.began = time.perf_counter()
        self.next_redraw = self.began + QUIET_SECONDS

    def update(self, done: int) -> None:
        """Shows how many steps are done, now and then."""
        now = time.perf_counter()
        if self.screen is not None and now >= self.next_redraw:
            self.next_redraw = now + REDRAW_SECONDS
            known = done and self.steps is not None
            left = f"  {duration((now - self.began) / done * max((self.steps or 0) - done, 0))} left" if known else ""
            self.screen.redraw(_line(self.what, done, self.steps, now - self.began, {}, left))

    def finish(self, logs: Mapping[str, Any] | None = None) -> None:
        """Close with a line of results, if there are any."""
        if self.screen is None:
            return
        if logs is not None:
            self.screen.keep(_line(self.what, self.steps, self.steps, time.perf_counter() - self.began, logs))
        self.screen.close()


def _screen_for(verbose: int | str) -> Screen | None:
    if verbose == 0 or not current().is_first:
        return None
    return Lines(sys.stdout) if verbose == 2 else screen()


def _shown(first: int, epochs: int) -> frozenset[int]:
    """The epochs whose line stays: all, or 50 at equal distances with the last among them."""
    count = epochs - first
    if count <= MOST_LINES:
        return frozenset(range(first, epochs))
    return frozenset(first + (line * count) // MOST_LINES - 1 for line in range(1, MOST_LINES + 1))


def duration(seconds: float) -> str:
    """Seconds for people.

    Example:
        >>> duration(4.2), duration(125), duration(7300)
        ('4s', '2m 5s', '2h 1m')
    """
    whole = round(seconds)
    minutes, hours = whole // 60, whole // 3600
    return f"{whole}s" if not minutes else f"{minutes}m {whole % 60}s" if not hours else f"{hours}h {minutes % 60}m"


def _line(
    head: str, done: int | None, steps: int | None, seconds: float, logs: Mapping[str, Any], left: str = ""
) -> str:
    values = "  ".join(f"{name}: {_number(value)}" for name, value in logs.items())
    if done is None or steps is None:
        bar, state = "", f"{seconds:.1f}s" if done is None else f"{done} steps  {seconds:.1f}s"
    else:
        state = f"{seconds:.1f}s" if done == steps else f"{done}/{steps}  {seconds:.1f}s"
        bar = "" if done == steps else f"  {_bar(done / max(steps, 1))}"
    return f"{head}{bar}  {state}{left}" + (f"  {values}" if values else "")


def _bar(share: float, width: int = 20) -> str:
    full, rest = ("━", "─") if _prints("━─") else ("#", "-")
    done = int(min(share, 1) * width)  # how many steps there are may be an estimate
    return full * done + rest * (width - done)


def _prints(text: str) -> bool:
    """Whether standard output's encoding has these characters."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _number(value: float | np.ndarray) -> str:
    """Four decimals, or four digits of small and large numbers. Of an array its numbers, or, if many, its shape."""
    if isinstance(value, np.ndarray):
        few = value.ndim == 1 and value.size <= MOST_NUMBERS
        return f"[{' '.join(map(_number, value.tolist()))}]" if few else f"array{list(value.shape)}"
    size = abs(value)
    return f"{value:.4f}" if size == 0 or 1e-3 <= size < 1e4 else f"{value:.3e}"
