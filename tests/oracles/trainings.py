"""Whole trainings of small convolutional networks, 50 steps from equal weights: thalweg's networks and PyTorch's."""

from __future__ import annotations

import numpy as np

EPOCHS, BATCH = 10, 16
ROWS = 5 * BATCH
RATE = 2.0**-5  # a number that float32, in which thalweg keeps the rate, has exactly
TINY = 1e-20  # Adam's epsilon, which PyTorch adds elsewhere: too small to matter
TOLERANCE = {"float64": 1e-11, "float32": 1e-3}
"""Of losses, and of weights against the largest of an array, after 50 steps.

Each step rounds gradients that are sums of up to a thousand terms, by about 30 units of the last place, and 50 steps
add that up: 2e-13 in double precision. Adam divides by the root of small numbers, and what differs trains on: so 50
times as much is allowed. In single precision the same count gives 1e-4; ten times as much, because there a number may
be so near 0 (or near the next largest of a window) that it is on different sides of it.
"""
SIZES = {"small_cnn": (10, 10, 2), "residual": (8, 8, 3), "separable": (10, 9, 3), "grouped": (11, 12, 3)}
CLASSES = 4


def data(name: str) -> dict[str, np.ndarray]:
    """Noise, and in it for each class a pattern of its own."""
    random = np.random.RandomState(len(name))
    y = random.randint(0, CLASSES, ROWS)
    patterns = random.standard_normal((CLASSES, *SIZES[name]))
    return {"x": random.standard_normal((ROWS, *SIZES[name])) + 0.5 * patterns[y], "y": y}


def start(number: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """What a weight is set to: kernels that keep the size of numbers, gammas around 1, small shifts."""
    z = np.random.RandomState(200 + number).standard_normal(shape)
    if len(shape) == 1:
        return 1 + 0.1 * z if name == "gamma" else 0.1 * z
    one_each = len(shape) == 4 and shape[-1] == 1  # a depthwise kernel, which sums over its window alone
    return z * np.sqrt(2 / np.prod(shape[:-2] if one_each else shape[:-1]))


# --- thalweg ----------------------------------------------------------------------------------------------------------


def small_cnn():
    from thalweg import Input, Sequential, layers

    return Sequential(
        [
            Input(SIZES["small_cnn"]),
            layers.Conv2D(7, 3, activation="relu"),
            layers.Conv2D(12, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.0),
            layers.Flatten(),
            layers.Dense(16, "relu"),
            layers.Dense(CLASSES),
        ]
    )


def residual():
    from thalweg import Input, Model, layers

    def convolved(x, filters, size=3, strides=1):
        x = layers.Conv2D(filters, size, strides, "same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    image = Input(SIZES["residual"])
    x = layers.ReLU()(convolved(image, 6))
    for filters, strides in ((6, 1), (9, 2)):
        y = layers.ReLU()(convolved(x, filters, strides=strides))
        y = convolved(y, filters)
        around = x if strides == 1 else convolved(x, filters, 1, strides)
        x = layers.ReLU()(layers.Add()([around, y]))
    return Model(image, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)))


def separable():
    from thalweg import Input, Sequential, layers

    return Sequential(
        [
            Input(SIZES["separable"]),
            layers.Conv2D(5, 3, 2, "same", activation="relu"),
            layers.SeparableConv2D(8, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.SeparableConv2D(9, 3, activation="relu"),
            layers.DepthwiseConv2D(2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.AveragePooling2D((3, 1)),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )


def grouped():
    from thalweg import Input, Sequential, layers

    return Sequential(
        [
            Input(SIZES["grouped"]),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Conv2D(6, 3, strides=(1, 2), groups=2, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.DepthwiseConv2D(2),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )


NETWORKS = {"small_cnn": small_cnn, "residual": residual, "separable": separable, "grouped": grouped}


def network(name: str):
    """Compiled, with the weights to start from."""
    from thalweg import losses, optimizers

    model = NETWORKS[name]()
    momentum = optimizers.SGD(RATE, momentum=0.875, nesterov=name == "grouped")
    optimizer = momentum if name in ("residual", "grouped") else optimizers.Adam(RATE / 8, epsilon=TINY)
    model.compile(optimizer, losses.SparseCategoricalCrossentropy(from_logits=True))
    for number, parameter in enumerate(weights(model)):
        parameter.assign(start(number, parameter.name, parameter.shape))
    return model


def weights(model):
    """The weights that training changes, in the order in which their layers are used."""
    return [weight for call in model.runner.structure.calls for weight in call.layer.trainable_weights]


def trained(model) -> list[np.ndarray]:
    """Their values."""
    return [weight.numpy() for weight in weights(model)]


def train(name: str, threads: int | None = None, executor=None):
    """The network after 50 steps, and the mean loss of each epoch."""
    model, rows = network(name), data(name)
    model.executor = executor or model.executor
    history = model.fit(**rows, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, threads=threads).history
    return model, np.array(history["loss"])


# --- PyTorch ----------------------------------------------------------------------------------------------------------


class Torch:
    """PyTorch's networks. A weight is made when it is asked for the first time, in the order of thalweg's layers."""

    def __init__(self) -> None:
        self.weights = []
        self.asked = 0

    def weight(self, name, *shape):
        import torch

        if self.asked == len(self.weights):
            self.weights.append(torch.tensor(start(self.asked, name, shape)).requires_grad_())
        self.asked += 1
        assert self.weights[self.asked - 1].shape == shape
        return self.weights[self.asked - 1]

    def train(self, name):
        """The weights after 50 steps, and the mean loss of each epoch."""
        import torch

        torch.set_num_threads(1)  # two take longer for so little
        rows = data(name)
        x, y = torch.tensor(rows["x"]).movedim(-1, 1), torch.tensor(rows["y"]).long()
        getattr(self, name)(x[:BATCH])  # which makes the weights
        nesterov = name == "grouped"
        if name in ("residual", "grouped"):
            optimizer = torch.optim.SGD(self.weights, lr=RATE, momentum=0.875, nesterov=nesterov)
        else:
            optimizer = torch.optim.Adam(self.weights, lr=RATE / 8, eps=TINY)
        losses = []
        for step in range(EPOCHS * ROWS // BATCH):
            batch = slice(step * BATCH % ROWS, step * BATCH % ROWS + BATCH)
            self.asked = 0
            loss = torch.nn.functional.cross_entropy(getattr(self, name)(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        return [w.detach().numpy() for w in self.weights], np.reshape(losses, (EPOCHS, -1)).mean(1)

    def convolution(self, x, filters, size=3, strides=1, same=False, groups=1, bias=True):
        """With TensorFlow's zeros around; the kernel as (height, width, channels, filters)."""
        import torch

        if same:
            ends = []
            for n in (x.shape[3], x.shape[2]):
                total = max((-(-n // strides) - 1) * strides + size - n, 0)
                ends += [total // 2, total - total // 2]
            x = torch.nn.functional.pad(x, ends)
        if groups == x.shape[1]:  # thalweg's kernel of depthwise layers is (height, width, channels, 1)
            kernel = self.weight("kernel", size, size, groups, 1).movedim((-2, -1), (0, 1))
        else:
            kernel = self.weight("kernel", size, size, x.shape[1] // groups, filters).movedim((-1, -2), (0, 1))
        shift = self.weight("bias", filters) if bias else None
        return torch.nn.functional.conv2d(x, kernel.contiguous(), shift, strides, groups=groups)

    def both_ways(self, x, filters, same=False, bias=True):
        x = self.convolution(x, x.shape[1], same=same, groups=x.shape[1], bias=False)
        return self.convolution(x, filters, 1, bias=bias)

    def normalised(self, x):
        import torch

        gamma, beta = (self.weight(name, x.shape[1]) for name in ("gamma", "beta"))
        return torch.nn.functional.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-3)

    def dense(self, x, units):
        kernel = self.weight("kernel", x.shape[1], units)
        return x @ kernel + self.weight("bias", units)

    # the networks, once more

    def small_cnn(self, x):
        import torch

        x = self.convolution(self.convolution(x, 7).relu(), 12).relu()
        x = torch.nn.functional.max_pool2d(x, 2).movedim(1, -1).flatten(1)
        return self.dense(self.dense(x, 16).relu(), CLASSES)

    def residual(self, x):
        def convolved(x, filters, size=3, strides=1):
            return self.normalised(self.convolution(x, filters, size, strides, same=True, bias=False))

        x = convolved(x, 6).relu()
        for filters, strides in ((6, 1), (9, 2)):
            around = x if strides == 1 else convolved(x, filters, 1, strides)
            y = convolved(x, filters, strides=strides).relu()
            x = (around + convolved(y, filters)).relu()
        return self.dense(x.mean((2, 3)), CLASSES)

    def separable(self, x):
        import torch

        x = self.convolution(x, 5, 3, 2, same=True).relu()
        x = self.normalised(self.both_ways(x, 8, same=True, bias=False)).relu()
        x = self.both_ways(x, 9).relu()
        x = self.normalised(self.convolution(x, 9, 2, same=True, groups=9, bias=False))
        return self.dense(torch.nn.functional.avg_pool2d(x, (3, 1)).movedim(1, -1).flatten(1), CLASSES)

    def grouped(self, x):
        import torch

        x = self.convolution(x, 8).relu()
        x = self.convolution(x, 6, 3, (1, 2), groups=2, bias=False)
        x = self.convolution(self.normalised(x).relu(), 6, 2, groups=6)
        return self.dense(torch.nn.functional.max_pool2d(x, 2).movedim(1, -1).flatten(1), CLASSES)
