"""A backup of a training that goes on where it was interrupted, to the same bits."""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from thalweg.checks import FilePath
from thalweg.data.fingerprint import differences, in_a_line
from thalweg.errors import ArgumentError, StorageError, ThalwegError
from thalweg.processes.job import current, say
from thalweg.record.events import Event, TrainingEnded
from thalweg.state import Snapshot
from thalweg.state.names import STEP_STATE
from thalweg.training import checkpoint
from thalweg.training.backup_folder import BackupFolder, BackupNotice, Contents
from thalweg.training.callbacks import Callback, Logs, Training
from thalweg.training.frequency import Frequency
from thalweg.training.packing import packed, unpacked

USER = "user"
"""What ``History.stopped_by`` says of Ctrl-C, which is no end of the training."""


class BackupAndRestore(Callback):
    """Saves where training stands, and goes on from there when the same program runs again; arguments as in Keras.

    A backup holds weights, optimizers, counters, the position in the data, the history, and what the other callbacks
    say of themselves (``Callback.get_state``). A training that goes on ends with the same bits as one that was never
    stopped, whenever it was killed. The first backup is written before the first epoch, the others beside training, on
    a thread of their own; one of these that cannot be written (a full disk) is said once, and training goes on.

    Arguments:
        backup_dir: a folder for the files, which nothing else uses. One training at a time.
        save_freq: ``"epoch"``, at the end of each; after every so many batches; or ``"30s"``, ``"5m"``: so often, in
            the middle of epochs too.
        double_checkpoint: keep the backup before the last one, which is read if that one is damaged. Keras's default
            is not to.
        delete_checkpoint: whether the backups are deleted when training is over. Ctrl-C is no such end.

    Raises: StorageError from ``fit`` if another training uses the folder, or it cannot be written from the start;
        ArgumentError for a backup of another model, of other data or arguments: it says what differs; FileFormatError
        if no backup can be read.
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = True,
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
        self.save_freq = save_freq
        self.double_checkpoint = self.checked("double_checkpoint", bool, double_checkpoint)
        self.delete_checkpoint = self.checked("delete_checkpoint", bool, delete_checkpoint)
        self._often = Frequency.of("BackupAndRestore", "save_freq", save_freq)
        self._folder = BackupFolder(self.backup_dir)
        self._begin()

    def _begin(self) -> None:
        self._model: Any = None  # as it is described
        self._identity: Any = None  # what tells this training from others, when it has been asked for
        self._found: tuple[str, Contents] | None = None  # what training goes on from, until it has gone on
        self._pool: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None
        self._arrays: Snapshot = {}  # memory for the next backup
        self._began = False  # there is a backup that knows what callbacks have begun to write
        self._late = False  # one was due while the last was being written
        self._failing = False  # the last one could not be written
        self._stopped_by: str | None = None

    def part(self, number: int) -> BackupAndRestore:
        """One like this for one of several models: a folder in its folder, kept until ``clear``."""
        path = self._folder.part(number).path
        return BackupAndRestore(path, self.save_freq, self.double_checkpoint, delete_checkpoint=False)

    def clear(self) -> None:
        """Delete the backups, those of parts too."""
        current().by_the_first("backup", self._folder.clear)

    def due_in(self, step: int) -> int | None:
        return self._often.due_in(step)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._begin()
        self._model = _described(self.model)
        current().by_the_first("backup", self._folder.take)
        self._pool = ThreadPoolExecutor(1, "thalweg-backup")
        self._often.begin(self.model.state.number(STEP_STATE))

    def hear(self, event: Event) -> None:
        if isinstance(event, TrainingEnded):
            self._stopped_by = event.stopped_by
            if self._pool is not None:
                self._pool.shutdown()
                self._look()
            self._folder.leave()
            self._found, self._arrays = None, {}

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint and self._stopped_by != USER:
            with contextlib.suppress(StorageError):  # another training has just begun there
                self.clear()

    # Going on

    def resume(self, training: Training) -> bool:
        if self._found is None:
            self._found = self._newest()
            if self._found is None:
                return False
            self._require_same(*self._found, training)
            if self.params.get("verbose"):
                say(f"Going on from the backup in {self.backup_dir!r}.")
        path, (arrays, description) = self._found
        runner = self.model.runner
        runner.take_state(checkpoint.fitting(path, runner.state_types(), arrays, description["format"]))
        with checkpoint.reading(path):
            states = self._take(training, unpacked(description["backup"], arrays))
        for key, callback in _numbered(self.together):
            if key in states:
                callback.set_state(states[key])
        self._often.begin(self.model.state.number(STEP_STATE))
        return True

    def _newest(self) -> tuple[str, Contents] | None:
        """The newest backup, which the first process reads for all: others may not see its folder."""
        job, read = current(), []
        job.by_the_first("backup", lambda: read.append(self._folder.newest()))
        found = read[0] if read else None
        known = job.agreed("backup", None if found is None else [found[0], found[1][1]])
        arrays = job.shared("backup", None if found is None else found[1][0])
        return None if known is None or arrays is None else (known[0], (arrays, known[1]))

    def _take(self, training: Training, backup: Mapping[str, Any]) -> dict[tuple[str, int], Any]:
        """Make the training what it was; gives the states of the callbacks."""
        training.epoch, training.stopped_by, training.logs = backup["epoch"], backup["stopped_by"], backup["logs"]
        training.history.history, training.history.epoch = backup["history"], backup["epochs"]
        training.history.seed = backup["seed"]
        training.validations = backup["validations"]
        self.model.stop_training = backup["stop_training"]
        return {(kind, number): state for kind, number, state in backup["callbacks"]}

    def _require_same(self, path: str, contents: Contents, training: Training) -> None:
        """Raise unless the backup is one of this training: StorageError if it is none, ArgumentError if of another."""
        _, description = contents
        if not isinstance(description.get("backup"), Mapping) or not isinstance(description.get("of"), Mapping):
            raise StorageError(
                f"{path!r} is no backup",
                expected="a folder that nothing but BackupAndRestore uses",
                got="a file of a model of this name",
                fix="choose another backup_dir",
            )
        found = differences(self._of(training), description["of"])
        if found:
            raise ArgumentError(
                f"the backup in {self.backup_dir!r} is of another training",
                expected="the same model, data and arguments of fit as when it was made",
                got=in_a_line(found),
                fix="delete the folder to begin anew, or choose another backup_dir",
            )

    def _of(self, training: Training) -> Any:
        """What tells this training from others, as a file gives it back."""
        if self._identity is None:
            self._identity = json.loads(json.dumps({"model": self._model, **training.identity()}))
        return self._identity

    # Saving

    def keep(self, training: Training) -> None:
        if not self._began:  # what callbacks write from now on belongs to this training, whenever it is killed
            contents = self._contents(training)
            current().by_the_first("backup", lambda: self._folder.write(contents, self.double_checkpoint))
            self._began = True
            return
        self._found = None
        step = self.model.state.number(STEP_STATE)
        last = training.interrupted or (not self.delete_checkpoint and self._is_over(training))
        due = self._often.due(step, epoch_ended=not training.step)
        if not current().agreed("backup", self._may_write(last, due)):
            return
        self._often.begin(step)
        contents = self._contents(training)
        if current().is_first:
            assert self._pool is not None, "training has begun"
            self._writing = self._pool.submit(self._folder.write, contents, self.double_checkpoint)

    def _may_write(self, last: bool, due: bool) -> bool:
        """Whether a backup is to be written now; one that is due waits until that before it is written.

        Arguments:
            last: there is no later one.
        """
        if not (last or due or self._late):
            return False
        self._late = True
        if last and self._writing is not None:
            self._writing.exception()  # waits
        if self._writing is not None and not self._writing.done():
            return False
        self._look()
        self._late = False
        return True

    def _is_over(self, training: Training) -> bool:
        return training.stopped_by is not None or training.epoch >= self.params["epochs"]

    def _contents(self, training: Training) -> Contents:
        """Copies of all that a backup holds."""
        self._arrays = self.model.runner.kept_state(into=self._arrays)
        arrays = dict(self._arrays)
        history = training.history
        backup = {
            "epoch": training.epoch,
            "stopped_by": training.stopped_by,
            "stop_training": self.model.stop_training,
            "logs": training.logs,
            "validations": training.validations,
            "history": history.history,
            "epochs": history.epoch,
            "seed": history.seed,
            "callbacks": [[*key, callback.get_state()] for key, callback in _numbered(self.together)],
        }
        return arrays, {"of": self._of(training), "backup": packed(backup, "backup", arrays)}

    def _look(self) -> None:
        """Say what has become of the backup that was written last. Raises what no backup can be made of."""
        if self._writing is None or not self._writing.done():
            return
        error = self._writing.exception()
        self._writing = None
        if error is None:
            self._failing = False
        elif not isinstance(error, StorageError):
            raise error
        elif not self._failing:
            self._failing = True
            warnings.warn(
                f"no backup could be written, and training goes on; the last good one stays.\n{error}",
                BackupNotice,
                stacklevel=2,
            )


def _numbered(callbacks: Any) -> list[tuple[tuple[str, int], Callback]]:
    """Callbacks with the names of their classes, and how many of these came before."""
    seen: Counter[str] = Counter()
    found = []
    for callback in callbacks:
        name = type(callback).__name__
        found.append(((name, seen[name]), callback))
        seen[name] += 1
    return found


def _described(model: Any) -> Any:
    """The model in JSON types: all that a file would say of it; of what no file can describe the weights alone."""
    try:
        whole = model.described()
        json.dumps(whole)
    except (ThalwegError, TypeError, ValueError):
        shapes = {path: list(parameter.type.shape) for path, parameter in model.parameters().items()}
        return {"class_name": type(model).__name__, "weights": shapes}
    return whole
