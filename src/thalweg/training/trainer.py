"""A compiled model: what ``fit`` does with it, stage by stage."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, OneOf, check_fields
from thalweg.executors import threads as cores
from thalweg.executors.executor import Program
from thalweg.fields import dataclass
from thalweg.optimizers.lbfgs import LBFGS
from thalweg.optimizers.optimizer import AVERAGE, ITERATIONS_STATE, Optimizer
from thalweg.record.history import History
from thalweg.state.names import METRICS, SEED_STATE, parameter_state, slot_state
from thalweg.training.callbacks import CallbackList, Logs, TerminateOnNaN
from thalweg.training.data import Rows
from thalweg.training.goals import PENALTY, VALIDATION, Goals
from thalweg.training.inference import Evaluation, clear_sums, sums
from thalweg.training.interrupt import Interrupt, interruptible
from thalweg.training.loop import Pace, Plan, shuffled, train
from thalweg.training.programs import Programs
from thalweg.training.progress import Counter, Progress, check_verbose
from thalweg.training.rescue import Divergence, Rescue
from thalweg.training.search import Search, check
from thalweg.training.step import Net, Step, training_step

Count = Annotated[int, In("[1, inf)")]
FULL = "full"
"""The batch size that means all rows."""


@dataclass(frozen=True)
class Schedule:
    """The arguments of ``fit`` that say what runs when; names as there. Raises ArgumentError for a bad one."""

    batch_size: Count | Annotated[str, OneOf(FULL)]
    epochs: Annotated[int, In("[0, inf)")]
    initial_epoch: Annotated[int, In("[0, inf)")] = 0
    shuffle: bool = True
    steps_per_epoch: Count | None = None
    validation_freq: Count | tuple[Count, ...] = 1
    threads: Count | None = None
    verbose: int | bool | str = "auto"

    def __post_init__(self) -> None:
        check_fields(self, "fit")
        check_verbose(self.verbose)

    def batch(self, rows: int) -> int:
        """The rows of a step."""
        return min(self.batch_size, rows) if isinstance(self.batch_size, int) else rows

    def steps(self, rows: int) -> int:
        """Per epoch."""
        whole = -(-rows // self.batch(rows))
        return whole if self.steps_per_epoch is None else min(whole, self.steps_per_epoch)

    def validates(self, epoch: int) -> bool:
        """Whether a validation follows this epoch."""
        if isinstance(self.validation_freq, int):
            return (epoch + 1) % self.validation_freq == 0
        return epoch + 1 in self.validation_freq


class Trainer:
    """Trains and evaluates one model on one executor. Holds programs and state, nothing of the data.

    Arguments:
        stop_training: what ``model.stop_training`` says now.
    """

    def __init__(
        self, net: Net, goals: Goals, optimizer: Optimizer, programs: Programs, stop_training: Callable[[], bool]
    ) -> None:
        self.net = net
        self.goals = goals
        self.optimizer = optimizer
        self.programs = programs
        self.stop_training = stop_training
        self._last_search: Search | None = None

    def fit(
        self, rows: Rows, held_out: Rows | None, schedule: Schedule, callbacks: CallbackList, history: History
    ) -> None:
        """Train; ``history`` grows with every finished epoch.

        Raises: NonFiniteError, the model being left on its last good state.
        """
        compiled_before = self.programs.compile_seconds
        validation = None if held_out is None else Evaluation(self.net, self.goals, self.programs, held_out)
        progress = Progress(schedule.verbose, schedule.initial_epoch, schedule.epochs, history.params["steps"])
        try:
            with interruptible() as interrupt:
                plan = self._plan(rows, validation, schedule, callbacks, interrupt)
                callbacks.call("on_train_begin")
                self._train(plan, callbacks, progress, history, interrupt)
                self._take_averages()
                callbacks.call("on_train_end", {name: values[-1] for name, values in history.history.items()})
        finally:
            progress.close()
            history.compile_seconds = self.programs.compile_seconds - compiled_before
        if history.stopped_by == "user" and not interrupt.shared:
            at = f"epoch {schedule.initial_epoch + len(history.epoch) + 1} of {schedule.epochs}"
            print(f"Stopped by Ctrl-C in {at}; model and history are kept as they are.", file=sys.stderr)

    def _train(
        self, plan: Plan, callbacks: CallbackList, progress: Progress, history: History, interrupt: Interrupt
    ) -> None:
        try:
            train(plan, callbacks, progress, history, interrupt)
        except Divergence:
            history.stopped_by = "non-finite loss"
            error = plan.rescue.error()
            quiet: TerminateOnNaN | None = callbacks.find(TerminateOnNaN)
            if quiet is None or quiet.raise_error:
                raise error from None
            print(error, file=sys.stderr)

    def _take_averages(self) -> None:
        """With ``use_ema`` the moving averages become the parameters at the end, as in Keras."""
        state = self.programs.state
        if self.optimizer.use_ema and state.number(ITERATIONS_STATE) > 0:
            for path in self.net.trainable:
                state.write(parameter_state(path), state.read(slot_state(path, AVERAGE)))

    def _plan(
        self,
        rows: Rows,
        validation: Evaluation | None,
        schedule: Schedule,
        callbacks: CallbackList,
        interrupt: Interrupt,
    ) -> Plan:
        state, weighted = self.programs.state, rows.weighted
        seed = state.number(SEED_STATE)
        batch_size = schedule.batch(rows.count)
        shuffles = schedule.shuffle and schedule.batch_size != FULL
        threads = cores.wanted(schedule.threads)
        if isinstance(self.optimizer, LBFGS):
            check(self.net, schedule.steps(rows.count))
        in_order = np.arange(rows.count)
        self._program(batch_size, weighted)  # now, so that the running sums exist
        totals = [state[name] for name in self._totals() if name in state]

        def validate(epoch: int) -> Logs:
            if validation is None or not schedule.validates(epoch):
                return {}
            logs = self._evaluate(validation, threads, callbacks, lambda done: not interrupt.requested)
            return {f"{VALIDATION}{name}": value for name, value in logs.items()}

        return Plan(
            state=state,
            data=rows.arrays,
            batch_size=batch_size,
            steps=schedule.steps(rows.count),
            first_epoch=schedule.initial_epoch,
            epochs=schedule.epochs,
            threads=threads,
            program=lambda batch: self._program(batch, weighted),
            order=lambda epoch: shuffled(rows.count, seed, epoch) if shuffles else in_order,
            logs=self.logs,
            reset=self.reset,
            loss_is_finite=lambda: all(total.non_finite() is None for total in totals),
            validate=validate,
            stop_training=self.stop_training,
            converged=lambda: self._last_search is not None and self._last_search.converged,
            rescue=self._rescue(rows),
            pace=Pace(callbacks.watches_batches("train")),
        )

    def evaluate(self, rows: Rows, callbacks: CallbackList, verbose: int | str, threads: int | None = None) -> Logs:
        """Loss and metrics over the rows, by name."""
        evaluation = Evaluation(self.net, self.goals, self.programs, rows)
        counter = Counter(verbose, "Evaluate", evaluation.steps)

        def watch(done: int) -> bool:
            counter.update(done)
            return True

        logs = self._evaluate(evaluation, cores.wanted(threads), callbacks, watch)
        counter.finish(logs)
        return logs

    def _evaluate(
        self, evaluation: Evaluation, threads: int, callbacks: CallbackList, watch: Callable[[int], bool]
    ) -> Logs:
        callbacks.call("on_test_begin")
        single = callbacks.watches_batches("test")

        def watched(done: int) -> bool:
            callbacks.call("on_test_batch_begin", done - 1)
            callbacks.call("on_test_batch_end", done - 1, evaluation.logs())
            return watch(done)

        logs = evaluation.run(threads, watched if single else watch, single)
        callbacks.call("on_test_end", logs)
        return logs

    def train_on_batch(self, rows: Rows) -> Logs:
        """One step on all the rows; the logs of this batch.

        Raises: NonFiniteError, the model being left as it was before the step.
        """
        state, weighted = self.programs.state, rows.weighted
        if isinstance(self.optimizer, LBFGS):
            check(self.net, 1)
        program = self._program(rows.count, weighted)
        self.reset()
        rescue = self._rescue(rows)
        index = np.arange(rows.count).reshape(1, rows.count)
        try:
            rescue.before(program, index, 0.0)
            program.run(state.memory, rows.arrays, index, None, cores.wanted(None))
            rescue.check()
        except Divergence:
            raise rescue.error() from None
        return self.logs()

    def logs(self) -> Logs:
        """Loss and metrics over the epoch so far."""
        return self.goals.results(sums(self.programs.state, METRICS))

    def reset(self) -> None:
        """Set the running sums to zero."""
        clear_sums(self.programs.state, METRICS)

    def _totals(self) -> list[str]:
        """The states that are the losses of the epoch so far, which must be finite; metrics need not be."""
        return [f"{METRICS}/{name}/total" for name in (*(goal.loss_name for goal in self.goals.trained), PENALTY)]

    def _rescue(self, rows: Rows) -> Rescue:
        weighted = rows.weighted
        return Rescue(self.programs.state, rows.arrays, lambda batch: self._step(batch, weighted), self._totals())

    def _step(self, batch: int, weighted: bool) -> Step:
        return self.programs.step(("training", batch, weighted), lambda: self._build(batch, weighted))

    def _build(self, batch: int, weighted: bool) -> Step:
        return training_step(self.net, self.goals, self.optimizer, batch, weighted)

    def _program(self, batch: int, weighted: bool) -> Program:
        program = self.programs.program(("training", batch, weighted), lambda: self._build(batch, weighted))
        return self._search(batch, weighted, program) if isinstance(self.optimizer, LBFGS) else program

    def _search(self, batch: int, weighted: bool, program: Program) -> Search:
        """The program of a step as an iteration of L-BFGS."""
        assert isinstance(self.optimizer, LBFGS)
        if self._last_search is None or self._last_search.program is not program:
            paths = tuple(path for path in self.net.parameters if path in self.net.trainable)
            self._last_search = Search(self.optimizer, program, self._step(batch, weighted), paths, self.programs.state)
        return self._last_search


def params(verbose: Any, epochs: int, steps: int) -> dict[str, Any]:
    """What callbacks and the history are told about a fit, as in Keras."""
    return {"verbose": verbose, "epochs": epochs, "steps": steps}
