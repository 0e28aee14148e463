"""A neural-network engine from nothing, on one page: graph, chain rule, gradient check, training on MNIST.

    python examples/from_scratch.py

Everything is NumPy; thalweg only lends the images. Read it from top to bottom: it is how thalweg itself works, without
the compiler. The same parts in src/thalweg: graph/node.py (1), ops/ (2), backprop.py (3), numdiff/ (4), layers/ and
initializers.py (5), optimizers/ (6), training/ (7).
"""

import argparse
import time
from itertools import pairwise

import numpy as np

from thalweg.datasets import mnist

# 1. The graph. A node is a value, how it was made, and the rule that sends a gradient back to what it was made from.


class Node:
    def __init__(self, value, inputs=(), vjp=None):
        self.value = np.asarray(value)
        self.inputs = inputs  # the nodes that it was computed from
        self.vjp = vjp  # "vector-Jacobian product": gradient of the output -> gradients of the inputs

    def __add__(self, other):
        return add(self, other)

    def __matmul__(self, other):
        return matmul(self, other)


# 2. The operations: what each computes, and its derivative. A vjp gets g, the derivative of the loss by the result, and
# answers with the derivatives of the loss by the inputs.


def matmul(x, w):
    """(batch, n) @ (n, m). Each weight w_ij multiplies x_i of every sample, so its derivative sums over the batch."""
    return Node(x.value @ w.value, (x, w), lambda g: (g @ w.value.T, x.value.T @ g))


def add(x, b):
    """(batch, m) + (m,). The bias is added to every row, so its derivative is the sum over the rows."""
    return Node(x.value + b.value, (x, b), lambda g: (g, g.sum(axis=0)))


def relu(x):
    return Node(np.maximum(x.value, 0), (x,), lambda g: (g * (x.value > 0),))


def tanh(x):
    y = np.tanh(x.value)
    return Node(y, (x,), lambda g: (g * (1 - y**2),))


def softmax_cross_entropy(logits, labels):
    """The mean over the batch of -log p(label), p = softmax(logits).

    The largest logit is subtracted first: exp then never overflows, and p does not change. The derivative of softmax
    and logarithm together is p - (1 at the label), which neither of the two is alone.
    """
    rows = np.arange(len(labels))
    shifted = logits.value - logits.value.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def vjp(g):
        slope = np.exp(log_p)
        slope[rows, labels] -= 1
        return (g * slope / len(labels),)

    return Node(-log_p[rows, labels].mean(), (logits,), vjp)


# 3. Back-propagation: the chain rule, once through the graph from the loss backwards.


def in_order(loss):
    """All nodes below the loss, each after its inputs."""
    order, done = [], set()

    def visit(node):
        if node not in done:
            done.add(node)
            for x in node.inputs:
                visit(x)
            order.append(node)

    visit(loss)
    return order


def gradients(loss, wrt):
    """The derivative of the loss by each node of ``wrt``."""
    slopes = {loss: np.ones_like(loss.value)}
    for node in reversed(in_order(loss)):  # when a node's turn comes, all that uses it has been visited
        if node.vjp is not None:
            for x, g in zip(node.inputs, node.vjp(slopes[node]), strict=True):
                slopes[x] = slopes[x] + g if x in slopes else g  # a node used twice gets the sum
    return [slopes.get(node, np.zeros_like(node.value)) for node in wrt]


# 4. Is it right? The derivative in any direction v must be (L(w + hv) - L(w - hv)) / 2h, up to h^2 and rounding.


def check_gradients(loss_of, weights, h=1e-5, seed=0):
    """The largest relative error over the weight arrays; ``loss_of`` makes the loss's node from weight nodes."""
    random, worst = np.random.default_rng(seed), 0.0
    nodes = [Node(w) for w in weights]
    for i, slope in enumerate(gradients(loss_of(nodes), nodes)):
        direction = random.standard_normal(slope.shape)

        def loss_at(t, i=i, direction=direction):
            return loss_of([Node(w + t * direction) if j == i else Node(w) for j, w in enumerate(weights)]).value

        difference = (loss_at(h) - loss_at(-h)) / (2 * h)
        product = np.sum(slope * direction)
        worst = max(worst, abs(difference - product) / max(abs(difference), abs(product), 1e-12))
    return worst


# 5. A network: layers are functions of weights. He's initial weights keep the size of what goes through relus.


def initial_weights(sizes, seed=0, dtype=np.float32):
    """[kernel, bias, kernel, bias ...]; kernels are normal with variance 2 / inputs (He et al., 2015)."""
    random, weights = np.random.default_rng(seed), []
    for inputs, units in pairwise(sizes):
        weights.append((random.standard_normal((inputs, units)) * np.sqrt(2 / inputs)).astype(dtype))
        weights.append(np.zeros(units, dtype))
    return weights


def network(x, weights, activation=relu):
    """The logits: dense layers with an activation between."""
    for i in range(0, len(weights), 2):
        x = x @ weights[i] + weights[i + 1]
        if i + 2 < len(weights):
            x = activation(x)
    return x


# 6. An optimizer: Adam (Kingma & Ba, 2015). Each weight's step is its mean slope over its root mean square slope.


class Adam:
    def __init__(self, rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        self.rate, self.beta_1, self.beta_2, self.epsilon = rate, beta_1, beta_2, epsilon
        self.t, self.m, self.v = 0, None, None

    def step(self, weights, slopes):
        """Change the weights in place."""
        if self.m is None:
            self.m, self.v = [[np.zeros_like(w) for w in weights] for _ in range(2)]
        self.t += 1
        rate = self.rate * np.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)  # m and v start from 0
        for w, g, m, v in zip(weights, slopes, self.m, self.v, strict=True):
            m += (1 - self.beta_1) * (g - m)
            v += (1 - self.beta_2) * (g * g - v)
            w -= rate * m / (np.sqrt(v) + self.epsilon)


# 7. Training: shuffle, cut into batches, forward, backward, step.


def fit(weights, x, y, epochs=2, batch_size=128, seed=0):
    optimizer, random = Adam(), np.random.default_rng(seed)
    for epoch in range(epochs):
        began, total = time.perf_counter(), 0.0
        order = random.permutation(len(x))
        for start in range(0, len(x), batch_size):
            rows = order[start : start + batch_size]
            nodes = [Node(w) for w in weights]
            loss = softmax_cross_entropy(network(Node(x[rows]), nodes), y[rows])
            optimizer.step(weights, gradients(loss, nodes))
            total += float(loss.value) * len(rows)
        print(f"epoch {epoch + 1}: loss {total / len(x):.4f}, {time.perf_counter() - began:.1f} s")


def accuracy(weights, x, y):
    logits = network(Node(x), [Node(w) for w in weights]).value
    return float(np.mean(logits.argmax(axis=1) == y))


def main(arguments=None):
    parser = argparse.ArgumentParser(description="A neural-network engine from nothing, trained on MNIST.")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--units", type=int, default=64)
    options = parser.parse_args(arguments)

    random = np.random.default_rng(0)
    x, y = random.standard_normal((5, 7)), random.integers(0, 3, 5)
    small = initial_weights([7, 6, 4, 3], dtype=np.float64)
    worst = check_gradients(lambda w: softmax_cross_entropy(network(Node(x), w, tanh), y), small)
    print(f"gradient check: largest relative error {worst:.0e}")

    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    x_train, x_test = (x.reshape(-1, 784).astype(np.float32) / 255 for x in (x_train, x_test))
    weights = initial_weights([784, options.units, 10])
    fit(weights, x_train, y_train, options.epochs)
    right = accuracy(weights, x_test, y_test)
    print(f"right on {right:.2%} of {len(x_test)} test images")
    return worst, right


if __name__ == "__main__":
    main()
