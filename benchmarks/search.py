"""Searches: ``python -m benchmarks.search trials`` and ``python -m benchmarks.search rates``.

``trials``: 60 random networks for a table (8,000 rows of 30 columns, 30 epochs), the same ones for all: by
``thalweg.search`` on all cores, by thalweg one after the other, and by Optuna around Keras on JAX and around PyTorch
(in memory, fused optimizer), each on all cores; every trial to its end. ``rates``: what ``find_lr`` suggests for 12
networks, each trained to its end at that rate and at twelve rates of a grid.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import thalweg
from benchmarks.table import markdown
from thalweg import layers
from thalweg.evaluation.population import Job, run_jobs
from thalweg.tuning import Choice, Float, Int

ROWS, COLUMNS, EPOCHS = 8000, 30, 30
SPACE = {
    "units": Int(32, 256, log=True),
    "depth": Choice([1, 2, 3]),
    "rate": Float(1e-4, 1e-2, log=True),
    "batch_size": Choice([64, 128, 256]),
}


def table() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Numbers, and two classes that depend on some of them."""
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    return x, (x[:, :3].prod(1) + x[:, 3] > 0).astype(np.int32)


def ours(units: int, depth: int, rate: float) -> thalweg.Model:
    """The network of a trial."""
    hidden = [layers.Dense(units, "relu") for _ in range(depth)]
    model = thalweg.Sequential([layers.Input((COLUMNS,)), *hidden, layers.Dense(2, "softmax")])
    model.compile(thalweg.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    return model


def searched(trials: int, threads: int | None = None) -> list[dict[str, Any]]:
    """``thalweg.search``, on all cores unless said otherwise; the values that it tried."""
    x, y = table()
    found = thalweg.search(
        ours, x, y, SPACE, trials=trials, epochs=EPOCHS, sampler="random", pruner=None, verbose=0, threads=threads
    )
    return [one.values for one in found.trials]


def in_turn(tried: list[dict[str, Any]]) -> None:
    """thalweg, one trial after the other; each on as many threads as are quickest."""
    x, y = table()
    cut = ROWS * 4 // 5
    for values in tried:
        given = dict(values)
        batch_size = given.pop("batch_size")
        ours(**given).fit(x[:cut], y[:cut], batch_size, EPOCHS, verbose=0, validation_data=(x[cut:], y[cut:]))


def by_keras(tried: list[dict[str, Any]]) -> None:
    """Optuna around Keras on JAX."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    x, y = table()
    cut = ROWS * 4 // 5

    def objective(units: int, depth: int, rate: float, batch_size: int) -> float:
        hidden = [keras.layers.Dense(units, "relu") for _ in range(depth)]
        model = keras.Sequential([keras.layers.Input((COLUMNS,)), *hidden, keras.layers.Dense(2, "softmax")])
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
        held = (x[cut:], y[cut:])
        history = model.fit(x[:cut], y[:cut], batch_size, EPOCHS, verbose=0, validation_data=held)
        return float(min(history.history["val_loss"]))

    by_optuna(objective, tried)


def by_torch(tried: list[dict[str, Any]]) -> None:
    """Optuna around PyTorch: rows in memory, a fused optimizer."""
    import torch

    x, y = (torch.from_numpy(part) for part in table())
    cut = ROWS * 4 // 5
    y = y.long()

    def objective(units: int, depth: int, rate: float, batch_size: int) -> float:
        sizes = [COLUMNS, *[units] * depth]
        hidden = [m for a, b in pairwise(sizes) for m in (torch.nn.Linear(a, b), torch.nn.ReLU())]
        net = torch.nn.Sequential(*hidden, torch.nn.Linear(units, 2))
        optimizer = torch.optim.Adam(net.parameters(), rate, fused=True)
        loss = torch.nn.CrossEntropyLoss()
        best = np.inf
        for _ in range(EPOCHS):
            for batch in torch.randperm(cut).split(batch_size):
                optimizer.zero_grad()
                loss(net(x[batch]), y[batch]).backward()
                optimizer.step()
            with torch.no_grad():
                best = min(best, float(loss(net(x[cut:]), y[cut:])))
        return float(best)

    by_optuna(objective, tried)


def by_optuna(objective: Callable[..., float], tried: list[dict[str, Any]]) -> None:
    """Optuna's own loop over the same trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for values in tried:
        study.enqueue_trial(values)

    def run(trial: Any) -> float:
        return objective(**{name: one.suggest(trial, name) for name, one in SPACE.items()})

    study.optimize(run, n_trials=len(tried))


def trials(count: int, peers: list[str]) -> None:
    """Print the seconds of each way."""
    searched(2)  # imports
    began = time.perf_counter()
    tried = searched(count)
    seconds = {"thalweg.search": time.perf_counter() - began}

    def once_more(tried: list[dict[str, Any]]) -> None:
        searched(len(tried))

    def on_one_core(tried: list[dict[str, Any]]) -> None:
        searched(len(tried), threads=1)

    ways: dict[str, Callable[[list[dict[str, Any]]], None]] = {
        "thalweg, programs known": once_more,
        "thalweg.search on one core, programs known": on_one_core,
        "thalweg, one after the other on all cores, programs known": in_turn,
        "Optuna around Keras on JAX": by_keras,
        "Optuna around PyTorch": by_torch,
    }
    for name, run in ways.items():
        if name.startswith("thalweg") or any(peer in name.lower() for peer in peers):
            began = time.perf_counter()
            run(tried)
            seconds[name] = time.perf_counter() - began
    rows = [[name, f"{one:.1f}", f"{one / seconds['thalweg.search']:.2f}"] for name, one in seconds.items()]
    print(markdown(["way", "s", "/ thalweg.search"], rows))


class Case(NamedTuple):
    """A network, its data, and how long it is trained.

    Attributes:
        build: makes the network for a learning rate.
    """

    name: str
    build: Callable[[float], thalweg.Model]
    x: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]
    epochs: int
    batch_size: int


GRID = np.geomspace(1e-5, 3, 12)


def cases() -> Iterator[Case]:
    """Networks of different kinds."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_friedman1, make_moons

    def standard(x: Any) -> np.ndarray[Any, Any]:
        return np.asarray((x - x.mean(0)) / (x.std(0) + 1e-6), np.float32)

    def network(
        shape: tuple[int, ...], hidden: Callable[[], list[Any]], loss: str, optimizer: Callable[[float], Any]
    ) -> Callable[[float], thalweg.Model]:
        def build(rate: float) -> thalweg.Model:
            model = thalweg.Sequential([layers.Input(shape), *hidden()])
            model.compile(optimizer(rate), loss)
            return model

        return build

    dense, flat, by = layers.Dense, layers.Flatten, thalweg.optimizers
    adam, sgd = (lambda rate: by.Adam(rate)), (lambda rate: by.SGD(rate))
    momentum = lambda rate: by.SGD(rate, momentum=0.9)  # noqa: E731
    many, two = "sparse_categorical_crossentropy", "binary_crossentropy"
    (pixels, digits), _ = thalweg.datasets.mnist.load_data()
    pixels, digits = (pixels[:12000] / 255).astype(np.float32), digits[:12000].astype(np.int32)
    small = load_digits()
    grey, names = (small.data / 16).astype(np.float32), small.target.astype(np.int32)
    x, y = make_friedman1(3000, noise=2.0, random_state=0)
    x, y = standard(x), standard(y)
    random = np.random.default_rng(0)
    wide = random.normal(size=(4000, 30)).astype(np.float32)
    product = (wide[:, :3].prod(1) + wide[:, 3] + random.normal(size=4000) * 0.7 > 0).astype(np.float32)
    points, moon = make_moons(2000, noise=0.3, random_state=0)
    cancer, sugar = load_breast_cancer(), load_diabetes()

    def layered(*units: int, activation: str = "relu", last: Any) -> Callable[[], list[Any]]:
        return lambda: [*(dense(count, activation) for count in units), last()]

    def classes() -> Any:
        return dense(10, "softmax")

    def yes() -> Any:
        return dense(1, "sigmoid")

    def number() -> Any:
        return dense(1)

    mlp = network((28, 28), lambda: [flat(), dense(128, "relu"), classes()], many, adam)
    yield Case("MNIST, dense, Adam", mlp, pixels, digits, 4, 128)
    mlp = network((28, 28), lambda: [flat(), dense(64, "relu"), classes()], many, sgd)
    yield Case("MNIST, dense, SGD", mlp, pixels, digits, 4, 64)
    convolution = network(
        (28, 28, 1),
        lambda: [layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(2), flat(), classes()],
        many,
        momentum,
    )
    yield Case("MNIST, convolution, momentum", convolution, pixels[:6000, ..., None], digits[:6000], 3, 64)
    normalised = network(
        (64,),
        lambda: [dense(64), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.3), classes()],
        many,
        adam,
    )
    yield Case("digits, normalised, dropout, Adam", normalised, grey, names, 15, 64)
    tanh = network((10,), layered(64, 32, activation="tanh", last=number), "mse", momentum)
    yield Case("Friedman, tanh, momentum", tanh, x, y, 20, 64)
    yield Case("Friedman, ReLU, Adam", network((10,), layered(64, 64, last=number), "mse", adam), x, y, 12, 64)
    rms = network((30,), layered(64, last=yes), two, lambda rate: by.RMSprop(rate))
    yield Case("product of three, RMSprop", rms, wide, product, 10, 64)
    sigmoids = network((2,), layered(16, 16, activation="sigmoid", last=yes), two, adam)
    yield Case("moons, sigmoids, Adam", sigmoids, standard(points), moon.astype(np.float32), 25, 64)
    logistic = network((30,), layered(last=yes), two, sgd)
    yield Case("cancer, logistic, SGD", logistic, standard(cancer.data), cancer.target.astype(np.float32), 30, 32)
    decayed = network((10,), layered(32, last=number), "mse", lambda rate: by.AdamW(rate))
    yield Case("diabetes, AdamW", decayed, standard(sugar.data), standard(sugar.target), 30, 32)
    deep = network((10,), layered(*[32] * 6, activation="tanh", last=number), "mse", adam)
    yield Case("Friedman, six tanh layers, Adam", deep, x, y, 12, 64)
    narrow = network((64,), lambda: [dense(32, "relu"), dense(8), dense(32, "relu"), dense(64)], "mse", adam)
    yield Case("digits, autoencoder, Adam", narrow, grey, grey, 20, 64)


def ends(case: Case, rates: list[float]) -> list[float]:
    """The last loss of whole trainings at these rates; infinite where they diverge."""
    models = []
    for rate in rates:
        with thalweg.config.seeded(0):
            models.append(case.build(rate))
    given = {"x": case.x, "y": case.y, "epochs": case.epochs, "batch_size": case.batch_size, "seed": 0}
    found = run_jobs([Job(model, given) for model in models], None, os.cpu_count() or 1, 0)
    last: list[float] = []
    for one in found:
        losses: Mapping[str, list[float]] = {} if isinstance(one, Exception) else one.history
        last.append(losses["loss"][-1] if len(losses.get("loss", ())) == case.epochs else np.inf)
    return last


def rates() -> None:
    """Print what is suggested, and how good it is."""
    rows, good = [], 0
    for case in cases():
        with thalweg.config.seeded(0):
            model = case.build(0.01)
        began = time.perf_counter()
        found = thalweg.find_lr(model, case.x, case.y, batch_size=case.batch_size)
        seconds = time.perf_counter() - began
        grid = ends(case, GRID.tolist())
        ratio = np.inf if found.suggestion is None else ends(case, [found.suggestion])[0] / min(grid)
        good += ratio <= 1.1
        best = GRID[int(np.argmin(grid))]
        rows.append([case.name, f"{best:.2g}", f"{found.suggestion or np.nan:.2g}", f"{ratio:.2f}", f"{seconds:.1f}"])
        print(rows[-1], flush=True)
    print(markdown(["network", "best of the grid", "suggested", "last loss / that of the best", "s"], rows))
    print(f"At most 1.1 times the loss of the best rate: {good} of {len(rows)}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    side = commands.add_parser("trials")
    side.add_argument("--count", type=int, default=60)
    side.add_argument("--peers", nargs="*", default=["keras", "pytorch"])
    commands.add_parser("rates")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.command == "rates":
        rates()
    else:
        trials(given.count, given.peers)


if __name__ == "__main__":
    main()
