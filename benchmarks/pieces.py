"""Peers that train the same network in turn, a piece at a time: each in a process of its own (``peers.paced``)."""

import json
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Timer
from time import sleep
from typing import Any, NamedTuple

from benchmarks.disturbance import is_disturbed
from benchmarks.peers import Peer
from benchmarks.runner import ROOT, PeerError, environment, log

PIECE_SECONDS = 0.2
ROUNDS = 5
FEWEST, PEER_SECONDS = 2, 3  # so many pieces and so much time settle a peer's figure
HOPELESS, LONG_SECONDS = 3, 1  # a peer that takes so many times the fastest's time is not timed again if that is long
REPEATS = 3  # of a disturbed piece
REST_SECONDS = 0.02  # between two peers' pieces: threads that wait for work spin for a while
READY_SECONDS, TIMEOUT_SECONDS = 60, 30  # for set-up and the first epoch; for a piece


class Piece(NamedTuple):
    """Some epochs of one peer.

    Attributes:
        threads: of a peer that chooses how many it takes: how many steps were run on each number.
    """

    seconds: float
    foreign: float | None
    loss: float
    threads: Mapping[str, int] = {}
    epochs: int = 1

    @property
    def epoch_seconds(self) -> float:
        """Of one."""
        return self.seconds / self.epochs

    @property
    def disturbed(self) -> bool:
        """Whether other programs took part of the processor."""
        return is_disturbed(self.foreign, self.seconds)


class Trainer:
    """A peer's process, which trains a piece when it is told to.

    Arguments:
        network: what it trains, as the command line of ``peers.paced`` has it.

    Attributes:
        epochs: of a piece.
    """

    def __init__(self, peer: Peer, network: Sequence[str], threads: int, folder: Path) -> None:
        self.peer = peer
        self.epochs = 1
        self._errors = (folder / f"{peer.name}.err").open("w+")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.peers.paced", peer.name, *network),
                *("--threads", str(threads), "--data", str(folder / "data")),
            ],
            cwd=ROOT,
            env=environment(folder / f"{peer.name}.cache"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def ready(self) -> Piece:
        """The first epoch, which begins by itself."""
        return self.answer(READY_SECONDS)

    def lengthen(self, piece: Piece) -> "Trainer":
        """With as many epochs a piece as, after this one, seem to be long enough."""
        self.epochs = max(1, round(PIECE_SECONDS / piece.epoch_seconds))
        return self

    def piece(self) -> Piece:
        """Train ``epochs`` epochs."""
        assert self._process.stdin is not None
        sleep(REST_SECONDS)
        self._process.stdin.write(f"{self.epochs}\n")
        self._process.stdin.flush()
        return self.answer(TIMEOUT_SECONDS)

    def undisturbed_piece(self) -> Piece:
        """The first that nothing disturbed, or the least disturbed of some."""
        attempts: list[Piece] = []
        while not attempts or (attempts[-1].disturbed and len(attempts) <= REPEATS):
            attempts.append(self.piece())
        return min(attempts, key=lambda piece: (piece.disturbed, piece.foreign or 0.0))

    def answer(self, timeout: float) -> Piece:
        """What the process says next. Raises PeerError if it ends, or says nothing for so many seconds."""
        assert self._process.stdout is not None
        timer = Timer(timeout, self._process.kill)
        timer.start()
        try:
            for line in self._process.stdout:
                if line.startswith("{"):  # libraries greet
                    return Piece(**json.loads(line), epochs=self.epochs)
        finally:
            timer.cancel()
        self._errors.seek(0)
        raise PeerError(self._errors.read()[-2000:] or f"ended, or took more than {timeout} seconds")

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()


def rounds(trainers: Sequence[Trainer]) -> tuple[dict[str, list[Piece]], dict[str, str]]:
    """The pieces of each peer, and what those said that failed."""
    failed: dict[str, str] = {}

    def attempt(trainer: Trainer, action: Callable[[], Piece]) -> Piece | None:
        try:
            return action()
        except (PeerError, OSError) as error:
            log(f"  {trainer.peer.name} failed and is left out: {error}")
            failed[trainer.peer.name] = str(error)
            return None

    able = [trainer for trainer in trainers if attempt(trainer, trainer.ready)]  # all compile at the same time
    first = {trainer: piece for trainer in able if (piece := attempt(trainer, trainer.piece))}
    fastest = min((piece.epoch_seconds for piece in first.values()), default=0.0)
    pieces: dict[Trainer, list[Piece]] = {trainer: [] for trainer in first}
    for trainer, piece in first.items():
        if piece.seconds > LONG_SECONDS and piece.epoch_seconds > HOPELESS * fastest:
            pieces[trainer].append(piece)
        elif second := attempt(trainer, trainer.lengthen(piece).piece):
            trainer.lengthen(second)
    left = [trainer for trainer, mine in pieces.items() if not mine and trainer.peer.name not in failed]
    for number in range(ROUNDS):
        for trainer in list(left if number % 2 == 0 else reversed(left)):
            if piece := attempt(trainer, trainer.undisturbed_piece):
                pieces[trainer].append(piece)
            settled = len(pieces[trainer]) >= FEWEST and sum(each.seconds for each in pieces[trainer]) > PEER_SECONDS
            if piece is None or settled:
                left.remove(trainer)
    return {trainer.peer.name: mine for trainer, mine in pieces.items() if trainer.peer.name not in failed}, failed


def figures_of(pieces: Sequence[Piece], steps: int) -> dict[str, Any]:
    """The median step of the pieces that nothing disturbed, if there are any."""
    calm = [piece for piece in pieces if not piece.disturbed]
    seconds = [piece.epoch_seconds / steps for piece in calm or pieces]
    threads = sum((Counter(piece.threads) for piece in calm or pieces), Counter[str]())
    return {
        "seconds": statistics.median(seconds),
        "all": seconds,
        "pieces": len(pieces),
        "disturbed": len(pieces) - len(calm),
        "loss": pieces[-1].loss,
        "threads": dict(threads),
    }
