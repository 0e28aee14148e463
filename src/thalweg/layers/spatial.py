"""What all layers of images (or of times, or of volumes) have in common: their axes, and the windows laid over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, TypeAlias

from thalweg import ops
from thalweg.checks import In, OneOf
from thalweg.errors import ArgumentError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.layers.layer import Layer
from thalweg.layers.symbols import Symbol
from thalweg.ops.convolution import reach

Size: TypeAlias = Annotated[int, In("[1, inf)")]
Sizes: TypeAlias = Size | tuple[Size, ...]
"""One for all axes of places, or one for each."""

Padding: TypeAlias = Annotated[str, OneOf("valid", "same")]
DataFormat: TypeAlias = Annotated[str, OneOf("channels_last", "channels_first")]

Margins = tuple[tuple[int, int], ...]
"""How many places before and after, for each axis."""

PLACES = {1: ("time",), 2: ("height", "width"), 3: ("depth", "height", "width")}
SMALL_IMAGE = 8
"""A side shorter than this is not told from a number of channels."""
OF_WINDOWS = ("kernel_size", "pool_size", "strides", "dilation_rate")
"""The arguments of layers with windows that are one for all axes of places, or one for each."""
DATA_CHANNELS = (1, 3, 4)
"""Of images as they are taken: grey, in colour, in colour with transparency."""


MOST_BEYOND = 4
"""Times the input that windows may span; dilations of networks for dense prediction exceed their small maps by less."""


@dataclass(frozen=True)
class Frame:
    """A window, and how it moves over the places.

    Arguments:
        padding: "valid" for windows inside only; "same" for ceil(places / stride) windows, which at the ends reach out
            equally far, one further behind if need be; "causal" for windows that end at their place.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: str = "valid"

    def margins(self, places: tuple[int, ...]) -> Margins:
        """The places that windows need before and after those that there are."""
        spans = [reach(k, d) for k, d in zip(self.size, self.dilation, strict=True)]
        if self.padding == "valid":
            return tuple((0, 0) for _ in spans)
        for span, n in zip(spans, places, strict=True):
            if span > MOST_BEYOND * max(n, 1024):
                raise ShapeError(
                    "windows reach far beyond the input: nearly all that they see is padding",
                    expected=f"windows that span at most {MOST_BEYOND * max(n, 1024)} places",
                    got=f"a span of {span} places, over an input of {n}",
                    fix="make the kernel or the dilation smaller",
                )
        if self.padding == "causal":
            return tuple((span - 1, 0) for span in spans)
        missing = [
            max((-(-n // s) - 1) * s + span - n, 0) for n, s, span in zip(places, self.strides, spans, strict=True)
        ]
        return tuple((n // 2, n - n // 2) for n in missing)

    def transposed_margins(self, more: tuple[int, ...] | None) -> Margins:
        """The same for the windows of a transposed convolution, over places spread out by the strides.

        Then "valid" gives ``(places - 1) * stride + max(span, stride)`` places, and "same" ``places * stride``.

        Arguments:
            more: Keras's ``output_padding``: in place of these, ``(places - 1) * stride + span + more`` places, and
                with "same" ``(places - 1) * stride + span % 2 + more``.
        """
        margins = []
        for axis, (k, s, d) in enumerate(zip(self.size, self.strides, self.dilation, strict=True)):
            span = reach(k, d)
            if self.padding == "valid":
                margins.append((span - 1, span - 1 + (max(s - span, 0) if more is None else more[axis])))
            else:
                total = span - 2 + (s if more is None else span % 2 + more[axis])
                low = min(total - total // 2, span - 1)
                margins.append((low, total - low))
        return tuple(margins)


def each(owner: object, name: str, value: Any, rank: int) -> tuple[Any, ...]:
    """An argument that is one for all axes of places, or one for each, as the latter.

    Raises: ArgumentError if it is for another number of axes.
    """
    if not isinstance(value, tuple):
        return (value,) * rank
    if len(value) == rank:
        return value
    raise ArgumentError(
        f"{type(owner).__name__}: argument {name!r} is for another number of axes",
        expected=f"one for all axes, or one for each of {', '.join(PLACES[rank])}",
        got=str(value),
        fix=f"give {rank}" if rank > 1 else "give one number",
    )


class Spatial(Layer):
    """The base of layers of (batch, *places, channels). A subclass writes ``make`` and ``compute`` for that order.

    With ``data_format="channels_first"`` the input is (batch, channels, *places) and so is the result; the axes are
    put in order before and after. Compiling takes that away again between such layers, also where activations, sums and
    normalisations of axis 1 stand between them (``passes.transposes``): what stays is one at the border of the model.
    """

    rank: ClassVar[int]
    """How many axes of places there are."""

    channels: int
    """Of the input, from ``build`` on."""

    strides: Any
    """Of layers that have windows."""

    def __post_init__(self) -> None:
        for name in ("padding", "data_format"):  # Keras takes "SAME", too
            if isinstance(getattr(self, name, None), str):
                setattr(self, name, getattr(self, name).lower())
        super().__post_init__()
        if getattr(self, "strides", ()) is None:  # side by side
            self.strides = self.window()
        for name in OF_WINDOWS:
            if getattr(self, name, None) is not None:
                setattr(self, name, each(self, name, getattr(self, name), self.rank))

    @property
    def channels_first(self) -> bool:
        """Whether images come as (batch, channels, *places)."""
        return getattr(self, "data_format", None) == "channels_first"

    def make(self, x: TensorType) -> None:
        """Make the parameters for inputs of this type, channels last."""

    def compute(self, x: Node, training: bool) -> Node:
        """The result, channels last, for an input with channels last."""
        raise NotImplementedError(f"{type(self).__name__} has no compute()")

    def window(self) -> tuple[int, ...]:
        """The sizes of the window that the layer lays over its input; ones if it has none."""
        return self._for_each("kernel_size") or self._for_each("pool_size") or (1,) * self.rank

    def frame(self) -> Frame:
        """The window and how it moves."""
        ones = (1,) * self.rank
        strides, dilation = self._for_each("strides"), self._for_each("dilation_rate")
        return Frame(self.window(), strides or ones, dilation or ones, getattr(self, "padding", "valid"))

    def _for_each(self, name: str) -> tuple[int, ...] | None:
        value = getattr(self, name, None)  # may have been set after the layer was made
        return None if value is None else each(self, name, value, self.rank)

    def places(self, x: Node) -> tuple[int, ...]:
        """The axes of the places. Raises ShapeError if the input has others."""
        self._in_order(x.type)
        return tuple(range(2, x.rank)) if self.channels_first else tuple(range(1, x.rank - 1))

    def build(self, x: TensorType) -> None:
        x = self._in_order(x)
        self._check_order(x)
        self.channels = x.shape[-1]
        self.make(x)

    def call(self, x: Node, training: bool) -> Node:
        kind = self._in_order(x.type)
        if self.own_parameters and kind.shape[-1] != self.channels:
            raise ShapeError(
                "the input has another number of channels than the kernel",
                expected=self._axes(str(self.channels)),
                got=_shown(x.type),
                fix="check what the layer before gives, and the order of the axes",
            )
        if not self.channels_first:
            return self.compute(x, training)
        y = self.compute(ops.transpose(x, (0, *range(2, x.rank), 1)), training)
        return ops.transpose(y, (0, y.rank - 1, *range(1, y.rank - 1))) if y.rank > 2 else y

    def _in_order(self, x: TensorType) -> TensorType:
        """The input's type with the channels last."""
        if x.rank == self.rank + 2:
            batch, *rest = x.shape
            return x.with_shape((batch, *rest[1:], rest[0])) if self.channels_first else x
        if x.rank == self.rank + 1:
            one = (*x.shape[1:], 1) if not self.channels_first else (1, *x.shape[1:])
            raise ShapeError(
                "the input has no axis of channels",
                expected=self._axes(),
                got=_shown(x),
                fix=f"for one channel put Reshape({one}) before this layer",
            )
        raise ShapeError(
            "the input has another number of axes than this layer is for",
            expected=self._axes(),
            got=_shown(x),
            fix=f"use the layer for inputs of {x.rank - 1} axes, or Reshape"
            if x.rank > self.rank
            else "put Reshape before this layer, with the sizes of an image",
        )

    def _check_order(self, x: TensorType) -> None:
        """Raise ShapeError if the input looks like (batch, channels, *places) and nobody said that it is not.

        That is square images of 1 or 3 rows and as many channels as columns.
        """
        if x.shape[1] in (1, 3) and x.shape[-2] == x.shape[-1] >= SMALL_IMAGE and self._may_be_turned():
            raise self._channels_first_error(x)

    def check_symbols(self, inputs: Sequence[Symbol]) -> None:
        if len(inputs) == 1 and inputs[0].rank == self.rank + 2 and _is_data(inputs[0]):
            self._check_order_of_data(inputs[0].type())

    def _check_order_of_data(self, x: TensorType) -> None:
        """The same for what comes straight from the user: no data have few rows and many channels."""
        first, *rest = x.shape[1:]
        if first in DATA_CHANNELS and min(rest) >= SMALL_IMAGE and self._may_be_turned():
            raise self._channels_first_error(x)
        last, *places = reversed(x.shape[1:])
        if self.rank > 1 and self.channels_first and last in DATA_CHANNELS and min(places) >= SMALL_IMAGE:
            raise ShapeError(
                "these look like images with the channels last, and this layer takes them first",
                expected=self._axes(str(last)),
                got=f"{_shown(x)}: {x.shape[1]} channels, and images of {' x '.join(map(str, x.shape[2:]))}",
                fix='leave data_format="channels_first" out; if the channels are first, put Permute('
                f"{(*range(2, self.rank + 2), 1)}) before this layer and leave it out as well",
                layer=str(self),
            )

    def _may_be_turned(self) -> bool:
        """Whether nobody has said where the channels are, and the window is of several rows."""
        return self.rank > 1 and getattr(self, "data_format", None) is None and self.window()[0] > 1

    def _channels_first_error(self, x: TensorType) -> ShapeError:
        order = (*range(2, self.rank + 2), 1)
        return ShapeError(
            "these look like images with the channels first, and this layer takes them last",
            expected=self._axes(str(x.shape[1])),
            got=f"{_shown(x)}: {x.shape[1]} rows and {x.shape[-1]} channels",
            fix=f"transpose the data once, x.transpose(0, {', '.join(map(str, order))}), or pass "
            'data_format="channels_first"; if the channels are last, pass data_format="channels_last"',
            layer=str(self),
        )

    def _axes(self, channels: str = "channels") -> str:
        names = PLACES[self.rank]
        named = (channels, *names) if self.channels_first else (*names, channels)
        return f"(batch, {', '.join(named)})"


def _shown(x: TensorType) -> str:
    return f"({', '.join(map(str, ('batch', *x.shape[1:])))})" if x.rank else "a scalar"


def _is_data(x: Symbol) -> bool:
    """Whether nothing stands between the user's data and this but layers that keep the shape and learn nothing."""
    while x.call is not None:
        before = x.call.inputs
        if len(before) != 1 or before[0].shape != x.shape or x.call.layer.named_parameters():
            return False
        (x,) = before
    return True
