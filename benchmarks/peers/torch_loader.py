"""PyTorch as its tutorial writes it: a DataLoader and the plain loop.

The data set is a TensorDataset, which spares it the decoding of an image per row that the tutorial's own MNIST does.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.arrays import Arrays
from benchmarks.peers.in_turn import in_turn
from benchmarks.peers.task import Clock, Task
from benchmarks.peers.torch_model import accuracy, build, optimizer, prepare


def train(task: Task, arrays: Arrays, clock: Clock) -> float:
    """https://docs.pytorch.org/tutorials/beginner/basics/optimization_tutorial.html"""
    prepare(task)
    dataset = TensorDataset(torch.from_numpy(arrays.x_train), torch.from_numpy(arrays.y_train).long())
    loader = DataLoader(dataset, batch_size=task.workload.batch_size, shuffle=True)
    model = build(task)
    loss_function = nn.CrossEntropyLoss()
    update = optimizer(task.workload, model)
    clock.ready()
    for _ in range(task.epochs):
        total = 0.0
        for x, y in loader:
            loss = loss_function(model(x), y)
            loss.backward()
            update.step()
            update.zero_grad()
            total += loss.item() * len(x)
        clock.epoch(total / len(dataset))
    return accuracy(task, model, arrays)


train_population = in_turn(train)
