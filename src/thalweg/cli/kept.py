"""What a network's file knows of the images that it was trained on: how bright they were, and which they were.

A network that learned white digits on black sees something in a black digit on white paper too, often with certainty.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from thalweg.cli.data import Images
from thalweg.data import safetensors
from thalweg.fields import dataclass

KEY = "thalweg.images"
"""Among the strings of a model's file."""

DARK, BRIGHT = 0.4, 0.6
"""Shares of the highest value: photographs of scenes lie between, drawings and writing beyond."""


def keep(path: Path, data: Images) -> None:
    """Write into the model's file what there is to know of these images."""
    x = data.train[0]
    highest = 255.0 if x.dtype == np.uint8 else float(x.max(initial=0.0))
    full = next((usual for usual in (1.0, 255.0) if highest <= usual), highest)
    mean = round(float(x.mean(dtype=np.float64)) / full, 4)
    known = {"mean": mean, "full": full, "digest": data.digest}
    arrays, strings = safetensors.read(path)
    safetensors.write(path, arrays, {**strings, KEY: json.dumps(known)})


@dataclass(frozen=True)
class Kept:
    """Of the images of a training.

    Attributes:
        mean: on average, as a share of the highest value.
        full: the highest value.
        digest: of the images of which some were held out.
    """

    mean: float = 0.5
    full: float = 255.0
    digest: str = ""

    def fitted(self, images: np.ndarray) -> np.ndarray:
        """Images of bytes as numbers up to the highest value that the network was trained on."""
        return (
            images
            if images.dtype != np.uint8 or self.full == 255.0
            else (images * (self.full / 255)).astype(np.float32)
        )

    def told(self, names: Sequence[str], images: np.ndarray) -> str:
        """What there is to say where images are bright and those of the training were dark, or the other way round."""
        means = images.reshape(len(images), -1).mean(1, dtype=np.float64) / max(self.full, 1e-9)
        dark = self.mean < DARK
        others = means > BRIGHT if dark else means < DARK if self.mean > BRIGHT else np.zeros(len(means), bool)
        if not others.any():
            return ""
        first, more = int(others.argmax()), int(others.sum()) - 1
        return (
            f"Note: {names[first]}{f' and {more} more' if more else ''}: {'bright' if dark else 'dark'}, "
            f"{means[first]:.2f} of 1 on average, where the images of the training are {'dark' if dark else 'bright'}, "
            f"{self.mean:.2f}.\nIf light and dark are turned round, predict with --invert."
        )


def kept(path: Path) -> Kept:
    """What ``keep`` wrote into a model's file; of other files nothing is known, and nothing is noticed."""
    _, strings = safetensors.read(path)
    try:
        known = json.loads(strings.get(KEY, "{}"))
        return Kept(float(known["mean"]), float(known["full"]), str(known.get("digest", "")))
    except (ValueError, TypeError, KeyError, AttributeError):
        return Kept()
