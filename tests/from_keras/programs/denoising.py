"""A convolutional autoencoder that takes noise away."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(12)
clean = random.uniform(size=(16, 8, 8, 1)).astype("float32")
noisy = np.clip(clean + 0.3 * random.normal(size=clean.shape), 0, 1).astype("float32")

inputs = keras.Input((8, 8, 1))
x = layers.Conv2D(4, (3, 3), activation="relu", padding="same")(inputs)
x = layers.MaxPooling2D((2, 2), padding="same")(x)
x = layers.Conv2D(4, (3, 3), activation="relu", padding="same")(x)
x = layers.UpSampling2D((2, 2))(x)
outputs = layers.Conv2D(1, (3, 3), activation="sigmoid", padding="same")(x)
model = keras.Model(inputs, outputs)
start(model)
model.compile("adam", "mse")
result = model.fit(noisy, clean, epochs=2, batch_size=8, shuffle=False, verbose=0).history["loss"]
