"""Rows that count more than others, in training and in validation."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(24)
x = random.normal(size=(40, 3)).astype("float32")
y = x[:, 0] + random.normal(size=40)
weight = random.uniform(0.1, 2, 40)

model = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
start(model)
model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
history = model.fit(
    x,
    y,
    sample_weight=weight,
    epochs=3,
    batch_size=8,
    shuffle=False,
    verbose=0,
    validation_data=(x[:10], y[:10], weight[:10]),
)
result = [value for values in history.history.values() for value in values]
