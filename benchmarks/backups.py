"""What backups beside a training cost: 784-512-10 on as many rows as MNIST has, one backup a second.

``python -m benchmarks.backups [--epochs 30]``. In every other epoch of one training backups are made, so that what else
the machine does falls on both; and it is measured how long training waits for one, and what its thread computes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

import numpy as np

import thalweg
from thalweg import callbacks, layers
from thalweg.record.events import EpochEnded, Event
from thalweg.training.backup_folder import BackupFolder, Contents

ROWS = 60_000


class Timed(BackupFolder):
    """Notes what its thread computes for each backup."""

    def __init__(self, path: str, computed: list[float]) -> None:
        super().__init__(path)
        self.computed = computed

    def write(self, contents: Contents, keep_two: bool) -> None:
        began = thread_time()
        super().write(contents, keep_two)
        self.computed.append(thread_time() - began)


class EveryOther(callbacks.BackupAndRestore):
    """One backup a second in epochs of odd numbers.

    Attributes:
        epochs: seconds of each epoch.
        waited, computed: seconds for each backup, of the training and of the thread that writes.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "1s")
        self.epochs: list[float] = []
        self.waited: list[float] = []
        self.computed: list[float] = []
        self._folder = Timed(str(folder), self.computed)

    def keep(self, training: Any) -> None:
        if training.epoch % 2:
            began, before = perf_counter(), self._writing
            super().keep(training)
            if self._writing is not before and self._writing is not None:
                self.waited.append(perf_counter() - began)

    def hear(self, event: Event) -> None:
        super().hear(event)
        if isinstance(event, EpochEnded):
            self.epochs.append(event.seconds)


def network() -> thalweg.Sequential:
    """The usual one for MNIST: 4.9 MB of weights and Adam's slots."""
    model = thalweg.Sequential(
        [thalweg.Input((784,)), layers.Dense(512, activation="relu"), layers.Dropout(0.2), layers.Dense(10)]
    )
    loss = thalweg.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=30)
    epochs = parser.parse_args().epochs
    random = np.random.default_rng(0)
    x, y = random.random((ROWS, 784), np.float32), random.integers(0, 10, ROWS)
    with tempfile.TemporaryDirectory() as folder:
        backup = EveryOther(Path(folder) / "backup")
        network().fit(x, y, batch_size=128, epochs=epochs + 2, verbose=0, callbacks=[backup])
    seconds = np.array(backup.epochs[2:])
    with_backups, without = seconds[1::2], seconds[::2]
    print(f"{epochs // 2} pairs of epochs: {np.median(without):.3f} s without, {np.median(with_backups):.3f} s with")
    print(f"median of the pairs: {np.median(with_backups / without[: len(with_backups)]) - 1:+.1%}")
    waited, computed = (1e3 * np.median(each) for each in (backup.waited, backup.computed))
    print(
        f"a backup, {len(backup.waited)} of them: training waits {waited:.1f} ms, its thread computes {computed:.1f} ms"
    )


if __name__ == "__main__":
    main()
