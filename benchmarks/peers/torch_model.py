"""What the PyTorch peers have in common: the network, the test, the optimizers' arguments."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from benchmarks.arrays import Array, Arrays
from benchmarks.layers import Conv, Dense, Flatten, GlobalAveragePool, Layer, MaxPool, Residual, Shape, inputs
from benchmarks.peers.task import Task
from benchmarks.workloads import (
    ADADELTA_RHO,
    BETA_1,
    BETA_2,
    EPSILON,
    MOMENTUM,
    NORM_EPSILON,
    RHO,
    TEST_ROWS,
    WEIGHT_DECAY,
    Workload,
)

DEVICE = os.environ.get("BENCHMARKS_DEVICE", "cpu")
"""Of all tensors; ``benchmarks.gpu`` says "cuda"."""


def prepare(task: Task) -> None:
    """Seed and threads; products of float32 in float32, on a GPU as well."""
    torch.manual_seed(task.seed)
    torch.set_num_threads(task.threads)
    torch.backends.cudnn.allow_tf32 = False


def as_tensor(task: Task, x: Array) -> torch.Tensor:
    """The samples in the form that the network takes; images as (rows, channels, height, width), where that is it."""
    samples = torch.from_numpy(x).to(DEVICE)
    if task.workload.source.form == "images" and not task.peer.channels_last:
        return samples.permute(0, 3, 1, 2).contiguous()
    return samples


def build(task: Task) -> nn.Sequential:
    """The network up to its logits: the softmax is in the loss.

    Where the channels shall be innermost it takes images that are stored so, (rows, height, width, channels), and
    begins with a view of them: no batch is ever transposed.
    """
    workload = task.workload
    modules = list(network(workload.layers, workload.source.shape, workload.norm_momentum))
    if not task.peer.channels_last:
        return nn.Sequential(*modules).to(DEVICE)
    return nn.Sequential(ChannelsFirstView(), *modules).to(DEVICE, memory_format=torch.channels_last)


class ChannelsFirstView(nn.Module):
    """PyTorch's order of the axes, with the order in memory as it was."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(rows, height, width, channels) -> (rows, channels, height, width)."""
        return x.permute(0, 3, 1, 2)


class ResidualBlock(nn.Module):
    """relu(body(x) + shortcut(x))."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As torchvision's BasicBlock has it: both in place."""
        y: torch.Tensor = self.body(x)
        y += self.shortcut(x)
        return torch.relu_(y)


def network(layers: Sequence[Layer], shape: Shape, momentum: float) -> Iterator[nn.Module]:
    """The modules of each layer, for samples of ``shape``."""
    for layer, given in inputs(layers, shape):
        if isinstance(layer, Residual):
            ways = (nn.Sequential(*network(way, given, momentum)) for way in (layer.body, layer.shortcut))
            yield ResidualBlock(*ways)
        else:
            yield from parts(layer, given[-1], momentum)


def parts(layer: Layer, channels: int, momentum: float) -> Iterator[nn.Module]:
    """The modules that make one of the workload's layers.

    Of an even side with strides, PyTorch puts the zeros before the image and Keras after it: the same work. ReLU works
    in place after a convolution, as in torchvision's networks.
    """
    match layer:
        case Dense(units, _, normalized):
            yield initialized(nn.Linear(channels, units))
            if normalized:
                yield nn.BatchNorm1d(units, NORM_EPSILON, 1 - momentum)
        case Conv(filters, size, strides, padding, _, normalized):
            count, groups = filters or channels, 1 if filters else channels
            zeros = size // 2 if padding == "same" else 0
            yield initialized(nn.Conv2d(channels, count, size, strides, zeros, groups=groups, bias=not normalized))
            if normalized:
                yield nn.BatchNorm2d(count, NORM_EPSILON, 1 - momentum)
        case MaxPool(size):
            yield nn.MaxPool2d(size)
        case GlobalAveragePool():
            yield from (nn.AdaptiveAvgPool2d(1), nn.Flatten())
        case Flatten():
            yield nn.Flatten()
    if isinstance(layer, (Dense, Conv)) and layer.activation == "relu":
        yield nn.ReLU(inplace=isinstance(layer, Conv))
    if isinstance(layer, (Dense, MaxPool)) and layer.dropout:
        yield nn.Dropout(layer.dropout)


def initialized(module: nn.Linear | nn.Conv2d) -> nn.Module:
    """Glorot uniform kernel, zero bias."""
    nn.init.xavier_uniform_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module


OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {"betas": (BETA_1, BETA_2), "eps": EPSILON}),
    "adamw": (torch.optim.AdamW, {"betas": (BETA_1, BETA_2), "eps": EPSILON, "weight_decay": WEIGHT_DECAY}),
    "rmsprop": (torch.optim.RMSprop, {"alpha": RHO, "eps": EPSILON}),
    "sgd": (torch.optim.SGD, {"momentum": MOMENTUM}),
    "nesterov": (torch.optim.SGD, {"momentum": MOMENTUM, "nesterov": True}),
    "descent": (torch.optim.SGD, {}),
    "adamax": (torch.optim.Adamax, {"betas": (BETA_1, BETA_2), "eps": EPSILON}),
    "nadam": (torch.optim.NAdam, {"betas": (BETA_1, BETA_2), "eps": EPSILON}),
    "adagrad": (torch.optim.Adagrad, {"initial_accumulator_value": 0.1, "eps": EPSILON}),
    "adadelta": (torch.optim.Adadelta, {"rho": ADADELTA_RHO, "eps": EPSILON}),
    "adafactor": (torch.optim.Adafactor, {}),
}


def optimizer(workload: Workload, model: nn.Module, **implementation: bool) -> torch.optim.Optimizer:
    """The workload's optimizer; ``implementation`` chooses among PyTorch's (``fused``, ``foreach``)."""
    name, rate = workload.optimizer
    kind, arguments = OPTIMIZERS[name]
    return kind(model.parameters(), lr=rate, **arguments, **implementation)


@torch.inference_mode()
def accuracy(task: Task, model: nn.Module, arrays: Arrays) -> float:
    """Share of the test rows that are right."""
    model.eval()
    x, y = as_tensor(task, arrays.x_test), torch.from_numpy(arrays.y_test)
    predicted = torch.cat([model(batch).argmax(1) for batch in x.split(TEST_ROWS)]).cpu()
    return float((predicted == y).float().mean())
