"""Ready networks as short functions: read one, copy it, change it. Each gives a model that is not compiled yet.

Images are (height, width, channels), or (height, width) for grey ones. With ``dtype="uint8"`` they stay as they are in
memory, 0 to 255, and the network divides by 255; else they are floats. Classifiers end in a softmax, for
``"sparse_categorical_crossentropy"``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from thalweg import absent
from thalweg.checks import In, check_value, checked
from thalweg.errors import ArgumentError
from thalweg.layers import (
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Reshape,
    Symbol,
)
from thalweg.model import Model as Model
from thalweg.model import Sequential as Sequential
from thalweg.model import clone_model as clone_model
from thalweg.model import load_model as load_model
from thalweg.model import model_from_json as model_from_json
from thalweg.model import save_model as save_model
from thalweg.model.restoring import registry as registry

__all__ = [
    "Model",
    "Sequential",
    "clone_model",
    "lenet",
    "load_model",
    "mlp",
    "model_from_json",
    "registry",
    "resnet",
    "save_model",
    "small_cnn",
    "unet",
]

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)


@checked
def mlp(
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    units: Sequence[int] = (512,),
    activation: str = "relu",
    dropout: float = 0.2,
    dtype: str | None = None,
) -> Sequential:
    """Dense layers over all numbers of a sample, with dropout after each.

    On MNIST with Adam: 98.1 % after 8 epochs.
    """
    image, *scaled = _pixels(input_shape, dtype)
    model = Sequential([image, *scaled, Flatten()], name="mlp")
    for count in units:
        model.add(Dense(count, activation))
        if dropout:
            model.add(Dropout(dropout))
    model.add(Dense(classes, "softmax"))
    return model


@checked
def lenet(
    input_shape: Sequence[int] = (28, 28, 1), classes: int = 10, activation: str = "tanh", dtype: str | None = None
) -> Sequential:
    """LeNet-5 in its usual form: two convolutions with pooling, three dense layers.

    Source: LeCun et al. (1998), Proc. IEEE 86(11), section II.B. Differs: maxima in place of trained means, full
    connections between the maps, a softmax in place of radial units.
    """
    return Sequential(
        [
            *_image(input_shape, dtype),
            Conv2D(6, 5, padding="same", activation=activation),
            MaxPooling2D(2),
            Conv2D(16, 5, activation=activation),
            MaxPooling2D(2),
            Flatten(),
            Dense(120, activation),
            Dense(84, activation),
            Dense(classes, "softmax"),
        ],
        name="lenet",
    )


@checked
def small_cnn(input_shape: Sequence[int] = (28, 28, 1), classes: int = 10, dtype: str | None = None) -> Sequential:
    """Two convolutions, one pooling, one dense layer, with dropout: the network that tutorials train on MNIST."""
    return Sequential(
        [
            *_image(input_shape, dtype),
            Conv2D(32, 3, activation="relu"),
            Conv2D(64, 3, activation="relu"),
            MaxPooling2D(2),
            Dropout(0.25),
            Flatten(),
            Dense(128, "relu"),
            Dropout(0.5),
            Dense(classes, "softmax"),
        ],
        name="small_cnn",
    )


@checked
def resnet(
    depth: int = 20,
    input_shape: Sequence[int | None] = (32, 32, 3),
    classes: int = 10,
    filters: int = 16,
    dtype: str | None = None,
) -> Model:
    """A residual network for small images: three stages of blocks, each of half the height and twice the filters.

    Arguments:
        depth: 6 n + 2 for n blocks a stage: 20, 32, 44, 56, 110. ResNet-20 on 32 x 32 x 3 has 0.27 million weights.
        filters: of the first stage.

    Raises: ArgumentError if there is no such n.

    Source: He et al. (2015), arXiv:1512.03385, section 4.2. Differs: where the size changes the way around is a
    convolution of 1 x 1 (their option B), where theirs pads with zeros.
    """
    if depth < 8 or (depth - 2) % 6:
        raise ArgumentError(
            "resnet: there is no such depth",
            expected="6 n + 2: 8, 14, 20, 32, 44, 56, 110 ...",
            got=f"depth={depth}",
            fix="choose one of these",
        )
    image, x = _symbols(input_shape, dtype)
    x = ReLU()(_convolved(x, filters))
    for stage in range(3):
        for block in range((depth - 2) // 6):
            x = _residual(x, filters * 2**stage, strides=2 if stage and not block else 1)
    return Model(image, Dense(classes, "softmax")(GlobalAveragePooling2D()(x)), name=f"resnet{depth}")


@checked
def unet(
    input_shape: Sequence[int | None] = (64, 64, 1),
    classes: int = 1,
    filters: Sequence[int] = (16, 32, 64),
    dropout: float = 0.0,
    dtype: str | None = None,
) -> Model:
    """A U-Net, which gives a class for each pixel: down to small images of many filters, and up again.

    On the way up each size sees again what the way down knew of it, so edges stay sharp.

    Shapes: (batch, height, width, channels) -> (batch, height, width, classes): with one class the probability of
    "yes" (a sigmoid, for ``"binary_crossentropy"`` or ``"dice"``), with more a softmax.

    Arguments:
        filters: of each size, from the whole image down; each further one halves it.

        input_shape: height and width may be None, for images of any size that can be halved so often.

    Raises: ArgumentError if height or width cannot be halved so often.

    Source: Ronneberger, Fischer & Brox (2015), arXiv:1505.04597. Differs: zeros around the images, so that nothing is
    cut off, and batch normalization.
    """
    check_value("unet", "filters", tuple[Annotated[int, In("[1, inf)")], ...], tuple(filters))
    factor = 2 ** (len(filters) - 1)
    if any(size is not None and size % factor for size in input_shape[:2]):
        raise ArgumentError(
            "unet: the images cannot be halved so often",
            expected=f"height and width that {factor} divides, for {len(filters)} sizes",
            got=f"input_shape={tuple(input_shape)}",
            fix="pad the images, or give fewer filters",
        )
    image, x = _symbols(input_shape, dtype)
    passed = []
    for count in filters[:-1]:
        x = _twice(x, count)
        passed.append(x)
        x = MaxPooling2D(2)(x)
    x = _twice(x, filters[-1])
    if dropout:
        x = Dropout(dropout)(x)
    for count, same_size in zip(reversed(filters[:-1]), reversed(passed), strict=True):
        x = Conv2DTranspose(count, 2, 2)(x)
        x = _twice(Concatenate()([same_size, x]), count)
    return Model(image, Conv2D(classes, 1, activation="sigmoid" if classes == 1 else "softmax")(x), name="unet")


def _pixels(shape: Sequence[int | None], dtype: str | None) -> list[Any]:
    """The input and, for bytes, what makes floats of them."""
    return [Input(shape, dtype=dtype), *([Rescaling(1 / 255)] if dtype == "uint8" else [])]


def _image(shape: Sequence[int | None], dtype: str | None) -> list[Any]:
    """The same and, for images without an axis of channels, what gives them one."""
    return [
        *_pixels(shape, dtype),
        *([Reshape((*(-1 if n is None else n for n in shape), 1))] if len(shape) == 2 else []),
    ]


def _symbols(shape: Sequence[int | None], dtype: str | None) -> tuple[Symbol, Symbol]:
    """The input, and the image with its channels."""
    image, *first = _image(shape, dtype)
    x = image
    for layer in first:
        x = layer(x)
    return image, x


def _convolved(x: Symbol, filters: int, size: int = 3, strides: int = 1) -> Symbol:
    """Convolved and normalised; He's initial weights keep the size of what ReLUs let through."""
    x = Conv2D(filters, size, strides, "same", use_bias=False, kernel_initializer="he_normal")(x)
    normalised: Symbol = BatchNormalization()(x)  # which has a bias of its own
    return normalised


def _residual(x: Symbol, filters: int, strides: int) -> Symbol:
    """What two convolutions add to x."""
    y = _convolved(ReLU()(_convolved(x, filters, strides=strides)), filters)
    if strides > 1 or x.shape != y.shape:
        x = _convolved(x, filters, size=1, strides=strides)
    added: Symbol = ReLU()(Add()([x, y]))
    return added


def _twice(x: Symbol, filters: int) -> Symbol:
    """Two convolutions."""
    for _ in range(2):
        x = ReLU()(_convolved(x, filters))
    return x
