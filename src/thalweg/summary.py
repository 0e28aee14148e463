"""A model as a table of its layers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from thalweg.errors import ArgumentError
from thalweg.layers.layer import Layer

if TYPE_CHECKING:
    from thalweg.model import Model

NARROWEST = 40


def summary_lines(
    model: Model,
    line_length: int | None,
    positions: Sequence[float] | None,
    show_trainable: bool,
    layer_range: Sequence[str] | None,
) -> list[str]:
    """The lines that ``Model.summary`` prints; arguments as there.

    Raises: ArgumentError if ``layer_range`` names no layers.
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
    rows = [_cells(layer, show_trainable) for layer in _in_range(model.layers, layer_range)]
    return [
        f'Model: "{model.name}"',
        "=" * width,
        _row(header, columns),
        "-" * width,
        *(_row(cells, columns) for cells in rows),
        "=" * width,
        *_totals(model),
    ]


def _cells(layer: Layer, show_trainable: bool) -> list[str]:
    shape = "?" if layer.output_shape is None else str(tuple(layer.output_shape))
    parameters = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
    cells = [f"{layer.label} ({type(layer).__name__})", shape, parameters]
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


def _totals(model: Model) -> list[str]:
    """Numbers and bytes: all, trained, kept without training, and those of the optimizer, as far as they exist."""
    parameters = model.parameters()
    trained = set(model.parameters(trainable_only=True))
    optimizer = [array for name, array in model.state.items() if name.startswith("optimizer/")]
    train = [p.type for path, p in parameters.items() if path in trained]
    rest = [p.type for path, p in parameters.items() if path not in trained]
    counts = [sum(t.size for t in train), sum(t.size for t in rest), sum(array.size for array in optimizer)]
    sizes = [sum(t.nbytes for t in train), sum(t.nbytes for t in rest), sum(array.nbytes for array in optimizer)]
    names = ["Trainable", "Non-trainable", "Optimizer"]
    shown = [("Total", sum(counts), sum(sizes)), *zip(names, counts, sizes, strict=True)]
    return [f"{name} params: {count:,} ({_bytes(size)})" for name, count, size in shown if name != "Optimizer" or count]


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
