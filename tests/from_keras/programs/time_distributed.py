"""The same layers at each time of a series."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

x = np.random.RandomState(31).normal(size=(24, 5, 3)).astype("float32")
y = x.sum(-1, keepdims=True)
model = keras.Sequential(
    [
        layers.Input((5, 3)),
        layers.TimeDistributed(layers.Dense(6, activation="tanh")),
        layers.TimeDistributed(layers.Dense(1)),
    ]
)
start(model)
model.compile("adam", "mse")
result = model.fit(x, y, epochs=3, batch_size=6, shuffle=False, verbose=0).history["loss"]
