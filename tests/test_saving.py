"""thalweg.saving: classes that files may name, and names that only users know."""

import numpy as np
import pytest

import thalweg
from thalweg import activations, layers, losses, ops, saving
from thalweg.errors import ArgumentError, FileFormatError, NameNotFoundError
from thalweg.fields import dataclass

X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)


@saving.register_keras_serializable(package="tests")
@dataclass(eq=False)
class Multiplied(layers.Layer):
    factor: float = 2.0

    def call(self, x):
        return x * self.factor


@saving.register_keras_serializable(package="tests", name="cubed")
def cube(x):
    return x * x * x


@saving.register_keras_serializable("tests")
def off(y_true, y_pred):
    return ops.reduce_mean(ops.absolute(y_true - y_pred), -1)


def test_registered_things_are_saved_and_loaded(tmp_path):
    model = thalweg.Sequential([layers.Input((3,)), Multiplied(3.0), layers.Dense(2, activation=cube)])
    model.compile("sgd", "mse", metrics=["mae"])
    thalweg.models.save_model(model, tmp_path / "model.thalweg")
    loaded = thalweg.models.load_model(tmp_path / "model.thalweg")
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    assert saving.get_registered_name(Multiplied) == "tests>Multiplied"
    assert saving.get_registered_object("tests>Multiplied") is Multiplied
    assert saving.get_registered_object("tests>Missing") is None
    assert saving.get_registered_name(np.float64.hex) == "hex"


def test_names_of_classes(tmp_path):
    model = thalweg.Sequential([layers.Input((4,)), layers.Dense(2, "softmax")])
    model.class_names = ["cat", "dog"]
    model.save(tmp_path / "m.thalweg")
    again = thalweg.load_model(tmp_path / "m.thalweg")
    assert again.class_names == ("cat", "dog")
    judged = thalweg.evaluation.judge(again, np.eye(4, dtype="float32"), [0, 1, 0, 1], importance=False)
    assert judged.classes == ("cat", "dog")
    model.class_names = (1, 2)  # type: ignore[assignment]
    with pytest.raises(ArgumentError, match="class_names"):
        model.save(tmp_path / "m.thalweg")


def test_a_registered_function_is_a_loss_and_a_metric():
    model = thalweg.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "tests>off", metrics=["tests>off", "mae"])
    loss, own, mae = model.evaluate(X, X[:, :1], verbose=0)
    assert loss == pytest.approx(mae)
    assert own == pytest.approx(mae)


def test_weights(tmp_path):
    one, other = (thalweg.Sequential([layers.Input((3,)), layers.Dense(2, name="d")]) for _ in range(2))
    saving.save_weights(one, tmp_path / "w")
    saving.load_weights(other, tmp_path / "w")
    np.testing.assert_array_equal(one.get_weights()[0], other.get_weights()[0])


def test_what_is_no_part_of_a_model():
    with pytest.raises(ArgumentError, match="nothing that a file can name"):
        saving.register_keras_serializable()(int)


class Halved(layers.Layer):
    def call(self, x):
        return x / 2


def test_names_in_a_scope():
    with saving.custom_object_scope({"halved": Halved, "doubled": lambda x: 2 * x}):
        assert isinstance(layers.deserialize({"class_name": "halved", "config": {}}), Halved)
        model = thalweg.Sequential([layers.Input((3,)), layers.Activation("doubled")])
        np.testing.assert_allclose(model.predict(X, verbose=0), 2 * X)
    with pytest.raises(NameNotFoundError):
        activations.get("doubled")


def test_names_for_everybody():
    saving.get_custom_objects()["tripled"] = lambda x: 3 * x
    try:
        assert thalweg.utils.get_custom_objects().keys() == {"tripled"}
        assert activations.get("tripled")(2) == 6
        assert saving.get_registered_object("tripled")(2) == 6
    finally:
        saving.get_custom_objects().clear()


def test_descriptions_there_and_back():
    described = saving.serialize_keras_object([Multiplied(4.0), {"loss": losses.Huber(2.0)}])
    scaled, rest = saving.deserialize_keras_object(described)
    assert scaled.factor == 4.0
    assert rest == {"loss": losses.Huber(2.0)}
    assert activations.serialize(activations.relu) == "relu"
    assert activations.deserialize("relu") is activations.relu
    for module, thing in ((losses, losses.Huber(2.0)), (thalweg.optimizers, thalweg.optimizers.Adam(0.1))):
        assert module.deserialize(module.serialize(thing)).get_config() == thing.get_config()


def test_models_from_json():
    model = thalweg.Sequential([layers.Input((3,)), layers.Dense(2), Multiplied()])
    again = thalweg.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    for text in ("{", '{"class_name": "Sequential"}', "[]"):
        with pytest.raises(FileFormatError):
            thalweg.models.model_from_json(text)


def test_clone_function():
    def other(layer):
        return layers.Dense(layer.units, "relu") if isinstance(layer, layers.Dense) else layer

    i = layers.Input((3,))
    h = layers.Dense(4, "tanh", name="hidden")(i)
    functional = thalweg.Model(i, layers.Add()([h, layers.Dense(4)(h)]))
    for model in (functional, thalweg.Sequential([layers.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])):
        clone = thalweg.models.clone_model(model, clone_function=other)
        assert type(clone) is type(model)
        assert [w.shape for w in clone.get_weights()] == [w.shape for w in model.get_weights()]
        dense = next(layer for layer in clone.layers if isinstance(layer, layers.Dense))
        assert activations.get(dense.activation) is activations.relu
        assert clone.predict(X, verbose=0).shape == model.predict(X, verbose=0).shape
    with pytest.raises(ArgumentError, match="is no layer"):
        thalweg.models.clone_model(functional, clone_function=lambda layer: None)
    with pytest.raises(ArgumentError, match="input_tensors"):
        thalweg.models.clone_model(functional, input_tensors=i)

    class Own(thalweg.Model):
        def call(self, x):
            return x

    with pytest.raises(ArgumentError, match="its call says"):
        thalweg.models.clone_model(Own(), clone_function=other)
