"""Fully connected layers."""

from __future__ import annotations

from typing import Annotated, ClassVar

from thalweg import ops
from thalweg.activations import Activation
from thalweg.checks import In
from thalweg.constraints import Projection
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.initializers import Filling
from thalweg.layers.activation import activate, check_activation
from thalweg.layers.layer import Layer, registry
from thalweg.layers.tracing import Parameter
from thalweg.regularizers import Penalty

__all__ = ["Dense"]


@registry.register("dense")
@dataclass(eq=False)
class Dense(Layer):
    """``activation(x @ kernel + bias)``: every unit sees every feature.

    Shapes: x (batch, ..., features) -> (batch, ..., units); kernel (features, units), bias (units,). Inputs of any
    dtype are cast to the layer's.

    Arguments:
        activation: a name, a function from node to node, or a layer as ``LeakyReLU(0.1)``; None for none.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss; the last one on the
            result, divided by the batch size. A name, a Regularizer or a function from a node to a scalar node.
        kernel_constraint, bias_constraint: what the parameters are projected onto after every step.
    """

    supports_masking: ClassVar[bool] = True
    units: Annotated[int, In("[1, inf)")]
    activation: str | Activation | None = None
    use_bias: bool = True
    kernel_initializer: str | Filling = "glorot_uniform"
    bias_initializer: str | Filling = "zeros"
    kernel_regularizer: str | Penalty | None = None
    bias_regularizer: str | Penalty | None = None
    activity_regularizer: str | Penalty | None = None
    kernel_constraint: str | Projection | None = None
    bias_constraint: str | Projection | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)

    def build(self, x: TensorType) -> None:
        if x.rank < 2:
            raise self._misfit("(batch, ..., features), because a unit adds up features", x)
        self.kernel = self.parameter("kernel", (x.shape[-1], self.units), self.kernel_initializer)
        self.bias: Parameter | None = None
        if self.use_bias:
            self.bias = self.parameter("bias", (self.units,), self.bias_initializer)

    def call(self, x: Node, training: bool) -> Node:
        features, units = self.kernel.shape
        if x.rank < 2 or x.shape[-1] != features:
            raise self._misfit(
                f"(batch, ..., {features}), because the kernel was built as ({features}, {units})", x.type
            )
        y = ops.matmul(ops.cast(x, self.compute_dtype), self.kernel.node)
        if self.bias is not None:
            y = y + self.bias.node
        return activate(self.activation, y, training)

    def _misfit(self, expected: str, x: TensorType) -> ShapeError:
        return ShapeError(
            "the input does not fit the kernel" if self.built else "the input has no features",
            expected=expected,
            got=f"({', '.join(map(str, ('batch', *x.shape[1:])))})" if x.rank else "a scalar",
            fix="check what the layer before gives; Flatten() makes (batch, features) of any shape",
        )
