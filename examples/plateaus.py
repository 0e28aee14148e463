"""XOR on a plateau, and a saddle that momentum leaves behind: the doctor names them, the curvature tells them apart.

    python examples/plateaus.py [--plot plateaus.png]

Sigmoid units with small weights give nearly the same for all four corners, and the loss is flat all around: a plateau.
Where all weights are nearly 0 the gradient is too, but in one direction the loss bends down: a saddle. Plain gradient
descent leaves it as slowly as the bend is slight; momentum gathers speed; Adam does not care how small a gradient is.
"""

import argparse

import numpy as np

import thalweg
from thalweg import diagnosis, initializers, layers, optimizers, plotting

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
TARGETS = np.array([0, 1, 1, 0], np.float32)

# name: activation, deviation of the initial weights, optimizer
KINDS = {
    "plateau, SGD": ("sigmoid", 0.5, lambda: optimizers.SGD(0.1)),
    "plateau, Adam": ("sigmoid", 0.5, lambda: optimizers.Adam(0.05)),
    "saddle, SGD": ("tanh", 0.05, lambda: optimizers.SGD(0.1)),
    "saddle, momentum": ("tanh", 0.05, lambda: optimizers.SGD(0.1, momentum=0.95)),
}


def network(activation, deviation, optimizer):
    initial = {"kernel_initializer": initializers.RandomNormal(0, deviation, seed=1)}
    model = thalweg.Sequential(
        [thalweg.Input((2,)), layers.Dense(8, activation, **initial), layers.Dense(1, "sigmoid", **initial)]
    )
    model.compile(optimizer(), "binary_crossentropy", metrics=["accuracy"])
    return model


def main(arguments=None):
    parser = argparse.ArgumentParser(description="XOR on a plateau and beside a saddle.")
    parser.add_argument("--epochs", type=int, default=600)
    parser.add_argument("--plot", metavar="FILE", help="draw the losses (needs matplotlib)")
    options = parser.parse_args(arguments)

    x, y = np.tile(CORNERS, (16, 1)), np.tile(TARGETS, 16)  # 64 rows: a step is of all four corners
    found, curves = {}, {}
    for name, kind in KINDS.items():
        model = network(*kind)
        start = diagnosis.curvature(model, x, y)
        history = model.fit(x, y, batch_size=64, epochs=options.epochs, verbose=0, seed=0)
        found[name], curves[name] = history.diagnosis, history.history["loss"]
        print(f"{name}: at first the loss bends by {start.smallest:.2g} to {start.largest:.2g}; ", end="")
        print(f"after {options.epochs} steps {curves[name][-1]:.3f}")
        print(f"{history.diagnosis or 'nothing is wrong'}\n")
    if options.plot:
        draw(curves, options.plot)
    return found, curves


def draw(curves, file):
    figure = plotting.figure(layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss", yscale="log")
    for name, losses in curves.items():
        axes.plot(range(1, len(losses) + 1), losses, label=name)
    axes.legend()
    figure.savefig(file)


if __name__ == "__main__":
    main()
