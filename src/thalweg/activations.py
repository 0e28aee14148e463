"""Activation functions: from a node to a node of the same shape. Adding one is adding a function here."""

from __future__ import annotations

from collections.abc import Callable

from thalweg import ops
from thalweg.graph.node import Node
from thalweg.registry import Registry

Activation = Callable[[Node], Node]

registry: Registry[Activation] = Registry("activation")


def get(identifier: str | Activation | None) -> Activation:
    """The function meant by a name, a registered function's description, or the function itself; None is ``linear``."""
    return linear if identifier is None else registry.get(identifier)


@registry.register("linear")
def linear(x: Node) -> Node:
    """``x``."""
    return x


@registry.register("relu")
def relu(x: Node, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Node:
    """``x`` from ``threshold`` on, at most ``max_value``; below it ``negative_slope * (x - threshold)``.

    With its defaults ``max(x, 0)``, whose derivative at 0 is taken as 0.
    Source: Nair & Hinton (2010), ICML; the arguments are Keras's.
    """
    if negative_slope == 0 and max_value is None and threshold == 0:
        return ops.relu(x)
    upper = x if max_value is None else ops.select(x >= max_value, max_value, x)
    # At the threshold itself the derivative is the lower branch's, as the plain relu's is at 0.
    return ops.select(x > threshold, upper, ops.subtract(x, threshold) * negative_slope)


sigmoid = registry.register("sigmoid", "logistic")(ops.sigmoid)
tanh = registry.register("tanh")(ops.tanh)
softmax = registry.register("softmax")(ops.softmax)
