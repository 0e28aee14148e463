"""What looks as if it had a meaning, and would have another one or none, is an error in four parts."""

import copy
from typing import Any

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, layers, losses, metrics, optimizers
from thalweg.errors import ArgumentError, DataError, GraphError

X, Y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)


def line(optimizer="sgd", loss="mse", **options):
    model = Sequential([Input((2,)), layers.Dense(1)])
    model.compile(optimizer, loss, **options)
    return model


class TestMaskedArrays:
    masked = np.ma.masked_array(X, mask=[[0, 1]] * 4)

    @pytest.mark.parametrize(
        "use",
        [
            lambda m, masked: m.predict(masked),
            lambda m, masked: m(masked),
            lambda m, masked: m.fit(masked, Y, verbose=0),
            lambda m, masked: m.fit(X, masked[:, 1:], verbose=0),
            lambda m, masked: m.fit(X, Y, sample_weight=masked[:, 1], verbose=0),
            lambda m, masked: m.fit(X, Y, validation_data=(masked, Y), verbose=0),
            lambda m, masked: m.evaluate(masked, Y, verbose=0),
            lambda m, masked: m.set_weights([masked[:2, 1:], np.zeros(1)]),
            lambda m, masked: layers.Normalization().adapt(masked),
            lambda m, masked: losses.MeanSquaredError()(masked, X),
            lambda m, masked: metrics.MeanSquaredError()(X, masked),
            lambda m, masked: m.fit(list(masked), Y, verbose=0),
        ],
    )
    def test_a_mask_is_refused(self, use):
        with pytest.raises(DataError, match="masked"):
            use(line(), self.masked)

    def test_without_a_mask_they_are_arrays(self):
        model = line()
        np.testing.assert_array_equal(model.predict(np.ma.masked_array(X), verbose=0), model.predict(X, verbose=0))


class TestSecondInput:
    @pytest.mark.parametrize(
        "parts",
        [
            lambda: [Input((3,)), Input((4,)), layers.Dense(2)],
            lambda: [Input((3,)), layers.Dense(2), Input((2,))],
            lambda: [layers.Dense(2), Input((2,))],
        ],
    )
    def test_it_does_not_take_the_place_of_the_first(self, parts):
        with pytest.raises(ArgumentError, match="one Input"):
            Sequential(parts())

    def test_nor_by_add(self):
        model = Sequential([Input((3,))])
        with pytest.raises(ArgumentError, match="second Input"):
            model.add(Input((4,)))


class TestValues:
    def test_targets_of_a_crossentropy_are_shares(self):
        model = Sequential([Input((2,)), layers.Dense(2, "softmax")])
        model.compile("sgd", "categorical_crossentropy")
        for y in (np.array([[-1.0, 2.0], [0.0, 1.0]]), np.array([[3.0, 0.0], [0.0, 1.0]])):
            for use in (model.fit, model.evaluate):
                with pytest.raises(DataError, match=r"in \[0, 1\]"):
                    use(X[:2], y, verbose=0)

    def test_weights_of_losses_are_not_negative(self):
        for given in (-1.0, [-0.5], float("nan")):
            with pytest.raises(ArgumentError, match="loss_weights"):
                line(loss_weights=given)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_weights_are_finite(self, bad):
        model = line()
        before = model.get_weights()
        kernel = np.array([[1.0], [bad]])
        with pytest.raises(DataError, match="dense/kernel"):
            model.set_weights([kernel, np.zeros(1)])
        with pytest.raises(DataError, match="bias"):
            model.layers[0].set_weights([np.ones((2, 1)), np.array([bad])])
        with pytest.raises(DataError, match="kernel"):
            model.weights[0].assign(kernel)
        for now, then in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(now, then)

    @pytest.mark.parametrize("seed", [1.5, -1, 2**32, "1", True])
    def test_a_seed_is_a_whole_number(self, seed):
        with pytest.raises(ArgumentError, match="seed"):
            line().fit(X, Y, seed=seed, verbose=0)


class TestUnprepared:
    def test_bins_that_nobody_chose(self, tmp_path):
        layer = layers.Discretization(num_bins=3)
        model = Sequential([Input((1,)), layer, layers.Embedding(3, 1), layers.Flatten(), layers.Dense(1)])
        model.compile("sgd", "mse")
        x = np.arange(9.0)[:, None]
        for use in (lambda: model.predict(x), lambda: model.evaluate(x, x), lambda: model.fit(x, x)):
            with pytest.raises(GraphError, match="boundaries"):
                use()
        layer.adapt(x)
        model.save(tmp_path / "model")
        said = model.predict(x, verbose=0)
        np.testing.assert_array_equal(thalweg.models.load_model(tmp_path / "model").predict(x, verbose=0), said)


class TestNormalization:
    def test_mean_and_variance_can_be_read_after_adapt(self, tmp_path):
        layer = layers.Normalization()
        assert layer.mean is None
        layer.adapt(np.array([[1.0, 2.0], [3.0, 5.0]]))
        model = Sequential([Input((2,)), layer])
        model.save(tmp_path / "model")
        for one in (model, thalweg.models.load_model(tmp_path / "model"), copy.deepcopy(model)):
            (found,) = one.layers
            np.testing.assert_allclose(found.mean, [[2.0, 3.5]])
            np.testing.assert_allclose(found.variance, [[1.0, 2.25]])
            assert found.get_config()["mean"] is found.get_config()["variance"] is None
            found.adapt(np.array([[1.0, 2.0], [3.0, 7.0]]))
            np.testing.assert_allclose(found.mean, [[2.0, 4.5]])


class TestGoingOn:
    def test_the_models_own_optimizer_goes_on(self):
        model = line(optimizers.Adam(0.5))
        model.fit(X, Y, epochs=3, verbose=0)
        model.optimizer.learning_rate = 0.125
        moments = model.state.snapshot(model.state.names("slots"))
        model.compile(model.optimizer, "mae")
        assert (model.optimizer.learning_rate, model.optimizer.iterations) == (0.125, 3)
        for name, array in moments.items():
            np.testing.assert_array_equal(model.state.read(name), array)
        model.fit(X, Y, verbose=0)
        assert model.optimizer.iterations == 4

    def test_in_another_model_its_rate_does(self):
        first, second = line(optimizers.SGD(0.5)), line()
        first.optimizer.learning_rate = 0.125
        second.compile(first.optimizer, "mse")
        assert (second.optimizer.learning_rate, second.optimizer.iterations) == (0.125, 0)
        second.optimizer.learning_rate = 0.25
        assert first.optimizer.learning_rate == 0.125


class TestPlaces:
    def test_of_augmentation(self):
        made: Any = layers  # whose types know nothing of the order
        layer = made.RandomRotation(0.1, "reflect", "bilinear", 42)
        assert (layer.seed, layer.fill_value) == (42, 0.0)
        assert made.RandomFlip("horizontal", 7).seed == made.RandomContrast(0.1, (0, 1), 7).seed == 7

    def test_those_of_other_arguments_are_for_keywords(self):
        for make in (lambda: metrics.MeanIoU(3, "m", "float32"), lambda: metrics.AUC(5, "ROC", "majoring", "n", None)):
            with pytest.raises(TypeError, match="positional"):
                make()

    def test_of_classes_derived_from_them(self):
        @thalweg.layers.registry.register("turned_for_this_test")
        class Turned(layers.RandomRotation):
            pass

        assert Turned(0.1, "wrap", "nearest", 3).seed == 3


class TestNames:
    def test_one_output_of_a_mapping_has_no_prefix(self):
        entry = Input((2,))
        model = Model({"a": entry}, {"b": layers.Dense(1)(entry)})
        model.compile("sgd", {"b": "mse"}, metrics={"b": ["mae"]})
        history = model.fit({"a": X}, {"b": Y}, validation_data=({"a": X}, {"b": Y}), verbose=0).history
        assert list(history) == ["loss", "mae", "val_loss", "val_mae"]
        assert list(model.evaluate({"a": X}, {"b": Y}, verbose=0, return_dict=True)) == ["loss", "mae"]


def test_the_epoch_that_terminate_on_nan_ends_is_in_the_history():
    model = line(optimizers.SGD(1e25), metrics=["mae"])
    seen = []
    watch = thalweg.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    history = model.fit(
        X * 1e10, Y, batch_size=2, epochs=3, verbose=0, callbacks=[thalweg.callbacks.TerminateOnNaN(), watch]
    )
    assert history.epoch == seen == [0]
    assert set(history.history) == {"loss", "mae"}
    assert not np.isfinite(history.history["loss"][0])
    assert history.stopped_by == "non-finite loss"
    assert all(np.isfinite(array).all() for array in model.get_weights())


def test_a_predicted_number_that_is_no_class_is_a_mistake():
    for pair, expected in ((([0, 0, 1, 1], [0, 5, 1, 1]), 0.75), (([0, 0, 1, 1], [0, -1, 1, 1]), 0.75)):
        assert metrics.MeanIoU(num_classes=2)(*map(np.array, pair)) == pytest.approx(expected)
    ignoring = metrics.MeanIoU(num_classes=2, ignore_class=255)
    assert ignoring(np.array([0, 0, 1, 255]), np.array([0, 5, 1, 5])) == pytest.approx(0.75)


def test_the_crossentropy_beside_a_loss_that_ignores_a_class_ignores_it_too():
    model = Sequential([Input((3,)), layers.Activation("softmax")])
    model.compile("sgd", losses.SparseCategoricalCrossentropy(ignore_class=-1), metrics=["crossentropy"])
    x = np.random.default_rng(0).normal(size=(6, 3))
    loss, metric = model.evaluate(x, np.array([0, 1, 2, -1, -1, 0]), verbose=0)
    assert metric == pytest.approx(loss, rel=1e-6)
