"""Starting the processes of a job on this machine, and looking after them until all have ended."""

from __future__ import annotations

import contextlib
import itertools
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import TextIO

from thalweg.fields import dataclass
from thalweg.processes.coordinates import Coordinates

__all__ = ["Ended", "Launcher", "free_port", "in_words"]

LOOK_SECONDS = 0.05
"""How often it is looked whether a process has ended."""

GRACE_SECONDS = 3.0
"""In which the others may end by themselves when one has failed, and then after they were asked to."""

MOST_LINES = 100
"""Of what a process has said on standard error: kept, and shown if it was the one that failed."""

INTERRUPTED, MISUSED = 130, 2
"""Exit statuses after which nothing begins again: Ctrl-C, and a command that would be as wrong a second time."""

SIGNALLED = 128
"""The exit status of a process that was killed is this and the number of the signal, as in shells."""

NOISE = re.compile(r"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ \S+\.(cc|h):\d+\]|\*\*\* Check failure|    @ +0x")
"""How lines begin that XLA and its libraries write when another process is gone."""

DEFAULTS = {"JAX_ENABLE_PREEMPTION_SERVICE": "false", "TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "NONE"}
"""Variables of the processes that nobody has set: SIGTERM ends them, and libraries are silent about others' ends."""


@dataclass(frozen=True)
class Ended:
    """How a process has ended.

    Attributes:
        index: of the process.
        status: as ``subprocess`` has it: below 0 for a signal.
    """

    index: int
    status: int

    @property
    def exit_status(self) -> int:
        """As shells have it."""
        return self.status if self.status >= 0 else SIGNALLED - self.status


def in_words(status: int) -> str:
    """How a process has ended, by its status as ``subprocess`` has it.

    Example:
        >>> in_words(-9), in_words(3)
        ('was killed by SIGKILL', 'ended with exit status 3')
    """
    if status >= 0:
        return f"ended with exit status {status}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Launcher:
    """Runs a command in some processes of a job.

    Standard output is that of process 0; what the others say on standard error is shown if one of them fails.

    Arguments:
        command: with its arguments.
        places: gives, for every time that they begin, where the processes of this machine find the others.
        restarts: how often all begin again after one has failed.
        environment: theirs, beside what the places say.
        tell: gets a line about what happens.
    """

    def __init__(
        self,
        command: Sequence[str],
        places: Callable[[], Sequence[Coordinates]],
        restarts: int,
        environment: Mapping[str, str],
        tell: Callable[[str], None],
    ) -> None:
        self.command = list(command)
        self.places = places
        self.restarts = restarts
        self.environment = {**DEFAULTS, **environment}
        self.tell = tell
        self._members: list[Member] = []
        self._stop: int | None = None  # the signal that this process got

    def run(self) -> int:
        """Until all have ended; the exit status."""
        with self._passing_on(signal.SIGINT, signal.SIGTERM):
            for restart in itertools.count():
                ended = self._once()
                if ended is None:
                    return 0
                final = self._stop is not None or ended.status in (INTERRUPTED, MISUSED)
                if final or restart == self.restarts:
                    return ended.exit_status
                number = f"restart {restart + 1} of {self.restarts}"
                self.tell(f"All begin again, from the last backup if there is one ({number})")
        raise AssertionError("there is a last time")

    def _once(self) -> Ended | None:
        """Start all and wait for them; the first that failed, or None."""
        places = self.places()
        self._members = [Member(self.command, place, self.environment) for place in places]
        try:
            failed = self._first_failure()
            if failed is None:
                return None
            self._end_the_others()
        finally:
            for member in self._members:
                member.close()
        if failed.status != INTERRUPTED and self._stop is None:
            self._report(failed, places[0].count)
        return failed

    def _first_failure(self) -> Ended | None:
        """Of those that fail at one moment one that was killed; JAX aborts a process when another has ended."""
        running = list(self._members)
        while running:
            ended = [member for member in running if member.status is not None]
            failed = [Ended(member.index, member.status or 0) for member in ended if member.status]
            if failed:
                return min(failed, key=lambda one: (one.status == -signal.SIGABRT, one.status))
            running = [member for member in running if member not in ended]
            time.sleep(LOOK_SECONDS)
        return None

    def _end_the_others(self) -> None:
        """First by themselves: they have noticed it, and perhaps something to say."""
        for ask in (None, signal.SIGTERM, signal.SIGKILL):
            for member in self._members:
                if ask is not None and member.status is None:
                    member.send(ask)
            ends = time.monotonic() + GRACE_SECONDS
            while time.monotonic() < ends and any(member.status is None for member in self._members):
                time.sleep(LOOK_SECONDS)

    def _report(self, failed: Ended, count: int) -> None:
        """Say what happened, with what the process said if nobody has seen that."""
        said = {member.index: member.said() for member in self._members}
        shown = set(said.get(0, ()))
        unseen = [line for line in said[failed.index] if line not in shown] if failed.index else []
        what = f"process {failed.index} of {count} {in_words(failed.status)}, and with it the job"
        self.tell("\n".join([*unseen, what]))

    @contextlib.contextmanager
    def _passing_on(self, *signals: signal.Signals) -> Iterator[None]:
        """Inside, the processes get these signals in place of this one, once."""

        def handle(number: int, frame: FrameType | None) -> None:
            self._stop = number
            for member in self._members:
                member.send(signal.Signals(number))

        before = {number: signal.signal(number, handle) for number in signals}
        try:
            yield
        finally:
            for number, usual in before.items():
                signal.signal(number, usual)


class Member:
    """A process that was started.

    Arguments:
        place: the first of the job is heard at once, the others are listened to.
    """

    def __init__(self, command: Sequence[str], place: Coordinates, environment: Mapping[str, str]) -> None:
        self.index = place.index
        self._process = subprocess.Popen(
            command,
            env={**environment, **place.environment()},
            stdin=subprocess.DEVNULL if self.index else None,
            stdout=subprocess.DEVNULL if self.index else None,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=0,  # Ctrl-C in a terminal comes here alone, and is passed on
        )
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._listener = threading.Thread(target=self._listen, args=(sys.stderr,), daemon=True)
        self._listener.start()

    @property
    def status(self) -> int | None:
        """How it has ended; None while it runs."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """A signal, if it runs still."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def said(self) -> tuple[str, ...]:
        """The last lines on standard error, of a process that has ended."""
        self._listener.join(GRACE_SECONDS)
        return tuple(self._lines)

    def _listen(self, screen: TextIO) -> None:
        assert self._process.stderr is not None, "it was asked for"
        with self._process.stderr as lines:
            for line in lines:
                if NOISE.match(line):
                    continue
                self._lines.append(line.rstrip("\n"))
                if not self.index:
                    with contextlib.suppress(OSError, ValueError):
                        screen.write(line)
                        screen.flush()

    def close(self) -> None:
        """It has ended, or must now."""
        if self.status is None:
            self.send(signal.SIGKILL)
        self._process.wait()
        self._listener.join(GRACE_SECONDS)
