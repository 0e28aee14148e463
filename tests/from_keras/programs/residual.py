"""Blocks with a way around them, and batch normalization."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(29)
y = random.randint(0, 2, 48)
x = (random.normal(size=(48, 6)) + y[:, None]).astype("float32")

inputs = keras.Input((6,))
z = layers.Dense(8)(inputs)
for _ in range(2):
    way = z
    z = layers.Dense(8, use_bias=False)(z)
    z = layers.BatchNormalization()(z)
    z = layers.Activation("relu")(z)
    z = layers.add([z, way])
model = keras.Model(inputs, layers.Dense(2, "softmax")(z))
start(model)
model.compile(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), "sparse_categorical_crossentropy")
history = model.fit(x, y, epochs=3, batch_size=16, validation_data=(x, y), shuffle=False, verbose=0)
result = history.history["loss"] + history.history["val_loss"]
