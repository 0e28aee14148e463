"""Sums of products. float32 is multiplied as float32: no device rounds the factors unless the operation says so."""

from __future__ import annotations

from itertools import pairwise

import jax.numpy as jnp
from jax import lax

from thalweg.executors.xla.lowerings.table import Array, Lowerings
from thalweg.ops.contraction import Contraction, Labels

LOWERINGS = Lowerings()

EXACT = lax.Precision.HIGHEST


@LOWERINGS.lowers(Contraction)
def _contraction(op: Contraction, x: Array, y: Array) -> Array:
    """Labels that always follow each other are one: XLA would copy what it is to sum over several axes of."""
    sizes = {**dict(zip(op.x, x.shape, strict=True)), **dict(zip(op.y, y.shape, strict=True))}
    shape = tuple(sizes[label] for label in op.out)
    together = {b: a for given in (op.x, op.y) for a, b in pairwise(given) if _follows(op, a, b)}
    x, y = (z.reshape(_merged_sizes(labels, sizes, together)) for z, labels in ((x, op.x), (y, op.y)))
    labels = [[label for label in given if label not in together] for given in (op.x, op.y, op.out)]
    if op.precision == "bfloat16":
        x, y = (z.astype(jnp.bfloat16) for z in (x, y))
        return jnp.einsum(x, labels[0], y, labels[1], labels[2], preferred_element_type=jnp.float32).reshape(shape)
    return jnp.einsum(x, labels[0], y, labels[1], labels[2], precision=EXACT).reshape(shape)


def _follows(op: Contraction, a: int, b: int) -> bool:
    """Whether b comes right after a wherever one of them is."""
    return all((a, b) in pairwise(labels) for labels in (op.x, op.y, op.out) if a in labels or b in labels)


def _merged_sizes(labels: Labels, sizes: dict[int, int], together: dict[int, int]) -> list[int]:
    """Of the axes that are left, each with those that follow it."""
    found: list[int] = []
    for label in labels:
        if label in together:
            found[-1] *= sizes[label]
        else:
            found.append(sizes[label])
    return found
