"""What parameters are projected onto after every step. Adding one is adding a class here.

They are ``kernel_constraint``, ``bias_constraint`` ... of a layer, and part of the compiled step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from thalweg import absent, config, ops
from thalweg.checks import In, check_fields
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.registry import Registered, Registry

Projection = Callable[[Node], Node]
"""From a parameter to one of the same shape: a Constraint, or any such function of nodes."""

Axis = int | tuple[int, ...]
Size = Annotated[float, In("[0, inf)")]


@dataclass(frozen=True)
class Constraint(Registered):
    """A projection. A subclass writes ``__call__``, from a node to a node of the same shape."""

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, w: Node) -> Node:
        raise NotImplementedError(f"{type(self).__name__} has no __call__()")


registry: Registry[Constraint] = Registry("constraint", Constraint)
get, serialize, deserialize = registry.get, registry.config, registry.deserialize
if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__, registry.attribute)


@registry.register("max_norm")
@dataclass(frozen=True)
class MaxNorm(Constraint):
    """Makes vectors longer than ``max_value`` that long.

    Arguments:
        axis: along which the vectors lie. For the kernel (in, out) of Dense, 0: the weights of one unit.

    Source: Srivastava et al. (2014), JMLR 15, section 5.1; with Keras's epsilon, 1e-7 added to the length.
    """

    max_value: Size = 2.0
    axis: Axis = 0

    def __call__(self, w: Node) -> Node:
        norms = _norms(w, self.axis)
        return w * (ops.minimum(norms, self.max_value) / (norms + config.epsilon()))


@registry.register("min_max_norm")
@dataclass(frozen=True)
class MinMaxNorm(Constraint):
    """Moves the lengths of vectors into [``min_value``, ``max_value``], by the share ``rate`` of the way.

    Arguments:
        axis: see :class:`MaxNorm`.

    Raises: ArgumentError if min_value is above max_value.
    """

    min_value: Size = 0.0
    max_value: Size = 1.0
    rate: Annotated[float, In("[0, 1]")] = 1.0
    axis: Axis = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_value > self.max_value:
            raise ArgumentError(
                "MinMaxNorm: no length is allowed",
                expected="min_value <= max_value",
                got=f"min_value={self.min_value}, max_value={self.max_value}",
                fix="exchange them",
            )

    def __call__(self, w: Node) -> Node:
        norms = _norms(w, self.axis)
        inside = ops.maximum(ops.minimum(norms, self.max_value), self.min_value)
        return w * ((inside * self.rate + norms * (1.0 - self.rate)) / (norms + config.epsilon()))


@registry.register("non_neg")
@dataclass(frozen=True)
class NonNeg(Constraint):
    """Makes negative numbers 0."""

    def __call__(self, w: Node) -> Node:
        return ops.maximum(w, 0.0)


@registry.register("unit_norm")
@dataclass(frozen=True)
class UnitNorm(Constraint):
    """Makes vectors as long as 1.

    Arguments:
        axis: see :class:`MaxNorm`.
    """

    axis: Axis = 0

    def __call__(self, w: Node) -> Node:
        return w / (_norms(w, self.axis) + config.epsilon())


def _norms(w: Node, axis: Axis) -> Node:
    return ops.sqrt(ops.reduce_sum(ops.square(w), axis, keepdims=True))
