"""Image files for ``thalweg predict``: pictures, arrays of NumPy, idx files."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from thalweg.data import idx
from thalweg.errors import FileFormatError, MissingPackageError, ShapeError, StorageError
from thalweg.graph.types import Shape


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
    return names, np.concatenate(parts)


def _read(file: Path, shape: Shape) -> np.ndarray:
    """(images, *shape) from one file."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise StorageError(
            f"cannot read {str(file)!r}",
            expected="a file that exists and may be read",
            got=error.strerror or str(error),
            fix="check the path",
        ) from error
    name = file.name.lower()
    if name.endswith(".npy"):
        return _fitting(_numpy_array(file), shape, file)
    if name.removesuffix(".gz").endswith(("-ubyte", ".idx")):
        return _fitting(idx.decode(_unpacked(content, file), file.name), shape, file)
    return _picture(file, shape)


def _numpy_array(file: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(file, allow_pickle=False)  # a pickle could run anything
    except (ValueError, OSError, EOFError) as error:
        raise _unreadable(file, "an array that np.save wrote, without Python objects", str(error)) from error
    return array


def _unpacked(content: bytes, file: Path) -> bytes:
    if file.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError) as error:
        raise _unreadable(file, "a whole gzip file", str(error)) from error


def _unreadable(file: Path, expected: str, got: str) -> FileFormatError:
    return FileFormatError(f"{str(file)!r} cannot be read", expected=expected, got=got, fix="make or fetch it again")


def _fitting(array: np.ndarray, shape: Shape, file: Path) -> np.ndarray:
    """One image or many as many."""
    if array.shape == shape:
        return array[None]
    if array.shape[1:] == shape and len(array):
        return array
    raise ShapeError(
        f"the array in {str(file)!r} is no image for this model",
        expected=f"{shape}, or (images, {', '.join(map(str, shape))})",
        got=str(array.shape),
        fix="resize the images first",
    )


def _picture(file: Path, shape: Shape) -> np.ndarray:
    """A picture in the model's number of channels, scaled to its size where it has another."""
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
    try:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert(mode).resize((shape[1], shape[0])))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(file, "a picture that Pillow can read, a .npy or an idx file", str(error)) from error
    return pixels.reshape(1, *shape)
