"""Vanishing gradients: ten layers of sigmoid against relu with He's initial weights, and batch normalisation for both.

    python examples/vanishing_gradients.py [--plot gradients.png]

The sigmoid's slope is at most 1/4, so each layer leaves at most a quarter of the gradient to the one before, times the
size of its weights: the first layers get next to nothing. Relu passes the gradient of the units that are on unchanged,
and He's variance of 2 / inputs makes up for those that are off. Batch normalisation brings what each unit gets back to
mean 0 and deviation 1, whatever the weights: gradients no longer shrink or grow with their size, even through sigmoids.
"""

import argparse
from itertools import pairwise

import numpy as np

import thalweg
from thalweg import layers, ops, plotting
from thalweg.datasets import mnist

DEPTH, UNITS = 10, 64
# name: function, its name, initializer, gain, batch normalisation
KINDS = {
    "sigmoid, Glorot": (ops.sigmoid, "sigmoid", "glorot_uniform", 1.0, False),
    "tanh, Glorot": (ops.tanh, "tanh", "glorot_uniform", 1.0, False),
    "relu, Glorot": (ops.relu, "relu", "glorot_uniform", 1.0, False),
    "relu, He": (ops.relu, "relu", "he_normal", 2.0, False),
    "sigmoid, normalised": (ops.sigmoid, "sigmoid", "glorot_uniform", 1.0, True),
    "relu, He, normalised": (ops.relu, "relu", "he_normal", 2.0, True),
}


def initial_weights(gain, seed=0):
    """A list of (kernel, bias), kernels normal with variance gain / mean of inputs and outputs; He's: gain / inputs."""
    random, sizes = np.random.default_rng(seed), [784, *[UNITS] * DEPTH, 10]
    pairs = []
    for n, m in pairwise(sizes):
        deviation = np.sqrt(gain / (n if gain == 2 else (n + m) / 2))
        pairs.append((random.normal(0, deviation, (n, m)).astype(np.float32), np.zeros(m, np.float32)))
    return pairs


def normalised(x):
    """Every unit with mean 0 and deviation 1 over the batch: what BatchNormalization does at first, in training."""
    x = x - ops.reduce_mean(x, 0, keepdims=True)
    return x / ops.sqrt(ops.reduce_mean(x * x, 0, keepdims=True) + 1e-3)


def gradient_norms(activation, gain, normalise, x, y):
    """The Euclidean norm of the loss's gradient by each layer's kernel, from the first to the last."""

    def loss(weights, x, y):
        for kernel, bias in weights[:-1]:
            x = x @ kernel + bias
            x = activation(normalised(x) if normalise else x)
        kernel, bias = weights[-1]
        return -ops.reduce_mean(ops.reduce_sum(y * ops.log_softmax(x @ kernel + bias), -1))

    slopes = thalweg.grad(loss)(initial_weights(gain), x, y)
    return np.array([np.linalg.norm(kernel) for kernel, _ in slopes])


def trained(activation, initializer, normalise, x, y, x_test, y_test, epochs):
    thalweg.utils.set_random_seed(0)
    model = thalweg.Sequential([thalweg.Input((784,))])
    for _ in range(DEPTH):
        model.add(layers.Dense(UNITS, kernel_initializer=initializer))
        if normalise:
            model.add(layers.BatchNormalization(momentum=0.9))  # so few steps are too few for 0.99
        model.add(layers.Activation(activation))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(thalweg.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
    return model.evaluate(x_test, y_test, verbose=0)[1], history.diagnosis


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Gradient norms by layer in deep networks.")
    parser.add_argument("--epochs", type=int, default=5, help="of training on 10,000 images")
    parser.add_argument("--plot", metavar="FILE", help="draw the norms by layer (needs matplotlib)")
    options = parser.parse_args(arguments)

    (x, y), (x_test, y_test) = mnist.load_data()
    x, x_test = (a.reshape(-1, 784).astype(np.float32) / 255 for a in (x[:10000], x_test))
    y = y[:10000]
    norms, accuracies = {}, {}
    print(f"{'gradient norm of layer':<24}" + "".join(f"{i:>9}" for i in (1, 3, 5, 7, 9, 11)) + "   test accuracy")
    one_hot = np.eye(10, dtype=np.float32)[y[:256]]
    for name, (function, activation, initializer, gain, normalise) in KINDS.items():
        norms[name] = gradient_norms(function, gain, normalise, x[:256], one_hot)
        result = trained(activation, initializer, normalise, x, y, x_test, y_test, options.epochs)
        accuracies[name], diagnosis = result
        print(f"{name:<24}" + "".join(f"{norm:9.1e}" for norm in norms[name][::2]) + f"   {accuracies[name]:.3f}")
        if diagnosis.diagnosed:
            print(diagnosis)
    if options.plot:
        draw(norms, options.plot)
    return norms, accuracies


def draw(norms, file):
    figure = plotting.figure(layout="constrained")
    axes = figure.add_subplot(xlabel="layer", ylabel="gradient norm of its kernel", yscale="log")
    for name, values in norms.items():
        axes.plot(range(1, len(values) + 1), values, "o-", label=name)
    axes.legend()
    figure.savefig(file)


if __name__ == "__main__":
    main()
