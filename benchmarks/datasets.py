"""Prepares each data source once per benchmark run: ``python -m benchmarks.datasets FOLDER`` writes all of them.

The peers only ``np.load`` what stands there, so none is charged for decoding, or for an import of thalweg.
"""

import gzip
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.arrays import Array, Arrays
from benchmarks.workloads import COLOURED, IRIS, MNIST, MNIST_IMAGES, SYNTHETIC, TABLE, Source

IDX_FOLDER = "BENCHMARKS_MNIST"  # environment: folder of the idx.gz files, for a checkout without thalweg's own copy


def export(source: Source, folder: Path) -> None:
    """Write the arrays of ``source`` below ``folder``, unless they are there."""
    if not (folder / source.name).exists():
        WRITERS[source](folder)


def write_mnist(folder: Path) -> None:
    """The digits as (rows, 784) float32 in [0, 1], and as uint8 images in ``mnist_uint8``."""
    images = mnist_images()
    images.save(folder / "mnist_uint8")
    images._replace(x_train=flat_unit(images.x_train), x_test=flat_unit(images.x_test)).save(folder / "mnist")


def write_mnist_images(folder: Path) -> None:
    """The first digits as (rows, 28, 28, 1), and as uint8 images."""
    images = first_rows(mnist_images(), MNIST_IMAGES)
    images.save(folder / f"{MNIST_IMAGES.name}_uint8")
    x_train, x_test = (flat_unit(x).reshape(-1, *MNIST_IMAGES.shape) for x in (images.x_train, images.x_test))
    images._replace(x_train=x_train, x_test=x_test).save(folder / MNIST_IMAGES.name)


def first_rows(arrays: Arrays, source: Source) -> Arrays:
    """As many as the source has."""
    train, test = source.train_rows, source.test_rows
    return Arrays(arrays.x_train[:train], arrays.y_train[:train], arrays.x_test[:test], arrays.y_test[:test])


def write_coloured(folder: Path) -> None:
    """MNIST's digits in colour, somewhere in a larger picture with a noisy ground: no set of photographs ships here."""
    random = np.random.default_rng(0)
    digits = first_rows(mnist_images(), COLOURED)
    x_train, x_test = (coloured(flat_unit(x).reshape(x.shape), random) for x in (digits.x_train, digits.x_test))
    digits._replace(x_train=x_train, x_test=x_test).save(folder / COLOURED.name)


def coloured(digits: Array, random: np.random.Generator) -> Array:
    """(rows, 28, 28) -> (rows, 32, 32, 3), float32 in [0, 1]: bright digits on dark grounds, each of any colour."""
    rows, side, _ = digits.shape
    height, width, channels = COLOURED.shape
    ink = np.zeros((rows, height, width, 1), np.float32)
    tops, lefts = (random.integers(0, size - side + 1, rows) for size in (height, width))
    for row, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        ink[row, top : top + side, left : left + side, 0] = digits[row]
    ground, digit = (least + 0.4 * random.random((rows, 1, 1, channels), np.float32) for least in (0.0, 0.6))
    noise = 0.1 * random.standard_normal((rows, height, width, channels), np.float32)
    images: np.ndarray = np.clip(ink * digit + (1 - ink) * ground + noise, 0, 1)
    return images


def flat_unit(images: Array) -> Array:
    """uint8 (n, 28, 28) -> float32 (n, 784) in [0, 1]."""
    return np.divide(images.reshape(len(images), -1), 255, dtype=np.float32)


def mnist_images() -> Arrays:
    """The original uint8 images: thalweg's copy, or the idx files that the environment names."""
    if IDX_FOLDER in os.environ:
        return read_idx_folder(Path(os.environ[IDX_FOLDER]))
    if find_spec("thalweg") is None:
        raise SystemExit(f"MNIST ships with thalweg, which is not installed; or set {IDX_FOLDER} to its idx.gz files")
    from thalweg.datasets import mnist  # here, because a checkout without thalweg can still measure the peers

    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    return Arrays(x_train, y_train.astype(np.int32), x_test, y_test.astype(np.int32))


def read_idx_folder(folder: Path) -> Arrays:
    """The four files under their usual names."""
    x_train, x_test = (read_idx(folder / f"{part}-images-idx3-ubyte.gz", 16) for part in ("train", "t10k"))
    y_train, y_test = (read_idx(folder / f"{part}-labels-idx1-ubyte.gz", 8) for part in ("train", "t10k"))
    return Arrays(
        x_train.reshape(-1, 28, 28), y_train.astype(np.int32), x_test.reshape(-1, 28, 28), y_test.astype(np.int32)
    )


def read_idx(path: Path, header_bytes: int) -> Array:
    """The bytes after the header."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header_bytes)


def write_synthetic(folder: Path) -> None:
    """Ten Gaussian clouds in 64 dimensions that overlap: standardised and learnable, but not without errors."""
    random = np.random.default_rng(0)
    centres = 0.4 * random.standard_normal((SYNTHETIC.classes, SYNTHETIC.features))
    rows = SYNTHETIC.train_rows + SYNTHETIC.test_rows
    y = random.integers(0, SYNTHETIC.classes, rows).astype(np.int32)
    x = (centres[y] + random.standard_normal((rows, SYNTHETIC.features))).astype(np.float32)
    n = SYNTHETIC.train_rows
    Arrays(x[:n], y[:n], x[n:], y[n:]).save(folder / SYNTHETIC.name)


def write_table(folder: Path) -> None:
    """Rows like those of covertype: ten measured columns, one of 4 areas and one of 40 soils as columns of 0 and 1.

    The class is what a random network of one hidden layer says, with noise: learnable, but not without errors.
    """
    random = np.random.default_rng(0)
    rows, hidden = TABLE.train_rows + TABLE.test_rows, 32
    measured = random.standard_normal((rows, 10))
    area, soil = np.eye(4)[random.integers(0, 4, rows)], np.eye(40)[random.integers(0, 40, rows)]
    x = np.concatenate([measured, area, soil], axis=1).astype(np.float32)
    first, second = random.standard_normal((TABLE.features, hidden)), random.standard_normal((hidden, TABLE.classes))
    scores = np.tanh(x @ first) @ second + random.gumbel(size=(rows, TABLE.classes))
    y = scores.argmax(axis=1).astype(np.int32)
    n = TABLE.train_rows
    Arrays(x[:n], y[:n], x[n:], y[n:]).save(folder / TABLE.name)


def write_iris(folder: Path) -> None:
    """Fisher's irises, each feature standardised."""
    table = np.loadtxt(Path(__file__).parent / "data" / "iris.csv", delimiter=",", skiprows=1)
    features, y = table[:, :-1], table[:, -1].astype(np.int32)
    x = ((features - features.mean(axis=0)) / features.std(axis=0)).astype(np.float32)
    Arrays(x, y, x, y).save(folder / IRIS.name)


WRITERS: dict[Source, Callable[[Path], None]] = {
    MNIST: write_mnist,
    MNIST_IMAGES: write_mnist_images,
    COLOURED: write_coloured,
    SYNTHETIC: write_synthetic,
    TABLE: write_table,
    IRIS: write_iris,
}

if __name__ == "__main__":
    for each in WRITERS:
        export(each, Path(sys.argv[1]))
