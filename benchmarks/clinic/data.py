"""From the words of a case's ``data`` to arrays: split, spoilt where the case says so, and scaled.

``source`` and what it takes; ``thin``: class -> share of its rows that is kept; ``n_train``: so many rows to train on;
``label_noise``: share of labels in training and validation that are another class; ``leak``: share of the validation
rows that are put among the training rows, ``jitter`` deviations away; ``scale``: "standard" (unless given), "minmax",
"none" or a divisor, of training rows; ``columns``: column -> factor; ``offset``: added to all; ``y_scale``: "standard"
(unless given), "none" or a factor, and ``y_offset``; ``nan_x``, ``nan_y``: share of training rows with one bad number,
``bad``: which (NaN unless given).
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from benchmarks.clinic.networks import Case
from benchmarks.clinic.sources import SOURCES
from benchmarks.clinic.training import Data


def load(case: Case) -> Data:
    """Half of the rows to train, a quarter to validate, a quarter to test.

    The test rows are clean: nobody but who judges the clinic looks at them.
    """
    words = case["data"]
    random = np.random.default_rng(words.get("seed", 0))
    x, y = made(random, words)
    quarter = len(x) // 4
    x = {"test": x[:quarter], "val": x[quarter : 2 * quarter], "train": x[2 * quarter :][: words.get("n_train")]}
    y = {"test": y[:quarter], "val": y[quarter : 2 * quarter], "train": y[2 * quarter :][: words.get("n_train")]}
    for part in ("train", "val"):
        y[part] = flipped(random, y[part], words.get("label_noise", 0.0))
    if words.get("leak"):
        leak(random, x, y, words["leak"], words.get("jitter", 0.0))
    rescale(x, words)
    numbers = case["task"] == "regression"
    if numbers:
        rescale_targets(y, words)
    spoil(random, x, y, words)
    return {
        **{f"x_{part}": rows.astype(np.float32) for part, rows in x.items()},
        **{f"y_{part}": rows.astype(np.float32 if numbers else np.int64) for part, rows in y.items()},
        "n_classes": 0 if numbers else int(max(rows.max() for rows in y.values())) + 1,
    }


def made(random: Any, words: dict[str, Any]) -> tuple[Any, Any]:
    """Rows of the source, in any order; of classes that are thinned only so large a share."""
    make = SOURCES[words["source"]]
    taken = inspect.signature(make).parameters
    x, y = make(random, **{name: value for name, value in words.items() if name in taken})
    thin = words.get("thin", {})
    kept = random.uniform(size=len(x)) < np.array([thin.get(label, 1.0) for label in y.tolist()])
    order = random.permutation(np.flatnonzero(kept))
    return x[order], y[order]


def flipped(random: Any, y: Any, share: float) -> Any:
    """So large a share of labels replaced by another class."""
    if not share:
        return y
    kinds = int(y.max()) + 1
    wrong = random.uniform(size=len(y)) < share
    return np.where(wrong, (y + random.integers(1, kinds, len(y))) % kinds, y)


def leak(random: Any, x: dict[str, Any], y: dict[str, Any], share: float, jitter: float) -> None:
    """Validation rows among the training rows."""
    taken = random.permutation(len(x["val"]))[: round(share * len(x["val"]))]
    near = x["val"][taken] + jitter * x["val"].std(0) * random.normal(size=x["val"][taken].shape)
    x["train"], y["train"] = np.concatenate([x["train"], near]), np.concatenate([y["train"], y["val"][taken]])
    order = random.permutation(len(x["train"]))
    x["train"], y["train"] = x["train"][order], y["train"][order]


def rescale(x: dict[str, Any], words: dict[str, Any]) -> None:
    """As ``scale``, ``columns`` and ``offset`` say; pictures keep their form."""
    rows, how = x["train"], words.get("scale", "standard")
    if rows.ndim > 2 and how == "standard":
        start, width = rows.mean(), rows.std()
    elif how == "standard":
        start, width = rows.mean(0), rows.std(0)
    elif how == "minmax":
        start, width = rows.min(0), np.ptp(rows, 0)
    else:
        start, width = 0.0, 1.0 if how == "none" else how
    for part, given in x.items():
        scaled = (given - start) / np.where(width == 0, 1, width) + words.get("offset", 0.0)
        for column, factor in words.get("columns", {}).items():
            scaled[:, column] *= factor
        x[part] = scaled.reshape(len(given), *words["image"]) if "image" in words else scaled


def rescale_targets(y: dict[str, Any], words: dict[str, Any]) -> None:
    """As ``y_scale`` and ``y_offset`` say."""
    how = words.get("y_scale", "standard")
    middle, width = (y["train"].mean(), y["train"].std()) if how == "standard" else (0, 1 if how == "none" else 1 / how)
    for part, given in y.items():
        y[part] = (given - middle) / width + words.get("y_offset", 0.0)


def spoil(random: Any, x: dict[str, Any], y: dict[str, Any], words: dict[str, Any]) -> None:
    """Numbers that are not finite, in training rows."""
    rows, bad = len(x["train"]), words.get("bad", float("nan"))
    for row in random.permutation(rows)[: round(words.get("nan_x", 0.0) * rows)]:
        flat = x["train"][row].reshape(-1)
        flat[random.integers(len(flat))] = bad
    if "nan_y" in words:
        y["train"][random.permutation(rows)[: round(words["nan_y"] * rows)]] = bad
