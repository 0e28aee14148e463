"""A variational autoencoder: numbers are drawn inside of the network, and a layer adds a loss."""

import keras
import numpy as np
from keras import layers, ops
from tests.from_keras.starting import start

tolerance = 0.2  # what is drawn differs


class Sampling(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1)

    def call(self, inputs):
        mean, log_var = inputs
        self.add_loss(-0.01 * ops.mean(1 + log_var - ops.square(mean) - ops.exp(log_var)))
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.seed_generator)


x = np.random.RandomState(43).uniform(size=(64, 8)).astype("float32")
inputs = keras.Input((8,))
hidden = layers.Dense(6, activation="relu")(inputs)
code = Sampling()([layers.Dense(2)(hidden), layers.Dense(2)(hidden)])
outputs = layers.Dense(8, activation="sigmoid")(layers.Dense(6, activation="relu")(code))
model = keras.Model(inputs, outputs)
start(model)
model.compile(keras.optimizers.Adam(0.01), "mse")
result = model.fit(x, x, epochs=5, batch_size=16, shuffle=False, verbose=0).history["loss"][-2:]
