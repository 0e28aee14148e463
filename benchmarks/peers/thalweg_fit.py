"""thalweg through its public API."""

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import fmean

import thalweg
import thalweg.callbacks
import thalweg.layers
import thalweg.optimizers
import thalweg.utils
from benchmarks.arrays import Arrays
from benchmarks.peers.keras_like import compiled_model, infer_with, train_with
from benchmarks.peers.task import Clock, Task
from benchmarks.workloads import TEST_ROWS


def train(task: Task, arrays: Arrays, clock: Clock) -> float:
    """The same lines as for Keras."""
    with threads_told(clock):
        return train_with(thalweg, task, arrays, clock)


def infer(task: Task, arrays: Arrays, clock: Clock) -> float:
    """The same lines as for Keras."""
    return infer_with(thalweg, task, arrays, clock, any_size=True)


def train_population(task: Task, arrays: Arrays, clock: Clock) -> float:
    """``fit_many``, called for the first epoch and for the others: within a call the networks' epochs overlap."""
    thalweg.utils.set_random_seed(task.seed)
    models = [compiled_model(thalweg, network) for network in task.workload.networks]
    clock.ready()
    with threads_told(clock):
        for start, end in ((0, 1), (1, task.epochs))[: task.epochs]:
            histories = thalweg.fit_many(
                models,
                arrays.x_train,
                arrays.y_train,
                batch_size=task.workload.batch_size,
                initial_epoch=start,
                epochs=end,
                verbose=0,
            )
            losses = zip(*(history.history["loss"] for history in histories), strict=True)
            clock.epochs([fmean(epoch) for epoch in losses])
    return fmean(model.evaluate(arrays.x_test, arrays.y_test, batch_size=TEST_ROWS, verbose=0)[1] for model in models)


@contextmanager
def threads_told(clock: Clock) -> Iterator[None]:
    """The clock is told how many steps the choice of the number of threads gave to each number."""
    from thalweg.executors.native import executor  # here: thalweg loads it when it first compiles
    from thalweg.executors.native.run.chooser import ThreadChooser

    class Telling(ThreadChooser):
        def next(self, steps: int) -> tuple[int, int]:
            self.asked = super().next(steps)
            return self.asked

        def took(self, steps: int, seconds: float) -> None:
            threads, _ = self.asked
            clock.steps[threads] = clock.steps.get(threads, 0) + steps
            super().took(steps, seconds)

    vars(executor)["ThreadChooser"] = Telling
    try:
        yield
    finally:
        vars(executor)["ThreadChooser"] = ThreadChooser
