"""What fit promises: the same bits however training is cut, Keras's meaning of epochs, splits and weights."""

import threading

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import callbacks, layers
from thalweg.errors import ArgumentError
from thalweg.executors.numpy import NumpyExecutor


def test_the_loss_falls_and_the_history_says_so():
    x, y = nets.points()
    model = nets.classifier(optimizer=thalweg.optimizers.Adam(0.02))
    history = model.fit(x, y, epochs=20, batch_size=16, verbose=0)
    assert history is model.history
    assert history.epoch == list(range(20))
    assert history.params == {"verbose": 0, "epochs": 20, "steps": 6}
    assert history.history["loss"][-1] < 0.8 * history.history["loss"][0]
    assert list(history.history) == ["loss", "accuracy"]


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
def test_five_epochs_are_two_and_three_more_to_the_bit(optimizer):
    x, y = nets.points(70)  # the last batch is smaller
    whole, cut = (nets.classifier(optimizer=optimizer, dropout=0.3) for _ in range(2))
    whole.fit(x, y, epochs=5, verbose=0)
    cut.fit(x, y, epochs=2, verbose=0)
    assert cut.fit(x, y, epochs=5, initial_epoch=2, verbose=0).epoch == [2, 3, 4]
    assert nets.same_bits(whole, cut)


def test_the_bits_do_not_depend_on_how_many_steps_run_per_call():
    x, y = nets.points()
    at_once, step_by_step = (nets.classifier(dropout=0.3) for _ in range(2))
    at_once.fit(x, y, epochs=3, batch_size=8, verbose=0)
    step_by_step.fit(
        x,
        y,
        epochs=3,
        batch_size=8,
        verbose=0,
        callbacks=[callbacks.LambdaCallback(on_train_batch_end=lambda *_: None)],
    )
    assert nets.same_bits(at_once, step_by_step)
    assert at_once.history.history == step_by_step.history.history


def test_the_bits_do_not_depend_on_the_threads():
    x, y = nets.points()
    one, two = (nets.classifier() for _ in range(2))
    one.fit(x, y, epochs=2, verbose=0, threads=1)
    two.fit(x, y, epochs=2, verbose=0, threads=2)
    assert nets.same_bits(one, two)


def test_a_seed_given_to_fit_decides_order_and_dropout_and_is_recorded():
    x, y = nets.points()
    models = [nets.classifier(dropout=0.5) for _ in range(3)]
    for model, seed in zip(models, (7, 7, 8), strict=True):
        assert model.fit(x, y, epochs=2, verbose=0, seed=seed).seed == seed
    assert nets.same_bits(models[0], models[1])
    assert not nets.same_bits(models[0], models[2])


def test_without_shuffling_the_batches_are_in_order():
    x, y = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32), np.array([1.0, 2.0])
    model = nets.regressor(optimizer=thalweg.optimizers.SGD(0.5))
    model.set_weights([np.zeros((2, 1)), np.zeros(1)])
    model.fit(x, y, batch_size=1, shuffle=False, verbose=0)
    # by hand: g = 2 (p - y); first row: p = 0, second row: p = bias = 1
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(kernel[:, 0], [1, 1])
    np.testing.assert_allclose(bias, [2])


def test_every_row_is_used_once_per_epoch():
    x = np.eye(10, dtype=np.float32)
    model = nets.regressor(features=10, optimizer=thalweg.optimizers.SGD(0.01))
    model.set_weights([np.zeros((10, 1)), np.zeros(1)])
    model.fit(x, np.ones(10), batch_size=3, verbose=0)
    assert (model.get_weights()[0] != 0).all()
    assert model.history.params["steps"] == 4


def test_a_batch_larger_than_the_data_is_one_step():
    x, y = nets.points(10)
    model = nets.classifier()
    assert model.fit(x, y, batch_size=1000, verbose=0).params["steps"] == 1
    assert model.optimizer.iterations == 1


def test_full_batches_are_gradient_descent():
    """One step an epoch, by the mean gradient of all rows; single rows are as many steps."""
    x, y = np.random.default_rng(0).normal(size=(40, 2)), np.ones(40)
    model, single = (nets.regressor(optimizer=thalweg.optimizers.SGD(0.1)) for _ in range(2))
    kernel, bias = model.get_weights()
    error = (x @ kernel)[:, 0] + bias - y
    history = model.fit(x, y, batch_size="full", epochs=1, verbose=0)
    assert history.params["steps"] == model.optimizer.iterations == 1
    np.testing.assert_allclose(model.get_weights()[0][:, 0], kernel[:, 0] - 0.2 * (error @ x) / 40, rtol=1e-4)
    single.fit(x, y, batch_size=1, verbose=0)
    assert single.optimizer.iterations == 40
    with pytest.raises(thalweg.errors.ArgumentError, match="did you mean 'full'"):
        model.fit(x, y, batch_size="ful", verbose=0)


def test_steps_per_epoch_ends_an_epoch_early():
    x, y = nets.points(96)
    model = nets.classifier()
    model.fit(x, y, batch_size=16, epochs=2, steps_per_epoch=2, verbose=0)
    assert model.optimizer.iterations == 4


def test_validation_split_holds_out_the_last_rows():
    x, y = nets.points(50)
    y[40:] = 0
    model = nets.classifier()
    history = model.fit(x, y, validation_split=0.2, verbose=0)
    expected = model.evaluate(x[40:], y[40:], verbose=0, return_dict=True)
    assert history.history["val_loss"] == [expected["loss"]]
    assert history.history["val_accuracy"] == [expected["accuracy"]]
    assert history.params["steps"] == 2
    other = nets.classifier()
    other.fit(x[:40], y[:40], validation_data=(x[40:], y[40:]), validation_split=0.5, verbose=0)
    assert nets.same_bits(model, other)


def test_validation_frequency():
    x, y = nets.points(50)
    model = nets.classifier()
    seen = []
    watch = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append("val_loss" in logs))
    model.fit(x, y, epochs=4, validation_split=0.2, validation_freq=2, verbose=0, callbacks=[watch])
    assert seen == [False, True, False, True]


def test_integer_weights_are_repeated_rows():
    x, y = nets.points(24)
    weights = np.arange(24) % 3
    repeated = np.repeat(np.arange(24), weights)
    weighted, longer = (nets.classifier(optimizer=thalweg.optimizers.SGD(0.1)) for _ in range(2))
    scale = len(repeated) / 24  # the loss is sum(w l) / batch, not / sum(w)
    weighted.fit(x, y, sample_weight=weights / scale, batch_size=100, epochs=3, verbose=0)
    longer.fit(x[repeated], y[repeated], batch_size=100, epochs=3, verbose=0)
    for a, b in zip(weighted.get_weights(), longer.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_class_weights_are_sample_weights_by_class():
    x, y = nets.points(24)
    by_class, by_row, one_hot = (nets.classifier() for _ in range(3))
    by_class.fit(x, y, class_weight={0: 2.0, 2: 0.5}, verbose=0)
    by_row.fit(x, y, sample_weight=np.choose(y, [2.0, 1.0, 0.5]), verbose=0)
    assert nets.same_bits(by_class, by_row)
    one_hot.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    one_hot.fit(x, thalweg.utils.to_categorical(y, 3), class_weight={0: 2.0, 2: 0.5}, verbose=0)
    for a, b in zip(one_hot.get_weights(), by_row.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weight", [{0: 10.0}, "balanced"])
def test_class_weights_are_for_training_alone(weight):
    """What is held out is as if it had been passed by itself."""
    x, y = nets.points(60)
    split, apart = nets.classifier(), nets.classifier()
    one = split.fit(x, y, class_weight=weight, validation_split=0.5, verbose=0).history
    other = apart.fit(x[:30], y[:30], class_weight=weight, validation_data=(x[30:], y[30:]), verbose=0).history
    assert one == other
    assert nets.same_bits(split, apart)
    assert one["val_loss"][0] == split.evaluate(x[30:], y[30:], verbose=0)[0]


def test_balanced_class_weights_as_in_scikit_learn():
    x, y = nets.points(8)
    y[:] = [0, 0, 0, 0, 0, 0, 1, 1]
    balanced, by_hand = (nets.classifier() for _ in range(2))
    balanced.fit(x, y, class_weight="balanced", verbose=0)
    by_hand.fit(x, y, class_weight={0: 8 / (2 * 6), 1: 8 / (2 * 2)}, verbose=0)
    assert nets.same_bits(balanced, by_hand)


def test_weighted_metrics_are_weighted_and_metrics_are_not():
    x, y = nets.points(40)
    model = nets.classifier(metrics=["accuracy"], weighted_metrics=["accuracy"])
    weights = np.linspace(0, 1, 40)
    right = model.predict(x, verbose=0).argmax(1) == y
    logs = model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
    assert model.metrics_names == ["loss", "accuracy", "weighted_accuracy"]
    assert logs["accuracy"] == pytest.approx(right.mean())
    assert logs["weighted_accuracy"] == pytest.approx((right * weights).sum() / weights.sum())


def test_the_epochs_loss_is_the_mean_over_samples_of_the_batches_losses():
    x, y = nets.points(40)
    model = nets.classifier(optimizer=thalweg.optimizers.SGD(1e-30))  # as good as no step
    history = model.fit(x, y, batch_size=32, verbose=0)
    assert history.history["loss"][0] == pytest.approx(model.evaluate(x, y, verbose=0)[0], rel=1e-6)


def test_evaluation_does_not_depend_on_the_batch_size():
    x, y = nets.points(300)
    model = nets.classifier()
    results = {tuple(model.evaluate(x, y, batch_size=size, verbose=0)) for size in (1, 7, 32, 1000)}
    assert len(results) == 1
    predicted = model.predict(x, verbose=0)
    expected = -np.log(predicted[np.arange(300), y]).mean()
    assert results.pop()[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 9, 127, 128, 129, 300])
def test_predictions_do_not_depend_on_how_many_there_are(rows):
    x, _ = nets.points(300)
    model = nets.classifier()
    whole = model.predict(x, verbose=0)
    for _ in range(2):  # the second time from what is cached
        np.testing.assert_allclose(model.predict(x[:rows], batch_size=5, verbose=0), whole[:rows], rtol=1e-5)


def test_no_new_number_of_rows_compiles_anything():
    x, y = nets.points(200)
    model = nets.classifier()
    for rows in (1, 200):
        model.predict(x[:rows], verbose=0)
    model.evaluate(x, y, verbose=0)
    programs = model.runner.programs()
    before = programs.compile_seconds
    for rows in (1, 2, 17, 130, 199):
        model.predict(x[:rows], verbose=0)
        model.evaluate(x[:rows], y[:rows], batch_size=rows, verbose=0)
    assert programs.compile_seconds == before


def test_the_fast_path_of_one_row_sees_new_weights():
    x, _ = nets.points(1)
    model = nets.classifier()
    first = [model.predict(x, verbose=0) for _ in range(3)]
    model.set_weights([w * 2 for w in model.get_weights()])
    assert not np.array_equal(model.predict(x), first[0])
    np.testing.assert_array_equal(model.predict(x), model.predict(np.asfortranarray(x).astype(np.float64)))


def test_train_on_batch_returns_this_batchs_values():
    x, y = nets.points(32)
    model = nets.classifier()
    before = model.test_on_batch(x, y)
    assert model.train_on_batch(x, y) == pytest.approx(before, rel=1e-5)
    after = model.train_on_batch(x, y, return_dict=True)
    assert after["loss"] < before[0]
    assert model.optimizer.iterations == 2


def test_a_model_with_a_loss_only_gives_one_number():
    model = nets.regressor()
    x, y = np.ones((3, 2), np.float32), np.ones(3)
    assert isinstance(model.evaluate(x, y, verbose=0), float)
    assert isinstance(model.train_on_batch(x, y), float)


def test_the_learning_rate_can_be_set_without_compiling():
    x, y = nets.points(32)
    model = nets.classifier(optimizer="sgd")
    model.fit(x, y, verbose=0)
    before, weights = model.runner.programs().compile_seconds, model.get_weights()
    model.optimizer.learning_rate = 0.0
    model.fit(x, y, verbose=0)
    assert model.optimizer.learning_rate == 0
    assert model.runner.programs().compile_seconds == before
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))


def test_lists_float64_integers_booleans_and_tables_are_taken():
    x, y = nets.points(32)
    x = np.round(x * 4)

    class Table:
        """As much of a pandas frame as is asked for."""

        columns = ("a", "b", "c", "d")
        dtypes = dict.fromkeys(columns, np.dtype("f8"))

        def __array__(self, dtype=None, copy=None):
            return x.astype(dtype or "f8")

    results = []
    for data in (x, x.tolist(), x.astype(np.float64), x.astype(np.int16), Table(), np.asfortranarray(x), x[::1]):
        model = nets.classifier()
        model.fit(data, y.tolist(), verbose=0)
        results.append(model.get_weights()[0])
    assert all(np.array_equal(results[0], result) for result in results)


def test_uint8_data_stay_uint8():
    thalweg.utils.set_random_seed(0)
    x = np.random.default_rng(0).integers(0, 256, (20, 3, 3)).astype(np.uint8)
    layers = thalweg.layers
    model = thalweg.Sequential(
        [thalweg.Input((3, 3), dtype="uint8"), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)]
    )
    model.compile("sgd", "mse")
    rows = model.runner.prepare(x, np.zeros((20, 2)), None)
    assert rows.arrays["x"] is x
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(
        model.predict(x, verbose=0), x.reshape(20, 9) / 255 @ kernel + bias, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_array_equal(model.predict(x.astype(float), verbose=0), model.predict(x, verbose=0))


def test_fit_works_in_another_thread():
    x, y = nets.points(32)
    model = nets.classifier()
    thread = threading.Thread(target=lambda: model.fit(x, y, verbose=0))
    thread.start()
    thread.join()
    assert model.history.epoch == [0]


def test_averages_become_the_weights_at_the_end():
    """As in Keras; while training goes on, the weights are themselves."""
    optimizer = thalweg.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    plain, averaged = nets.regressor(optimizer=thalweg.optimizers.SGD(0.1)), nets.regressor(optimizer=optimizer)
    x, y = np.random.default_rng(0).normal(size=(8, 2)), np.ones(8)
    seen = []

    class Watch(thalweg.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model.get_weights()[0])

    plain.fit(x, y, batch_size=4, epochs=2, shuffle=False, callbacks=[Watch()], verbose=0)
    expected = seen[0]
    for kernel in seen[1:4]:
        expected = 0.5 * expected + 0.5 * kernel
    averaged.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_allclose(averaged.get_weights()[0], expected, rtol=1e-6)


def test_iterations_count_the_updates():
    model = nets.regressor(optimizer=thalweg.optimizers.SGD(gradient_accumulation_steps=3))
    model.fit(np.ones((28, 2)), np.ones(28), batch_size=4, verbose=0)
    assert model.optimizer.iterations == 2


def test_decay_is_excluded_before_compile():
    with pytest.raises(thalweg.errors.ArgumentError, match="too late"):
        nets.regressor().optimizer.exclude_from_weight_decay(var_names=["bias"])


def halves(**options):
    """Predicts one half, whatever comes; ten samples of classes 0 and 1 in turn."""
    model = thalweg.Sequential([thalweg.Input((1,)), layers.Dense(1, "sigmoid", kernel_initializer="zeros")])
    model.compile(thalweg.optimizers.SGD(1e-30), "binary_crossentropy")
    return model.fit(np.ones((10, 1)), np.arange(10) % 2, verbose=0, **options).history


def test_class_weights_are_those_of_the_rows_that_are_trained_on():
    half = np.log(2)
    plain = halves(validation_split=0.4)
    assert (plain["loss"][0], plain["val_loss"][0]) == pytest.approx((half, half))
    weighted = halves(validation_split=0.4, class_weight={0: 3.0, 1: 100.0})
    assert (weighted["loss"][0], weighted["val_loss"][0]) == pytest.approx((half * 51.5, half))


def test_balanced_class_weights_count_the_rows_that_are_trained_on():
    x, y = np.ones((10, 1)), np.array([0, 0, 0, 1, 0, 0, 1, 1, 1, 1])
    models = [thalweg.Sequential([thalweg.Input((1,)), layers.Dense(1, "sigmoid")]) for _ in range(2)]
    for model, weight in zip(models, ("balanced", {0: 5 / 8, 1: 5 / 2}), strict=True):
        model.set_weights([np.ones((1, 1)), np.zeros(1)])
        model.compile("sgd", "binary_crossentropy")
        model.fit(x, y, validation_split=0.5, class_weight=weight, verbose=0)
    assert nets.same_bits(*models)


@pytest.mark.parametrize(
    ("shape", "units", "loss", "y"),
    [
        ((3, 4), 2, "sparse_categorical_crossentropy", [[[0], [1], [1]], [[0], [0], [1]]]),
        ((3, 4), 2, "sparse_categorical_crossentropy", [[0, 1, 1], [0, 0, 1]]),
        ((3, 4), 2, "categorical_crossentropy", [[[1, 0], [0, 1], [0, 1]], [[1, 0], [1, 0], [0, 1]]]),
        ((2, 2, 1), 1, "binary_crossentropy", np.arange(8.0).reshape(2, 2, 2, 1) % 2),
    ],
)
def test_class_weights_of_several_places_are_those_of_each_place(shape, units, loss, y):
    y = np.array(y)
    classes = y.argmax(-1) if loss == "categorical_crossentropy" else y.reshape(y.shape[:2] + shape[1:-1])
    results = []
    for weights in ({"class_weight": {0: 3.0, 1: 100.0}}, {"sample_weight": np.where(classes == 1, 100.0, 3.0)}):
        model = thalweg.Sequential([thalweg.Input(shape), layers.Dense(units, "softmax" if units == 2 else "sigmoid")])
        model.executor = NumpyExecutor()
        model.set_weights([np.full_like(w, 0.1) for w in model.get_weights()])
        model.compile("sgd", loss)
        results.append(model.train_on_batch(np.ones((2, *shape)), y, **weights))
    assert results[0] == results[1]


def test_class_weights_of_several_answers_to_a_row_are_refused():
    model = thalweg.Sequential([thalweg.Input((4,)), layers.Dense(3, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    for call in (model.fit, model.train_on_batch):
        with pytest.raises(ArgumentError, match="class_weight with targets"):
            call(np.ones((2, 4)), np.array([[1, 1, 0], [1, 0, 0]]), class_weight={0: 3.0, 1: 100.0})


def test_class_weights_of_one_place_in_an_axis_of_its_own():
    x, y = np.ones((4, 1, 3), np.float32), np.array([0, 1, 1, 1])
    losses = []
    for targets in (y[:, None], y[:, None, None]):
        model = thalweg.Sequential([thalweg.Input((1, 3)), layers.Dense(2, "softmax", kernel_initializer="zeros")])
        model.compile(thalweg.optimizers.SGD(1e-30), "sparse_categorical_crossentropy")
        losses.append(model.train_on_batch(x, targets, class_weight={0: 2.0, 1: 4.0}))
    assert losses == pytest.approx([3.5 * np.log(2)] * 2)
