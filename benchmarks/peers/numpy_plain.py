"""A multi-layer perceptron in NumPy, as someone writes it who knows NumPy well.

All parameters are views of one flat vector, so the update rule is a dozen calls a step whatever the number of layers;
every result of the batch's size goes into a buffer that is reused.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from benchmarks.arrays import Array, Arrays
from benchmarks.peers.in_turn import in_turn
from benchmarks.peers.task import Clock, Task
from benchmarks.workloads import BETA_1, BETA_2, EPSILON, MOMENTUM, RHO, Optimizer, Workload

Layers = list[tuple[Array, Array]]  # kernel (in, out) and bias (out,) of each layer
Update = Callable[[Array, Array], None]


def train(task: Task, arrays: Arrays, clock: Clock) -> float:
    """Shuffle, then step through the batches."""
    workload = task.workload
    random = np.random.default_rng(task.seed)
    parameters = np.zeros(workload.parameter_count, np.float32)
    gradients = np.zeros_like(parameters)
    layers, layer_gradients = (list(views(workload.sizes, vector)) for vector in (parameters, gradients))
    initialize(layers, random)
    update = update_rule(workload.optimizer, parameters)
    step = Step(workload, layers, layer_gradients)
    clock.ready()
    for _ in range(task.epochs):
        order = random.permutation(len(arrays.x_train))
        total = 0.0
        for first in range(0, len(order), workload.batch_size):
            total += step.gradients(arrays, order[first : first + workload.batch_size])
            update(parameters, gradients)
        clock.epoch(total / len(order))
    return accuracy(layers, arrays)


train_population = in_turn(train)


def views(sizes: tuple[int, ...], vector: Array) -> Iterator[tuple[Array, Array]]:
    """Kernel and bias of each layer inside the flat vector."""
    start = 0
    for rows, columns in pairwise(sizes):
        bias = start + rows * columns
        yield vector[start:bias].reshape(rows, columns), vector[bias : bias + columns]
        start = bias + columns


def initialize(layers: Layers, random: np.random.Generator) -> None:
    """Glorot uniform; the biases stay zero."""
    for kernel, _ in layers:
        limit = np.sqrt(6 / sum(kernel.shape))
        kernel[:] = random.uniform(-limit, limit, kernel.shape)


class Step:
    """Forward and backward pass of one batch."""

    def __init__(self, workload: Workload, layers: Layers, gradients: Layers) -> None:
        self.layers = layers
        self.layer_gradients = gradients
        self.outputs = [np.empty((workload.batch_size, size), np.float32) for size in workload.sizes]
        self.deltas = [np.empty_like(output) for output in self.outputs]

    def gradients(self, arrays: Arrays, rows: Array) -> float:
        """Fill the gradients of the mean loss over ``rows``; the sum of their losses."""
        n = len(rows)
        outputs = [output[:n] for output in self.outputs]
        np.take(arrays.x_train, rows, axis=0, out=outputs[0], mode="clip")
        forward(self.layers, outputs)
        labels = arrays.y_train[rows]
        delta = outputs[-1]
        likelihood = delta[np.arange(n), labels]
        delta[np.arange(n), labels] -= 1
        delta /= n
        self.backward(outputs, delta)
        return float(-np.log(np.maximum(likelihood, EPSILON)).sum())

    def backward(self, outputs: list[Array], delta: Array) -> None:
        """The gradient of each layer, last to first."""
        for index in reversed(range(len(self.layers))):
            kernel_gradient, bias_gradient = self.layer_gradients[index]
            np.matmul(outputs[index].T, delta, out=kernel_gradient)
            np.sum(delta, axis=0, out=bias_gradient)
            if index:
                previous = self.deltas[index][: len(delta)]
                np.matmul(delta, self.layers[index][0].T, out=previous)
                previous *= outputs[index] > 0
                delta = previous


def forward(layers: Layers, outputs: list[Array]) -> None:
    """ReLU layers and a softmax, from ``outputs[0]`` into the rest."""
    for index, (kernel, bias) in enumerate(layers):
        result = outputs[index + 1]
        np.matmul(outputs[index], kernel, out=result)
        result += bias
        if index < len(layers) - 1:
            np.maximum(result, 0, out=result)
    softmax(outputs[-1])


def softmax(logits: Array) -> None:
    """In place, over the last axis."""
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)


def update_rule(optimizer: Optimizer, parameters: Array) -> Update:
    """The optimizer as a function that changes the parameters in place."""
    return {"adam": adam, "rmsprop": rmsprop, "sgd": sgd}[optimizer.name](parameters, optimizer.learning_rate)


def adam(parameters: Array, rate: float) -> Update:
    """Kingma & Ba (2015), with the bias corrections in the rate (the end of their section 2)."""
    m, v, scratch = (np.zeros_like(parameters) for _ in range(3))
    t = 0

    def update(w: Array, g: Array) -> None:
        nonlocal t
        t += 1
        np.multiply(g, 1 - BETA_1, out=scratch)
        np.multiply(m, BETA_1, out=m)
        np.add(m, scratch, out=m)
        np.multiply(g, g, out=scratch)
        np.multiply(scratch, 1 - BETA_2, out=scratch)
        np.multiply(v, BETA_2, out=v)
        np.add(v, scratch, out=v)
        np.sqrt(v, out=scratch)
        np.add(scratch, EPSILON, out=scratch)
        np.divide(m, scratch, out=scratch)
        np.multiply(scratch, rate * (1 - BETA_2**t) ** 0.5 / (1 - BETA_1**t), out=scratch)
        np.subtract(w, scratch, out=w)

    return update


def rmsprop(parameters: Array, rate: float) -> Update:
    """Tieleman & Hinton (2012), as Keras has it."""
    v, scratch = np.zeros_like(parameters), np.zeros_like(parameters)

    def update(w: Array, g: Array) -> None:
        np.multiply(g, g, out=scratch)
        np.multiply(scratch, 1 - RHO, out=scratch)
        np.multiply(v, RHO, out=v)
        np.add(v, scratch, out=v)
        np.add(v, EPSILON, out=scratch)
        np.sqrt(scratch, out=scratch)
        np.divide(g, scratch, out=scratch)
        np.multiply(scratch, rate, out=scratch)
        np.subtract(w, scratch, out=w)

    return update


def sgd(parameters: Array, rate: float) -> Update:
    """With momentum: Polyak (1964), as Keras has it."""
    velocity, scratch = np.zeros_like(parameters), np.zeros_like(parameters)

    def update(w: Array, g: Array) -> None:
        np.multiply(g, rate, out=scratch)
        np.multiply(velocity, MOMENTUM, out=velocity)
        np.subtract(velocity, scratch, out=velocity)
        np.add(w, velocity, out=w)

    return update


def accuracy(layers: Layers, arrays: Arrays) -> float:
    """Share of the test rows that are right."""
    rows = len(arrays.x_test)
    outputs = [arrays.x_test, *(np.empty((rows, len(bias)), np.float32) for _, bias in layers)]
    forward(layers, outputs)
    return float((outputs[-1].argmax(axis=1) == arrays.y_test).mean())
