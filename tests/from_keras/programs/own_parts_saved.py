"""A layer, a loss and an activation of one's own in a saved model, loaded with custom_objects."""

import keras
import numpy as np
from keras import layers, ops
from tests.from_keras.starting import start


class Scaled(layers.Layer):
    def __init__(self, units, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_uniform", name="w")

    def call(self, inputs):
        return self.activation(ops.matmul(inputs, self.w))

    def get_config(self):
        config = super().get_config()
        config.update({"units": self.units, "activation": keras.activations.serialize(self.activation)})
        return config


def smooth(x):
    return x * ops.sigmoid(x)


def error(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


x = np.random.RandomState(40).normal(size=(32, 4)).astype("float32")
model = keras.Sequential([layers.Input((4,)), Scaled(6, "tanh"), layers.Dense(3, activation=smooth), layers.Dense(1)])
start(model)
model.compile("adam", loss=error)
model.fit(x, x[:, :1], epochs=2, batch_size=8, shuffle=False, verbose=0)
model.save("model.keras")
own = {"Scaled": Scaled, "smooth": smooth, "error": error}
loaded = keras.models.load_model("model.keras", custom_objects=own)
history = loaded.fit(x, x[:, :1], epochs=2, batch_size=8, shuffle=False, verbose=0)
result = [*history.history["loss"], *model.predict(x[:2], verbose=0).ravel()]
