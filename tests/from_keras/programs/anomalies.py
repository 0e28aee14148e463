"""Anomalies are what an autoencoder reconstructs badly: a threshold from the training errors."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

tolerance = 1e-2  # the derivative of |x| turns at 0, which 60 steps reach at different times
random = np.random.RandomState(13)
normal = np.sin(np.linspace(0, 6, 16) + random.uniform(0, 1, (40, 1))).astype("float32")
strange = random.normal(size=(10, 16)).astype("float32")

model = keras.Sequential([layers.Input((16,)), layers.Dense(6, "tanh"), layers.Dense(16)])
start(model)
model.compile(keras.optimizers.Adam(0.01), "mae")
model.fit(normal, normal, epochs=15, batch_size=10, shuffle=False, verbose=0)
errors = np.mean(np.abs(model.predict(normal, verbose=0) - normal), axis=1)
threshold = errors.mean() + errors.std()
found = np.mean(np.abs(model.predict(strange, verbose=0) - strange), axis=1) > threshold
result = [threshold, found.mean()]
