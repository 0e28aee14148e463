"""Kills trainings at random moments, as ``kill -9`` does, lets the same script go on, and says what is otherwise then.

``python -m tests.training.kills FOLDER KILLS [KIND ...]``: every run is a child that this process forks, so that a
hundred of them cost one import; what a run leaves behind is compared with what one leaves that nobody has stopped.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

import numpy as np

import thalweg
from thalweg import Input, Model, Sequential, callbacks, layers, optimizers
from thalweg.executors.numpy import NumpyExecutor

BEACON = -1
"""Where a run writes a byte for all that happens in it: it is killed after some of them, whatever the machine does."""

AFTER = 0.004
"""Seconds within which it is killed then."""

_random = np.random.default_rng(0)
X = _random.normal(size=(60, 6)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:2] + 0.1 * _random.normal(size=(60, 1))).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0)
IMAGES = _random.normal(size=(24, 6, 6, 1)).astype(np.float32)


BEATS = [0]
"""How many there were."""


def beat():
    BEATS[0] += 1
    if BEACON >= 0:
        os.write(BEACON, b".")


class Beacon(callbacks.Callback):
    """Says that something has happened, and changes nothing."""

    def hear(self, event):
        beat()


class Counting(callbacks.Callback):
    """A user's callback with a state of its own, which watches every batch."""

    def __init__(self):
        self.epochs, self.batches, self.sums = 0, 0, np.zeros(3)

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs += 1

    def on_train_batch_end(self, batch, logs=None):
        beat()
        self.batches += 1
        self.sums += logs["loss"]

    def get_state(self):
        return {"epochs": self.epochs, "batches": self.batches, "sums": self.sums}

    def set_state(self, state):
        self.epochs, self.batches, self.sums = state["epochs"], state["batches"], state["sums"].copy()


def compiled(model, optimizer="adam", loss="mse", native=False, **options):
    if not native:
        model.executor = NumpyExecutor()
    model.compile(optimizer, loss, **options)
    return model


def dense(*hidden, outputs=1, **options):
    stack = [layer for units in (8,) for layer in (layers.Dense(units, "relu"), *(make() for make in hidden))]
    return compiled(Sequential([Input((6,)), *stack, layers.Dense(outputs)]), **options)


def from_logits():
    return thalweg.losses.SparseCategoricalCrossentropy(from_logits=True)


def backup(folder, **options):
    return [Beacon(), callbacks.BackupAndRestore(folder / "backup", **options)]


# The kinds of runs. Each gets a folder, trains, and gives models, histories and callbacks whose states are compared.


def in_memory(folder):
    """Dropout, batch normalisation, a schedule, averages, weights, class weights; every third step."""
    rule = optimizers.AdamW(optimizers.schedules.CosineDecay(0.01, 100), use_ema=True, clipnorm=1.0)
    model = dense(layers.BatchNormalization, lambda: layers.Dropout(0.3), optimizer=rule, metrics=["mae"])
    watch = [Counting(), callbacks.EarlyStopping(patience=50, restore_best_weights=True)]
    weights = np.linspace(0.5, 2, len(X))
    history = model.fit(
        X, Y, 7, 6, 0, [*watch, *backup(folder, save_freq=3)], validation_split=0.2, sample_weight=weights
    )
    return [model], [history], watch


def watched(folder):
    """All callbacks that keep something, around the backup; stops early."""
    model = dense(optimizer=optimizers.SGD(0.05, momentum=0.9), outputs=3, loss=from_logits())
    watch = [
        callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.97),
        callbacks.CSVLogger(folder / "log.csv"),
        *backup(folder, save_freq=2),
        Counting(),
        callbacks.ReduceLROnPlateau(patience=1, min_delta=0.02, cooldown=1),
        callbacks.CSVLogger(folder / "more.csv", append=True),
        callbacks.ModelCheckpoint(folder / "best.thalweg", save_best_only=True),
        callbacks.ModelCheckpoint(folder / "{epoch}-{batch}.thalweg", save_freq=7, save_weights_only=True),
        callbacks.EarlyStopping(patience=4, min_delta=0.01, restore_best_weights=True),
    ]
    history = model.fit(X, LABELS, 8, 40, 0, watch, validation_data=(X[:20], LABELS[:20]), class_weight={0: 2.0})
    return [model], [history], [each for each in watch if not isinstance(each, Beacon | callbacks.BackupAndRestore)]


def by_epochs(folder):
    """A backup at the end of each epoch, the data in parts of 3 steps, averages swapped in."""
    model = dense(optimizer=optimizers.Adam(use_ema=True, ema_momentum=0.9), metrics=["mae"])
    watch = [callbacks.SwapEMAWeights(swap_on_epoch=True), callbacks.EarlyStopping("loss", patience=99), Counting()]
    history = model.fit(X, Y, 7, 14, 0, [*watch, *backup(folder)], validation_split=0.2, steps_per_epoch=3)
    return [model], [history], watch


def natively(folder):
    """Compiled code, many steps a call, by the clock."""
    model = compiled(
        Sequential([Input((6,)), layers.Dense(64, "relu"), layers.Dropout(0.2), layers.Dense(1)]), native=True
    )
    x, y = np.tile(X, (100, 1)), np.tile(Y, (100, 1))
    watch = [callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.1), callbacks.CSVLogger(folder / "log.csv")]
    history = model.fit(x, y, 8, 12, 0, [*watch, *backup(folder, save_freq="0.02s")])
    return [model], [history], watch


def search(folder):
    """L-BFGS, to convergence."""
    model = dense(optimizer=optimizers.LBFGS(), metrics=["mae"])
    watch = [callbacks.CSVLogger(folder / "log.csv")]
    history = model.fit(X, Y, "full", 30, 0, [*watch, *backup(folder)])
    return [model], [history], watch


def converging(folder):
    """L-BFGS on a problem that it solves: ends by itself."""
    model = compiled(Sequential([Input((6,)), layers.Dense(1)]), optimizers.LBFGS())
    history = model.fit(X, Y, "full", 100, 0, [Counting(), *backup(folder, save_freq=1)])
    return [model], [history], []


def several_outputs(folder):
    """Two inputs and two outputs with losses, weights and metrics of their own."""
    left, right = Input((6,), name="left"), Input((6,), name="right")
    both = layers.Concatenate()([layers.Dense(5, "tanh")(left), layers.Dense(5, "tanh")(right)])
    model = Model([left, right], [layers.Dense(1, name="value")(both), layers.Dense(3, name="kind")(both)])
    compiled(
        model,
        loss={"value": "mse", "kind": from_logits()},
        loss_weights={"value": 1.0, "kind": 0.3},
        metrics={"value": ["mae"], "kind": ["accuracy"]},
        weighted_metrics={"value": ["mse"]},
    )
    weights = {"value": np.linspace(1, 2, 60), "kind": np.ones(60)}
    targets = {"value": Y, "kind": LABELS}
    watch = [Counting(), callbacks.EarlyStopping("val_kind_accuracy", patience=30, mode="max")]
    history = model.fit(
        {"left": X, "right": X[::-1].copy()},
        targets,
        9,
        6,
        0,
        [*backup(folder, save_freq=4), *watch],
        sample_weight=weights,
        validation_data=({"left": X, "right": X}, targets),
    )
    return [model], [history], watch


class Own(Model):
    def train_step(self, data):
        return super().train_step(data)


def own_steps(folder):
    """A model that says itself what a step does."""
    inputs = Input((6,))
    model = compiled(Own(inputs, layers.Dense(1)(layers.Dropout(0.2)(layers.Dense(8, "relu")(inputs)))))
    watch = [Counting()]
    history = model.fit(X, Y, 8, 8, 0, [*watch, *backup(folder, save_freq=2)])
    return [model], [history], watch


def pictures(folder):
    """Convolutions and augmentation; dropout in the validation too, which draws numbers of its own."""
    inputs = Input((6, 6, 1))
    flat = layers.Flatten()(layers.Conv2D(3, 3, activation="relu")(layers.RandomFlip("horizontal", seed=1)(inputs)))
    model = compiled(Model(inputs, layers.Dense(2)(layers.Dropout(0.5)(flat, training=True))))
    watch = [callbacks.EarlyStopping(patience=20, restore_best_weights=True), Counting()]
    y = IMAGES.reshape(24, -1)[:, :2]
    history = model.fit(IMAGES, y, 5, 6, 0, [*watch, *backup(folder, save_freq=2)], validation_split=0.25)
    return [model], [history], watch


def many(folder):
    """Several models at once, of which some are finished when others are not."""
    models = [dense(lambda: layers.Dropout(0.2), optimizer=optimizers.Adam(rate)) for rate in (0.01, 0.001, 0.03)]
    histories = thalweg.fit_many(
        models,
        X,
        Y,
        each=[{"epochs": epochs} for epochs in (2, 5, 3)],
        batch_size=8,
        callbacks=lambda: [Beacon(), callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)],
        backup=callbacks.BackupAndRestore(folder / "backup", 2),
        threads=2,
        verbose=0,
    )
    return models, histories, []


class Batches(thalweg.utils.PyDataset):
    def __init__(self):
        super().__init__()
        self.order = np.arange(60)

    def __len__(self):
        return 8

    def __getitem__(self, number):
        rows = self.order[8 * number : 8 * number + 8]
        return X[rows], Y[rows]

    def on_epoch_end(self):
        self.order = np.roll(self.order, 7)


def stream(folder):
    """Batches of a user's own, in an order that each pass changes, in epochs of a part of them."""
    model = dense(lambda: layers.Dropout(0.3))
    watch = [Counting(), callbacks.EarlyStopping("loss", patience=99), callbacks.CSVLogger(folder / "log.csv")]
    options = {"steps_per_epoch": 5, "validation_data": Batches(), "epochs": 9, "verbose": 0}
    history = model.fit(Batches(), callbacks=[*watch, *backup(folder, save_freq=3)], **options)
    return [model], [history], watch


def generator(folder):
    """A generator, which is read on to its place."""

    def batches():
        for start in range(0, 60, 8):
            yield X[start : start + 8], Y[start : start + 8]

    model = dense()
    history = model.fit(batches, epochs=8, verbose=0, callbacks=backup(folder, save_freq="0.002s"))
    return [model], [history], []


def table(folder):
    """A network for a table, with all that is found out of it before."""
    rows = {"size": X[:, 0], "kind": np.where(X[:, 1] > 0, "a", "b"), "price": Y[:, 0]}
    model = thalweg.train_table(
        rows,
        "price",
        epochs=3,
        members=2,
        validation=0.5,
        callbacks=lambda: [Beacon()],
        backup=callbacks.BackupAndRestore(folder / "backup", 1),
        verbose=0,
        executor=NumpyExecutor(),
    )
    return [model], model.histories, []


KINDS = [
    in_memory,
    watched,
    by_epochs,
    natively,
    search,
    converging,
    several_outputs,
    own_steps,
    pictures,
    many,
    stream,
    generator,
]
LONGER = [table]
"""Those that take longer."""


def left_behind(kind, folder):
    """All that a run leaves: arrays by name, and text."""
    thalweg.utils.set_random_seed(5)
    models, histories, watch = kind(folder)
    arrays, words = {}, {}
    for number, model in enumerate(models):
        for name, array in model.runner.kept_state().items():
            arrays[f"{number}/{name}"] = array
    for number, history in enumerate(histories):
        words[f"history {number}"] = repr((history.history, history.epoch, history.stopped_by, history.params))
    for number, callback in enumerate(watch):
        words[f"callback {number} {type(callback).__name__}"] = repr(callback.get_state())
    for path in sorted(folder.glob("*.csv")):
        words[path.name] = path.read_text()
    for path in sorted(folder.glob("*.thalweg")):
        saved, _ = thalweg.data.safetensors.read(path)
        arrays |= {f"{path.name}/{name}": array for name, array in saved.items()}
    words["files"] = repr(sorted(path.name for path in folder.iterdir()))
    return arrays, words


def run(kind, folder, result, beats=None, wait=0.0):
    """Fork a run, and kill it after so many beats. How many it made; None if it was killed.

    Raises: RuntimeError if it has failed.
    """
    reader, writer = os.pipe()
    number = os.fork()
    if not number:
        child(kind, folder, result, writer)
    os.close(writer)
    made = 0
    with open(reader, "rb", buffering=0) as heard:
        while made != beats and heard.read(1):
            made += 1
        if made == beats:
            time.sleep(wait)
            os.kill(number, signal.SIGKILL)
    _, status = os.waitpid(number, 0)
    if os.WIFSIGNALED(status):
        shutil.rmtree(result, ignore_errors=True)
        return None
    if status:
        raise RuntimeError("a run has failed; see above")
    return made


def work(kind, folder, result):
    """A run, and what is to be compared."""
    arrays, words = left_behind(kind, folder)
    result.mkdir()
    np.savez(result / "arrays.npz", **{name.replace("/", "|"): array for name, array in arrays.items()})
    (result / "words.json").write_text(json.dumps(words))


def child(kind, folder, result, writer):
    """What a child does, and its end."""
    global BEACON
    BEACON = writer
    try:
        work(kind, folder, result)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def differences(one, other):
    """What two results do not have in common, in words."""
    found = []
    a, b = (json.loads((result / "words.json").read_text()) for result in (one, other))
    found += [
        f"{name}: {a.get(name)} / {b.get(name)}" for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)
    ]
    with np.load(one / "arrays.npz") as x, np.load(other / "arrays.npz") as y:
        names = sorted(set(x.files) | set(y.files))
        found += [f"array {n}" for n in names if n not in x or n not in y or x[n].tobytes() != y[n].tobytes()]
    return found


def tried(kind, folder, kills, rng):
    """Kill runs of a kind until so many were killed. Gives how many were, and what differed."""
    (folder / "whole").mkdir(parents=True)
    BEATS[0] = 0
    work(kind, folder / "whole", folder / "expected")  # in this process: children find all loaded
    total = BEATS[0]
    done = rounds = 0
    while done < kills:
        rounds += 1
        place, result = folder / f"round{rounds}", folder / f"result{rounds}"
        place.mkdir()
        while run(kind, place, result, rng.randint(1, max(2, total // 2)), rng.uniform(0, AFTER)) is None:
            done += 1
            if done % 4 == 0 or done == kills:
                run(kind, place, result)
                break
        found = differences(folder / "expected", result)
        if found:
            return done, found
    return done, []


def main(folder, kills, *names):
    rng = random.Random()
    failed = False
    for kind in [*KINDS, *LONGER] if names else KINDS:
        if names and kind.__name__ not in names:
            continue
        try:
            done, found = tried(kind, Path(folder) / kind.__name__, int(kills), rng)
        except RuntimeError as error:
            done, found = 0, [str(error)]
        failed |= bool(found)
        print(f"{kind.__name__}: {done} kills, {'as if never stopped' if not found else 'OTHERWISE'}", flush=True)
        for line in found[:12]:
            print("   ", line[:400])
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
