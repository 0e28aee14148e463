"""Convolutions: ``python -m benchmarks.convolution``.

First single ones, each way, as a share of the FMA peak: the products that the definition asks for, over the best of
several runs. Then the training step of ``thalweg.models.small_cnn`` on MNIST beside PyTorch's, each in a process of
its own, turn by turn: Adam, batch 128, medians of the epochs after the first.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from benchmarks.limit import measure
from benchmarks.runner import log
from benchmarks.table import markdown, number

BATCH = 128
EPOCHS = 3


class Picture(NamedTuple):
    """One convolution: images of side x side x channels, filters of size x size."""

    side: int
    channels: int
    filters: int
    size: int = 3

    def __str__(self) -> str:
        return f"{self.channels} -> {self.filters}, {self.side} x {self.side}, {self.size} x {self.size}"


PICTURES = (Picture(26, 32, 64), Picture(28, 1, 32), Picture(32, 16, 16), Picture(8, 64, 64))


def main() -> None:
    """Measure and print; with ``--run PEER`` train one network here and print its epochs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convolution")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=12_800)
    parser.add_argument("--run", choices=PEERS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        print(json.dumps(PEERS[given.run](given.images, given.threads)))
        return
    peak = measure(given.threads).flops
    rows = [(str(picture), *shares(picture, given.threads, peak)) for picture in PICTURES]
    print(markdown(("convolution, batch 128", "forward", "by the input", "by the kernel"), rows))
    print(f"\nshares of {peak / 1e9:.0f} GFLOP/s, the FMA peak with {given.threads} threads\n")
    print(markdown(("small_cnn, batch 128, Adam", "ms a step", "peer / thalweg", "accuracy"), networks(given)))


def shares(picture: Picture, threads: int, peak: float) -> list[str]:
    """Forward, the gradient by the input, and that by the kernel."""
    from thalweg import ops
    from thalweg.executors.native.executor import NativeExecutor
    from thalweg.graph.node import Graph

    side, channels, filters, size = picture
    x = ops.input_node("x", (BATCH, side, side, channels))
    kernel = ops.input_node("kernel", (size, size, channels, filters))
    y = ops.convolve(x, kernel)
    slope = ops.input_node("slope", y.shape)
    random = np.random.default_rng(0)
    data = {n.op.label: random.standard_normal(n.shape, np.float32) for n in (x, kernel, slope)}  # type: ignore[attr-defined]
    flops = 2 * y.type.size * size * size * channels
    found = []
    for node in (y, *y.op.vjp(slope, (x, kernel), y)):
        assert node is not None, "both have gradients"
        graph = Graph({"result": node})
        program = NativeExecutor().compile(graph, gather=False)
        wanted = {name: data[name] for name in program.inputs}
        results = {"result": np.empty(node.shape, np.float32)}
        seconds = [timed(lambda p=program, w=wanted, r=results: p.run({}, w, None, r, threads)) for _ in range(15)]
        found.append(f"{flops / min(seconds) / peak:.0%}")
    return found


def timed(work: Callable[[], None]) -> float:
    """Seconds of one call."""
    start = perf_counter()
    work()
    return perf_counter() - start


def networks(given: argparse.Namespace) -> list[tuple[str, ...]]:
    """A row for each peer that is installed."""
    taken: dict[str, list[float]] = {}
    accuracy: dict[str, float] = {}
    for turn in range(given.rounds):
        for peer in list(PEERS)[:: 1 if turn % 2 == 0 else -1]:
            command = [sys.executable, "-m", "benchmarks.convolution", "--run", peer]
            command += ["--images", str(given.images), "--threads", str(given.threads)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                log(f"{peer} is left out: {done.stderr.strip().splitlines()[-1]}")
                continue
            seconds, accuracy[peer] = json.loads(done.stdout.splitlines()[-1])
            steps = -(-given.images // BATCH)
            taken.setdefault(peer, []).append(1e3 * median(seconds[1:]) / steps)
            log(f"round {turn + 1}/{given.rounds} {peer}: {taken[peer][-1]:.1f} ms a step")
    own = median(taken["thalweg"])
    return [
        (peer, number(median(ms)), f"{median(ms) / own:.2f}", f"{accuracy[peer]:.4f}") for peer, ms in taken.items()
    ]


def train_thalweg(images: int, threads: int) -> tuple[list[float], float]:
    """Seconds of each epoch, and the accuracy on the test images."""
    import thalweg
    from thalweg.callbacks import Callback

    (x, y), (x_test, y_test) = mnist(images)
    thalweg.utils.set_random_seed(0)
    model = thalweg.models.small_cnn()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    seconds: list[float] = []

    class Clock(Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.start = perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seconds.append(perf_counter() - self.start)

    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=[Clock()], threads=threads)
    return seconds, float(model.evaluate(x_test, y_test, verbose=0)[1])


def train_torch(images: int, threads: int, *, channels_last: bool = False) -> tuple[list[float], float]:
    """The same network with the data in memory and the fused optimizer."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(threads)
    net = nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    )
    train, test = ((torch.tensor(x).permute(0, 3, 1, 2).contiguous(), torch.tensor(y).long()) for x, y in mnist(images))
    if channels_last:
        net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        train = (train[0].contiguous(memory_format=torch.channels_last), train[1])
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    criterion = nn.CrossEntropyLoss()
    seconds = []
    for _ in range(EPOCHS):
        start = perf_counter()
        for rows in torch.randperm(images).split(BATCH):
            optimizer.zero_grad()
            criterion(net(train[0][rows]), train[1][rows]).backward()
            optimizer.step()
        seconds.append(perf_counter() - start)
    net.eval()
    with torch.no_grad():
        right = torch.cat([net(x).argmax(1) for x in test[0].split(1000)]) == test[1]
    return seconds, float(right.float().mean())


def train_torch_channels_last(images: int, threads: int) -> tuple[list[float], float]:
    """With the channels innermost in memory."""
    return train_torch(images, threads, channels_last=True)


def mnist(images: int) -> Any:
    """Float images in [0, 1] with an axis of channels."""
    from thalweg.datasets import mnist as data

    (x, y), (x_test, y_test) = data.load_data()
    train = (x[:images, ..., None].astype(np.float32) / 255, y[:images])
    return train, (x_test[..., None].astype(np.float32) / 255, y_test)


PEERS: dict[str, Callable[[int, int], tuple[list[float], float]]] = {
    "thalweg": train_thalweg,
    "torch": train_torch,
    "torch_channels_last": train_torch_channels_last,
}

if __name__ == "__main__":
    main()
