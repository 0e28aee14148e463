"""Keras on the JAX backend: ``model.fit``, compiled by XLA (Keras's default on this backend)."""

import keras

from benchmarks.arrays import Arrays
from benchmarks.peers.in_turn import in_turn
from benchmarks.peers.keras_like import infer_with, train_with
from benchmarks.peers.task import Clock, Task


def train(task: Task, arrays: Arrays, clock: Clock) -> float:
    """As Keras's documentation writes it."""
    return train_with(keras, task, arrays, clock)


def infer(task: Task, arrays: Arrays, clock: Clock) -> float:
    """As Keras's documentation writes it, in its best batch size."""
    return infer_with(keras, task, arrays, clock)


train_population = in_turn(train)
