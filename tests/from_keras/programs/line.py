"""A line through points: the weights are slope and intercept."""

import keras
import numpy as np
from tests.from_keras.starting import start

x = np.linspace(-1, 1, 32)
model = keras.Sequential([keras.Input(shape=(1,)), keras.layers.Dense(1)])
start(model)
model.compile(optimizer=keras.optimizers.SGD(0.2), loss="mean_squared_error")
model.fit(x, 2 * x - 1, epochs=10, batch_size=8, shuffle=False, verbose=0)
slope, intercept = model.get_weights()
result = [float(slope[0, 0]), float(intercept[0])]
