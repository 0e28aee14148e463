"""A convolution along the words, and the largest number of each feature."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(5)
x = random.randint(0, 15, (40, 10))
y = ((x[:, 1:] == 3) & (x[:, :-1] > 7)).any(1).astype("float32")

inputs = keras.Input(shape=(10,), dtype="int32")
z = layers.Embedding(15, 6)(inputs)
z = layers.Conv1D(8, 3, padding="valid", activation="relu")(z)
z = layers.GlobalMaxPooling1D()(z)
outputs = layers.Dense(1, activation="sigmoid")(z)
model = keras.Model(inputs, outputs)
start(model)
model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
history = model.fit(x, y, epochs=3, batch_size=10, shuffle=False, verbose=0)
result = history.history["loss"]
