"""Regression as a tutorial does it: scaled columns, several metrics, predictions."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(8)
x = random.uniform(0, 100, (64, 4))
y = x @ [0.5, -1.0, 0.2, 0.1] + 3
mean, std = x[:48].mean(axis=0), x[:48].std(axis=0)
x = (x - mean) / std

model = keras.models.Sequential()
model.add(layers.Input(shape=(x.shape[1],)))
model.add(layers.Dense(16, activation="relu", kernel_initializer="he_normal"))
model.add(layers.Dense(1, activation="linear"))
start(model)
model.compile(
    loss="mean_squared_error",
    optimizer=keras.optimizers.Adam(learning_rate=0.05),
    metrics=["mae", "mape", keras.metrics.RootMeanSquaredError()],
)
model.fit(x[:48], y[:48], epochs=4, batch_size=16, shuffle=False, verbose=0)
scores = model.evaluate(x[48:], y[48:], verbose=0)
result = [*scores, *model.predict(x[48:52], verbose=0).flatten()]
