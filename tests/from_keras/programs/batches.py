"""A loop over batches of one's own, with a test on each."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

x = np.random.RandomState(34).normal(size=(32, 3)).astype("float32")
model = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
start(model)
model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
result = []
for _ in range(2):
    for i in range(0, len(x), 8):
        model.train_on_batch(x[i : i + 8], x[i : i + 8, :1])
    logs = model.test_on_batch(x, x[:, :1], return_dict=True)
    result += [float(logs["loss"]), float(model.predict_on_batch(x[:1])[0, 0])]
