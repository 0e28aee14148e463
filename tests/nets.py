"""Small models and data for the tests of training; whatever executor is the default runs them."""

import numpy as np

import thalweg
from thalweg import Input, Sequential, layers


def points(count=96, seed=0):
    """Four features, three classes that a small net can learn."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 4)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(np.int64) + (x[:, 2] > 0.5)
    return x, y


def classifier(seed=1, optimizer="adam", dropout=0.0, metrics=("accuracy",), **options):
    """4-8-3 with softmax, compiled; the same seed gives the same weights."""
    thalweg.utils.set_random_seed(seed)
    hidden = [layers.Dense(8, activation="relu")] + ([layers.Dropout(dropout)] if dropout else [])
    model = Sequential([Input((4,)), *hidden, layers.Dense(3, activation="softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=list(metrics), **options)
    return model


def regressor(seed=1, optimizer="sgd", features=2, **options):
    """One Dense(1), compiled for the mean squared error."""
    thalweg.utils.set_random_seed(seed)
    model = Sequential([Input((features,)), layers.Dense(1)])
    model.compile(optimizer, "mse", **options)
    return model


def same_bits(left, right):
    """Whether two models have the same weights to the bit."""
    pairs = list(zip(left.get_weights(), right.get_weights(), strict=True))
    return all(np.array_equal(a, b) for a, b in pairs)
