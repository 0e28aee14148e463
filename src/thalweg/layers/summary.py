"""A model's layers as a table."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence

from thalweg.errors import ArgumentError
from thalweg.graph.types import TensorType
from thalweg.layers.layer import Layer
from thalweg.layers.nested import Nested
from thalweg.layers.tracing import Parameter

NARROWEST = 40


def table_lines(
    layers: Sequence[Layer],
    line_length: int | None,
    positions: Sequence[float] | None,
    show_trainable: bool,
    layer_range: Sequence[str] | None,
    expand_nested: bool = False,
) -> list[str]:
    """The table that ``Model.summary`` prints; arguments as there.

    Raises: ArgumentError if ``layer_range`` names no layers, or ``positions`` no columns.
    """
    header = ["Layer (type)", "Output Shape", "Param #"]
    ends = list(positions or (0.45, 0.80, 1.0))
    if show_trainable:
        header.append("Trainable")
        ends = [end * 0.85 for end in ends] + [1.0] if positions is None else ends
    width = line_length or max(NARROWEST, min(88, shutil.get_terminal_size().columns - 4))
    if len(ends) != len(header) or any(end <= 0 for end in ends):
        raise ArgumentError(
            "summary: argument 'positions' does not fit its rule",
            expected=f"{len(header)} rising numbers: where the columns end, as parts of the line or in characters",
            got=repr(positions),
            fix="leave positions out",
        )
    columns = [int(end * width if end <= 1 else end) for end in ends]
    shown = [
        (depth, layer) for first in _in_range(layers, layer_range) for depth, layer in _inside(first, expand_nested)
    ]
    rows = [_cells(layer, show_trainable, depth) for depth, layer in shown]
    return ["=" * width, _row(header, columns), "-" * width, *(_row(cells, columns) for cells in rows), "=" * width]


def _inside(layer: Layer, expand: bool, depth: int = 0) -> Iterator[tuple[int, Layer]]:
    """The layer, and, where wanted, those of a model that it stands for."""
    yield depth, layer
    if expand and isinstance(layer, Nested):
        for inner in layer.sublayers():
            yield from _inside(inner, expand, depth + 1)


def _cells(layer: Layer, show_trainable: bool, depth: int) -> list[str]:
    shape = "?" if layer.output_shape is None else str(tuple(layer.output_shape))
    parameters = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
    cells = [f"{'  ' * depth}{layer.label} ({layer.class_name})", shape, parameters]
    if show_trainable:
        cells.append("-" if not layer.named_parameters() else "Y" if layer.trainable else "N")
    return cells


def _row(cells: Sequence[str], ends: Sequence[int]) -> str:
    line = ""
    for place, (cell, end) in enumerate(zip(cells, ends, strict=True)):
        room = max(end - len(line) - 1, 1)
        shown = cell if len(cell) <= room else cell[: max(room - 1, 1)] + "~"
        line += (shown.rjust(room) if place == 2 else shown.ljust(room)) + " "
    return line.rstrip()


def total_lines(
    parameters: Mapping[str, Parameter], trained: Iterable[str], optimizer: Sequence[TensorType]
) -> list[str]:
    """How many numbers and bytes: all, trained, kept without training, and the optimizer's if there are any."""
    types = {path: parameter.type for path, parameter in parameters.items()}
    train = [types[path] for path in trained]
    rest = [kind for path, kind in types.items() if path not in set(trained)]
    parts = {
        "Trainable": (sum(kind.size for kind in train), sum(kind.nbytes for kind in train)),
        "Non-trainable": (sum(kind.size for kind in rest), sum(kind.nbytes for kind in rest)),
    }
    if optimizer:
        parts["Optimizer"] = (sum(kind.size for kind in optimizer), sum(kind.nbytes for kind in optimizer))
    total = sum(count for count, _ in parts.values()), sum(size for _, size in parts.values())
    return [f"{name} params: {count:,} ({_bytes(size)})" for name, (count, size) in {"Total": total, **parts}.items()]


def _bytes(count: float) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.2f} {unit}"
        count /= 1024
    return f"{count:.2f} GB"


def _in_range(layers: Sequence[Layer], names: Sequence[str] | None) -> Sequence[Layer]:
    if names is None:
        return layers
    places = [[i for i, layer in enumerate(layers) if re.match(name, layer.label)] for name in names]
    if len(places) != 2 or not all(places):
        raise ArgumentError(
            "summary: argument 'layer_range' names no layers",
            expected="two names or patterns: the first layer and the last one",
            got=repr(names),
            fix=f"choose from {', '.join(repr(layer.label) for layer in layers)}",
        )
    first, last = min(places[0]), max(places[1])
    return layers[min(first, last) : max(first, last) + 1]
