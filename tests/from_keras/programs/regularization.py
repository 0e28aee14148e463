"""The same network with and without penalties on its weights."""

import keras
import numpy as np
from keras import layers, regularizers
from tests.from_keras.starting import start

random = np.random.RandomState(20)
x = random.normal(size=(40, 6)).astype("float32")
y = (x[:, 0] > 0).astype("float32")
result = []
for penalty in (None, regularizers.l2(0.01), regularizers.L1L2(l1=0.001, l2=0.001), "l1"):
    model = keras.Sequential(
        [layers.Input((6,)), layers.Dense(8, "relu", kernel_regularizer=penalty), layers.Dense(1, "sigmoid")]
    )
    start(model)
    model.compile("sgd", "binary_crossentropy")
    history = model.fit(x, y, epochs=2, batch_size=10, validation_data=(x, y), shuffle=False, verbose=0)
    result += history.history["loss"] + history.history["val_loss"]
