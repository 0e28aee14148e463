"""Runs cases in a child process with a watchdog, so that a crash or a hang is a result too; shrinks what fails."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import os
import re
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from thalweg import errors

KINDS = ("calls", "models", "data", "cache", "threads")
"""Each a module of this package."""

MEMORY_BYTES = 12 << 30
"""What a case may take of address space: more would be taken from the others on the machine."""


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Attributes:
        result: "four parts", "signature" (Python's own TypeError: an argument is missing or unknown), "own error" (of a
            function that the case hands in), "accepted" or "failed".
        where: of a failure, what makes it the same as another: the exception's class and the place in the source.
        told: of a failure, what there is to read.
    """

    result: str
    where: str = ""
    told: str = ""

    @property
    def failed(self) -> bool:
        return self.result == "failed"


_PYTHONS_OWN = re.compile(r"(unexpected keyword|missing \d+ required|takes \d+ positional|multiple values for)")


class Kind(Protocol):
    """A module of cases. A case is a text that says all there is to it, so that it can be printed and repeated."""

    def make(self, random: Random) -> str:
        """A case."""

    def run(self, case: str) -> Outcome:
        """How it ends."""

    def smaller(self, case: str) -> Iterator[str]:
        """Simpler cases, to be tried instead of one that fails; the simplest first."""


def kind(name: str) -> Kind:
    return importlib.import_module(f"tests.fuzz.{name}")


def judged(error: BaseException) -> Outcome:
    """What an exception is: the four parts that users are promised, or a failure."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/thalweg/" in frame.filename.replace("\\", "/")]
    place = f"{ours[-1].filename.rpartition('/thalweg/')[2]}:{ours[-1].name}" if ours else "the call"
    where = f"{type(error).__name__} in {place}"
    if isinstance(error, errors.ThalwegError):
        text = str(error)
        whole = all(isinstance(p, str) and p for p in (error.problem, error.expected, error.got, error.fix))
        if whole and len(text) < 5000:
            return Outcome("four parts", where, text)
        return Outcome("failed", where, f"a part is missing, or {len(text)} characters are too long:\n{text[:2000]}")
    if isinstance(error, TypeError) and (not ours or ours[-1].name == "_misfit" or _PYTHONS_OWN.search(str(error))):
        return Outcome("signature", where, str(error))
    if frames[-1].filename == "<string>" and len(frames) > 3:
        return Outcome("own error", where, str(error))
    last = "".join(traceback.format_exception(error)[-6:])
    return Outcome("failed", where, last[-3000:])


def tried(action) -> Outcome:
    """How a call of ``action`` ends. A warning that is none of thalweg's own, NumPy's say, is a failure."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            action()
        except (Exception, SystemExit) as error:
            return judged(error)
    for one in caught:
        if one.category is PendingDeprecationWarning:  # of np.matrix, when the case makes one
            continue
        if not one.category.__module__.startswith("thalweg") and one.category is not UserWarning:
            told = f"{one.category.__name__}: {one.message} ({one.filename}:{one.lineno})"
            return Outcome("failed", f"{one.category.__name__} of {os.path.basename(one.filename)}", told)
    return Outcome("accepted")


class Child:
    """A process that runs cases of one kind; started when it is needed, and again after it has died."""

    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds
        self.process: subprocess.Popen | None = None
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the child

    def run(self, case: str) -> Outcome:
        if self.process is None:
            self.errors.truncate(0)
            self.process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", "-m", "tests.fuzz.running", self.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "0"},
            )
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(case).encode() + b"\n")
            process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], self.seconds)
        line = process.stdout.readline() if ready else b""
        if line:
            return Outcome(**json.loads(line))
        process.kill()
        process.communicate()
        self.process = None
        if not ready:
            return Outcome("failed", "hang", f"no end after {self.seconds:.0f} seconds")
        self.errors.seek(0)
        told = self.errors.read().decode(errors="replace")
        return Outcome("failed", f"crash ({process.returncode})", told[-3000:])

    def close(self) -> None:
        if self.process is not None:
            self.process.communicate()
            self.process = None
        self.errors.close()


def serve(name: str) -> None:
    """The child: a case a line, an outcome a line. What the cases print goes nowhere."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    out = os.fdopen(os.dup(1), "w")
    lines = os.fdopen(os.dup(0))
    with open(os.devnull, "r+b") as nowhere:
        os.dup2(nowhere.fileno(), 0)
        os.dup2(nowhere.fileno(), 1)
    module = kind(name)
    with tempfile.TemporaryDirectory(prefix="thalweg-fuzz-") as folder:
        os.chdir(folder)
        os.environ["XDG_CACHE_HOME"] = folder
        for line in lines:
            print(json.dumps(vars(module.run(json.loads(line)))), file=out, flush=True)
        os.chdir("/")


@dataclass
class Findings:
    """What a run found.

    Attributes:
        counts: result -> how many cases.
        failures: where -> the first such case, shrunk, and its outcome; ``times`` how many there were.
        accepted: the cases that were accepted, for somebody to read.
    """

    counts: Counter = field(default_factory=Counter)
    failures: dict[str, tuple[str, Outcome]] = field(default_factory=dict)
    times: Counter = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)

    def report(self, name: str) -> str:
        """All failures, each with the command that repeats it."""
        parts = []
        for where, (case, outcome) in sorted(self.failures.items(), key=lambda item: -self.times[item[0]]):
            shown = outcome.told.strip().replace("\n", "\n    ")
            again = f"python -m tests.fuzz --kind {name} --case {json.dumps(case)}"
            parts.append(f"{where} ({self.times[where]} times)\n  {case}\n    {shown}\n  again: {again}")
        counts = ", ".join(f"{count} {result}" for result, count in sorted(self.counts.items()))
        return "\n\n".join([*parts, f"{name}: {self.counts.total()} cases: {counts or 'none'}"])


def cases(name: str, first_seed: int = 0) -> Iterator[str]:
    """Cases without end, those of one seed after the other."""
    return (kind(name).make(Random(f"{name} {seed}")) for seed in itertools.count(first_seed))


def explore(name: str, some: Iterable[str], minutes: float = 1e9, seconds: float = 60.0) -> Findings:
    """Run these cases, or as many of them as there is time for.

    Arguments:
        seconds: after which a case counts as hanging.
    """
    module, child, found = kind(name), Child(name, seconds), Findings()
    end = time.monotonic() + 60 * minutes
    try:
        for case in some:
            if time.monotonic() > end:
                break
            outcome = child.run(case)
            found.counts[outcome.result] += 1
            if outcome.failed:
                found.times[outcome.where] += 1
                if outcome.where not in found.failures:
                    found.failures[outcome.where] = shrunk(module, child, case, outcome)
            elif outcome.result == "accepted":
                found.accepted.append(case)
    finally:
        child.close()
    return found


def shrunk(module: Kind, child: Child, case: str, outcome: Outcome, tries: int = 200) -> tuple[str, Outcome]:
    """The simplest case, found in so many tries, that fails in the same way."""
    smaller = module.smaller(case)
    for _ in range(tries):
        simpler = next(smaller, None)
        if simpler is None:
            break
        again = child.run(simpler)
        if again.failed and again.where == outcome.where:
            case, outcome, smaller = simpler, again, module.smaller(simpler)
    return case, outcome


if __name__ == "__main__":
    serve(sys.argv[1])
