"""The course's first network on images: flattened, scaled, two layers."""

import keras
import numpy as np
from keras import layers, models
from tests.from_keras.starting import start

random = np.random.RandomState(9)
labels = random.randint(0, 10, 120)
patterns = random.randint(0, 256, (10, 8, 8))
images = np.clip(patterns[labels] + random.normal(size=(120, 8, 8)) * 20, 0, 255).astype("uint8")

train_images = images[:100].reshape((100, 8 * 8)).astype("float32") / 255
test_images = images[100:].reshape((20, 8 * 8)).astype("float32") / 255
train_labels = keras.utils.to_categorical(labels[:100])
test_labels = keras.utils.to_categorical(labels[100:])

network = models.Sequential()
network.add(layers.Input((8 * 8,)))
network.add(layers.Dense(32, activation="relu"))
network.add(layers.Dense(10, activation="softmax"))
start(network)
network.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
network.fit(train_images, train_labels, epochs=5, batch_size=20, shuffle=False, verbose=0)
test_loss, test_acc = network.evaluate(test_images, test_labels, verbose=0)
result = [test_loss, test_acc]
