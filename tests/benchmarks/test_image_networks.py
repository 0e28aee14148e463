"""The image networks of the benchmarks: FLOPs by hand, sizes as elsewhere, each peer's network on a few samples."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from benchmarks.arrays import Arrays
from benchmarks.datasets import coloured
from benchmarks.layers import Conv, Dense, GlobalAveragePool, MaxPool, Residual
from benchmarks.peers import PEERS
from benchmarks.peers.keras_like import compiled_model
from benchmarks.peers.task import Clock, Task
from benchmarks.table import heading
from benchmarks.workloads import IMAGE_NETWORKS, SGD, WORKLOADS, Source, Workload

import thalweg
import thalweg.layers
import thalweg.optimizers

TINY = Workload(
    *("tiny", Source("none", 20, 8, (8, 8, 3), 2)),
    layers=(
        Conv(8, padding="valid", normalized=False),  # of 4 channels PyTorch 2.13 writes past its memory (AVX2)
        Residual((Conv(8, strides=2), Conv(8, activation="linear")), (Conv(8, 1, 2, activation="linear"),)),
        Residual((Conv(None), Conv(8, 1, activation="linear"))),
        MaxPool(2, dropout=0.25),
        GlobalAveragePool(),
        Dense(2, "softmax"),
    ),
    batch_size=8,
    optimizer=SGD,
    epochs=2,
    norm_momentum=0.9,
)


@pytest.mark.parametrize(("padding", "strides"), [(p, s) for p in ("valid", "same") for s in (1, 2, 3)])
@pytest.mark.parametrize("side", [5, 8])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_products_of_a_convolution_are_those_with_a_pixel(padding, strides, side, size):
    """Ones convolved with ones count the pixels under each result."""
    layer = thalweg.layers.Conv2D(1, size, strides, padding, kernel_initializer="ones")
    model = thalweg.Sequential([thalweg.layers.Input((side, side, 1)), layer])
    seen = model.predict(np.ones((1, side, side, 1), np.float32), verbose=0)
    conv = Conv(6, size, strides, padding)
    assert conv.output_shape((side, side, 4)) == (*seen.shape[1:3], 6)
    assert conv.forward_flops((side, side, 4)) == 2 * 4 * 6 * round(float(seen.sum()))
    assert Conv(None, size, strides, padding).forward_flops((side, side, 4)) == 2 * 4 * round(float(seen.sum()))


def test_flops_of_mnist_cnn_by_hand():
    first, second = 2 * 26 * 26 * 9 * 32, 2 * 24 * 24 * 9 * 32 * 64
    dense = 2 * (12 * 12 * 64 * 128 + 128 * 10)
    assert WORKLOADS["mnist_cnn"].epoch_flops == 12_800 * (2 * first + 3 * second + 3 * dense)


def test_flops_of_both_ways_of_a_residual_block_count():
    block = Residual((Conv(8, padding="valid"),), (Conv(8, 3, padding="valid"),))
    assert block.forward_flops((6, 6, 4)) == 2 * Conv(8, padding="valid").forward_flops((6, 6, 4))
    assert block.parameter_count((6, 6, 4)) == 2 * (9 * 4 * 8 + 2 * 8)


@pytest.mark.parametrize(
    ("name", "ready"),
    [("mnist_cnn", thalweg.models.small_cnn), ("resnet20", lambda: thalweg.models.resnet(20, (32, 32, 3)))],
)
def test_the_networks_are_the_ready_ones(name, ready):
    workload = WORKLOADS[name]
    ours, theirs = trained_sizes(compiled_model(thalweg, workload)), trained_sizes(ready())
    assert ours == theirs
    assert sum(ours) == workload.parameter_count


@pytest.mark.parametrize("workload", [*IMAGE_NETWORKS, TINY], ids=lambda workload: workload.name)
def test_thalweg_trains_the_parameters_of_the_workload(workload):
    assert sum(trained_sizes(compiled_model(thalweg, workload))) == workload.parameter_count


@pytest.mark.needs("torch")
@pytest.mark.parametrize("workload", [*IMAGE_NETWORKS, TINY], ids=lambda workload: workload.name)
def test_each_peer_trains_the_same_parameters(workload):
    ours = trained_sizes(compiled_model(thalweg, workload))
    from benchmarks.peers.torch_model import build

    for name in ("torch_memory", "torch_channels_last"):
        network = build(Task(PEERS[name], workload, 1, 0, 1, Path()))
        assert sorted(p.numel() for p in network.parameters()) == ours


@pytest.mark.needs("jax")
@pytest.mark.parametrize("workload", [*IMAGE_NETWORKS, TINY], ids=lambda workload: workload.name)
def test_jax_trains_the_same_parameters(workload):
    import jax
    from benchmarks.peers.jax_network import initial_state

    parameters = jax.tree.leaves(initial_state(workload, np.random.default_rng(0)).parameters)
    assert sorted(array.size for array in parameters) == trained_sizes(compiled_model(thalweg, workload))


@pytest.mark.parametrize(
    "peer",
    [
        "thalweg",
        pytest.param("torch_memory", marks=pytest.mark.needs("torch")),
        pytest.param("torch_channels_last", marks=pytest.mark.needs("torch")),
        pytest.param("keras_jax", marks=[pytest.mark.needs("keras", "jax"), pytest.mark.slow]),
        pytest.param("jax_scan", marks=[pytest.mark.needs("jax"), pytest.mark.slow]),
        pytest.param("thalweg_xla", marks=[pytest.mark.needs("jax"), pytest.mark.slow]),
    ],
)
def test_peers_train_images(peer, monkeypatch):
    """Two epochs with a smaller last batch: a finite loss for each, and an accuracy of the test."""
    for name, value in PEERS[peer].environment:
        monkeypatch.setenv(name, value)
    random = np.random.default_rng(0)
    x, y = random.random((28, 8, 8, 3), np.float32), random.integers(0, 2, 28).astype(np.int32)
    clock, module = Clock(), import_module(f"benchmarks.peers.{PEERS[peer].module}")
    task = Task(PEERS[peer], TINY, TINY.epochs, 0, 1, Path())
    accuracy = module.train(task, Arrays(x[:20], y[:20], x[20:], y[20:]), clock)
    assert 0 <= accuracy <= 1
    assert np.isfinite(clock.losses).all()
    assert len(clock.losses) == 2


@pytest.mark.parametrize("what", ["predict", "evaluate"])
@pytest.mark.parametrize("peer", ["thalweg", pytest.param("torch_channels_last", marks=pytest.mark.needs("torch"))])
def test_peers_predict_and_evaluate(peer, what):
    """Predictions are probabilities, whose mean is known; the loss is about that of a guess, and the same each time."""
    random = np.random.default_rng(0)
    x, y = random.random((28, 8, 8, 3), np.float32), random.integers(0, 2, 28).astype(np.int32)
    clock, module = Clock(), import_module(f"benchmarks.peers.{PEERS[peer].module}")
    task = Task(PEERS[peer], TINY._replace(what=what), 2, 0, 1, Path())
    assert 0 <= module.infer(task, Arrays(x[:20], y[:20], x[20:], y[20:]), clock) <= 1
    first, second = clock.losses
    assert first == second
    assert first == pytest.approx(0.5 if what == "predict" else np.log(2), abs=1e-5 if what == "predict" else 0.4)


@pytest.mark.needs("torch")
def test_channels_last_goes_through_the_network():
    """No batch is transposed: the view of the images and all that follows have the channels innermost."""
    import torch
    from benchmarks.peers.torch_model import as_tensor, build

    task = Task(PEERS["torch_channels_last"], TINY, 1, 0, 1, Path())
    x = np.ones((5, 8, 8, 3), np.float32)
    batch = as_tensor(task, x)
    assert batch.data_ptr() == x.ctypes.data
    for module in list(build(task))[:6]:
        batch = module(batch)
        assert batch.is_contiguous(memory_format=torch.channels_last), module


def test_digits_are_coloured_somewhere_in_the_picture():
    digits = np.zeros((40, 28, 28), np.float32)
    digits[:, 10:18, 10:18] = 1
    pictures = coloured(digits, np.random.default_rng(0))
    assert pictures.shape == (40, 32, 32, 3)
    assert pictures.dtype == np.float32
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    brightest = pictures.mean(axis=3).reshape(40, 32, 32)
    tops = (brightest.max(axis=2) > brightest.mean()).argmax(axis=1)
    assert len(np.unique(tops)) > 1
    np.testing.assert_array_equal(pictures, coloured(digits, np.random.default_rng(0)))


def test_headings_of_image_networks():
    text = heading(WORKLOADS["resnet20"])
    assert text == "### resnet20: ResNet-20 with batch normalisation on 32x32x3, batch 128, sgd, 3,840 rows"


def trained_sizes(model):
    """Numbers of each trained parameter, in order of size."""
    return sorted(parameter.type.size for parameter in model.parameters(trainable_only=True).values())
