"""thalweg through its public API."""

import thalweg
import thalweg.callbacks
import thalweg.layers
import thalweg.optimizers
import thalweg.utils
from benchmarks.arrays import Arrays
from benchmarks.peers.keras_like import train_with
from benchmarks.peers.task import Clock, Task


def train(task: Task, arrays: Arrays, clock: Clock) -> float:
    """The same lines as for Keras."""
    return train_with(thalweg, task, arrays, clock)
