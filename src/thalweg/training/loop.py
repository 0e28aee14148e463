"""The loop over epochs and steps. It knows programs, state and rows of data; nothing of layers or optimizers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import field

import numpy as np

from thalweg.executors.executor import Program
from thalweg.fields import dataclass
from thalweg.record.history import History
from thalweg.state import State
from thalweg.state.names import EPOCH_STATE
from thalweg.training.callbacks import CallbackList, Logs
from thalweg.training.interrupt import Interrupt
from thalweg.training.progress import Progress
from thalweg.training.rescue import Divergence, Rescue

RETURN_SECONDS = 0.1
"""How long a call of the program should take: Ctrl-C, time and the progress line are looked at between calls."""


class Pace:
    """How many steps to run per call, from how long the last ones took.

    Arguments:
        single: one step a call, because somebody watches every batch.
    """

    def __init__(self, single: bool) -> None:
        self.single = single
        self.steps = 1  # the first call is a probe

    def measured(self, steps: int, seconds: float) -> None:
        if not self.single:
            self.steps = max(1, int(steps * RETURN_SECONDS / max(seconds, 1e-7)))


def shuffled(rows: int, seed: int, epoch: int) -> np.ndarray:
    """The order of the rows in an epoch: the same for the same seed and epoch, whatever ran before.

    Source: Salmon et al. (2011), SC'11: Philox, a generator that starts anywhere at no cost.
    """
    key = np.array([seed, epoch], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(rows)


@dataclass
class Plan:
    """All that one ``fit`` needs to know.

    Attributes:
        program: batch size -> the compiled step for it; asked for the last, smaller batch only when it comes.
        order: epoch counted over all fits -> order of the rows.
        logs: the means so far, from the running sums.
        reset: sets the running sums to zero.
        validate: the logs of a validation, prefixed ``val_``; empty when it is not due after this epoch.
        converged: whether the last step found nothing better; always False for optimizers without a line search.
        rescue: finds out where a loss that is not finite comes from.
    """

    state: State
    data: dict[str, np.ndarray]
    batch_size: int
    steps: int
    first_epoch: int
    epochs: int
    threads: int
    program: Callable[[int], Program]
    order: Callable[[int], np.ndarray]
    logs: Callable[[], Logs]
    reset: Callable[[], None]
    loss_is_finite: Callable[[], bool]
    validate: Callable[[int], Logs]
    stop_training: Callable[[], bool]
    converged: Callable[[], bool]
    rescue: Rescue
    pace: Pace = field(default_factory=lambda: Pace(single=False))


def train(plan: Plan, callbacks: CallbackList, progress: Progress, history: History, interrupt: Interrupt) -> None:
    """Run the epochs; the history grows with each one that is finished.

    Raises: NonFiniteError, with the state back where all was finite, if a loss is not.
    """
    for epoch in range(plan.first_epoch, plan.epochs):
        plan.reset()
        progress.begin_epoch(epoch)
        callbacks.call("on_epoch_begin", epoch)
        _run_steps(plan, callbacks, progress, interrupt)
        plan.state.write(EPOCH_STATE, plan.state.number(EPOCH_STATE) + 1)
        if interrupt.requested:
            history.stopped_by = "user"
            return
        logs = plan.logs()
        logs.update(plan.validate(epoch))
        if interrupt.requested:
            history.stopped_by = "user"
            return
        callbacks.call("on_epoch_end", epoch, logs)
        history.append(epoch, logs)
        progress.end_epoch(logs)
        if plan.stop_training():
            history.stopped_by = "callback"
            return
        if plan.converged():
            history.stopped_by = "converged"
            return
    plan.rescue.check()


def _run_steps(plan: Plan, callbacks: CallbackList, progress: Progress, interrupt: Interrupt) -> None:
    """The steps of one epoch."""
    step = 0
    for program, index in _calls(plan):
        if plan.pace.single:
            callbacks.call("on_train_batch_begin", step)
        _run(plan, program, index)
        step += len(index)
        if plan.pace.single:
            callbacks.call("on_train_batch_end", step - 1, plan.logs())
        if progress.wants_redraw():
            progress.redraw(step, plan.logs())
        if interrupt.requested or plan.stop_training():
            return


def _run(plan: Plan, program: Program, index: np.ndarray) -> None:
    began = time.perf_counter()
    plan.rescue.before(program, index, began)
    program.run(plan.state.memory, plan.data, index, None, plan.threads)
    if not plan.loss_is_finite():
        raise Divergence
    plan.pace.measured(len(index), time.perf_counter() - began)


def _calls(plan: Plan) -> Iterator[tuple[Program, np.ndarray]]:
    """The epoch's rows in calls of some steps each; a last batch with fewer rows has its own program."""
    order = plan.order(plan.state.number(EPOCH_STATE))
    rows = min(len(order), plan.steps * plan.batch_size)
    full = rows // plan.batch_size
    index = order[: full * plan.batch_size].reshape(full, plan.batch_size)
    step = 0
    while step < full:
        end = min(step + plan.pace.steps, full)
        yield plan.program(plan.batch_size), index[step:end]
        step = end
    rest = rows - full * plan.batch_size
    if rest:
        yield plan.program(rest), order[rows - rest : rows].reshape(1, rest)
