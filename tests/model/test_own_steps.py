"""Classes of models that say themselves what a step does: train_step and its like, as in Keras's guide."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.model import guide

import thalweg
from thalweg import GradientTape, Input, Model, Sequential, callbacks, layers, losses, metrics, ops, optimizers
from thalweg.errors import ArgumentError, GraphError, NonFiniteError
from thalweg.executors.numpy import NumpyExecutor
from thalweg.training.handle import NoGradient

X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
Y = X.sum(1, keepdims=True)

ANSWERS = json.loads(Path(__file__).with_name("guide.json").read_text())
"""What Keras 3.15 on PyTorch makes of the programs in ``guide``."""


class TestGuide:
    @pytest.mark.parametrize("program", guide.PROGRAMS, ids=lambda program: program.__name__)
    def test_its_programs_give_what_keras_gives(self, program, monkeypatch):
        monkeypatch.setattr("thalweg.executors.default", NumpyExecutor)
        given = program(thalweg_as_keras(), GradientTape)
        expected = ANSWERS[program.__name__]
        assert given.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_allclose(given[name], values, rtol=2e-5, err_msg=name)

    @pytest.mark.needs("keras", "torch")
    def test_the_answers_are_those_of_the_keras_that_is_installed(self):
        environment = {**os.environ, "KERAS_BACKEND": "torch"}
        run = subprocess.run(
            [sys.executable, guide.__file__], env=environment, capture_output=True, text=True, check=True
        )
        for name, answer in json.loads(run.stdout.splitlines()[-1]).items():
            for key, values in answer.items():
                np.testing.assert_allclose(values, ANSWERS[name][key], rtol=1e-5)


def thalweg_as_keras():
    """The names of Keras that the programs use."""
    reduced = {"mean": ops.reduce_mean, "square": ops.square, "concatenate": ops.concatenate}
    return SimpleNamespace(
        **{name: getattr(thalweg, name) for name in dir(thalweg) if name != "ops"}, ops=SimpleNamespace(**reduced)
    )


class Stepping(Model):
    """The step of every model, said anew."""

    def train_step(self, data):
        return super().train_step(data)


def built(cls, executor=None, **options):
    thalweg.utils.set_random_seed(1)
    inputs = Input((4,))
    model = cls(inputs, layers.Dense(1)(layers.Dropout(0.5)(inputs)))
    model.executor = executor or NumpyExecutor()
    model.compile(**{"optimizer": optimizers.Adam(0.01), "loss": "mse", **options})
    return model


class TestLikeOthers:
    """What is left to Model computes what a model without steps of its own computes."""

    def test_the_same_numbers_as_without(self):
        options = {"metrics": ["mae"], "weighted_metrics": ["mse"]}
        plain, own = built(Model, **options), built(Stepping, **options)
        weight = np.linspace(0.0, 1.0, 20)
        fits = [model.fit(X, Y, 10, 2, 0, sample_weight=weight).history for model in (plain, own)]
        assert fits[0] == fits[1]
        np.testing.assert_array_equal(plain.predict(X), own.predict(X))
        evaluated = [model.evaluate(X, Y, verbose=0) for model in (plain, own)]
        np.testing.assert_allclose(*evaluated, rtol=1e-6)
        batches = [model.train_on_batch(X, Y, return_dict=True) for model in (plain, own)]
        assert batches[0] == batches[1]

    def test_on_the_native_executor(self, native):
        model = built(Stepping, native)
        assert model.fit(X, Y, 8, 2, 0).history == built(Model, native).fit(X, Y, 8, 2, 0).history

    def test_several_outputs(self):
        def model(cls):
            thalweg.utils.set_random_seed(1)
            inputs = Input((4,))
            made = cls(inputs, {"a": layers.Dense(1)(inputs), "b": layers.Dense(2)(inputs)})
            made.executor = NumpyExecutor()
            made.compile("sgd", {"a": "mse", "b": "mae"}, loss_weights={"a": 1.0, "b": 0.5}, metrics={"b": ["mse"]})
            return made

        y = {"a": Y, "b": X[:, :2]}
        plain, own = (model(cls).fit(X, y, 10, 2, 0).history for cls in (Model, Stepping))
        assert plain.keys() == own.keys()
        for name, values in plain.items():
            np.testing.assert_allclose(own[name], values, rtol=1e-6)

    def test_many_and_folds(self):
        models = [built(Stepping), built(Stepping)]
        histories = thalweg.fit_many(models, X, Y, epochs=2, verbose=0)
        assert histories[0].history == built(Stepping).fit(X, Y, epochs=2, verbose=0).history
        scores = thalweg.cross_validate(lambda: built(Stepping), X, Y, folds=2, epochs=1, verbose=0)
        assert scores is not None


class TestKeras2:
    def test_the_step_of_its_guide(self):
        class CustomModel(Model):
            def train_step(self, data):
                x, y = data
                with GradientTape() as tape:
                    y_pred = self(x, training=True)
                    loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
                trainable_vars = self.trainable_variables
                gradients = tape.gradient(loss, trainable_vars)
                self.optimizer.apply_gradients(zip(gradients, trainable_vars, strict=True))
                self.compiled_metrics.update_state(y, y_pred)
                return {m.name: m.result() for m in self.metrics}

        plain, own = (built(cls, metrics=["mae"]).fit(X, Y, 10, 2, 0).history for cls in (Model, CustomModel))
        assert plain.keys() == own.keys()
        np.testing.assert_allclose(own["mae"], plain["mae"], rtol=1e-6)
        np.testing.assert_allclose(own["loss"], plain["loss"], rtol=1e-6)

    def test_add_metric_says_what_to_do(self):
        for owner in (built(Model), layers.Dense(1)):
            with pytest.raises(GraphError, match="as in Keras 3"):
                owner.add_metric(1.0, name="size")


def test_random_numbers_and_constants_as_the_guide_s_gan_has_them():
    class Noisy(Pair):
        def __init__(self):
            super().__init__()
            self.seed_generator = thalweg.random.SeedGenerator(1337)

        def train_step(self, real):
            if isinstance(real, tuple):
                real = real[0]
            batch_size = ops.shape(real)[0]
            latent = thalweg.random.normal(shape=(batch_size, 2), seed=self.seed_generator)
            combined = ops.concatenate([self.optimizers(latent), real], axis=0)
            labels = ops.concatenate([ops.ones((batch_size, 1)), ops.zeros((batch_size, 1))], axis=0)
            labels += 0.05 * thalweg.random.uniform(ops.shape(labels), seed=self.seed_generator)
            with GradientTape() as tape:
                loss = self.loss_fn(labels, self.slots(combined)[:, :1])
            weights = self.slots.trainable_weights
            self.d_optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": loss, "latent": ops.mean(latent), "labels": ops.mean(labels)}

    model = Noisy()
    model.executor = NumpyExecutor()
    model.compile(optimizers.SGD(0.0), optimizers.SGD(0.0), losses.BinaryCrossentropy(from_logits=True))
    history = model.fit(X, epochs=3, batch_size=20, verbose=0).history
    assert len(set(history["latent"])) == len(set(history["labels"])) == 3
    assert all(0.5 < mean < 0.55 for mean in history["labels"])


class TestFiles:
    def test_training_goes_on_to_the_same_bits(self, tmp_path):
        model = built(Stepping)
        model.fit(X, Y, verbose=0)
        model.save(tmp_path / "model")
        again = thalweg.load_model(tmp_path / "model", custom_objects={"Stepping": Stepping})
        others = [again, copy.deepcopy(model)]
        expected = model.fit(X, Y, epochs=2, verbose=0).history
        for other in others:
            other.executor = NumpyExecutor()
            assert other.fit(X, Y, epochs=2, verbose=0).history == expected

    def test_the_class_is_not_left_out(self, tmp_path):
        class Unknown(Stepping):
            pass

        model = built(Unknown)
        model.save(tmp_path / "model")
        with pytest.raises(thalweg.errors.FileFormatError, match="class of the model is not known"):
            thalweg.load_model(tmp_path / "model")

    def test_two_optimizers(self, tmp_path):
        gan = pair()
        gan.fit(X, verbose=0)
        gan.d_optimizer.learning_rate = 0.5
        gan.save(tmp_path / "model")
        again = thalweg.load_model(tmp_path / "model", custom_objects={"Pair": Pair})
        again.executor = NumpyExecutor()
        assert gan.fit(X, epochs=2, verbose=0).history == again.fit(X, epochs=2, verbose=0).history
        assert again.d_optimizer.learning_rate == 0.5
        assert again.d_optimizer.iterations == 3

    def test_what_no_file_can_name_is_compiled_again_by_the_user(self, tmp_path):
        gan = pair(loss_fn=lambda y, y_pred: ops.reduce_mean(ops.square(y - y_pred)))
        gan.build((None, 4))
        gan.save(tmp_path / "model")
        with pytest.warns(UserWarning, match="compile Pair again"):
            again = thalweg.load_model(tmp_path / "model", custom_objects={"Pair": Pair})
        with pytest.raises(GraphError, match="not compiled"):
            again.fit(X, verbose=0)


class Pair(Model):
    """Two models that are trained by optimizers of their own; layers named as levels of the state."""

    def __init__(self):
        super().__init__()
        self.slots = Sequential([Input((4,)), layers.Dense(2, name="optimizers")])
        self.optimizers = Sequential([Input((2,)), layers.Dense(4, name="d_optimizer")])

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    def train_step(self, x):
        made = self.optimizers(self.slots(x))
        loss = self.loss_fn(x, made)
        first, second = self.slots.trainable_weights, self.optimizers.trainable_weights
        self.d_optimizer.apply_gradients(zip(thalweg.gradients(loss, first), first, strict=True))
        loss = self.loss_fn(x, self.optimizers(self.slots(x)))
        self.g_optimizer.apply(thalweg.gradients(loss, second), second)
        return {"loss": loss}


def pair(loss_fn=None):
    thalweg.utils.set_random_seed(2)
    model = Pair()
    model.executor = NumpyExecutor()
    model.compile(optimizers.Adam(0.01), optimizers.Adagrad(0.1), loss_fn or losses.MeanSquaredError())
    return model


class TestOptimizers:
    def test_layers_have_the_new_weights_afterwards(self):
        class Twice(Model):
            def train_step(self, data):
                x, y = data
                weights = self.trainable_weights
                for _ in range(2):
                    loss = ops.reduce_mean(ops.square(self(x) - y))
                    self.optimizer.apply(thalweg.gradients(loss, weights), weights)
                return {"loss": loss}

        twice, once = (built(cls, optimizer=optimizers.SGD(0.1, momentum=0.9)) for cls in (Twice, Stepless))
        twice.train_on_batch(X, Y)
        once.train_on_batch(X, Y)
        once.train_on_batch(X, Y)
        np.testing.assert_allclose(twice.get_weights()[0], once.get_weights()[0], rtol=1e-6)
        assert twice.optimizer.iterations == 2

    def test_starting_values_of_slots(self):
        model = pair()
        model.fit(X, verbose=0)
        names = [name for name in model.state if name.startswith("optimizers/g_optimizer/") and "kernel" in name]
        assert all(model.state.read(name).min() > 0.1 for name in names if "accumulator" in name)
        assert names

    def test_a_weight_without_a_gradient_stays(self):
        class Half(Pair):
            def train_step(self, x):
                loss = self.loss_fn(x[:, :2], self.slots(x))
                weights = [*self.slots.trainable_weights, *self.optimizers.trainable_weights]
                self.d_optimizer.apply(GradientTape().gradient(loss, weights), weights)
                return {"loss": loss}

        model = Half()
        model.compile("sgd", "sgd", losses.MeanSquaredError())
        model.d_optimizer = optimizers.SGD(0.1)
        model.build((None, 4))
        before = model.get_weights()
        with pytest.warns(NoGradient, match="they stay as they are"):
            model.fit(X, verbose=0)
        changed = [not np.array_equal(w, v) for w, v in zip(before, model.get_weights(), strict=True)]
        assert changed == [True, True, False, False]

    def test_weights_can_be_assigned(self):
        class Following(Pair):
            def train_step(self, x):
                for weight, other in zip(self.slots.weights, self.slots.weights, strict=True):
                    weight.assign(0.5 * other + weight * 0.25 + 1.0)
                return {"loss": ops.reduce_sum(self.slots.weights[1].node)}

        model = Following()
        model.compile("sgd", "sgd", None)
        model.build((None, 4))
        before = model.get_weights()
        logs = model.train_on_batch(X)
        np.testing.assert_allclose(model.get_weights()[0], 0.75 * before[0] + 1.0, rtol=1e-6)
        assert logs == 2.0

    def test_a_line_search_is_refused(self):
        model = built(Stepping, optimizer="lbfgs")
        with pytest.raises(ArgumentError, match="steps of its own"):
            model.fit(X, Y, batch_size="full", verbose=0)

    def test_constraints_hold(self):
        class Constrained(Stepping):
            pass

        inputs = Input((4,))
        model = Constrained(inputs, layers.Dense(1, kernel_constraint="non_neg")(inputs))
        model.compile(optimizers.SGD(1.0), "mse")
        model.fit(X, -Y, verbose=0)
        assert model.get_weights()[0].min() == 0.0


class Stepless(Model):
    """``train_step`` with one gradient, without dropout."""

    def train_step(self, data):
        x, y = data
        loss = ops.reduce_mean(ops.square(self(x) - y))
        self.optimizer.apply(thalweg.gradients(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


class TestTape:
    def test_second_derivatives_and_tensors_between(self):
        class Penalised(Model):
            def train_step(self, data):
                x, y = data
                y_pred = self(x)
                with GradientTape(persistent=True) as tape:
                    tape.watch(x)
                slope = tape.gradient(y_pred, x)
                loss = ops.reduce_mean(ops.square(y_pred - y)) + ops.reduce_mean(ops.square(slope))
                weights = {"all": self.trainable_weights}
                found = tape.gradient(loss, weights)
                self.optimizer.apply(found["all"], weights["all"])
                return {"slope": ops.reduce_mean(slope)}

        model = built(Penalised)
        expected = model.get_weights()[0].mean()
        np.testing.assert_allclose(model.train_on_batch(X, Y, return_dict=True)["slope"], expected, rtol=1e-5)

    def test_outside_of_a_step_it_says_where_to_go(self):
        model = built(Model)
        with pytest.raises(GraphError, match="outside of a compiled step"), GradientTape() as tape:
            tape.gradient(model(X), model.trainable_weights)
        with pytest.raises(GraphError, match="outside of a compiled step"):
            model.optimizer.apply([np.zeros(1)], model.trainable_weights)


class TestLogs:
    @pytest.mark.parametrize("returned", [None, {"loss": "low"}, 3.0])
    def test_they_are_a_mapping_to_numbers(self, returned):
        class Silent(Model):
            def train_step(self, data):
                return returned

        with pytest.raises(GraphError, match="logs"):
            built(Silent).fit(X, Y, verbose=0)

    def test_a_loss_that_is_not_finite_ends_training(self):
        model = built(Stepless, optimizer=optimizers.SGD(1e30))
        with pytest.raises(NonFiniteError) as caught:
            model.fit(X, Y, epochs=5, verbose=0)
        assert "is as it was before step" in caught.value.fix

    def test_the_error_names_the_rates_of_all_its_optimizers(self):
        model = pair()
        model.d_optimizer.learning_rate, model.g_optimizer.learning_rate = 1e30, 0.25
        with pytest.raises(NonFiniteError) as caught:
            model.fit(X, epochs=5, verbose=0)
        assert "(now 1e+30 and 0.25)" in caught.value.fix

    def test_callbacks_watch_them(self):
        class Watched(Stepless):
            def test_step(self, data):
                return {"gain": 1.0}

        model = built(Watched)
        stop = callbacks.EarlyStopping(monitor="val_gain", patience=1, mode="max", verbose=0)
        history = model.fit(X, Y, epochs=5, validation_split=0.5, callbacks=[stop], verbose=0).history
        assert history["val_gain"] == [1.0, 1.0]
        assert set(history) == {"loss", "val_gain"}


class TestPrediction:
    def test_what_predict_step_gives(self):
        class Doubling(Model):
            def predict_step(self, data):
                return {"twice": 2.0 * self(data), "rows": [data]}

        model = built(Doubling)
        found = model.predict(X, batch_size=8, verbose=0)
        np.testing.assert_allclose(found["twice"], 2.0 * model.predict_on_batch(X), rtol=1e-6)
        np.testing.assert_array_equal(found["rows"][0], X)
        assert model.predict(X[:1], verbose=0)["twice"].shape == (1, 1)
        assert model.train_on_batch(X, Y) > 0

    def test_a_class_without_call_says_what_is_missing(self):
        model = pair()
        model.fit(X, verbose=0)
        for use in (model.predict, lambda x: model.evaluate(x, verbose=0)):
            with pytest.raises(GraphError, match="does not say what it predicts"):
                use(X)


class TestLayers:
    def test_layers_that_only_the_step_calls_are_built_by_it(self):
        class Inside(Model):
            def __init__(self):
                super().__init__()
                self.dense = layers.Dense(3)

            def train_step(self, data):
                x, y = data
                loss = ops.reduce_mean(ops.square(self.dense(x) - y))
                self.optimizer.apply(thalweg.gradients(loss, self.trainable_weights), self.trainable_weights)
                return {"loss": loss}

        model = Inside()
        model.compile("sgd")
        model.fit(X, X[:, :3], verbose=0)
        assert model.count_params() == 15

    def test_add_loss(self):
        class Activity(layers.Layer):
            def call(self, x):
                self.add_loss(0.1 * ops.reduce_mean(ops.square(x)))
                return x

        model = Sequential([Input((4,)), Activity(), layers.Dense(1, kernel_initializer="zeros")])
        model.compile("sgd", "mse")
        model.executor = NumpyExecutor()
        expected = np.square(Y).mean() + 0.1 * np.square(X).mean()
        np.testing.assert_allclose(model.evaluate(X, Y, batch_size=5, verbose=0), expected, rtol=1e-6)
        np.testing.assert_allclose(model.train_on_batch(X, Y), expected, rtol=1e-6)

    def test_add_loss_wants_a_tensor_of_the_step(self):
        inputs = Input((4,))
        with pytest.raises(GraphError, match="add_loss"):
            Model(inputs, layers.Dense(1)(inputs)).add_loss(inputs)

    def test_losses_outside_of_a_step_are_numbers(self):
        dense = layers.Dense(1, kernel_regularizer=thalweg.regularizers.L2(0.5), kernel_initializer="ones")
        model = Sequential([Input((4,)), dense])
        assert model.losses == [2.0]


class TestMetrics:
    def test_those_of_the_model(self):
        model = built(Model, metrics=["mae"])
        assert [metric.name for metric in model.metrics] == ["loss", "compile_metrics"]
        loss, mae = model.evaluate(X, Y, verbose=0)
        assert model.get_metrics_result() == {"loss": loss, "mae": mae}
        model.reset_metrics()
        assert model.get_metrics_result() == {"loss": 0.0, "mae": 0.0}

    def test_one_that_a_layer_updates(self):
        class Counting(layers.Layer):
            def __init__(self):
                super().__init__()
                self.size = metrics.Mean(name="size")

            def call(self, x):
                self.size.update_state(abs(x))
                return x

        model = Sequential([Input((4,)), Counting(), layers.Dense(1)])
        model.compile("sgd", "mse")
        history = model.fit(X, Y, 8, verbose=0).history
        np.testing.assert_allclose(history["size"], np.abs(X).mean(), rtol=1e-6)


def test_functions_of_keras_that_nothing_calls_are_refused():
    class Making(Model):
        def make_train_function(self):
            return None

    with pytest.raises(ArgumentError, match="make_train_function would not be called"):
        built(Making)
