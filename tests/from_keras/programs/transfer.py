"""A trained base is frozen under a new head, then trained on with a small rate."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(32)
x = random.normal(size=(40, 6)).astype("float32")
base = keras.Sequential([layers.Input((6,)), layers.Dense(8, "relu"), layers.Dense(4, "relu")], name="base")
start(base)
base.trainable = False

model = keras.Sequential([layers.Input((6,)), base, layers.Dense(1)])
start(model)
frozen = [w.copy() for w in base.get_weights()]
model.compile("adam", "mse")
result = model.fit(x, x[:, 0], epochs=2, batch_size=10, shuffle=False, verbose=0).history["loss"]
assert all(np.array_equal(a, b) for a, b in zip(frozen, base.get_weights(), strict=True))

base.trainable = True
model.compile(keras.optimizers.Adam(1e-3), "mse")
result = result + model.fit(x, x[:, 0], epochs=2, batch_size=10, shuffle=False, verbose=0).history["loss"]
assert not np.array_equal(frozen[0], base.get_weights()[0])
