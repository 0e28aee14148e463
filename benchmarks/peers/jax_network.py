"""A network and one step of its training in JAX: what ``jax_scan`` scans over."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.layers import Conv, Dense, Flatten, GlobalAveragePool, Layer, MaxPool, Residual, Shape, inputs
from benchmarks.workloads import (
    ADADELTA_RHO,
    BETA_1,
    BETA_2,
    EPSILON,
    LION_BETA_2,
    MOMENTUM,
    NORM_EPSILON,
    RHO,
    WEIGHT_DECAY,
    Workload,
)

Parameters = list[Any]  # a layer each: kernel and bias, gamma and beta if it is normalised; of a Residual both ways
Moments = list[Any]  # a layer each: mean and variance of a normalised one, else nothing; of a Residual both ways


class State(NamedTuple):
    """What a step changes, and the two constants in which networks differ."""

    parameters: Parameters
    slots: tuple[Parameters, ...]  # each like the parameters
    moving: Moments
    steps: jax.Array
    learning_rate: jax.Array
    key: jax.Array


def initial_state(workload: Workload, random: np.random.Generator) -> State:
    """Glorot uniform kernels, zero biases, zero slots."""
    parameters, moving = initial_of(workload.layers, workload.source.shape, random)
    slots = tuple(jax.tree.map(jnp.zeros_like, parameters) for _ in range(workload.optimizer.slots))
    rate = jnp.float32(workload.optimizer.learning_rate)
    key = jax.random.key(int(random.integers(2**31)))  # threefry: with XLA's own generator steps take 1.4 times as long
    state = State(parameters, slots, moving, jnp.zeros((), jnp.int32), rate, key)
    return jax.tree.map(jnp.copy, state)  # the vectors of zeros are one array, and donated arrays may not be


def initial_of(layers: Sequence[Layer], shape: Shape, random: np.random.Generator) -> tuple[Parameters, Moments]:
    """What each layer begins with."""
    parameters: Parameters = []
    moving: Moments = []
    for layer, given in inputs(layers, shape):
        own: tuple[Any, ...] = ()
        moments: tuple[Any, ...] = ()
        if isinstance(layer, Residual):
            own, moments = zip(*(initial_of(way, given, random) for way in (layer.body, layer.shortcut)), strict=True)
        elif isinstance(layer, (Dense, Conv)):
            kernel = glorot(kernel_shape(layer, given[-1]), random)
            zeros, ones = jnp.zeros(layer.output_shape(given)[-1]), jnp.ones(layer.output_shape(given)[-1])
            biased = isinstance(layer, Dense) or not layer.normalized
            own = (kernel, *([zeros] if biased else []), *((ones, zeros) if layer.normalized else ()))
            moments = (zeros, ones) if layer.normalized else ()
        parameters.append(own)
        moving.append(moments)
    return parameters, moving


def kernel_shape(layer: Dense | Conv, channels: int) -> Shape:
    """As ``lax.conv_general_dilated`` takes it; of a depthwise convolution a filter for each channel."""
    if isinstance(layer, Dense):
        return (channels, layer.units)
    if layer.filters is None:
        return (layer.size, layer.size, 1, channels)
    return (layer.size, layer.size, channels, layer.filters)


def glorot(shape: Shape, random: np.random.Generator) -> jax.Array:
    """Uniform, by the inputs and outputs of a kernel."""
    *places, rows, columns = shape
    limit = np.sqrt(6 / (np.prod(places) * (rows + columns)))
    return jnp.array(random.uniform(-limit, limit, shape).astype(np.float32))


def step(workload: Workload, state: State, x: jax.Array, y: jax.Array) -> tuple[State, jax.Array]:
    """Forward, backward, update; the new state and the mean loss."""

    def loss_of(parameters: Parameters) -> tuple[jax.Array, Moments]:
        key = jax.random.fold_in(state.key, state.steps)
        logits, moments = through(workload.layers, parameters, None, key, x, workload.policy)
        return mean_loss(logits, y), moments

    (loss, moments), gradients = jax.value_and_grad(loss_of, has_aux=True)(state.parameters)
    kept = workload.norm_momentum
    moving = jax.tree.map(lambda old, now: kept * old + (1 - kept) * now, state.moving, moments)
    steps = state.steps + 1
    rule = RULES[workload.optimizer.name]
    parameters, *slots = rule(state.learning_rate, steps, gradients, state.parameters, *state.slots)
    return state._replace(parameters=parameters, slots=tuple(slots), moving=moving, steps=steps), loss


def through(
    layers: Sequence[Layer],
    parameters: Parameters,
    moving: Moments | None,
    key: jax.Array | None,
    x: jax.Array,
    policy: str = "float32",
) -> tuple[jax.Array, Moments]:
    """The network up to its logits, and the batch's mean and variance in each normalised layer.

    Arguments:
        moving: after training, the moments to normalise by.
        key: in training, of dropout.
    """
    moments: Moments = []
    for number, (layer, own) in enumerate(zip(layers, parameters, strict=True)):
        layer_key = None if key is None else jax.random.fold_in(key, number)
        kept = None if moving is None else moving[number]
        x, found = one_layer(layer, own, kept, layer_key, x, policy)
        moments.append(found)
    return x, moments


def one_layer(
    layer: Layer, own: Any, kept: Any, key: jax.Array | None, x: jax.Array, policy: str
) -> tuple[jax.Array, Any]:
    """What a layer makes of x, and its moments."""
    if isinstance(layer, Residual):
        keys = (None, None) if key is None else jax.random.split(key)
        ways = [
            through(way, parameters, None if kept is None else kept[number], keys[number], x, policy)
            for number, (way, parameters) in enumerate(zip((layer.body, layer.shortcut), own, strict=True))
        ]
        (y, moments), (around, beside) = ways
        return jax.nn.relu(y + around), (moments, beside)
    found: tuple[jax.Array, ...] = ()
    match layer:
        case MaxPool(size):
            window = (1, size, size, 1)
            x = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
        case GlobalAveragePool():
            x = x.mean(axis=(1, 2))
        case Flatten():
            x = x.reshape(len(x), -1)
        case Dense() | Conv():
            kernel, *others = own
            x = product(x, kernel, policy) if isinstance(layer, Dense) else convolved(layer, x, kernel)
            if isinstance(layer, Dense) or not layer.normalized:
                x = x + others.pop(0)
            if layer.normalized:
                found = kept or moments_of(x)
                x = normalized(x, *found, *others)
            if layer.activation == "relu":
                x = jax.nn.relu(x)
    if isinstance(layer, (Dense, MaxPool)) and layer.dropout and key is not None:
        chosen = jax.random.bernoulli(key, 1 - layer.dropout, x.shape)
        x = jnp.where(chosen, x / (1 - layer.dropout), 0)
    return x, found


def convolved(layer: Conv, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Of images (batch, height, width, channels)."""
    return lax.conv_general_dilated(
        x,
        kernel,
        (layer.strides, layer.strides),
        layer.padding.upper(),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=1 if layer.filters else x.shape[-1],
    )


def moments_of(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and variance of each channel, in one pass, as in flax."""
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axis=axes)
    return mean, jnp.square(x).mean(axis=axes) - jnp.square(mean)


def product(x: jax.Array, kernel: jax.Array, policy: str) -> jax.Array:
    """Of matrices, in the policy's format; added up in float32."""
    if policy == "float32":
        return x @ kernel
    return jnp.dot(x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16), preferred_element_type=jnp.float32)


def normalized(x: jax.Array, mean: jax.Array, variance: jax.Array, gamma: jax.Array, beta: jax.Array) -> jax.Array:
    """Batch normalisation."""
    return (x - mean) * (lax.rsqrt(variance + NORM_EPSILON) * gamma) + beta


def mean_loss(logits: jax.Array, y: jax.Array) -> jax.Array:
    """Mean cross-entropy of the batch. The labels select by comparison: a gather's gradient would be a scatter."""
    chosen = jax.nn.one_hot(y, logits.shape[-1])
    return (jax.nn.logsumexp(logits, axis=-1) - (logits * chosen).sum(axis=-1)).mean()


def adam(
    rate: jax.Array, steps: jax.Array, gradients: Parameters, parameters: Parameters, m: Parameters, v: Parameters
) -> tuple[Parameters, Parameters, Parameters]:
    """Kingma & Ba (2015), with the bias corrections in the rate (the end of their section 2)."""
    t = steps.astype(jnp.float32)
    rate_t = rate * jnp.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
    m = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, m, gradients)
    v = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, v, gradients)
    moved = jax.tree.map(lambda w, m, v: w - rate_t * m / (jnp.sqrt(v) + EPSILON), parameters, m, v)
    return moved, m, v


def adamw(
    rate: jax.Array, steps: jax.Array, gradients: Parameters, parameters: Parameters, m: Parameters, v: Parameters
) -> tuple[Parameters, Parameters, Parameters]:
    """Loshchilov & Hutter (2019): the parameters decay before Adam's step."""
    decayed = jax.tree.map(lambda w: w - rate * WEIGHT_DECAY * w, parameters)
    return adam(rate, steps, gradients, decayed, m, v)


def rmsprop(
    rate: jax.Array, steps: jax.Array, gradients: Parameters, parameters: Parameters, v: Parameters
) -> tuple[Parameters, Parameters]:
    """Tieleman & Hinton (2012), as Keras has it."""
    v = jax.tree.map(lambda v, g: RHO * v + (1 - RHO) * g * g, v, gradients)
    moved = jax.tree.map(lambda w, g, v: w - rate * g * lax.rsqrt(v + EPSILON), parameters, gradients, v)
    return moved, v


def descent(rate: jax.Array, steps: jax.Array, gradients: Parameters, parameters: Parameters) -> tuple[Parameters, ...]:
    """Without momentum."""
    return (jax.tree.map(lambda w, g: w - rate * g, parameters, gradients),)


def sgd(
    rate: jax.Array, steps: jax.Array, gradients: Parameters, parameters: Parameters, velocity: Parameters
) -> tuple[Parameters, Parameters]:
    """With momentum: Polyak (1964), as Keras has it."""
    velocity = jax.tree.map(lambda v, g: MOMENTUM * v - rate * g, velocity, gradients)
    return jax.tree.map(jnp.add, parameters, velocity), velocity


def nesterov(
    rate: jax.Array, steps: jax.Array, gradients: Parameters, parameters: Parameters, velocity: Parameters
) -> tuple[Parameters, Parameters]:
    """Sutskever et al. (2013), as Keras has it."""
    velocity = jax.tree.map(lambda v, g: MOMENTUM * v - rate * g, velocity, gradients)
    return jax.tree.map(lambda w, v, g: w + MOMENTUM * v - rate * g, parameters, velocity, gradients), velocity


def adamax(
    rate: jax.Array, steps: jax.Array, gradients: Parameters, parameters: Parameters, m: Parameters, u: Parameters
) -> tuple[Parameters, Parameters, Parameters]:
    """Kingma & Ba (2015), algorithm 2."""
    rate_t = rate / (1 - BETA_1 ** steps.astype(jnp.float32))
    m = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, m, gradients)
    u = jax.tree.map(lambda u, g: jnp.maximum(BETA_2 * u, jnp.abs(g)), u, gradients)
    return jax.tree.map(lambda w, m, u: w - rate_t * m / (u + EPSILON), parameters, m, u), m, u


def adagrad(
    rate: jax.Array, steps: jax.Array, gradients: Parameters, parameters: Parameters, sums: Parameters
) -> tuple[Parameters, Parameters]:
    """Duchi, Hazan & Singer (2011)."""
    sums = jax.tree.map(lambda a, g: a + g * g, sums, gradients)
    return jax.tree.map(lambda w, g, a: w - rate * g * lax.rsqrt(a + EPSILON), parameters, gradients, sums), sums


def adadelta(
    rate: jax.Array, steps: jax.Array, gradients: Parameters, parameters: Parameters, v: Parameters, d: Parameters
) -> tuple[Parameters, Parameters, Parameters]:
    """Zeiler (2012), algorithm 1."""
    kept = ADADELTA_RHO
    v = jax.tree.map(lambda v, g: kept * v + (1 - kept) * g * g, v, gradients)
    moves = jax.tree.map(lambda d, v, g: g * jnp.sqrt((d + EPSILON) / (v + EPSILON)), d, v, gradients)
    d = jax.tree.map(lambda d, move: kept * d + (1 - kept) * move * move, d, moves)
    return jax.tree.map(lambda w, move: w - rate * move, parameters, moves), v, d


def lion(
    rate: jax.Array, steps: jax.Array, gradients: Parameters, parameters: Parameters, m: Parameters
) -> tuple[Parameters, Parameters]:
    """Chen et al. (2023), algorithm 2."""
    signs = jax.tree.map(lambda m, g: jnp.sign(BETA_1 * m + (1 - BETA_1) * g), m, gradients)
    m = jax.tree.map(lambda m, g: LION_BETA_2 * m + (1 - LION_BETA_2) * g, m, gradients)
    return jax.tree.map(lambda w, sign: w - rate * sign, parameters, signs), m


RULES: dict[str, Callable[..., tuple[Parameters, ...]]] = {
    rule.__name__: rule for rule in (adam, adamw, rmsprop, sgd, nesterov, descent, adamax, adagrad, adadelta, lion)
}
