"""A graph as a function on JAX's arrays: for one step, and for many."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jax import lax

from thalweg.executors.executor import check_supported
from thalweg.executors.xla.lowerings import LOWERINGS, supported
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


def one_step(graph: Graph) -> Step:
    """The function of a simplified graph."""

    def step(state: Arrays, inputs: Arrays) -> tuple[dict[str, Array], dict[str, Array]]:
        values: dict[Node, Array] = {}
        for node in graph.nodes():
            if isinstance(node.op, Input):
                values[node] = inputs[node.op.label]
            elif isinstance(node.op, State):
                values[node] = state[node.op.label]
            else:
                values[node] = LOWERINGS[type(node.op)](node.op, *(values[x] for x in node.inputs))
        return (
            {name: values[node] for name, node in graph.updates.items()},
            {name: values[node] for name, node in graph.outputs.items()},
        )

    return step


def many_steps(graph: Graph, placement: Placement) -> Callable[..., tuple[dict[str, Array], ...]]:
    """``run(changed, fixed, data, index, count)``: the steps of the first ``count`` rows of an index of more.

    So calls of any number of steps are one program. It gives the new values of what changes, and the outputs, of which
    only the first ``count`` are filled.

    Arguments:
        placement: which device takes which part of a batch.
    """
    step = one_step(graph)

    def run(
        changed: Arrays, fixed: Arrays, data: Arrays, index: Array, count: Array
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        def turn(i: Array, carry: tuple[dict[str, Array], dict[str, Array]]) -> tuple[dict[str, Array], ...]:
            state, outputs = carry
            rows = placement.split(index[i])
            inputs = {label: placement.split(x.at[rows].get(mode="promise_in_bounds")) for label, x in data.items()}
            new, found = step({**fixed, **state}, inputs)
            kept = {name: array.at[i].set(found[name]) for name, array in outputs.items()}
            return {name: placement.settled(name, new[name]) for name in state}, kept

        empty = {name: jnp.zeros((len(index), *node.shape), node.dtype) for name, node in graph.outputs.items()}
        new: tuple[dict[str, Array], dict[str, Array]] = lax.fori_loop(0, count, turn, (dict(changed), empty))
        return new

    return run
