"""PyTorch with torch.compile: the loop of ``torch_memory``, with network, loss and their gradient compiled."""

import torch
from torch import nn

from benchmarks.arrays import Arrays
from benchmarks.peers.task import Clock, Task
from benchmarks.peers.torch_memory import FUSED, fast_optimizer, run_epochs
from benchmarks.peers.torch_model import accuracy, build, prepare


def train(task: Task, arrays: Arrays, clock: Clock) -> float:
    """``dynamic=False``: the last batch gets code of its own instead of making the shape of all batches dynamic.

    The optimizer's step is compiled where PyTorch has no fused one; the modes of ``max-autotune`` gained nothing.
    """
    prepare(task)
    model = build(task)
    loss_function = nn.CrossEntropyLoss()
    update = fast_optimizer(task, model)
    if task.workload.optimizer.name not in FUSED:
        update.step = torch.compile(update.step)

    @torch.compile(dynamic=False)
    def loss_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = loss_function(model(x), y)
        return loss

    run_epochs(task, arrays, clock, update, loss_of)
    return accuracy(task, model, arrays)
