"""Texts of different lengths: padded, embedded, averaged."""

import keras
import numpy as np
from keras import layers
from keras.utils import pad_sequences
from tests.from_keras.starting import start

random = np.random.RandomState(4)
texts = [list(random.randint(1, 20, random.randint(2, 9))) for _ in range(48)]
y = np.array([text[0] > 9 for text in texts], "float32")
x = pad_sequences(texts, maxlen=6, padding="post", truncating="post")

model = keras.Sequential(
    [
        layers.Input((6,), dtype="int32"),
        layers.Embedding(20, 8),
        layers.GlobalAveragePooling1D(),
        layers.Dense(6, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]
)
start(model)
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, epochs=4, batch_size=12, shuffle=False, verbose=0)
result = history.history["loss"]
