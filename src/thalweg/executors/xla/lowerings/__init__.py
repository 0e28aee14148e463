"""How each operation is written in JAX's terms: one table, and one for CPUs, filled by the modules beside this one."""

from __future__ import annotations

from thalweg.executors.xla.lowerings import arrangement, convolutions, elementwise, leaf, lookup, products, reductions
from thalweg.executors.xla.lowerings.table import Write
from thalweg.graph.node import Op

LOWERINGS: dict[type[Op], Write] = {
    **leaf.LOWERINGS,
    **elementwise.LOWERINGS,
    **arrangement.LOWERINGS,
    **reductions.LOWERINGS,
    **products.LOWERINGS,
    **convolutions.LOWERINGS,
    **lookup.LOWERINGS,
}

ON_CPU: dict[type[Op], Write] = {**LOWERINGS, **convolutions.ON_CPU}
"""Those of CPUs."""


def supported(op: type[Op]) -> bool:
    """Whether there is a lowering."""
    return op in LOWERINGS
