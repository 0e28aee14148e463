"""Penalties on parameters and activations, added to the loss. Adding one is adding a class here.

``kernel_regularizer``, ``bias_regularizer`` ... of a layer go by the parameter: the penalty of every trained parameter
is added once. ``activity_regularizer`` goes by what the layer gives: that penalty is divided by the batch size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from thalweg import absent, config, ops
from thalweg.checks import In, OneOf, check_fields
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.registry import Registered, Registry

Penalty = Callable[[Node], Node]
"""From a tensor to a number: a Regularizer, or any such function of nodes."""

Factor = Annotated[float, In("[0, inf)")]


@dataclass(frozen=True)
class Regularizer(Registered):
    """A penalty. A subclass writes ``__call__``, from a node to a scalar node.

    As an activity regularizer it should be 0 for rows of zeros, which stand for missing rows in evaluation.
    """

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, x: Node) -> Node:
        raise NotImplementedError(f"{type(self).__name__} has no __call__()")


registry: Registry[Regularizer] = Registry("regularizer", Regularizer)
get, serialize, deserialize = registry.get, registry.config, registry.deserialize
if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__, registry.attribute)


@registry.register("l1")
@dataclass(frozen=True)
class L1(Regularizer):
    """``l1 * sum(|x|)``: parameters that do little become 0, where its derivative is 0 (Keras on JAX: ``l1``).

    Source: Tibshirani (1996), J. R. Stat. Soc. B 58 (the lasso).
    """

    l1: Factor = 0.01

    def __call__(self, x: Node) -> Node:
        return ops.reduce_sum(ops.absolute(x)) * self.l1


@registry.register("l2")
@dataclass(frozen=True)
class L2(Regularizer):
    """``l2 * sum(x^2)``, without a factor 1/2, as in Keras; PyTorch's and scikit-learn's have it.

    Source: Krogh & Hertz (1992), NIPS 4.
    """

    l2: Factor = 0.01

    def __call__(self, x: Node) -> Node:
        return ops.reduce_sum(ops.square(x)) * self.l2


@registry.register("l1_l2", "l1l2")
@dataclass(frozen=True)
class L1L2(Regularizer):
    """``l1 * sum(|x|) + l2 * sum(x^2)``.

    Source: Zou & Hastie (2005), J. R. Stat. Soc. B 67 (the elastic net).
    """

    l1: Factor = 0.0
    l2: Factor = 0.0

    def __call__(self, x: Node) -> Node:
        return L1(self.l1)(x) + L2(self.l2)(x)


@registry.register("orthogonal_regularizer")
@dataclass(frozen=True)
class OrthogonalRegularizer(Regularizer):
    """``factor`` times the mean of ``|cos|`` of the angles between all pairs of rows, or columns, of a matrix.

    Shapes: x (rows, columns) -> ().
    Raises: ShapeError if x has another rank.
    Source: the definition of Keras; Brock et al. (2017), arXiv:1609.07093, for the idea.
    """

    factor: Factor = 0.01
    mode: Annotated[str, OneOf("rows", "columns")] = "rows"

    def __call__(self, x: Node) -> Node:
        if x.rank != 2:
            raise ShapeError(
                "OrthogonalRegularizer of a tensor that is no matrix",
                expected="(rows, columns)",
                got=str(x.shape),
                fix="use it as the kernel_regularizer of Dense",
            )
        x = x if self.mode == "rows" else ops.transpose(x)
        size = x.shape[0]
        squares = ops.reduce_sum(ops.square(x), 1, keepdims=True)
        shortest = config.epsilon()  # shorter rows count as that long, as in Keras
        some = squares > shortest**2  # also keeps the gradient of a row of zeros finite
        unit = x * ops.select(some, 1.0 / ops.sqrt(ops.select(some, squares, 1.0)), 1.0 / shortest)
        between = ops.matmul(unit, ops.transpose(unit))
        row, column = (ops.iota((size, size), axis) for axis in (0, 1))
        pairs = max(size * (size - 1), 1)  # each pair is there twice; a single row has no angles
        return ops.reduce_sum(ops.select(ops.equal(row, column), 0.0, ops.absolute(between))) * (self.factor / pairs)
