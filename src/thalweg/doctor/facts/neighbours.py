"""What simple methods reach on the training rows: the level that a network is measured against."""

from __future__ import annotations

import numpy as np

from thalweg.data.source import Arrays
from thalweg.doctor.facts import rows
from thalweg.doctor.record import Reference, Task

ROWS = 2000
NUMBERS = 500_000
"""Of the rows that are looked at, which are fewer where rows are long."""

COLUMNS = 128
"""Of what stands for longer rows."""

NEIGHBOURS = 5
FEATURES = 128
"""Random units beside the columns, in the second method."""

PENALTIES = (1e-3, 1e-1, 1e1)
"""Of the second method, for a row, of columns with deviation 1."""


def reference_of(arrays: Arrays, task: Task | None, most: int = ROWS) -> Reference | None:
    """What two simple methods reach that know at most 2,000 training rows, each row left out when it is its turn.

    The level is that of the better one: of the 5 nearest neighbours, with columns divided by their deviation, and of
    ridge regression on the columns and on 128 random units (relu), a network whose first layer is not trained. The
    first is good where few columns matter and classes curl round each other, the second in many dimensions. The mean
    of the classes' recalls is that of methods to which all classes are equally common. Rows disagree with their class
    where both methods name the same other one: they err differently where a class is hard to tell, and alike where a
    label is wrong.

    None without a task, or with fewer than 10 rows.

    Arguments:
        most: rows that are predicted, from all that are known.

    Source: for the error of every row when it is left out, Allen (1974), Technometrics 16.
    """
    given, y = rows.of_kind(arrays, rows.INPUT), list(rows.of_kind(arrays, rows.TARGET).values())
    if task is None or not given or len(y) != 1 or min(rows.count(given), len(y[0])) < 10:
        return None
    inputs = list(given.values())
    numbers = sum(map(rows.size, inputs))
    step = rows.spread(len(y[0]), min(ROWS, max(NUMBERS // numbers, 200)))
    parts, targets = [part[step] for part in inputs], y[0][step].reshape(len(y[0][step]), -1)
    once = _once([*parts, targets])
    x, targets = _columns(rows.matrix([part[once] for part in parts])), targets[once]
    asked = np.sort(np.random.default_rng(0).permutation(len(x))[:most])  # rows may stand in turns of classes
    if task == "regression":
        return _of_numbers(x, rows.finite(targets.astype(np.float64)), asked)
    return _of_classes(x, _classes(targets), asked)


def _of_classes(x: np.ndarray, y: np.ndarray, asked: np.ndarray) -> Reference:
    count = int(y.max()) + 1
    one_hot = np.eye(count, dtype=np.float32)[y]
    chance = float(one_hot.mean(axis=0).max())
    prior = one_hot.mean(axis=0)
    # the nearest neighbour decides where there are as many of one class as of another
    votes = np.sum([one_hot[near] * (1.0 + 0.01 * (i == 0)) for i, near in enumerate(_nearest(x, asked))], axis=0)
    likely = [votes, _left_out(x, one_hot, asked, classes=True)]
    guesses, y, one_hot = [p.argmax(axis=1) for p in likely], y[asked], one_hot[asked]
    level = max(float((guess == y).mean()) for guess in guesses)
    contradicted = (guesses[0] == guesses[1]) & (guesses[0] != y)
    balanced = max(_mean_recall((p / prior).argmax(axis=1) == y, one_hot) for p in likely)
    return Reference(chance, max(chance, level), float(contradicted.mean()), balanced, len(asked))


def _mean_recall(right: np.ndarray, one_hot: np.ndarray) -> float:
    there = one_hot.any(axis=0)
    return float((one_hot[right].sum(axis=0)[there] / one_hot.sum(axis=0)[there]).mean())


def _of_numbers(x: np.ndarray, y: np.ndarray, asked: np.ndarray) -> Reference:
    spread = y.std(axis=0)
    if not (spread > 0).any():
        return Reference(0.0, 0.0)
    y = (y[:, spread > 0] - y[:, spread > 0].mean(axis=0)) / spread[spread > 0]
    mean = np.mean([y[nearest] for nearest in _nearest(x, asked)], axis=0)
    left = _left_out(x, y.astype(np.float32), asked, classes=False)
    level = max(0.0, *(1.0 - float(((y[asked] - guess) ** 2).mean()) for guess in (mean, left)))
    return Reference(0.0, level, rows=len(asked))


def _classes(y: np.ndarray) -> np.ndarray:
    """Numbers from 0 on.

    Shapes: y (rows, units) one-hot or (rows, 1) -> (rows,).
    """
    labels = y.argmax(axis=1) if y.shape[1] > 1 else y[:, 0]
    return np.unique(labels, return_inverse=True)[1].reshape(-1)


def _once(arrays: list[np.ndarray]) -> np.ndarray:
    """Rows without copies of others, which would be no neighbours but the rows themselves; all if most are copies."""
    keys = rows.keys(arrays)
    first = np.sort(np.unique(keys, return_index=True)[1])
    return first if len(first) > len(keys) // 2 else np.arange(len(keys))


def _columns(x: np.ndarray) -> np.ndarray:
    """Those that change, with mean 0 and of one scale; of too many the directions in which they vary most.

    Source: Halko, Martinsson & Tropp (2011), SIAM Review 53, algorithm 4.3 with q = 1.
    """
    moving, center, scale = rows.scales(x)
    x = (x[:, moving] - center) / scale
    if x.shape[1] > COLUMNS:
        directions = np.random.default_rng(0).standard_normal((x.shape[1], COLUMNS), np.float32)
        x = x @ np.linalg.qr(x.T @ (x @ directions))[0]
    return x if x.shape[1] else np.zeros((len(x), 1), np.float32)


def _nearest(x: np.ndarray, asked: np.ndarray) -> list[np.ndarray]:
    """The number of the nearest other row of each that is asked for, then of the second, and so on."""
    table = x[asked] @ (-2.0 * x.T)
    table += (x**2).sum(axis=1)
    lines = np.arange(len(asked))
    table[lines, asked] = np.inf
    found = []
    for _ in range(min(NEIGHBOURS, len(x) - 1)):  # quicker than sorting parts
        found.append(table.argmin(axis=1))
        table[lines, found[-1]] = np.inf
    return found


def _left_out(x: np.ndarray, y: np.ndarray, asked: np.ndarray, classes: bool) -> np.ndarray:
    """What ridge regression from the other rows says of each row that is asked for, with the best of a few penalties.

    Shapes: x (rows, columns), y (rows, units), asked (some rows,) -> (some rows, units).
    """
    random = np.random.default_rng(0)
    directions = random.standard_normal((x.shape[1], FEATURES), np.float32) / np.float32(x.shape[1]) ** 0.5
    units = np.maximum(x @ directions + random.uniform(-1, 1, FEATURES).astype(np.float32), 0)
    z = np.concatenate([x, units, np.ones((len(x), 1), np.float32)], axis=1)
    gram = (z.T @ z).astype(np.float64)
    gram[np.diag_indices_from(gram)] += 1e-7 * np.trace(gram)
    moments = z.T @ y
    z, y = z[asked], y[asked]
    best, choice = -np.inf, y
    for penalty in PENALTIES:  # three inverses take a fiftieth of one decomposition that serves all
        inverse = np.linalg.inv(gram + penalty * len(x) * np.eye(len(gram))).astype(np.float32)
        turned = z @ inverse
        fitted = turned @ moments
        leverage = np.clip((turned * z).sum(axis=1), 0, 1 - 1e-3)[:, None]
        guess = (fitted - leverage * y) / (1 - leverage)
        score = float((guess.argmax(1) == y.argmax(1)).mean()) if classes else -float(((guess - y) ** 2).mean())
        if score > best:
            best, choice = score, guess
    return choice
