"""Learning rates that fall: by a schedule of steps, and by a function of the epoch."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

x = np.random.RandomState(22).normal(size=(40, 3)).astype("float32")


def build(optimizer):
    model = keras.Sequential([layers.Input((3,)), layers.Dense(2)])
    start(model)
    model.compile(optimizer, "mse")
    return model


def halved(epoch, lr):
    return lr * 0.5 if epoch else lr


result = []
for schedule in (
    keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=4, decay_rate=0.8, staircase=True),
    keras.optimizers.schedules.PiecewiseConstantDecay([4, 8], [0.1, 0.05, 0.01]),
    keras.optimizers.schedules.CosineDecay(0.1, 12),
):
    history = build(keras.optimizers.SGD(schedule, momentum=0.9)).fit(
        x, x[:, :2], epochs=3, batch_size=10, shuffle=False, verbose=0
    )
    result += history.history["loss"]
callback = keras.callbacks.LearningRateScheduler(halved)
model = build(keras.optimizers.SGD(0.1))
history = model.fit(x, x[:, :2], epochs=3, batch_size=10, shuffle=False, verbose=0, callbacks=[callback])
result += history.history["loss"] + history.history["learning_rate"]
