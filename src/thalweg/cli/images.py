"""Image files for ``thalweg predict``: pictures, arrays of NumPy, idx files."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from thalweg.data import idx, numpy_files
from thalweg.data.numpy_files import reading
from thalweg.errors import FileFormatError, MissingPackageError, ShapeError

LIMIT_BYTES = 1 << 30
"""What a packed file of images may unpack to."""


Shape = tuple[int | None, ...]
"""Of an image as the model takes it; None where any size will do."""


def read_all(files: Sequence[Path], shape: Shape) -> tuple[list[str], np.ndarray]:
    """The images of all files with a name for each, ``file`` or ``file[3]``.

    Arguments:
        shape: of one image, as the model takes it: (height, width) or (height, width, channels).

    Raises: StorageError, FileFormatError or ShapeError naming the file; MissingPackageError without Pillow.
    """
    names: list[str] = []
    parts = []
    for file in files:
        images = _read(file, shape)
        names += [str(file)] if len(images) == 1 else [f"{file}[{i}]" for i in range(len(images))]
        parts.append(images)
    sizes = {images.shape[1:] for images in parts}
    if len(sizes) > 1:
        raise ShapeError(
            "the images have several sizes",
            expected="one size in one call, because the model is compiled for each",
            got=" and ".join(map(str, sorted(sizes))),
            fix="call predict for the images of each size",
        )
    return names, np.concatenate(parts)


def _read(file: Path, shape: Shape) -> np.ndarray:
    """(images, *shape) from one file."""
    name = file.name.lower()
    if name.endswith(".npy"):
        return _fitting(numpy_files.read_array(file), shape, file)
    if name.removesuffix(".gz").endswith(("-ubyte", ".idx")):
        return _fitting(idx.decode(_content(file), file.name), shape, file)
    return _picture(file, shape)


def _content(file: Path) -> bytes:
    """The bytes of an idx file, unpacked if it is packed."""
    with reading(file, "a whole gzip file" if file.suffix == ".gz" else "a file"), open(file, "rb") as stream:
        if file.suffix != ".gz":
            return stream.read()
        with gzip.GzipFile(fileobj=stream) as packed:
            content = packed.read(LIMIT_BYTES + 1)
    if len(content) > LIMIT_BYTES:
        raise FileFormatError(
            f"{str(file)!r} is very large when unpacked",
            expected=f"at most {LIMIT_BYTES:,} bytes",
            got="more",
            fix="unpack it, and cut it into parts",
        )
    return content


def _fitting(array: np.ndarray, shape: Shape, file: Path) -> np.ndarray:
    """One image or many as many."""
    if _fits(array.shape, shape):
        return array[None]
    if _fits(array.shape[1:], shape) and len(array):
        return array
    raise ShapeError(
        f"the array in {str(file)!r} is no image for this model",
        expected=f"{shape}, or (images, {', '.join(map(str, shape))})",
        got=str(array.shape),
        fix="resize the images first",
    )


def _fits(given: tuple[int, ...], shape: Shape) -> bool:
    return len(given) == len(shape) and all(n in (None, m) for n, m in zip(shape, given, strict=True))


def _picture(file: Path, shape: Shape) -> np.ndarray:
    """A picture in the model's number of channels, scaled to its size where it has one and the picture another."""
    try:
        from PIL import Image  # an extra: only pictures need it
    except ImportError as error:
        raise MissingPackageError(
            f"reading {file.name!r} needs the package Pillow",
            expected="Pillow, or a .npy or idx file, which are read without it",
            got="Pillow is not installed",
            fix="pip install 'thalweg[images]'",
        ) from error
    if len(shape) not in (2, 3):
        raise ShapeError(
            "this model takes no images",
            expected="an input of shape (height, width) or (height, width, channels)",
            got=f"an input of shape {shape}",
            fix="pass the data as a .npy file",
        )
    mode = "RGB" if shape[2:] == (3,) else "L"
    with reading(file, "a picture that Pillow can read, a .npy or an idx file"), warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file) as image:
            width, height = image.size
            size = (shape[1] or width, shape[0] or height)
            pixels = np.asarray(image.convert(mode).resize(size))
    return pixels.reshape(1, *pixels.shape[:2], *shape[2:])
