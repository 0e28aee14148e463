"""A callback of one's own that reads the logs and ends training."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start


class StopBelow(keras.callbacks.Callback):
    def __init__(self, value):
        super().__init__()
        self.value = value
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(logs["loss"])
        if logs.get("loss") < self.value:
            self.model.stop_training = True


x = np.random.RandomState(19).normal(size=(40, 3)).astype("float32")
model = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
start(model)
model.compile(keras.optimizers.SGD(0.1), "mse")
stop = StopBelow(0.1)
history = model.fit(x, x[:, :1] - x[:, 1:2], epochs=30, batch_size=10, shuffle=False, verbose=0, callbacks=[stop])
result = [len(history.epoch), *stop.seen]
