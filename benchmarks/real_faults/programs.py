"""The programs: each compiles a model as its asker did and says what is given to ``fit``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import thalweg
from benchmarks.real_faults import data
from thalweg.initializers import Constant, RandomNormal
from thalweg.layers import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from thalweg.optimizers import SGD, Adam

Given = dict[str, Any]
Program = Callable[[], tuple[thalweg.Model, Given]]


class Fault(NamedTuple):
    """A program of DeepFD's table.

    Attributes:
        number: the row of the table.
        post: the number of the question on Stack Overflow, or the project on GitHub.
        kinds: what the table says is wrong: "act", "loss", "lr", "epoch", "opt", "init", "batch", "prep" (missing or
            wrong preprocessing), "layers" or "data"; none for the program that the table calls sound.
    """

    number: int
    post: str
    kinds: tuple[str, ...]
    program: Program


FAULTS: list[Fault] = []


def fault(number: int, post: str, *kinds: str) -> Callable[[Program], Program]:
    """Put a program into ``FAULTS``."""

    def keep(program: Program) -> Program:
        FAULTS.append(Fault(number, post, kinds, program))
        return program

    return keep


def net(*layers: thalweg.Layer) -> thalweg.Sequential:
    """One after the other."""
    return thalweg.Sequential(list(layers))


def fit(x: Any, y: Any, batch_size: int, epochs: int, **more: Any) -> Given:
    """What ``fit`` is given."""
    return {"x": np.asarray(x, np.float32), "y": y, "batch_size": batch_size, "epochs": epochs, **more}


def floats(values: Any) -> Any:
    """Targets that are numbers."""
    return np.asarray(values, np.float32)


XOR = np.array([[1, 1], [1, 0], [0, 0], [0, 1]], np.float32)


@fault(1, "48385830", "act", "loss", "lr")
def no_activations() -> tuple[thalweg.Model, Given]:
    wide: Any = {"kernel_initializer": RandomNormal(stddev=1), "bias_initializer": RandomNormal(stddev=1)}
    model = net(Dense(30, **wide), Dense(10, **wide))
    model.compile(SGD(3.0), "mean_squared_error", metrics=["accuracy"])
    x, y = data.digits(1.0)
    return model, fit(x, data.one_hot(y), 10, 30)


@fault(2, "44164749", "epoch", "lr", "act", "loss")
def few_large_batches() -> tuple[thalweg.Model, Given]:
    model = net(Dense(1000, "relu"), Dropout(0.1), Dense(120, "relu"), Dropout(0.1), Dense(10, "softmax"))
    model.compile(SGD(0.01, momentum=0.9, nesterov=True), "categorical_crossentropy", metrics=["accuracy"])
    x, y = data.digits(1.0)
    return model, fit(x, data.one_hot(y), 60, 5)  # 30 steps an epoch, as 60,000 rows in batches of 2,000


@fault(3, "31556268", "loss", "epoch", "lr", "opt")
def xor_with_absolute_error() -> tuple[thalweg.Model, Given]:
    model = net(Dense(4, "sigmoid"), Dense(1, "sigmoid"))
    model.compile(SGD(0.05, momentum=0.11, nesterov=True), "mean_absolute_error", metrics=["accuracy"])
    return model, fit(XOR, floats([[0], [1], [0], [1]]), 4, 1000)


@fault(4, "50306988", "lr", "epoch")
def two_squares() -> tuple[thalweg.Model, Given]:
    random = np.random.default_rng(0)
    x = np.concatenate([random.uniform(0.2, 0.4, (100, 2)), random.uniform(0.5, 0.7, (100, 2))])
    model = net(Dense(2, "sigmoid"), Dense(2, "softmax"))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model, fit(x, data.one_hot(np.arange(200) // 100), 32, 5)


@fault(5, "48251943", "act")
def relu_head_for_signed_numbers() -> tuple[thalweg.Model, Given]:
    random = np.random.default_rng(0)
    x = random.normal(0.7, 0.9, (17, 2))  # so few rows there were
    model = net(Dense(4, "relu"), Dense(1, "relu"))
    model.compile("sgd", "mean_squared_error", metrics=["MSE"])
    return model, fit(x, floats(0.9 * x[:, 0] - 0.8 * x[:, 1] + 0.1 * random.normal(size=17)), 10, 50)


@fault(6, "38648195", "act", "loss", "epoch")
def softmax_for_several_labels() -> tuple[thalweg.Model, Given]:
    model = net(Dense(20, "relu"), Dropout(0.5), Dense(20, "relu"), Dropout(0.5), Dense(3, "softmax"))
    model.compile("sgd", "mean_squared_error", metrics=["accuracy"])
    x, y = data.labels_of_texts(7500, 20, 3)
    return model, fit(x[:6000], y[:6000], 20, 20, validation_data=(x[6000:], y[6000:]))


@fault(7, "33969059", "act")
def softmax_for_large_numbers() -> tuple[thalweg.Model, Given]:
    x = np.random.default_rng(0).uniform(0, 10_000, (5000, 3))
    start: Any = {"kernel_initializer": "uniform"}
    model = net(
        *(
            Dense(3, "tanh", **start),
            Dropout(0.5),
            Dense(2, "tanh", **start),
            Dropout(0.5),
            Dense(1, "softmax", **start),
        )
    )
    model.compile(SGD(0.1, momentum=0.9, nesterov=True), "mean_squared_error", metrics=["accuracy"])
    return model, fit(x, floats(x @ [2.0, 1.0, 0.5] + 2.2)[:, None], 32, 20)


@fault(8, "55328966", "act", "opt", "prep")
def raw_pictures_and_sigmoids() -> tuple[thalweg.Model, Given]:
    model = net(Dense(64), Dense(50, "relu"), Dense(10, "sigmoid"))
    model.compile(SGD(0.0001), "categorical_crossentropy", metrics=["accuracy"])
    x, y = data.digits(255.0)
    return model, fit(x, data.one_hot(y), 32, 10)


@fault(9, "34311586", "lr", "act", "init", "epoch", "batch")
def xor_with_softmax() -> tuple[thalweg.Model, Given]:
    start: Any = {"kernel_initializer": "uniform"}
    model = net(Dense(2, "sigmoid", **start), Dense(3, "sigmoid", **start), Dense(1, "softmax", **start))
    model.compile(SGD(0.001, momentum=0.9, nesterov=True), "mean_squared_error")
    x = np.concatenate([XOR, XOR[[0, 2]]])
    return model, fit(x, floats([[0], [1], [0], [1], [0], [0]]), 32, 20)


@fault(10, "31880720", "act", "epoch")
def softmax_of_one_unit() -> tuple[thalweg.Model, Given]:
    model = net(*(Dense(50, "relu"), Dropout(0.2), Dense(50, "relu"), Dropout(0.2), Dense(1, "softmax")))
    y = np.arange(1000) % 2
    given = fit(np.repeat(y[:, None], 128, 1), y, 1, 3)
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
    return model, given


@fault(11, "39525358", "act", "lr", "prep")
def letters_as_numbers() -> tuple[thalweg.Model, Given]:
    start: Any = {"kernel_initializer": "uniform"}
    model = net(Dense(12, "relu", **start), Dense(3, "relu", **start), Dense(1, "sigmoid", **start))
    model.compile("adam", "binary_crossentropy", metrics=["acc"])
    y = np.arange(16) % 2
    return model, fit(65 + 3 * y[:, None] + np.arange(3), y, 1, 150)


@fault(12, "39217567", "act", "batch")
def rows_and_shuffled_rows() -> tuple[thalweg.Model, Given]:
    x = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(np.float32)
    start: Any = {"kernel_initializer": "normal"}
    model = net(*(Dense(8, "sigmoid", **start) for _ in range(3)))
    model.compile("SGD", "mse", metrics=["accuracy"])
    return model, fit(x, x[np.random.default_rng(0).permutation(256)], 50, 1000)


@fault(13, "48934338", "lr")
def parabola() -> tuple[thalweg.Model, Given]:
    x = np.arange(0, 5, 0.1)[:, None]
    model = net(Dense(50, "relu"), Dense(30, "relu", kernel_initializer="uniform"), Dense(1))
    model.compile(SGD(0.1), "mse", metrics=["accuracy"])
    return model, fit(x, floats(5 * x**2 + np.random.default_rng(0).normal(size=x.shape) ** 3), 32, 1000)


@fault(14, "47724077", "opt", "lr", "prep", "epoch")
def raw_census() -> tuple[thalweg.Model, Given]:
    model = net(Dense(21, "relu"), Dense(2, "softmax"))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    x, y = data.census()
    return model, fit(x, data.one_hot(y), 100, 50)


@fault(15, "59325381", "loss", "prep")
def labels_divided_by_255() -> tuple[thalweg.Model, Given]:
    model = net(
        *(Conv2D(16, 3, padding="same"), MaxPooling2D(2), Conv2D(8, 3, padding="same"), MaxPooling2D(2)),
        *(Flatten(), Dense(128, "relu"), Dense(10, "softmax")),
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = data.digits(1.0)
    return model, fit(x.reshape(-1, 8, 8, 1), (y / 255)[:, None], 32, 2)


@fault(16, "59278771", "act", "opt", "prep")
def iris_with_sigmoids() -> tuple[thalweg.Model, Given]:
    model = iris_net()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model, fit(*data.iris(), 5, 200)


def iris_net() -> thalweg.Sequential:
    """Two askers had the same one."""
    return net(Dense(4, "relu", kernel_initializer="normal"), Dense(3, "sigmoid", kernel_initializer="normal"))


@fault(17, "52800582", "prep")
def fourth_power() -> tuple[thalweg.Model, Given]:
    x = np.arange(-100, 100, 0.5)[:, None]
    model = net(Dense(50, "sigmoid"), Dense(50, "elu"), Dense(1))
    model.compile("adam", "mse")
    return model, fit(x, floats(x**4), len(x), 1000)


@fault(18, "41372874")
def direction_of_a_sine() -> tuple[thalweg.Model, Given]:
    wave = np.sin(0.0628 * np.arange(330))
    start: Any = {"kernel_initializer": "uniform"}
    model = net(Dense(2, "relu", **start), Dense(2, "relu", **start), Dense(1, "sigmoid", **start))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    x, y = np.stack([wave[1:-1], wave[:-2]], 1), (wave[2:] > wave[1:-1]).astype(int)
    return model, fit(x[:262], y[:262], 2, 20)


@fault(19, "34673164", "layers", "act", "loss")
def nine_rows_of_polls() -> tuple[thalweg.Model, Given]:
    random = np.random.default_rng(0)
    scale = [300_000, 38, 38, 15, 16, 16, 60_000, 60_000, 2.4, 54, 20, 20, 80_000, 0.5, 0.4, 0.5]
    x, y = random.uniform(0.3, 1.2, (9, 16)) * scale, np.arange(9) % 2
    start: Any = {"kernel_initializer": "uniform"}
    model = net(
        *(
            Dense(64, "tanh", **start),
            Dropout(0.5),
            Dense(64, "tanh", **start),
            Dropout(0.5),
            Dense(2, "softmax", **start),
        )
    )
    model.compile(SGD(0.1, momentum=0.9, nesterov=True), "mean_squared_error", metrics=["accuracy"])
    return model, fit(x, data.one_hot(y), 16, 20)


@fault(20, "48221692", "act")
def sigmoid_head_for_a_parabola() -> tuple[thalweg.Model, Given]:
    x = np.random.default_rng(0).permutation(np.linspace(-10, 10, 201))[:150, None]
    model = net(Dense(5, "sigmoid"), Dense(1, "sigmoid"))
    model.compile("sgd", "mean_squared_error", metrics=["accuracy"])
    return model, fit(x, floats(x**2 + 3), len(x), 1000)


@fault(21, "50079585", "epoch", "lr", "act", "loss", "layers")
def one_sigmoid_for_three_kinds() -> tuple[thalweg.Model, Given]:
    blocks = [layer for filters in (8, 8, 16) for layer in (Conv2D(filters, 3, activation="relu"), MaxPooling2D(2))]
    model = net(*blocks, Flatten(), Dense(64, "relu"), Dropout(0.5), Dense(1, "sigmoid"))
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
    x, y = data.photographs(1150, 30, 3)
    return model, fit(x[:979], y[:979], 16, 10, validation_data=(x[979:], y[979:]))


@fault(22, "45337371", "act")
def softmax_of_one_unit_for_noise() -> tuple[thalweg.Model, Given]:
    random = np.random.default_rng(0)
    model = net(Dense(60, "relu"), Dense(50, "relu"), Dense(1, "softmax"))
    given = fit(random.uniform(size=(1000, 5)), floats(random.uniform(size=(1000, 1))), 1, 5)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model, given


@fault(23, "44066044", "prep")
def raw_packets() -> tuple[thalweg.Model, Given]:
    start: Any = {"kernel_initializer": "normal"}
    model = net(Dense(12, "relu", **start), Dense(12, "relu", **start), Dense(1, "relu", **start))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model, fit(*data.packets(), 5, 100)


@fault(24, "51930566", "act")
def half_of_iris_with_sigmoids() -> tuple[thalweg.Model, Given]:
    model = iris_net()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    x, y = data.iris()
    return model, fit(x[:75], y[:75], 5, 50, validation_data=(x[75:], y[75:]))


@fault(25, "47352366", "act", "epoch")
def relu_head_for_classes() -> tuple[thalweg.Model, Given]:
    start: Any = {"activation": "relu", "bias_initializer": Constant(0.1)}
    model = net(
        *(Conv2D(16, 5, padding="same", **start), MaxPooling2D(2), Conv2D(32, 5, padding="same", **start)),
        *(MaxPooling2D(2), Flatten(), Dense(256, **start), Dropout(0.5), Dense(10, "relu")),
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    x, y = data.digits(1.0)
    return model, fit(x.reshape(-1, 8, 8, 1), data.one_hot(y), 50, 5)


@fault(26, "45442843", "loss", "opt", "act", "epoch")
def one_large_number() -> tuple[thalweg.Model, Given]:
    random = np.random.default_rng(0)
    x = random.integers(15_000, 25_000, (999, 1))
    y = (x[:, 0] + random.normal(0, 500, 999) < 20_500).astype(int)
    model = net(Dense(1, "sigmoid"), Dense(1, "softmax", kernel_initializer="normal"))
    model.compile("rmsprop", "mean_absolute_error", metrics=["accuracy"])
    return model, fit(
        x[:799], y[:799].astype(np.float32), 200, 100, validation_data=(x[799:].astype(np.float32), y[799:])
    )


@fault(27, "48594888", "epoch", "batch")
def few_steps_on_photographs() -> tuple[thalweg.Model, Given]:
    start: Any = {"activation": "relu", "kernel_initializer": "he_normal"}
    model = net(
        *(Conv2D(16, 3, **start), MaxPooling2D(2), Conv2D(32, 3, **start), MaxPooling2D(2)),
        *(Flatten(), Dense(128, "relu"), Dropout(0.3), Dense(10, "softmax")),
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    x, y = data.photographs(2500, 16, 10)
    y = data.one_hot(y)
    return model, fit(x[:2000], y[:2000], 100, 5, validation_data=(x[2000:], y[2000:]))


@fault(28, "31627380", "opt", "act", "loss")
def names_as_numbers() -> tuple[thalweg.Model, Given]:
    model = net(Dense(512, "relu"), Dropout(0.5), Dense(2, "softmax"))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    x, y = data.passengers()
    return model, fit(x, data.one_hot(y), 4, 10, validation_split=0.2)


@fault(29, "58609115", "loss")
def sixty_nine_sigmoids() -> tuple[thalweg.Model, Given]:
    random = np.random.default_rng(0)
    y = random.integers(0, 69, 1767)
    start: Any = {"kernel_initializer": "random_normal"}
    model = net(*(Dense(69, "sigmoid", **start) for _ in range(3)))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model, fit((1.5 * y + random.integers(0, 3, 1767))[:, None], data.one_hot(y), 50, 1)


@fault(30, "50481178", "act", "loss")
def categorical_loss_of_one_unit() -> tuple[thalweg.Model, Given]:
    model = net(*(Dense(width, "relu") for width in (10, 20, 30, 40, 50)), Dense(1, "softmax"))
    x, y = data.labels_of_texts(800, 4, 1)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model, fit(x, y, 10, 50, validation_split=0.1)


@fault(48, "gol_nn", "loss", "epoch", "lr")
def game_of_life() -> tuple[thalweg.Model, Given]:
    model = net(
        Conv2D(10, 3), Activation("relu"), Conv2D(20, 1), Activation("relu"), Conv2D(1, 1), Activation("sigmoid")
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    x, y = data.life()
    return model, fit(x[:800], y[:800], 64, 5, validation_data=(x[800:], y[800:]))


@fault(49, "FacialKeypointsDetection", "opt", "epoch")
def points_of_a_face() -> tuple[thalweg.Model, Given]:
    model = net(Dense(50), Dense(100), Dense(4))
    model.compile(Adam(0.1), "mean_squared_error", metrics=["accuracy"])
    return model, fit(*data.faces(), 32, 100)


@fault(50, "MovieReviews_Keras", "epoch", "layers")
def kind_reviews() -> tuple[thalweg.Model, Given]:
    model = net(Dense(16, "relu"), Dense(16, "relu"), Dense(1, "sigmoid"))
    model.compile("rmsprop", "binary_crossentropy", metrics=["binary_accuracy"])
    x, y = data.reviews()
    return model, fit(x[1000:], y[1000:], 64, 4, validation_data=(x[:1000], y[:1000]))


@fault(52, "kaggle-melbourne_properties", "act", "layers")
def prices_of_houses() -> tuple[thalweg.Model, Given]:
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 12))
    price = 1e6 * np.exp(0.3 * x[:, 0] + 0.3 * x[:, 1] * (x[:, 2] > 0) - 0.2 * np.abs(x[:, 3]))
    model = net(*(Dense(20, kernel_initializer="glorot_normal") for _ in range(2)), Dense(1))
    model.compile(Adam(), "mean_squared_error", metrics=["accuracy"])
    return model, fit(x, floats(price + 5e4 * random.normal(size=400)), 1, 10, validation_split=0.2)
