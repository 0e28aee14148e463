"""Users and films as vectors: their product, and a bias of each, is the rating."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(35)
users, films = random.randint(0, 6, 80), random.randint(0, 9, 80)
ratings = 3 + np.sin(users) * np.cos(films)

user, film = keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")
vectors = [layers.Embedding(count, 3)(x) for count, x in ((6, user), (9, film))]
biases = [layers.Flatten()(layers.Embedding(count, 1)(x)) for count, x in ((6, user), (9, film))]
product = layers.Dot(axes=1)([layers.Flatten()(v) for v in vectors])
model = keras.Model([user, film], layers.Add()([product, *biases]))
start(model)
model.compile(keras.optimizers.Adam(0.05), "mse")
history = model.fit([users, films], ratings, epochs=3, batch_size=16, shuffle=False, verbose=0)
result = history.history["loss"]
