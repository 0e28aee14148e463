"""Whole trainings on the xla executor: the numbers of the native one, the same bits for the same seed, and a training
that is begun on one executor and goes on on the other.
"""

import copy

import numpy as np
import pytest
from tests.contracts.cases import OPTIMIZERS

import thalweg
from thalweg import Sequential, layers, optimizers

pytestmark = [pytest.mark.needs("jax"), pytest.mark.slow]

STEPS, BATCH = 50, 8
NEAR = {"float32": 1e-5, "float64": 1e-12}


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """What layers compute in."""
    before = thalweg.config.floatx()
    thalweg.config.set_floatx(request.param)
    yield request.param
    thalweg.config.set_floatx(before)


def dense():
    return [layers.Input((6,)), layers.Dense(16, "tanh"), layers.Dense(3, "softmax")]


def images():
    return [
        layers.Input((8, 8, 2)),
        layers.Conv2D(4, 3, padding="same", activation="softplus"),
        layers.MaxPooling2D(2),
        layers.DepthwiseConv2D(3),
        layers.Flatten(),
        layers.Dense(3, "softmax"),
    ]


def by_chance():
    return [
        layers.Input((8, 8, 2)),
        layers.RandomFlip(),
        layers.RandomRotation(0.1),
        layers.RandomContrast(0.3),
        layers.Conv2D(4, 3, use_bias=False),  # which would be nothing but rounding, grown by Adam
        layers.BatchNormalization(),
        layers.Activation("tanh"),
        layers.Dropout(0.3),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, "softmax"),
    ]


def tokens():
    return [
        layers.Input((7,), dtype="int32"),
        layers.Embedding(20, 5),
        layers.SpatialDropout1D(0.2),
        layers.Conv1D(6, 3, dilation_rate=2, activation="gelu"),
        layers.LayerNormalization(),
        layers.GlobalMaxPooling1D(),
        layers.Dense(3, "softmax"),
    ]


NETS = {net.__name__: net for net in (dense, images, by_chance, tokens)}


def compiled_model(net=dense, optimizer="adam"):
    thalweg.utils.set_random_seed(3)
    model = Sequential(net())
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def data(model, dtype="float32", rows=60):
    """A last batch of fewer rows, so that an epoch has eight steps."""
    random = np.random.default_rng(1)
    shape = (rows, *model.input_shape[1:])
    x = random.integers(0, 20, shape) if model.inputs[0].dtype == "int32" else random.normal(size=shape).astype(dtype)
    return x, random.integers(0, 3, rows)


def trained(model, executor, x, y, epochs=-(-STEPS // 8), **arguments):
    model.executor = executor
    return model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0, seed=7, **arguments)


def check_alike(mine, theirs, x, of):
    """The weights, after small differences have gone through all steps, and what is predicted with them."""
    for one, two in zip(mine.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=of, atol=of)
    np.testing.assert_allclose(mine.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=of, atol=of)


@pytest.mark.parametrize("net", NETS)
def test_a_training_is_that_of_the_native_executor(net, dtype):
    mine = compiled_model(NETS[net], optimizers.SGD(0.05, momentum=0.9))
    theirs = copy.deepcopy(mine)
    x, y = data(mine, dtype)
    histories = [
        trained(model, executor, x, y, validation_data=(x[:20], y[:20])).history
        for model, executor in ((mine, "xla"), (theirs, "native"))
    ]
    for name, values in histories[1].items():
        np.testing.assert_allclose(histories[0][name], values, rtol=NEAR[dtype])
    check_alike(mine, theirs, x, NEAR[dtype])


RULES = [pytest.param(rule, id=f"{name}-{i}") for name, rules in OPTIMIZERS.items() for i, rule in enumerate(rules)]


@pytest.mark.parametrize("rule", RULES)
def test_every_optimizer_goes_the_same_way(rule, dtype):
    mine = compiled_model(dense, rule())
    theirs = copy.deepcopy(mine)
    x, y = data(mine, dtype)
    for model, executor in ((mine, "xla"), (theirs, "native")):
        trained(model, executor, x, y)
    grows = 10 if isinstance(mine.optimizer.rule, optimizers.Muon) else 1  # it makes all directions equally long
    check_alike(mine, theirs, x, grows * NEAR[dtype])


def test_lbfgs_finds_the_same(dtype):
    mine = compiled_model(dense, optimizers.LBFGS())
    theirs = copy.deepcopy(mine)
    x, y = data(mine, dtype)
    for model, executor in ((mine, "xla"), (theirs, "native")):
        model.executor = executor
        model.fit(x, y, batch_size="full", epochs=5, verbose=0)
    check_alike(mine, theirs, x, NEAR[dtype])


def test_the_same_seed_gives_the_same_bits():
    first, second = compiled_model(by_chance), compiled_model(by_chance)
    x, y = data(first)
    losses = [trained(model, "xla", x, y, epochs=3).history["loss"] for model in (first, second)]
    assert losses[0] == losses[1]
    for one, two in zip(first.get_weights(), second.get_weights(), strict=True):
        assert np.array_equal(one, two)


@pytest.mark.parametrize("turns", [("xla", "native"), ("native", "xla"), ("xla", "numpy", "xla")])
def test_a_training_goes_on_on_another_executor(turns):
    mine, theirs = (compiled_model(by_chance) for _ in range(2))
    x, y = data(mine)
    for number, executor in enumerate(turns):
        trained(mine, executor, x, y, epochs=2 * number + 2, initial_epoch=2 * number)
        trained(theirs, "native", x, y, epochs=2 * number + 2, initial_epoch=2 * number)
    check_alike(mine, theirs, x, NEAR["float32"])


@pytest.mark.parametrize("turns", [("xla", "native"), ("native", "xla")])
def test_a_file_knows_no_executor(turns, tmp_path):
    mine, theirs = (compiled_model(by_chance) for _ in range(2))
    x, y = data(mine)
    trained(theirs, "native", x, y, epochs=2)
    trained(mine, turns[0], x, y, epochs=2)
    mine.save(tmp_path / "model.thalweg")
    again = thalweg.models.load_model(tmp_path / "model.thalweg")
    for model, executor in ((again, turns[1]), (theirs, "native")):
        trained(model, executor, x, y, epochs=4, initial_epoch=2)
    check_alike(again, theirs, x, NEAR["float32"])


def test_a_stream_trains_like_its_rows():
    mine, theirs = (compiled_model(dense) for _ in range(2))
    x, y = data(mine)

    def batches():
        for start in range(0, len(x), BATCH):
            yield x[start : start + BATCH], y[start : start + BATCH]

    mine.executor, theirs.executor = "xla", "native"
    mine.fit(batches, epochs=3, verbose=0)
    theirs.fit(x, y, batch_size=BATCH, shuffle=False, epochs=3, verbose=0)
    check_alike(mine, theirs, x, NEAR["float32"])
