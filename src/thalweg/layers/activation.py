"""Activation functions as layers."""

from __future__ import annotations

from typing import Annotated, ClassVar

from thalweg import activations, ops
from thalweg.checks import Finite, In
from thalweg.constraints import Projection
from thalweg.errors import ArgumentError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.initializers import Filling
from thalweg.layers.layer import Layer, registry
from thalweg.layers.normalization import normal_axes, require_size
from thalweg.layers.tracing import Activated, Parameter, tracing_now
from thalweg.regularizers import L1L2, Penalty

__all__ = [
    "Activation",
    "ActivityRegularization",
    "ELU",
    "LeakyReLU",
    "PReLU",
    "ParametricActivation",
    "ReLU",
    "Softmax",
]


LEFT_OUT = -1e9
"""In place of what a mask leaves out of a softmax: nothing beside any other number."""


def check_activation(activation: str | activations.Activation | None) -> None:
    """Raise NameNotFoundError or ArgumentError if a layer's argument ``activation`` is no such thing.

    Layers call it when they are made: a mistyped name is reported there, not when the model is built.
    """
    if isinstance(activation, type):
        raise ArgumentError(
            "this activation is a class",
            expected="a name, a function from node to node, or a layer",
            got=f"the class {activation.__name__}",
            fix=f"make one of it: {activation.__name__}()",
        )
    if not isinstance(activation, Layer):
        activations.get(activation)


def biased(y: Node, bias: Parameter | None) -> Node:
    """``y + bias``, for a layer that may have no bias."""
    return y if bias is None else y + bias.node


def activate(activation: str | activations.Activation | None, x: Node, training: bool) -> Node:
    """What a layer's argument ``activation`` makes of ``x``: a name, a function, a layer, or None for nothing.

    A layer belongs to the one that has it as its argument: its parameters (a PReLU's) are trained and saved with that.
    """
    if isinstance(activation, Layer):
        y: Node = activation(x, training=training)
        return activated(activation, x, y)
    function = activations.get(activation)
    return activated(function, x, function(x))


def activated(function: activations.Activation, x: Node, y: Node) -> Node:
    """``y``, which the function made of ``x``; the trace is told that this is an activation of the layer being called.

    Of a layer as an activation it knows by then which function that applies.
    """
    trace = tracing_now()
    if trace is not None and y is not x:
        inside = trace.activated.get(y)
        trace.activated[y] = Activated(function if inside is None else inside.function, x, ops.constant(0).layer)
    return y


@registry.register("activation")
@dataclass(eq=False)
class Activation(Layer):
    """``activation(x)``, by name, as a function from node to node, or as a layer.

    Shapes: x (batch, ...) -> (batch, ...).
    """

    supports_masking: ClassVar[bool] = True
    activation: str | activations.Activation

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)

    def call(self, x: Node, training: bool) -> Node:
        return activate(self.activation, x, training)


@registry.register("activity_regularization")
@dataclass(eq=False)
class ActivityRegularization(Layer):
    """Its input, with ``l1 * sum(|x|) + l2 * sum(x^2)`` over the batch size added to the loss.

    Shapes: x (batch, ...) -> (batch, ...).
    """

    supports_masking: ClassVar[bool] = True
    l1: Annotated[float, In("[0, inf)")] = 0.0
    l2: Annotated[float, In("[0, inf)")] = 0.0

    @property
    def activity_regularizer(self) -> Penalty:
        """The penalty of what goes through the layer."""
        return L1L2(self.l1, self.l2)

    def call(self, x: Node, training: bool) -> Node:
        return x


@registry.register("re_lu", "relu")
@dataclass(eq=False)
class ReLU(Layer):
    """``x`` from ``threshold`` on, at most ``max_value``; below it ``negative_slope * (x - threshold)``.

    Shapes: x (batch, ...) -> (batch, ...).
    """

    supports_masking: ClassVar[bool] = True
    max_value: Annotated[float, In("[0, inf)")] | None = None
    negative_slope: Annotated[float, In("[0, inf)")] = 0.0
    threshold: Annotated[float, In("[0, inf)")] = 0.0

    def call(self, x: Node, training: bool) -> Node:
        y = activations.relu(x, self.negative_slope, self.max_value, self.threshold)
        return activated(activations.leaky_relu if self.negative_slope else activations.relu, x, y)


@registry.register("leaky_re_lu", "leaky_relu")
@dataclass(eq=False)
class LeakyReLU(Layer):
    """``x`` from 0 on, ``negative_slope * x`` below it.

    Shapes: x (batch, ...) -> (batch, ...).

    Arguments:
        negative_slope: in older programs ``alpha``. The default is the layer's; the function's is 0.2, as in Keras.

    Source: Maas, Hannun & Ng (2013), ICML workshop on deep learning for audio, equation 2.
    """

    supports_masking: ClassVar[bool] = True
    negative_slope: Annotated[float, In("[0, inf)")] = 0.3

    def call(self, x: Node, training: bool) -> Node:
        return activated(activations.leaky_relu, x, activations.leaky_relu(x, self.negative_slope))


@registry.register("p_re_lu", "prelu")
@dataclass(eq=False)
class PReLU(Layer):
    """``x`` from 0 on, ``alpha * x`` below it, with slopes that are trained.

    Shapes: x (batch, ...) -> (batch, ...); alpha the shape of a sample, with 1 for the ``shared_axes``.

    Arguments:
        shared_axes: along which all places have the same slope, counted with the batch as axis 0; one or several.
        alpha_regularizer, alpha_constraint: as in Dense.

    Raises: ShapeError if there is no such axis.
    Source: He et al. (2015), arXiv:1502.01852, equation 1. Differs: slopes start at 0 as in Keras, theirs at 0.25.
    """

    supports_masking: ClassVar[bool] = True
    alpha_initializer: str | Filling = "zeros"
    alpha_regularizer: str | Penalty | None = None
    alpha_constraint: str | Projection | None = None
    shared_axes: int | tuple[int, ...] | None = None

    def build(self, x: TensorType) -> None:
        shared = () if self.shared_axes is None else normal_axes(self.shared_axes, x)
        self.sizes = {a: n for a, n in enumerate(x.shape) if a > 0 and a not in shared}
        shape = tuple(self.sizes.get(a, 1) for a in range(1, x.rank))
        self.alpha = self.parameter("alpha", shape, self.alpha_initializer)

    def call(self, x: Node, training: bool) -> Node:
        require_size(x.type, self.sizes)
        if x.rank != len(self.alpha.shape) + 1:
            raise ShapeError(
                "the input has another number of axes than the slopes",
                expected=f"{len(self.alpha.shape)} besides the batch, as the layer was built with",
                got=f"shape {('batch', *x.shape[1:])}",
                fix="use a PReLU of its own for each shape",
            )
        return ops.relu(x) - self.alpha.node * ops.relu(-x)


@registry.register("parametric_activation")
@dataclass(eq=False)
class ParametricActivation(Layer):
    """``x + alpha * (activation(x) - x)``, where each feature is trained how far it is bent: at 0 it is a line.

    Shapes: x (batch, ..., features) -> the same; alpha (features,).

    Source: Holzmüller, Grinsztajn & Steinwart (2024), arXiv:2407.04491, section 3 ("parametric activations").
    """

    supports_masking: ClassVar[bool] = True
    activation: str | activations.Activation
    alpha_initializer: str | Filling = "ones"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)

    def build(self, x: TensorType) -> None:
        if x.rank < 2:
            raise ShapeError(
                "the input has no features",
                expected="(batch, ..., features)",
                got=str(("batch", *x.shape[1:])),
                fix="use Activation, which has no parameters, for one number per sample",
            )
        self.alpha = self.parameter("alpha", (x.shape[-1],), self.alpha_initializer)

    def call(self, x: Node, training: bool) -> Node:
        require_size(x.type, {x.rank - 1: self.alpha.shape[0]})
        bent = activate(self.activation, x, training)
        return x + self.alpha.node * (bent - x)


@registry.register("elu")
@dataclass(eq=False)
class ELU(Layer):
    """``x`` above 0, ``alpha * (e^x - 1)`` below it.

    Shapes: x (batch, ...) -> (batch, ...).

    Source: Clevert, Unterthiner & Hochreiter (2016), arXiv:1511.07289, equation 15.
    """

    supports_masking: ClassVar[bool] = True
    alpha: Finite = 1.0

    def call(self, x: Node, training: bool) -> Node:
        return activations.elu(x, self.alpha)


@registry.register("softmax")
@dataclass(eq=False)
class Softmax(Layer):
    """``e^x / sum(e^x)`` along ``axis``, or over several axes together.

    What a mask leaves out, of the input's shape or of its last axes, gets 0, and the others share 1.

    Shapes: x (batch, ...) -> (batch, ...).
    """

    supports_masking: ClassVar[bool] = True
    axis: int | tuple[int, ...] = -1

    def call(self, x: Node, training: bool, mask: Node | None = None) -> Node:
        if mask is None:
            return ops.softmax(x, self.axis)
        missing = x.rank - mask.rank
        if missing < 0 or any(n not in (1, x.shape[missing + a]) for a, n in enumerate(mask.shape)):
            raise ShapeError(
                "the mask does not fit what the softmax is taken of",
                expected=f"a mask of the input's shape or of its last axes, {('batch', *x.shape[1:])}",
                got=f"one of shape {mask.shape}, for whole places",
                fix='pass activation="softmax" to the layer before, which leaves the mask alone',
            )
        counts = ops.broadcast_to(mask, x.shape)
        return ops.select(counts, ops.softmax(ops.select(counts, x, LEFT_OUT), self.axis), 0)
