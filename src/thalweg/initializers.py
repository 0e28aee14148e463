"""Where parameters start from: numbers that depend on the seed and the parameter's path in its model alone."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from thalweg import absent, config
from thalweg.checks import Finite, In, OneOf, check_fields, checked
from thalweg.data.arrays import refuse_masked
from thalweg.errors import ArgumentError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.types import Shape
from thalweg.registry import Registered, Registry

Seed = Annotated[int, In("[0, inf)")]


@dataclass(frozen=True)
class Initializer(Registered):
    """Makes the first value of a parameter. A subclass writes ``fill``."""

    def __post_init__(self) -> None:
        check_fields(self)

    def fill(self, shape: Shape, random: np.random.Generator) -> np.ndarray:
        """The values, float64."""
        raise NotImplementedError(f"{type(self).__name__} has no fill()")

    @checked
    def __call__(self, shape: Shape, dtype: str | None = None, *, seed: int = 0, path: str = "") -> np.ndarray:
        """The value of a parameter.

        Arguments:
            dtype: floatx unless given.
            seed: the model's; an initializer with a ``seed`` of its own uses that one.
            path: of the parameter in the model. Part of the key, so that equal initializers of two parameters give
                different numbers. Differs: Keras gives equal numbers to parameters that share a seeded initializer.
        """
        own = vars(self).get("seed")
        key = np.random.SeedSequence([seed if own is None else own, zlib.crc32(path.encode())])
        return self.fill(shape, np.random.Generator(np.random.Philox(key))).astype(dtype or config.floatx())


Filling = Callable[..., Any] | None
"""What gives a parameter its first value: an Initializer, or a function of the shape with the keyword ``dtype``.
None is ``"glorot_uniform"``, as in Keras.
"""

registry: Registry[Initializer] = Registry("initializer", Initializer)


def get(identifier: Any) -> Initializer:
    """The initializer meant by a name, a class, a saved description, the object itself, or a function.

    A function gets the shape and, as a keyword, the dtype, and gives the array; its numbers depend on itself alone, not
    on the model's seed. Raises: NameNotFoundError or ArgumentError for anything else.
    """
    meant: Any = registry.get(identifier)
    return meant if isinstance(meant, Initializer) else Written(meant)


@dataclass(frozen=True)
class Written(Initializer):
    """A user's function as an initializer."""

    function: Callable[..., Any]

    @checked
    def __call__(self, shape: Shape, dtype: str | None = None, *, seed: int = 0, path: str = "") -> np.ndarray:
        values = np.asarray(self.function(shape, dtype=dtype or config.floatx()))
        if values.shape != shape or values.dtype.kind not in "fiub" or not np.isfinite(values).all():
            raise ArgumentError(
                "the function that is an initializer does not fit this parameter",
                expected=f"finite numbers of shape {shape}",
                got=f"shape {values.shape}, dtype {values.dtype}" + (", not all finite" * (values.shape == shape)),
                fix="give an array of the shape that the function is called with",
            )
        return values.astype(dtype or config.floatx())


@dataclass(frozen=True)
class Given(Initializer):
    """Values that are there already: what ``adapt`` found out, or an older model."""

    values: Any

    def fill(self, shape: Shape, random: np.random.Generator) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.values, np.float64), shape)


serialize, deserialize = registry.config, registry.deserialize
if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__, registry.attribute)


@registry.register("zeros", "zero")
@dataclass(frozen=True)
class Zeros(Initializer):
    """0 everywhere."""

    def fill(self, shape: Shape, random: np.random.Generator) -> np.ndarray:
        return np.zeros(shape)


@registry.register("ones", "one")
@dataclass(frozen=True)
class Ones(Initializer):
    """1 everywhere."""

    def fill(self, shape: Shape, random: np.random.Generator) -> np.ndarray:
        return np.ones(shape)


@registry.register("constant")
@dataclass(frozen=True)
class Constant(Initializer):
    """``value`` everywhere, or an array of values, as of an embedding that was trained elsewhere.

    Arguments:
        value: a number, or an array that can be broadcast to the parameter's shape.

    Raises: ArgumentError if the array holds no finite numbers; ShapeError, when the layer is built, if it does not fit.
    """

    value: Finite | tuple[Any, ...] = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.value, np.ndarray | list | tuple):
            # Tuples of Python's numbers: they compare, hash and go into files.
            object.__setattr__(self, "value", _nested(_numbers(self.value).tolist()))
        super().__post_init__()

    def fill(self, shape: Shape, random: np.random.Generator) -> np.ndarray:
        values = np.asarray(self.value, np.float64)
        try:
            return np.broadcast_to(values, shape)
        except ValueError:
            raise _not_of_this_shape(
                self, f"a shape that its array {values.shape} can be broadcast to", shape
            ) from None


@registry.register("random_normal", "normal")
@dataclass(frozen=True)
class RandomNormal(Initializer):
    """Normal with this mean and standard deviation."""

    mean: Finite = 0.0
    stddev: Annotated[float, In("[0, inf)")] = 0.05
    seed: Seed | None = None

    def fill(self, shape: Shape, random: np.random.Generator) -> np.ndarray:
        return random.normal(self.mean, self.stddev, shape)


@registry.register("random_uniform", "uniform")
@dataclass(frozen=True)
class RandomUniform(Initializer):
    """Uniform in [minval, maxval).

    Raises: ArgumentError if minval is above maxval.
    """

    minval: Finite = -0.05
    maxval: Finite = 0.05
    seed: Seed | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.minval > self.maxval:
            raise ArgumentError(
                "RandomUniform: minval is above maxval",
                expected="the lower bound, then the upper one",
                got=f"minval={self.minval:g}, maxval={self.maxval:g}",
                fix=f"pass RandomUniform({self.maxval:g}, {self.minval:g})",
            )

    def fill(self, shape: Shape, random: np.random.Generator) -> np.ndarray:
        return self.minval + (self.maxval - self.minval) * random.random(shape)


@registry.register("truncated_normal")
@dataclass(frozen=True)
class TruncatedNormal(Initializer):
    """Normal, drawn again where further than two ``stddev`` from the mean; its own deviation is 0.8796 ``stddev``."""

    mean: Finite = 0.0
    stddev: Annotated[float, In("[0, inf)")] = 0.05
    seed: Seed | None = None

    def fill(self, shape: Shape, random: np.random.Generator) -> np.ndarray:
        return self.mean + self.stddev * truncated(shape, random)


@registry.register("variance_scaling")
@dataclass(frozen=True)
class VarianceScaling(Initializer):
    """Mean 0 and variance ``scale / n``, which keeps the size of activations or gradients from layer to layer.

    n is the number of inputs of a unit (``"fan_in"``), of its outputs (``"fan_out"``) or the mean (``"fan_avg"``).
    A kernel (..., in, out) has ``in * k`` inputs and ``out * k`` outputs, k being the product of the sizes before.

    Arguments:
        distribution: ``"truncated_normal"``: cut off at two deviations of the normal, which is widened by
            1 / 0.87962566 so that the variance is right after the cut; ``"untruncated_normal"``; ``"uniform"`` in
            ``(-sqrt(3 * scale / n), sqrt(3 * scale / n))``.

    Source: Glorot & Bengio (2010), AISTATS; He et al. (2015), arXiv:1502.01852; form and constant as in Keras.
    """

    scale: Annotated[float, In("(0, inf)")] = 1.0
    mode: Annotated[str, OneOf("fan_in", "fan_out", "fan_avg")] = "fan_in"
    distribution: Annotated[str, OneOf("truncated_normal", "untruncated_normal", "uniform")] = "truncated_normal"
    seed: Seed | None = None

    def fill(self, shape: Shape, random: np.random.Generator) -> np.ndarray:
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return limit * (2 * random.random(shape) - 1)
        if self.distribution == "untruncated_normal":
            return random.normal(0.0, math.sqrt(variance), shape)
        return math.sqrt(variance) / TRUNCATED_DEVIATION * truncated(shape, random)


@registry.register("glorot_uniform", "xavier_uniform")
@dataclass(frozen=True)
class GlorotUniform(VarianceScaling):
    """Uniform in ``(-sqrt(6 / (in + out)), sqrt(6 / (in + out)))``.

    Source: Glorot & Bengio (2010), AISTATS, equation 16.
    """

    mode: str = field(default="fan_avg", init=False)
    scale: float = field(default=1.0, init=False)
    distribution: str = field(default="uniform", init=False)


@registry.register("glorot_normal", "xavier_normal")
@dataclass(frozen=True)
class GlorotNormal(VarianceScaling):
    """Truncated normal with variance ``2 / (in + out)``.

    Source: Glorot & Bengio (2010), AISTATS, equation 12.
    """

    mode: str = field(default="fan_avg", init=False)
    scale: float = field(default=1.0, init=False)
    distribution: str = field(default="truncated_normal", init=False)


@registry.register("he_uniform")
@dataclass(frozen=True)
class HeUniform(VarianceScaling):
    """Uniform in ``(-sqrt(6 / in), sqrt(6 / in))``, for ReLU layers.

    Source: He et al. (2015), arXiv:1502.01852, equation 10.
    """

    mode: str = field(default="fan_in", init=False)
    scale: float = field(default=2.0, init=False)
    distribution: str = field(default="uniform", init=False)


@registry.register("he_normal")
@dataclass(frozen=True)
class HeNormal(VarianceScaling):
    """Truncated normal with variance ``2 / in``, for ReLU layers.

    Source: He et al. (2015), arXiv:1502.01852, equation 10.
    """

    mode: str = field(default="fan_in", init=False)
    scale: float = field(default=2.0, init=False)
    distribution: str = field(default="truncated_normal", init=False)


@registry.register("lecun_uniform")
@dataclass(frozen=True)
class LecunUniform(VarianceScaling):
    """Uniform in ``(-sqrt(3 / in), sqrt(3 / in))``.

    Source: LeCun et al. (1998), "Efficient BackProp", section 4.6.
    """

    mode: str = field(default="fan_in", init=False)
    scale: float = field(default=1.0, init=False)
    distribution: str = field(default="uniform", init=False)


@registry.register("lecun_normal")
@dataclass(frozen=True)
class LecunNormal(VarianceScaling):
    """Truncated normal with variance ``1 / in``.

    Source: LeCun et al. (1998), "Efficient BackProp", section 4.6.
    """

    mode: str = field(default="fan_in", init=False)
    scale: float = field(default=1.0, init=False)
    distribution: str = field(default="truncated_normal", init=False)


@registry.register("orthogonal", "orthogonal_initializer")
@dataclass(frozen=True)
class Orthogonal(Initializer):
    """``gain`` times a random matrix with orthonormal rows or columns, whichever are fewer.

    Kernels with more than two axes are (everything else, out). The matrix is uniform among all such ones: the Q of the
    QR decomposition of normal numbers, with the signs of the diagonal of R.

    Raises: ShapeError for fewer than two axes.
    Source: Saxe et al. (2014), arXiv:1312.6120; the signs: Mezzadri (2007), Notices of the AMS 54, section 5.
    """

    gain: Finite = 1.0
    seed: Seed | None = None

    def fill(self, shape: Shape, random: np.random.Generator) -> np.ndarray:
        if len(shape) < 2:
            raise _not_of_this_shape(self, "at least two axes", shape)
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(random.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


@registry.register("identity", "identity_initializer")
@dataclass(frozen=True)
class Identity(Initializer):
    """``gain`` on the diagonal, 0 elsewhere.

    Raises: ShapeError for anything but a matrix.
    """

    gain: Finite = 1.0

    def fill(self, shape: Shape, random: np.random.Generator) -> np.ndarray:
        if len(shape) != 2:
            raise _not_of_this_shape(self, "two axes", shape)
        return self.gain * np.eye(*shape)


# Keras's longer names
OrthogonalInitializer = Orthogonal
IdentityInitializer = Identity


def _numbers(given: Any) -> np.ndarray:
    refuse_masked(given, "Constant: value")
    try:
        array = np.asarray(given, np.float64)
        if array.size and np.isfinite(array).all():
            return array
        got = "numbers that are not finite" if array.size else "no numbers"
    except (TypeError, ValueError) as error:
        got = str(error)
    raise ArgumentError(
        "Constant: argument 'value' does not fit its rule",
        expected="a number, or an array of finite numbers",
        got=got,
        fix="pass for example Constant(np.zeros((3, 4)))",
    )


def _nested(values: Any) -> Any:
    """Lists of lists as tuples of tuples; a number as it is."""
    return tuple(map(_nested, values)) if isinstance(values, list) else values


def _not_of_this_shape(initializer: Initializer, wanted: str, shape: Shape) -> ShapeError:
    return ShapeError(
        f"the initializer {type(initializer).__name__} does not fit this parameter",
        expected=f"a parameter with {wanted}",
        got=f"shape {shape}",
        fix="use it for kernels, and 'zeros' for biases",
    )


TRUNCATED_DEVIATION = 0.87962566103423978
"""The standard deviation of a standard normal cut off at -2 and 2."""


@checked
def truncated(shape: Shape, random: np.random.Generator) -> np.ndarray:
    """Standard normal numbers within [-2, 2]: those outside are drawn again."""
    values = random.standard_normal(shape)
    while (outside := np.abs(values) > 2).any():
        values = np.where(outside, random.standard_normal(shape), values)
    return values


@checked
def fans(shape: Shape) -> tuple[int, int]:
    """How many inputs and outputs a unit of a kernel of this shape has. See VarianceScaling."""
    if len(shape) < 2:
        size = math.prod(shape)
        return size, size
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal
