"""Data of the clinic's own cases: rows made up, or of scikit-learn's small tables.

Each function takes a random generator and the words of a case's ``data``, and gives x (rows, ...) and y (rows,).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Rows = tuple[Any, Any]
SOURCES: dict[str, Callable[..., Rows]] = {}


def source(make: Callable[..., Rows]) -> Callable[..., Rows]:
    """Put into ``SOURCES`` by its name."""
    SOURCES[make.__name__] = make
    return make


@source
def table(random: Any, name: str, n: int | None = None) -> Rows:
    """One of scikit-learn's: digits, iris, wine, breast_cancer or diabetes."""
    from sklearn import datasets

    loaded = datasets.load_diabetes(scaled=False) if name == "diabetes" else getattr(datasets, f"load_{name}")()
    kept = random.permutation(len(loaded.data))[:n]
    return loaded.data[kept].astype(float), loaded.target[kept]


@source
def shells(random: Any, n: int, features: int = 4, classes: int = 3) -> Rows:
    """Points of a normal distribution, the class by how far out they are."""
    x = random.normal(size=(n, features))
    far = (x**2).sum(1)
    return x, np.searchsorted(np.quantile(far, np.arange(1, classes) / classes), far)


@source
def checkers(random: Any, n: int, side: int = 3) -> Rows:
    """The black and white fields of a board."""
    x = random.uniform(0, side, (n, 2))
    return x, np.floor(x).sum(1).astype(int) % 2


@source
def rings(random: Any, n: int, classes: int = 3, noise: float = 0.1) -> Rows:
    """Circles around each other."""
    y = random.integers(0, classes, n)
    angle, radius = random.uniform(0, 2 * np.pi, n), 1 + y + noise * random.normal(size=n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), y


@source
def roll(random: Any, n: int, classes: int = 0, noise: float = 0.2) -> Rows:
    """A sheet rolled up in three dimensions: how far along it, as a number or as a class."""
    along = 1.5 * np.pi * (1 + 2 * random.uniform(size=n))
    x = np.stack([along * np.cos(along), 21 * random.uniform(size=n), along * np.sin(along)], 1)
    y = np.floor(classes * (along / (1.5 * np.pi) - 1) / 2).astype(int) if classes else along
    return x + noise * random.normal(size=x.shape), y


@source
def waves(random: Any, n: int, classes: int = 4, points: int = 32, noise: float = 0.5) -> Rows:
    """Signals in time: sine, square, saw and pulse, of any phase and frequency."""
    y = random.integers(0, classes, n)
    phase, frequency = random.uniform(size=(n, 1)), random.uniform(1, 2.5, (n, 1))
    turn = (phase + frequency * np.linspace(0, 1, points)) % 1
    kinds = [np.sin(2 * np.pi * turn), np.sign(turn - 0.5), 2 * turn - 1, (np.abs(turn - 0.5) < 0.12) * 3.0 - 0.7]
    return np.choose(y[:, None], kinds[:classes]) + noise * random.normal(size=turn.shape), y


@source
def shapes(random: Any, n: int, side: int = 10, classes: int = 4, noise: float = 0.3) -> Rows:
    """Pictures with a bar that lies, one that stands, a cross or a frame, somewhere."""
    y = random.integers(0, classes, n)
    x = noise * random.normal(size=(n, side, side, 1))
    for picture, kind, (top, left) in zip(x, y, random.integers(0, side - 4, (n, 2)), strict=True):
        part = picture[top : top + 5, left : left + 5, 0]
        if kind in (0, 2):
            part[2] += 1
        if kind in (1, 2):
            part[:, 2] += 1
        if kind == 3:
            part[[0, -1]] += 1
            part[:, [0, -1]] += 1
    return x, y


@source
def words(random: Any, n: int, features: int = 80, classes: int = 3, length: int = 12) -> Rows:
    """Counts of words in short texts, mostly 0; each class has its own frequencies."""
    frequencies = np.random.default_rng(5).gamma(0.4, size=(classes, features))
    y = random.integers(0, classes, n)
    chances = frequencies / frequencies.sum(1, keepdims=True)
    return np.array([random.multinomial(length, chances[k]) for k in y], float), y


@source
def votes(random: Any, n: int, features: int = 9) -> Rows:
    """Yes and no of a few voters, and what most want: most rows come several times."""
    x = random.integers(0, 2, (n, features)).astype(float)
    return x, (x.sum(1) > features / 2).astype(int)


@source
def boards(random: Any, n: int, fields: int = 6) -> Rows:
    """Fields that are -1, 0 or 1, and whether the first half outweighs the second: rows repeat."""
    x = random.integers(-1, 2, (n, fields)).astype(float)
    return x, (x[:, : fields // 2].sum(1) > x[:, fields // 2 :].sum(1)).astype(int)


@source
def signs(random: Any, n: int, factors: int = 3, features: int = 8) -> Rows:
    """The sign of the product of the first numbers: no single one of them tells anything."""
    x = random.uniform(-1, 1, (n, features))
    return x, (np.prod(x[:, :factors], 1) > 0).astype(int)


@source
def spheres(random: Any, n: int, features: int = 10) -> Rows:
    """Whether a point lies further out than the median (Hastie, Tibshirani and Friedman 2009, example 10.2)."""
    x = random.normal(size=(n, features))
    return x, ((x**2).sum(1) > features - 0.66).astype(int)


@source
def clouds(random: Any, n: int, features: int = 6, classes: int = 2, apart: float = 1.0) -> Rows:
    """Normal clouds around centres of which the first two lie ``apart``; they overlap."""
    centres = np.random.default_rng(classes).normal(size=(classes, features))
    centres *= apart / np.linalg.norm(centres[:1] - centres[1:2])
    y = random.integers(0, classes, n)
    return centres[y] + random.normal(size=(n, features)), y


@source
def circuit(random: Any, n: int, phase: bool = False, noise: float = 0.0) -> Rows:
    """Impedance, or phase, of a circuit: numbers from .1 to 1,700 in a row (Friedman 1991)."""
    x = np.stack([random.uniform(*span, n) for span in ((0, 100), (126, 1759), (0, 1), (1, 11))], 1)
    inner = x[:, 1] * x[:, 2] - 1 / (x[:, 1] * x[:, 3])
    y = np.arctan2(inner, x[:, 0]) if phase else np.sqrt(x[:, 0] ** 2 + inner**2)
    return x, y + noise * y.std() * random.normal(size=n)


@source
def hills(random: Any, n: int, tops: int = 4, noise: float = 0.05) -> Rows:
    """Height in a landscape of round hills."""
    places = np.random.default_rng(tops).uniform(-1, 1, (tops, 2))
    x = random.uniform(-1, 1, (n, 2))
    far = ((x[:, None] - places) ** 2).sum(-1)
    return x, (np.exp(-6 * far) * np.resize([1.0, -0.7], tops)).sum(1) + noise * random.normal(size=n)


@source
def plane(random: Any, n: int, features: int = 8, noise: float = 0.5) -> Rows:
    """A weighted sum, with noise of so many of its deviations."""
    x = random.normal(size=(n, features))
    y = x @ np.random.default_rng(features).normal(size=features)
    return x, y + noise * y.std() * random.normal(size=n)


@source
def curve(random: Any, n: int, frequency: float = 2.0, noise: float = 0.1) -> Rows:
    """A sine wave that grows."""
    x = random.uniform(-1, 1, (n, 1))
    return x, (1 + x[:, 0]) * np.sin(np.pi * frequency * x[:, 0]) + noise * random.normal(size=n)
