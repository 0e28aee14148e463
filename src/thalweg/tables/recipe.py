"""Which network is trained for a table, and how: one that does well on most tables without being tuned.

A multilayer perceptron after RealMLP-TD of Holzmüller, Grinsztajn & Steinwart (2024), arXiv:2407.04491: numbers by
their median and quartiles, smoothly clipped, each with waves along it; a factor for each column in front; rates that
fit the sizes of the weights; a schedule that comes to rest several times; dropout; weight decay that ends before
training does; smoothed labels; the best epoch by validation.

Differs, as measured with ``python -m benchmarks.tables``: two layers half as wide, a third of the epochs or fewer, and
several networks whose mean is the answer, each validated by other rows; without their parametric activations and
weights that start from the data, which changed nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from thalweg import config, layers
from thalweg.callbacks import Callback
from thalweg.data.tables.encodings import UNSEEN
from thalweg.fields import dataclass
from thalweg.initializers import RandomNormal
from thalweg.layers import Symbol
from thalweg.losses import Loss, MeanSquaredError, SparseCategoricalCrossentropy
from thalweg.model import Model
from thalweg.optimizers import Adam
from thalweg.optimizers.schedules import FlatCosine, LogCosineCycles
from thalweg.tables.features import Features, features
from thalweg.tables.schema import Schema
from thalweg.tables.settings import Settings
from thalweg.tables.stopping import LastingPatience

__all__ = ["Plan", "plan", "usual"]

RATES = {"classes": 0.04, "numbers": 0.07}
ACTIVATIONS = {"classes": "selu", "numbers": "mish"}
BATCH = 256
"""At most so many rows make a step ..."""
STEPS = 4
"""... and at least so many steps an epoch, of small tables."""
SMALLEST_BATCH = 32


@dataclass(frozen=True)
class Plan:
    """How networks for a table are made and trained.

    Arguments:
        build: makes a compiled network from a seed. Its inputs are those of the schema; it gives probabilities of
            classes (rows, classes) for class numbers, or numbers (rows, targets) for targets of mean 0 and deviation 1.
        batch_size, epochs: of ``fit``.
        members: how many networks are trained; predictions are their mean.
        callbacks: makes the callbacks of one of them, with validation or without.
    """

    build: Callable[[int], Model]
    batch_size: int
    epochs: int
    members: int
    callbacks: Callable[[bool], Sequence[Callback]]

    def filled(self, rows: np.ndarray) -> np.ndarray:
        """The rows, and a few of them once more, so that all steps are of one size and one program serves them all."""
        missing = -len(rows) % self.batch_size
        return np.concatenate([rows, np.random.default_rng(len(rows)).choice(rows, missing)])


def plan(schema: Schema, rows: int, settings: Settings | None = None) -> Plan:
    """The plan for so many rows of training data."""
    settings = settings or Settings()
    batch_size = settings.batch_size or min(BATCH, max(rows // STEPS, SMALLEST_BATCH))
    steps_an_epoch = math.ceil(rows / batch_size)
    batch_size = math.ceil(rows / steps_an_epoch)
    epochs = settings.epochs or epochs_for(rows)
    steps = epochs * steps_an_epoch

    def callbacks(validates: bool) -> list[Callback]:
        best = "val_accuracy" if schema.is_of_classes else "val_loss"
        return [LastingPatience(best, epochs)] if validates else []

    return Plan(lambda seed: network(schema, settings, seed, steps), batch_size, epochs, settings.members, callbacks)


def usual(schema: Schema) -> Settings:
    """The settings that the recipe has for the task, where it depends on that."""
    task = "classes" if schema.is_of_classes else "numbers"
    return Settings(activation=ACTIVATIONS[task], learning_rate=RATES[task])


def epochs_for(rows: int) -> int:
    """Fewer for more rows, which have more steps in each."""
    return round(min(max(6400 / math.sqrt(rows), 32), 96))


def network(schema: Schema, settings: Settings, seed: int, steps: int) -> Model:
    """A compiled network that is to be trained for so many steps."""
    given, own = features(schema), usual(schema)
    with config.seeded(seed):
        parts = _together(_waves(given.numbers, settings), given.flags, *_of_categories(given, settings))
        x = layers.Scale(name="front")(parts)
        slower = [("front/", 6.0), ("waves/", 0.1), ("/bias$", 0.1)]
        for number, units in enumerate(settings.units):
            x = _dense(x, units, f"hidden_{number}", settings.activation or own.activation, slower)
            x = layers.Dropout(settings.dropout, name=f"dropout_{number}")(x)
        last = _dense(x, schema.outputs, "last", "softmax" if schema.is_of_classes else None, slower)
        model = Model(given.inputs, last, name="network")
        rate = settings.learning_rate or own.learning_rate
        assert rate is not None, "the usual one is a number"
        model.compile(
            _optimizer(rate, settings.weight_decay, steps, slower),
            _loss(schema, settings),
            metrics=["accuracy"] if schema.is_of_classes else [],
        )
    return model


def _optimizer(rate: float, weight_decay: float, steps: int, rates: list[tuple[str, float]]) -> Adam:
    return Adam(
        LogCosineCycles(rate, steps),
        beta_2=0.95,
        epsilon=1e-8,
        weight_decay=FlatCosine(weight_decay, steps),
        decay_exclusions=("/bias$", "/phase$"),
        learning_rate_factors=tuple(rates),
    )


def _loss(schema: Schema, settings: Settings) -> Loss:
    if not schema.is_of_classes:
        return MeanSquaredError()
    return SparseCategoricalCrossentropy(label_smoothing=settings.label_smoothing)


def _waves(numbers: Symbol | None, settings: Settings) -> Symbol | None:
    """Each number smoothly clipped, and beside its waves."""
    if numbers is None:
        return None
    x: Symbol = layers.SmoothClipping()(numbers)
    if not settings.waves:
        return x
    embedding = layers.PeriodicEmbedding(settings.wave_units, settings.waves, settings.wave_deviation, name="waves")
    waves: Symbol = embedding(x)
    return waves


def _dense(x: Symbol, units: int, name: str, activation: str | None, rates: list[tuple[str, float]]) -> Symbol:
    """A layer whose weights are as large, and learn as fast, as sums over so many inputs want.

    The same as weights of deviation 1 behind a factor ``1 / sqrt(inputs)`` (the neural tangent parametrisation), for an
    optimizer like Adam that moves every weight by the rate.
    """
    deviation = 1 / math.sqrt(x.shape[-1] or 1)
    rates.append((f"{name}/kernel$", deviation))
    last = name == "last"
    kernel, bias = ("zeros", "zeros") if last else (RandomNormal(0.0, deviation), RandomNormal(0.0, 1.0))
    layer = layers.Dense(units, activation, kernel_initializer=kernel, bias_initializer=bias, name=name)
    y: Symbol = layer(x)
    return y


def _of_categories(given: Features, settings: Settings) -> list[Symbol]:
    """Columns with few categories as columns of 0 and 1, the others, which come after them, as vectors."""
    codes, sizes = given.codes, given.sizes
    if codes is None:
        return []
    few = sum(size <= settings.one_hot for size in sizes)
    parts = []
    if few:
        own = codes if few == len(sizes) else codes[:, :few]
        parts.append(layers.OneHotColumns(sizes[:few], without=UNSEEN)(own))
    if few < len(sizes):
        own = codes[:, few:] if few else codes
        make = layers.ColumnEmbedding(sizes[few:], settings.embedding_units, RandomNormal(0.0, 1.0))
        parts.append(make(own))
    return parts


def _together(*parts: Symbol | None) -> Symbol:
    there = [part for part in parts if part is not None]
    joined: Symbol = there[0] if len(there) == 1 else layers.Concatenate()(there)
    return joined
