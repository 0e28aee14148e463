"""Activation functions made of other operations; those that are primitives stand in ``elementwise`` and ``softmax``.

``thalweg.activations`` gives them their names for layers and files.
"""

from __future__ import annotations

import math

from thalweg.errors import ShapeError
from thalweg.graph.node import Node
from thalweg.ops.broadcast import broadcast_to, reduce_sum
from thalweg.ops.cast import cast
from thalweg.ops.elementwise import (
    absolute,
    add,
    clip,
    erf,
    expm1,
    less,
    multiply,
    relu,
    select,
    sigmoid,
    softplus,
    sqrt,
    square,
    subtract,
    tanh,
)
from thalweg.ops.leaf import iota, stop_gradient
from thalweg.ops.shape import normal_axis, slice_axis

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "relu6",
    "selu",
    "silu",
    "soft_shrink",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh_shrink",
    "threshold",
]

# --- like relu ----------------------------------------------------------------------------------------------------


def relu6(x: Node) -> Node:
    """``min(max(x, 0), 6)``, whose derivatives at 0 and 6 are taken as 0. Shapes: x (...) -> (...).

    Source: Krizhevsky (2010), Convolutional deep belief networks on CIFAR-10.
    """
    return select(x <= 0.0, 0.0, select(x >= 6.0, 6.0, x))


def leaky_relu(x: Node, negative_slope: float = 0.2) -> Node:
    """``x`` from 0 on, ``negative_slope * x`` below it; the derivative at 0 is taken as 1. Shapes: x (...) -> (...).

    The default is Keras's for the function; that of the layer ``LeakyReLU`` is 0.3.
    Source: Maas, Hannun & Ng (2013), ICML workshop on deep learning for audio, equation 2.
    """
    return select(x < 0.0, x * negative_slope, x)


def elu(x: Node, alpha: float = 1.0) -> Node:
    """``x`` above 0, ``alpha * (e^x - 1)`` below it; the derivative at 0 is ``alpha``. Shapes: x (...) -> (...).

    Source: Clevert, Unterthiner & Hochreiter (2016), arXiv:1511.07289, equation 15.
    """
    positive = x > 0.0
    # Where x is positive the other branch gets 0: e^x would overflow there, and its derivative, though not chosen, be
    # infinity times 0.
    return select(positive, x, expm1(select(positive, 0.0, x)) * alpha)


def celu(x: Node, alpha: float = 1.0) -> Node:
    """``x`` above 0, ``alpha * (e^(x / alpha) - 1)`` below it, with derivative 1 at 0. Shapes: x (...) -> (...).

    Source: Barron (2017), arXiv:1704.07483, equation 2.
    """
    positive = x > 0.0
    return select(positive, x, expm1(select(positive, 0.0, x) * (1.0 / alpha)) * alpha)


def selu(x: Node) -> Node:
    """``lambda * elu(x, alpha)``: keeps mean 0 and variance 1 from layer to layer. Shapes: x (...) -> (...).

    Wants the initializer ``lecun_normal`` and, for dropout, ``AlphaDropout``.
    Source: Klambauer et al. (2017), arXiv:1706.02515, equation 2 and, for the constants, equation 14.
    """
    return elu(x, 1.6732632423543772) * 1.0507009873554805


def squareplus(x: Node, b: float = 4) -> Node:
    """``(x + sqrt(x^2 + b)) / 2``, a relu without a corner. Shapes: x (...) -> (...).

    Source: Barron (2021), arXiv:2112.11687, equation 1.
    """
    return (x + sqrt(square(x) + float(b))) * 0.5


def sparse_plus(x: Node) -> Node:
    """0 up to -1, ``(x + 1)^2 / 4`` up to 1, then x. Shapes: x (...) -> (...).

    Source: Martins & Astudillo (2016), arXiv:1602.02068: the potential of sparsemax for two classes.
    """
    return select(x <= -1.0, 0.0, select(x < 1.0, square(x + 1.0) * 0.25, x))


def threshold(x: Node, threshold: float, default_value: float) -> Node:
    """x above the threshold, ``default_value`` elsewhere. Shapes: x (...) -> (...)."""
    return select(x > threshold, x, default_value)


# --- gates --------------------------------------------------------------------------------------------------------


def gelu(x: Node, approximate: bool = True) -> Node:
    """``x * Phi(x)``, with the distribution function Phi of the standard normal: ``(1 + erf(x / sqrt(2))) / 2``.

    Shapes: x (...) -> (...).

    Arguments:
        approximate: take ``sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))`` for Phi: off by 5e-4 at most. This is the form
            usually written ``(1 + tanh(...)) / 2``. The default is Keras's for ``ops``; in ``activations`` it is False.

    Source: Hendrycks & Gimpel (2016), arXiv:1606.08415, section 2.
    """
    if approximate:
        return x * sigmoid((x + square(x) * x * 0.044715) * (2.0 * math.sqrt(2.0 / math.pi)))
    return x * (erf(x * math.sqrt(0.5)) + 1.0) * 0.5


def silu(x: Node) -> Node:
    """``x * sigmoid(x)``. Shapes: x (...) -> (...).

    Source: Elfwing, Uchibe & Doya (2018), arXiv:1702.03118, equation 2; as "swish" Ramachandran et al. (2017),
    arXiv:1710.05941.
    """
    return x * sigmoid(x)


def swish(x: Node) -> Node:
    """See silu. Shapes: x (...) -> (...)."""
    return silu(x)


def hard_silu(x: Node) -> Node:
    """``x * hard_sigmoid(x)``. Shapes: x (...) -> (...).

    Source: Howard et al. (2019), arXiv:1905.02244, section 5.2.
    """
    return x * hard_sigmoid(x)


def hard_swish(x: Node) -> Node:
    """See hard_silu. Shapes: x (...) -> (...)."""
    return hard_silu(x)


def glu(x: Node, axis: int = -1) -> Node:
    """The first half along an axis times the sigmoid of the second. Shapes: x (..., 2 n, ...) -> (..., n, ...).

    Raises: ShapeError: if the size of the axis is odd.
    Source: Dauphin et al. (2017), arXiv:1612.08083, equation 1.
    """
    axis = normal_axis(axis, x.shape)
    n = x.shape[axis]
    if n % 2:
        raise ShapeError(
            "glu of an axis that cannot be halved",
            expected=f"an even size on axis {axis}",
            got=str(x.shape),
            fix="give the layer before twice as many units",
        )
    return slice_axis(x, axis, 0, n // 2) * sigmoid(slice_axis(x, axis, n // 2, n))


# --- bounded ------------------------------------------------------------------------------------------------------


def softsign(x: Node) -> Node:
    """``x / (1 + |x|)``, between -1 and 1. Shapes: x (...) -> (...).

    Source: Bergstra et al. (2009), Quadratic polynomials learn better image features, section 2.
    """
    return x / (absolute(x) + 1.0)


def hard_sigmoid(x: Node) -> Node:
    """``x / 6 + 1 / 2``, held between 0 and 1: three straight lines; their slope at the ends is 0.

    Shapes: (...) -> (...).

    Source: Courbariaux, Bengio & David (2015), arXiv:1511.00363, equation 3. Differs: the slope is Keras's, theirs 1/2.
    """
    return relu6(x + 3.0) * (1.0 / 6.0)


def sparse_sigmoid(x: Node) -> Node:
    """``(x + 1) / 2``, held between 0 and 1: the derivative of sparse_plus. Shapes: x (...) -> (...)."""
    return select(x <= -1.0, 0.0, select(x >= 1.0, 1.0, (x + 1.0) * 0.5))


def hard_tanh(x: Node) -> Node:
    """x held between -1 and 1. Shapes: x (...) -> (...)."""
    return clip(x, -1.0, 1.0)


def log_sigmoid(x: Node) -> Node:
    """``log(sigmoid(x))``, exact also where that is as good as 0 or 1. Shapes: x (...) -> (...)."""
    return -softplus(-x)


# --- shrinking ----------------------------------------------------------------------------------------------------


def hard_shrink(x: Node, threshold: float = 0.5) -> Node:
    """x where it is larger than the threshold in size, else 0. Shapes: x (...) -> (...)."""
    return select(absolute(x) > threshold, x, 0.0)


def soft_shrink(x: Node, threshold: float = 0.5) -> Node:
    """x nearer to 0 by the threshold, and not beyond. Shapes: x (...) -> (...)."""
    return select(x > threshold, x - threshold, select(x < -threshold, x + threshold, 0.0))


def tanh_shrink(x: Node) -> Node:
    """``x - tanh(x)``. Shapes: x (...) -> (...)."""
    return subtract(x, tanh(x))


# --- shares -------------------------------------------------------------------------------------------------------


def sparsemax(x: Node, axis: int = -1) -> Node:
    """The nearest point to x whose numbers along the axis are shares: many of them 0. Shapes: x (...) -> (...).

    ``max(x - t, 0)``, with t such that the sum is 1. Numerics: which numbers are above t is found by sorting; t is then
    their mean, less 1 / their number, through which the gradient flows.
    Source: Martins & Astudillo (2016), arXiv:1602.02068, algorithm 1.
    """
    from thalweg.ops.order import sort  # here, because most networks need none of what these modules load
    from thalweg.ops.reductions import cumsum

    axis = normal_axis(axis, x.shape)
    rising = sort(stop_gradient(x), axis)
    n = x.shape[axis]
    count = n - cast(iota(x.shape, axis), x.dtype)  # of the numbers from each place on, which are the larger ones
    total = reduce_sum(rising, axis, keepdims=True)
    above = subtract(broadcast_to(total, x.shape), subtract(cumsum(rising, axis), rising))
    chosen = less(above, add(multiply(count, rising), 1.0))
    size = reduce_sum(cast(chosen, x.dtype), axis, keepdims=True)
    chosen_sum = reduce_sum(select(chosen, rising, 0.0), axis, keepdims=True)
    limit = broadcast_to((chosen_sum - 1.0) / size, x.shape)
    inside = x > limit
    shares = select(inside, x, 0.0)
    mean = (reduce_sum(shares, axis, keepdims=True) - 1.0) / size
    return relu(select(inside, x - mean, 0.0))
