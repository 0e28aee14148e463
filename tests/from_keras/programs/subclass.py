"""A class of models with a call."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start


class Network(keras.Model):
    def __init__(self, units=8, classes=3):
        super().__init__()
        self.first = layers.Dense(units, activation="relu")
        self.second = layers.Dense(units, activation="relu")
        self.last = layers.Dense(classes, activation="softmax")

    def call(self, inputs):
        x = self.first(inputs)
        return self.last(self.second(x) + x)


random = np.random.RandomState(26)
y = random.randint(0, 3, 48)
x = (random.normal(size=(48, 5)) + y[:, None]).astype("float32")
model = Network()
model.predict(x[:1], verbose=0)
start(model)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, epochs=4, batch_size=12, shuffle=False, verbose=0)
result = history.history["loss"]
