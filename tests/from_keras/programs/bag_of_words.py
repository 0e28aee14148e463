"""A book's first text classifier: reviews as rows that say which words occur."""

import numpy as np
from keras import layers, models
from tests.from_keras.starting import start

WORDS = 60
random = np.random.RandomState(3)
reviews = [random.randint(1, WORDS, random.randint(3, 15)) for _ in range(80)]
labels = np.array([int((review < WORDS / 2).mean() > 0.5) for review in reviews], "float32")


def vectorize(sequences, dimension=WORDS):
    results = np.zeros((len(sequences), dimension))
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1.0
    return results


x = vectorize(reviews)
model = models.Sequential()
model.add(layers.Input((WORDS,)))
model.add(layers.Dense(16, activation="relu"))
model.add(layers.Dense(16, activation="relu"))
model.add(layers.Dense(1, activation="sigmoid"))
start(model)
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
history = model.fit(
    x[:60], labels[:60], epochs=4, batch_size=20, validation_data=(x[60:], labels[60:]), shuffle=False, verbose=0
)
result = history.history["loss"] + history.history["val_loss"]
