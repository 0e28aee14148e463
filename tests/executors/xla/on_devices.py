"""Tests in a process whose CPU is eight devices: ``test_distribution`` starts it."""

from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

import thalweg
from thalweg import Input, Sequential, clone_model, config, layers, metrics, ops
from thalweg.distribution import DataParallel, DeviceMesh, LayoutMap, ModelParallel
from thalweg.errors import ArgumentError, ShapeError
from thalweg.executors.xla.executor import XlaExecutor, XlaProgram
from thalweg.graph.node import Graph

DEVICES = [f"cpu:{i}" for i in range(8)]
ROWS, BATCH = 90, 37
"""No number of devices divides the batch, nor the last one of an epoch."""


def parallel(n):
    return DataParallel(devices=DEVICES[:n])


def split(shape):
    """Batches over one axis, the two widest layers over the other."""
    layouts = LayoutMap(DeviceMesh(shape, ("batch", "model")))
    layouts["wide/kernel"] = (None, "model")
    layouts["wide/bias"] = ("model",)
    layouts["narrow/kernel"] = ("model", None)
    return ModelParallel(layout_map=layouts)


SPREADS = {
    **{f"{n} devices": partial(parallel, n) for n in (1, 2, 4, 8)},
    "2 x 4 devices": partial(split, (2, 4)),
}


@contextmanager
def floats(dtype):
    before = config.floatx()
    config.set_floatx(dtype)
    try:
        yield
    finally:
        config.set_floatx(before)


def network(executor, dtype="float64", optimizer="adam"):
    """It draws random numbers, and has layers and metrics that look at a whole batch."""
    with config.seeded(3), floats(dtype):
        model = Sequential(
            [
                Input((8, 8, 3)),
                layers.RandomFlip(),
                layers.Conv2D(6, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dropout(0.3),
                layers.Dense(16, activation="relu", name="wide"),
                layers.Dense(4, activation="softmax", name="narrow"),
            ]
        )
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy", metrics.F1Score("macro")])
    model.executor = executor
    return model


def small(executor):
    with config.seeded(2), floats("float64"):
        model = Sequential(
            [Input((8, 8, 3)), layers.Flatten(), layers.Dense(5, use_bias=False), layers.BatchNormalization()]
        )
        model.compile("adam", "sparse_categorical_crossentropy")
    model.executor = executor
    return model


def images(count, dtype, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, 8, 8, 3)).astype(dtype), random.integers(0, 4, count)


def trained(executor, dtype):
    """All numbers that come out of a training, by name."""
    model = network(executor, dtype)
    x, y = images(ROWS, dtype)
    weights = np.linspace(0.5, 2, ROWS)
    history = model.fit(
        x, y, BATCH, 2, 0, sample_weight=weights, validation_data=images(41, dtype, 1), seed=5, diagnose=False
    )
    found = {f"history/{name}": np.asarray(values) for name, values in history.history.items()}
    found |= {name: model.state.read(name) for name in model.state}
    return found | {f"predictions of {n}": model.predict(x[:n], verbose=0) for n in (1, 13)}


@pytest.fixture(scope="module")
def alone():
    """What one device, and no XLA, makes of it."""
    return {dtype: trained("native", dtype) for dtype in ("float64", "float32")}


@pytest.mark.parametrize("spread", SPREADS)
def test_results_do_not_depend_on_the_number_of_devices(spread, alone):
    found = trained(XlaExecutor(distribution=SPREADS[spread]()), "float64")
    assert found.keys() == alone["float64"].keys()
    for name, expected in alone["float64"].items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-11, atol=1e-12, err_msg=name)


def test_nor_in_float32(alone):
    """The weights of a ReLU's unit may be further apart than the losses: a sum that is nearly 0 has either sign."""
    found = trained(XlaExecutor(distribution=DataParallel()), "float32")
    for name, expected in alone["float32"].items():
        if name.startswith("history/"):
            np.testing.assert_allclose(found[name], expected, rtol=1e-5, err_msg=name)


def test_the_devices_draw_the_numbers_that_one_draws():
    """To the bit: which numbers dropout keeps is integer arithmetic."""
    kept = []
    for executor in ("numpy", XlaExecutor(distribution=DataParallel())):
        with config.seeded(1):
            model = Sequential([Input((50,)), layers.Dropout(0.4)])
        model.executor = executor
        kept.append(model(np.ones((11, 50), np.float32), training=True))
    np.testing.assert_array_equal(*kept)


def test_fewer_rows_than_devices():
    """Batches of one, and a last one of three."""
    x, y = images(3, "float64")
    logs = []
    for executor in ("native", XlaExecutor(distribution=DataParallel())):
        model = small(executor)
        logs.append([model.fit(x, y, n, 1, 0, diagnose=False).history["loss"][0] for n in (1, 2)])
    np.testing.assert_allclose(*logs, rtol=1e-11)


def test_rows_that_are_brought_with_each_step():
    """To each device its part, or all to each where the parts would not be of one size."""
    logs = []
    for executor in ("native", XlaExecutor(distribution=DataParallel())):
        model = small(executor)
        logs.append([model.train_on_batch(*images(n, "float64", n)) for n in (16, 13, 16)])
    np.testing.assert_allclose(*logs, rtol=1e-11)


def test_the_largest_number_is_none_where_one_device_has_none():
    x = ops.input_node("x", (8, 3), "float32")
    graph = Graph({"most": ops.reduce_max(x), "least": ops.reduce_min(x, 0)})
    data = {"x": np.arange(24, dtype=np.float32).reshape(8, 3)}
    data["x"][5, 1] = np.nan
    found = {"most": np.zeros(1, np.float32), "least": np.zeros((1, 3), np.float32)}
    program = XlaExecutor(distribution=parallel(8)).compile(graph, gather=True)
    program.run({}, data, np.arange(8)[None], found)
    np.testing.assert_array_equal(found["most"], [np.nan])
    np.testing.assert_array_equal(found["least"], [[0, np.nan, 2]])


@pytest.mark.needs("keras")
def test_losses_are_those_of_keras_on_the_same_devices(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    import keras

    x, y = images(64, "float32")
    mine, theirs = (
        package.Sequential(
            [
                package.Input((8, 8, 3)),
                package.layers.Conv2D(4, 3, activation="relu"),
                package.layers.BatchNormalization(),
                package.layers.Flatten(),
                package.layers.Dense(4, activation="softmax"),
            ]
        )
        for package in (thalweg, keras)
    )
    losses = []
    spread = keras.distribution.DataParallel(devices=DEVICES)
    with spread.scope():
        theirs = keras.models.clone_model(theirs)
        theirs.set_weights(mine.get_weights())
        for model, package in ((mine, thalweg), (theirs, keras)):
            model.compile(package.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
            told = {"distribution": parallel(8), "diagnose": False} if model is mine else {}
            losses.append(model.fit(x, y, 16, 3, 0, shuffle=False, **told).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_each_device_computes_its_part():
    """XLA counts the operations of one device."""
    operations = {}
    for n in (1, 8):
        model = Sequential([Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(8)])
        model.compile("sgd", "mse")
        model.executor = XlaExecutor(distribution=parallel(n))
        program = model.runner.trainer("test").prepare(128, ())
        assert isinstance(program, XlaProgram)
        operations[n] = program.lowered().compile().cost_analysis()["flops"]
    assert operations[8] < operations[1] / 7


def test_what_the_devices_cannot_divide():
    """The message says the nearest sizes."""
    model = Sequential([Input((3,)), layers.Dense(10, name="wide"), layers.Dense(3, name="small")])
    model.compile("sgd", "mse")
    for layer, says in (("wide", "use 8 or 12"), ("small", "use 4,")):
        layouts = LayoutMap(DeviceMesh((2, 4), ("batch", "model")))
        layouts[f"{layer}/kernel"] = (None, "model")
        spread = ModelParallel(layout_map=layouts)
        with pytest.raises(ShapeError, match=says):
            model.fit(np.ones((8, 3)), np.ones((8, 3)), verbose=0, distribution=spread)
        with spread.scope(), pytest.raises(ShapeError, match=says):
            clone_model(model).predict(np.ones((8, 3)), verbose=0)


def test_a_mesh_has_as_many_places_as_devices():
    with pytest.raises(ArgumentError, match=r"list_devices\(\)\[:6\]"):
        DeviceMesh((2, 3), ("batch", "model"))
    with pytest.raises(ArgumentError, match="whose product is 8"):
        DeviceMesh((16,), ("batch",))


def test_a_wide_layer_lies_on_its_devices_in_parts():
    model = network(XlaExecutor(distribution=split((2, 4))))
    model.fit(*images(8, "float64"), 8, 1, 0, diagnose=False)
    parts = {
        name: model.state[name].kept.array.sharding.shard_shape(model.state[name].type.shape)
        for name in model.state
        if model.state[name].type.rank
    }
    features = model.get_layer("wide").kernel.shape[0]
    for of_wide in ("parameters/wide/kernel", "slots/wide/kernel/m", "slots/wide/kernel/v"):
        assert parts[of_wide] == (features, 4)
    assert parts["parameters/wide/bias"] == parts["slots/wide/bias/m"] == (4,)
    assert parts["parameters/narrow/kernel"] == (4, 4)
    assert parts["parameters/narrow/bias"] == (4,)
    assert parts["parameters/conv2d/kernel"] == (3, 3, 3, 6)


def test_what_an_optimizer_keeps_in_another_shape_is_whole():
    alone, spread = (
        network(executor, optimizer="adafactor") for executor in ("native", XlaExecutor(None, split((2, 4))))
    )
    for model in (alone, spread):
        model.fit(*images(24, "float64"), 8, 2, 0, seed=1, diagnose=False)
    for one, other in zip(alone.get_weights(), spread.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


def test_a_training_goes_on_on_other_devices():
    x, y = images(40, "float64")
    moving = small("native")
    for epoch, n in enumerate((None, 8, 3, None)):
        moving.executor = "native" if n is None else XlaExecutor(distribution=parallel(n))
        moving.fit(x, y, 16, epoch + 1, 0, initial_epoch=epoch, diagnose=False)
    staying = small("native")
    staying.fit(x, y, 16, 4, 0, diagnose=False)
    for one, other in zip(moving.get_weights(), staying.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)
