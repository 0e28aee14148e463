"""A function as a layer, several outputs, and a model that is cut open in the middle."""

import keras
import numpy as np
from keras import layers, ops
from tests.from_keras.starting import start

x = np.random.RandomState(44).normal(size=(24, 4)).astype("float32")
inputs = keras.Input((4,))
z = layers.Lambda(lambda t: ops.square(t) - 1.0)(inputs)
middle = layers.Dense(3, activation="tanh", name="middle")(z)
model = keras.Model(inputs, layers.Dense(1)(middle))
start(model)
model.compile("adam", "mse")
history = model.fit(x, x[:, 0] ** 2, epochs=3, batch_size=8, shuffle=False, verbose=0)
inside = keras.Model(model.input, model.get_layer("middle").output)
result = [*history.history["loss"], *inside.predict(x[:2], verbose=0).ravel()]
