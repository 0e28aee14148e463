"""Callbacks that watch one value of the logs: they stop, save, or lower the rate when it no longer improves."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np

from thalweg.checks import FilePath, Finite, In, OneOf, WholeNumber
from thalweg.errors import ArgumentError
from thalweg.processes.job import say
from thalweg.record.events import CheckpointWritten
from thalweg.state.names import STEP_STATE
from thalweg.training.callbacks import Callback, Logs, Training, make_folder
from thalweg.training.frequency import Frequency


class _Monitor(Callback):
    """The base of callbacks that compare one value of the logs with the best so far."""

    best: float | None = None
    kept: ClassVar[tuple[str, ...]] = ("best",)
    """The attributes that a backup of the training has to hold."""

    def get_state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.kept}

    def set_state(self, state: Mapping[str, Any]) -> None:
        for name in self.kept:
            setattr(self, name, state[name])

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        self.monitor: str = self.checked("monitor", str, monitor)
        self.mode: str = self.checked("mode", Annotated[str, OneOf("auto", "min", "max")], mode)
        self.min_delta: float = abs(self.checked("min_delta", Finite, min_delta))
        self._warned = False

    def is_improvement(self, value: float, reference: float | None) -> bool:
        """Whether ``value`` is better than the reference by more than ``min_delta``; anything is better than None."""
        if reference is None:
            return True
        if self._rises():
            return value - self.min_delta > reference
        return value + self.min_delta < reference

    def _rises(self) -> bool:
        """Whether larger is better."""
        if self.mode != "auto":
            return self.mode == "max"
        rises: bool | None = self.model.metric_rises(self.monitor.removeprefix("val_"))
        if rises is None:
            raise ArgumentError(
                f"{type(self).__name__}: whether more or less of {self.monitor!r} is better is not known",
                expected="mode='max' or mode='min' for a metric that does not say it itself",
                got="mode='auto'",
                fix="pass mode='max' if larger is better, else mode='min'",
            )
        return rises

    def current(self, logs: Logs | None) -> float | None:
        """The monitored value; None, with a warning the first time, if the logs lack it."""
        value = (logs or {}).get(self.monitor)
        if value is None and not self._warned:
            self._warned = True
            known = ", ".join(logs or {})
            warnings.warn(
                f"{type(self).__name__}: {self.monitor!r} is not in the logs, which have {known}", stacklevel=2
            )
        if isinstance(value, np.ndarray):
            raise ArgumentError(
                f"{type(self).__name__}: {self.monitor!r} is no single number",
                expected="a metric with one number for each epoch",
                got=f"an array of shape {value.shape}",
                fix="give the metric an average, as F1Score(average='macro'), or monitor another one",
            )
        return value


class EarlyStopping(_Monitor):
    """Stops when the monitored value has not improved for ``patience`` epochs; arguments as in Keras.

    With ``restore_best_weights`` the weights of the best epoch come back however training ends: by this callback, by
    the last epoch or by Ctrl-C.
    """

    kept: ClassVar[tuple[str, ...]] = ("best", "wait", "stopped_epoch", "best_epoch", "best_weights")

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = self.checked("patience", WholeNumber, patience)
        self.verbose = self.checked("verbose", bool | int, verbose)
        self.baseline = self.checked("baseline", Finite | None, baseline)
        self.restore_best_weights = self.checked("restore_best_weights", bool, restore_best_weights)
        self.start_from_epoch = self.checked("start_from_epoch", WholeNumber, start_from_epoch)
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_epoch = 0
        self.best_weights: list[np.ndarray] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        current = self.current(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.is_improvement(current, self.best):
            self.best, self.best_epoch = current, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.is_improvement(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose > 0:
                say(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(_Monitor):
    """Saves the model, or its weights, again and again; arguments as in Keras.

    ``filepath`` may contain ``{epoch:02d}`` and names of the logs, as ``{val_loss:.2f}``; within an epoch
    ``{batch}`` too. Missing folders are made.
    A saved model holds the optimizer's state and the position of the shuffle: training goes on from it to the bit.

    Arguments:
        save_freq: ``"epoch"``, at the end of each; after every so many batches; or ``"30s"``, ``"5m"``: so often.
    """

    kept: ClassVar[tuple[str, ...]] = ("best", "last_step")

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.best = self.checked("initial_value_threshold", Finite | None, initial_value_threshold)
        self.filepath: str = os.fspath(self.checked("filepath", FilePath, filepath))
        self.verbose = self.checked("verbose", bool | int, verbose)
        self.save_best_only = self.checked("save_best_only", bool, save_best_only)
        self.save_weights_only = self.checked("save_weights_only", bool, save_weights_only)
        self.save_freq = save_freq
        self._often = Frequency.of("ModelCheckpoint", "save_freq", save_freq)
        self._epoch = 0

    @property
    def last_step(self) -> int:
        """When it was due the last time."""
        return self._often.last_step

    @last_step.setter
    def last_step(self, step: int) -> None:
        self._often.begin(step)

    def due_in(self, step: int) -> int | None:
        return self._often.due_in(step)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._often.begin(self.model.state.number(STEP_STATE))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self._often.by_epochs:
            self._epoch = epoch
            self._save(logs or {})

    def at_rest(self, training: Training) -> None:
        step = self.model.state.number(STEP_STATE)
        if training.step and self._often.due(step, epoch_ended=False):
            self._often.begin(step)
            self._epoch = training.epoch
            self._save({"batch": training.step, **training.logs_so_far()})

    def _save(self, logs: Logs) -> None:
        if self.save_best_only and not self._is_best(logs):
            return
        path = self._path(logs)
        make_folder(os.path.dirname(path))
        if self.verbose > 0:
            say(f"Epoch {self._epoch + 1}: saving model to {path}")
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path, overwrite=True)
        self.tell(CheckpointWritten(self._epoch, path))

    def _is_best(self, logs: Logs) -> bool:
        current = self.current(logs)
        if current is None:
            return True
        better = self.is_improvement(current, self.best)
        if self.verbose > 0:
            before = "nothing" if self.best is None else f"{self.best:.5f}"
            change = f"improved from {before} to {current:.5f}" if better else f"did not improve from {before}"
            say(f"Epoch {self._epoch + 1}: {self.monitor} {change}")
        if better:
            self.best = current
        return better

    def _path(self, logs: Logs) -> str:
        try:
            return self.filepath.format(epoch=self._epoch + 1, **logs)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise ArgumentError(
                f"ModelCheckpoint: the file name {self.filepath!r} cannot be filled in",
                expected=f"names in braces out of epoch, {', '.join(logs)}",
                got=f"{type(error).__name__}: {error}",
                fix="use only these names, and write other braces twice",
            ) from error


class ReduceLROnPlateau(_Monitor):
    """Multiplies the rate by ``factor`` when the monitored value has not improved for ``patience`` epochs.

    Arguments as in Keras. The rate appears in the logs.

    Arguments:
        factor: below 1.
        min_delta: what counts as improvement.
        cooldown: epochs after a reduction in which nothing is counted.
        min_lr: the rate does not go below.
    """

    kept: ClassVar[tuple[str, ...]] = ("best", "wait", "cooldown_counter")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.factor = self.checked("factor", Annotated[float, In("[0, 1)")], factor)
        self.patience = self.checked("patience", WholeNumber, patience)
        self.cooldown = self.checked("cooldown", WholeNumber, cooldown)
        self.min_lr = self.checked("min_lr", Annotated[float, In("[0, inf)")], min_lr)
        self.verbose = self.checked("verbose", bool | int, verbose)
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best = None
        self.wait = 0
        self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        current = self.current(logs)
        if current is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        rate = float(self.model.optimizer.learning_rate)
        if rate <= float(np.float32(self.min_lr)):  # the rate is kept in float32
            return
        lower = max(rate * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = lower
        if self.verbose > 0:
            say(f"Epoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {lower}.")
        self.cooldown_counter = self.cooldown
        self.wait = 0
