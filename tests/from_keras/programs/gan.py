"""A generator and a discriminator of points in the plane, trained batch by batch in turn."""

import keras
import numpy as np
from keras import layers
from tests.from_keras.starting import start

tolerance = 1e-2
random = np.random.RandomState(33)
generator = keras.Sequential([layers.Input((2,)), layers.Dense(8, "relu"), layers.Dense(2)], name="generator")
discriminator = keras.Sequential(
    [layers.Input((2,)), layers.Dense(8, "relu"), layers.Dense(1, "sigmoid")], name="discriminator"
)
start(generator)
start(discriminator)
discriminator.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
judge = keras.models.clone_model(discriminator)
judge.trainable = False
noise = keras.Input((2,))
gan = keras.Model(noise, judge(generator(noise)))
gan.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")

result = []
for _ in range(4):
    points = random.normal(size=(8, 2)) + 3
    z = random.normal(size=(8, 2))
    fakes = generator.predict(z, verbose=0)
    both = np.concatenate([points, fakes])
    result.append(float(discriminator.train_on_batch(both, np.repeat([1.0, 0.0], 8))))
    judge.set_weights(discriminator.get_weights())
    result.append(float(gan.train_on_batch(z, np.ones(8))))
