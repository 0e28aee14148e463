"""Models for the tests of examinations, on the numpy executor unless another one is asked for: nothing is compiled."""

import numpy as np

import thalweg
from thalweg import Input, Sequential


def compiled(parts, loss, optimizer="sgd", shape=(4,), executor="numpy", seed=1):
    thalweg.utils.set_random_seed(seed)
    model = Sequential([Input(shape), *parts])
    model.executor = executor
    model.compile(optimizer, loss)
    return model


def regression(rows=128, seed=0):
    """Four features, and a smooth function of them."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 4)).astype(np.float32)
    return x, (np.sin(x[:, :1]) + x[:, 1:2] * x[:, 2:3]).astype(np.float32)
