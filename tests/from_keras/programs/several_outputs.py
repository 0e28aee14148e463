"""One network for three questions: losses by name, weights of the losses, metrics by name."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

random = np.random.RandomState(14)
posts = random.normal(size=(48, 8)).astype("float32")
age, income, gender = posts[:, 0] * 2, np.abs(posts[:, 1]).astype(int) % 3, (posts[:, 2] > 0).astype("float32")

inputs = keras.Input(shape=(8,), name="posts")
x = layers.Dense(12, activation="relu")(inputs)
outputs = [
    layers.Dense(1, name="age")(x),
    layers.Dense(3, activation="softmax", name="income")(x),
    layers.Dense(1, activation="sigmoid", name="gender")(x),
]
model = keras.Model(inputs, outputs)
start(model)
model.compile(
    optimizer="rmsprop",
    loss={"age": "mse", "income": "sparse_categorical_crossentropy", "gender": "binary_crossentropy"},
    loss_weights={"age": 0.25, "income": 1.0, "gender": 10.0},
    metrics={"gender": ["accuracy"]},
)
history = model.fit(
    posts, {"age": age, "income": income, "gender": gender}, epochs=3, batch_size=16, shuffle=False, verbose=0
).history
result = history["loss"] + history["age_loss"] + history["income_loss"] + history["gender_accuracy"]
