"""The smallest network that needs a hidden layer."""

import numpy as np
from keras.layers import Activation, Dense, Input
from keras.models import Sequential
from keras.optimizers import SGD
from tests.from_keras.starting import start

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
y = np.array([[0], [1], [1], [0]])
model = Sequential()
model.add(Input((2,)))
model.add(Dense(8))
model.add(Activation("tanh"))
model.add(Dense(1))
model.add(Activation("sigmoid"))
start(model)
model.compile(loss="binary_crossentropy", optimizer=SGD(learning_rate=0.5))
history = model.fit(X, y, batch_size=1, epochs=60, shuffle=False, verbose=0)
result = [*history.history["loss"][::20], *model.predict(X, verbose=0).ravel()]
