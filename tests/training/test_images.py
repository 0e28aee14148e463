"""Training of convolutional networks: step for step as PyTorch, and the same bits on any number of threads."""

import importlib.util

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import Input, Sequential, layers

ROWS, STEPS, BATCH = 100, 50, 20
RATE = 2.0**-5  # a number that float32, in which the rate is kept, has exactly


def pictures(dtype="float64"):
    random = np.random.default_rng(0)
    return random.normal(size=(ROWS, 11, 12, 3)).astype(dtype), random.integers(0, 5, ROWS)


def small_cnn(dtype="float64", optimizer=None):
    thalweg.utils.set_random_seed(2)
    model = Sequential(
        [
            Input((11, 12, 3), dtype=dtype),
            layers.Conv2D(8, 3, activation="relu", dtype=dtype),
            layers.Conv2D(6, 3, strides=(1, 2), groups=2, use_bias=False, dtype=dtype),
            layers.BatchNormalization(dtype=dtype),
            layers.ReLU(dtype=dtype),
            layers.DepthwiseConv2D(2, padding="valid", dtype=dtype),
            layers.MaxPooling2D(2, dtype=dtype),
            layers.Flatten(dtype=dtype),
            layers.Dense(5, dtype=dtype),
        ]
    )
    loss = thalweg.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer or thalweg.optimizers.SGD(RATE, momentum=0.875), loss)
    return model


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_fifty_steps_as_pytorch():
    import torch

    x, y = pictures()
    model = small_cnn()
    first, second, gamma, beta, depthwise, bias, dense, dense_bias = (
        torch.tensor(w).requires_grad_() for w in _trained(model)
    )
    first_bias = torch.zeros(8, dtype=torch.float64, requires_grad=True)
    parameters = [first, first_bias, second, gamma, beta, depthwise, bias, dense, dense_bias]
    optimizer = torch.optim.SGD(parameters, lr=RATE, momentum=0.875)
    functions = torch.nn.functional
    images, labels = torch.tensor(x).movedim(-1, 1), torch.tensor(y)
    losses = []
    for step in range(STEPS):
        rows = slice(step * BATCH % ROWS, step * BATCH % ROWS + BATCH)
        z = functions.relu(functions.conv2d(images[rows], first.movedim((-1, -2), (0, 1)), first_bias))
        z = functions.conv2d(z, second.movedim((-1, -2), (0, 1)), stride=(1, 2), groups=2)
        z = functions.relu(functions.batch_norm(z, None, None, gamma, beta, training=True, eps=1e-3))
        z = functions.conv2d(z, depthwise.movedim((-2, -1), (0, 1)), bias, groups=6)
        z = functions.max_pool2d(z, 2).movedim(1, -1).flatten(1)
        loss = functions.cross_entropy(z @ dense + dense_bias, labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    epochs = STEPS * BATCH // ROWS
    history = model.fit(x, y, batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"], np.mean(np.reshape(losses, (epochs, -1)), 1), rtol=1e-10)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    theirs = [first, second, gamma, beta, depthwise, bias, dense, dense_bias]
    for ours, expected in zip(_trained(model), theirs, strict=True):
        np.testing.assert_allclose(ours, expected.detach().numpy(), rtol=1e-7, atol=1e-9)


def _trained(model):
    """The weights that training changes, but for the bias of the first layer, which starts from 0."""
    weights = {path: p.value for layer in model.layers for path, p in layer.named_parameters(f"{layer.name}/").items()}
    return [w.copy() for path, w in weights.items() if "moving" not in path and path != "conv2d/bias"]


@pytest.mark.usefixtures("on_all_threads")
def test_threads_do_not_change_a_bit():
    one, two = (small_cnn("float32", "adam") for _ in range(2))
    for model, threads in ((one, 1), (two, 2)):
        model.fit(*pictures("float32"), batch_size=BATCH, epochs=3, threads=threads, verbose=0)
    assert nets.same_bits(one, two)


def test_a_saved_network_predicts_the_same(tmp_path):
    model = small_cnn("float32")
    x, _ = pictures("float32")
    model.save(tmp_path / "images.thalweg")
    again = thalweg.load_model(tmp_path / "images.thalweg")
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))
