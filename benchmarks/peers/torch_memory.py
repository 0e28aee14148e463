"""PyTorch as someone writes it who wants it fast: tensors in memory, one gather per batch, the fused optimizer."""

from collections.abc import Callable

import torch
from torch import nn

from benchmarks.arrays import Arrays
from benchmarks.peers.in_turn import in_turn
from benchmarks.peers.quickest import quickest
from benchmarks.peers.task import Clock, Task
from benchmarks.peers.torch_model import DEVICE, accuracy, as_tensor, build, optimizer, prepare

FUSED = ("adam", "adamw", "sgd", "nesterov", "descent", "adagrad")  # optimizers with a fused form for the CPU

LossOf = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def train(task: Task, arrays: Arrays, clock: Clock) -> float:
    """Eager, with the fastest optimizer that PyTorch has on the CPU."""
    prepare(task)
    model = build(task)
    loss_function = nn.CrossEntropyLoss()
    update = fast_optimizer(task, model)
    mixed = task.workload.policy == "mixed_bfloat16"

    def loss_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            loss: torch.Tensor = loss_function(model(x), y)
            return loss

    run_epochs(task, arrays, clock, update, loss_of)
    return accuracy(task, model, arrays)


train_population = in_turn(train)


@torch.inference_mode()
def infer(task: Task, arrays: Arrays, clock: Clock) -> float:
    """Predict or evaluate all training rows, again and again; finding the best batch size counts as set-up."""
    prepare(task)
    model = build(task).eval()
    x, y = as_tensor(task, arrays.x_train), torch.from_numpy(arrays.y_train).long()

    def once(batch_size: int) -> float:
        if task.workload.what == "predict":
            return torch.cat([model(rows).softmax(1) for rows in x.split(batch_size)]).mean().item()
        loss, right = torch.zeros(()), torch.zeros((), dtype=torch.long)
        for rows, classes in zip(x.split(batch_size), y.split(batch_size), strict=True):
            logits = model(rows)
            loss += nn.functional.cross_entropy(logits, classes, reduction="sum")
            right += (logits.argmax(1) == classes).sum()
        return loss.item() / len(x)

    batch_size = quickest(once)
    clock.ready()
    for _ in range(task.epochs):
        clock.epoch(once(batch_size))
    return accuracy(task, model, arrays)


def fast_optimizer(task: Task, model: nn.Module) -> torch.optim.Optimizer:
    """Fused where it exists; of the others' forms foreach is the faster."""
    if task.workload.optimizer.name in FUSED:
        return optimizer(task.workload, model, fused=True)
    return optimizer(task.workload, model, foreach=True)


def run_epochs(task: Task, arrays: Arrays, clock: Clock, update: torch.optim.Optimizer, loss_of: LossOf) -> None:
    """The loop. The loss is added up as a tensor, so that no step waits for a number."""
    x_train, y_train = as_tensor(task, arrays.x_train), torch.from_numpy(arrays.y_train).long().to(DEVICE)
    clock.ready()
    for _ in range(task.epochs):
        total = torch.zeros((), device=DEVICE)
        for rows in torch.randperm(len(x_train), device=DEVICE).split(task.workload.batch_size):
            update.zero_grad(set_to_none=True)
            loss = loss_of(x_train[rows], y_train[rows])
            loss.backward()
            update.step()
            total += loss.detach() * len(rows)
        clock.epoch(total.item() / len(x_train))
