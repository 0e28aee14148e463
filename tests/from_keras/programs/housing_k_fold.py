"""Few houses: k-fold validation by hand, a model built anew for each fold, the mean absolute error."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(7)
data = random.normal(size=(36, 5))
targets = data @ [3.0, -2.0, 0.5, 0.0, 1.0] + random.normal(size=36) * 0.1


def build_model():
    model = keras.Sequential([layers.Input((5,)), layers.Dense(8, activation="relu"), layers.Dense(1)])
    start(model)
    model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
    return model


k = 3
count = len(data) // k
result = []
for i in range(k):
    held = slice(i * count, (i + 1) * count)
    partial_data = np.concatenate([data[: i * count], data[(i + 1) * count :]], axis=0)
    partial_targets = np.concatenate([targets[: i * count], targets[(i + 1) * count :]], axis=0)
    model = build_model()
    model.fit(partial_data, partial_targets, epochs=3, batch_size=8, shuffle=False, verbose=0)
    mse, mae = model.evaluate(data[held], targets[held], verbose=0)
    result += [mse, mae]
