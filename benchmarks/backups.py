"""What backups beside a training cost: 784-512-10, one backup a second.

``python -m benchmarks.backups [--epochs 30]``. In every other epoch of one training backups are made, so that what else
the machine does falls on both, and what these take longer is divided by the number of backups in them: an epoch is no
whole number of seconds. It is also measured how long training waits for one, and what its thread computes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import Any

import numpy as np

import thalweg
from thalweg import callbacks, layers
from thalweg.record.events import EpochBegun, EpochEnded, Event
from thalweg.training.backup_folder import BackupFolder, Contents

ROWS = 120_000


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
        epochs: of each epoch the seconds by the clock and of the processor, and how many backups were begun in it.
        waited, computed: seconds for each backup, of the training and of the thread that writes.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "1s")
        self.epochs: list[tuple[float, float, int]] = []
        self._computed, self._before = 0.0, 0
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
        if isinstance(event, EpochBegun):
            self._computed, self._before = process_time(), len(self.waited)
        if isinstance(event, EpochEnded):
            self.epochs.append((event.seconds, process_time() - self._computed, len(self.waited) - self._before))


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
    found = np.array(backup.epochs[2:])[: epochs // 2 * 2].reshape(-1, 2, 3)
    count = found[:, 1, 2]
    print(f"{len(found)} pairs of epochs, {count.mean():.1f} backups in one that has them:")
    for column, name in enumerate(("clock", "processor")):
        without, with_them = found[:, :, column].T
        low, middle, high = np.percentile((with_them - without) / count, [25, 50, 75])
        share = middle * np.median(found[:, 0, 0]) / np.median(without)  # of what a second of training takes of it
        print(
            f"{name}: {np.median(without):.3f} s without, {np.median(with_them):.3f} s with; a backup takes "
            f"{1e3 * middle:.1f} ms (quartiles {1e3 * low:.1f} and {1e3 * high:.1f}), one a second {share:+.1%}"
        )
    waited, computed = (1e3 * np.median(each) for each in (backup.waited, backup.computed))
    print(
        f"a backup, {len(backup.waited)} of them: training waits {waited:.1f} ms, its thread computes {computed:.1f} ms"
    )


if __name__ == "__main__":
    main()
