"""Chemical measurements of very different sizes: a Normalization layer learns the scales."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(1)
y = random.randint(0, 3, 60)
x = random.normal(size=(60, 6)) * [1, 10, 100, 0.1, 5, 50] + y[:, None] * [1, 5, 200, 0, 3, 10]

normalizer = layers.Normalization()
normalizer.adapt(x)
model = keras.Sequential([keras.Input((6,)), normalizer, layers.Dense(8, "tanh"), layers.Dense(3)])
start(model)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.01), loss, metrics=["sparse_categorical_accuracy"])
history = model.fit(x, y, epochs=4, batch_size=20, shuffle=False, verbose=0)
result = history.history["loss"]
