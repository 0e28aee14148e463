"""Functions that ``fit`` calls on its way, as in Keras."""

from __future__ import annotations

import csv
import inspect
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from thalweg.checks import FilePath, check_value
from thalweg.data import atomic
from thalweg.errors import ArgumentError, StorageError, did_you_mean
from thalweg.optimizers.optimizer import AVERAGE, ITERATIONS_STATE
from thalweg.processes.job import current, say
from thalweg.record.events import Event
from thalweg.record.history import History as History
from thalweg.state import State
from thalweg.state.names import PARAMETERS, slot_state, within

Logs = dict[str, Any]
"""Name -> float, or an array for a metric with one number for each class, threshold or output."""
Hook = Callable[..., Any]

_BATCH_HOOKS = {
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


class Training(Protocol):
    """A ``fit`` that runs, as callbacks see it that keep it.

    Attributes:
        epoch: the one that runs; after its end the next one.
        history: of the finished epochs.
        logs: of the last of them.
        stopped_by: see ``History``; None while nothing has stopped training.
        validations: how often the validation has been run.
    """

    epoch: int
    history: History
    logs: Logs
    stopped_by: str | None
    validations: int

    @property
    def step(self) -> int:
        """How many steps of the epoch are done; 0 between two epochs."""

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C is about to end it."""

    def logs_so_far(self) -> Logs:
        """Losses and metrics over the steps of the epoch that are done."""

    def validate(self) -> Logs:
        """Loss and metrics of the validation now, ``val_...``; none without one."""

    def identity(self) -> dict[str, Any]:
        """What must be the same for another ``fit`` to go on with this one: data and arguments, in JSON types."""


class Callback:
    """The base of callbacks: override the hooks that matter, set ``self.model.stop_training = True`` to stop.

    Every hook gets ``logs``, a mapping, as in Keras: the losses and metrics so far at the ends of batches and epochs,
    of an evaluation and of training, ``{"outputs": predictions}`` at the end of a batch of ``predict``, else an empty
    one.

    Steps run many at a time without Python in between. As soon as one callback overrides a hook per batch, they run
    one at a time instead, which costs some microseconds each.
    """

    # ``model`` is the running Model; Any, because the model's module stands below this one.
    model: Any = None
    params: Mapping[str, Any] = {}
    tell: Callable[[Event], None] = staticmethod(lambda event: None)
    """Lets those who listen to the training know of something that the callback has done."""

    together: Sequence[Callback] = ()
    """All callbacks of the call that runs, this one among them."""

    def get_state(self) -> Mapping[str, Any]:
        """What ``BackupAndRestore`` has to keep for this callback: numbers, strings, arrays, lists and mappings."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Be as the callback was that gave this state.

        Called behind ``on_train_begin``; where training goes on in the middle of an epoch once more behind that
        epoch's ``on_epoch_begin``, which the run before has called already.
        """

    def resume(self, training: Training) -> bool:
        """Make the model, the training and all callbacks what they were at an earlier moment; whether there is one.

        Called when ``set_state`` is to be.
        """
        return False

    def at_rest(self, training: Training) -> None:
        """Called after some steps and after every epoch, behind all other hooks."""

    def keep(self, training: Training) -> None:
        """Called behind ``at_rest`` of all callbacks: the model and everything that they keep are about one moment.

        It is called before the first epoch, too.
        """

    def due_in(self, step: int) -> int | None:
        """After how many more steps at most ``at_rest`` is to be called; None where it does not matter.

        Arguments:
            step: how many the model has ever made.
        """
        return None

    def checked(self, name: str, rule: Any, value: Any) -> Any:
        """An argument, converted as its rule wants it. Raises ArgumentError if it does not fit."""
        return check_value(type(self).__name__, name, rule, value)

    def set_params(self, params: Mapping[str, Any]) -> None:
        """What the loop tells about itself: ``epochs``, ``steps``, ``verbose``."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """The model that is trained, evaluated or asked for predictions."""
        self.model = model

    def watches_batches(self, phase: str) -> bool:
        """Whether a hook per batch of ``"train"``, ``"test"`` or ``"predict"`` is overridden."""
        return any(_is_overridden(self, name) for name in _BATCH_HOOKS[phase])

    def measures_in(self, step: int) -> int | None:
        """In how many steps the statistics of the layers are wanted, 0 for those of the next one; None for never.

        Arguments:
            step: how many the model has ever made.
        """
        return None

    def hear(self, event: Event) -> None:
        """Take in what happened. Unlike the hooks this gets values, as ``Measured``, that need no running model."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called once before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called once after the last epoch, with its logs."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before each epoch; ``epoch`` counts from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after each epoch with its losses and metrics, those of the validation as ``val_...``."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """``on_train_batch_begin`` under its older name."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """``on_train_batch_end`` under its older name."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before each step of training; ``batch`` counts from 0 in each epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after each step of training, with the epoch's losses and metrics so far."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called before an evaluation, that of validation data in ``fit`` too."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called after an evaluation with its results."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before each step of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after each step of an evaluation, with the results so far."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called before predictions."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called after predictions."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before each step of predictions."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after each step of predictions, which are ``logs["outputs"]``."""


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
        self.model: Any = None
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

    @property
    def names(self) -> list[str]:
        """Of their classes, but for those that are for a module's own use."""
        return [name for callback in self.callbacks if not (name := type(callback).__name__).startswith("_")]

    def watches_batches(self, phase: str) -> bool:
        """Whether one of the callbacks does, see Callback."""
        return any(callback.watches_batches(phase) for callback in self.callbacks)

    def find(self, kind: type[Callback]) -> Any:
        """The first callback of this class, or None."""
        return next((callback for callback in self.callbacks if isinstance(callback, kind)), None)

    def attach(self, model: Any, params: Mapping[str, Any]) -> None:
        """Tells every callback the model and the parameters of the loop."""
        self.model = model
        for callback in self.callbacks:
            callback.together = self.callbacks
            callback.set_model(model)
            callback.set_params(params)

    def resume(self, training: Training) -> bool:
        """Let the first callback that can make all what it was at an earlier moment; whether there is one."""
        return any(callback.resume(training) for callback in self.callbacks)

    def at_rest(self, training: Training) -> None:
        """Call ``at_rest`` and then ``keep`` of every callback."""
        for callback in self.callbacks:
            callback.at_rest(training)
        self.keep(training)

    def keep(self, training: Training) -> None:
        """See Callback."""
        for callback in self.callbacks:
            callback.keep(training)

    def due_in(self, step: int) -> int | None:
        """See Callback; the soonest."""
        due = [steps for steps in (callback.due_in(step) for callback in self.callbacks) if steps is not None]
        return min(due, default=None)

    def measures_in(self, step: int) -> int | None:
        """See Callback; the soonest."""
        due = [steps for steps in (callback.measures_in(step) for callback in self.callbacks) if steps is not None]
        return min(due, default=None)

    def hear(self, event: Event) -> None:
        """Let every callback know what happened."""
        for callback in self.callbacks:
            callback.hear(event)

    def listen(self, tell: Callable[[Event], None] | None) -> None:
        """What callbacks tell from now on goes there; with None to nobody, so that they hold on to no training."""
        for callback in self.callbacks:
            vars(callback).pop("tell", None)
            if tell is not None:
                callback.tell = tell

    def stop_requested(self) -> bool:
        """Whether ``model.stop_training`` has been set."""
        return self.model is not None and bool(self.model.stop_training)

    def call(self, hook: str, *arguments: Any) -> None:
        """Call one hook, such as ``"on_epoch_end"``, of every callback; the last argument is the logs."""
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments)


def make_folder(path: str) -> None:
    """Make a folder, and those that it is in, if it is not there. Raises StorageError.

    Of several processes of a job only the first does.
    """
    if not path or not current().is_first:
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
        every = {**hooks, **other_hooks}
        given = {name: self.checked(name, Callable[..., Any], hook) for name, hook in every.items() if hook is not None}
        vars(self).update(given)


class CSVLogger(Callback):
    """Writes one row per epoch, complete on the disk when the epoch ends; arguments as in Keras.

    With ``append`` the values stand below the names that the file has; new names become columns at the end, which are
    "NA" in the rows before.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        self.filename = os.fspath(self.checked("filename", FilePath, filename))
        if not current().is_first:
            self.filename = os.devnull
        self.separator = self.checked("separator", str, separator)
        if len(self.separator) != 1:
            raise ArgumentError(
                "CSVLogger: argument 'separator' does not fit its rule",
                expected="one character",
                got=repr(separator),
                fix="pass for example separator=';'",
            )
        self.append = self.checked("append", bool, append)
        self._columns: list[str] | None = None
        self._is_new = False  # what the file holds is of an earlier training, and goes

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._columns, self._is_new = None, not self.append
        self._write([], "a")  # raises if it cannot be written
        if self.append:
            self._header()  # raises for a file that is something else

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._begin()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._begin()

    def _begin(self) -> None:
        """Empty the file, unless it is appended to, or training goes on that has written it."""
        if self._is_new:
            self._write([], "w")
            self._is_new = False

    def get_state(self) -> Mapping[str, Any]:
        return {"columns": self._columns, "bytes": os.path.getsize(self.filename), "is_new": self._is_new}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Lines that were written after the backup go: these epochs come again."""
        self._columns, self._is_new = state["columns"], state["is_new"]
        if os.path.getsize(self.filename) > state["bytes"]:
            os.truncate(self.filename, state["bytes"])

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        values: dict[str, Any] = {"epoch": epoch, **(logs or {})}
        rows: list[list[Any]] = []
        if self._columns is None:
            header = self._header()
            self._columns = (
                [*header, *(name for name in values if name not in header)] if header else _columns(logs or {})
            )
            if not header:
                rows.append(self._columns)
            elif self._columns != header:
                self._widen(self._columns)
        rows.append([_cell(values.get(name, "NA")) for name in self._columns])
        self._write(rows, "a")

    def _header(self) -> list[str]:
        """The names of the columns that the file has; none if it is empty. Raises StorageError if it has others."""
        rows = self._read()
        if rows and "epoch" not in rows[0]:
            raise StorageError(
                f"CSVLogger cannot append to {self.filename!r}",
                expected=f"a file that CSVLogger wrote with separator={self.separator!r}",
                got=f"the first line {self.separator.join(rows[0])[:60]!r}",
                fix="choose another file or separator, or leave append=True out",
            )
        return rows[0] if rows else []

    def _read(self) -> list[list[str]]:
        with open(self.filename, newline="", encoding="utf-8", errors="replace") as file:
            return list(csv.reader(file, delimiter=self.separator))

    def _widen(self, columns: list[str]) -> None:
        """Write the file anew with more columns."""
        header, *rows = self._read()
        text = io.StringIO(newline="")
        missing = ["NA"] * (len(columns) - len(header))
        csv.writer(text, delimiter=self.separator).writerows([columns, *([*row, *missing] for row in rows)])
        atomic.write(self.filename, [text.getvalue().encode()])

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
        schedule = self.checked("schedule", Callable[..., Any], schedule)
        self.schedule: Callable[..., float] = schedule if _takes(schedule, 2) else lambda epoch, rate: schedule(epoch)
        self.verbose = self.checked("verbose", bool | int, verbose)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        given = self.schedule(epoch, float(self.model.optimizer.learning_rate))
        rate = check_value("LearningRateScheduler", "the schedule's result", float, given)
        self.model.optimizer.learning_rate = rate
        if self.verbose > 0:
            say(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


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
        self.raise_error = self.checked("raise_error", bool, raise_error)


class SwapEMAWeights(Callback):
    """Evaluates, validates and predicts with the moving averages of an optimizer with ``use_ema=True``.

    Arguments:
        swap_on_epoch: the averages are the model's weights from the end of an epoch to the beginning of the next, too,
            for callbacks that stand behind this one, as a ModelCheckpoint.

    After ``fit`` the averages are the weights, as always with ``use_ema``.
    Raises: ArgumentError if the optimizer keeps no averages.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = self.checked("swap_on_epoch", bool, swap_on_epoch)
        self._kept: dict[str, np.ndarray] = {}  # the weights, while the averages are in their place

    def get_state(self) -> Mapping[str, Any]:
        return {"kept": self._kept}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._kept = dict(state["kept"])

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._put_back()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._put_averages()

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._put_averages()

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._put_back()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._put_averages()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._put_back()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._kept = {}  # fit has made the averages the weights

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        if model.optimizer is not None and not model.optimizer.rule.use_ema:
            raise ArgumentError(
                "SwapEMAWeights: the optimizer keeps no averages",
                expected="an optimizer with use_ema=True",
                got=type(model.optimizer.rule).__name__,
                fix=f"compile with {type(model.optimizer.rule).__name__}(use_ema=True)",
            )

    def _put_averages(self) -> None:
        state: State = self.model.state
        if self._kept or ITERATIONS_STATE not in state or not state.number(ITERATIONS_STATE):
            return
        averages = {name: slot_state(within(name), AVERAGE) for name in state.names(PARAMETERS)}
        averages = {name: average for name, average in averages.items() if average in state}
        self._kept = state.snapshot(averages)
        for name, average in averages.items():
            state.write(name, state.read(average))

    def _put_back(self) -> None:
        self.model.state.restore(self._kept)
        self._kept = {}
