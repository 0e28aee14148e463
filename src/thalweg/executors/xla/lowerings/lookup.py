"""Rows by number."""

from __future__ import annotations

import jax.numpy as jnp

from thalweg.executors.xla.lowerings.table import Array, Lowerings
from thalweg.ops.lookup import AddRows, Take

LOWERINGS = Lowerings()


@LOWERINGS.lowers(Take)
def _take(op: Take, table: Array, index: Array) -> Array:
    if not len(table):  # JAX gathers nothing from an empty table, not even what is outside of it
        return jnp.full((*index.shape, *table.shape[1:]), jnp.nan, table.dtype)
    return table.at[_inside(index, len(table))].get(mode="fill", fill_value=jnp.nan)


@LOWERINGS.lowers(AddRows)
def _add_rows(op: AddRows, rows: Array, index: Array) -> Array:
    return jnp.zeros((op.size, rows.shape[1]), rows.dtype).at[_inside(index, op.size)].add(rows, mode="drop")


def _inside(index: Array, size: int) -> Array:
    """What is outside as a number beyond the end: JAX counts negative ones from there."""
    return jnp.where(index < 0, size, index)
