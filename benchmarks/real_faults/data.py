"""Data like those of the askers: of the same scale, made up where theirs are not at hand."""

from __future__ import annotations

from typing import Any

import numpy as np

Rows = tuple[Any, Any]


def digits(largest: float) -> Rows:
    """Written digits, 8 by 8, in place of MNIST's: 1,797 pictures with numbers up to ``largest``, and their classes."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] / 16 * largest).astype(np.float32), y[order]


def iris() -> Rows:
    """Centimetres as they are, and one-hot classes."""
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return x[order].astype(np.float32), one_hot(y[order])


def one_hot(y: Any) -> Any:
    """A row of zeros with one 1 for each class."""
    return np.eye(int(y.max()) + 1, dtype=np.float32)[y]


def labels_of_texts(rows: int, features: int, classes: int) -> Rows:
    """Counts of words and several labels a row, as scikit-learn makes them."""
    from sklearn.datasets import make_multilabel_classification

    x, y = make_multilabel_classification(rows, features, n_classes=classes, random_state=0)
    return x.astype(np.float32), y.astype(np.float32)


def passengers(rows: int = 712) -> Rows:
    """Like the Titanic's list with names, tickets and cabins as numbers: class, name, sex, age, kin, ..."""
    random = np.random.default_rng(0)
    grade, sex = random.integers(1, 4, rows), random.integers(0, 2, rows)
    columns = [
        grade,
        random.permutation(1300)[:rows],
        sex,
        random.normal(30, 13, rows).clip(1),
        random.integers(0, 4, rows),
    ]
    columns += [random.integers(0, 3, rows), random.integers(0, 900, rows), random.lognormal(3, 1, rows)]
    columns += [random.integers(0, 180, rows), random.integers(0, 3, rows)]
    chance = 1 / (1 + np.exp(-(3.0 - 2.6 * sex - 0.9 * (grade - 1))))
    return np.stack(columns, 1).astype(np.float32), (random.uniform(size=rows) < chance).astype(int)


def census(rows: int = 4000) -> Rows:
    """Like the table of incomes: 14 columns, with a weight of some 200,000 and capital gains."""
    random = np.random.default_rng(0)
    age, years, hours = random.integers(17, 90, rows), random.integers(1, 17, rows), random.integers(1, 99, rows)
    gain = np.where(random.uniform(size=rows) < 0.08, random.lognormal(8.5, 1, rows), 0)
    loss = np.where(random.uniform(size=rows) < 0.05, random.normal(1900, 300, rows), 0)
    flags = [random.integers(0, 2, rows) for _ in range(8)]
    columns = [
        age,
        flags[0],
        random.lognormal(12, 0.5, rows),
        flags[1],
        years,
        *flags[2:7],
        gain,
        loss,
        hours,
        flags[7],
    ]
    rich = 0.04 * (age - 40) + 0.35 * (years - 10) + 0.04 * (hours - 40) + (gain > 5000) * 4 + flags[2] * 1.5 - 2.2
    return np.stack(columns, 1).astype(np.float32), (rich + random.logistic(size=rows) > 0).astype(int)


def packets() -> Rows:
    """Twenty rows of a network's log: addresses as numbers of three thousand millions, ports, counters; and a class."""
    random = np.random.default_rng(0)
    y = np.arange(20) % 2
    address = 3_232_235_770 + random.integers(0, 12, (20, 2))
    rest = [np.full(20, 6), np.full(20, 128), 524_000 + 544 * y, random.integers(500, 60_000, 20), 12 * y, 61 * y]
    return np.concatenate([address, np.stack([*rest, 6 * y, 0 * y, 206 * y], 1)], 1).astype(np.float32), y


def photographs(rows: int, side: int, classes: int) -> Rows:
    """Coloured pictures, numbers 0 to 1, with a patch whose stripes and colour say the class, in much noise."""
    random = np.random.default_rng(0)
    y = random.integers(0, classes, rows)
    x = random.uniform(0, 1, (rows, side, side, 3)).astype(np.float32)
    half = side // 2
    for picture, kind, (top, left) in zip(x, y, random.integers(0, half + 1, (rows, 2)), strict=True):
        stripes = np.sin(np.arange(half) * (0.6 + 0.5 * (kind % 5)))
        patch = picture[top : top + half, left : left + half]
        patch += 0.5 * (stripes[:, None] if kind % 2 else stripes[None])[..., None] * (np.arange(3) == kind % 3)
    return x.clip(0, 1), y


def faces(rows: int = 1000, side: int = 24) -> Rows:
    """Pictures with two bright spots, and where these are, -1 to 1."""
    random = np.random.default_rng(0)
    places = random.uniform(-0.7, 0.7, (rows, 2, 2))
    grid = np.linspace(-1, 1, side)
    down = np.exp(-30 * (grid - places[..., 0, None]) ** 2)
    across = np.exp(-30 * (grid - places[..., 1, None]) ** 2)
    pictures = np.einsum("nsi,nsj->nij", down, across) + 0.05 * random.uniform(size=(rows, side, side))
    return pictures.reshape(rows, -1).astype(np.float32), places.reshape(rows, 4).astype(np.float32)


def reviews(rows: int = 3000, vocabulary: int = 1000) -> Rows:
    """Which words a review has, and whether it is kind: some words tell, weakly."""
    random = np.random.default_rng(0)
    y = random.integers(0, 2, rows)
    common, slant = random.gamma(0.3, 0.15, vocabulary), random.normal(0, 0.15, vocabulary)
    chance = (common * np.exp(slant * (2 * y[:, None] - 1))).clip(0, 1)
    return (random.uniform(size=(rows, vocabulary)) < chance).astype(np.float32), y


def life(rows: int = 1000, side: int = 12) -> Rows:
    """Fields of Conway's game, wrapped around by one cell, and the fields that follow."""
    field = np.random.default_rng(0).integers(0, 2, (rows, side, side))
    around = sum(np.roll(field, (i, j), (1, 2)) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)
    following = (around == 3) | ((field == 1) & (around == 2))
    wrapped = np.pad(field, ((0, 0), (1, 1), (1, 1)), mode="wrap")
    return wrapped[..., None].astype(np.float32), following[..., None].astype(np.float32)
