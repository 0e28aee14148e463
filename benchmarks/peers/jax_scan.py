"""JAX as an expert writes it: a whole epoch is one jitted function with a scan over its batches.

Compiled ahead of time, parameters and slots donated (updated in place), batches gathered inside by index with the
promise that indices are in range, the order drawn by NumPy (XLA sorts slowly on a CPU). Tried and no faster: gathering
the whole epoch before the scan, all parameters in one flat vector.

A population is a vmap over the networks of each optimizer, inside the same scan. All see the same batches, so that the
first layers of eight networks are one wide product.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.arrays import Arrays
from benchmarks.peers.jax_network import State, initial_state, step, through
from benchmarks.peers.task import Clock, Task
from benchmarks.workloads import TEST_ROWS, Workload

LONG_EPOCH = 100  # steps from which unrolling the scan pays for its longer compilation
UNROLL = 4  # 10 to 20 % faster than 1 on the workloads here

Carry = Any  # the State of a network, or a tuple of stacked ones
Step = Callable[[Carry, jax.Array, jax.Array], tuple[Carry, jax.Array]]


def train(task: Task, arrays: Arrays, clock: Clock) -> float:
    """One network."""
    random = np.random.default_rng(task.seed)
    state = initial_state(task.workload, random)
    state = run_epochs(task, arrays, clock, random, partial(step, task.workload), state)
    return accuracy(task.workload, state, arrays)


def train_population(task: Task, arrays: Arrays, clock: Clock) -> float:
    """All networks at once; the mean of their accuracies."""
    random = np.random.default_rng(task.seed)
    networks = task.workload.networks
    groups = [[network for network in networks if network.optimizer.name == rule] for rule in task.workload.rules]
    steps = [jax.vmap(partial(step, group[0]), in_axes=(0, None, None)) for group in groups]
    states = tuple(stacked([initial_state(network, random) for network in group]) for group in groups)

    def step_all(states: tuple[State, ...], x: jax.Array, y: jax.Array) -> tuple[tuple[State, ...], jax.Array]:
        moved, losses = zip(*(step(state, x, y) for step, state in zip(steps, states, strict=True)), strict=True)
        return moved, jnp.concatenate(losses).mean()

    states = run_epochs(task, arrays, clock, random, step_all, states)
    ends = [jax.tree.map(lambda array, k=k: array[k], state) for state in states for k in range(len(state.steps))]
    return float(np.mean([accuracy(task.workload, state, arrays) for state in ends]))


def stacked(states: list[State]) -> State:
    """One state whose arrays have a first axis for the networks."""
    return jax.tree.map(lambda *arrays: jnp.stack(arrays), *states)


def run_epochs(
    task: Task, arrays: Arrays, clock: Clock, random: np.random.Generator, step: Step, state: Carry
) -> Carry:
    """Compile the epoch, then call it; the last state."""
    x, y = jnp.asarray(arrays.x_train), jnp.asarray(arrays.y_train)
    rows = len(arrays.x_train)
    if task.workload.source.form == "images" and jax.default_backend() == "cpu":
        compiled = step_by_step(step, task.workload.batch_size)
    else:
        order = jax.ShapeDtypeStruct((rows,), np.int32)
        function = partial(epoch, step, task.workload.batch_size)
        compiled = jax.jit(function, donate_argnums=0).lower(state, x, y, order).compile()
    clock.ready()
    for _ in range(task.epochs):
        state, loss = compiled(state, x, y, random.permutation(rows).astype(np.int32))
        clock.epoch(float(loss))
    return state


def step_by_step(step: Step, batch_size: int) -> Callable[..., tuple[Carry, jax.Array]]:
    """The same epoch, a call for each batch: on a CPU XLA runs the gradients of convolutions inside of a loop by a
    plain routine, which takes thirty times as long.
    """
    one = jax.jit(partial(gathered_step, step), donate_argnums=0)

    def run(state: Carry, x: jax.Array, y: jax.Array, order: np.ndarray) -> tuple[Carry, jax.Array]:
        losses = []
        for start in range(0, len(order), batch_size):
            state, loss = one(state, x, y, order[start : start + batch_size])
            losses.append(loss)
        return state, jnp.stack(losses).sum() / len(order)

    return run


def gathered_step(step: Step, state: Carry, x: jax.Array, y: jax.Array, rows: jax.Array) -> tuple[Carry, jax.Array]:
    """A step on these rows; the sum of their losses."""
    batch_x, batch_y = (array.at[rows].get(mode="promise_in_bounds", unique_indices=True) for array in (x, y))
    state, loss = step(state, batch_x, batch_y)
    return state, loss * len(rows)


def epoch(
    step: Step, batch_size: int, state: Carry, x: jax.Array, y: jax.Array, order: jax.Array
) -> tuple[Carry, jax.Array]:
    """All full batches in a scan, then the smaller last one; the new state and the mean loss."""

    def step_of(state: Carry, rows: jax.Array) -> tuple[Carry, jax.Array]:
        return gathered_step(step, state, x, y, rows)

    full = len(order) // batch_size * batch_size
    batches = order[:full].reshape(-1, batch_size)
    state, losses = lax.scan(step_of, state, batches, unroll=UNROLL if len(batches) >= LONG_EPOCH else 1)
    total = losses.sum()
    if full < len(order):
        state, loss = step_of(state, order[full:])
        total += loss
    return state, total / len(order)


def accuracy(workload: Workload, state: State, arrays: Arrays) -> float:
    """Share of the test rows that are right; in parts, which take less memory than training."""
    predict = jax.jit(lambda parameters, moving, x: through(workload.layers, parameters, moving, None, x)[0])
    starts = range(0, len(arrays.x_test), TEST_ROWS)
    parts = [predict(state.parameters, state.moving, arrays.x_test[start : start + TEST_ROWS]) for start in starts]
    return float((np.concatenate(parts).argmax(axis=-1) == arrays.y_test).mean())
