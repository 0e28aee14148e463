"""A training for several processes: ``python training.py FOLDER [WHO]``.

Arguments:
    FOLDER: for the backup, the log and what comes of it.
    WHO: the number of the process that kills itself once, at the end of an epoch.
"""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np

import thalweg
from thalweg import callbacks, layers
from thalweg.processes.job import current


class Die(callbacks.Callback):
    """Kills a process once, behind the backup of the epoch before."""

    def __init__(self, folder, who):
        self.folder, self.who = folder, who

    def on_epoch_end(self, epoch, logs=None):
        mark = self.folder / "died"
        if epoch == 3 and self.who == current().index and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder, who):
    """Train, save, load, train on, evaluate and predict."""
    random = np.random.default_rng(0)
    x = random.normal(size=(310, 8)).astype("float32")
    y = (x @ random.normal(size=(8, 3))).argmax(1)
    thalweg.config.set_random_seed(1)
    model = thalweg.Sequential(
        [
            thalweg.Input((8,)),
            layers.Dense(16, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    watchers = [
        callbacks.BackupAndRestore(folder / "backup"),
        Die(folder, who),
        callbacks.CSVLogger(folder / "log.csv", append=True),
    ]
    fitted = {"validation_split": 0.2, "verbose": 2, "callbacks": watchers, "executor": "xla", "diagnose": False}
    history = model.fit(x, y, batch_size=25, epochs=6, **fitted)
    model.save(folder / "model.thalweg")
    again = thalweg.load_model(folder / "model.thalweg")

    def batches():
        """What is brought to the devices batch by batch; the last is smaller."""
        for start in range(0, 300, 24):
            yield x[start : start + 24], y[start : start + 24]

    streamed = again.fit(batches, epochs=2, verbose=0, executor="xla", diagnose=False)
    found = {
        "streamed": streamed.history,
        "one batch": again.train_on_batch(x[:30], y[:30]),
        "history": history.history,
        "evaluation": again.evaluate(x, y, verbose=0),
        "predictions": again.predict(x[:40], verbose=0).tolist(),
        "weights": [array.tolist() for array in model.get_weights()],
    }
    if current().is_first:
        (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else None)
