"""The ready networks: their shapes and sizes, and that each learns."""

import numpy as np
import pytest

import thalweg
from thalweg import models
from thalweg.errors import ArgumentError


def count(model):
    return sum(w.size for w in model.get_weights())


def test_sizes():
    """The papers' numbers of weights, with batch normalization's moving means and variances where there are some."""
    assert count(models.mlp()) == 784 * 512 + 512 + 512 * 10 + 10
    assert count(models.lenet()) == (25 + 1) * 6 + (25 * 6 + 1) * 16 + (400 + 1) * 120 + (120 + 1) * 84 + (84 + 1) * 10
    assert count(models.small_cnn()) == 320 + 64 * (9 * 32 + 1) + 9216 * 128 + 128 + 1290
    parameters = [p for layer in models.resnet(20).layers for p in layer.named_parameters().values()]
    convolutions = 432 + 6 * 2304 + (4608 + 5 * 9216) + (18432 + 5 * 36864) + 16 * 32 + 32 * 64
    normalizations = 2 * (7 * 16 + 7 * 32 + 7 * 64)
    assert sum(p.type.size for p in parameters if p.trainable) == convolutions + normalizations + 64 * 10 + 10


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1)])
@pytest.mark.parametrize("make", [models.mlp, models.lenet, models.small_cnn, lambda s: models.resnet(8, s, filters=4)])
def test_classifiers_give_probabilities(make, shape):
    y = make(shape).predict(np.random.default_rng(0).random((3, *shape)), verbose=0)
    assert y.shape == (3, 10)
    np.testing.assert_allclose(y.sum(1), 1, rtol=1e-5)


def test_bytes_are_divided_by_255():
    images = np.random.default_rng(0).integers(0, 256, (3, 12, 12), dtype=np.uint8)
    by_bytes, by_floats = models.resnet(8, (12, 12), dtype="uint8"), models.resnet(8, (12, 12))
    by_bytes.set_weights(by_floats.get_weights())
    np.testing.assert_allclose(
        by_bytes.predict(images, verbose=0), by_floats.predict(images / 255, verbose=0), rtol=1e-5
    )


@pytest.mark.slow
def test_a_residual_network_learns():
    random = np.random.default_rng(0)
    x, y = random.random((64, 12, 12, 1)), np.arange(64) % 4
    x[np.arange(64), :, 3 * y] += 1
    thalweg.utils.set_random_seed(1)
    model = models.resnet(8, (12, 12, 1), 4, filters=4)
    model.compile(thalweg.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    losses = model.fit(x, y, batch_size=16, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("classes", [1, 3])
def test_a_unet_learns_where_something_is(classes):
    """The bright half of each image."""
    random = np.random.default_rng(0)
    x = random.random((32, 8, 8, 1))
    y = (np.arange(8) < 4)[None, :, None] & np.ones((32, 8, 8), bool)
    x[y] += 1
    thalweg.utils.set_random_seed(1)
    model = models.unet((8, 8, 1), classes, filters=(4, 8))
    if classes == 1:
        model.compile(thalweg.optimizers.Adam(0.02), "dice")
        target = y[..., None].astype(float)
    else:
        model.compile(thalweg.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
        target = y.astype(int)
    assert model.predict(x, verbose=0).shape == (32, 8, 8, classes)
    losses = model.fit(x, target, batch_size=8, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]


def test_what_they_refuse():
    with pytest.raises(ArgumentError, match="no such depth"):
        models.resnet(18)
    with pytest.raises(ArgumentError, match="halved"):
        models.unet((30, 32, 1))
