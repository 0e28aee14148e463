"""What the three PyTorch peers have in common: the network, the test, the optimizers' arguments."""

import torch
from torch import nn

from benchmarks.arrays import Arrays
from benchmarks.peers.task import Task
from benchmarks.workloads import (
    BETA_1,
    BETA_2,
    EPSILON,
    MOMENTUM,
    NORM_EPSILON,
    NORM_MOMENTUM,
    RHO,
    WEIGHT_DECAY,
    Workload,
)


def prepare(task: Task) -> None:
    """Seed and threads."""
    torch.manual_seed(task.seed)
    torch.set_num_threads(task.threads)


def build(workload: Workload) -> nn.Sequential:
    """The network up to its logits: the softmax is in the loss."""
    modules: list[nn.Module] = []
    for layer, (features, *_) in zip(workload.layers, workload.input_shapes, strict=True):
        linear = nn.Linear(features, layer.units)
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
        modules.append(linear)
        if layer.normalized:
            modules.append(nn.BatchNorm1d(layer.units, NORM_EPSILON, 1 - NORM_MOMENTUM))
        if layer.activation == "relu":
            modules.append(nn.ReLU())
        if layer.dropout:
            modules.append(nn.Dropout(layer.dropout))
    return nn.Sequential(*modules)


def optimizer(workload: Workload, model: nn.Module, **implementation: bool) -> torch.optim.Optimizer:
    """The workload's optimizer; ``implementation`` chooses among PyTorch's (``fused``, ``foreach``)."""
    name, rate = workload.optimizer
    if name == "adam":
        return torch.optim.Adam(model.parameters(), rate, (BETA_1, BETA_2), EPSILON, **implementation)
    if name == "adamw":
        return torch.optim.AdamW(model.parameters(), rate, (BETA_1, BETA_2), EPSILON, WEIGHT_DECAY, **implementation)
    if name == "sgd":
        return torch.optim.SGD(model.parameters(), rate, MOMENTUM, **implementation)
    return torch.optim.RMSprop(model.parameters(), rate, RHO, EPSILON, **implementation)


@torch.inference_mode()
def accuracy(model: nn.Module, arrays: Arrays) -> float:
    """Share of the test rows that are right."""
    model.eval()
    predicted = model(torch.from_numpy(arrays.x_test)).argmax(1)
    return float((predicted == torch.from_numpy(arrays.y_test)).float().mean())
