"""What the three PyTorch peers have in common: the network, the test, the optimizers' arguments."""

import torch
from torch import nn

from benchmarks.arrays import Arrays
from benchmarks.peers.task import Task
from benchmarks.workloads import BETA_1, BETA_2, EPSILON, RHO, Workload


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
        modules += [linear, nn.ReLU()] if layer.activation == "relu" else [linear]
    return nn.Sequential(*modules)


def optimizer(workload: Workload, model: nn.Module, **implementation: bool) -> torch.optim.Optimizer:
    """The workload's optimizer; ``implementation`` chooses among PyTorch's (``fused``, ``foreach``)."""
    rate = workload.optimizer.learning_rate
    if workload.optimizer.name == "adam":
        return torch.optim.Adam(model.parameters(), rate, (BETA_1, BETA_2), EPSILON, **implementation)
    return torch.optim.RMSprop(model.parameters(), rate, RHO, EPSILON, **implementation)


@torch.inference_mode()
def accuracy(model: nn.Module, arrays: Arrays) -> float:
    """Share of the test rows that are right."""
    predicted = model(torch.from_numpy(arrays.x_test)).argmax(1)
    return float((predicted == torch.from_numpy(arrays.y_test)).float().mean())
