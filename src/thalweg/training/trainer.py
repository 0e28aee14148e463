"""A compiled model: steps of training, and what is computed of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from thalweg import statistics
from thalweg.data.source import Arrays, Rows, is_weighted
from thalweg.executors import threads as cores
from thalweg.executors.executor import Program
from thalweg.optimizers.optimizer import AVERAGE, ITERATIONS_STATE, Optimizer
from thalweg.state.names import METRICS, STATISTICS, parameter_state, slot_state
from thalweg.training.callbacks import CallbackList, Logs
from thalweg.training.goals import PENALTY, Goals
from thalweg.training.inference import Evaluation, clear_sums, sums
from thalweg.training.programs import Programs
from thalweg.training.progress import Counter
from thalweg.training.rescue import Divergence, Rescue
from thalweg.training.step import Net, Step, training_step

TRAINING = "training"
"""The kind of step, among the keys of the programs."""


class Trainer:
    """Trains and evaluates one model on one executor, a call at a time. Holds programs and state, nothing of the data.

    A whole ``fit`` is a ``Session``.

    Attributes:
        totals: the states that are the losses of the epoch so far, which must be finite; metrics need not be.
    """

    def __init__(self, net: Net, goals: Goals, optimizer: Optimizer, programs: Programs) -> None:
        self.net = net
        self.goals = goals
        self.optimizer = optimizer
        self.programs = programs
        self.state = programs.state
        names = [*(goal.loss_name for goal in goals.trained), PENALTY]
        self.totals = [f"{METRICS}/{name}/total" for name in names]
        self.stepper = optimizer.stepper([path for path in net.parameters if path in net.trainable])

    # Steps

    def step(self, batch: int, weighted: bool, measured: bool = False) -> Step:
        """The step for batches of this size; ``measured`` with the statistics of the layers."""
        return self.programs.step(
            (TRAINING, batch, weighted, measured),
            lambda: training_step(self.net, self.goals, self.optimizer, batch, weighted, measured),
        )

    def prepare(self, batch: int, weighted: bool, measured: bool = False) -> Program:
        """The compiled step; the running sums are there then."""
        build = partial(self.step, batch, weighted, measured)
        return self.programs.program((TRAINING, batch, weighted, measured), build)

    def run(self, arrays: Arrays, index: np.ndarray, threads: int, measured: bool = False) -> None:
        """A step on the rows of each row of ``index``."""
        batch, weighted = index.shape[1], is_weighted(arrays)
        program, step = self.prepare(batch, weighted, measured), self.step(batch, weighted, measured)
        self.stepper.run(program, step.graph, self.state, arrays, index, threads)

    def statistics(self) -> dict[str, dict[str, float]]:
        """Of the layers, over the steps that were measured since the last time: layer -> statistic -> number."""
        summary = statistics.summary({name: float(value) for name, value in sums(self.state, STATISTICS).items()})
        clear_sums(self.state, STATISTICS)
        return summary

    def check(self, steps: int) -> None:
        """Raise ArgumentError if the optimizer cannot train the model in epochs of so many steps."""
        parameters = self.net.parameters
        self.optimizer.check_fit(steps, [path for path, p in parameters.items() if p.constraint is not None])

    def take_averages(self) -> None:
        """With ``use_ema`` the moving averages become the parameters at the end, as in Keras."""
        if self.optimizer.use_ema and self.state.number(ITERATIONS_STATE) > 0:
            for path in self.net.trainable:
                self.state.write(parameter_state(path), self.state.read(slot_state(path, AVERAGE)))

    # Sums

    def logs(self) -> Logs:
        """Loss and metrics over the epoch so far."""
        return self.goals.results(sums(self.state, METRICS))

    def clear(self) -> None:
        """Set the running sums to zero."""
        clear_sums(self.state, METRICS)

    def loss_is_finite(self) -> bool:
        """Of the steps so far."""
        return all(self.state[name].non_finite() is None for name in self.totals if name in self.state)

    # Calls

    def train_on_batch(self, rows: Rows) -> Logs:
        """One step on all the rows; the logs of this batch.

        Raises: NonFiniteError, the model being left as it was before the step.
        """
        self.check(steps=1)
        self.prepare(rows.count, rows.weighted)
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

    def evaluation(self, rows: Rows) -> Evaluation:
        """Loss and metrics over these rows, to be run as often as wanted."""
        return Evaluation(self.net, self.goals, self.programs, rows)

    def evaluate(self, rows: Rows, callbacks: CallbackList, verbose: int | str, threads: int | None = None) -> Logs:
        """Loss and metrics over the rows, by name."""
        evaluation = self.evaluation(rows)
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
    callbacks.call("on_test_begin")
    single = callbacks.watches_batches("test")

    def watched(done: int) -> bool:
        callbacks.call("on_test_batch_begin", done - 1)
        callbacks.call("on_test_batch_end", done - 1, evaluation.logs())
        return watch(done)

    logs = evaluation.run(threads, watched if single else watch, single)
    callbacks.call("on_test_end", logs)
    return logs
