"""What is trained: each workload is a value, and the same work for every peer.

The same for all: float32, the data shuffled anew each epoch, every batch of it including the smaller last one, Glorot
uniform kernels and zero biases, the mean training loss of each epoch, the accuracy on the test rows at the end. A
population is many networks: seconds and work are those of all, loss and accuracy the means over them.

This module is loaded by every timed process: it imports nothing heavy (named tuples, because dataclasses cost 9 ms).
"""

from math import prod
from typing import Literal, NamedTuple

Shape = tuple[int, ...]

BETA_1, BETA_2, RHO, EPSILON = 0.9, 0.999, 0.9, 1e-7  # Adam's and RMSprop's constants: Keras's defaults
MOMENTUM = 0.9  # SGD's
WEIGHT_DECAY = 0.004  # AdamW's, of every parameter: Keras's default
NORM_MOMENTUM, NORM_EPSILON = 0.99, 1e-3  # batch normalisation's: Keras's defaults


class Source(NamedTuple):
    """A data set: rows of ``features`` numbers, each in one of ``classes`` classes."""

    name: str
    train_rows: int
    test_rows: int
    features: int
    classes: int
    image_shape: Shape | None = None  # set where the rows also exist as uint8 images


class Dense(NamedTuple):
    """A dense layer with bias."""

    units: int
    activation: Literal["relu", "softmax"]
    normalized: bool = False  # batch normalisation between the product and the activation
    dropout: float = 0.0  # after the activation: the share of numbers that become 0 in training

    @property
    def plain(self) -> bool:
        """Whether there is nothing but product, bias and activation."""
        return not self.normalized and not self.dropout

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        return (*shape[:-1], self.units)

    def forward_flops(self, shape: Shape) -> int:
        """Contraction FLOPs for one sample (a multiplication and an addition each count)."""
        return 2 * prod(shape) * self.units

    def parameter_count(self, shape: Shape) -> int:
        """Kernel and bias; scale and shift of the normalisation."""
        return (shape[-1] + (3 if self.normalized else 1)) * self.units


class Optimizer(NamedTuple):
    """Update rule and rate; the other constants stand at the top of the module."""

    name: Literal["adam", "adamw", "rmsprop", "sgd"]
    learning_rate: float = 1e-3

    @property
    def slots(self) -> int:
        """Arrays kept per parameter."""
        return {"adam": 2, "adamw": 2, "rmsprop": 1, "sgd": 1}[self.name]


class Workload(NamedTuple):
    """One training job: a network, or a population of them."""

    name: str
    source: Source
    layers: tuple[Dense, ...]
    batch_size: int
    optimizer: Optimizer
    epochs: int
    loss: Literal["sparse_categorical_crossentropy"] = "sparse_categorical_crossentropy"
    whole_process: bool = False  # the figure is the wall time of the process, not seconds per epoch
    settings: tuple[Optimizer, ...] = ()  # of a population: a network for each; `optimizer` is the first

    @property
    def networks(self) -> tuple["Workload", ...]:
        """The networks, each as a workload of its own."""
        return tuple(self._replace(optimizer=setting, settings=()) for setting in self.settings) or (self,)

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of the optimizers, each once."""
        return tuple(dict.fromkeys(network.optimizer.name for network in self.networks))

    @property
    def sizes(self) -> Shape:
        """Units from the input to the output: (784, 512, 10)."""
        return (self.source.features, *(layer.units for layer in self.layers))

    @property
    def input_shapes(self) -> tuple[Shape, ...]:
        """Shape of one sample as each layer receives it."""
        shapes: list[Shape] = [(self.source.features,)]
        for layer in self.layers[:-1]:
            shapes.append(layer.output_shape(shapes[-1]))
        return tuple(shapes)

    @property
    def parameter_count(self) -> int:
        """Trained numbers of one network."""
        return sum(layer.parameter_count(shape) for layer, shape in zip(self.layers, self.input_shapes, strict=True))

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch, the smaller last one included."""
        return -(-self.source.train_rows // self.batch_size)

    @property
    def epoch_flops(self) -> int:
        """FLOPs of one epoch's contractions: forward, weight gradients, and data gradients except the first layer's."""
        forward = [layer.forward_flops(shape) for layer, shape in zip(self.layers, self.input_shapes, strict=True)]
        return len(self.networks) * self.source.train_rows * (3 * sum(forward) - forward[0])

    @property
    def epoch_data_bytes(self) -> int:
        """Bytes of float32 input that an epoch reads once."""
        return 4 * self.source.train_rows * self.source.features

    @property
    def state_bytes(self) -> int:
        """Bytes of one network's parameters and slots; every step reads and writes them all."""
        return 4 * self.parameter_count * (1 + self.optimizer.slots)


MNIST = Source("mnist", 60_000, 10_000, 784, 10, image_shape=(28, 28))
SYNTHETIC = Source("synthetic", 50_000, 10_000, 64, 10)
TABLE = Source("table", 200_000, 20_000, 54, 7)
IRIS = Source("iris", 150, 150, 4, 3)  # too small to split: trained and tested on the same rows

ADAM = Optimizer("adam")
ADAMW = Optimizer("adamw")
RMSPROP = Optimizer("rmsprop")


def mlp(*units: int) -> tuple[Dense, ...]:
    """Dense ReLU layers, the last one softmax."""
    *hidden, classes = units
    return (*(Dense(width, "relu") for width in hidden), Dense(classes, "softmax"))


def regularized(*units: int, dropout: float) -> tuple[Dense, ...]:
    """The same with batch normalisation and dropout in every hidden layer."""
    *hidden, last = mlp(*units)
    return (*(layer._replace(normalized=True, dropout=dropout) for layer in hidden), last)


def rates(low: float, high: float, count: int) -> tuple[float, ...]:
    """From low to high, each the same multiple of the one before."""
    return tuple(low * (high / low) ** (k / (count - 1)) for k in range(count))


SETTINGS = (
    *(Optimizer("sgd", rate) for rate in rates(3e-3, 1e-1, 8)),
    *(Optimizer("rmsprop", rate) for rate in rates(1e-4, 1e-2, 8)),
    *(Optimizer("adam", rate) for rate in rates(1e-4, 1e-2, 8)),
)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("mnist_mlp", MNIST, mlp(512, 10), 128, ADAM, epochs=5),
        Workload("mnist_mlp_rmsprop", MNIST, mlp(512, 10), 128, RMSPROP, epochs=5),
        Workload("tiny_mlp", MNIST, mlp(32, 10), 32, ADAM, epochs=5),
        Workload("deep_narrow", SYNTHETIC, mlp(*20 * [64], 10), 64, ADAM, epochs=5),
        Workload("tabular_mlp", TABLE, regularized(*4 * [256], 7, dropout=0.2), 256, ADAMW, epochs=4),
        Workload("population", MNIST, mlp(64, 10), 128, SETTINGS[0], epochs=3, settings=SETTINGS),
        Workload("iris", IRIS, mlp(16, 3), 32, ADAM, epochs=200, whole_process=True),
    )
}
