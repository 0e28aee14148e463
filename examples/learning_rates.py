"""A learning rate that overshoots, one that crawls and one that fits: what the doctor says, and the rate that he finds.

    python examples/learning_rates.py [--plot rates.png]

With too large a rate every step lands higher on the other side of the valley; with too small a one the weights hardly
move before the epochs are over. Both end with a network that knows little, and only the loss tells them apart.
"""

import argparse

import numpy as np

import thalweg
from thalweg import layers, plotting
from thalweg.datasets import mnist

ROWS = 2000
RATES = {"overshoots": 2.0, "crawls": 1e-4, "fits": 0.1}


def network(rate):
    thalweg.utils.set_random_seed(0)
    model = thalweg.Sequential(
        [thalweg.Input((784,)), layers.Dense(64, "relu"), layers.Dense(64, "relu"), layers.Dense(10, "softmax")]
    )
    model.compile(thalweg.optimizers.SGD(rate, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Three learning rates, and the doctor's words.")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--plot", metavar="FILE", help="draw the losses (needs matplotlib)")
    options = parser.parse_args(arguments)

    (x, y), _ = mnist.load_data()
    x, y = x[: ROWS + 500].reshape(-1, 784).astype(np.float32) / 255, y[: ROWS + 500]
    held_out = x[ROWS:], y[ROWS:]
    found, curves = {}, {}
    for name, rate in RATES.items():
        history = network(rate).fit(
            x[:ROWS], y[:ROWS], batch_size=32, epochs=options.epochs, validation_data=held_out, verbose=0, seed=0
        )
        found[name], curves[name] = history.diagnosis, history.history["loss"]
        print(f"SGD({rate:g}) {name}: validation accuracy {history.history['val_accuracy'][-1]:.3f}")
        print(f"{history.diagnosis or 'nothing is wrong'}\n")
    if options.plot:
        draw(curves, options.plot)
    return found


def draw(curves, file):
    figure = plotting.figure(layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="loss", yscale="log")
    for name, losses in curves.items():
        axes.plot(range(1, len(losses) + 1), losses, ".-", label=f"{RATES[name]:g} {name}")
    axes.legend()
    figure.savefig(file)


if __name__ == "__main__":
    main()
