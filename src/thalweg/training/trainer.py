"""A compiled model: steps of training, and what is computed of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from thalweg import cores, statistics
from thalweg.data.source import Arrays, Rows, Source, Weights, weights_among
from thalweg.errors import ArgumentError
from thalweg.executors.executor import Program
from thalweg.metrics.metric import Metric
from thalweg.optimizers.optimizer import AVERAGE, ITERATIONS_STATE, Optimizer
from thalweg.optimizers.stepper import PlainStepper, Stepper
from thalweg.state.names import METRICS, STATISTICS_STATE, owned, parameter_state, slot_state
from thalweg.training.alike import require_same_data
from thalweg.training.callbacks import CallbackList, Logs
from thalweg.training.goals import PENALTY, Goals
from thalweg.training.inference import BatchHooks, Evaluation, clear_sums, evaluation_key, sums
from thalweg.training.own import DataForm, OwnSteps
from thalweg.training.programs import Programs
from thalweg.training.progress import Counter
from thalweg.training.rescue import Divergence, Rescue
from thalweg.training.step import Net, Step, evaluation_rows, evaluation_step, training_step

TRAINING = "training"
"""The kind of step, among the keys of the programs."""


class Trainer:
    """Trains and evaluates one model on one executor, a call at a time. Holds programs and state, nothing of the data.

    A whole ``fit`` is a ``Session``.

    Arguments:
        goals: None where the model says itself what its steps do.
        own: these steps.

    Attributes:
        form: of the data that such steps get; set before they run.
        totals: the states that are the losses of the epoch so far, which must be finite; metrics need not be.
    """

    def __init__(
        self, net: Net, goals: Goals | None, optimizer: Optimizer, programs: Programs, own: OwnSteps | None = None
    ) -> None:
        self.net = net
        self.goals = goals
        self.optimizer = optimizer
        self.programs = programs
        self.own = own
        self.form: DataForm | None = None
        self.state = programs.state
        names = [*(goal.loss_name for goal in goals.trained), PENALTY] if goals is not None else []
        self.totals = [f"{METRICS}/{name}/total" for name in names]
        self._latest: tuple[tuple[str, ...], Mapping[str, float]] = ((), {})
        self._measured: Mapping[str, Metric] = {} if goals is None else goals.metrics()
        self._results: Callable[[Mapping[str, Any]], Logs] | None = None  # of the last step, where the model says it
        trained = [path for path in net.parameters if path in net.trainable]
        self.stepper: Stepper = PlainStepper() if goals is None else optimizer.stepper(trained)

    # Steps

    def step(self, batch: int, weights: Weights, measured: bool = False) -> Step:
        """The step for batches of this size; ``measured`` with the statistics of the layers."""
        return self.programs.step(
            (TRAINING, batch, weights, measured, self.form), lambda: self._made(batch, weights, measured)
        )

    def _made(self, batch: int, weights: Weights, measured: bool) -> Step:
        if self.goals is not None:
            return training_step(self.net, self.goals, self.optimizer, batch, weights, measured)
        assert self.own is not None and self.form is not None, "a model without goals says itself what a step does"
        if measured:
            raise ArgumentError(
                "the layers cannot be measured in a step that the model says itself",
                expected="fit without LayerStatistics, or a model without a train_step of its own",
                got="both",
                fix="leave the callback out, or add what you want to know to the logs that train_step returns",
            )
        return self.own.training_step(self.net, self.form, batch)

    def prepare(self, batch: int, weights: Weights, measured: bool = False) -> Program:
        """The compiled step; the running sums are there then."""
        build = partial(self.step, batch, weights, measured)
        program = self.programs.program((TRAINING, batch, weights, measured, self.form), build)
        if self.goals is None:
            step = self.step(batch, weights, measured)
            self.totals, self._results, self._measured = list(step.losses), step.results, step.metrics
        return program

    def run(self, arrays: Arrays, index: np.ndarray, threads: int, measured: bool = False) -> None:
        """A step on the rows of each row of ``index``."""
        batch, weights = index.shape[1], weights_among(arrays)
        program, step = self.prepare(batch, weights, measured), self.step(batch, weights, measured)
        if measured:
            self._latest = step.measured
        self.stepper.run(program, step.graph, self.state, arrays, index, threads)

    def take_form(self, rows: Source) -> None:
        """Be ready for steps on these rows."""
        form = rows.form
        assert form is None or isinstance(form, DataForm), "rows have the form that a step takes"
        self.form = form

    def statistics(self) -> dict[str, dict[str, float]]:
        """Of the layers, in the last step that was measured: layer -> statistic -> number."""
        names, known = self._latest
        values = self.state.read(STATISTICS_STATE).tolist() if names else []
        return statistics.summary({**known, **dict(zip(names, values, strict=True))})

    def check(self, steps: int | None) -> None:
        """Raise ArgumentError if the optimizer cannot train the model in epochs of so many steps."""
        if self.goals is None:  # it says so where it is applied
            return
        parameters = self.net.parameters
        self.optimizer.check_fit(steps, [path for path, p in parameters.items() if p.constraint is not None])

    def take_averages(self) -> None:
        """With ``use_ema`` the moving averages become the parameters at the end, as in Keras."""
        beside = {} if self.own is None else {name: handle.rule for name, handle in self.own.optimizers.items()}
        for owner, rule in {"": self.optimizer, **beside}.items():
            counter = owned(ITERATIONS_STATE, owner)
            if not rule.use_ema or counter not in self.state or not self.state.number(counter):
                continue
            for path in self.net.trainable:
                average = owned(slot_state(path, AVERAGE), owner)
                if average in self.state:  # an optimizer beside others moves some of the weights
                    self.state.write(parameter_state(path), self.state.read(average))

    # Sums

    def logs(self) -> Logs:
        """Loss and metrics over the epoch so far."""
        found = sums(self.state, METRICS)
        if self.goals is not None:
            return self.goals.results(found)
        return {} if self._results is None else self._results(found)

    def clear(self) -> None:
        """Set the running sums to zero."""
        clear_sums(self.state, METRICS, self.programs.starts)
        self.attach()

    def attach(self) -> None:
        """Let the metrics say what the running sums come to."""
        for name, metric in self._measured.items():
            metric.attach(self.state, f"{METRICS}/{name}")

    def loss_is_finite(self) -> bool:
        """Of the steps so far."""
        return all(self.state[name].non_finite() is None for name in self.totals if name in self.state)

    # Calls

    def train_on_batch(self, rows: Rows) -> Logs:
        """One step on all the rows; the logs of this batch.

        Raises: NonFiniteError, the model being left as it was before the step.
        """
        self.check(steps=1)
        self.take_form(rows)
        self.prepare(rows.count, rows.weights)
        self.clear()
        rescue = Rescue(self)
        index = np.arange(rows.count).reshape(1, rows.count)
        try:
            rescue.before(rows.arrays, index, 0.0)
            self.run(rows.arrays, index, cores.wanted(None))
            rescue.check()
        except Divergence:
            raise rescue.error() from None
        return self.logs()

    def piece(self, weights: Weights) -> int | None:
        """Rows of a piece where losses and metrics do not depend on how the rows are cut into batches; else None."""
        net, goals, programs = self.net, self.goals, self.programs
        if goals is None:
            return None

        def step(rows: int) -> Step:
            make = partial(evaluation_step, net, goals, rows, weights=weights)
            return programs.step(evaluation_key(rows, True, weights), make)

        rows: int | None = programs.once(("piece", weights), lambda: evaluation_rows(net, goals, weights, step))
        return rows

    def evaluation(self, rows: Source, batch: int) -> Evaluation:
        """Loss and metrics over these rows, to be run as often as wanted.

        Arguments:
            batch: rows of a batch where that matters.
        """
        own, form = self.own, rows.form
        if self.goals is not None:
            return Evaluation(self.net, self.goals, self.programs, rows, self.piece(rows.weights), batch)
        assert own is not None and isinstance(form, DataForm), "a model without goals says itself what a step does"
        make = partial(own.evaluation_step, self.net, form)
        return Evaluation(self.net, None, self.programs, rows, piece=None, batch=batch, make=make)

    def evaluate(
        self, rows: Source, batch: int, callbacks: CallbackList, verbose: int | str, threads: int | None = None
    ) -> Logs:
        """Loss and metrics over the rows, by name."""
        require_same_data(rows)
        evaluation = self.evaluation(rows, batch)
        counter = Counter(verbose, "Evaluate", evaluation.steps)

        def watch(done: int) -> bool:
            counter.update(done)
            return True

        logs = watched_evaluation(evaluation, cores.wanted(threads), callbacks, watch)
        counter.finish(logs)
        return logs


def watched_evaluation(
    evaluation: Evaluation, threads: int, callbacks: CallbackList, watch: Callable[[int], bool]
) -> Logs:
    """An evaluation with the hooks of the callbacks; ``watch`` gets the number of steps done, and says to go on."""
    callbacks.call("on_test_begin", {})
    hooks = BatchHooks(
        before=lambda batch: callbacks.call("on_test_batch_begin", batch, {}),
        after=lambda batch, _: callbacks.call("on_test_batch_end", batch, evaluation.logs()),
    )
    logs = evaluation.run(threads, watch, hooks if callbacks.watches_batches("test") else None)
    callbacks.call("on_test_end", logs)
    return logs
