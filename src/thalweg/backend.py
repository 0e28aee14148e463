"""``keras.backend``: settings of the process, and the arithmetic that older losses, metrics and layers are written in.

The functions are those of ``thalweg.ops``, under their older names and with the arguments of that time.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg import absent, activations, ops, random
from thalweg.checks import report_from
from thalweg.config import backend as backend
from thalweg.config import epsilon as epsilon
from thalweg.config import floatx as floatx
from thalweg.config import image_data_format as image_data_format
from thalweg.config import set_epsilon as set_epsilon
from thalweg.config import set_floatx as set_floatx
from thalweg.config import set_image_data_format as set_image_data_format
from thalweg.errors import ArgumentError, DTypeError
from thalweg.layers.symbols import Symbol
from thalweg.layers.tracing import Parameter
from thalweg.ops import abs as abs
from thalweg.ops import all as all
from thalweg.ops import any as any
from thalweg.ops import binary_crossentropy as binary_crossentropy
from thalweg.ops import cast as cast
from thalweg.ops import categorical_crossentropy as categorical_crossentropy
from thalweg.ops import cos as cos
from thalweg.ops import dtype as dtype
from thalweg.ops import elu as elu
from thalweg.ops import equal as equal
from thalweg.ops import exp as exp
from thalweg.ops import eye as eye
from thalweg.ops import greater as greater
from thalweg.ops import greater_equal as greater_equal
from thalweg.ops import hard_sigmoid as hard_sigmoid
from thalweg.ops import less as less
from thalweg.ops import less_equal as less_equal
from thalweg.ops import log as log
from thalweg.ops import max as max
from thalweg.ops import maximum as maximum
from thalweg.ops import mean as mean
from thalweg.ops import min as min
from thalweg.ops import minimum as minimum
from thalweg.ops import ndim as ndim
from thalweg.ops import not_equal as not_equal
from thalweg.ops import one_hot as one_hot
from thalweg.ops import ones as ones
from thalweg.ops import ones_like as ones_like
from thalweg.ops import prod as prod
from thalweg.ops import reshape as reshape
from thalweg.ops import round as round
from thalweg.ops import sigmoid as sigmoid
from thalweg.ops import sign as sign
from thalweg.ops import sin as sin
from thalweg.ops import softmax as softmax
from thalweg.ops import softplus as softplus
from thalweg.ops import softsign as softsign
from thalweg.ops import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from thalweg.ops import sqrt as sqrt
from thalweg.ops import square as square
from thalweg.ops import squeeze as squeeze
from thalweg.ops import stack as stack
from thalweg.ops import std as std
from thalweg.ops import stop_gradient as stop_gradient
from thalweg.ops import sum as sum
from thalweg.ops import tanh as tanh
from thalweg.ops import tile as tile
from thalweg.ops import var as var
from thalweg.ops import zeros as zeros
from thalweg.ops import zeros_like as zeros_like
from thalweg.ops.creation import shape as shape
from thalweg.training.handle import AssignableRate

KerasTensor = Symbol

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)


def clear_session(free_memory: bool = True) -> None:
    """Free what models that are gone have left. Models share no state, so that nothing else is to be cleared."""
    if free_memory:
        gc.collect()


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype; of None ``floatx()``. Raises: DTypeError for what is none."""
    given = dtype if isinstance(dtype, type) else getattr(dtype, "dtype", dtype)
    try:
        with warnings.catch_warnings(action="error"):  # one that NumPy no longer knows by this name
            return floatx() if dtype is None else np.dtype(given).name
    except (TypeError, ValueError, DeprecationWarning) as error:
        raise DTypeError(
            "this is no dtype",
            expected="the name of one, as 'float32'",
            got=f"{dtype!r:.80} ({type(dtype).__name__})",
            fix="give a name, or an array that has one",
        ) from error


def is_float_dtype(dtype: Any) -> bool:
    """Whether it is one of real numbers."""
    return np.dtype(standardize_dtype(dtype)).kind == "f"


def is_int_dtype(dtype: Any) -> bool:
    """Whether it is one of whole numbers, signed or not."""
    return np.dtype(standardize_dtype(dtype)).kind in "iu"


def is_keras_tensor(x: Any) -> bool:
    """Whether x is what ``Input`` and layers of a functional model give."""
    return isinstance(x, Symbol)


# Values, outside of the step


def get_value(x: Any) -> Any:
    """The numbers of a weight or an array; a number, such as ``model.optimizer.learning_rate``, as it is."""
    if isinstance(x, Parameter):
        return x.numpy()
    return x if isinstance(x, int | float) else ops.convert_to_numpy(x)


eval = get_value


def set_value(x: Any, value: Any) -> None:
    """Put other numbers into a weight, or into ``model.optimizer.learning_rate``. Raises ArgumentError otherwise."""
    if not isinstance(x, Parameter | AssignableRate):
        raise ArgumentError(
            "set_value: this is no weight, so nothing would change",
            expected="a weight of a layer, or the learning rate of model.optimizer",
            got=f"{x!r:.60} ({type(x).__name__})",
            fix="assign it where it is kept",
        )
    x.assign(value)


def batch_get_value(tensors: Sequence[Any]) -> list[Any]:
    """``get_value`` of each."""
    return [get_value(x) for x in tensors]


def batch_set_value(tuples: Sequence[tuple[Any, Any]]) -> None:
    """``set_value`` of each pair of a weight and its numbers."""
    for x, value in tuples:
        set_value(x, value)


def cast_to_floatx(x: Any) -> Any:
    """x in the dtype ``floatx()``."""
    return ops.cast(ops.convert_to_tensor(x), floatx())


def constant(value: Any, dtype: str | None = None, shape: Sequence[int] | None = None, name: str | None = None) -> Any:
    """An array of these numbers, repeated to the shape if there is one."""
    array = np.asarray(value, dtype or floatx())
    return array if shape is None else np.broadcast_to(array, tuple(shape)).copy()


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The shape, None where it is open."""
    return tuple(x.shape)


def count_params(x: Any) -> int:
    """How many numbers x has."""
    return int(np.prod(x.shape))


def is_sparse(tensor: Any) -> bool:
    """False: no tensor is."""
    return False


# Arithmetic whose arguments have changed


def arange(start: int, stop: int | None = None, step: int = 1, dtype: str = "int32") -> Any:
    """Whole numbers from ``start`` to before ``stop``; from 0 to before ``start`` if that is all."""
    return ops.arange(start, stop, step, dtype)


def argmax(x: Any, axis: int = -1) -> Any:
    """The place of the largest number along an axis."""
    return ops.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """The place of the smallest number along an axis."""
    return ops.argmin(x, axis)


def batch_flatten(x: Any) -> Any:
    """All axes but the first as one."""
    return ops.flatten(x)


def flatten(x: Any) -> Any:
    """All axes as one, that of the batch too."""
    return ops.reshape(x, (-1,))


def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
) -> Any:
    """``gamma * (x - mean) / sqrt(var + epsilon) + beta``."""
    return ops.batch_normalization(x, mean, var, axis, beta, gamma, epsilon)


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """x + bias, of one number for each channel, the last axis."""
    _require_channels_last("bias_add", data_format)
    return ops.add(x, bias)


def clip(x: Any, min_value: float, max_value: float) -> Any:
    """x, at least ``min_value`` and at most ``max_value``."""
    return ops.clip(x, min_value, max_value)


def concatenate(tensors: Sequence[Any], axis: int = -1) -> Any:
    """The tensors one behind the other along an axis."""
    return ops.concatenate(tuple(tensors), axis)


def _conv(
    x: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """A convolution over the axes between batch and channels. Shapes: kernel (*size, channels, filters)."""
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


conv1d = conv2d = conv3d = _conv


def _pool(
    x: Any,
    pool_size: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:
    """The largest or (``pool_mode="avg"``) the mean number of each window."""
    pool = ops.max_pool if pool_mode == "max" else ops.average_pool
    return pool(x, pool_size, strides, padding, data_format)


pool2d = pool3d = _pool


def cumprod(x: Any, axis: int = 0) -> Any:
    """Products of all numbers so far along an axis."""
    return ops.cumprod(x, axis)


def cumsum(x: Any, axis: int = 0) -> Any:
    """Sums of all numbers so far along an axis."""
    return ops.cumsum(x, axis)


def dot(x: Any, y: Any) -> Any:
    """The product of matrices: over the last axis of x and the last but one of y."""
    return ops.dot(x, y)


def expand_dims(x: Any, axis: int = -1) -> Any:
    """x with an axis of length 1 more."""
    return ops.expand_dims(x, axis)


def gather(reference: Any, indices: Any) -> Any:
    """The rows of these numbers."""
    return ops.take(reference, indices, 0)


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Whether the class of each row is among the k largest predictions."""
    return ops.in_top_k(targets, predictions, k)


def l2_normalize(x: Any, axis: int | None = None) -> Any:
    """x divided by its length, along an axis or as a whole; a length below 1e-6 counts as that."""
    squares = ops.sum(ops.square(x), axis, keepdims=True)
    return x / ops.sqrt(ops.maximum(squares, 1e-12))


def permute_dimensions(x: Any, pattern: Sequence[int]) -> Any:
    """x with its axes in another order."""
    return ops.transpose(x, tuple(pattern))


def pow(x: Any, a: Any) -> Any:
    """``x ** a``."""
    return ops.power(x, a)


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """``max(x, 0)``; ``alpha`` is the slope below ``threshold``."""
    return activations.relu(x, alpha, max_value, threshold)


def repeat(x: Any, n: int) -> Any:
    """Each row n times: (batch, features) -> (batch, n, features)."""
    return ops.repeat(ops.expand_dims(x, 1), n, 1)


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Each number ``rep`` times along an axis."""
    return ops.repeat(x, rep, axis)


def reverse(x: Any, axes: int | Sequence[int]) -> Any:
    """x from its end to its beginning along axes."""
    return ops.flip(x, axes if isinstance(axes, int) else tuple(axes))


def spatial_2d_padding(
    x: Any, padding: Sequence[Sequence[int]] = ((1, 1), (1, 1)), data_format: str | None = None
) -> Any:
    """Images with zeros around: (batch, height, width, channels)."""
    _require_channels_last("spatial_2d_padding", data_format)
    return ops.pad(x, ((0, 0), *map(tuple, padding), (0, 0)))


def temporal_padding(x: Any, padding: Sequence[int] = (1, 1)) -> Any:
    """Series with zeros in front and behind: (batch, time, features)."""
    return ops.pad(x, ((0, 0), tuple(padding), (0, 0)))


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """Number by number the first where the condition is true, else the second; either may be a function of nothing."""
    chosen, other = (e() if callable(e) else e for e in (then_expression, else_expression))
    return ops.where(condition, chosen, other)


def transpose(x: Any) -> Any:
    """x with its axes from the last to the first."""
    return ops.transpose(x)


# Numbers that are drawn, in the step anew in each


def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: str | None = None, seed: int | None = None
) -> Any:
    """Numbers of a normal distribution."""
    return random.normal(shape, mean, stddev, dtype, seed)


def random_uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: str | None = None, seed: int | None = None
) -> Any:
    """Numbers between two."""
    return random.uniform(shape, minval, maxval, dtype, seed)


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: str | None = None, seed: int | None = None
) -> Any:
    """Numbers of a normal distribution within two deviations."""
    return random.truncated_normal(shape, mean, stddev, dtype, seed)


def random_bernoulli(shape: Any, p: float = 0.0, dtype: str | None = None, seed: int | None = None) -> Any:
    """1 with the probability p, else 0."""
    return ops.cast(random.uniform(shape, seed=seed) < p, dtype or floatx())


def dropout(x: Any, level: float, noise_shape: Any = None, seed: int | None = None) -> Any:
    """x with the share ``level`` of its numbers put to 0, and the others raised."""
    return random.dropout(x, level, noise_shape, seed)


def _require_channels_last(owner: str, data_format: str | None) -> None:
    if data_format not in (None, "channels_last"):
        raise ArgumentError(
            f"{owner}: the channels are expected last",
            expected='data_format="channels_last"',
            got=repr(data_format)[:60],
            fix="exchange the axes before: ops.transpose(x, (0, 2, 3, 1))",
        )


report_from(globals())
