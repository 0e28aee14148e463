"""The masks that come to a layer with its inputs, and those that its results go on with."""

from __future__ import annotations

from typing import Any

from thalweg import ops
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node, apply
from thalweg.layers.tracing import mask_of, set_mask
from thalweg.ops.shape import Reshape
from thalweg.trees import TreeForm, flatten, unflatten


@dataclass(frozen=True, eq=False)
class Masks:
    """Of the tensors in the first argument of a layer's call.

    Attributes:
        each: which places of a tensor count, as bool of its first axes; None for all.
        form: how the tensors are nested.
    """

    tensors: tuple[Node, ...]
    each: tuple[Node | None, ...]
    form: TreeForm

    @classmethod
    def of(cls, argument: Any, given: Any = None) -> Masks:
        """Those that were given, else those that came with the tensors.

        Raises: ShapeError if there is not one for each tensor, or one does not fit.
        """
        leaves, form = flatten(argument)
        each = tuple(map(mask_of, leaves)) if given is None else _fitting(given, leaves)
        return cls(tuple(leaves), each, form)

    @property
    def nested(self) -> Any:
        """The masks in place of the tensors."""
        return unflatten(self.form, iter(self.each))

    @property
    def there(self) -> bool:
        """Whether there is one."""
        return any(mask is not None for mask in self.each)

    def apart(self, results: Any) -> Any:
        """A layer's results, as nodes of their own where they are inputs, whose masks they are not to have."""
        leaves, form = flatten(results)
        own = [apply(Reshape(node.shape), node) if node in self.tensors else node for node in leaves]
        return unflatten(form, iter(own))


def mask_results(leaves: list[Node], made: Any) -> None:
    """Give results the masks that ``compute_mask`` made, but for those that have one."""
    for node, mask in zip(leaves, _listed(made), strict=False):
        if mask_of(node) is None and mask is not None:
            set_mask(node, as_mask(mask))


def as_mask(x: Node) -> Node:
    """A mask as bool: what is not 0 counts."""
    return x if x.dtype == "bool" else ops.not_equal(x, 0)


def _listed(masks: Any) -> list[Any]:
    """Masks in the order in which ``flatten`` takes tensors, those that are None among them."""
    if isinstance(masks, dict):
        return [mask for key in sorted(masks, key=str) for mask in _listed(masks[key])]
    return [mask for part in masks for mask in _listed(part)] if isinstance(masks, list | tuple) else [masks]


def _fitting(given: Any, tensors: list[Node]) -> tuple[Node | None, ...]:
    masks = _listed(given)
    fit = len(masks) == len(tensors) and all(
        mask is None or (0 < mask.rank <= x.rank and mask.shape[0] == x.shape[0])
        for mask, x in zip(masks, tensors, strict=True)
    )
    if not fit:
        raise ShapeError(
            "the mask does not fit the input",
            expected=f"for each input a mask of no more axes and as many samples: {', '.join(map(str, tensors))}",
            got=", ".join(map(str, masks)),
            fix="pass one mask for each input, with one entry for each place: (batch, time)",
        )
    return tuple(None if mask is None else as_mask(mask) for mask in masks)
