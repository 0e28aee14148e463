"""Drawings of images, filters, feature maps and heat maps. Each gives the matplotlib figure: ``.savefig("file.png")``.

All raise MissingPackageError without matplotlib, and ShapeError for arrays that are no images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.checks import checked
from thalweg.data.arrays import as_array
from thalweg.errors import ShapeError
from thalweg.plotting import figure

SIDE = 1.25
"""Of a picture among others, in inches."""


@checked
def plot_images(images: Any, titles: Sequence[str] | None = None, columns: int | None = None) -> Any:
    """Images side by side.

    Shapes: images (n, height, width), or with a last axis of 1 or 3 channels: bytes, or floats of any range, of which
    the lowest is drawn black and the highest white.

    Arguments:
        titles: one for each.
        columns: a nearly square grid unless given.
    """
    pictures = as_images(images, "plot_images")
    rows, across = _grid(len(pictures), columns)
    height = SIDE + (0.25 if titles is not None else 0.0)
    drawn = figure(figsize=(SIDE * across, height * rows), layout="constrained")
    draw_grid(drawn, pictures, titles, across)
    return drawn


@checked
def plot_filters(filters: Any, count: int = 16) -> Any:
    """What ``visualization.filters`` gives: blue for weights below 0, red above, white for 0.

    One picture for each filter if they have one channel, and one in colour if they have three, each from its lowest to
    its highest weight. Otherwise a row for each filter, with a picture for each channel.

    Shapes: filters (n, height, width, channels).

    Arguments:
        count: filters, and channels of each, to draw at most where there is a row for each.
    """
    kernels = _of_rank(filters, 4, "plot_filters", "(filters, height, width, channels)")
    channels = kernels.shape[-1]
    if channels == 3:
        low, high = kernels.min((1, 2, 3), keepdims=True), kernels.max((1, 2, 3), keepdims=True)
        return plot_images((kernels - low) / np.maximum(high - low, 1e-12))
    if channels > 1:
        kernels = kernels[:count, :, :, :count]
    shown = np.moveaxis(kernels, -1, 1).reshape(-1, *kernels.shape[1:3])
    rows, across = _grid(len(shown), min(channels, count) if channels > 1 else None)
    drawn = figure(figsize=(0.7 * across + 0.6, 0.7 * rows), layout="constrained")
    bound = float(np.abs(shown).max())
    last = draw_grid(drawn, shown, None, across, cmap="RdBu_r", vmin=-bound, vmax=bound)
    drawn.colorbar(last, ax=drawn.axes, shrink=0.8, label="weight")
    return drawn


@checked
def plot_activations(maps: Any, count: int = 16) -> Any:
    """What ``visualization.activations`` gives for images: bright where a channel answers.

    A row for each image, with a picture for each channel; of a single image all channels, in a grid. One scale serves
    all, so a channel that hardly answers is dark.

    Shapes: maps (images, height, width, channels).

    Arguments:
        count: images, and channels of each, to draw at most where there is a row for each.
    """
    maps = _of_rank(maps, 4, "plot_activations", "(images, height, width, channels)")
    several = len(maps) > 1
    if several:
        maps = maps[:count, :, :, :count]
    shown = np.moveaxis(maps, -1, 1).reshape(-1, *maps.shape[1:3])
    rows, across = _grid(len(shown), maps.shape[-1] if several else None)
    drawn = figure(figsize=(0.9 * across + 0.6, 0.9 * rows), layout="constrained")
    last = draw_grid(drawn, shown, None, across, cmap="magma", vmin=float(shown.min()), vmax=float(shown.max()))
    drawn.colorbar(last, ax=drawn.axes, shrink=0.8, label="activation")
    return drawn


@checked
def plot_heatmaps(images: Any, maps: Any, titles: Sequence[str] | None = None) -> Any:
    """Images, and below each the same with what ``saliency`` or ``grad_cam`` gives for it laid over.

    Each map is scaled to its own maximum and, where it is coarser than the image, interpolated.

    Shapes: images (n, height, width), or with a last axis of 1 or 3 channels; maps (n, rows, columns).
    """
    pictures = as_images(images, "plot_heatmaps")
    heat = _of_rank(maps, 3, "plot_heatmaps", "(images, rows, columns)")
    if len(heat) != len(pictures):
        raise ShapeError(
            "plot_heatmaps: the maps do not fit the images",
            expected=f"{len(pictures)} maps, one for each image",
            got=str(len(heat)),
            fix="pass what saliency or grad_cam gave for these images",
        )
    across = len(pictures)
    drawn = figure(figsize=(SIDE * across, 2 * SIDE + (0.25 if titles is not None else 0)), layout="constrained")
    upper = drawn.subplots(2, across, squeeze=False)
    for number, (picture, warm) in enumerate(zip(pictures, heat, strict=True)):
        top, below = upper[:, number]
        _show(top, picture)
        _show(below, _grey(picture), alpha=0.7)
        height, width = picture.shape[:2]
        share = np.clip(warm / max(float(warm.max()), 1e-12), 0, 1)
        below.imshow(
            share,
            cmap="inferno",
            vmin=0,
            vmax=1,
            alpha=0.65,
            interpolation="bilinear",
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        )
        if titles is not None:
            top.set_title(titles[number], fontsize="small")
    return drawn


def draw_grid(drawn: Any, pictures: np.ndarray, titles: Sequence[str] | None, columns: int, **options: Any) -> Any:
    """The pictures on axes of their own in a figure, or part of one; gives the last image drawn, for a colour bar."""
    rows = -(-len(pictures) // columns)
    last = None
    for number, place in enumerate(drawn.subplots(rows, columns, squeeze=False).flat):
        if number >= len(pictures):
            place.set_axis_off()
            continue
        last = _show(place, pictures[number], **options)
        if titles is not None:
            place.set_title(titles[number], fontsize="small")
    return last


def as_images(images: Any, owner: str) -> np.ndarray:
    """(n, height, width) or (n, height, width, 3), for matplotlib."""
    array = as_array(images, "images")
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if not array.size or not (array.ndim == 3 or (array.ndim == 4 and array.shape[-1] == 3)):
        raise ShapeError(
            f"{owner}: these are no images",
            expected="(n, height, width), or with a last axis of 1 or 3 channels",
            got=str(array.shape),
            fix="reshape them to images; channels come last",
        )
    if array.ndim == 4 and array.dtype.kind == "f":
        low, high = array.min(), array.max()
        if low < 0 or high > 1:  # outside of what matplotlib takes for colours
            array = (array - low) / max(high - low, 1e-12)
    return array


def _of_rank(array: Any, rank: int, owner: str, wanted: str) -> np.ndarray:
    given = as_array(array, "the array")
    if given.ndim != rank or not given.size:
        raise ShapeError(
            f"{owner}: the array has another number of axes", expected=wanted, got=str(given.shape), fix="reshape it"
        )
    return given


def _grid(count: int, columns: int | None) -> tuple[int, int]:
    """Rows and columns: somewhat wider than high, and without gaps where that is possible."""
    if columns is None:
        ideal = math.sqrt(count) * 1.4
        fitting = [n for n in range(1, count + 1) if count % n == 0 and ideal / 1.5 < n < ideal * 1.5]
        columns = count if count < 5 else min(fitting, key=lambda n: abs(n - ideal), default=math.ceil(ideal))
    across = min(max(columns, 1), count)
    return -(-count // across), across


def _grey(picture: np.ndarray) -> np.ndarray:
    return picture.mean(-1) if picture.ndim == 3 else picture


def _show(place: Any, picture: np.ndarray, **options: Any) -> Any:
    place.set_xticks([])
    place.set_yticks([])
    for side in place.spines.values():
        side.set_linewidth(0.4)
    return place.imshow(picture, **({"cmap": "gray"} | options))
