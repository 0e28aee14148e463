"""Layers called on symbols: which gives symbols, and connects the layers of a model."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import starmap
from typing import Any

from thalweg import ops
from thalweg.errors import ShapeError
from thalweg.graph.node import Nodes
from thalweg.graph.types import OpenSize, Shape, TensorType
from thalweg.layers.layer import DEPENDS_ON_DATA, Layer, called_on, remember_use, symbolic
from thalweg.layers.masking import MaskNotice
from thalweg.layers.route import route
from thalweg.layers.symbols import OPEN_SIZES, Call, Symbol
from thalweg.layers.tracing import tracing

Types = tuple[TensorType, ...]

BATCHES = (8191, 7)
"""The batch sizes that results are worked out for, see ``without_batch``. Primes, so that nothing divides them; the
first is one that few layers have, so that in most messages it can be told from other sizes.
"""


@called_on(Symbol)
def on_symbols(
    layer: Layer, inputs: tuple[Symbol, ...], training: bool | None, mask: Any = None
) -> Symbol | tuple[Symbol, ...]:
    """The layer's results for these symbols; builds the layer if nothing has.

    Raises: ShapeError if the inputs do not fit, with the way that they came; or as ``without_batch``.
    """
    layer.check_symbols(inputs)
    masks = () if mask is None else tuple(mask) if isinstance(mask, list | tuple) else (mask,)
    call = Call(layer, (*inputs, *masks), training, len(masks))
    is_open = any(x.is_open for x in call.inputs)
    try:
        small = _Outcome(call, 0)
        large = _Outcome(call, 1) if is_open else small
        tried = [_tried(n, m) for n, m in zip(small.types, large.types, strict=True)]
    except ShapeError as error:
        if error.layer is None:
            error.layer = str(layer)
        if is_open and error.problem != DEPENDS_ON_DATA:
            error.got += (
                f"\nwhere {' and '.join(map(str, OPEN_SIZES))} are tried in place of a size that is open (None)"
            )
        if error.problem not in OF_BATCH:
            error.got += f"\n{route(inputs)}"
        raise
    masked = iter(tried[len(small.masked) :])
    symbols = tuple(
        Symbol((None, *symbolic(shapes[0])), kind.dtype, shapes, call, index, mask=next(masked) if has_mask else None)
        for index, (kind, shapes, has_mask) in enumerate(zip(small.types, tried, small.masked, strict=False))
    )
    for unmasked in small.unmasked:
        warnings.warn(
            f"{unmasked} does not support masking: the mask of its input ends here, and what comes after counts all "
            "places. A layer of one's own says supports_masking = True if its result has the mask of its input.",
            MaskNotice,
            stacklevel=4,
        )
    layer.output_shape = symbols[0].shape
    remember_use(layer, symbols[0])
    return symbols[0] if len(symbols) == 1 else symbols


class _Outcome:
    """What a call gives for one of the sizes of open axes.

    Attributes:
        types: of one sample's results, and then of their masks.
        masked: which of the results have a mask.
        unmasked: the layers that a mask did not come out of.
    """

    def __init__(self, call: Call, trial: int) -> None:
        self.call = call
        self.trial = trial
        self.masked: list[bool] = []
        self.unmasked: list[object] = []
        self.types = without_batch(self._infer)

    def _infer(self, batch: int) -> Types:
        with tracing() as trace:
            nodes = []
            for i, x in enumerate(self.call.inputs):
                kind = x.type(batch, self.trial)
                nodes.append(ops.input_node(f"input_{i}", kind.shape, kind.dtype))
                if x.mask is not None:
                    trace.masks[nodes[-1]] = ops.input_node(f"mask_{i}", (batch, *x.mask[self.trial]), "bool")
            made = self.call.on(nodes, None)
        results: Nodes = made if isinstance(made, tuple) else (made,)
        masks = [trace.masks.get(node) for node in results]
        self.masked, self.unmasked = [mask is not None for mask in masks], list(trace.unmasked)
        return tuple(node.type for node in (*results, *masks) if node is not None)


def _tried(small: TensorType, large: TensorType) -> tuple[Shape, Shape]:
    """The shapes of one result for both sizes of open axes: what differs is open.

    Raises: ShapeError if it has more axes for one of them.
    """
    if small.rank != large.rank:
        raise ShapeError(
            "how many axes the result has depends on the size of an open one",
            expected="equally many for every size",
            got=f"{small} for {OPEN_SIZES[0]}, {large} for {OPEN_SIZES[1]}",
            fix="give the Input its sizes, or keep the axes",
        )
    first, second = small.shape, large.shape
    return _compared(first, second), _compared(second, first)


def _compared(shape: Shape, other: Shape) -> Shape:
    return tuple(int(n) if n == m else OpenSize(n) for n, m in zip(shape, other, strict=True))


ANOTHER_BATCH = "the result has another batch axis than the input"
BATCH_TWICE = "the result has the batch axis twice: every sample would meet every other one"
OF_BATCH = (ANOTHER_BATCH, BATCH_TWICE)
"""The problems that ``without_batch`` finds."""


def without_batch(infer: Callable[[int], Types]) -> Types:
    """The types of one sample's results.

    They are worked out for two sizes of a batch. What differs between the two comes from the batch, whatever sizes the
    layers have: that must be the first axis and no other. With one size alone ``Dense(8191)`` would look like a layer
    in which the samples of a batch of 8191 meet, and ``x[:8191]`` like one that keeps them.

    Arguments:
        infer: from the size of a batch to the types of the results.

    Raises: ShapeError if the first axis is not the batch, or another one depends on it.
    """
    both = [(batch, infer(batch)) for batch in BATCHES]
    for batch, kinds in both:
        for kind in kinds:
            if kind.shape[:1] != (batch,):
                raise ShapeError(
                    ANOTHER_BATCH,
                    expected="a first axis with one entry for each sample",
                    got=f"shape {kind.shape} for a batch of {batch}",
                    fix="keep the first axis as it is; reduce and reshape the others only",
                )
    (_, first), (_, second) = both
    for kind, other in zip(first, second, strict=True):
        if kind.shape[1:] != other.shape[1:]:
            raise ShapeError(
                BATCH_TWICE,
                expected="inputs that have equally many axes",
                got=" and ".join(starmap(lambda batch, kinds: f"{kinds} for a batch of {batch}", both)),
                fix="add the missing axes behind the first, for example with Reshape or x[:, None]",
            )
    return tuple(kind.with_shape(kind.shape[1:]) for kind in first)
