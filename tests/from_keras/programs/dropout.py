"""Overfitting with and without dropout: what is left out is drawn, so that only the size of the losses is compared."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

tolerance = 0.3
random = np.random.RandomState(21)
x = random.normal(size=(64, 10)).astype("float32")
y = (x[:, 0] > 0).astype("float32")
result = []
for rate in (0.0, 0.3):
    model = keras.Sequential(
        [layers.Input((10,)), layers.Dense(32, "relu"), layers.Dropout(rate, seed=1), layers.Dense(1, "sigmoid")]
    )
    start(model)
    model.compile("adam", "binary_crossentropy")
    history = model.fit(x, y, epochs=6, batch_size=16, validation_split=0.25, verbose=0)
    result += [history.history["loss"][-1], history.history["val_loss"][-1]]
