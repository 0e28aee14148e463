"""What can be said of data and model before training begins, where it is worth a line and cannot be wrong."""

from __future__ import annotations

import warnings

import numpy as np

from thalweg import layers
from thalweg.data.source import Source
from thalweg.model.structure import Structure

LOOKED_AT = 64
"""Rows: enough to see what kind of numbers they are."""

FEWEST_PIXELS = 64

HANDING_ON = (
    *(layers.InputLayer, layers.Flatten, layers.Reshape, layers.Permute, layers.Identity, layers.Dropout),
    *(layers.ZeroPadding2D, layers.Cropping2D, layers.RandomFlip, layers.RandomRotation, layers.RandomZoom),
    *(layers.RandomTranslation, layers.RandomErasing, layers.RandomGrayscale),
)
"""Layers that give numbers of the size that they get."""

TAKING_AS_THEY_ARE = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.SeparableConv2D, layers.DepthwiseConv2D)


class ScaleNotice(UserWarning):
    """The numbers of the data are of a size at which networks learn badly."""


def look(rows: Source, structure: Structure) -> None:
    """Warn of images from 0 to 255 that go into the weights as they are."""
    inputs = [label for label in rows.ready() if label == "x"]
    if not inputs or not _goes_in_as_it_is(structure):
        return
    sample = rows.ready()["x"][:LOOKED_AT]
    if not _is_bytes(sample):
        return
    warnings.warn(
        f"x holds whole numbers from 0 to {int(sample.max())} and nothing in the model scales them, which makes "
        "training slow or lets it fail: divide by 255, or put layers.Rescaling(1 / 255) in front",
        ScaleNotice,
        stacklevel=4,
    )


def _goes_in_as_it_is(structure: Structure) -> bool:
    """Whether the first layer that does something with the numbers multiplies them with weights."""
    decisive = next((layer for layer in structure.layers if not isinstance(layer, HANDING_ON)), None)
    return isinstance(decisive, TAKING_AS_THEY_ARE)


def _is_bytes(sample: np.ndarray) -> bool:
    """Whether these rows look like pictures whose pixels are bytes."""
    if sample[:1].size < FEWEST_PIXELS or sample.min() < 0 or not 128 <= sample.max() <= 255:
        return False
    return bool(np.array_equal(sample, np.rint(sample)))
