"""Evaluation and prediction compute nothing for rows that are not there."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, layers, losses, metrics, ops, regularizers
from thalweg.executors.numpy import NumpyExecutor


@pytest.fixture(params=["native", "numpy"])
def on(request) -> Callable[[Any], Any]:
    """Lets a model run on one of the executors."""

    def chosen(model):
        model.executor = NumpyExecutor() if request.param == "numpy" else thalweg.executors.named("native")
        return model

    return chosen


X = np.arange(10.0, dtype=np.float32)[::-1].reshape(10, 1)
Y = np.zeros((10, 1), np.float32)


def identity(loss="mse", **options):
    """Predicts its input."""
    model = Sequential([Input((1,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(thalweg.optimizers.SGD(0.0), loss, **options)
    return model


def mean_square(y_true, y_pred):
    return ops.reduce_mean(ops.square(y_true - y_pred))


def batches(size, function):
    """The mean of a function of batches, each counted as often as it has rows, as in Keras."""
    parts = [X[start : start + size] for start in range(0, 10, size)]
    return sum(function(part.astype(np.float64)) * len(part) for part in parts) / 10


class Correlation(metrics.Metric):
    """Of a batch, as people write it who do not know of sums: the mean of the batches' correlations."""

    def sums(self, y_true, y_pred, weight=None):
        x, y = (v - ops.reduce_mean(v, 0, keepdims=True) for v in (y_true, y_pred))
        both = ops.reduce_sum(x * y) / ops.sqrt(ops.reduce_sum(x * x) * ops.reduce_sum(y * y))
        return {"total": both * float(y_pred.shape[0]), "rows": ops.constant(float(y_pred.shape[0]))}

    def result(self, total, rows):
        return total / rows


class Count(metrics.Metric):
    """Rows and the sum of the predictions, without a look at the weights."""

    def sums(self, y_true, y_pred, weight=None):
        return {"sum": ops.reduce_sum(y_pred + 1.0)}

    def result(self, sum):
        return sum


class TestWholeBatch:
    """Losses, metrics and regularizers of one's own see the rows of a batch, and no others."""

    def test_a_mean_over_the_batch(self, on):
        model = on(identity(mean_square))
        assert model.evaluate(X, Y, batch_size=10, verbose=0) == pytest.approx(28.5)
        assert model.test_on_batch(X, Y) == pytest.approx(28.5)

    @pytest.mark.parametrize("size", [1, 3, 4, 10, 32])
    def test_a_largest_error_follows_the_batches(self, on, size):
        model = on(identity(lambda t, p: ops.reduce_max(ops.absolute(t - p))))
        expected = batches(size, lambda part: np.abs(part).max())
        assert model.evaluate(X, Y, batch_size=size, verbose=0) == pytest.approx(expected)

    def test_what_fit_validates_with(self, on):
        for options, size in (({"batch_size": 4}, 4), ({"batch_size": 4, "validation_batch_size": 3}, 3), ({}, 10)):
            model = on(identity(lambda t, p: ops.reduce_max(ops.absolute(t - p))))
            history = model.fit(X, Y, validation_data=(X, Y), epochs=2, verbose=0, shuffle=False, **options)
            expected = batches(size, lambda part: np.abs(part).max())
            assert history.history["val_loss"] == pytest.approx([expected] * 2)
            assert history.history["loss"] == pytest.approx([batches(options.get("batch_size", 32), np.max)] * 2)

    def test_a_class_of_loss(self, on):
        class Largest(losses.Loss):
            def call(self, y_true, y_pred):
                return ops.broadcast(ops.reduce_max(ops.square(y_true - y_pred)), (y_pred.shape[0],), ())

        model = on(identity(Largest()))
        assert model.evaluate(X, Y, batch_size=4, verbose=0) == pytest.approx(batches(4, lambda p: (p**2).max()))

    def test_metrics(self, on):
        target = np.sin(X)
        model = on(identity(metrics=[Correlation(name="correlation"), Count(name="count"), mean_square]))
        said = model.evaluate(X, target, batch_size=5, verbose=0, return_dict=True)
        each = [np.corrcoef(X[part, 0], target[part, 0])[0, 1] for part in (slice(5), slice(5, 10))]
        assert said["correlation"] == pytest.approx(np.mean(each), rel=1e-5)
        assert said["count"] == pytest.approx(55)
        assert said["mean_square"] == pytest.approx(np.mean((X - target) ** 2), rel=1e-5)

    def test_rows_of_batches_of_other_sizes_all_count_once(self, on):
        x = np.ones((300, 1), np.float32)
        model = on(identity(metrics=[Count()]))
        for size in (None, 1, 7, 300):
            assert model.evaluate(x, x, batch_size=size, verbose=0)[1] == 600

    def test_the_adjusted_r2_counts_the_rows(self, on):
        target = X + np.sin(3 * X)
        model = on(identity(metrics=[metrics.R2Score(num_regressors=2)]))
        plain = 1 - np.sum(np.sin(3 * X) ** 2) / np.sum((target - target.mean()) ** 2)
        expected = 1 - (1 - plain) * 9 / 7
        assert model.evaluate(X, target, verbose=0)[1] == pytest.approx(expected, rel=1e-5)
        history = model.fit(X, target, validation_data=(X, target), verbose=0)
        assert history.history["val_r2_score"] == pytest.approx([expected], rel=1e-5)

    def test_an_activity_regularizer_with_a_mean(self, on):
        class Mean(regularizers.Regularizer):
            def __call__(self, x):
                return ops.reduce_mean(x) * 10.0

        model = Sequential([Input((1,)), layers.Dense(1, kernel_initializer="ones", activity_regularizer=Mean())])
        on(model).compile("sgd", "mse")
        expected = np.mean(X**2) + batches(4, lambda part: 10 * part.mean() / len(part))
        assert model.evaluate(X, Y, batch_size=4, verbose=0) == pytest.approx(expected, rel=1e-6)

    def test_a_layer(self, on):
        class Centred(layers.Layer):
            def call(self, x):
                return x - ops.reduce_mean(x, 0, keepdims=True)

        model = on(Sequential([Input((1,)), Centred()]))
        model.compile("sgd", "mse")
        np.testing.assert_allclose(model.predict(X, verbose=0), X - 4.5)
        parts = np.concatenate([X[:4] - X[:4].mean(), X[4:8] - X[4:8].mean(), X[8:] - X[8:].mean()])
        np.testing.assert_allclose(model.predict(X, batch_size=4, verbose=0), parts)
        np.testing.assert_allclose(model.predict_on_batch(X), X - 4.5)
        np.testing.assert_allclose(model.predict(X[:3], verbose=0), X[:3] - X[:3].mean())
        assert model.evaluate(X, Y, batch_size=4, verbose=0) == pytest.approx(np.mean(parts**2))

    def test_sample_weights_weigh_the_batch(self, on):
        weight = np.arange(10.0)
        model = on(identity(mean_square))
        expected = np.mean(X.astype(np.float64) ** 2) * np.mean(weight)
        assert model.evaluate(X, Y, batch_size=10, sample_weight=weight, verbose=0) == pytest.approx(expected)

    def test_hooks_count_the_batches(self):
        seen = []

        class Look(thalweg.callbacks.Callback):
            def on_test_batch_end(self, batch, logs=None):
                seen.append(batch)

        identity(mean_square).evaluate(X, Y, batch_size=4, verbose=0, callbacks=[Look()])
        assert seen == [0, 1, 2]

    def test_after_saving(self, on, tmp_path, monkeypatch):
        for kept in ("_entries", "_first_names"):  # the name is for this test alone
            monkeypatch.setattr(losses.registry, kept, dict(getattr(losses.registry, kept)))
        losses.registry.register("mean_square_of_the_batch")(mean_square)
        identity(mean_square).save(tmp_path / "m.thalweg")
        loaded = thalweg.models.load_model(tmp_path / "m.thalweg")
        assert on(loaded).evaluate(X, Y, batch_size=10, verbose=0) == pytest.approx(28.5)


class TestAnyPieces:
    """Where rows do not matter to each other, neither batch size nor number of rows compiles anything."""

    def test_no_size_compiles_anything(self):
        model = identity(metrics=["mae", metrics.R2Score()])
        model.evaluate(X, Y, verbose=0)
        model.predict(X, verbose=0)
        before = model.runner.programs().compile_seconds
        for rows in (9, 10, 200, 131):
            x = np.resize(X, (rows, 1))
            model.evaluate(x, x, batch_size=rows // 2, verbose=0)
            model.predict(x, batch_size=3, verbose=0)
        assert model.runner.programs().compile_seconds == before


class TestTrainingTrue:
    """Layers that are told to behave as in training."""

    def test_batch_normalization_on_symbols(self, on):
        x = np.random.default_rng(0).normal(5, 3, (20, 3)).astype(np.float32)
        entry = Input((3,))
        model = on(Model(entry, layers.BatchNormalization()(entry, training=True)))

        def normal(part):
            return (part - part.mean(0)) / np.sqrt(part.var(0) + 1e-3)

        np.testing.assert_allclose(model.predict(x, verbose=0), normal(x), atol=1e-5)
        parts = np.concatenate([normal(x[:8]), normal(x[8:16]), normal(x[16:])])
        np.testing.assert_allclose(model.predict(x, batch_size=8, verbose=0), parts, atol=1e-5)
        model.compile("sgd", "mse")
        assert model.evaluate(x, np.zeros_like(x), verbose=0) == pytest.approx(np.mean(normal(x) ** 2), rel=1e-5)
        np.testing.assert_array_equal(model.layers[-1].moving_mean.numpy(), 0)  # nothing of a model changes in use

    @pytest.mark.parametrize("rows", [1, 3, 300])
    def test_dropout_on_symbols_draws_anew(self, on, rows):
        entry = Input((400,))
        model = on(Model(entry, layers.Dropout(0.5)(entry, training=True)))
        x = np.ones((rows, 400), np.float32)
        first, second = model.predict(x, verbose=0), model.predict(x, verbose=0)
        assert set(np.unique(first)) == {0, 2}
        masks = [*first[: 3 * 128], *second[:3]]
        for number, mask in enumerate(masks):
            for other in masks[:number]:
                assert 100 < np.count_nonzero(mask != other) < 300

    def test_equal_seeds_draw_alike(self):
        def drawn():
            thalweg.utils.set_random_seed(5)
            entry = Input((400,))
            return Model(entry, layers.Dropout(0.5)(entry, training=True)).predict(np.ones((2, 400)), verbose=0)

        np.testing.assert_array_equal(drawn(), drawn())

    def test_drawing_leaves_training_as_it_is(self):
        def trained(look):
            thalweg.utils.set_random_seed(3)
            entry = Input((4,))
            model = Model(entry, layers.Dense(1)(layers.Dropout(0.5)(entry, training=True)))
            model.compile("sgd", "mse")
            x = np.ones((64, 4), np.float32)
            for _ in range(2):
                model.fit(x, x[:, :1], verbose=0)
                if look:
                    model.predict(x, verbose=0)
                    model.evaluate(x, x[:, :1], verbose=0)
            return model.get_weights()

        for one, other in zip(trained(True), trained(False), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_a_call_on_arrays(self, on):
        x = np.random.default_rng(0).normal(5, 3, (20, 3)).astype(np.float32)
        model = on(Sequential([Input((3,)), layers.BatchNormalization(momentum=0.75), layers.Dropout(0.5)]))
        expected = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)
        first, second = model(x, training=True), model(x, training=True)
        for said in (first, second):
            dropped = said == 0
            assert 10 < dropped.sum() < 50
            np.testing.assert_allclose(said[~dropped], 2 * expected[~dropped], atol=1e-4)
        assert not np.array_equal(first, second)
        moving = x.mean(0) * (1 - 0.75**2)  # it follows, as in Keras
        np.testing.assert_allclose(model.layers[0].moving_mean.numpy(), moving, rtol=1e-5)
        still = model.predict(x, verbose=0)
        np.testing.assert_array_equal(still, model(x))
        np.testing.assert_array_equal(still, model(x, training=False))

    def test_a_model_of_several_inputs(self, on):
        left, right = Input((2,), name="left"), Input((2,), name="right")
        model = on(Model([left, right], layers.Dropout(0.5)(layers.Add()([left, right]))))
        ones = np.ones((50, 2), np.float32)
        assert set(np.unique(model([ones, ones], training=True))) == {0, 4}
        assert set(np.unique(model({"left": ones, "right": ones}))) == {2}
