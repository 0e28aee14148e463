"""Errors that are a disease say so, and ``compile`` and ``fit`` give them a diagnosis."""

from typing import Any

import numpy as np
import pytest

from thalweg import Input, Sequential, layers
from thalweg.errors import ThalwegError

X = np.zeros((6, 3), "float32")
NUMBERS = np.arange(6) % 3
ANSWERS = np.arange(6) % 2


def put(x, where, value):
    x = np.array(x, "float32")
    x[where] = value
    return x


CASES = {
    "a cell": ("nan_inf", 3, "softmax", "sparse_categorical_crossentropy", put(X, (2, 1), np.nan), NUMBERS),
    "an infinite cell": ("nan_inf", 1, None, "mse", put(X, (2, 1), np.inf), NUMBERS),
    "a target": ("nan_inf", 1, None, "mse", X, put(NUMBERS, 3, np.nan)),
    "too few units": ("wrong_loss", 2, "softmax", "sparse_categorical_crossentropy", X, NUMBERS),
    "fractions as classes": ("wrong_loss", 3, "softmax", "sparse_categorical_crossentropy", X, NUMBERS + 0.5),
    "class numbers as answers": ("wrong_loss", 1, "sigmoid", "binary_crossentropy", X, NUMBERS),
    "class numbers, no one-hot": ("wrong_loss", 3, "softmax", "categorical_crossentropy", X, NUMBERS),
    "one-hot, no class numbers": ("wrong_loss", 3, "softmax", "sparse_categorical_crossentropy", X, np.eye(3)[NUMBERS]),
    "one class": ("wrong_loss", 1, "sigmoid", "sparse_categorical_crossentropy", X, ANSWERS),
    "softmax over one unit": ("wrong_loss", 1, "softmax", "binary_crossentropy", X, ANSWERS),
    "no probabilities": ("wrong_loss", 1, None, "binary_crossentropy", X, ANSWERS),
    "counts of any sign": ("wrong_loss", 1, None, "poisson", X, ANSWERS),
}


def train(model, loss, x, y):
    model.compile("sgd", loss)
    model.fit(x, y, verbose=0)


@pytest.mark.parametrize(("disease", "units", "activation", "loss", "x", "y"), CASES.values(), ids=CASES)
def test_errors_that_are_a_disease(disease, units, activation, loss, x, y):
    model = Sequential([Input((3,)), layers.Dense(units, activation)])
    model.executor = "numpy"
    with pytest.raises(ThalwegError) as raised:
        train(model, loss, x, y)
    diagnosis: Any = raised.value.diagnosis
    (finding,) = diagnosis
    assert (finding.code, finding.certainty) == (disease, "diagnosed")
    assert finding.change
    assert model.diagnosis is raised.value.diagnosis


def test_other_errors_are_none():
    model = Sequential([Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ThalwegError) as raised:
        model.fit(np.zeros((6, 4)), NUMBERS, verbose=0)
    assert raised.value.diagnosis is None
