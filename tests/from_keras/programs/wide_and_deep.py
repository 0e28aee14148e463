"""A short way and a long way from the inputs to the output, as a book's chapter on functional models has it."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(15)
x = random.normal(size=(60, 5)).astype("float32")
y = x[:, 0] * x[:, 1] + 2 * x[:, 4]

wide, deep = keras.Input(shape=(2,), name="wide"), keras.Input(shape=(4,), name="deep")
hidden = layers.Dense(8, activation="relu")(deep)
hidden = layers.Dense(8, activation="relu")(hidden)
concat = layers.concatenate([wide, hidden])
output = layers.Dense(1, name="main")(concat)
side = layers.Dense(1, name="side")(hidden)
model = keras.Model(inputs=[wide, deep], outputs=[output, side])
start(model)
model.compile(loss=["mse", "mse"], loss_weights=[0.9, 0.1], optimizer=keras.optimizers.SGD(1e-2))
history = model.fit((x[:, :2], x[:, 1:]), (y, y), epochs=3, batch_size=12, shuffle=False, verbose=0)
result = history.history["loss"]
