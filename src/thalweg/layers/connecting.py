"""Layers called on symbols: which gives symbols, and connects the layers of a model."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import starmap
from typing import Any

from thalweg.errors import ShapeError
from thalweg.graph.types import OpenSize, Shape, TensorType
from thalweg.layers.layer import DEPENDS_ON_DATA, Layer, Outcome, called_on, remember_use
from thalweg.layers.masking import MaskNotice
from thalweg.layers.route import route
from thalweg.layers.signature import Arguments, symbolic
from thalweg.layers.symbols import OPEN_SIZES, Call, Symbol
from thalweg.trees import unflatten

Types = tuple[TensorType, ...]

BATCHES = (8191, 7)
"""The batch sizes that results are worked out for, see ``without_batch``. Primes, so that nothing divides them; the
first is one that few layers have, so that in most messages it can be told from other sizes.
"""


@called_on(Symbol)
def on_symbols(layer: Layer, inputs: tuple[Symbol, ...], training: bool | None, arguments: Arguments) -> Any:
    """The layer's results for these symbols, nested as ``call`` gives them; builds the layer if nothing has.

    Raises: ShapeError if the inputs do not fit, with the way that they came; or as ``without_batch``.
    """
    layer.check_symbols(inputs)
    is_open = any(x.is_open for x in inputs)
    try:
        small, outcome = _results(layer, inputs, arguments, 0)
        large = _results(layer, inputs, arguments, 1)[0] if is_open else small
        tried = list(starmap(_tried, zip(small, large, strict=True)))
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
    call = Call(layer, inputs, training, arguments)
    shapes_of_masks = iter(tried[len(outcome.types) :])
    masks = [None if mask is None else next(shapes_of_masks) for mask in outcome.masks]
    symbols = tuple(
        Symbol((None, *symbolic(shapes[0])), kind.dtype, shapes, call, index, mask=mask)
        for index, (kind, shapes, mask) in enumerate(zip(outcome.types, tried, masks, strict=False))
    )
    for unmasked in outcome.unmasked:
        warnings.warn(
            f"{unmasked} does not support masking: the mask of its input ends here, and what comes after counts all "
            "places. A layer of one's own says supports_masking = True if its result has the mask of its input.",
            MaskNotice,
            stacklevel=3,
        )
    layer.output_shape = symbols[0].shape
    remember_use(layer, symbols[0])
    return unflatten(outcome.form, iter(symbols))


def _results(layer: Layer, inputs: tuple[Symbol, ...], arguments: Arguments, trial: int) -> tuple[Types, Outcome]:
    """The types of one sample's results and of their masks, for one of the sizes of open axes; and all else."""
    outcomes: list[Outcome] = []

    def infer(batch: int) -> Types:
        masks = [x.mask_type(batch, trial) for x in inputs]
        outcomes.append(layer.outcome([x.type(batch, trial) for x in inputs], arguments, masks))
        return (*outcomes[-1].types, *(mask for mask in outcomes[-1].masks if mask is not None))

    return without_batch(infer), outcomes[0]


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
