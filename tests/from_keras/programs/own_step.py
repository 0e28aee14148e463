"""fit with a train_step of one's own, and a metric that counts over the epoch."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start


class Counted(keras.Model):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = keras.ops.mean(keras.ops.abs(y_pred - y)) + 0.01 * keras.ops.sum(keras.ops.square(y_pred))
        self.loss_tracker.update_state(loss)
        return loss

    @property
    def metrics(self):
        return [self.loss_tracker]


x = np.random.RandomState(42).normal(size=(32, 3)).astype("float32")
inputs = keras.Input((3,))
model = Counted(inputs, layers.Dense(1)(layers.Dense(4, "tanh")(inputs)))
start(model)
model.compile(optimizer=keras.optimizers.SGD(0.05))
result = model.fit(x, x[:, :1], epochs=3, batch_size=8, shuffle=False, verbose=0).history["loss"]
