"""Images of another size."""

from typing import Any

import numpy as np
import pytest

from thalweg import Input, Sequential, layers
from thalweg.errors import ArgumentError

WAYS: list[dict[str, Any]] = [
    {"interpolation": way} for way in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")
]
WAYS += [{"interpolation": way, "antialias": True} for way in ("bilinear", "bicubic", "lanczos3")]
WAYS += [{"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True, "fill_value": 2.0}]


@pytest.mark.needs("keras", "jax")
@pytest.mark.parametrize("options", WAYS, ids=str)
def test_against_keras(options, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # as long as nobody has imported it yet
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "jax":
        pytest.skip("PyTorch's bicubic has other numbers, and it has no lanczos")
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 7, 9, 3)).astype(np.float32)
    for size in ((5, 6), (14, 3)):
        for ours, theirs in (
            (layers.Resizing(*size, **options), keras.layers.Resizing(*size, **options)),
            (layers.CenterCrop(*size), keras.layers.CenterCrop(*size)),
        ):
            # sums of a few products in single precision
            np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=1e-4, atol=1e-5)


def test_by_hand():
    row = np.array([0.0, 4.0, 8.0, 12.0], np.float32).reshape(1, 1, 4, 1)
    np.testing.assert_array_equal(layers.Resizing(1, 2)(row).reshape(-1), [2, 10])
    np.testing.assert_array_equal(layers.Resizing(1, 8)(row).reshape(-1), [0, 1, 3, 5, 7, 9, 11, 12])
    np.testing.assert_array_equal(layers.Resizing(2, 2, "nearest")(row)[0, 1].reshape(-1), [4, 12])
    np.testing.assert_array_equal(layers.Resizing(1, 1, antialias=True)(row).reshape(-1), [6])
    np.testing.assert_array_equal(layers.CenterCrop(1, 2)(row).reshape(-1), [4, 8])
    for way in WAYS:
        np.testing.assert_allclose(layers.Resizing(3, 3, **way)(np.full((1, 5, 5, 1), 2.0, np.float32)), 2, rtol=1e-6)


def test_photographs_of_all_sizes():
    model = Sequential([Input((None, None, 3), dtype="uint8"), layers.Resizing(4, 4), layers.Flatten()])
    assert model.output_shape == (None, 48)
    for height, width in ((9, 5), (4, 4)):
        assert model.predict(np.full((2, height, width, 3), 7, np.uint8), verbose=0).tolist() == [[7.0] * 48] * 2


def test_channels_first_and_what_is_refused():
    x = np.random.default_rng(1).normal(size=(2, 6, 5, 3)).astype(np.float32)
    first = layers.Resizing(3, 4, data_format="channels_first")(x.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), layers.Resizing(3, 4)(x))
    with pytest.raises(ArgumentError, match="either cropped or padded"):
        layers.Resizing(3, 4, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True)
