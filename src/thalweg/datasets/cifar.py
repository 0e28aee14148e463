"""The files of CIFAR-10 and CIFAR-100, as Keras unpacks them or as they are published.

Source: Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Sequence
from typing import IO

import numpy as np

from thalweg.data import keras_files
from thalweg.datasets import pickled
from thalweg.errors import FileFormatError

Batch = tuple[np.ndarray, np.ndarray]


def load(folder: str, archive: str, files: Sequence[Sequence[str]], labels: str) -> list[Batch]:
    """Images and labels of each group of files.

    Shapes: images (n, 32, 32, 3), labels (n, 1), of bytes and of whole numbers.

    Arguments:
        folder: its name inside of the archive; Keras puts it into ``<folder>-target``.
        archive: the name of the archive as it is published.
        labels: the key of the labels.

    Raises: StorageError, FileFormatError.
    """
    place = keras_files.datasets()
    target = os.path.join(place, f"{folder}-target")
    for path in (os.path.join(target, folder), os.path.join(place, folder)):
        if os.path.isdir(path):
            return [_joined([_batch(os.path.join(path, name), labels) for name in group]) for group in files]
    packed = [f"{target}_archive", os.path.join(place, archive)]
    path = next((path for path in packed if os.path.isfile(path)), "")
    if not path:
        raise keras_files.missing(packed[1], f"https://www.cs.toronto.edu/~kriz/{archive}")
    with pickled.reading(path):
        try:
            with tarfile.open(path) as tar:

                def opened(name: str) -> IO[bytes]:
                    file = tar.extractfile(f"{folder}/{name}")
                    assert file is not None, "a file, by its name"
                    return file

                return [_joined([_batch(name, labels, opened) for name in group]) for group in files]
        except tarfile.TarError as error:
            raise ValueError(f"no tar archive: {error}") from error


def _batch(path: str, labels: str, opened: Callable[[str], IO[bytes]] = io.FileIO) -> Batch:
    with pickled.reading(path), opened(path) as file:
        content = pickled.load(file)
        images = content[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        numbers = np.asarray(content[labels.encode()]).reshape(-1, 1)
        if images.dtype != np.uint8 or len(images) != len(numbers):
            raise FileFormatError(
                f"{path!r} is no data set of this kind",
                expected="images of bytes, and a label for each",
                got=f"{images.dtype} {images.shape}, {len(numbers)} labels",
                fix="get it again",
            )
        return images, numbers


def _joined(batches: Sequence[Batch]) -> Batch:
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)
