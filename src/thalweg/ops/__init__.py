"""The primitive operations and what is made of them. Functions take and give nodes; of symbols they make symbols."""

from types import FunctionType

from thalweg.ops import operators as operators  # gives nodes their + - * /
from thalweg.ops.broadcast import broadcast, broadcast_to, full, reduce_sum
from thalweg.ops.concatenate import concatenate
from thalweg.ops.contraction import contract, matmul
from thalweg.ops.convolution import (
    average_pool,
    convolve,
    convolve_transposed,
    flip,
    max_pool,
    surrounded,
    windows,
)
from thalweg.ops.elementwise import (
    absolute,
    add,
    cast,
    clip,
    cos,
    divide,
    equal,
    erf,
    exp,
    expm1,
    floor,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negate,
    not_equal,
    power,
    relu,
    select,
    sigmoid,
    sign,
    sin,
    softplus,
    sqrt,
    square,
    subtract,
    tanh,
)
from thalweg.ops.leaf import constant, input_node, iota, state_node, stop_gradient
from thalweg.ops.lookup import take
from thalweg.ops.random import random_bits, random_normal, random_uniform
from thalweg.ops.recording import recordable, registry
from thalweg.ops.reduce import argmax, reduce_max, reduce_mean, reduce_min
from thalweg.ops.shape import flatten, pad, reshape, slice_axis, take_slice, transpose
from thalweg.ops.softmax import log_softmax, log_sum_exp, softmax

_WITHOUT_TENSORS = (
    *("constant", "full", "input_node", "iota", "state_node"),
    *("random_bits", "random_normal", "random_uniform"),
)
for _name, _function in list(globals().items()):
    if isinstance(_function, FunctionType) and _name not in (*_WITHOUT_TENSORS, "recordable"):
        globals()[_name] = registry.register(_name)(recordable(_function))

__all__ = [name for name in globals() if not name.startswith("_") and name not in ("FunctionType", "recordable")]
