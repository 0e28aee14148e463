"""A first course: three kinds of flowers by four lengths, targets as one-hot rows."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(0)
y = random.randint(0, 3, 90)
x = random.normal(size=(90, 4)) + y[:, None] * [1.0, -0.5, 2.0, 0.3]

model = keras.Sequential()
model.add(layers.Input(shape=(4,)))
model.add(layers.Dense(10, activation="relu"))
model.add(layers.Dense(3, activation="softmax"))
start(model)
model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.1), loss="categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, keras.utils.to_categorical(y, 3), epochs=5, batch_size=16, shuffle=False, verbose=0)
result = history.history["loss"] + history.history["accuracy"]
