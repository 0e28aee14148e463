"""Programs of Keras's guide on customizing ``fit`` and of its reference, for thalweg and for Keras itself.

``KERAS_BACKEND=torch python tests/model/guide.py`` prints what Keras makes of them: the answers in ``test_own_steps``.
Each gets the library, GradientTape and the data; weights begin at fixed values and rows are not shuffled.
"""

# mypy: disable-error-code="name-defined"
import json
import os
from types import SimpleNamespace

import numpy as np

_random = np.random.default_rng(3)
X = _random.normal(size=(20, 4)).astype("float32")
Y = _random.normal(size=(20, 1)).astype("float32")
WEIGHT = _random.random(20).astype("float32")
FIT = {"batch_size": 8, "epochs": 2, "verbose": 0, "shuffle": False}


def begun(model):
    """The model with weights that do not depend on a library."""
    model.set_weights([np.cos(np.arange(w.size, dtype="float32")).reshape(w.shape) for w in model.get_weights()])
    return model


def line(keras, cls, *layers):
    """A model of this class: a dense layer."""
    inputs = keras.Input(shape=(4,))
    return begun(cls(inputs, keras.layers.Dense(1)(inputs)))


def simple(keras, GradientTape):
    class CustomModel(keras.Model):
        def train_step(self, data):
            x, y = data
            with GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred)
            trainable_vars = self.trainable_variables
            gradients = tape.gradient(loss, trainable_vars)
            self.optimizer.apply(gradients, trainable_vars)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    model = line(keras, CustomModel)
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    return model.fit(X, Y, **FIT).history


def lower_level(keras, GradientTape):
    class CustomModel(keras.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.loss_tracker = keras.metrics.Mean(name="loss")
            self.mae_metric = keras.metrics.MeanAbsoluteError(name="mae")
            self.loss_fn = keras.losses.MeanSquaredError()

        def train_step(self, data):
            x, y = data
            with GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.loss_fn(y, y_pred)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            self.loss_tracker.update_state(loss)
            self.mae_metric.update_state(y, y_pred)
            return {"loss": self.loss_tracker.result(), "mae": self.mae_metric.result(), "last": loss}

        @property
        def metrics(self):
            return [self.loss_tracker, self.mae_metric]

    model = line(keras, CustomModel)
    model.compile(optimizer="adam")
    return model.fit(X, Y, **FIT).history


def weighted(keras, GradientTape):
    class CustomModel(keras.Model):
        def train_step(self, data):
            if len(data) == 3:
                x, y, sample_weight = data
            else:
                sample_weight = None
                x, y = data
            with GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=sample_weight)
            trainable_vars = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, trainable_vars), trainable_vars)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred, sample_weight=sample_weight)
            return {m.name: m.result() for m in self.metrics}

    model = line(keras, CustomModel)
    model.compile(optimizer="sgd", loss="mse", metrics=["mae"], weighted_metrics=["mse"])
    history = model.fit(X, Y, sample_weight=WEIGHT, **FIT).history
    signs = (Y > 0).astype("float32")
    return {**history, "of_classes": model.fit(X, signs, class_weight={0: 1.0, 1: 3.0}, **FIT).history["loss"]}


def evaluating(keras, GradientTape):
    class CustomModel(keras.Model):
        def test_step(self, data):
            x, y = data
            y_pred = self(x, training=False)
            loss = self.compute_loss(y=y, y_pred=y_pred)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    model = line(keras, CustomModel)
    model.compile(loss="mse", metrics=["mae"])
    history = model.fit(X, Y, validation_data=(X[:10], Y[:10]), **FIT).history
    return {**history, "evaluated": model.evaluate(X, Y, verbose=0, batch_size=8)}


def adversarial(keras, GradientTape):
    class GAN(keras.Model):
        def __init__(self, discriminator, generator, latent_dim):
            super().__init__()
            self.discriminator = discriminator
            self.generator = generator
            self.latent_dim = latent_dim
            self.d_loss_tracker = keras.metrics.Mean(name="d_loss")
            self.g_loss_tracker = keras.metrics.Mean(name="g_loss")
            self.built = True

        @property
        def metrics(self):
            return [self.d_loss_tracker, self.g_loss_tracker]

        def compile(self, d_optimizer, g_optimizer, loss_fn):
            super().compile()
            self.d_optimizer = d_optimizer
            self.g_optimizer = g_optimizer
            self.loss_fn = loss_fn

        def train_step(self, real):
            if isinstance(real, tuple):
                real = real[0]
            latent = real[:, : self.latent_dim]  # where the guide draws random numbers
            generated = self.generator(latent)
            combined = keras.ops.concatenate([generated, real], axis=0)
            zeros = 0.0 * real[:, :1]
            labels = keras.ops.concatenate([zeros + 1.0, zeros], axis=0)
            with GradientTape() as tape:
                d_loss = self.loss_fn(labels, self.discriminator(combined))
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
            with GradientTape() as tape:
                g_loss = self.loss_fn(zeros, self.discriminator(self.generator(latent)))
            weights = self.generator.trainable_weights
            self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)
            self.d_loss_tracker.update_state(d_loss)
            self.g_loss_tracker.update_state(g_loss)
            return {"d_loss": self.d_loss_tracker.result(), "g_loss": self.g_loss_tracker.result()}

    layers = keras.layers
    discriminator = begun(keras.Sequential([keras.Input((4,)), layers.Dense(3, "tanh"), layers.Dense(1)]))
    generator = begun(keras.Sequential([keras.Input((2,)), layers.Dense(4)]))
    gan = GAN(discriminator, generator, latent_dim=2)
    gan.compile(
        d_optimizer=keras.optimizers.Adam(learning_rate=0.03),
        g_optimizer=keras.optimizers.SGD(learning_rate=0.1, momentum=0.9),
        loss_fn=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    history = gan.fit(X, **FIT).history
    return {**history, "discriminator": gan.discriminator.predict(X[:2], verbose=0)[:, 0].tolist()}


def own_loss(keras, GradientTape):
    class MyModel(keras.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.loss_tracker = keras.metrics.Mean(name="loss")

        def compute_loss(self, x, y, y_pred, sample_weight, training=True):
            loss = keras.ops.mean(keras.ops.square(y_pred - y))
            loss = loss + sum(self.losses)
            self.loss_tracker.update_state(loss)
            return loss

        def reset_metrics(self):
            self.loss_tracker.reset_state()

        @property
        def metrics(self):
            return [self.loss_tracker]

    inputs = keras.Input(shape=(4,))
    dense = keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.1))
    model = begun(MyModel(inputs, dense(inputs)))
    model.compile(optimizer="sgd", loss="mse")
    return model.fit(X, Y, **FIT).history


def own_metrics(keras, GradientTape):
    class MyModel(keras.Sequential):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.custom_metric = keras.metrics.MeanSquaredError(name="custom_metric")

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            metric_results = super().compute_metrics(x, y, y_pred, sample_weight)
            self.custom_metric.update_state(2.0 * y, y_pred)
            metric_results["custom_metric"] = self.custom_metric.result()
            return metric_results

    model = begun(MyModel([keras.Input((4,)), keras.layers.Dense(1)]))
    model.compile(optimizer="sgd", loss="mse", metrics=["mae"])
    return {**model.fit(X, Y, **FIT).history, "evaluated": model.evaluate(X, Y, verbose=0)}


PROGRAMS = (simple, lower_level, weighted, evaluating, adversarial, own_loss, own_metrics)


def of_keras():
    """What Keras on PyTorch gives."""
    import keras
    import torch

    class Tape:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def gradient(self, loss, weights):
            return torch.autograd.grad(loss, [w.value for w in weights], retain_graph=True)

    apply = keras.optimizers.Optimizer.apply

    def without_graph(self, *args, **kwargs):
        with torch.no_grad():
            return apply(self, *args, **kwargs)

    keras.optimizers.Optimizer.apply = without_graph
    return {program.__name__: program(SimpleNamespace(**vars(keras)), Tape) for program in PROGRAMS}


if __name__ == "__main__":
    assert os.environ.get("KERAS_BACKEND") == "torch", "gradients are PyTorch's"
    print(json.dumps(of_keras(), default=float))
