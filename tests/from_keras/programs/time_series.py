"""The next value of a series from a window of the last ones, by a convolution over time."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

series = np.sin(np.arange(80) * 0.3) + 0.1 * np.random.RandomState(30).normal(size=80)
window = 8
x = np.stack([series[i : i + window] for i in range(len(series) - window)])[..., None]
y = series[window:]

model = keras.models.Sequential(
    [
        layers.Input((window, 1)),
        layers.Conv1D(6, kernel_size=3, padding="causal", activation="relu"),
        layers.Conv1D(6, kernel_size=3, padding="causal", dilation_rate=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(1),
    ]
)
start(model)
model.compile(loss=keras.losses.Huber(), optimizer=keras.optimizers.Adam(0.01), metrics=["mae"])
history = model.fit(x[:60], y[:60], epochs=3, batch_size=12, validation_data=(x[60:], y[60:]), shuffle=False, verbose=0)
result = history.history["loss"] + history.history["val_mae"]
