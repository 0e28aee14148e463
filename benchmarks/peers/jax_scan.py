"""JAX as an expert writes it: a whole epoch is one jitted function with a scan over its batches.

Compiled ahead of time, parameters and slots donated (updated in place), batches gathered inside by index with the
promise that indices are in range, the order drawn by NumPy (XLA sorts slowly on a CPU). Tried and no faster: gathering
the whole epoch before the scan, all parameters in one flat vector.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.arrays import Arrays
from benchmarks.peers.task import Clock, Task
from benchmarks.workloads import BETA_1, BETA_2, EPSILON, RHO, Optimizer, Workload

LONG_EPOCH = 100  # steps from which unrolling the scan pays for its longer compilation
UNROLL = 4  # 10 to 20 % faster than 1 on the workloads here

Parameters = list[tuple[jax.Array, jax.Array]]  # kernel and bias of each layer


class State(NamedTuple):
    """What a step changes: the parameters, one tree like them per slot, the number of steps done."""

    parameters: Parameters
    slots: tuple[Parameters, ...]
    steps: jax.Array


def train(task: Task, arrays: Arrays, clock: Clock) -> float:
    """Compile the epoch, then call it."""
    random = np.random.default_rng(task.seed)
    state = initial_state(task.workload, random)
    x, y = jnp.asarray(arrays.x_train), jnp.asarray(arrays.y_train)
    function = partial(epoch, task.workload.optimizer, task.workload.batch_size)
    rows = len(arrays.x_train)
    order = jax.ShapeDtypeStruct((rows,), np.int32)
    compiled = jax.jit(function, donate_argnums=0).lower(state, x, y, order).compile()
    clock.ready()
    for _ in range(task.epochs):
        state, loss = compiled(state, x, y, random.permutation(rows).astype(np.int32))
        clock.epoch(float(loss))
    return accuracy(state.parameters, arrays)


def initial_state(workload: Workload, random: np.random.Generator) -> State:
    """Glorot uniform kernels, zero biases, zero slots."""
    parameters = []
    for rows, columns in zip(workload.sizes[:-1], workload.sizes[1:], strict=True):
        limit = np.sqrt(6 / (rows + columns))
        kernel = random.uniform(-limit, limit, (rows, columns)).astype(np.float32)
        parameters.append((jnp.array(kernel), jnp.zeros(columns)))
    slots = tuple(jax.tree.map(jnp.zeros_like, parameters) for _ in range(workload.optimizer.slots))
    return State(parameters, slots, jnp.zeros((), jnp.int32))


def epoch(
    optimizer: Optimizer, batch_size: int, state: State, x: jax.Array, y: jax.Array, order: jax.Array
) -> tuple[State, jax.Array]:
    """All full batches in a scan, then the smaller last one; the new state and the mean loss."""

    def step(state: State, rows: jax.Array) -> tuple[State, jax.Array]:
        batch_x, batch_y = (array.at[rows].get(mode="promise_in_bounds", unique_indices=True) for array in (x, y))
        loss, gradients = jax.value_and_grad(mean_loss)(state.parameters, batch_x, batch_y)
        return update(optimizer, state, gradients), loss * len(rows)

    full = len(order) // batch_size * batch_size
    batches = order[:full].reshape(-1, batch_size)
    state, losses = lax.scan(step, state, batches, unroll=UNROLL if len(batches) >= LONG_EPOCH else 1)
    total = losses.sum()
    if full < len(order):
        state, loss = step(state, order[full:])
        total += loss
    return state, total / len(order)


def logits_of(parameters: Parameters, x: jax.Array) -> jax.Array:
    """The network up to its logits."""
    *hidden, (kernel, bias) = parameters
    for hidden_kernel, hidden_bias in hidden:
        x = jax.nn.relu(x @ hidden_kernel + hidden_bias)
    return x @ kernel + bias


def mean_loss(parameters: Parameters, x: jax.Array, y: jax.Array) -> jax.Array:
    """Mean cross-entropy of the batch. The labels select by comparison: a gather's gradient would be a scatter."""
    logits = logits_of(parameters, x)
    chosen = jax.nn.one_hot(y, logits.shape[-1])
    return (jax.nn.logsumexp(logits, axis=-1) - (logits * chosen).sum(axis=-1)).mean()


def update(optimizer: Optimizer, state: State, gradients: Parameters) -> State:
    """One step of the optimizer."""
    steps = state.steps + 1
    rules: dict[str, Callable[..., tuple[Parameters, ...]]] = {"adam": adam, "rmsprop": rmsprop}
    parameters, *slots = rules[optimizer.name](
        optimizer.learning_rate, steps, gradients, state.parameters, *state.slots
    )
    return State(parameters, tuple(slots), steps)


def adam(
    rate: float, steps: jax.Array, gradients: Parameters, parameters: Parameters, m: Parameters, v: Parameters
) -> tuple[Parameters, Parameters, Parameters]:
    """Kingma & Ba (2015), with the bias corrections in the rate (the end of their section 2)."""
    t = steps.astype(jnp.float32)
    rate_t = rate * jnp.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
    m = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, m, gradients)
    v = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, v, gradients)
    moved = jax.tree.map(lambda w, m, v: w - rate_t * m / (jnp.sqrt(v) + EPSILON), parameters, m, v)
    return moved, m, v


def rmsprop(
    rate: float, steps: jax.Array, gradients: Parameters, parameters: Parameters, v: Parameters
) -> tuple[Parameters, Parameters]:
    """Tieleman & Hinton (2012), as Keras has it."""
    v = jax.tree.map(lambda v, g: RHO * v + (1 - RHO) * g * g, v, gradients)
    moved = jax.tree.map(lambda w, g, v: w - rate * g * lax.rsqrt(v + EPSILON), parameters, gradients, v)
    return moved, v


def accuracy(parameters: Parameters, arrays: Arrays) -> float:
    """Share of the test rows that are right."""
    predicted = jax.jit(logits_of)(parameters, arrays.x_test).argmax(axis=-1)
    return float((np.asarray(predicted) == arrays.y_test).mean())
