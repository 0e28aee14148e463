"""Lines as they are printed in courses, and programs from before Keras 3, with the import changed: each one trains."""

import warnings
from typing import Any

import numpy as np
import pytest

from thalweg.spelling import SpellingNotice

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (64, 28, 28), dtype=np.uint8)
LABELS = RANDOM.integers(0, 10, 64)

COURSE = """
from thalweg import layers
from thalweg import models
{imports}
from thalweg.utils import to_categorical

train_images = images.reshape((64, 28 * 28)).astype('float32') / 255
train_labels = to_categorical(labels, 10)

network = models.Sequential()
network.add({layer})
network.add(layers.Dense(10, activation='softmax'))
network.compile(optimizer={optimizer},
                loss='categorical_crossentropy',
                metrics=['accuracy'])
history = network.fit(train_images, train_labels, epochs=4, batch_size=32, verbose=0)
"""


@pytest.mark.parametrize(
    ("imports", "layer", "optimizer"),
    [
        ("", "layers.Dense(512, activation='relu', input_shape=(28 * 28,))", "'rmsprop'"),
        (
            "from thalweg.layers.advanced_activations import LeakyReLU",
            "layers.Dense(512, activation=LeakyReLU(alpha=.001), input_shape=(28 * 28))",
            "'rmsprop'",
        ),
        (
            "from thalweg.layers.advanced_activations import ELU\nfrom thalweg.optimizers import RMSprop",
            "layers.Dense(512, activation=ELU(alpha=1.0), input_shape=(28 * 28))",
            "RMSprop(lr=0.001)",
        ),
        (
            "from thalweg.layers.core import Dense\nfrom thalweg import optimizers",
            "Dense(512, activation='tanh', input_dim=28 * 28)",
            "optimizers.SGD(lr=0.01, momentum=0.9)",
        ),
        (
            "from thalweg.layers.advanced_activations import PReLU\nfrom thalweg.optimizers import Adam",
            "layers.Dense(512, activation=PReLU(), kernel_initializer='he_uniform', input_shape=(784,))",
            "Adam(lr=0.001)",
        ),
    ],
)
def test_the_lines_of_the_course(imports, layer, optimizer, monkeypatch):
    monkeypatch.setenv("THALWEG_EXECUTOR", "numpy")
    scope: dict[str, Any] = {"images": IMAGES, "labels": LABELS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpellingNotice)
        exec(COURSE.format(imports=imports, layer=layer, optimizer=optimizer), scope)
    losses = scope["history"].history["loss"]
    assert losses[-1] < losses[0]


def test_older_spellings_are_said():
    with pytest.warns(SpellingNotice, match="lr= is read as learning_rate="):
        exec("from thalweg.optimizers import RMSprop\nRMSprop(lr=0.001)")
    with pytest.warns(SpellingNotice, match="alpha= is read as negative_slope="):
        exec("from thalweg.layers.advanced_activations import LeakyReLU\nLeakyReLU(alpha=.001)")


KERAS_2 = """
import thalweg as keras
from thalweg import backend as K
from thalweg.engine.topology import Layer
from thalweg.layers.convolutional import Conv2D, MaxPooling2D, ZeroPadding2D
from thalweg.layers.core import Activation, Dense, Dropout, Flatten
from thalweg.layers.merge import concatenate
from thalweg.layers.normalization import BatchNormalization
from thalweg.models import Model, Sequential
from thalweg.preprocessing.sequence import pad_sequences
from thalweg.utils.np_utils import to_categorical

assert K.image_data_format() == 'channels_last'
K.clear_session()


class Scaled(Layer):
    def build(self, input_shape):
        self.factor = self.add_weight(name='factor', shape=(1,), initializer='ones', trainable=True)

    def call(self, x):
        return K.tanh(x * self.factor)


x = K.cast_to_floatx(images[:16, ::4, ::4, None] / 255.)
model = Sequential()
model.add(ZeroPadding2D((1, 1), input_shape=(7, 7, 1)))
model.add(Conv2D(4, (3, 3)))
model.add(BatchNormalization())
model.add(Activation('relu'))
model.add(MaxPooling2D((2, 2)))
model.add(Flatten())
model.add(Scaled())
model.add(Dropout(0.1))
model.add(Dense(10, activation='softmax'))


def cross(y_true, y_pred):
    y_pred = K.clip(y_pred, K.epsilon(), 1 - K.epsilon())
    return -K.mean(K.sum(y_true * K.log(y_pred), axis=-1))


def hits(y_true, y_pred):
    return K.mean(K.cast(K.equal(K.argmax(y_true), K.argmax(y_pred)), K.floatx()))


model.compile(optimizer=keras.optimizers.Adam(lr=0.01), loss=cross, metrics=[hits])
history = model.fit(x, to_categorical(labels[:16], 10), epochs=6, batch_size=8, verbose=0)
padded = pad_sequences([[1, 2], [3]], maxlen=2)
"""


def test_a_program_of_the_time_of_keras_2(monkeypatch):
    monkeypatch.setenv("THALWEG_EXECUTOR", "numpy")
    scope: dict[str, Any] = {"images": IMAGES, "labels": LABELS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpellingNotice)
        exec(KERAS_2, scope)
    history = scope["history"].history
    assert history["loss"][-1] < history["loss"][0]
    assert set(history) == {"loss", "hits"}
    assert scope["padded"].tolist() == [[1, 2], [0, 3]]
