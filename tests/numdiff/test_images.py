"""check_gradients over the layers of images, with the arguments that tests/contracts does not turn: each between two
layers with weights, so that its gradients by its weights and by its input are both compared."""

import numpy as np
import pytest

from thalweg import Input, Model, Sequential, check_gradients, layers

SERIES, IMAGE, VOLUME = (9, 4), (7, 6, 4), (4, 3, 5, 4)
FIRST = {"data_format": "channels_first"}

VARIANTS = [
    (SERIES, layers.Conv1D(3, 4, 2, "same", groups=1)),
    (SERIES, layers.Conv1D(4, 3, padding="causal", dilation_rate=2, groups=2)),
    (SERIES, layers.DepthwiseConv1D(2, 3, "same", 2)),
    (SERIES, layers.SeparableConv1D(3, 3, dilation_rate=2)),
    (SERIES, layers.Conv1DTranspose(3, 2, 3, output_padding=1)),
    (SERIES, layers.MaxPooling1D(4, 3, "same")),
    (SERIES, layers.AveragePooling1D(2, 3)),
    (IMAGE, layers.Conv2D(3, (2, 4), (3, 2), "same", dilation_rate=(2, 1))),
    (IMAGE, layers.Conv2D(8, 3, dilation_rate=(1, 2), groups=4)),
    (IMAGE, layers.Conv2D(2, (1, 7), padding="same", **FIRST)),
    (IMAGE, layers.DepthwiseConv2D((2, 3), 2, "same", 3)),
    (IMAGE, layers.DepthwiseConv2D(2, dilation_rate=3)),
    (IMAGE, layers.SeparableConv2D(3, 2, (2, 1), "same", dilation_rate=2, depth_multiplier=2)),
    (IMAGE, layers.Conv2DTranspose(3, (1, 4), (3, 2))),
    (IMAGE, layers.Conv2DTranspose(3, 3, 2, "same", output_padding=1, **FIRST)),
    (IMAGE, layers.Conv2DTranspose(2, 2, dilation_rate=(2, 3))),
    (IMAGE, layers.MaxPooling2D((3, 2), (2, 3), "same")),
    (IMAGE, layers.MaxPooling2D((2, 3), (1, 2))),
    (IMAGE, layers.AveragePooling2D(3, 2, "same")),
    (IMAGE, layers.UpSampling2D((3, 2))),
    (IMAGE, layers.BatchNormalization(1)),
    (VOLUME, layers.Conv3D(4, (2, 1, 3), (1, 2, 2), "same", groups=2)),
    (VOLUME, layers.Conv3D(2, 2, dilation_rate=(1, 2, 3), **FIRST)),
    (VOLUME, layers.Conv3DTranspose(2, (2, 1, 3), (2, 1, 3), "same")),
    (VOLUME, layers.Conv3DTranspose(2, 2, (1, 3, 2), **FIRST)),
    (VOLUME, layers.MaxPooling3D((2, 3, 2), 1, "same")),
    (VOLUME, layers.AveragePooling3D((2, 1, 3), (1, 2, 2))),
]


@pytest.mark.parametrize(("shape", "layer"), VARIANTS, ids=lambda value: getattr(value, "label", ""))
def test_every_argument(shape, layer):
    model = Sequential([Input(shape), layers.Dense(4), layer, layers.Flatten(), layers.Dense(2, "tanh")])
    model.compile("sgd", "mse")
    random = np.random.default_rng(1)
    check = check_gradients(model, random.normal(size=(3, *shape)), random.normal(size=(3, 2)))
    assert check.passed, str(check)
    assert all(tensor.verdict == "ok" for tensor in check.tensors), str(check)


def test_a_residual_network():
    """Normalised over the channels, with a way around on which size and filters change."""

    def convolved(x, filters, size, strides):
        y = layers.Conv2D(filters, size, strides, "same", use_bias=False)(x)
        return layers.BatchNormalization()(y)

    image = Input((6, 5, 3))
    x = layers.Activation("tanh")(convolved(image, 4, 3, 1))
    y = convolved(layers.Activation("tanh")(convolved(x, 6, 3, 2)), 6, 3, 1)
    x = layers.Add()([convolved(x, 6, 1, 2), y])
    model = Model(image, layers.Dense(3, "softmax")(layers.GlobalAveragePooling2D()(x)))
    model.compile("sgd", "sparse_categorical_crossentropy")
    random = np.random.default_rng(1)
    check = check_gradients(model, random.normal(size=(5, 6, 5, 3)), random.integers(0, 3, 5))
    assert check.passed, str(check)
    assert all(tensor.verdict == "ok" for tensor in check.tensors), str(check)
