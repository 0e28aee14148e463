"""Few frauds among many payments: class weights, precision and recall, the initial bias."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(23)
y = (random.uniform(size=120) < 0.15).astype("float32")
x = (random.normal(size=(120, 5)) + y[:, None]).astype("float32")
positive, negative = y.sum(), len(y) - y.sum()

model = keras.Sequential(
    [
        layers.Input((5,)),
        layers.Dense(8, "relu"),
        layers.Dense(1, "sigmoid", bias_initializer=keras.initializers.Constant(np.log(positive / negative))),
    ]
)
start(model)
model.compile(
    keras.optimizers.Adam(0.01),
    "binary_crossentropy",
    metrics=[
        keras.metrics.Precision(name="precision"),
        keras.metrics.Recall(name="recall"),
        keras.metrics.AUC(name="auc"),
    ],
)
weights = {0: len(y) / (2 * negative), 1: len(y) / (2 * positive)}
history = model.fit(x, y, epochs=4, batch_size=30, class_weight=weights, shuffle=False, verbose=0)
result = [*history.history["loss"], *model.evaluate(x, y, verbose=0)]
