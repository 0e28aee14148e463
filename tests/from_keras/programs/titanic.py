"""A competition's table: a category goes through an embedding, numbers beside it; yes or no."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(2)
cabin = random.randint(0, 4, 80)
numbers = random.normal(size=(80, 3))
survived = (numbers[:, 0] + (cabin == 2) * 2 > 0.5).astype("float32")

cabin_input = keras.Input(shape=(1,), dtype="int32", name="cabin")
numbers_input = keras.Input(shape=(3,), name="numbers")
embedded = layers.Flatten()(layers.Embedding(4, 2)(cabin_input))
hidden = layers.Dense(8, activation="relu")(layers.concatenate([embedded, numbers_input]))
output = layers.Dense(1, activation="sigmoid")(hidden)
model = keras.Model(inputs=[cabin_input, numbers_input], outputs=output)
start(model)
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
data = {"cabin": cabin[:, None], "numbers": numbers}
history = model.fit(data, survived, epochs=4, batch_size=16, shuffle=False, validation_split=0.25, verbose=0)
result = history.history["loss"] + history.history["val_loss"] + history.history["val_accuracy"]
