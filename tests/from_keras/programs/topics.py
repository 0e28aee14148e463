"""News in many topics: class numbers as targets, a hidden layer wider than the classes, top-3 accuracy."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(6)
y = random.randint(0, 10, 100)
x = (random.uniform(size=(100, 40)) < 0.1 + 0.4 * (np.arange(40) // 4 == y[:, None])).astype("float32")

model = keras.Sequential([keras.Input((40,)), layers.Dense(32, "relu"), layers.Dense(10, "softmax")])
start(model)
model.compile(
    "adam",
    "sparse_categorical_crossentropy",
    metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(3, name="top_3")],
)
history = model.fit(x, y, epochs=4, batch_size=25, shuffle=False, verbose=0)
result = history.history["loss"] + history.history["top_3"]
