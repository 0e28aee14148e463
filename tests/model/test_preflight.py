"""What is said before training: images of bytes that nothing scales; and nothing where that could be wrong."""

import warnings

import numpy as np
import pytest

from thalweg import Input, Sequential, layers
from thalweg.model.preflight import ScaleNotice

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1))
Y = np.arange(20) % 2


def train(x, *stack):
    dtype = "uint8" if x.dtype == np.uint8 else "float32"
    model = Sequential([Input(x.shape[1:], dtype=dtype), *stack, layers.Dense(2, "softmax")])
    model.executor = "numpy"
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, Y, verbose=0)


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8"])
def test_images_from_0_to_255_that_nothing_scales(dtype):
    x = IMAGES.astype(dtype)
    with pytest.warns(ScaleNotice, match=r"Rescaling\(1 / 255\)"):
        train(x, layers.Flatten())
    with pytest.warns(ScaleNotice):
        train(x, layers.Conv2D(1, 3), layers.Flatten())


QUIET = {
    "scaled before": (IMAGES / 255, layers.Flatten()),
    "scaled inside": (IMAGES, layers.Rescaling(1 / 255), layers.Flatten()),
    "normalised": (IMAGES, layers.Flatten(), layers.BatchNormalization()),
    "few numbers": (IMAGES[:, :2, :2], layers.Flatten()),
    "measurements": (IMAGES + 0.5, layers.Flatten()),
    "negative": (IMAGES - 128.0, layers.Flatten()),
    "large numbers": (IMAGES * 100.0, layers.Flatten()),
    "small counts": (IMAGES % 10, layers.Flatten()),
}


@pytest.mark.parametrize("case", QUIET.values(), ids=QUIET.keys())
def test_nothing_is_said_of_other_data(case):
    x, *stack = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(np.asarray(x, np.float32), *stack)


def test_nothing_is_said_of_categories():
    x = np.arange(20 * 64).reshape(20, 64) % 256
    stack = [layers.Embedding(256, 2), layers.Flatten(), layers.Dense(2, "softmax")]
    model = Sequential([Input((64,), dtype="int32"), *stack])
    model.executor = "numpy"
    model.compile("sgd", "sparse_categorical_crossentropy")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(x, Y, verbose=0)
