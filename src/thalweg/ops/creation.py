"""Arrays made of nothing, by NumPy's and Keras's names. They are NumPy arrays: beside nodes they become constants."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from thalweg import config
from thalweg.checks import Finite, In, checked
from thalweg.errors import GraphError
from thalweg.graph.node import Node
from thalweg.ops.arrangement import stack
from thalweg.ops.broadcast import filled
from thalweg.ops.cast import cast
from thalweg.ops.literal import named_dtype, plain_array
from thalweg.ops.recording import recordable

__all__ = [
    "arange",
    "array",
    "bartlett",
    "blackman",
    "convert_to_numpy",
    "convert_to_tensor",
    "dtype",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "geomspace",
    "hamming",
    "hanning",
    "identity",
    "is_tensor",
    "kaiser",
    "linspace",
    "logspace",
    "ndim",
    "ones",
    "ones_like",
    "shape",
    "size",
    "tri",
    "zeros",
    "zeros_like",
]

Count = Annotated[int, In("[0, inf)")]
Sizes = Count | tuple[Count, ...]
DType = Any  # a name, or what NumPy takes for one: ``named_dtype`` reads it


def _made(values: Any, kind: Any) -> np.ndarray:
    return np.asarray(values).astype(named_dtype(kind) or config.floatx())


# --- of one number ------------------------------------------------------------------------------------------------


@checked
def zeros(shape: Sizes, dtype: DType = None) -> np.ndarray:
    """0 everywhere. Shapes: -> shape, floatx unless ``dtype`` says otherwise."""
    return _made(np.zeros(shape), dtype)


@checked
def ones(shape: Sizes, dtype: DType = None) -> np.ndarray:
    """1 everywhere. Shapes: -> shape, floatx unless ``dtype`` says otherwise."""
    return _made(np.ones(shape), dtype)


@checked
def empty(shape: Sizes, dtype: DType = None) -> np.ndarray:
    """0 everywhere. Shapes: -> shape, floatx unless ``dtype`` says otherwise."""
    return zeros(shape, dtype)


@checked
def full(shape: Sizes, fill_value: Any, dtype: DType = None) -> np.ndarray:
    """One number, or an array repeated. Shapes: -> shape, floatx unless ``dtype`` says otherwise."""
    return _made(np.broadcast_to(plain_array(fill_value, "fill_value"), shape), dtype)


def zeros_like(x: Node, dtype: DType = None) -> Node:
    """0 everywhere. Shapes: x (...) -> (...), of the dtype of x unless ``dtype`` says otherwise."""
    return filled(x.shape, 0, named_dtype(dtype) or x.dtype)


def ones_like(x: Node, dtype: DType = None) -> Node:
    """1 everywhere. Shapes: x (...) -> (...), of the dtype of x unless ``dtype`` says otherwise."""
    return filled(x.shape, 1, named_dtype(dtype) or x.dtype)


def empty_like(x: Node, dtype: DType = None) -> Node:
    """0 everywhere. Shapes: x (...) -> (...), of the dtype of x unless ``dtype`` says otherwise."""
    return zeros_like(x, dtype)


def full_like(x: Node, fill_value: float | int | bool, dtype: DType = None) -> Node:
    """One number. Shapes: x (...) -> (...), of the dtype of x unless ``dtype`` says otherwise."""
    return filled(x.shape, fill_value, named_dtype(dtype) or x.dtype)


# --- ranges -------------------------------------------------------------------------------------------------------


@checked
def arange(
    start: Finite | int, stop: Finite | int | None = None, step: Finite | int | None = None, dtype: DType = None
) -> np.ndarray:
    """``start``, ``start + step`` ... below ``stop``. Shapes: -> (n,), int32 or floatx as the numbers are."""
    start, stop = (0, start) if stop is None else (start, stop)
    step = 1 if step is None else step
    fraction = any(isinstance(number, float | np.floating) for number in (start, stop, step))
    return _made(np.arange(start, stop, step), dtype or (config.floatx() if fraction else "int32"))


@checked
def linspace(
    start: Any,
    stop: Any,
    num: Count = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DType = None,
    axis: int = 0,
) -> Any:
    """Evenly from ``start`` to ``stop``. Shapes: -> (num,), floatx; with ``retstep`` the step beside it."""
    values, step = np.linspace(
        plain_array(start, "start"), plain_array(stop, "stop"), num, endpoint, retstep=True, axis=axis
    )
    return (_made(values, dtype), _made(step, dtype)) if retstep else _made(values, dtype)


@checked
def logspace(
    start: Any,
    stop: Any,
    num: Count = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: DType = None,
    axis: int = 0,
) -> np.ndarray:
    """The powers of ``base`` from ``start`` to ``stop``, evenly. Shapes: -> (num,), floatx."""
    return _made(
        np.logspace(plain_array(start, "start"), plain_array(stop, "stop"), num, endpoint, base, axis=axis), dtype
    )


@checked
def geomspace(
    start: Any, stop: Any, num: Count = 50, endpoint: bool = True, dtype: DType = None, axis: int = 0
) -> np.ndarray:
    """From ``start`` to ``stop`` by equal factors. Shapes: -> (num,), floatx."""
    return _made(np.geomspace(plain_array(start, "start"), plain_array(stop, "stop"), num, endpoint, axis=axis), dtype)


# --- matrices and windows -----------------------------------------------------------------------------------------


@checked
def eye(N: Count, M: Count | None = None, k: int = 0, dtype: DType = None) -> np.ndarray:
    """1 on the k-th diagonal. Shapes: -> (N, M), M being N unless given; floatx."""
    return _made(np.eye(N, M, k), dtype)


@checked
def identity(n: Count, dtype: DType = None) -> np.ndarray:
    """1 on the diagonal. Shapes: -> (n, n), floatx."""
    return eye(n, dtype=dtype)


@checked
def tri(N: Count, M: Count | None = None, k: int = 0, dtype: DType = None) -> np.ndarray:
    """1 up to the k-th diagonal. Shapes: -> (N, M), M being N unless given; floatx."""
    return _made(np.tri(N, M, k), dtype)


@checked
def bartlett(x: Count) -> np.ndarray:
    """A window that is a triangle. Shapes: -> (x,), floatx."""
    return _made(np.bartlett(x), None)


@checked
def blackman(x: Count) -> np.ndarray:
    """Blackman's window. Shapes: -> (x,), floatx."""
    return _made(np.blackman(x), None)


@checked
def hamming(x: Count) -> np.ndarray:
    """Hamming's window. Shapes: -> (x,), floatx."""
    return _made(np.hamming(x), None)


@checked
def hanning(x: Count) -> np.ndarray:
    """Hann's window. Shapes: -> (x,), floatx."""
    return _made(np.hanning(x), None)


@checked
def kaiser(x: Count, beta: float) -> np.ndarray:
    """Kaiser's window. Shapes: -> (x,), floatx."""
    return _made(np.kaiser(x, beta), None)


# --- what a tensor is ---------------------------------------------------------------------------------------------


def array(x: Any, dtype: DType = None) -> Any:
    """As convert_to_tensor. Shapes: x (...) -> (...)."""
    return convert_to_tensor(x, dtype)


def convert_to_tensor(x: Any, dtype: DType = None, sparse: bool | None = None, ragged: bool | None = None) -> Any:
    """A node, or what stands for one, as it is or in another dtype; anything else as an array, a list of nodes stacked.

    Shapes: x (...) -> (...). Python's numbers become floatx, int32 or bool.
    """
    dtype = named_dtype(dtype)
    if is_tensor(x):
        return x if dtype is None or x.dtype == dtype else recordable(cast)(x, dtype)
    if isinstance(x, list | tuple) and any(map(is_tensor, x)):
        return convert_to_tensor(recordable(stack)([convert_to_tensor(part) for part in x]), dtype)
    values = plain_array(x)
    return values if dtype is None else values.astype(dtype)


def convert_to_numpy(x: Any) -> np.ndarray:
    """An array, or what can be read as one. Shapes: x (...) -> (...).

    Raises: GraphError: for a tensor of the graph, which has no numbers yet.
    """
    if is_tensor(x) and not hasattr(type(x), "__array__"):
        raise GraphError(
            "a tensor of the graph cannot be converted to an array: it has no numbers yet",
            expected="an array, a list, or a layer's weight",
            got=repr(x),
            fix="compute with thalweg.ops; what a model gives for data is model.predict(x)",
        )
    return np.asarray(x)


def is_tensor(x: Any) -> bool:
    """Whether this is a tensor of the graph or stands for one, and no array. Shapes: of anything."""
    return isinstance(x, Node) or (hasattr(x, "dtype") and hasattr(x, "rank"))


def shape(x: Any) -> tuple[int | None, ...]:
    """The sizes of its axes. Shapes: x (n, ...) -> the numbers n, ... themselves."""
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def ndim(x: Any) -> int:
    """How many axes there are. Shapes: x (...) -> a number."""
    return len(shape(x))


def size(x: Any) -> int:
    """How many numbers there are. Shapes: x (...) -> a number."""
    return math.prod(n or 0 for n in shape(x))


def dtype(x: Any) -> str:
    """The kind of number, by its name. Shapes: of anything."""
    return str(x.dtype if hasattr(x, "dtype") else plain_array(x).dtype)
