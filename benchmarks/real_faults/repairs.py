"""The programs repaired: with what the table's patch changes, or where that changes nothing, what the answer did.

A repair gets what the sick program gives to ``fit``, and gives a compiled model and what its ``fit`` is given. What
repaired programs do to numbers before ``fit`` is done by a layer here, so that both take the same rows; targets are
others only where those of the sick program are not what its asker meant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import thalweg
from benchmarks.real_faults.programs import Given, net
from thalweg.initializers import Constant, RandomNormal
from thalweg.layers import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Normalization, Rescaling
from thalweg.optimizers import SGD, Adam, RMSprop

Repaired = tuple[thalweg.Model, Given]
Repair = Callable[[Given], Repaired]

REPAIRS: dict[int, Repair] = {}

UNIFORM: Any = {"kernel_initializer": "uniform"}
NORMAL: Any = {"kernel_initializer": "normal"}


def repair(number: int) -> Callable[[Repair], Repair]:
    """Put the repair of a row of the table into ``REPAIRS``."""

    def keep(made: Repair) -> Repair:
        REPAIRS[number] = made
        return made

    return keep


def scaled(given: Given) -> Normalization:
    """What a StandardScaler makes of the rows."""
    return Normalization(mean=given["x"].mean(0).tolist(), variance=given["x"].var(0).tolist())


@repair(1)
def with_activations(given: Given) -> Repaired:
    wide: Any = {"kernel_initializer": RandomNormal(stddev=1), "bias_initializer": RandomNormal(stddev=1)}
    model = net(Dense(30, "sigmoid", **wide), Dense(10, "softmax", **wide))
    model.compile(SGD(3.0), "categorical_crossentropy")
    return model, given


@repair(2)
def at_a_higher_rate(given: Given) -> Repaired:
    model = net(Dense(1000, "relu"), Dropout(0.1), Dense(120, "relu"), Dropout(0.1), Dense(10, "sigmoid"))
    model.compile(SGD(0.05, momentum=0.9, nesterov=True), "binary_crossentropy")
    return model, given | {"epochs": 10}


@repair(3)
def xor_with_squared_error(given: Given) -> Repaired:
    model = net(Dense(4, "sigmoid"), Dense(1, "sigmoid"))
    model.compile("adam", "mse")
    return model, given | {"epochs": 10_000}


@repair(4)
def squares_at_a_higher_rate(given: Given) -> Repaired:
    model = net(Dense(2, "sigmoid"), Dense(2, "softmax"))
    model.compile(Adam(0.01), "categorical_crossentropy")
    return model, given | {"epochs": 10}


@repair(5)
def tanh_head(given: Given) -> Repaired:
    model = net(Dense(4, "relu"), Dense(1, "tanh"))
    model.compile("sgd", "mean_squared_error")
    return model, given


@repair(6)
def a_question_for_each_label(given: Given) -> Repaired:
    model = net(Dense(20, "relu"), Dropout(0.5), Dense(20, "relu"), Dropout(0.5), Dense(3, "sigmoid"))
    model.compile("sgd", "binary_crossentropy")
    return model, given


@repair(7)
def linear_head_for_large_numbers(given: Given) -> Repaired:
    hidden = (Dense(3, "tanh", **UNIFORM), Dropout(0.5), Dense(2, "tanh", **UNIFORM), Dropout(0.5))
    model = net(*hidden, Dense(1, **UNIFORM))
    model.compile(SGD(0.1, momentum=0.9, nesterov=True), "mean_squared_error")
    return model, given


@repair(8)
def scaled_pictures(given: Given) -> Repaired:
    model = net(Rescaling(1 / 255), Dense(64), Dense(50, "relu"), Dense(10, "softmax"))
    model.compile(Adam(0.0001), "categorical_crossentropy")
    return model, given


@repair(9)
def xor_with_sigmoid(given: Given) -> Repaired:
    model = net(Dense(2, "sigmoid", **UNIFORM), Dense(3, "sigmoid", **UNIFORM), Dense(1, "sigmoid", **UNIFORM))
    model.compile(SGD(0.1, momentum=0.9, nesterov=True), "mean_squared_error")
    return model, given | {"epochs": 10_000, "batch_size": 4}


@repair(10)
def sigmoid_of_one_unit(given: Given) -> Repaired:
    model = net(Dense(50, "relu"), Dropout(0.2), Dense(50, "relu"), Dropout(0.2), Dense(1, "sigmoid"))
    model.compile("rmsprop", "binary_crossentropy")
    return model, given | {"epochs": 40}


@repair(11)
def scaled_letters(given: Given) -> Repaired:
    model = net(
        scaled(given), Dense(12, "relu", **UNIFORM), Dense(3, "relu", **UNIFORM), Dense(1, "sigmoid", **UNIFORM)
    )
    model.compile(Adam(0.1), "binary_crossentropy")
    return model, given


@repair(12)
def rows_with_relu(given: Given) -> Repaired:
    model = net(Dense(8, "relu", **NORMAL), Dense(8, "relu", **NORMAL), Dense(8, "sigmoid", **NORMAL))
    model.compile("SGD", "mse")
    return model, given | {"batch_size": 1}


@repair(13)
def parabola_at_a_lower_rate(given: Given) -> Repaired:
    model = net(Dense(50, "relu"), Dense(30, "relu", **UNIFORM), Dense(1))
    model.compile(SGD(0.0001), "mse")
    return model, given


@repair(14)
def scaled_census(given: Given) -> Repaired:
    model = net(scaled(given), Dense(21, "relu"), Dense(2, "softmax"))
    model.compile(Adam(0.01), "categorical_crossentropy")
    return model, given


@repair(15)
def labels_as_they_are(given: Given) -> Repaired:
    model = net(
        *(Conv2D(16, 3, padding="same"), MaxPooling2D(2), Conv2D(8, 3, padding="same"), MaxPooling2D(2)),
        *(Flatten(), Dense(128, "relu"), Dense(10, "softmax")),
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model, given | {"y": np.rint(given["y"] * 255).astype(int)}


@repair(16)
def scaled_iris(given: Given) -> Repaired:
    model = net(scaled(given), Dense(4, "selu", **NORMAL), Dense(3, "softmax", **NORMAL))
    model.compile("sgd", "categorical_crossentropy")
    return model, given


@repair(17)
def scaled_fourth_power(given: Given) -> Repaired:
    behind = Rescaling(float(given["y"].std()), float(given["y"].mean()))
    model = net(scaled(given), Dense(50, "sigmoid"), Dense(50, "elu"), Dense(1), behind)
    model.compile("adam", "mse")
    return model, given


@repair(19)
def polls_with_sigmoids(given: Given) -> Repaired:
    hidden = (Dense(64, "tanh", **UNIFORM), Dropout(0.5), Dense(64, "tanh", **UNIFORM), Dropout(0.5))
    model = net(*hidden, Dense(2, "sigmoid", **UNIFORM))
    model.compile(SGD(0.1, momentum=0.9, nesterov=True), "binary_crossentropy")
    return model, given


@repair(20)
def linear_head_for_a_parabola(given: Given) -> Repaired:
    model = net(Dense(5, "sigmoid"), Dense(1))
    model.compile("sgd", "mean_squared_error")
    return model, given


@repair(21)
def a_unit_for_each_kind(given: Given) -> Repaired:
    blocks = [layer for filters in (8, 8, 16) for layer in (Conv2D(filters, 3, activation="relu"), MaxPooling2D(2))]
    model = net(*blocks, Flatten(), Dense(64, "relu"), Dropout(0.5), Dense(3, "softmax"))
    model.compile(RMSprop(0.005), "sparse_categorical_crossentropy")
    return model, given | {"epochs": 20}


@repair(22)
def sigmoid_for_noise(given: Given) -> Repaired:
    model = net(Dense(60, "relu"), Dense(50, "relu"), Dense(1, "sigmoid"))
    model.compile("adam", "binary_crossentropy")
    return model, given


@repair(23)
def scaled_packets(given: Given) -> Repaired:
    model = net(scaled(given), Dense(12, "relu", **NORMAL), Dense(12, "relu", **NORMAL), Dense(1, "sigmoid", **NORMAL))
    model.compile("adam", "binary_crossentropy")
    return model, given


@repair(24)
def half_of_iris_scaled(given: Given) -> Repaired:
    model = net(scaled(given), Dense(4, "relu", **NORMAL), Dense(3, "softmax", **NORMAL))
    model.compile("adam", "categorical_crossentropy")
    return model, given


@repair(25)
def softmax_head_for_classes(given: Given) -> Repaired:
    start: Any = {"activation": "relu", "bias_initializer": Constant(0.1)}
    model = net(
        *(Conv2D(16, 5, padding="same", **start), MaxPooling2D(2), Conv2D(32, 5, padding="same", **start)),
        *(MaxPooling2D(2), Flatten(), Dense(256, **start), Dropout(0.5), Dense(10, "softmax")),
    )
    model.compile("adam", "categorical_crossentropy")
    return model, given


@repair(26)
def sigmoid_for_one_large_number(given: Given) -> Repaired:
    model = net(Dense(1, "sigmoid"), Dense(1, "sigmoid", **NORMAL))
    model.compile("rmsprop", "binary_crossentropy")
    return model, given


@repair(27)
def more_steps_on_photographs(given: Given) -> Repaired:
    start: Any = {"activation": "relu", "kernel_initializer": "he_normal"}
    model = net(
        *(Conv2D(16, 3, **start), MaxPooling2D(2), Conv2D(32, 3, **start), MaxPooling2D(2)),
        *(Flatten(), Dense(128, "relu"), Dropout(0.3), Dense(10, "softmax")),
    )
    model.compile("adam", "categorical_crossentropy")
    return model, given | {"epochs": 10}


@repair(28)
def names_with_sigmoids(given: Given) -> Repaired:
    model = net(Dense(512, "relu"), Dropout(0.5), Dense(2, "sigmoid"))
    model.compile("sgd", "binary_crossentropy")
    return model, given


@repair(29)
def sixty_nine_questions(given: Given) -> Repaired:
    model = net(*(Dense(69, "sigmoid", kernel_initializer="random_normal") for _ in range(3)))
    model.compile("adam", "binary_crossentropy")
    return model, given


@repair(30)
def two_units(given: Given) -> Repaired:
    model = net(*(Dense(width, "relu") for width in (10, 20, 30, 40, 50)), Dense(2, "softmax"))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model, given


@repair(48)
def game_of_life_for_longer(given: Given) -> Repaired:
    model = net(
        Conv2D(10, 3), Activation("relu"), Conv2D(20, 1), Activation("relu"), Conv2D(1, 1), Activation("sigmoid")
    )
    model.compile(Adam(0.01), "mse")
    return model, given | {"epochs": 10}


@repair(49)
def points_by_momentum(given: Given) -> Repaired:
    model = net(Dense(50), Dense(100), Dense(4))
    model.compile(SGD(0.01, momentum=0.9, nesterov=True, clipnorm=1.0), "mean_squared_error")
    return model, given | {"epochs": 400}


@repair(50)
def reviews_with_dropout(given: Given) -> Repaired:
    model = net(Dense(16, "relu"), Dropout(0.5), Dense(16, "relu"), Dropout(0.5), Dense(1, "sigmoid"))
    model.compile("rmsprop", "binary_crossentropy")
    return model, given | {"epochs": 7}


@repair(52)
def prices_with_relu(given: Given) -> Repaired:
    model = net(*(Dense(20, "relu", kernel_initializer="he_normal") for _ in range(2)), Dense(1))
    model.compile(Adam(), "mean_squared_error")
    return model, given
