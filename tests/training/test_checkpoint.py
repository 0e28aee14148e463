"""One file holds everything: training goes on from it to the same bits; a damaged or hostile one does nothing."""

import contextlib
import itertools
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import Input, Model, Sequential, errors, executors, initializers, layers, losses, optimizers
from thalweg.data import safetensors
from thalweg.model import restoring
from thalweg.state.names import in_format_1
from thalweg.training import checkpoint

X, Y = nets.points(40)
FILES = Path(__file__).parent / "files"


OPTIMIZERS = [
    *("sgd", "rmsprop", "adam", "adagrad", "adadelta", "adamw", "adamax", "nadam", "lion", "lamb", "muon"),
    thalweg.optimizers.SGD(0.1, momentum=0.9),
    thalweg.optimizers.SGD(thalweg.optimizers.schedules.OneCycle(0.5, 20)),
    # 5 batches an epoch: the file is written in the middle of an accumulation
    thalweg.optimizers.Adam(gradient_accumulation_steps=3, weight_decay=0.1, decay_exclusions=("bias",)),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o if isinstance(o, str) else type(o).__name__)
def test_training_goes_on_to_the_same_bits(tmp_path, optimizer):
    whole, cut = (nets.classifier(optimizer=optimizer, dropout=0.3) for _ in range(2))
    whole.fit(X, Y, epochs=4, batch_size=8, verbose=0)
    cut.fit(X, Y, epochs=2, batch_size=8, verbose=0)
    cut.save(tmp_path / "m.thalweg")
    loaded = thalweg.load_model(tmp_path / "m.thalweg")
    history = loaded.fit(X, Y, epochs=4, initial_epoch=2, batch_size=8, verbose=0)
    assert nets.same_bits(whole, loaded)
    assert history.history["loss"] == whole.history.history["loss"][2:]
    for name, array in whole.state.snapshot().items():
        if not name.startswith("evaluation/"):
            np.testing.assert_array_equal(array, loaded.state.read(name))


def test_a_rate_that_was_set_is_saved(tmp_path):
    model = nets.classifier()
    model.optimizer.learning_rate = 0.125
    model.save(tmp_path / "m.thalweg")
    assert thalweg.load_model(tmp_path / "m.thalweg").optimizer.learning_rate == 0.125


def test_predictions_layers_and_settings_survive(tmp_path):
    model = thalweg.Sequential(
        [
            thalweg.Input((2, 2), dtype="uint8"),
            layers.Rescaling(1 / 255, offset=-0.5),
            layers.Flatten(name="flat"),
            layers.Dense(3, activation="tanh", use_bias=False),
            layers.Dropout(0.1, seed=3),
            layers.Dense(2),
        ],
        name="mine",
    )
    model.compile(thalweg.optimizers.Adam(0.01, beta_1=0.8), losses.MeanSquaredError(), metrics=["mse"])
    model.save(tmp_path / "m.thalweg")
    loaded = thalweg.load_model(tmp_path / "m.thalweg")
    assert type(loaded) is thalweg.Sequential
    assert loaded.name == "mine"
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    assert repr(loaded.optimizer) == repr(model.optimizer)
    assert loaded.metrics_names == ["loss", "mse"]
    assert loaded.to_json() == model.to_json()
    x = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_model_without_compile(tmp_path):
    model = nets.classifier()
    model.save(tmp_path / "m.thalweg")
    loaded = thalweg.load_model(tmp_path / "m.thalweg", compile=False)
    assert loaded.optimizer is None
    assert nets.same_bits(loaded, model)


def test_a_functional_model_with_two_branches(tmp_path):
    left, right = thalweg.Input((3,)), thalweg.Input((2,), name="right")
    shared = layers.Dense(4, name="shared")
    first = layers.Dense(4)(left)
    model = thalweg.Model([left, right], [shared(first), layers.Dense(1)(shared(layers.Dense(4)(right)))])
    model.compile("sgd", "mse")
    x = [np.ones((5, 3)), np.ones((5, 2))]
    y = [np.ones((5, 4)), np.ones(5)]
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.thalweg")
    loaded = thalweg.load_model(tmp_path / "m.thalweg")
    for a, b in zip(model.predict(x, verbose=0), loaded.predict(x, verbose=0), strict=True):
        np.testing.assert_array_equal(a, b)


def test_custom_classes_by_registration_or_by_name(tmp_path):
    from dataclasses import dataclass

    @dataclass(eq=False)
    class Doubled(layers.Layer):
        def call(self, x, training):
            return x * 2

    layers.registry.register("doubled_for_this_test")(Doubled)
    model = thalweg.Sequential([thalweg.Input((2,)), Doubled()])
    model.save(tmp_path / "m.thalweg")
    loaded = thalweg.load_model(tmp_path / "m.thalweg", custom_objects={"doubled_for_this_test": Doubled})
    np.testing.assert_array_equal(loaded.predict(np.ones((1, 2))), [[2, 2]])


def test_a_loss_that_cannot_be_named_is_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "m.thalweg"
    model = nets.regressor()
    model.save(path)
    before = path.read_bytes()
    model.compile("sgd", lambda y_true, y_pred: (y_true - y_pred) ** 2)
    with pytest.raises(errors.ArgumentError, match="has no name"):
        model.save(path)
    assert path.read_bytes() == before
    with pytest.raises(errors.StorageError, match="exists"):
        nets.regressor().save(path, overwrite=False)


def test_a_loss_function_of_ones_own_trains():
    model = nets.regressor()
    model.compile(thalweg.optimizers.SGD(0.1), lambda y_true, y_pred: (y_true - y_pred) ** 2)
    usual = nets.regressor(optimizer=thalweg.optimizers.SGD(0.1))
    x, y = np.random.default_rng(0).normal(size=(20, 2)), np.ones(20)
    for each in (model, usual):
        each.fit(x, y, verbose=0)
    assert nets.same_bits(model, usual)


def test_weights_alone(tmp_path):
    path = tmp_path / "w.safetensors"
    model, other = nets.classifier(1), nets.classifier(2)
    model.save_weights(path)
    other.load_weights(path)
    assert nets.same_bits(model, other)
    model.save(tmp_path / "m.thalweg")
    nets.classifier(3).load_weights(tmp_path / "m.thalweg")
    before = nets.regressor()
    weights = before.get_weights()
    with pytest.raises(errors.FileFormatError, match="weights of this model"):
        before.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(weights, before.get_weights(), strict=True))
    before.load_weights(path, skip_mismatch=True)
    with pytest.raises(errors.FileFormatError, match="arrays only"):
        thalweg.load_model(path)


def old_data():
    """What the files of format 1 were trained on."""
    x = ((np.arange(24 * 3) * 7919 % 101) / 50.5 - 1).reshape(24, 3).astype("float32")
    return x, (x**2).sum(1, keepdims=True).astype("float32")


@pytest.mark.parametrize(("name", "epochs", "batch_size"), [("adam", 2, 5), ("lbfgs", 3, "full")])
def test_files_of_format_1_go_on_as_they_would_have(name, epochs, batch_size, tmp_path):
    """Written by version 0.1.0 on the numpy executor, and so were the weights after these further epochs."""
    model = thalweg.load_model(FILES / f"{name}_format_1.model")
    model.save(tmp_path / "new")
    again = thalweg.load_model(tmp_path / "new")
    for each in (model, again):
        each.executor = executors.named("numpy")
        x, y = old_data()
        each.fit(x, y, epochs=epochs, batch_size=batch_size, verbose=0)
    assert nets.same_bits(model, again)
    later, _ = safetensors.read(FILES / f"{name}_format_1_later.safetensors")
    for path, parameter in model.parameters().items():
        # Matrix products differ in the last bits from one processor to the next.
        np.testing.assert_allclose(parameter.numpy(), later[path], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("file", ["adam_format_1.model", "weights_format_1.safetensors"])
def test_weights_of_format_1(file):
    written, _ = safetensors.read(FILES / "weights_format_1.safetensors")
    parts = [layers.Dense(4, "tanh"), layers.BatchNormalization(), layers.Dropout(0.25), layers.Dense(1)]
    model = thalweg.Sequential([thalweg.Input((3,)), *parts])
    model.load_weights(FILES / file)
    for path, parameter in model.parameters().items():
        np.testing.assert_array_equal(parameter.numpy(), written[path])


def test_an_older_pickle():
    """It does not say what format its names are of, and its state has those of format 1."""
    model = nets.classifier()
    model.fit(X, Y, verbose=0)
    revive, (cls, description, state, _) = model.__reduce__()
    again = revive(cls, description, {in_format_1(name): state[name] for name in model.runner.state_types()})
    assert nets.same_bits(again, model)


@pytest.fixture
def parts(tmp_path):
    """The arrays, the description and the path of a good file."""
    path = tmp_path / "m.thalweg"
    model = nets.classifier()
    model.fit(X, Y, verbose=0)
    model.save(path)
    arrays, strings = safetensors.read(path)
    return arrays, json.loads(strings["thalweg"]), path


def refused(arrays, description, path, match=None):
    text = description if isinstance(description, str) else json.dumps(description)
    safetensors.write(path, arrays, {"thalweg": text})
    with pytest.raises(errors.FileFormatError, match=match) as caught:
        thalweg.load_model(path)
    assert caught.value.fix


def test_every_truncation_is_an_error(parts):
    _, _, path = parts
    content = path.read_bytes()
    for length in [*range(64), *range(64, len(content), 97)]:
        path.write_bytes(content[:length])
        with pytest.raises(errors.FileFormatError):
            thalweg.load_model(path)


def test_a_pickle_runs_nothing(tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    path = tmp_path / "m.thalweg"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(errors.FileFormatError):
        thalweg.load_model(path)
    assert not (tmp_path / "sprung").exists()


def test_a_missing_file(tmp_path):
    with pytest.raises(errors.StorageError):
        thalweg.load_model(tmp_path / "none.thalweg")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"format": "1"}', '{"format": 1}'])
def test_a_description_that_is_none(parts, text):
    arrays, _, path = parts
    refused(arrays, text, path)


def test_a_newer_format(parts):
    arrays, description, path = parts
    refused(arrays, description | {"format": 99}, path, "newer version")


def test_an_unknown_class(parts):
    arrays, description, path = parts
    description["config"]["layers"][0]["class_name"] = "os.system"
    refused(arrays, description, path, "does not make a model")


def test_a_layer_that_would_take_all_memory(parts):
    arrays, description, path = parts
    description["config"]["layers"][0]["config"]["units"] = 10**15
    safetensors.write(path, arrays, {"thalweg": json.dumps(description)})
    with pytest.raises(errors.InsufficientMemoryError, match=r"Dense.*kernel"):
        thalweg.load_model(path)


def test_missing_and_wrong_arrays(parts):
    arrays, description, path = parts
    kernel, bias = "parameters/dense/kernel", "parameters/dense/bias"
    refused({k: v for k, v in arrays.items() if k != kernel}, description, path, kernel)
    refused(arrays | {bias: np.zeros(9, np.float32)}, description, path, bias)
    refused(arrays | {"optimizer/iterations": np.zeros((), np.float32)}, description, path, "iterations")


@pytest.fixture(scope="module")
def branched(tmp_path_factory):
    """The arrays, the description and the path of a model of several inputs and models, with settings of all kinds."""
    a, b = Input((6, 6, 1), name="image"), Input((3,))
    h = layers.Conv2D(2, 3, kernel_regularizer="l2", padding="same")(a)
    h = layers.Flatten()(layers.BatchNormalization()(h))
    inner = Sequential([Input((3,)), layers.Dense(4, "tanh")], name="inner")
    h = layers.Concatenate()([h, inner(b)])
    model = Model([a, b], layers.Dense(3, "softmax", kernel_initializer=initializers.GlorotUniform())(h))
    model.executor = executors.named("numpy")
    schedule = optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    loss = losses.SparseCategoricalCrossentropy()
    model.compile(optimizers.Adam(schedule), loss, metrics=["accuracy"], loss_weights=[2.0])
    path = tmp_path_factory.mktemp("files") / "m.thalweg"
    model.save(path)
    arrays, strings = safetensors.read(path)
    return arrays, json.loads(strings["thalweg"]), path


def places(value, path=()):
    """Where something stands in a description."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def with_changed(description, place, value):
    changed = json.loads(json.dumps(description))
    inside = changed
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    return changed


def test_no_wrong_type_in_a_description_passes(branched):
    """And every error is one that says what does not fit, not what Python says of it."""
    _, description, path = branched
    values = itertools.cycle([{"strange": [True]}, "strange", True, -1.5])
    for place in places(description):
        for value in ([{"strange": 1}], next(values)):
            error = error_of(path, with_changed(description, place, value))
            assert error is not None or not isinstance(value, list | dict), (place, value)
            assert error is None or isinstance(error.__cause__, errors.ThalwegError | None), (place, value, error)


def error_of(path, description):
    """What is said of a description; None if a model comes of it."""
    try:
        with checkpoint.reading(path):
            restoring.restored(checkpoint.read_description(path, {"thalweg": json.dumps(description)}))
    except errors.FileFormatError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("place", "value", "match"),
    [
        (("config", "layers", 0, "config", "filters"), "many", r"layer 'conv2d'.*filters"),
        (("config", "layers", 0, "config", "dilation_rate"), 10**7, r"Conv2D.*windows reach far beyond"),
        (("config", "layers", 1, "name"), "conv2d", "two layers have one name"),
        (("config", "inputs", "x/image", "shape"), [6, "6", 1], r"input 'x/image'.*shape"),
        (("config", "calls", 2, "inputs"), [["call", 2, 0]], r"input of layer 'flatten' comes from nowhere"),
        (("config", "calls", 0, "layer"), "none", "call 0 is of a layer that is not there"),
        (("config", "trainable"), "yes", "the model.*trainable"),
        (("compile", "optimizer", "config", "beta_1"), 2.0, "beta_1"),
    ],
)
def test_the_error_names_the_part_that_is_bad(branched, place, value, match):
    arrays, description, path = branched
    refused(arrays, with_changed(description, place, value), path, match)


def test_models_nested_too_deep(branched):
    arrays, description, path = branched
    model = Sequential([Input((2,)), layers.Dense(1)])
    for _ in range(40):
        model = Sequential([model])
    with pytest.raises(errors.ArgumentError, match="nested too deep"):
        Sequential([model])
    inner = {"kind": "model", **restoring.description(model)}
    for number in range(100):
        name = f"model_{number}"
        layer = {"kind": "layer", "class_name": "model", "config": {"name": name, "model": inner}, "name": name}
        call = {"layer": name, "inputs": [["input", "x"]], "training": None}
        whole = {**inner["config"], "layers": [layer], "calls": [call], "outputs": {"": ["call", 0, 0]}}
        inner = {"kind": "model", "class_name": "Sequential", "config": whole}
    refused(
        arrays, {**description, "class_name": "Sequential", "config": inner["config"]}, path, "nested too deep|JSON"
    )


def test_random_damage_of_the_description_never_does_more_than_an_error(parts):
    arrays, description, path = parts
    text = json.dumps(description)
    random = np.random.default_rng(0)
    for _ in range(150):
        at, count = int(random.integers(len(text))), int(random.integers(1, 6))
        damaged = text[:at] + "".join(map(chr, random.integers(32, 127, count))) + text[at + count :]
        safetensors.write(path, arrays, {"thalweg": damaged})
        with contextlib.suppress(errors.ThalwegError):  # harmless damage, as of a name, may load
            thalweg.load_model(path)
