"""A model saved as a whole, its weights alone, its layers as JSON; training goes on after loading."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

x = np.random.RandomState(25).normal(size=(32, 4)).astype("float32")
model = keras.Sequential([layers.Input((4,)), layers.Dense(6, "relu", name="hidden"), layers.Dense(2, name="out")])
start(model)
model.compile("adam", "mse")
model.fit(x, x[:, :2], epochs=2, batch_size=8, shuffle=False, verbose=0)
model.save("model.keras")
model.save_weights("model.weights.h5")

loaded = keras.models.load_model("model.keras")
history = loaded.fit(x, x[:, :2], epochs=2, batch_size=8, shuffle=False, verbose=0)
twin = keras.models.model_from_json(model.to_json())
twin.load_weights("model.weights.h5")
assert np.allclose(twin.predict(x, verbose=0), model.predict(x, verbose=0))
clone = keras.models.clone_model(model)
clone.set_weights(model.get_weights())
result = [*history.history["loss"], *clone.predict(x[:2], verbose=0).ravel()]
