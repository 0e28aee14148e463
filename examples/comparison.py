"""Which optimizer, and which learning rate? Learning curves of many settings on one task, trained at once.

    python examples/comparison.py [--plot comparison.png]

All start from the same weights and see the same batches. Each optimizer has a best rate of its own; those of SGD and of
Adam are a hundred times apart. Too small a rate learns too slowly, too large a one not at all. So optimizers are
compared each at its best rate, and that is chosen on validation data.
"""

import argparse

import numpy as np

import thalweg
from thalweg import layers, optimizers, plotting
from thalweg.datasets import mnist

OPTIMIZERS = {
    "SGD": optimizers.SGD(),
    "momentum": optimizers.SGD(momentum=0.9),
    "Adagrad": optimizers.Adagrad(),
    "RMSprop": optimizers.RMSprop(),
    "Adam": optimizers.Adam(),
    "Muon": optimizers.Muon(),
}
RATES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


def network():
    model = thalweg.Sequential(
        [thalweg.Input((784,)), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Optimizers and learning rates on one task.")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--plot", metavar="FILE", help="draw each optimizer's learning curves (needs matplotlib)")
    options = parser.parse_args(arguments)

    (x, y), _ = mnist.load_data()
    x, y = x[:6000].reshape(-1, 784).astype(np.float32) / 255, y[:6000]
    found = thalweg.evaluation.compare(
        network,
        x[:4000],
        y[:4000],
        optimizers=OPTIMIZERS,
        learning_rates=RATES,
        validation_data=(x[4000:], y[4000:]),
        epochs=options.epochs,
        verbose=0,
    )
    losses = {
        name: {rate: last_of(found.histories[f"{name} {rate:g}"], "val_loss") for rate in RATES} for name in OPTIMIZERS
    }
    print(f"{'validation loss at':<20}" + "".join(f"{rate:>9g}" for rate in RATES) + "   accuracy at the best rate")
    for name, by_rate in losses.items():
        best = min(by_rate, key=by_rate.get)
        accuracy = found.histories[f"{name} {best:g}"].history["val_accuracy"][-1]
        print(f"{name:<20}" + "".join(f"{loss:>9.3g}" for loss in by_rate.values()) + f"   {accuracy:.3f}")
    print(f"the best of all: {found.best}; print(found) shows every setting, and found.plot() draws them")
    if options.plot:
        draw(found, options.plot)
    return found, losses


def last_of(history, name):
    """The value after the last epoch; infinite if the setting diverged before that."""
    return history.history[name][-1] if history.stopped_by is None else np.inf


def draw(found, file):
    figure = plotting.figure(figsize=(3.2 * len(OPTIMIZERS), 3.5), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(OPTIMIZERS), sharey=True), OPTIMIZERS, strict=True):
        for rate in RATES:
            values = found.histories[f"{name} {rate:g}"].history.get("val_loss", [])
            axes.plot(range(1, len(values) + 1), values, "o-", label=f"{rate:g}")
        axes.set(title=name, xlabel="epoch", yscale="log", ylim=(0.1, 10))
        axes.legend()
    figure.savefig(file)


if __name__ == "__main__":
    main()
