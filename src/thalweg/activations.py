"""Activation functions by name, for layers and files: most are functions of ``thalweg.ops``, others are made here."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from thalweg import absent, ops
from thalweg.graph.node import Node
from thalweg.ops.elementwise import floating
from thalweg.ops.recording import recordable
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
    """``function`` of nodes, symbols and arrays, in floatx where these are whole numbers."""

    @functools.wraps(function)
    def call(x: Node, *args: Any, **options: Any) -> Any:
        return function(floating(x), *args, **options)

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


@registry.register("gelu")
@of_anything
def gelu(x: Node, approximate: bool = False) -> Node:
    """``x * Phi(x)``, see ``ops.gelu``, where ``approximate`` is True unless said otherwise, as in Keras."""
    return ops.gelu(x, approximate)


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


@registry.register("exponential")
@of_anything
def exponential(x: Node) -> Node:
    """``e^x``: for outputs that must be positive, as the mean of a Poisson distribution."""
    return ops.exp(x)


celu = registry.register("celu")(of_anything(ops.celu))
elu = registry.register("elu")(of_anything(ops.elu))
glu = registry.register("glu")(of_anything(ops.glu))
hard_shrink = registry.register("hard_shrink")(of_anything(ops.hard_shrink))
hard_sigmoid = registry.register("hard_sigmoid")(of_anything(ops.hard_sigmoid))
hard_silu = registry.register("hard_silu", "hard_swish")(of_anything(ops.hard_silu))
hard_tanh = registry.register("hard_tanh")(of_anything(ops.hard_tanh))
leaky_relu = registry.register("leaky_relu")(of_anything(ops.leaky_relu))
log_sigmoid = registry.register("log_sigmoid")(of_anything(ops.log_sigmoid))
log_softmax = registry.register("log_softmax")(of_anything(ops.log_softmax))
relu6 = registry.register("relu6")(of_anything(ops.relu6))
selu = registry.register("selu")(of_anything(ops.selu))
sigmoid = registry.register("sigmoid", "logistic")(of_anything(ops.sigmoid))
silu = registry.register("silu", "swish")(of_anything(ops.silu))
soft_shrink = registry.register("soft_shrink")(of_anything(ops.soft_shrink))
softmax = registry.register("softmax")(of_anything(ops.softmax))
softplus = registry.register("softplus")(of_anything(ops.softplus))
softsign = registry.register("softsign")(of_anything(ops.softsign))
sparse_plus = registry.register("sparse_plus")(of_anything(ops.sparse_plus))
sparse_sigmoid = registry.register("sparse_sigmoid")(of_anything(ops.sparse_sigmoid))
sparsemax = registry.register("sparsemax")(of_anything(ops.sparsemax))
squareplus = registry.register("squareplus")(of_anything(ops.squareplus))
tanh = registry.register("tanh")(of_anything(ops.tanh))
tanh_shrink = registry.register("tanh_shrink")(of_anything(ops.tanh_shrink))
threshold = registry.register("threshold")(of_anything(ops.threshold))
