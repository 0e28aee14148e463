# mypy: disable-error-code="call-arg"
"""Steps of Keras's published examples: variational autoencoder, distillation, WGAN-GP, momentum contrast."""

import numpy as np
import pytest

import thalweg as keras
from thalweg import layers, ops
from thalweg.executors.numpy import NumpyExecutor

RANDOM = np.random.default_rng(0)
X = RANDOM.random((32, 8)).astype("float32")
Y = RANDOM.integers(0, 3, 32)


@pytest.fixture(autouse=True)
def numpy_executor(monkeypatch):
    monkeypatch.setattr("thalweg.executors.default", NumpyExecutor)


class Sampling(layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        z_mean, z_log_var = inputs
        shape = (ops.shape(z_mean)[0], ops.shape(z_mean)[1])
        epsilon = keras.random.normal(shape=shape, seed=self.seed_generator)
        return z_mean + ops.exp(0.5 * z_log_var) * epsilon


class VAE(keras.Model):
    def __init__(self, encoder, decoder, **options):
        super().__init__(**options)
        self.encoder = encoder
        self.decoder = decoder
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")
        self.reconstruction_loss_tracker = keras.metrics.Mean(name="reconstruction_loss")
        self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")

    @property
    def metrics(self):
        return [self.total_loss_tracker, self.reconstruction_loss_tracker, self.kl_loss_tracker]

    def train_step(self, data):
        with keras.GradientTape() as tape:
            z_mean, z_log_var, z = self.encoder(data)
            reconstruction = self.decoder(z)
            error = keras.losses.binary_crossentropy(ops.expand_dims(data, -1), ops.expand_dims(reconstruction, -1))
            reconstruction_loss = ops.mean(ops.sum(error, axis=1))
            kl_loss = -0.5 * (1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var))
            kl_loss = ops.mean(ops.sum(kl_loss, axis=1))
            total_loss = reconstruction_loss + kl_loss
        grads = tape.gradient(total_loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(grads, self.trainable_weights, strict=True))
        self.total_loss_tracker.update_state(total_loss)
        self.reconstruction_loss_tracker.update_state(reconstruction_loss)
        self.kl_loss_tracker.update_state(kl_loss)
        return {
            "loss": self.total_loss_tracker.result(),
            "reconstruction_loss": self.reconstruction_loss_tracker.result(),
            "kl_loss": self.kl_loss_tracker.result(),
        }


def test_a_variational_autoencoder():
    inputs = keras.Input((8,))
    hidden = layers.Dense(6, "relu")(inputs)
    mean, log_var = layers.Dense(2)(hidden), layers.Dense(2)(hidden)
    encoder = keras.Model(inputs, [mean, log_var, Sampling()([mean, log_var])], name="encoder")
    latent = keras.Input((2,))
    decoder = keras.Model(latent, layers.Dense(8, "sigmoid")(layers.Dense(6, "relu")(latent)), name="decoder")
    vae = VAE(encoder, decoder)
    vae.compile(optimizer=keras.optimizers.Adam(0.05))
    history = vae.fit(X, epochs=8, batch_size=16, verbose=0).history
    np.testing.assert_allclose(history["loss"], np.add(history["reconstruction_loss"], history["kl_loss"]), rtol=1e-6)
    assert history["loss"][-1] < history["loss"][0]


class Distiller(keras.Model):
    def __init__(self, student, teacher):
        super().__init__()
        self.teacher = teacher
        self.student = student

    def compile(self, optimizer, metrics, student_loss_fn, distillation_loss_fn, alpha=0.1, temperature=3):
        super().compile(optimizer=optimizer, metrics=metrics)
        self.student_loss_fn = student_loss_fn
        self.distillation_loss_fn = distillation_loss_fn
        self.alpha = alpha
        self.temperature = temperature

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, allow_empty=False):
        teacher_pred = self.teacher(x, training=False)
        student_loss = self.student_loss_fn(y, y_pred)
        soft = [ops.softmax(logits / self.temperature, axis=1) for logits in (teacher_pred, y_pred)]
        distillation_loss = self.distillation_loss_fn(*soft) * (self.temperature**2)
        return self.alpha * student_loss + (1 - self.alpha) * distillation_loss

    def call(self, x):
        return self.student(x)


def test_distillation():
    student, teacher = (
        keras.Sequential([keras.Input((8,)), layers.Dense(units, "relu"), layers.Dense(3)]) for units in (4, 8)
    )
    teacher.trainable = False
    distiller = Distiller(student=student, teacher=teacher)
    distiller.compile(
        optimizer=keras.optimizers.Adam(0.05),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
        student_loss_fn=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        distillation_loss_fn=keras.losses.KLDivergence(),
        alpha=0.1,
        temperature=10,
    )
    before = teacher.get_weights()
    distiller.fit(X, Y, epochs=2, verbose=0)
    results = distiller.evaluate(X, Y, verbose=0, return_dict=True)
    right = distiller.predict(X, verbose=0).argmax(1) == Y
    assert results["sparse_categorical_accuracy"] == right.mean()
    assert all(np.isfinite(value) for value in results.values())
    changed = [not np.array_equal(w, v) for w, v in zip(before, teacher.get_weights(), strict=True)]
    assert not any(changed)


class WGAN(keras.Model):
    def __init__(self, discriminator, generator, latent_dim, discriminator_extra_steps=3, gp_weight=10.0):
        super().__init__()
        self.discriminator = discriminator
        self.generator = generator
        self.latent_dim = latent_dim
        self.d_steps = discriminator_extra_steps
        self.gp_weight = gp_weight

    def compile(self, d_optimizer, g_optimizer, d_loss_fn, g_loss_fn):
        super().compile()
        self.d_optimizer = d_optimizer
        self.g_optimizer = g_optimizer
        self.d_loss_fn = d_loss_fn
        self.g_loss_fn = g_loss_fn

    def gradient_penalty(self, batch_size, real, fake):
        alpha = keras.random.uniform((batch_size, 1), 0.0, 1.0)
        interpolated = real + alpha * (fake - real)
        with keras.GradientTape() as gp_tape:
            gp_tape.watch(interpolated)
            pred = self.discriminator(interpolated, training=True)
        grads = gp_tape.gradient(pred, [interpolated])[0]
        norm = ops.sqrt(ops.sum(ops.square(grads), axis=[1]))
        return ops.mean((norm - 1.0) ** 2)

    def train_step(self, real):
        batch_size = ops.shape(real)[0]
        for _ in range(self.d_steps):
            latent = keras.random.normal(shape=(batch_size, self.latent_dim))
            with keras.GradientTape() as tape:
                fake = self.generator(latent, training=True)
                logits = [self.discriminator(images, training=True) for images in (real, fake)]
                d_loss = self.d_loss_fn(*logits) + self.gradient_penalty(batch_size, real, fake) * self.gp_weight
            weights = self.discriminator.trainable_variables
            self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
        latent = keras.random.normal(shape=(batch_size, self.latent_dim))
        with keras.GradientTape() as tape:
            g_loss = self.g_loss_fn(self.discriminator(self.generator(latent, training=True), training=True))
        weights = self.generator.trainable_variables
        self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
        return {"d_loss": d_loss, "g_loss": g_loss}


def test_a_gradient_penalty():
    discriminator = keras.Sequential(
        [keras.Input((8,)), layers.Dense(6), layers.LeakyReLU(0.2), layers.LayerNormalization(), layers.Dense(1)]
    )
    generator = keras.Sequential([keras.Input((4,)), layers.Dense(6), layers.BatchNormalization(), layers.Dense(8)])
    wgan = WGAN(discriminator, generator, 4)
    optimizer = keras.optimizers.Adam(0.01, beta_1=0.5)
    wgan.compile(optimizer, optimizer, lambda real, fake: ops.mean(fake) - ops.mean(real), lambda fake: -ops.mean(fake))
    before = generator.layers[1].get_weights()
    history = wgan.fit(X, epochs=4, batch_size=16, verbose=0).history
    assert (wgan.d_optimizer.iterations, wgan.g_optimizer.iterations) == (24, 8)
    assert history["d_loss"][-1] < history["d_loss"][0]
    moving = zip(before, generator.layers[1].get_weights(), strict=True)
    assert all(not np.array_equal(w, v) for w, v in moving), "moving means move, by every call"


class Contrast(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder = keras.Sequential([keras.Input((8,)), layers.Dense(6, "relu")])
        self.m_encoder = keras.models.clone_model(self.encoder)
        self.accuracy = keras.metrics.SparseCategoricalAccuracy(name="c_acc")

    @property
    def metrics(self):
        return [self.accuracy]

    def train_step(self, x):
        with keras.GradientTape() as tape:
            features = ops.normalize(self.encoder(x, training=True), axis=1)
            m_features = ops.normalize(self.m_encoder(x, training=True), axis=1)
            similarities = ops.matmul(features, ops.transpose(m_features)) / 0.1
            labels = ops.arange(ops.shape(features)[0])
            loss = ops.mean(keras.losses.sparse_categorical_crossentropy(labels, similarities, from_logits=True))
        weights = self.encoder.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        for weight, m_weight in zip(self.encoder.weights, self.m_encoder.weights, strict=True):
            m_weight.assign(0.75 * m_weight + (1 - 0.75) * weight)
        self.accuracy.update_state(labels, similarities)
        return {m.name: m.result() for m in self.metrics}


def test_momentum_contrast():
    model = Contrast()
    model.compile(keras.optimizers.SGD(0.1))
    before = model.m_encoder.get_weights()
    assert 0.0 <= model.train_on_batch(X) <= 1.0
    for old, weight, new in zip(before, model.encoder.get_weights(), model.m_encoder.get_weights(), strict=True):
        np.testing.assert_allclose(new, 0.75 * old + 0.25 * weight, rtol=1e-5, atol=1e-7)
