"""Activation functions: from a node to a node of the same shape. Adding one is adding a function here."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from thalweg import absent, config, ops
from thalweg.data.arrays import as_array, converted
from thalweg.graph.node import Node
from thalweg.ops.recording import recordable
from thalweg.ops.reference import on_arrays
from thalweg.registry import Registry

Activation = Callable[[Node], Node]
F = TypeVar("F", bound=Callable[..., Any])

registry: Registry[Activation] = Registry("activation")


def get(identifier: str | Activation | None) -> Activation:
    """The function meant by a name, a registered function's description, or the function itself; None is ``linear``."""
    return linear if identifier is None else registry.get(identifier)


serialize, deserialize = registry.name_of, registry.deserialize
if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__, registry.attribute)


def of_anything(function: F) -> F:
    """``function`` of nodes, which of symbols makes one operation of their model, and of arrays an array, at once."""

    @functools.wraps(function)
    def call(x: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(x, np.ndarray | np.generic | float | int | list | tuple):
            return function(x, *args, **options)
        array = as_array(x, "x")
        array = converted(array, "float64" if array.dtype == np.float64 else config.floatx(), "x")
        return on_arrays(lambda node: {"y": function(node, *args, **options)}, array)["y"]

    return cast(F, recordable(call))


@registry.register("linear")
@of_anything
def linear(x: Node) -> Node:
    """``x``."""
    return x


@registry.register("relu")
@of_anything
def relu(x: Node, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Node:
    """``x`` from ``threshold`` on, at most ``max_value``; below it ``negative_slope * (x - threshold)``.

    With its defaults ``max(x, 0)``, whose derivative at 0 is taken as 0.
    Source: Nair & Hinton (2010), ICML; the arguments are Keras's.
    """
    if negative_slope == 0 and max_value is None and threshold == 0:
        return ops.relu(x)
    upper = x if max_value is None else ops.select(x >= max_value, max_value, x)
    lower = ops.subtract(x, threshold) * negative_slope if negative_slope else 0.0
    # At the threshold itself the derivative is the lower branch's, as the plain relu's is at 0.
    return ops.select(x <= threshold, lower, upper)


@registry.register("relu6")
@of_anything
def relu6(x: Node) -> Node:
    """``min(max(x, 0), 6)``, whose derivatives at 0 and 6 are taken as 0.

    Source: Krizhevsky (2010), Convolutional deep belief networks on CIFAR-10.
    """
    return relu(x, max_value=6.0)


@registry.register("leaky_relu")
@of_anything
def leaky_relu(x: Node, negative_slope: float = 0.2) -> Node:
    """``x`` from 0 on, ``negative_slope * x`` below it; the derivative at 0 is taken as 1.

    The default is Keras's for the function; that of the layer ``LeakyReLU`` is 0.3.
    Source: Maas, Hannun & Ng (2013), ICML workshop on deep learning for audio, equation 2.
    """
    return ops.select(x < 0.0, x * negative_slope, x)


@registry.register("elu")
@of_anything
def elu(x: Node, alpha: float = 1.0) -> Node:
    """``x`` above 0, ``alpha * (e^x - 1)`` below it; the derivative at 0 is taken as ``alpha``.

    Source: Clevert, Unterthiner & Hochreiter (2016), arXiv:1511.07289, equation 15.
    """
    positive = x > 0.0
    # Where x is positive the other branch gets 0: e^x would overflow there, and its derivative, though not chosen, be
    # infinity times 0.
    return ops.select(positive, x, ops.expm1(ops.select(positive, 0.0, x)) * alpha)


@registry.register("selu")
@of_anything
def selu(x: Node) -> Node:
    """``lambda * elu(x, alpha)`` with the constants that keep mean 0 and variance 1 from layer to layer.

    Wants the initializer ``lecun_normal`` and, for dropout, ``AlphaDropout``.
    Source: Klambauer et al. (2017), arXiv:1706.02515, equation 2 and, for the constants, equation 14.
    """
    return elu(x, 1.6732632423543772) * 1.0507009873554805


@registry.register("gelu")
@of_anything
def gelu(x: Node, approximate: bool = False) -> Node:
    """``x * Phi(x)``, with the distribution function Phi of the standard normal: ``(1 + erf(x / sqrt(2))) / 2``.

    Arguments:
        approximate: take ``sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))`` for Phi: off by 5e-4 at most. This is the form
            usually written ``(1 + tanh(...)) / 2``.

    Source: Hendrycks & Gimpel (2016), arXiv:1606.08415, section 2.
    """
    if approximate:
        return x * ops.sigmoid((x + ops.square(x) * x * 0.044715) * (2.0 * math.sqrt(2.0 / math.pi)))
    return x * (ops.erf(x * math.sqrt(0.5)) + 1.0) * 0.5


@registry.register("silu", "swish")
@of_anything
def silu(x: Node) -> Node:
    """``x * sigmoid(x)``.

    Source: Elfwing, Uchibe & Doya (2018), arXiv:1702.03118, equation 2; as "swish" Ramachandran et al. (2017),
    arXiv:1710.05941.
    """
    return x * ops.sigmoid(x)


@registry.register("mish")
@of_anything
def mish(x: Node) -> Node:
    """``x * tanh(softplus(x))``.

    Numerics: ``tanh(log(1 + w)) = n / (n + 2)`` with w = e^x and n = w (w + 2), which needs one exponential and loses
    no digits for negative x; from x = 20 on it is 1 to the last bit.
    Source: Misra (2019), arXiv:1908.08681, equation 1.
    """
    w = ops.exp(ops.clip(x, high=20.0))
    n = w * (w + 2.0)
    return x * (n / (n + 2.0))


@registry.register("softsign")
@of_anything
def softsign(x: Node) -> Node:
    """``x / (1 + |x|)``, between -1 and 1.

    Source: Bergstra et al. (2009), Quadratic polynomials learn better image features, section 2.
    """
    return x / (ops.absolute(x) + 1.0)


@registry.register("hard_sigmoid")
@of_anything
def hard_sigmoid(x: Node) -> Node:
    """``x / 6 + 1 / 2``, held between 0 and 1: the sigmoid in three straight lines; their slope at the ends is 0.

    Source: Courbariaux, Bengio & David (2015), arXiv:1511.00363, equation 3. Differs: the slope is Keras's, theirs 1/2.
    """
    return relu6(x + 3.0) * (1.0 / 6.0)


@registry.register("exponential")
@of_anything
def exponential(x: Node) -> Node:
    """``e^x``: for outputs that must be positive, as the mean of a Poisson distribution."""
    return ops.exp(x)


sigmoid = registry.register("sigmoid", "logistic")(of_anything(ops.sigmoid))
tanh = registry.register("tanh")(of_anything(ops.tanh))
softplus = registry.register("softplus")(of_anything(ops.softplus))
softmax = registry.register("softmax")(of_anything(ops.softmax))
log_softmax = registry.register("log_softmax")(of_anything(ops.log_softmax))
