"""Depthwise and separable convolutions, the mean over all places, label smoothing."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(36)
y = random.randint(0, 3, 16)
x = random.uniform(size=(16, 6, 6, 3)).astype("float32")

model = keras.Sequential(
    [
        layers.Input((6, 6, 3)),
        layers.SeparableConv2D(6, 3, activation="relu", padding="same"),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.ReLU(max_value=6.0),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, "softmax"),
    ]
)
start(model)
model.compile("adam", keras.losses.CategoricalCrossentropy(label_smoothing=0.1))
history = model.fit(x, keras.utils.to_categorical(y, 3), epochs=2, batch_size=8, shuffle=False, verbose=0)
result = history.history["loss"]
