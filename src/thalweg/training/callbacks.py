"""Functions that ``fit`` calls on its way, as in Keras."""

from __future__ import annotations

import csv
import inspect
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, check_value
from thalweg.errors import ArgumentError, StorageError, did_you_mean
from thalweg.record.history import History as History

Logs = dict[str, Any]
"""Name -> float, or an array for a metric with one number for each class, threshold or output."""
Hook = Callable[..., Any]

_BATCH_HOOKS = {
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


class Callback:
    """The base of callbacks: override the hooks that matter, set ``self.model.stop_training = True`` to stop.

    Steps run many at a time without Python in between. As soon as one callback overrides a hook per batch, they run
    one at a time instead, which costs some microseconds each.
    """

    # ``model`` is the running Model; Any, because the model's module stands below this one.
    model: Any = None
    params: Mapping[str, Any] = {}

    def set_params(self, params: Mapping[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self.model = model

    def watches_batches(self, phase: str) -> bool:
        """Whether a hook per batch of ``"train"``, ``"test"`` or ``"predict"`` is overridden."""
        return any(_is_overridden(self, name) for name in _BATCH_HOOKS[phase])

    def on_train_begin(self, logs: Logs | None = None) -> None: ...
    def on_train_end(self, logs: Logs | None = None) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None: ...
    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None: ...
    def on_test_end(self, logs: Logs | None = None) -> None: ...
    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_predict_begin(self, logs: Logs | None = None) -> None: ...
    def on_predict_end(self, logs: Logs | None = None) -> None: ...
    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...


def _is_overridden(callback: Callback, hook: str) -> bool:
    """In a subclass, or on the instance as LambdaCallback does it."""
    return hook in vars(callback) or getattr(type(callback), hook) is not getattr(Callback, hook)


class CallbackList:
    """Several callbacks, called in their order.

    Arguments:
        callbacks: one, several or none; one of them may be a CallbackList already, whose members join.
    """

    def __init__(self, callbacks: Callback | CallbackList | Iterable[Callback] | None) -> None:
        self.callbacks = _as_list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise ArgumentError(
                    "this is no callback",
                    expected="instances of classes derived from thalweg.callbacks.Callback",
                    got=f"{callback!r:.80} ({type(callback).__name__})",
                    fix="derive its class from Callback, and pass an instance",
                )

    def __bool__(self) -> bool:
        return bool(self.callbacks)

    def watches_batches(self, phase: str) -> bool:
        return any(callback.watches_batches(phase) for callback in self.callbacks)

    def find(self, kind: type[Callback]) -> Any:
        """The first callback of this class, or None."""
        return next((callback for callback in self.callbacks if isinstance(callback, kind)), None)

    def attach(self, model: Any, params: Mapping[str, Any]) -> None:
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)

    def call(self, hook: str, *arguments: Any) -> None:
        """Call one hook, such as ``"on_epoch_end"``, of every callback."""
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments)


def _as_list(callbacks: Any) -> list[Callback]:
    if callbacks is None:
        return []
    if isinstance(callbacks, CallbackList):
        return callbacks.callbacks
    return list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]


class LambdaCallback(Callback):
    """Functions as hooks: ``LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))``."""

    def __init__(
        self,
        on_epoch_begin: Hook | None = None,
        on_epoch_end: Hook | None = None,
        on_train_begin: Hook | None = None,
        on_train_end: Hook | None = None,
        on_train_batch_begin: Hook | None = None,
        on_train_batch_end: Hook | None = None,
        **other_hooks: Hook,
    ) -> None:
        hooks: dict[str, Hook | None] = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        known = [name for name in dir(Callback) if name.startswith("on_")]
        for name in other_hooks:
            if name not in known:
                raise ArgumentError(
                    f"LambdaCallback: there is no hook {name!r}",
                    expected=", ".join(known),
                    got=f"{name}=",
                    fix=did_you_mean(name, known),
                )
        given = {name: hook for name, hook in {**hooks, **other_hooks}.items() if hook is not None}
        vars(self).update(given)


class _Monitor(Callback):
    """The base of callbacks that compare one value of the logs with the best so far."""

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0, best: float | None = None) -> None:
        if mode not in ("auto", "min", "max"):
            raise ArgumentError(
                f"{type(self).__name__}: argument 'mode' does not fit its rule",
                expected="one of 'auto', 'min', 'max'",
                got=repr(mode),
                fix=did_you_mean(str(mode), ("auto", "min", "max")),
            )
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best = best
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
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
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
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose > 0:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(_Monitor):
    """Saves the model, or its weights, after every epoch or every ``save_freq`` batches; arguments as in Keras.

    ``filepath`` may contain ``{epoch:02d}`` and names of the logs, as ``{val_loss:.2f}``. Missing folders are made.
    A saved model holds the optimizer's state and the position of the shuffle: training goes on from it to the bit.
    """

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
        super().__init__(monitor, mode, best=initial_value_threshold)
        if save_freq != "epoch" and not (isinstance(save_freq, int) and save_freq > 0):
            raise ArgumentError(
                "ModelCheckpoint: argument 'save_freq' does not fit its rule",
                expected="'epoch', or a number of batches",
                got=repr(save_freq),
                fix="pass save_freq='epoch'",
            )
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self._epoch = 0
        self._batches = 0

    def watches_batches(self, phase: str) -> bool:
        return phase == "train" and self.save_freq != "epoch"

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self.save_freq != "epoch" and self._batches >= int(self.save_freq):
            self._batches = 0
            self._save({"batch": batch + 1, **(logs or {})})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(logs or {})

    def _save(self, logs: Logs) -> None:
        if self.save_best_only and not self._is_best(logs):
            return
        path = self._path(logs)
        _make_folder(os.path.dirname(path))
        if self.verbose > 0:
            print(f"Epoch {self._epoch + 1}: saving model to {path}")
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path, overwrite=True)

    def _is_best(self, logs: Logs) -> bool:
        current = self.current(logs)
        if current is None:
            return True
        better = self.is_improvement(current, self.best)
        if self.verbose > 0:
            before = "nothing" if self.best is None else f"{self.best:.5f}"
            change = f"improved from {before} to {current:.5f}" if better else f"did not improve from {before}"
            print(f"Epoch {self._epoch + 1}: {self.monitor} {change}")
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


class CSVLogger(Callback):
    """Writes one row per epoch, complete on the disk when the epoch ends; arguments as in Keras."""

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        self.filename = os.fspath(filename)
        self.separator = check_value("CSVLogger", "separator", str, separator)
        self.append = append
        self._columns: list[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._columns = None
        self._write([], "a" if self.append else "w")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        values: dict[str, Any] = {"epoch": epoch, **(logs or {})}
        rows: list[list[Any]] = []
        if self._columns is None:
            self._columns = _columns(logs or {})
            if os.path.getsize(self.filename) == 0:
                rows.append(self._columns)
        rows.append([_cell(values.get(name, "NA")) for name in self._columns])
        self._write(rows, "a")

    def _write(self, rows: list[list[Any]], mode: str) -> None:
        """Opened anew for every epoch: nothing stays open, however training ends."""
        try:
            with open(self.filename, mode, newline="", encoding="utf-8") as file:
                csv.writer(file, delimiter=self.separator).writerows(rows)
        except OSError as error:
            raise StorageError(
                f"CSVLogger cannot write {self.filename!r}",
                expected="a file name in an existing, writable folder",
                got=error.strerror or str(error),
                fix="choose another path",
            ) from error


def _cell(value: Any) -> Any:
    """Arrays as lists, which stay on one line."""
    return value.tolist() if isinstance(value, np.ndarray) else value


def _columns(logs: Logs) -> list[str]:
    """The header. Without values of a validation it has room for them, as in Keras: they may come in later epochs."""
    names = sorted(logs)
    validated = any(name.startswith("val_") for name in names)
    return ["epoch", *names, *([] if validated else [f"val_{name}" for name in names])]


class LearningRateScheduler(Callback):
    """Sets the rate at the start of every epoch to ``schedule(epoch, rate)``; it appears in the logs.

    Arguments:
        schedule: of the epoch, counted from 0, and the present rate; or of the epoch alone.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        self.schedule: Callable[..., float] = schedule if _takes(schedule, 2) else lambda epoch, rate: schedule(epoch)
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        given = self.schedule(epoch, float(self.model.optimizer.learning_rate))
        rate = check_value("LearningRateScheduler", "the schedule's result", float, given)
        self.model.optimizer.learning_rate = rate
        if self.verbose > 0:
            print(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class ReduceLROnPlateau(_Monitor):
    """Multiplies the rate by ``factor`` when the monitored value has not improved for ``patience`` epochs.

    Arguments as in Keras. The rate appears in the logs.

    Arguments:
        factor: below 1.
        min_delta: what counts as improvement.
        cooldown: epochs after a reduction in which nothing is counted.
        min_lr: the rate does not go below.
    """

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
        owner = type(self).__name__
        self.factor = check_value(owner, "factor", Annotated[float, In("[0, 1)")], factor)
        self.patience = check_value(owner, "patience", Annotated[int, In("[0, inf)")], patience)
        self.cooldown = check_value(owner, "cooldown", Annotated[int, In("[0, inf)")], cooldown)
        self.min_lr = check_value(owner, "min_lr", Annotated[float, In("[0, inf)")], min_lr)
        self.verbose = verbose
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
            print(f"Epoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {lower}.")
        self.cooldown_counter = self.cooldown
        self.wait = 0


def _takes(function: Callable[..., Any], arguments: int) -> bool:
    """Whether a function can be called with so many positional arguments; yes, where that cannot be found out."""
    try:
        inspect.signature(function).bind(*range(arguments))
    except TypeError:
        return False
    except ValueError:  # some built-in functions have no signature
        return True
    return True


class TerminateOnNaN(Callback):
    """With it a loss that is not finite ends training quietly, as in Keras, instead of raising an error.

    The model is left on its last good state either way.

    Arguments:
        raise_error: raise the error all the same.
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error


def _make_folder(path: str) -> None:
    if not path:
        return
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {path!r} cannot be made",
            expected="a path in which folders may be made",
            got=error.strerror or str(error),
            fix="choose another path",
        ) from error
