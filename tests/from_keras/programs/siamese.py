"""Two inputs through the same layers: are they of one kind?"""

import keras
import numpy as np
from keras import layers, ops
from tests.from_keras.starting import start

random = np.random.RandomState(28)
kinds = random.randint(0, 2, (50, 2))
a, b = (random.normal(size=(50, 4)) + 2 * kinds[:, i : i + 1] for i in (0, 1))
same = (kinds[:, 0] == kinds[:, 1]).astype("float32")

encoder = keras.Sequential([layers.Input((4,)), layers.Dense(6, "relu"), layers.Dense(3)])
left, right = keras.Input((4,)), keras.Input((4,))
distance = ops.abs(layers.subtract([encoder(left), encoder(right)]))
model = keras.Model([left, right], layers.Dense(1, "sigmoid")(distance))
start(model)
model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
result = model.fit([a, b], same, epochs=4, batch_size=10, shuffle=False, verbose=0).history["loss"]
