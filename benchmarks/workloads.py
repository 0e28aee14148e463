"""What is trained: each workload is a value, and the same work for every peer.

The same for all: float32 (by the policy for bfloat16 the factors of products are that), the data shuffled anew each
epoch, every batch of it including the smaller last one, Glorot uniform kernels and zero biases, the mean training loss
of each epoch, the accuracy on the test rows at the end. A population is many networks: seconds and work are those of
all, loss and accuracy the means over them.

This module is loaded by every timed process: it imports nothing heavy (named tuples, because dataclasses cost 9 ms).
"""

from math import prod
from typing import Literal, NamedTuple

from benchmarks.layers import (
    Dense,
    Layer,
    Shape,
    depthwise_separable,
    inputs,
    mlp,
    regularized,
    resnet,
    shapes,
    small_cnn,
)

BETA_1, BETA_2, RHO, EPSILON = 0.9, 0.999, 0.9, 1e-7  # Adam's and RMSprop's constants: Keras's defaults
LION_BETA_2, ADADELTA_RHO = 0.99, 0.95  # Keras's defaults
MOMENTUM = 0.9  # SGD's
WEIGHT_DECAY = 0.004  # AdamW's, of every parameter: Keras's default
NORM_EPSILON = 1e-3  # batch normalisation's: Keras's default
TEST_ROWS = 250  # a test batch, where peers test in batches: fewer numbers than training keeps, so no peak of memory


class Source(NamedTuple):
    """A data set: samples of ``shape``, each in one of ``classes`` classes."""

    name: str
    train_rows: int
    test_rows: int
    shape: Shape  # (features,), or (height, width, channels)
    classes: int
    uint8_shape: Shape | None = None  # set where the samples also exist as uint8 images

    @property
    def features(self) -> int:
        """Numbers of a sample."""
        return prod(self.shape)

    @property
    def form(self) -> Literal["rows", "images"]:
        """What the samples are."""
        return "rows" if len(self.shape) == 1 else "images"


SLOTS = {  # update rules, and how many arrays of its size each keeps of a parameter
    "adam": 2,
    "adamw": 2,
    "rmsprop": 1,
    "sgd": 1,
    "nesterov": 1,
    "descent": 0,
    "adamax": 2,
    "nadam": 2,
    "adagrad": 1,
    "adadelta": 2,
    "lion": 1,
    "lamb": 2,
    "ftrl": 2,
    "adafactor": 0,
}


class Optimizer(NamedTuple):
    """Update rule and rate; the other constants stand at the top of the module.

    ``sgd`` has momentum, ``nesterov`` Nesterov's, ``descent`` none; the other names are those of Keras's classes.
    """

    name: str
    learning_rate: float = 1e-3

    @property
    def slots(self) -> int:
        """Arrays kept per parameter."""
        return SLOTS[self.name]


class Workload(NamedTuple):
    """One training job: a network, or a population of them."""

    name: str
    source: Source
    layers: tuple[Layer, ...]
    batch_size: int
    optimizer: Optimizer
    epochs: int
    loss: Literal["sparse_categorical_crossentropy"] = "sparse_categorical_crossentropy"
    whole_process: bool = False  # the figure is the wall time of the process, not seconds per epoch
    settings: tuple[Optimizer, ...] = ()  # of a population: a network for each; `optimizer` is the first
    norm_momentum: float = 0.99  # batch normalisation's: Keras's default
    what: Literal["train", "predict", "evaluate"] = "train"  # the last two: all training rows in each epoch
    about: str = ""  # the network in words, where it is more than a row of dense layers
    policy: str = "float32"  # or "mixed_bfloat16": the factors of products in bfloat16, all else float32

    @property
    def networks(self) -> tuple["Workload", ...]:
        """The networks, each as a workload of its own."""
        return tuple(self._replace(optimizer=setting, settings=()) for setting in self.settings) or (self,)

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of the optimizers, each once."""
        return tuple(dict.fromkeys(network.optimizer.name for network in self.networks))

    @property
    def dense_layers(self) -> tuple[Dense, ...]:
        """For the peers that know no others."""
        return tuple(layer for layer in self.layers if isinstance(layer, Dense))

    @property
    def sizes(self) -> Shape:
        """Of a row of dense layers, the units from the input to the output: (784, 512, 10)."""
        return tuple(size for (size,) in shapes(self.layers, self.source.shape))

    @property
    def parameter_count(self) -> int:
        """Trained numbers of one network."""
        return sum(layer.parameter_count(shape) for layer, shape in inputs(self.layers, self.source.shape))

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch, the smaller last one included."""
        return -(-self.source.train_rows // self.batch_size)

    @property
    def epoch_flops(self) -> int:
        """FLOPs of one epoch's contractions: forward, weight gradients, and data gradients except the first layer's."""
        forward = [layer.forward_flops(shape) for layer, shape in inputs(self.layers, self.source.shape)]
        each = 3 * sum(forward) - forward[0] if self.what == "train" else sum(forward)
        return len(self.networks) * self.source.train_rows * each

    @property
    def epoch_data_bytes(self) -> int:
        """Bytes of float32 input that an epoch reads once."""
        return 4 * self.source.train_rows * self.source.features

    @property
    def state_bytes(self) -> int:
        """Bytes of one network's parameters and slots; every step reads and writes them all."""
        return 4 * self.parameter_count * (1 + self.optimizer.slots)


MNIST = Source("mnist", 60_000, 10_000, (784,), 10, uint8_shape=(28, 28))
MNIST_IMAGES = Source("mnist_images", 12_800, 10_000, (28, 28, 1), 10, uint8_shape=(28, 28))
COLOURED = Source("coloured_digits", 3_840, 2_000, (32, 32, 3), 10)
SYNTHETIC = Source("synthetic", 50_000, 10_000, (64,), 10)
TABLE = Source("table", 200_000, 20_000, (54,), 7)
IRIS = Source("iris", 150, 150, (4,), 3)  # too small to split: trained and tested on the same rows

ADAM = Optimizer("adam")
ADAMW = Optimizer("adamw")
RMSPROP = Optimizer("rmsprop")
SGD = Optimizer("sgd", 0.05)


def rates(low: float, high: float, count: int) -> tuple[float, ...]:
    """From low to high, each the same multiple of the one before."""
    return tuple(low * (high / low) ** (k / (count - 1)) for k in range(count))


SETTINGS = (
    *(Optimizer("sgd", rate) for rate in rates(3e-3, 1e-1, 8)),
    *(Optimizer("rmsprop", rate) for rate in rates(1e-4, 1e-2, 8)),
    *(Optimizer("adam", rate) for rate in rates(1e-4, 1e-2, 8)),
)

IMAGE_NETWORKS = (
    Workload(
        *("mnist_cnn", MNIST_IMAGES, small_cnn(), 128, ADAM),
        epochs=3,
        about="conv 3x3x32, conv 3x3x64, max-pool 2, dropout 0.25, dense 128, dropout 0.5, dense 10",
    ),
    Workload(
        *("resnet20", COLOURED, resnet(20), 128, SGD),
        epochs=3,
        norm_momentum=0.9,
        about="ResNet-20 with batch normalisation on 32x32x3",
    ),
    Workload(
        *("depthwise", COLOURED, depthwise_separable(), 128, SGD),
        epochs=3,
        norm_momentum=0.9,
        about="conv 3x3x32, separable 64, 128/2, 128, 256/2, 256, each with batch normalisation, on 32x32x3",
    ),
)

IN_BFLOAT16 = ("mnist_mlp", "mnist_mlp_rmsprop", "wide_mlp", "tabular_mlp")
"""Workloads that there are a second time, with the policy for bfloat16."""

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("mnist_mlp", MNIST, mlp(512, 10), 128, ADAM, epochs=5),
        Workload("mnist_mlp_rmsprop", MNIST, mlp(512, 10), 128, RMSPROP, epochs=5),
        Workload("tiny_mlp", MNIST, mlp(32, 10), 32, ADAM, epochs=5),
        Workload("deep_narrow", SYNTHETIC, mlp(*20 * [64], 10), 64, ADAM, epochs=5),
        Workload("tabular_mlp", TABLE, regularized(*4 * [256], 7, dropout=0.2), 256, ADAMW, epochs=4),
        Workload("population", MNIST, mlp(64, 10), 128, SETTINGS[0], epochs=3, settings=SETTINGS),
        *IMAGE_NETWORKS,
        Workload("predict_mlp", MNIST, mlp(512, 10), 128, ADAM, epochs=8, what="predict"),
        Workload("evaluate_mlp", MNIST, mlp(512, 10), 128, ADAM, epochs=8, what="evaluate"),
        IMAGE_NETWORKS[0]._replace(name="predict_cnn", epochs=5, what="predict"),
        Workload("iris", IRIS, mlp(16, 3), 32, ADAM, epochs=200, whole_process=True),
        Workload("wide_mlp", MNIST, mlp(2048, 10), 128, ADAM, epochs=3),
    )
}
ON_GPU = {
    workload.name: workload
    for workload in (
        WORKLOADS["mnist_mlp"],
        WORKLOADS["mnist_mlp"]._replace(name="mnist_mlp_4096", batch_size=4096),
        WORKLOADS["mnist_cnn"],
        WORKLOADS["resnet20"]._replace(name="resnet20_512", batch_size=512),
    )
}
"""What ``benchmarks.gpu`` trains."""

WORKLOADS |= {
    f"{name}_bf16": WORKLOADS[name]._replace(name=f"{name}_bf16", policy="mixed_bfloat16") for name in IN_BFLOAT16
}
