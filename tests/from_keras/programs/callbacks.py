"""The callbacks that most programs pass, together."""

import os

import keras
import numpy as np
from keras import layers
from keras.callbacks import CSVLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from tests.from_keras.starting import start

random = np.random.RandomState(18)
x = random.normal(size=(60, 4)).astype("float32")
y = (x[:, 0] + 0.5 * random.normal(size=60) > 0).astype("float32")

model = keras.Sequential([layers.Input((4,)), layers.Dense(8, "relu"), layers.Dense(1, "sigmoid")])
start(model)
model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
history = model.fit(
    x,
    y,
    epochs=12,
    batch_size=20,
    validation_split=0.3,
    shuffle=False,
    verbose=0,
    callbacks=[
        EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True),
        ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=1, min_lr=1e-4),
        ModelCheckpoint("best.weights.h5", save_weights_only=True, save_best_only=True, monitor="val_loss"),
        CSVLogger("log.csv"),
    ],
)
assert os.path.exists("best.weights.h5")
with open("log.csv") as log:
    lines = log.read().splitlines()
assert len(lines) == len(history.epoch) + 1
result = [len(history.epoch), *history.history["val_loss"], *history.history["learning_rate"]]
