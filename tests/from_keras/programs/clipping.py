"""Gradients that are clipped by norm and by value, weight decay, moving averages of the weights."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

x = np.random.RandomState(37).normal(size=(32, 4)).astype("float32") * 3
result = []
for optimizer in (
    keras.optimizers.SGD(0.01, momentum=0.9, clipnorm=1.0),
    keras.optimizers.RMSprop(0.01, clipvalue=0.1),
    keras.optimizers.AdamW(0.01, weight_decay=0.1),
    keras.optimizers.Nadam(0.01, global_clipnorm=0.5),
):
    model = keras.Sequential([layers.Input((4,)), layers.Dense(3, "relu"), layers.Dense(1)])
    start(model)
    model.compile(optimizer, "mse")
    result += model.fit(x, x[:, 0], epochs=2, batch_size=8, shuffle=False, verbose=0).history["loss"]
