"""One ``fit``: the loop over epochs and steps, and all that it keeps for as long as it runs.

The session knows programs, state and rows of data; nothing of layers, and of the optimizer only that it has a stepper.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from thalweg import cores
from thalweg.checks import Count, In, OneOf, check_fields
from thalweg.data.source import Arrays, Rows, Source
from thalweg.errors import ArgumentError, NonFiniteError
from thalweg.fields import dataclass
from thalweg.processes.job import clock, current, say
from thalweg.record.events import (
    EpochBegun,
    EpochEnded,
    Event,
    Found,
    Interval,
    Listener,
    Measured,
    Resumed,
    TrainingBegun,
    TrainingEnded,
)
from thalweg.record.history import History
from thalweg.state.names import STEP_STATE
from thalweg.training.alike import require_alike
from thalweg.training.callbacks import CallbackList, Logs, TerminateOnNaN
from thalweg.training.feed import DataNotice, Feed
from thalweg.training.goals import VALIDATION
from thalweg.training.inference import Evaluation
from thalweg.training.interrupt import Interrupt, interruptible
from thalweg.training.pace import Pace
from thalweg.training.position import Position
from thalweg.training.progress import Progress, check_verbose
from thalweg.training.rescue import Divergence, Rescue
from thalweg.training.trainer import Trainer, watched_evaluation

FULL = "full"
"""The batch size that means all rows."""

INTERVAL_SECONDS = 0.1
"""How often those who listen are told how far an epoch has come."""

USER, CALLBACK, CONVERGED, NON_FINITE = "user", "callback", "converged", "non-finite loss"
OUT_OF_DATA = "out of data"
"""What can stop training, in the words of ``History.stopped_by``."""


@dataclass(frozen=True)
class FitOptions:
    """The arguments of ``fit`` that say what runs when; names as there. Raises ArgumentError for a bad one."""

    batch_size: Count | Annotated[str, OneOf(FULL)]
    epochs: Annotated[int, In("[0, inf)")]
    initial_epoch: Annotated[int, In("[0, inf)")] = 0
    shuffle: bool = True
    steps_per_epoch: Count | None = None
    validation_freq: Count | tuple[Count, ...] = 1
    validation_batch_size: Count | None = None
    threads: Count | None = None
    verbose: int | bool | str = "auto"

    def __post_init__(self) -> None:
        check_fields(self, "fit")
        check_verbose(self.verbose)

    @property
    def shuffles(self) -> bool:
        """Whether the order of the rows matters, and is to change."""
        return self.shuffle and self.batch_size != FULL

    def identity(self) -> dict[str, Any]:
        """What the numbers depend on, in JSON types."""
        freq = self.validation_freq
        return {
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "steps_per_epoch": self.steps_per_epoch,
            "validation_freq": freq if isinstance(freq, int) else list(freq),
            "validation_batch_size": self.validation_batch_size,
        }

    def batch(self, source: Source) -> int:
        """The rows of a step; where the source says itself what a batch is, of its first."""
        if source.batch is not None:
            return source.batch
        if isinstance(self.batch_size, int):
            return self.batch_size if source.count is None else min(self.batch_size, source.count)
        if source.count is None:
            raise ArgumentError(
                "fit: batch_size='full' for a stream of which nobody knows how many rows it has",
                expected="a number of rows",
                got="'full'",
                fix="pass for example batch_size=128",
            )
        return source.count

    def validation_batch(self, source: Source) -> int:
        """The rows of a batch of the validation, where that matters."""
        return self.batch(source) if self.validation_batch_size is None else self.validation_batch_size

    def steps(self, source: Source) -> int | None:
        """Per epoch, if it begins with the first row; None if nobody knows that."""
        whole = source.batches
        if whole is None and source.batch is None and source.count is not None:
            whole = -(-source.count // self.batch(source))
        known = [n for n in (whole, self.steps_per_epoch) if n is not None]
        return min(known, default=None)

    def validates(self, epoch: int) -> bool:
        """Whether a validation follows this epoch."""
        if isinstance(self.validation_freq, int):
            return (epoch + 1) % self.validation_freq == 0
        return epoch + 1 in self.validation_freq


def params(verbose: Any, epochs: int, steps: int | None) -> dict[str, Any]:
    """What callbacks and the history are told about a fit, as in Keras."""
    return {"verbose": verbose, "epochs": epochs, "steps": steps}


def fit(
    trainer: Trainer,
    source: Source,
    validation: Evaluation | None,
    options: FitOptions,
    callbacks: CallbackList,
    history: History,
    listeners: Sequence[Listener] = (),
) -> None:
    """Train; ``history`` grows with every finished epoch.

    Arguments:
        validation: what is computed after an epoch.
        listeners: are told what happens, beside the history and the progress line.

    Raises: NonFiniteError, the model being left on its last good state.
    """
    progress = Progress(options.verbose, options.initial_epoch, options.epochs, options.steps(source))
    with interruptible() as interrupt:
        told = (history.hear, progress.hear, callbacks.hear, *listeners)
        session = Session(trainer, source, validation, options, callbacks, interrupt, told, history)
        try:
            session.run()
        finally:
            callbacks.listen(None)
    if session.stopped_by == USER and not interrupt.shared:
        at = f"epoch {session.epoch + 1} of {options.epochs}"
        say(f"Stopped by Ctrl-C in {at}; model and history are kept as they are.", file=sys.stderr)


class Session:
    """One call of ``fit``.

    Attributes:
        position: where in the data and in the epoch training stands; in the state.
        epoch: the index of the epoch that runs; between two of the next one.
        logs: of the last epoch that has ended.
        stopped_by: see ``History``.
    """

    def __init__(
        self,
        trainer: Trainer,
        source: Source,
        validation: Evaluation | None,
        options: FitOptions,
        callbacks: CallbackList,
        interrupt: Interrupt,
        listeners: Sequence[Listener],
        history: History,
    ) -> None:
        self.history = history
        self.trainer = trainer
        self.source = source.staying() if isinstance(source, Rows) else source
        self.options = options
        self.callbacks = callbacks
        self.interrupt = interrupt
        self.listeners = listeners
        self.validation = validation
        self.batch = options.batch(source)
        self.steps = options.steps(source)
        self.threads = cores.wanted(options.threads)
        self.position = Position(trainer.state, source.count, options.shuffles)
        self.pace = Pace(callbacks.watches_batches("train"))
        self.rescue = Rescue(trainer)
        self.epoch = options.initial_epoch
        self.stopped_by: str | None = None
        self.feed = Feed(self.source, self.position, self.batch, self.steps, self.at_once)
        self._now = self._next_interval = 0.0
        self._compiled_before = trainer.programs.compile_seconds
        self.logs: Logs = {}
        self._all_done = False

    def run(self) -> None:
        """Train from the first epoch to the last, or to where something stops it."""
        try:
            self.begin()
            self.run_epochs()
        except Divergence:
            logs, error = self.trainer.logs(), self.rescue.error()
            self.give_up(error, {} if self._all_done else self.rescue.logs or logs)
        finally:
            self.feed.leave()
            self.position.leave()
            self.tell(TrainingEnded(self.stopped_by, self.trainer.programs.compile_seconds - self._compiled_before))
        self.trainer.take_averages()
        self.callbacks.call("on_train_end", self.logs)

    def begin(self) -> None:
        """Compile, and say that training begins. Raises ArgumentError for what the optimizer cannot train."""
        options = self.options
        self.trainer.check(self.steps)
        self.trainer.take_form(self.source)
        self.trainer.prepare(self.batch, self.source.weights)
        self.require_alike()
        self.callbacks.listen(self.tell)
        self.tell(TrainingBegun(options.initial_epoch, options.epochs, self.steps, self.source.count, self.batch))
        self.callbacks.call("on_train_begin", {})
        if self.callbacks.resume(self):
            self.position.begin()
            self.tell(Resumed(self.epoch, self.position.step))
        self.callbacks.keep(self)

    def require_alike(self) -> None:
        """Raise ProcessError if several processes are not about to do the same."""
        if current().count > 1:
            trainer, weights = self.trainer, self.source.weights
            graph = trainer.step(self.batch, weights).graph
            require_alike(trainer.programs.executor.name, graph, trainer.state, self.identity())

    def run_epochs(self) -> None:
        """The epochs. Raises Divergence if a loss is not finite, or at the end anything else that lasts."""
        while self.stopped_by is None and self.epoch < self.options.epochs:
            began, compiled = time.perf_counter(), self.trainer.programs.compile_seconds
            if self.feed.has_more():
                self.begin_epoch()
                self.run_steps()
                compiled = self.trainer.programs.compile_seconds - compiled
                self.end_epoch(time.perf_counter() - began - compiled)
            else:
                self.run_out(0)
        self._all_done = True
        if self.stopped_by in (None, OUT_OF_DATA):
            self.rescue.check()
        self.feed.leave()
        if self.position.row:  # an order that was begun is not used again
            self.position.end_pass()

    def begin_epoch(self) -> None:
        """The sums begin at zero, but where training goes on in the middle of an epoch."""
        goes_on = self.step > 0
        if goes_on:
            self.trainer.attach()
        else:
            self.trainer.clear()
        self.tell(EpochBegun(self.epoch, self.position.step))
        self.callbacks.call("on_epoch_begin", self.epoch, {})
        if goes_on:  # these hooks have been called before, and what they changed is in what training goes on from
            self.callbacks.resume(self)

    def run_steps(self) -> None:
        """The steps of one epoch that are not done yet."""
        if self.step and self.stop_requested():
            return
        while (call := self.feed.next(self.options.epochs - self.epoch - 1)) is not None:
            if self.pace.single:
                self.callbacks.call("on_train_batch_begin", self.position.step, {})
            self.run_call(*call)
            if self.pace.single:
                self.callbacks.call("on_train_batch_end", self.position.step - 1, self.trainer.logs())
            self.tell_interval()
            self.callbacks.at_rest(self)
            if self.interrupted or self.stop_requested():
                return

    def run_out(self, steps: int) -> None:
        """There are no rows for the rest of the epoch, of which so many steps were made."""
        self.stopped_by = OUT_OF_DATA
        whole = "" if self.steps is None else f" of {self.steps}"
        warnings.warn(
            f"the data ended after {steps}{whole} steps of epoch {self.epoch + 1} of {self.options.epochs}, and "
            "training with them. To go on, pass data that can be read again (a function that makes the generator, a "
            "utils.PyDataset), or ask for fewer epochs or steps_per_epoch",
            DataNotice,
            stacklevel=2,
        )

    def at_once(self, rows: int) -> int:
        """How many steps of so many rows may run in one call.

        One that is measured has a call, and a program, of its own; and callbacks may want to look behind some.
        """
        done = self.trainer.state.number(STEP_STATE)
        due = self.callbacks.due_in(done)
        steps = self.pace.steps(rows)
        most = steps if due is None else max(1, min(steps, due))
        measured = self.callbacks.measures_in(done)
        return most if measured is None else max(1, min(most, measured))

    def run_call(self, arrays: Arrays, index: np.ndarray) -> None:
        """Some steps in one call. Raises Divergence if a loss is not finite."""
        began = clock()
        done = self.trainer.state.number(STEP_STATE)
        measured = self.callbacks.measures_in(done) == 0
        self.rescue.before(arrays, index, began)
        self.trainer.run(arrays, index, self.threads, measured)
        if not self.trainer.loss_is_finite():
            raise Divergence
        self.position.advance(len(index), index.size)
        self._now = clock()
        if measured:
            self.tell(Measured(self.epoch, done, self.trainer.statistics()))
        else:
            self.pace.measured(index, self._now - began)

    def end_epoch(self, seconds: float) -> None:
        """The validation, the callbacks, and whether that was the last epoch."""
        steps, whole = self.position.step, True
        if not self.interrupted:
            whole = self.feed.end_epoch()
            if not steps:  # of data that were to be read again, and gave nothing
                self.run_out(0)
                return
            logs = self.logs_so_far()
            if self.options.validates(self.epoch):
                logs.update(self.validate())
        if self.interrupted:
            self.stopped_by = USER
            return
        self.callbacks.call("on_epoch_end", self.epoch, logs)
        self.logs = logs
        self.tell(EpochEnded(self.epoch, logs, seconds))
        if self.stop_requested():
            self.stopped_by = CALLBACK
        elif self.trainer.stepper.converged:
            self.stopped_by = CONVERGED
        elif not whole:
            self.run_out(steps)
        self.epoch += 1
        self.callbacks.at_rest(self)

    def validate(self) -> Logs:
        """Loss and metrics of the validation now, ``val_...``; none without one."""
        if self.validation is None:
            return {}
        logs = watched_evaluation(self.validation, self.threads, self.callbacks, lambda done: not self.interrupted)
        if not logs:
            warnings.warn(
                "the validation data ended before, and nothing is validated any more: pass data that can be read "
                "again, or validation_steps",
                DataNotice,
                stacklevel=2,
            )
        return {f"{VALIDATION}{name}": value for name, value in logs.items()}

    def give_up(self, error: NonFiniteError, logs: Logs) -> None:
        """A loss is not finite: raise the error, or say it where a callback wants training to end quietly.

        Arguments:
            logs: of the epoch that it ends, which then counts as one, as in Keras; none if that has ended already.
        """
        self.stopped_by = NON_FINITE
        self.tell(Found(min(self.epoch, self.options.epochs - 1), NON_FINITE, error.problem, error.layer))
        quiet: TerminateOnNaN | None = self.callbacks.find(TerminateOnNaN)
        if quiet is None or quiet.raise_error:
            raise error from None
        say(error, file=sys.stderr)
        if logs:
            self.callbacks.call("on_epoch_end", self.epoch, logs)
            self.logs = logs
            self.tell(EpochEnded(self.epoch, logs, 0.0))

    @property
    def step(self) -> int:
        """How many steps of the epoch are done; 0 between two epochs."""
        return self.position.step

    @property
    def validations(self) -> int:
        """How often the validation has been run."""
        return 0 if self.validation is None else self.validation.passes

    @validations.setter
    def validations(self, count: int) -> None:
        if self.validation is not None:
            self.validation.passes = count

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C is about to end it; in several processes that of the first."""
        requested: bool = current().agreed("Ctrl-C", self.interrupt.requested)
        return requested

    def stop_requested(self) -> bool:
        """Whether a callback wants training to end; in several processes one of the first."""
        requested: bool = current().agreed("stop_training", self.callbacks.stop_requested())
        return requested

    def logs_so_far(self) -> Logs:
        """Losses and metrics over the steps of the epoch that are done."""
        return self.trainer.logs()

    def identity(self) -> dict[str, Any]:
        """What must be the same for another ``fit`` to go on with this one: data and arguments, in JSON types."""
        validation = None if self.validation is None else self.validation.rows.fingerprint()
        return {"data": self.source.fingerprint(), "validation": validation, "fit": self.options.identity()}

    def tell(self, event: Event) -> None:
        """Let everybody who listens know what happened."""
        for listener in self.listeners:
            listener(event)

    def tell_interval(self) -> None:
        """Where the epoch stands, from time to time."""
        if self._now >= self._next_interval:
            self._next_interval = self._now + INTERVAL_SECONDS
            self.tell(Interval(self.epoch, self.position.step, self.trainer.logs()))
