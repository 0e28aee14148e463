"""Weights that are kept short, and weights that are kept positive."""

import keras
import numpy as np
from keras import constraints, layers
from tests.from_keras.starting import start

x = np.random.RandomState(39).normal(size=(32, 4)).astype("float32")
model = keras.Sequential(
    [
        layers.Input((4,)),
        layers.Dense(6, "relu", kernel_constraint=constraints.max_norm(1.0)),
        layers.Dense(1, kernel_constraint=keras.constraints.NonNeg()),
    ]
)
start(model)
model.compile(keras.optimizers.SGD(0.1), "mse")
history = model.fit(x, x[:, 0], epochs=3, batch_size=8, shuffle=False, verbose=0)
kernel = model.get_weights()[0]
assert np.linalg.norm(kernel, axis=0).max() < 1.001
assert model.get_weights()[2].min() >= 0
result = history.history["loss"]
