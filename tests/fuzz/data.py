"""Damaged files of data and images, read as the command line reads them. A case is ``digits.npz: set 12 255; cut 300``.

Pictures need Pillow; without it they end, in four parts, with the advice to install it.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from tests.fuzz import edits
from tests.fuzz.running import Outcome, tried

from thalweg.cli import data
from thalweg.data import image_files

SHAPE = (8, 8, 1)
_PIXELS = (np.arange(64 * 12).reshape(12, 8, 8) * 37 % 256).astype(np.uint8)


@cache
def _files() -> dict[str, bytes]:
    """Whole files, by name."""
    y = np.arange(12) % 3

    def archive(save, **arrays: np.ndarray) -> bytes:
        into = io.BytesIO()
        save(into, **arrays)
        return into.getvalue()

    def array(values: np.ndarray) -> bytes:
        into = io.BytesIO()
        np.save(into, values)
        return into.getvalue()

    idx = bytes([0, 0, 8, 3, 0, 0, 0, 12, 0, 0, 0, 8, 0, 0, 0, 8]) + _PIXELS.tobytes()
    files = {
        "stored.npz": archive(np.savez, x=_PIXELS, y=y),
        "packed.npz": archive(np.savez_compressed, x_train=_PIXELS, y_train=y, x_test=_PIXELS[:3], y_test=y[:3]),
        "floats.npy": array(_PIXELS[..., None] / 255),
        "bytes.npy": array(_PIXELS[..., None]),
        "t10k-images-idx3-ubyte": idx,
        "t10k-images-idx3-ubyte.gz": gzip.compress(idx, mtime=0),
    }
    try:
        from PIL import Image
    except ImportError:
        return files
    for ending in ("png", "tiff", "jpeg", "bmp", "gif", "webp", "ppm", "ico"):
        into = io.BytesIO()
        Image.fromarray(_PIXELS.reshape(24, 32)).save(into, ending)
        files[f"picture.{ending}"] = into.getvalue()
    packed = io.BytesIO()
    Image.fromarray(_PIXELS.reshape(24, 32)).save(packed, "tiff", compression="tiff_lzw")
    return {**files, "packed.tiff": packed.getvalue()}


def make(random: Random) -> str:
    name = random.choice(list(_files()))
    return f"{name}: {edits.make(random, len(_files()[name]))}"


def run(case: str) -> Outcome:
    name, _, changes = case.partition(": ")
    whole = _files().get(name)
    if whole is None:  # a picture, without Pillow
        return Outcome("accepted")
    path = Path(name)
    path.write_bytes(edits.applied(whole, changes))
    if path.suffix == ".npz":
        return tried(lambda: data.load(name).cut())
    return tried(lambda: image_files.read_all([path], (8, 8) if "idx" in name else SHAPE))


def smaller(case: str) -> Iterator[str]:
    name, _, changes = case.partition(": ")
    yield from (f"{name}: {fewer}" for fewer in edits.smaller(changes))
