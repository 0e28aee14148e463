"""An autoencoder whose encoder is a model of its own."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

x = np.random.RandomState(11).uniform(size=(50, 12)).astype("float32")

input_img = keras.Input(shape=(12,))
encoded = layers.Dense(4, activation="relu")(input_img)
decoded = layers.Dense(12, activation="sigmoid")(encoded)
autoencoder = keras.Model(input_img, decoded)
encoder = keras.Model(input_img, encoded)
start(autoencoder)
autoencoder.compile(optimizer="adam", loss="binary_crossentropy")
history = autoencoder.fit(x, x, epochs=4, batch_size=10, shuffle=False, verbose=0)
result = [*history.history["loss"], *encoder.predict(x[:2], verbose=0).ravel()]
