"""A population as most users train it: one network after the other, each with all threads."""

import statistics
from collections.abc import Callable

from benchmarks.arrays import Arrays
from benchmarks.peers.task import Clock, Task

Train = Callable[[Task, Arrays, Clock], float]


def in_turn(train: Train) -> Train:
    """``train`` for a network -> ``train_population``; its accuracy is the mean of theirs."""

    def train_population(task: Task, arrays: Arrays, clock: Clock) -> float:
        clocks, accuracies = [], []
        for number, network in enumerate(task.workload.networks):
            clocks.append(Clock())
            accuracies.append(train(task._replace(workload=network, seed=task.seed + number), arrays, clocks[-1]))
        clock.add(clocks)
        return statistics.fmean(accuracies)

    return train_population
