"""Padding that does not count: the mask of an embedding goes to the mean over the words."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(41)
texts = [list(random.randint(1, 12, random.randint(2, 7))) for _ in range(40)]
y = np.array([max(text) > 9 for text in texts], "float32")
x = keras.utils.pad_sequences(texts, maxlen=7)

model = keras.Sequential(
    [
        layers.Input((7,), dtype="int32"),
        layers.Embedding(12, 4, mask_zero=True),
        layers.GlobalAveragePooling1D(),
        layers.Dense(1, activation="sigmoid"),
    ]
)
start(model)
model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
result = model.fit(x, y, epochs=4, batch_size=10, shuffle=False, verbose=0).history["loss"]
