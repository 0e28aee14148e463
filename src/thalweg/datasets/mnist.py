"""MNIST: 70,000 handwritten digits, 28 x 28 pixels. Source: LeCun, Cortes, Burges (1998); licence CC BY-SA 3.0."""

from __future__ import annotations

import hashlib
import os
import zlib

import numpy as np

from thalweg.data import idx
from thalweg.errors import FileFormatError, StorageError

__all__ = ["load_data"]

# Not pathlib: nothing else that `import thalweg` needs loads it, and it takes 3 ms.
_FILES = os.path.join(os.path.dirname(__file__), "mnist_files")

# File -> (bytes, sha256) uncompressed, as published; the same table stands in mnist_files/README.md.
_CONTENTS = {
    "train-images-idx3-ubyte": (47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": (60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": (7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": (10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The training and the test set: ``(x_train, y_train), (x_test, y_test)``, as in Keras.

    Shapes: x (60000, 28, 28) and (10000, 28, 28), uint8, 0 is background; y (60000,) and (10000,), uint8, 0 to 9.
    Raises: FileFormatError: if a file of the installed package is damaged; StorageError: if one is missing.

    Takes some 0.2 seconds and 55 MB; every call reads anew, so the arrays may be written to.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, y_test.shape, int(y_train[0])
        ((60000, 28, 28), (10000,), 5)
    """
    x_train, y_train, x_test, y_test = map(_load, _CONTENTS)
    return (x_train, y_train), (x_test, y_test)


def _load(name: str) -> np.ndarray:
    size, sha256 = _CONTENTS[name]
    # A buffer of the final size: the array is a view of it, so the images are in memory once, and writable.
    content = bytearray(size)
    problem = _decompress(name, content)
    # Hashing the 55 MB takes 0.03 s; without it a damaged file would only show as a poor accuracy, if at all.
    if problem is None and hashlib.sha256(content).hexdigest() != sha256:
        problem = "another sha256"
    if problem is not None:
        raise FileFormatError(
            f"the MNIST file {name}.gz of this installation is damaged",
            expected=f"{size} bytes with the sha256 {sha256}",
            got=problem,
            fix="install thalweg again: pip install --force-reinstall --no-deps thalweg",
        )
    return idx.decode(content, name)


def _decompress(name: str, content: bytearray) -> str | None:
    """Fill the buffer from the file; what is wrong with the file, or None."""
    # Not gzip.GzipFile: its readinto makes the whole content once more before copying it.
    unpack = zlib.decompressobj(wbits=31)  # 31: with gzip's header and checksum
    room, filled = memoryview(content), 0
    try:
        with open(os.path.join(_FILES, f"{name}.gz"), "rb") as file:
            while chunk := file.read(1 << 16):
                piece = unpack.decompress(chunk)
                room[filled : filled + len(piece)] = piece
                filled += len(piece)
    except FileNotFoundError as error:
        raise StorageError(
            "an MNIST file is missing from this installation",
            expected=f"{name}.gz in {_FILES}",
            got="no such file",
            fix="install thalweg again: pip install --force-reinstall --no-deps thalweg",
        ) from error
    except (OSError, ValueError, zlib.error) as error:  # ValueError: a piece is longer than the room left for it
        return f"{type(error).__name__}: {error}"
    return None if unpack.eof and filled == len(content) else f"only {filled} bytes"
