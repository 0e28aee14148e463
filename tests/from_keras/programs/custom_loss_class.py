"""A loss of one's own as a class with an argument."""

import keras
import numpy as np
from keras import layers, ops
from tests.from_keras.starting import start


class Weighted(keras.losses.Loss):
    def __init__(self, factor=2.0, name="weighted"):
        super().__init__(name=name)
        self.factor = factor

    def call(self, y_true, y_pred):
        error = y_true - y_pred
        return ops.mean(ops.square(error) * ops.where(error > 0, self.factor, 1.0), axis=-1)


x = np.random.RandomState(17).normal(size=(32, 3)).astype("float32")
model = keras.Sequential([layers.Input((3,)), layers.Dense(2)])
start(model)
model.compile(keras.optimizers.SGD(0.05), loss=Weighted(3.0))
result = model.fit(x, x[:, :2], epochs=4, batch_size=8, shuffle=False, verbose=0).history["loss"]
