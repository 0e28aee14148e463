"""Back-propagation through a three-layer network by hand, beside what thalweg's graph gives.

    python examples/backprop_by_hand.py

The network: a1 = tanh(x W1 + b1), a2 = tanh(a1 W2 + b2), p = softmax(a2 W3 + b3). Its loss: the mean of -log p(label).
"""

import argparse
from itertools import pairwise

import numpy as np

import thalweg
from thalweg import ops


def weights_and_data(seed=0, sizes=(4, 5, 3, 2), rows=6):
    random = np.random.default_rng(seed)
    weights = {}
    for i, (n, m) in enumerate(pairwise(sizes), start=1):
        weights[f"W{i}"] = random.standard_normal((n, m)) / np.sqrt(n)
        weights[f"b{i}"] = 0.1 * random.standard_normal(m)
    x = random.standard_normal((rows, sizes[0]))
    y = np.eye(sizes[-1])[random.integers(0, sizes[-1], rows)]  # one-hot rows
    return weights, x, y


def by_hand(w, x, y):
    """Loss and derivatives, written out. ``d_z`` stands for the derivative of the loss by z."""
    # forward
    z1 = x @ w["W1"] + w["b1"]
    a1 = np.tanh(z1)
    z2 = a1 @ w["W2"] + w["b2"]
    a2 = np.tanh(z2)
    z3 = a2 @ w["W3"] + w["b3"]
    p = np.exp(z3) / np.exp(z3).sum(axis=1, keepdims=True)
    loss = -np.mean(np.log(p[y == 1]))

    # backward: from the loss to the input, each line one use of the chain rule
    d_z3 = (p - y) / len(x)  # softmax and logarithm together
    d_W3 = a2.T @ d_z3
    d_b3 = d_z3.sum(axis=0)
    d_a2 = d_z3 @ w["W3"].T
    d_z2 = d_a2 * (1 - a2**2)  # tanh' = 1 - tanh^2
    d_W2 = a1.T @ d_z2
    d_b2 = d_z2.sum(axis=0)
    d_a1 = d_z2 @ w["W2"].T
    d_z1 = d_a1 * (1 - a1**2)
    d_W1 = x.T @ d_z1
    d_b1 = d_z1.sum(axis=0)
    return loss, {"W1": d_W1, "b1": d_b1, "W2": d_W2, "b2": d_b2, "W3": d_W3, "b3": d_b3}


def by_graph(w, x, y):
    """The same network for thalweg, which works out the backward part itself."""
    a1 = ops.tanh(x @ w["W1"] + w["b1"])
    a2 = ops.tanh(a1 @ w["W2"] + w["b2"])
    return -ops.reduce_mean(ops.reduce_sum(y * ops.log_softmax(a2 @ w["W3"] + w["b3"]), -1))


def numeric(f, weights, name, x, y):
    """The gradient for one of the weights from differences of f alone."""
    return thalweg.numdiff.central(lambda changed: f(weights | {name: changed}, x, y), weights[name])


def main(arguments=None):
    argparse.ArgumentParser(description="Back-propagation by hand beside the graph's.").parse_args(arguments)
    weights, x, y = weights_and_data()
    loss, hand = by_hand(weights, x, y)
    graph_loss, graph = thalweg.value_and_grad(by_graph)(weights, x, y)
    f = thalweg.compile_function(by_graph)
    print(f"loss: {loss:.12f} by hand, {float(graph_loss):.12f} by the graph")
    print("       largest entry   hand - graph   hand - differences")
    worst = 0.0
    for name in hand:
        differences = numeric(f, weights, name, x, y)
        gaps = [np.abs(hand[name] - other).max() for other in (graph[name], differences)]
        worst = max(worst, gaps[0])
        print(f"d_{name}   {np.abs(hand[name]).max():13.6f}   {gaps[0]:12.1e}   {gaps[1]:18.1e}")
    print("By hand and by the graph are the same numbers; differences agree to the digits that they have.")
    return worst


if __name__ == "__main__":
    main()
