"""A layer with weights of its own, in a functional model."""

import keras
import numpy as np
from keras import layers, ops
from tests.from_keras.starting import start


class Linear(layers.Layer):
    def __init__(self, units=32, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True)
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=True)

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b


x = np.random.RandomState(27).normal(size=(40, 4)).astype("float32")
inputs = keras.Input((4,))
outputs = Linear(2)(ops.tanh(Linear(6)(inputs)))
model = keras.Model(inputs, outputs)
start(model)
model.compile("adam", "mse")
result = model.fit(x, x[:, :2] ** 2, epochs=4, batch_size=10, shuffle=False, verbose=0).history["loss"]
