"""Which network is trained for a table, and how: one that does well on most tables without being tuned."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from thalweg import config, layers
from thalweg.callbacks import Callback, EarlyStopping
from thalweg.data.tables.encodings import UNSEEN
from thalweg.fields import dataclass
from thalweg.layers import Symbol
from thalweg.model import Model
from thalweg.optimizers import Adam
from thalweg.tables.features import features
from thalweg.tables.schema import Schema

__all__ = ["Plan", "plan"]

UNITS = (256, 256, 256)
EPOCHS = 100
PATIENCE = 20
MEMBERS = 1
ONE_HOT = 10
"""Categories of so many places at most become columns, others vectors."""
EMBEDDING_UNITS = 8


@dataclass(frozen=True)
class Plan:
    """How networks for a table are made and trained.

    Arguments:
        build: makes a compiled network from a seed and some rows as ``fit`` gets them. Its inputs are those of
            the schema; it gives probabilities of classes (rows, classes) for class numbers, or numbers (rows, targets)
            for targets of mean 0 and deviation 1.
        batch_size, epochs: of ``fit``.
        members: how many networks are trained; predictions are their mean.
        callbacks: makes the callbacks of one of them.
    """

    build: Callable[[int, dict[str, np.ndarray]], Model]
    batch_size: int
    epochs: int
    members: int
    callbacks: Callable[[bool], Sequence[Callback]]


def plan(schema: Schema, rows: int, *, epochs: int | None = None, members: int | None = None) -> Plan:
    """The plan for so many rows of training data.

    Arguments:
        epochs, members: where the user says how many.
    """

    def build(seed: int, sample: dict[str, np.ndarray]) -> Model:
        return _network(schema, seed)

    def callbacks(validates: bool) -> list[Callback]:
        return [EarlyStopping(patience=PATIENCE, restore_best_weights=True)] if validates else []

    batch_size = 256 if rows >= 4096 else 128 if rows >= 1024 else 32
    return Plan(build, batch_size, epochs or EPOCHS, members or MEMBERS, callbacks)


def _network(schema: Schema, seed: int) -> Model:
    given = features(schema)
    with config.seeded(seed):
        x = _joined(given.numbers, given.flags, *_of_categories(given.codes, given.sizes))
        for units in UNITS:
            x = layers.Dense(units, "relu", kernel_initializer="he_normal")(x)
        last = layers.Dense(schema.outputs, "softmax" if schema.is_of_classes else None)
        model = Model(given.inputs, last(x))
    loss = "sparse_categorical_crossentropy" if schema.is_of_classes else "mean_squared_error"
    model.compile(Adam(1e-3), loss)
    return model


def _of_categories(codes: Symbol | None, sizes: tuple[int, ...]) -> list[Symbol]:
    """Columns with few categories as columns of 0 and 1, the others, which come after them, as vectors."""
    if codes is None:
        return []
    few = sum(size <= ONE_HOT for size in sizes)
    parts = []
    if few:
        own = codes if few == len(sizes) else codes[:, :few]
        parts.append(layers.OneHotColumns(sizes[:few], without=UNSEEN)(own))
    if few < len(sizes):
        own = codes[:, few:] if few else codes
        parts.append(layers.ColumnEmbedding(sizes[few:], EMBEDDING_UNITS)(own))
    return parts


def _joined(*parts: Symbol | None) -> Symbol:
    there = [part for part in parts if part is not None]
    joined: Symbol = there[0] if len(there) == 1 else layers.Concatenate()(there)
    return joined
