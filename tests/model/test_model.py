"""Building, naming, weights and the summary of models."""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import errors, layers
from thalweg.spelling import SpellingNotice

X, Y = nets.points(40)


def test_a_sequential_without_input_is_built_by_its_first_data():
    model = thalweg.Sequential([layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    assert not model.built
    with pytest.raises(errors.GraphError, match="built"):
        model.get_weights()
    model.fit(X, Y, verbose=0)
    assert model.input_shape == (None, 4)
    assert model.output_shape == (None, 3)


def test_uint8_images_build_a_model_that_takes_uint8():
    model = thalweg.Sequential([layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)])
    assert model.predict(np.zeros((3, 4, 4), np.uint8), verbose=0).shape == (3, 2)
    assert model.inputs[0].dtype == "uint8"


def test_build_takes_the_batch_axis_too():
    model = thalweg.Sequential([layers.Dense(2)])
    model.build((None, 5))
    assert [w.shape for w in model.get_weights()] == [(5, 2), (2,)]


def test_the_older_way_to_give_the_input_shape():
    with pytest.warns(SpellingNotice, match="input_shape= is read as a first Input"):
        model = thalweg.Sequential([layers.Dense(2, input_shape=(5,))])
    assert model.built
    assert model.count_params() == 12


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: layers.Dense(2, input_dim=5), (None, 5)),  # type: ignore[call-arg]
        (lambda: layers.Dense(2, input_shape=5), (None, 5)),
        (lambda: layers.Dense(2, input_shape=[3, 5]), (None, 3, 5)),
        (lambda: layers.Dense(2, batch_input_shape=(8, 5)), (None, 5)),  # type: ignore[call-arg]
        (lambda: layers.Dense(2, input_shape=(5,), batch_size=8), (None, 5)),  # type: ignore[call-arg]
        (lambda: layers.Embedding(9, 2, input_length=5), (None, 5)),  # type: ignore[call-arg]
        (lambda: layers.Conv1D(2, 3, input_dim=4, input_length=5), (None, 5, 4)),  # type: ignore[call-arg]
        (lambda: OwnDense(2, input_dim=5, name="mine"), (None, 5)),
    ],
)
def test_what_the_first_layer_says_of_the_input(layer, shape):
    with pytest.warns(SpellingNotice, match="input_shape= is read as a first Input"):
        model = thalweg.Sequential([layer()])
    assert model.input_shape == shape


class OwnDense(layers.Layer):
    def __init__(self, units, **options):
        super().__init__(**options)
        self.inner = layers.Dense(units)

    def call(self, x):
        return self.inner(x)


def test_weights_to_start_from():
    kernel, bias = np.arange(6.0, dtype=np.float32).reshape(3, 2), np.ones(2, np.float32)
    with pytest.warns(SpellingNotice, match="weights= is read as initial_weights="):
        layer = layers.Dense(2, weights=[kernel, bias])  # type: ignore[call-arg]
    model = thalweg.Sequential([thalweg.Input((3,)), layer])
    np.testing.assert_array_equal(model.get_weights()[0], kernel)
    np.testing.assert_array_equal(model.get_weights()[1], bias)
    assert "initial_weights" not in layer.get_config()
    table = np.ones((5, 2), np.float32)
    frozen = layers.Embedding(5, 2, initial_weights=table, trainable=False)
    model = thalweg.Sequential([thalweg.Input((4,)), frozen])
    np.testing.assert_array_equal(model.get_weights()[0], table)
    with pytest.raises(errors.ShapeError, match="these weights do not fit the layer"):
        thalweg.Sequential([thalweg.Input((3,)), layers.Dense(2, initial_weights=[kernel])])


def test_an_initializer_none_is_keras_s_default():
    model = thalweg.Sequential([thalweg.Input((3,)), layers.Dense(4, bias_initializer=None)])
    bias = model.get_weights()[1]
    assert np.ptp(bias) > 0
    assert np.abs(bias).max() <= np.sqrt(6 / 8)  # glorot_uniform of 4 and 4


def test_add_and_pop_keep_the_weights_of_the_other_layers():
    model = thalweg.Sequential([thalweg.Input((4,))])
    model.add(layers.Dense(3))
    model.add(layers.Dense(2))
    kernel = model.get_weights()[0]
    model.compile("sgd", "mse")
    model.fit(X, np.zeros((40, 2)), verbose=0)
    trained = model.get_weights()[0]
    model.pop()
    model.add(layers.Dense(1))
    assert model.output_shape == (None, 1)
    assert not np.array_equal(kernel, trained)
    np.testing.assert_array_equal(model.get_weights()[0], trained)
    model.fit(X, np.zeros(40), verbose=0)
    with pytest.raises(errors.ArgumentError):
        thalweg.Sequential().pop()


@pytest.mark.parametrize("bad", ["dense", None, layers.Dense])
def test_what_is_no_layer_is_refused(bad):
    with pytest.raises(errors.ArgumentError, match="no layer"):
        thalweg.Sequential([bad])


def test_a_layer_cannot_be_added_twice():
    layer = layers.Dense(2)
    with pytest.raises(errors.ArgumentError, match="already"):
        thalweg.Sequential([layer, layer])


def test_layers_that_do_not_fit_name_themselves():
    with pytest.raises(errors.ShapeError, match="reshape"):
        thalweg.Sequential([thalweg.Input((4,)), layers.Reshape((3, 3))])


def test_layers_by_name_and_index():
    model = nets.classifier()
    assert model.get_layer("dense_1") is model.layers[1] is model.get_layer(index=-1)
    with pytest.raises(errors.ArgumentError, match="did you mean 'dense'"):
        model.get_layer("dens")


def test_weights_in_and_out():
    model, other = nets.classifier(1), nets.classifier(2)
    assert not nets.same_bits(model, other)
    other.set_weights(model.get_weights())
    assert nets.same_bits(model, other)
    before = model.get_weights()
    for wrong in (before[:-1], [w.T for w in before]):
        with pytest.raises(errors.ShapeError, match="do not fit"):
            model.set_weights(wrong)
    before[0][...] = 7  # a copy
    assert not np.array_equal(model.get_weights()[0], before[0])


def test_the_same_seed_gives_the_same_weights_also_for_the_second_model():
    thalweg.utils.set_random_seed(5)
    first = [nets.classifier(seed=5), nets.classifier(seed=5)]
    assert nets.same_bits(*first)
    thalweg.utils.set_random_seed(5)
    models = [thalweg.Sequential([thalweg.Input((4,)), layers.Dense(3)]) for _ in range(2)]
    assert not nets.same_bits(*models)


def test_layers_that_are_not_trained_stay():
    model = nets.classifier()
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert not np.array_equal(before[2], after[2])


def test_compile_starts_the_optimizer_anew_and_keeps_the_weights():
    model = nets.classifier()
    model.fit(X, Y, verbose=0)
    weights = model.get_weights()
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    assert model.optimizer.iterations == 0
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))
    model.fit(X, Y, verbose=0)


def test_a_clone_has_the_layers_and_other_weights():
    model = nets.classifier()
    clone = thalweg.clone_model(model)
    assert clone.to_json() == model.to_json()
    assert not nets.same_bits(model, clone)
    assert clone.optimizer is None


def test_a_functional_model_of_two_inputs_and_outputs():
    left, right = thalweg.Input((3,), name="left"), thalweg.Input((2,), name="right")
    a = layers.Dense(1, name="a")(left)
    b = layers.Dense(2, activation="softmax", name="b")(right)
    model = thalweg.Model({"left": left, "right": right}, [a, b])
    model.compile("sgd", {"a": "mse", "b": "sparse_categorical_crossentropy"}, {"a": 2.0}, metrics={"b": ["accuracy"]})
    x = {"left": np.ones((6, 3)), "right": np.ones((6, 2))}
    y = {"a": np.zeros(6), "b": np.zeros(6, int)}
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    assert model.metrics_names == ["loss", "a_loss", "b_loss", "b_accuracy"] == list(logs)
    assert logs["loss"] == pytest.approx(2 * logs["a_loss"] + logs["b_loss"])
    history = model.fit(x, y, epochs=2, verbose=0)
    assert history.history["loss"][1] < history.history["loss"][0]
    assert [p.shape for p in model.predict(x, verbose=0)] == [(6, 1), (6, 2)]
    with pytest.raises(errors.ArgumentError, match="did you mean 'left'"):
        model.predict({"lef": x["left"], "right": x["right"]})


def test_an_output_that_needs_another_input():
    other = thalweg.Input((3,), name="other")
    with pytest.raises(errors.GraphError, match="none of the model's"):
        thalweg.Model(thalweg.Input((3,)), layers.Dense(1)(other))


def test_the_summary():
    model = nets.classifier()
    model.fit(X, Y, verbose=0)
    lines = []
    model.summary(line_length=80, print_fn=lines.append)
    text = "\n".join(lines)
    assert lines[0] == 'Model: "sequential"'
    for part in ("Layer (type)", "Output Shape", "Param #", "dense_1 (Dense)", "(None, 3)", "Trainable params: 67"):
        assert part in text
    assert "Total params: 203" in text  # and 2 * 67 + 2 of Adam's
    assert all(len(line) <= 80 for line in lines)
    model.summary(print_fn=lines.append, show_trainable=True, layer_range=("dense_1", "dense_1"))
    with pytest.raises(errors.ArgumentError, match="layer_range"):
        model.summary(print_fn=lines.append, layer_range=("x", "y"))


def test_importing_is_light():
    code = (
        "import sys, thalweg\n"
        "from thalweg import Sequential, layers, callbacks, datasets\n"
        "print([m for m in ('llvmlite', 'rich', 'typer', 'pandas', 'PIL', 'IPython') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(thalweg.__file__).parents[1])}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert result.stdout.strip() == "[]"


def test_public_names_are_there():
    for name in dir(thalweg):
        assert getattr(thalweg, name) is not None
    with pytest.raises(AttributeError, match="did you mean 'Sequential'"):
        _ = thalweg.Sequentail  # type: ignore[attr-defined]


def test_to_categorical():
    np.testing.assert_array_equal(thalweg.utils.to_categorical([[1], [0]]), [[0, 1], [1, 0]])
    with pytest.raises(errors.DataError, match="no class"):
        thalweg.utils.to_categorical([0, 5], num_classes=3)


def test_a_built_model_has_its_weights_at_once():
    hidden = layers.Dense(8)
    model = thalweg.Sequential([thalweg.Input((4,)), hidden, layers.Dense(3)])
    kernel, bias = hidden.get_weights()
    assert kernel.shape == (4, 8)
    np.testing.assert_array_equal(kernel, model.get_weights()[0])
    hidden.set_weights([kernel + 1, bias])
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], kernel + 1)
    assert thalweg.clone_model(model).layers[0].get_weights()[0].shape == (4, 8)


def test_the_seed_of_fit_gives_the_weights_of_a_model_that_it_builds():
    def trained(*front):
        model = thalweg.Sequential([*front, layers.Dense(3, activation="softmax")])
        before = model.get_weights() if front else None
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(X, Y, epochs=1, seed=3, verbose=0)
        return model, before

    assert nets.same_bits(trained()[0], trained()[0])
    thalweg.utils.set_random_seed(1)
    (one, before), (two, other) = trained(thalweg.Input((4,))), trained(thalweg.Input((4,)))
    assert not np.array_equal(before[0], other[0])
    assert not nets.same_bits(one, two)


def test_a_model_is_called_like_a_function():
    model = nets.classifier()
    np.testing.assert_array_equal(model(X[:5]), model.predict(X[:5], verbose=0))


def test_a_model_inside_another_shares_its_weights():
    inner = nets.classifier()
    x = thalweg.Input((4,))
    functional = thalweg.Model(x, layers.Rescaling(2.0)(inner(x)))
    sequential = thalweg.Sequential([inner, layers.Rescaling(2.0)])
    inner.fit(X, Y, verbose=0)
    expected = 2 * inner.predict(X, verbose=0)
    np.testing.assert_array_equal(functional.predict(X, verbose=0), expected)
    np.testing.assert_array_equal(sequential.predict(X, verbose=0), expected)
    with pytest.raises(errors.ArgumentError, match="number of symbols"):
        inner([x, x])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_go_on_to_the_same_bits(copied):
    model = nets.classifier(dropout=0.5)
    model.fit(X, Y, verbose=0)
    other = copied(model)
    for each in (model, other):
        each.fit(X, Y, epochs=2, verbose=0)
    assert nets.same_bits(model, other)
    with pytest.raises(errors.GraphError, match="not built"):
        copied(thalweg.Sequential([layers.Dense(2)]))


def test_a_mapping_may_name_the_only_output_after_its_layer():
    model = thalweg.Sequential([thalweg.Input((4,)), layers.Dense(3, activation="softmax", name="digit")])
    model.compile("adam", {"digit": "sparse_categorical_crossentropy"}, metrics={"digit": ["accuracy"]})
    assert model.metrics_names == ["loss", "accuracy"]
    with pytest.raises(errors.ArgumentError, match="without a mapping"):
        model.compile("adam", {"digits": "mse"})


def test_a_loss_may_be_given_as_its_function(tmp_path):
    model = nets.classifier()
    function = thalweg.losses.sparse_categorical_crossentropy
    model.compile("adam", function, metrics=[function])
    by_name = nets.classifier()
    assert model.evaluate(X, Y, verbose=0)[0] == by_name.evaluate(X, Y, verbose=0)[0]
    model.save(tmp_path / "m")
    assert thalweg.load_model(tmp_path / "m").metrics_names == ["loss", "sparse_categorical_crossentropy"]


def test_its_text_says_what_it_is():
    assert repr(nets.classifier()) == "<Sequential 'sequential', 2 layers>"
    assert repr(thalweg.Sequential([layers.Dense(2)])) == "<Sequential 'sequential', 1 layers, not built>"


def test_verbose_may_be_a_truth_value(capsys):
    nets.classifier().fit(X, Y, verbose=False)
    assert capsys.readouterr().out == ""
    nets.classifier().fit(X, Y, verbose=True)
    assert "Epoch 1/1" in capsys.readouterr().out


def test_weights_as_objects():
    entry = thalweg.Input((4,))
    normal = layers.BatchNormalization()
    model = thalweg.Model(entry, layers.Dense(3)(normal(entry)))
    assert [w.name for w in model.weights] == ["gamma", "beta", "moving_mean", "moving_variance", "kernel", "bias"]
    assert [w.shape for w in model.trainable_weights] == [(4,), (4,), (4, 3), (3,)]
    assert [w.name for w in model.non_trainable_weights] == ["moving_mean", "moving_variance"]
    assert [w.name for w in normal.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert (normal.trainable_weights, normal.non_trainable_weights) == (normal.weights[:2], normal.weights[2:])
    for weight, array in zip(model.weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight.numpy(), array)
        np.testing.assert_array_equal(np.asarray(weight), array)
    model.weights[5].assign([1, 2, 3])
    np.testing.assert_array_equal(model.get_weights()[5], [1, 2, 3])
    with pytest.raises(errors.ShapeError, match="'bias'"):
        model.weights[5].assign([1, 2])
    normal.trainable = False
    assert [w.name for w in model.trainable_weights] == ["kernel", "bias"]
    assert model.input is entry
    assert model.output is model.outputs[0]


class TestInputAndOutputOfLayers:
    X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)

    def test_features_of_a_layer_in_the_middle(self):
        made = thalweg.Sequential([thalweg.Input((4,)), layers.Dense(3, "tanh"), layers.Dense(2)])
        made.add(layers.Dense(1))  # connects all anew: the uses before are gone
        features = thalweg.Model(made.input, made.get_layer("dense").output)
        kernel, bias = made.get_weights()[:2]
        np.testing.assert_allclose(features.predict(self.X, verbose=0), np.tanh(self.X @ kernel + bias), rtol=1e-5)
        assert made.layers[1].input is made.layers[0].output
        assert made.layers[-1].output is made.output

    def test_several_inputs(self):
        x, y = thalweg.Input((4,)), thalweg.Input((4,))
        layer = layers.Add()
        made = layer([x, y])
        assert layer.input == [x, y]
        assert layer.output is made

    def test_no_use_or_several(self):
        layer, x = layers.Dense(4), thalweg.Input((4,))
        with pytest.raises(errors.GraphError, match="used once between symbols"):
            _ = layer.output
        first = layer(x)
        assert layer.output is first
        second = layer(first)  # noqa: F841 - alive, it counts
        with pytest.raises(errors.GraphError, match="used once between symbols") as caught:
            _ = layer.output
        assert caught.value.got == "2 uses"

    def test_copies_of_layers_are_their_own(self):
        layer = layers.Dense(4)
        made = layer(thalweg.Input((4,)))
        copied = copy.deepcopy(layer)
        assert layer.output is made
        with pytest.raises(errors.GraphError):
            _ = copied.output
        pickle.loads(pickle.dumps(layer))
