"""What the training rows look like as they reach the first weights."""

from __future__ import annotations

from statistics import median

import numpy as np

from thalweg import layers
from thalweg.data.source import Arrays, slices
from thalweg.doctor.facts import rows
from thalweg.doctor.facts.network import Network
from thalweg.doctor.record import Inputs
from thalweg.graph.node import Node
from thalweg.ops.leaf import Input

ROWS = 2000

NORMALIZING = (
    *(layers.Normalization, layers.BatchNormalization, layers.LayerNormalization, layers.RMSNormalization),
    *(layers.GroupNormalization, layers.UnitNormalization),
)
"""Layers behind which numbers are of a size to learn from, whatever they were."""

OF_CATEGORIES = (
    *(layers.Embedding, layers.CategoryEncoding, layers.Discretization, layers.IntegerLookup, layers.Hashing),
)
"""Layers that take numbers of words and the like, whose size means nothing."""


def inputs_of(arrays: Arrays, network: Network | None = None, finite: bool = False) -> Inputs | None:
    """Of the inputs among the arrays; None where none holds numbers whose size means something.

    Arguments:
        network: what they go into; None if that is not known, and they are taken as they are.
        finite: whether it is known that all numbers are; then none is looked at for that.
    """
    given = rows.of_kind(arrays, rows.INPUT)
    places = {} if network is None else {node.op.label: node for node in network.inputs() if isinstance(node.op, Input)}
    known = {label: places[label] for label in given if label in places}
    if network is not None:
        categories = [label for label, node in known.items() if not network.reaches_weights(node, OF_CATEGORIES)]
        given = {label: x for label, x in given.items() if label not in categories}
    if not given:
        return None
    bad = 0.0 if finite else _non_finite(given)
    raw = dict(given)
    if network is not None:
        raw = {k: x for k, x in raw.items() if k not in known or network.reaches_weights(known[k], NORMALIZING)}
    looked_at = []
    for label, x in (raw or given).items():
        part = rows.sample(x, ROWS, rows.NUMBERS // len(given))
        looked_at.append(part if network is None or label not in known else _rescaled(part, network, known[label]))
    return _measured(looked_at, sum(map(rows.size, given.values())), bad, scaled_inside=not raw)


def _measured(parts: list[np.ndarray], columns: int, bad: float, scaled_inside: bool) -> Inputs:
    whole = [rows.finite(x) for x in map(_complete, parts)]
    means, deviations = (np.concatenate([f(x, axis=0) for x in whole]) for f in (np.mean, np.std))
    constant = deviations <= 1e-6 * np.abs(means)  # rounding leaves some of a constant
    moving = deviations[~constant]
    copies = sum(map(_copies, whole))
    return Inputs(
        rows=min(map(len, parts)),
        columns=columns,
        non_finite=bad,
        largest_deviation=float(moving.max(initial=0.0)),
        largest_mean=float(np.abs(means).max(initial=0.0)),
        deviation_ratio=float(moving.max() / max(_median(moving), 1e-30)) if moving.size else 1.0,
        constant=float(constant.mean()) if constant.size else 0.0,
        repeated=copies / max(len(means), 1),
        scaled_inside=scaled_inside,
    )


def _median(values: np.ndarray) -> float:
    """NumPy's own would load ``numpy.ma``, which takes longer than all that is looked at here."""
    return float(median(values.tolist()))


def _complete(x: np.ndarray) -> np.ndarray:
    """The rows without NaN and infinities; all if there are none without."""
    with np.errstate(all="ignore"):
        if np.isfinite(x.sum()):
            return x
    good = np.isfinite(x).all(axis=1)
    return x[good] if good.any() else x


def _copies(x: np.ndarray) -> int:
    """How many columns that change are the same as one before them."""
    firsts: dict[tuple[float, float], list[int]] = {}
    found = 0
    for column, key in enumerate(zip(x.mean(axis=0).tolist(), x.std(axis=0).tolist(), strict=True)):
        same = firsts.setdefault(key, [])
        if key[1] and any(np.array_equal(x[:, column], x[:, other]) for other in same[:3]):
            found += 1
        else:
            same.append(column)
    return found


def _non_finite(given: dict[str, np.ndarray]) -> float:
    """The share of rows in which a number is not finite."""
    bad = np.zeros(rows.count(given), bool)
    for x in given.values():
        if x.dtype.kind != "f":
            continue
        for part in slices(x):
            block = x[part].reshape(len(x[part]), -1)
            with np.errstate(all="ignore"):
                sums = np.einsum("ij->i", block)
            if not np.isfinite(sums).all():  # or large numbers, which are finite
                doubtful = np.flatnonzero(~np.isfinite(sums))
                place = part.start + doubtful
                keep = place < len(bad)
                bad[place[keep]] |= ~np.isfinite(block[doubtful]).all(axis=1)[keep]
    return float(bad.mean()) if bad.size else 0.0


def _rescaled(x: np.ndarray, network: Network, start: Node) -> np.ndarray:
    """What the ``Rescaling`` layers in front make of rows."""
    passed, _ = network.before_weights(start, NORMALIZING)
    for layer in dict.fromkeys(network.maker(node) for node in passed):
        if isinstance(layer, layers.Rescaling):
            x = x * np.float32(layer.scale) + np.float32(layer.offset)
    return x
