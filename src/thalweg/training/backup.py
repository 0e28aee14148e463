"""A backup of a training that goes on where it was interrupted, to the same bits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from thalweg.checks import FilePath, In, OneOf
from thalweg.errors import ArgumentError, FileFormatError, StorageError
from thalweg.record.events import EpochEnded, Event, TrainingEnded
from thalweg.training import checkpoint
from thalweg.training.callbacks import Callback, Logs, make_folder
from thalweg.training.session import USER

LATEST, PREVIOUS = "latest.thalweg", "previous.thalweg"
"""The files in the folder."""

CALLBACKS = "callbacks"
"""``callbacks/<number>/<name>``: arrays of what callbacks keep, in the backup."""


class BackupAndRestore(Callback):
    """Saves where training stands, and goes on from there when the same program runs again; arguments as in Keras.

    A backup holds weights, optimizers, counters, the position in the data, and what the other callbacks say of
    themselves (``Callback.get_state``: EarlyStopping and ReduceLROnPlateau how long they have waited). It is one file
    that is replaced as a whole, so there is always a good one.

    Arguments:
        backup_dir: a folder for the file, which nothing else uses.
        save_freq: ``"epoch"``, at the end of each; or after every so many batches, in the middle of epochs too.
        double_checkpoint: keep the backup before the last one, which is read if that one is damaged.
        delete_checkpoint: whether the backup is deleted when training is over. Ctrl-C is no such end.

    Raises: FileFormatError from ``fit`` for a backup of another model.
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        self.backup_dir: str = os.fspath(self.checked("backup_dir", FilePath, backup_dir))
        if not self.backup_dir:
            raise ArgumentError(
                "BackupAndRestore: argument 'backup_dir' is empty",
                expected="the name of a folder, which is made if it is not there",
                got="''",
                fix="pass for example backup_dir='backup'",
            )
        rule = Annotated[str, OneOf("epoch")] | Annotated[int, In("[1, inf)")]
        self.save_freq: str | int = self.checked("save_freq", rule, save_freq)
        self.double_checkpoint = self.checked("double_checkpoint", bool, double_checkpoint)
        self.delete_checkpoint = self.checked("delete_checkpoint", bool, delete_checkpoint)
        self._epoch = 0
        self._batches = 0
        self._stopped_by: str | None = None
        self._states: list[Any] = []  # of the callbacks, until all have begun

    def watches_batches(self, phase: str) -> bool:
        return phase == "train" and self.save_freq != "epoch"

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._batches, self._states, self.start_epoch = 0, [], None
        for path in (self._path(LATEST), self._path(PREVIOUS)):
            if not os.path.exists(path):
                continue
            try:
                self._restore(path)
                return
            except FileFormatError:
                if path == self._path(PREVIOUS) or not os.path.exists(self._path(PREVIOUS)):
                    raise

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch
        for callback, state in zip(self.together, self._states, strict=False):
            callback.set_state(state)
        self._states = []

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self.save_freq != "epoch" and self._batches >= int(self.save_freq):
            self._batches = 0
            self._save(self._epoch)

    def hear(self, event: Event) -> None:
        """At the end of an epoch, when every callback has done its work."""
        if isinstance(event, EpochEnded) and self.save_freq == "epoch":
            self._save(event.epoch + 1)
        elif isinstance(event, TrainingEnded):
            self._stopped_by = event.stopped_by

    def on_train_end(self, logs: Logs | None = None) -> None:
        if not self.delete_checkpoint or self._stopped_by == USER:
            return
        for name in (LATEST, PREVIOUS):
            if os.path.exists(self._path(name)):
                os.remove(self._path(name))
        if os.path.isdir(self.backup_dir) and not os.listdir(self.backup_dir):
            os.rmdir(self.backup_dir)

    def _path(self, name: str) -> str:
        return os.path.join(self.backup_dir, name)

    def _save(self, epoch: int) -> None:
        """Write a backup; training goes on from it with this epoch."""
        make_folder(self.backup_dir)
        arrays: dict[str, np.ndarray] = dict(self.model.runner.kept_state())
        states = [
            _packed(callback.get_state(), f"{CALLBACKS}/{number}", arrays)
            for number, callback in enumerate(self.together)
        ]
        if self.double_checkpoint and os.path.exists(self._path(LATEST)):
            os.replace(self._path(LATEST), self._path(PREVIOUS))
        description = {"backup": {"epoch": epoch, CALLBACKS: states}}
        checkpoint.save(self._path(LATEST), arrays, description, overwrite=True)

    def _restore(self, path: str) -> None:
        """Make the model what it was. Raises FileFormatError if the backup is damaged, or one of another model."""
        arrays, description = checkpoint.read(path)
        backup = description.get("backup")
        if not isinstance(backup, Mapping) or not isinstance(backup.get("epoch"), int):
            raise StorageError(
                f"{path!r} is no backup",
                expected="a folder that nothing but BackupAndRestore uses",
                got="a file of a model of this name",
                fix="choose another backup_dir",
            )
        runner = self.model.runner
        runner.take_state(checkpoint.fitting(path, runner.state_types(), arrays, description["format"]))
        self.start_epoch = backup["epoch"]
        self._states = [_unpacked(state, arrays) for state in backup[CALLBACKS]]


def _packed(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """A state of a callback in JSON types; its arrays are put among ``arrays``.

    Raises: ArgumentError for what a file cannot hold.
    """
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {"mapping": {str(key): _packed(part, f"{name}/{key}", arrays) for key, part in value.items()}}
    if isinstance(value, list | tuple):
        return [_packed(part, f"{name}/{number}", arrays) for number, part in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ArgumentError(
        "the state of a callback cannot be backed up",
        expected="numbers, strings, arrays, and lists and mappings of these from get_state()",
        got=f"{value!r:.60} ({type(value).__name__}) at {name}",
        fix="leave it out of what get_state gives",
    )


def _unpacked(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_unpacked(part, arrays) for part in value]
    if not isinstance(value, Mapping):
        return value
    if "array" in value:
        return arrays[value["array"]]
    return {key: _unpacked(part, arrays) for key, part in value["mapping"].items()}
