"""Training that goes on in a second fit, with the epochs counted on, and a history of both."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

x = np.random.RandomState(38).normal(size=(24, 3)).astype("float32")
model = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
start(model)
model.compile("adam", "mae")
first = model.fit(x, x[:, 1], epochs=2, batch_size=6, shuffle=False, verbose=0)
second = model.fit(x, x[:, 1], initial_epoch=2, epochs=5, batch_size=6, shuffle=False, verbose=0)
assert second.epoch == [2, 3, 4]
result = first.history["loss"] + second.history["loss"]
