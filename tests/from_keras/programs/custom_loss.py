"""A loss of one's own as a function, and a metric of one's own beside it."""

import keras
import numpy as np
from keras import layers, ops
from tests.from_keras.starting import start

random = np.random.RandomState(16)
x = random.normal(size=(40, 3)).astype("float32")
y = (x.sum(1) + random.normal(size=40)).astype("float32")


def huber_like(y_true, y_pred):
    error = ops.abs(y_true - y_pred)
    return ops.mean(ops.where(error < 1.0, 0.5 * ops.square(error), error - 0.5), axis=-1)


def largest_error(y_true, y_pred):
    return ops.max(ops.abs(y_true - y_pred), axis=-1)


model = keras.Sequential([layers.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
start(model)
model.compile("adam", loss=huber_like, metrics=[largest_error])
history = model.fit(x, y[:, None], epochs=4, batch_size=8, shuffle=False, verbose=0)
result = history.history["loss"] + history.history["largest_error"]
