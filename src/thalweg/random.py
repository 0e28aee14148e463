"""Random numbers by Keras's names. In a layer's ``call`` they are drawn by the compiled step, elsewhere at once.

At once an integer as ``seed`` gives the same numbers each time, a ``SeedGenerator`` others with each call, None those
of the process, which ``utils.set_random_seed`` sets. In a layer they are others at each step; they depend on the
model's seed and on where the layer stands, or on ``seed`` in place of the last, as those of ``layers.Dropout`` do.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from thalweg import absent, config, ops
from thalweg.checks import In, check_value, checked, report_from
from thalweg.errors import ArgumentError, ShapeError
from thalweg.graph.node import Node
from thalweg.layers.tracing import tracing_now
from thalweg.ops.literal import named_dtype, plain_array
from thalweg.ops.reference import reference_values
from thalweg.ops.shape import normal_axis
from thalweg.state.names import SEED_STATE, STEP_STATE

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "shuffle",
    "truncated_normal",
    "uniform",
]

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)

Count = Annotated[int, In("[0, inf)")]
Sizes = Count | tuple[Count, ...]
Key = tuple[int, Node, Node]


class SeedGenerator:
    """A seed, and how often it has been drawn from: each draw gives other numbers.

    Arguments:
        seed: from 0 on; one of the process's unless given.

    Raises: ArgumentError if the seed is no integer in [0, 2^32).
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        known = check_value("SeedGenerator", "seed", int | None, seed)
        self.given = known is not None
        self.seed = (config.new_seed() if known is None else known) % 2**32
        self.name = name
        self.count = 0

    def next(self) -> tuple[int, int]:
        """The seed, and a number that it has not given before."""
        self.count += 1
        return self.seed, self.count - 1

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {"seed": self.seed if self.given else None, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """One with these arguments."""
        return cls(**config)


Seed = int | SeedGenerator | None
_of_process: dict[int | None, SeedGenerator] = {}
"""The generator that is meant where there is no seed, by what ``set_random_seed`` has said."""


def _numbers(seed: Seed) -> tuple[int, int]:
    """A seed and a counter for a draw at once."""
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if seed is not None:
        return int(check_value("random", "seed", int, seed)) % 2**32, 0
    said = config.root_seed()
    if said not in _of_process:
        _of_process.clear()
        _of_process[said] = SeedGenerator(said)
    return _of_process[said].next()


def _key(seed: Seed) -> Key:
    """What ``ops.random_bits`` wants."""
    trace = tracing_now()
    if trace is None:
        number, count = _numbers(seed)
        return 0, ops.constant(number, "uint32"), ops.constant(count, "uint32")
    seed_node, step_node = (ops.state_node(name, (), "uint32") for name in (SEED_STATE, trace.counter))
    given = seed.seed if isinstance(seed, SeedGenerator) and seed.given else seed if isinstance(seed, int) else None
    source = seed_node.layer if given is None else f"seed {given}"
    own = f"random {source}"
    stream = f"{own}/{trace.draw(own)}"
    return (
        zlib.crc32((stream if trace.counter == STEP_STATE else f"{trace.counter}/{stream}").encode()),
        seed_node,
        step_node,
    )


def _result(node: Node) -> Any:
    """The node in a layer; elsewhere its numbers."""
    return node if tracing_now() is not None else np.asarray(reference_values([node], {})[0])


def _sizes(shape: Sizes) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else shape


@checked
def normal(shape: Sizes, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Seed = None) -> Any:
    """Normal numbers with this mean and standard deviation. Shapes: -> shape."""
    z = ops.random_normal(_sizes(shape), *_key(seed), dtype=named_dtype(dtype) or config.floatx())
    return _result(z * stddev + mean)


@checked
def uniform(shape: Sizes, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Seed = None) -> Any:
    """Uniform numbers from ``minval`` to below ``maxval``. Shapes: -> shape."""
    kind = named_dtype(dtype) or config.floatx()
    if not kind.startswith("float"):
        return randint(shape, minval, maxval, kind, seed)
    u = ops.random_uniform(_sizes(shape), *_key(seed), dtype=kind)
    return _result(u * (maxval - minval) + minval)


@checked
def randint(shape: Sizes, minval: Any, maxval: Any, dtype: Any = "int32", seed: Seed = None) -> Any:
    """Whole numbers from ``minval`` to below ``maxval``, each as likely. Shapes: -> shape."""
    u = ops.random_uniform(_sizes(shape), *_key(seed), dtype="float64")
    return _result(ops.cast(ops.floor(u * (maxval - minval)) + minval, named_dtype(dtype)))


OUTSIDE = math.erfc(2 / math.sqrt(2)) / 2
"""How likely a standard normal number is above 2."""


@checked
def truncated_normal(shape: Sizes, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Seed = None) -> Any:
    """Normal numbers of which none is further than two ``stddev`` from the mean. Shapes: -> shape.

    Numerics: the inverse of the distribution function, of a share between those of -2 and 2.
    """
    u = ops.random_uniform(_sizes(shape), *_key(seed), dtype="float64")
    z = ops.erfinv((u * (1 - 2 * OUTSIDE) + OUTSIDE) * 2.0 - 1.0) * math.sqrt(2.0)
    return _result(ops.cast(z, named_dtype(dtype) or config.floatx()) * stddev + mean)


@checked
def dropout(
    inputs: Any,
    rate: Annotated[float, In("[0, 1)")],
    noise_shape: tuple[Count | None, ...] | None = None,
    seed: Seed = None,
) -> Any:
    """0 with probability ``rate``, the other numbers divided by ``1 - rate``. Shapes: inputs (...) -> (...)."""
    x = _tensor(inputs)
    mask = x.shape if noise_shape is None else tuple(n or m for n, m in zip(noise_shape, x.shape, strict=True))
    kept = ops.random_bits(_sizes(mask), *_key(seed)) >= int(rate * 2**32)
    return _of_tensors(ops.where(ops.broadcast_to(kept, x.shape), x * (1.0 / (1.0 - rate)), 0.0), {x: inputs})


@checked
def shuffle(x: Any, axis: int = 0, seed: Seed = None) -> Any:
    """The parts along an axis in another order. Shapes: x (...) -> (...)."""
    node = _tensor(x)
    order = ops.argsort(ops.random_bits((node.shape[normal_axis(axis, node.shape)],), *_key(seed)))
    return _of_tensors(ops.take(node, order, axis), {node: x})


@checked
def categorical(logits: Any, num_samples: Count, dtype: Any = "int32", seed: Seed = None) -> Any:
    """Classes drawn with the probabilities softmax(logits). Shapes: logits (batch, classes) -> (batch, num_samples).

    Source: Gumbel (1954): the largest of logits to which numbers of his distribution are added.
    """
    x = _tensor(logits)
    if x.rank != 2:
        raise ShapeError(
            "random.categorical: the logits do not fit",
            expected="(batch, classes)",
            got=str(x.shape),
            fix="put in an axis of size 1 for a single row: logits[None]",
        )
    batch, classes = x.shape
    u = ops.random_uniform((batch, num_samples, classes), *_key(seed), dtype="float64")
    gumbel = -ops.log(-ops.log(u + 2.0**-33))
    scores = ops.expand_dims(ops.cast(x, "float64"), 1) + gumbel
    return _of_tensors(ops.cast(ops.argmax(scores, -1), named_dtype(dtype)), {x: logits})


MOST_TRIES = 4096


@checked
def binomial(shape: Sizes, counts: Any, probabilities: Any, dtype: Any = None, seed: Seed = None) -> Any:
    """How many of ``counts`` tries come true, each with its probability. Shapes: -> shape.

    Raises: ArgumentError: for counts beyond 4096, or of the graph: each try is drawn.
    """
    if isinstance(counts, Node) or np.max(counts) > MOST_TRIES:
        raise ArgumentError(
            "random.binomial draws each try",
            expected=f"counts that are numbers or arrays, at most {MOST_TRIES}",
            got=repr(counts)[:80],
            fix="for many tries draw from normal() with mean n p and deviation sqrt(n p (1 - p))",
        )
    sizes, tries = _sizes(shape), int(np.max(counts))
    u = ops.random_uniform((tries, *sizes), *_key(seed), dtype="float64")
    tried = ops.iota((tries, *sizes), 0, "float64") < ops.broadcast_to(_tensor(counts, "float64"), (tries, *sizes))
    likely = ops.broadcast_to(_tensor(probabilities, "float64"), (tries, *sizes))
    hits = ops.cast(ops.logical_and(u < likely, tried), "int32")
    return _result(ops.cast(ops.reduce_sum(hits, 0), named_dtype(dtype) or config.floatx()))


@checked
def gamma(shape: Sizes, alpha: Any, dtype: Any = None, seed: Seed = None) -> Any:
    """Numbers of the gamma distribution with this shape and scale 1, at once only. Shapes: -> shape.

    Raises: ArgumentError: in a layer.
    """
    return _by_numpy("gamma", seed).gamma(alpha, 1.0, _sizes(shape)).astype(named_dtype(dtype) or config.floatx())


@checked
def beta(shape: Sizes, alpha: Any, beta: Any, dtype: Any = None, seed: Seed = None) -> Any:
    """Numbers of the beta distribution, at once only. Shapes: -> shape.

    Raises: ArgumentError: in a layer.
    """
    return _by_numpy("beta", seed).beta(alpha, beta, _sizes(shape)).astype(named_dtype(dtype) or config.floatx())


def _by_numpy(name: str, seed: Seed) -> np.random.Generator:
    if tracing_now() is not None:
        raise ArgumentError(
            f"random.{name} cannot be drawn by a compiled step: it draws again until a number fits",
            expected="a call outside of a layer",
            got="a call in a layer",
            fix="give the numbers to the model as an input, or use normal() or uniform()",
        )
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(_numbers(seed))))


def _tensor(x: Any, dtype: Any = None) -> Node:
    """A node; of an array one that stands for it."""
    if isinstance(x, Node):
        return x if dtype is None else ops.cast(x, dtype)
    array = plain_array(x)
    return ops.literal(array, dtype) if dtype else ops.input_node("x", array.shape, array.dtype.name)


def _of_tensors(result: Node, given: dict[Node, Any]) -> Any:
    """The node, or where an array was given its numbers."""
    known = {node: plain_array(x) for node, x in given.items() if not isinstance(x, Node)}
    return np.asarray(reference_values([result], known)[0]) if known else result


report_from(globals())
