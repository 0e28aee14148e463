"""A graph as a function on JAX's arrays: for one step, and for many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from thalweg.executors.executor import check_supported
from thalweg.executors.xla.instructions import scope
from thalweg.executors.xla.lowerings import LOWERINGS, ON_CPU, supported
from thalweg.executors.xla.lowerings.table import Array
from thalweg.executors.xla.placement import Placement
from thalweg.graph.node import Graph, Node
from thalweg.ops.leaf import Input, State
from thalweg.passes.simplify import simplify

Arrays = Mapping[str, Array]

Step = Callable[[Arrays, Arrays], tuple[dict[str, Array], dict[str, Array]]]
"""``step(state, inputs)`` gives the new values of what the step changes, and the outputs."""


def simplified(graph: Graph) -> Graph:
    """What the executor runs. Raises ExecutorError for an operation that has no lowering."""
    graph = simplify(graph, supported)
    check_supported(graph, supported_or_leaf, "xla")
    return graph


def supported_or_leaf(op: type) -> bool:
    """Whether the executor can do it: there is a lowering, or it is given from outside."""
    return op in (Input, State) or supported(op)


def one_step(graph: Graph, on_cpu: bool) -> Step:
    """The function of a simplified graph, for a CPU or for other devices."""
    lowerings = ON_CPU if on_cpu else LOWERINGS

    def step(state: Arrays, inputs: Arrays) -> tuple[dict[str, Array], dict[str, Array]]:
        values: dict[Node, Array] = {}
        for number, node in enumerate(graph.nodes()):
            if isinstance(node.op, Input):
                values[node] = inputs[node.op.label]
            elif isinstance(node.op, State):
                values[node] = state[node.op.label]
            else:
                with jax.named_scope(scope(number, node.layer)):
                    values[node] = lowerings[type(node.op)](node.op, *(values[x] for x in node.inputs))
        return (
            {name: values[node] for name, node in graph.updates.items()},
            {name: values[node] for name, node in graph.outputs.items()},
        )

    return step


def many_steps(graph: Graph, placement: Placement) -> Callable[..., tuple[dict[str, Array], dict[str, Array], Array]]:
    """``run(changed, fixed, data, index, count)``: a step for each row of the index, or for each batch.

    Where ``count`` is a number known only when the program runs, only so many steps are run, and calls of any number of
    steps are one program; None runs all. It gives the new values of what changes, the outputs, of which only the first
    ``count`` are filled, and how many steps were run.

    Arguments of ``run``:
        data: the arrays of all rows; without an index, one batch after the other.
        index: (steps, batch), the rows of each step; None if the data are the batches.
    """
    step = one_step(graph, placement.on_host)

    def run(
        changed: Arrays, fixed: Arrays, data: Arrays, index: Array | None, count: Array | None
    ) -> tuple[dict[str, Array], dict[str, Array], Array]:
        def batch(i: Array) -> dict[str, Array]:
            if index is None:
                return {label: lax.dynamic_index_in_dim(x, i, keepdims=False) for label, x in data.items()}
            rows = placement.split(index[i])
            return {label: x.at[rows].get(mode="promise_in_bounds") for label, x in data.items()}

        def turn(i: Array, carry: tuple[dict[str, Array], dict[str, Array], Array]) -> tuple[Any, ...]:
            state, outputs, done = carry
            inputs = {label: placement.split(x) for label, x in batch(i).items()}
            new, found = step({**fixed, **state}, inputs)
            kept = {name: array.at[i].set(found[name]) for name, array in outputs.items()}
            return {name: placement.settled(name, new[name]) for name in state}, kept, done + 1

        length = len(next(iter(data.values())) if index is None else index)
        empty = {name: jnp.zeros((length, *node.shape), node.dtype) for name, node in graph.outputs.items()}
        start = dict(changed), empty, jnp.int32(0)
        new: tuple[dict[str, Array], dict[str, Array], Array]
        if length == 1 and count is None:
            new = turn(jnp.int32(0), start)
            return new
        new = lax.fori_loop(0, length if count is None else count, turn, start)
        return new

    return run
