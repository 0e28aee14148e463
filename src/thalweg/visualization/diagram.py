"""A model drawn as boxes for its layers and lines for what flows between them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from thalweg.checks import In, OneOf, check_value, checked
from thalweg.errors import ArgumentError, StorageError
from thalweg.fields import dataclass
from thalweg.layers.layer import Layer
from thalweg.layers.nested import Nested
from thalweg.layers.symbols import Symbol
from thalweg.model import Model
from thalweg.plotting import close, figure, part
from thalweg.visualization.layout import Arrangement, Point, arrange

COLORS = {
    "convolution": "#cfe2f3",
    "dense": "#fce5cd",
    "embedding": "#fce5cd",
    "pooling": "#f4cccc",
    "resizing": "#f4cccc",
    "resampling": "#f4cccc",
    "normalization": "#d9ead3",
    "activation": "#fff2cc",
    "merging": "#d9d2e9",
}
"""By the module of the layer; the others, which have no weights and hardly change anything, are grey."""

SIZE, SMALL = 9.0, 7.5
"""Of letters, in points."""

INCH = 72.0
MARGIN = 0.15
LONGEST = 2**16 - 1
"""Pixels that a picture may have on a side."""

DIRECTIONS = ("TB", "LR", "BT", "RL")


@checked
def plot_model(
    model: Model,
    to_file: str | os.PathLike[str] | None = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
) -> Any:
    """Draw the layers of a model and their connections; returns the matplotlib figure.

    The longest way through the model is drawn straight, branches and skip connections beside it. Shapes are those of
    one sample. Nothing but matplotlib is needed.

    Arguments:
        to_file: the picture to write, its kind by its ending: png, svg, pdf; None for none.
        rankdir: where the data flow: from top to bottom "TB", left to right "LR", "BT" or "RL".
        expand_nested: whether models inside the model are drawn with their layers, in a frame.
        dpi: dots per inch of a png; fewer where the picture would get too large for the format.

    Raises: GraphError if the model is not built, ArgumentError for an argument that does not fit, StorageError if the
        file cannot be written, MissingPackageError without matplotlib.
    """
    model.runner.require_built("plot_model")
    direction = check_value("plot_model", "rankdir", Annotated[str, OneOf(*DIRECTIONS)], rankdir)
    dots = check_value("plot_model", "dpi", Annotated[int, In("[1, inf)")], dpi)
    shown = Shown(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable, expand_nested)
    picture = Block.of(model, shown, direction)
    assert picture.inside is not None, "a model is a frame"
    (low, left), (high, right) = picture.inside.low, picture.inside.high
    along, across = high - low + 2 * MARGIN, right - left + 2 * MARGIN
    size = (across, along) if direction in ("TB", "BT") else (along, across)
    drawn = figure(figsize=size)
    axes = drawn.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    paper = _Paper(axes, direction, size)
    _draw(picture, paper, (MARGIN - low, MARGIN - left))
    axes.set_xlim(0, size[0])
    axes.set_ylim(0, size[1])
    if to_file is not None:
        _save(drawn, Path(to_file), min(dots, int(LONGEST / max(size))))
    return drawn


@dataclass(frozen=True)
class Shown:
    """What is written into the boxes."""

    shapes: bool
    dtype: bool
    names: bool
    activations: bool
    trainable: bool
    expanded: bool

    def lines(self, layer: Layer, inputs: Sequence[Symbol], outputs: Sequence[Symbol]) -> list[str]:
        """What is written about a layer."""
        kind = layer.class_name
        activation = getattr(layer, "activation", None)
        if self.activations and activation is not None:
            named = getattr(activation, "__name__", type(activation).__name__)  # a function, or a layer
            kind += f", {activation if isinstance(activation, str) else named}"
        notes = []
        if self.shapes:
            came, goes = ({s.shape[1:] for s in symbols} for symbols in (inputs, outputs))
            gives = ", ".join(_shape(s) for s in outputs)
            notes.append(gives if len(inputs) > 1 or came == goes else f"{_shape(inputs[0])} → {gives}")
        if self.dtype:
            notes.append(outputs[0].dtype)
        if self.trainable and layer.named_parameters():
            notes.append("trainable" if layer.trainable else "frozen")
        return [*([layer.label] if self.names else []), kind, *notes]

    def of_input(self, symbol: Symbol, label: str) -> list[str]:
        """What is written about an input."""
        name = symbol.name or (label.removeprefix("x/") if label != "x" else "")
        notes = [_shape(symbol)] * self.shapes + [symbol.dtype] * self.dtype
        return [*([name] if self.names and name else []), "Input", *notes]


def _shape(symbol: Symbol) -> str:
    return " × ".join(map(str, symbol.shape[1:])) or "1 number"


@dataclass
class Block:
    """A box with lines of text, or, for a model, a frame with boxes inside.

    Attributes:
        lines: what is written; in a frame over the boxes.
        blocks, inside: of a frame: the boxes, and where they are.
        bold: the number of the line that is the layer's class.
    """

    lines: list[str]
    color: str = "#eeeeee"
    bold: int = 0
    size: Point = (0.0, 0.0)
    blocks: list[Block] = field(default_factory=list)
    inside: Arrangement | None = None

    padding: ClassVar[Point] = (0.07, 0.12)

    @classmethod
    def of(cls, model: Model, shown: Shown, direction: str, lines: Sequence[str] = ()) -> Block:
        """The whole model, arranged."""
        blocks: list[Block] = []
        makers: dict[Any, int] = {}  # an input symbol or a call -> the number of its block
        structure = model.runner.structure
        for label, symbol in structure.inputs.items():
            makers[symbol] = len(blocks)
            text = shown.of_input(symbol, label)
            blocks.append(cls(text, "#ffffff", text.index("Input")))
        edges = []
        for call in structure.calls:
            outputs = structure.results_of(call)
            text = shown.lines(call.layer, call.inputs, outputs)
            bold = 1 if shown.names else 0
            for symbol in call.inputs:
                source = symbol if symbol in makers else symbol.call
                edges.append((makers[source], len(blocks)))
            makers[call] = len(blocks)
            if isinstance(call.layer, Nested) and shown.expanded:
                blocks.append(cls.of(call.layer.model, shown, direction, text))
            else:
                blocks.append(cls(text, _color(call.layer), bold))
        plain = [block for block in blocks if block.inside is None]
        sizes = [_text_size(block, direction) for block in plain]
        largest = tuple(max((size[axis] for size in sizes), default=0.0) for axis in (0, 1))
        for block, (along, across) in zip(plain, sizes, strict=True):
            block.size = (along, largest[1]) if direction in ("TB", "BT") else (largest[0], across)
        gap = (0.2, 0.25) if direction in ("TB", "BT") else (0.3, 0.2)
        inside = arrange([block.size for block in blocks], edges, gap)
        (low, left), (high, right) = inside.low, inside.high
        whole = cls(list(lines), "none", bold=1 if shown.names else 0, blocks=blocks, inside=inside)
        heading, wide = _heading(whole, direction) if lines else (0.0, 0.0)
        whole.size = (high - low + 0.3, right - left + 0.3)
        if direction in ("TB", "BT"):
            whole.size = (whole.size[0] + heading, max(whole.size[1], wide + 0.3))
        else:
            whole.size = (max(whole.size[0], wide + 0.3), whole.size[1] + heading)
        return whole


def _color(layer: Layer) -> str:
    return COLORS.get(type(layer).__module__.rpartition(".")[2], "#eeeeee")


def _text_size(block: Block, direction: str) -> Point:
    wide = max(_width(line, number == block.bold) for number, line in enumerate(block.lines))
    high = sum(_height(number == block.bold) for number in range(len(block.lines)))
    size = (high + 2 * Block.padding[0], wide + 2 * Block.padding[1])
    return size if direction in ("TB", "BT") else (size[1], size[0])


def _heading(frame: Block, direction: str) -> tuple[float, float]:
    """How high and how wide the text over a frame's boxes is."""
    text = "  ".join(frame.lines)
    return _height(True) + 0.08, _width(text, True)


def _height(bold: bool) -> float:
    return (SIZE if bold else SMALL) * 1.35 / INCH


def _width(text: str, bold: bool) -> float:
    font = part("font_manager").FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    path = part("textpath").TextPath((0, 0), text, size=SIZE if bold else SMALL, prop=font)
    return float(path.get_extents().width) / INCH


@dataclass(frozen=True)
class _Paper:
    """Axes in inches, and how along and across lie on them."""

    axes: Any
    direction: str
    size: Point  # (width, height)

    def at(self, along: float, across: float) -> Point:
        width, height = self.size
        return {
            "TB": (across, height - along),
            "BT": (across, along),
            "LR": (along, height - across),
            "RL": (width - along, height - across),
        }[self.direction]


def _draw(frame: Block, paper: _Paper, offset: Point) -> None:
    assert frame.inside is not None, "a frame holds boxes"

    def moved(point: Point) -> Point:
        return paper.at(point[0] + offset[0], point[1] + offset[1])

    for line in frame.inside.lines.values():
        _arrow(paper, [moved(point) for point in line])
    for block, middle in zip(frame.blocks, frame.inside.middles, strict=True):
        corner = [m + o - s / 2 for m, o, s in zip(middle, offset, block.size, strict=True)]
        x, y = moved(middle)
        width, height = block.size[::-1] if paper.direction in ("TB", "BT") else block.size
        _box(paper, block, (x - width / 2, y - height / 2), (width, height))
        if block.inside is None:
            _write(paper, block, x, y + height / 2 - Block.padding[0])
        else:
            heading = _height(True) + 0.08
            _write_heading(paper, block, x, y + height / 2 - 0.06)
            (low, left), (high, right) = block.inside.low, block.inside.high
            spare = [s - n for s, n in zip(block.size, (high - low, right - left), strict=True)]
            start = [c + n / 2 for c, n in zip(corner, spare, strict=True)]
            axis = 0 if paper.direction in ("TB", "BT") else 1
            start[axis] += heading / 2 if paper.direction != "BT" else -heading / 2
            _draw(block, paper, (start[0] - low, start[1] - left))


def _box(paper: _Paper, block: Block, corner: Point, size: Point) -> None:
    frame = block.inside is not None
    paper.axes.add_patch(
        part("patches").FancyBboxPatch(
            corner,
            *size,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor="#f7f7f7" if frame else block.color,
            edgecolor="#888888" if frame else "#444444",
            linestyle="--" if frame else "-",
            linewidth=0.8,
            zorder=1 if frame else 3,
        )
    )


def _write(paper: _Paper, block: Block, x: float, top: float) -> None:
    for number, line in enumerate(block.lines):
        bold = number == block.bold
        high = _height(bold)
        paper.axes.text(
            x,
            top - high / 2,
            line,
            ha="center",
            va="center_baseline",
            fontsize=SIZE if bold else SMALL,
            family="DejaVu Sans",
            weight="bold" if bold else "normal",
            color="#000000" if bold else "#333333",
            zorder=4,
        )
        top -= high


def _write_heading(paper: _Paper, frame: Block, x: float, top: float) -> None:
    paper.axes.text(
        x, top, "  ".join(frame.lines), ha="center", va="top", fontsize=SMALL, weight="bold", color="#555555", zorder=4
    )


def _arrow(paper: _Paper, corners: Sequence[Point]) -> None:
    """A line with round corners and a head at its end."""
    radius, curve = 0.08, part("path").Path
    points, codes = [corners[0]], [curve.MOVETO]
    for before, here, after in zip(corners, corners[1:], corners[2:], strict=False):
        near = [_towards(here, other, radius) for other in (before, after)]
        points += [near[0], here, near[1]]
        codes += [curve.LINETO, curve.CURVE3, curve.CURVE3]
    points.append(corners[-1])
    codes.append(curve.LINETO)
    paper.axes.add_patch(
        part("patches").FancyArrowPatch(
            path=curve(points, codes),
            arrowstyle="-|>,head_length=3,head_width=1.6",
            linewidth=0.9,
            color="#555555",
            shrinkA=0,
            shrinkB=0,
            zorder=2,
        )
    )


def _towards(start: Point, end: Point, distance: float) -> Point:
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])  # lines are level or upright
    share = min(distance / length, 0.5) if length else 0.0
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _save(drawn: Any, file: Path, dpi: int) -> None:
    kinds = drawn.canvas.get_supported_filetypes()
    if file.suffix[1:].lower() not in kinds:
        raise ArgumentError(
            "plot_model: there is no such kind of picture",
            expected=f"a file name that ends in {', '.join(f'.{kind}' for kind in ('png', 'svg', 'pdf'))}",
            got=repr(str(file)),
            fix=f"to_file={str(file.with_suffix('.png'))!r}",
        )
    try:
        drawn.savefig(file, dpi=dpi)
    except OSError as error:
        raise StorageError(
            f"cannot write {str(file)!r}",
            expected="a file name in an existing, writable folder",
            got=error.strerror or str(error),
            fix="choose another file with to_file=",
        ) from error
    finally:
        close(drawn)
