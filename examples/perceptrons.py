"""What one neuron can learn and what it cannot: AND, OR, NAND, and XOR.

    python examples/perceptrons.py [--plot gates.png]

A neuron says 1 on one side of the line w1 x1 + w2 x2 + b = 0. What AND, OR and NAND want of the corners of a square, a
line can do. What XOR wants, none can: (0,0) -> 0 means b <= 0, and (0,1) -> 1 and (1,0) -> 1 mean w2 + b > 0 and
w1 + b > 0. Added up, w1 + w2 + b > -b >= 0, so (1,1) -> 1 too, which is wrong. A hidden layer moves the corners so that
a line does.
"""

import argparse

import numpy as np

import thalweg
from thalweg import layers, plotting

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
GATES = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "NAND": [1, 1, 1, 0], "XOR": [0, 1, 1, 0]}


def neuron(hidden=0, seed=0):
    """One sigmoid unit, behind a hidden layer of so many tanh units."""
    thalweg.utils.set_random_seed(seed)
    between = [layers.Dense(hidden, activation="tanh")] if hidden else []
    model = thalweg.Sequential([thalweg.Input((2,)), *between, layers.Dense(1, activation="sigmoid")])
    model.compile(thalweg.optimizers.SGD(learning_rate=2.0), "binary_crossentropy", metrics=["accuracy"])
    return model


def learn(gate, hidden=0, steps=2000):
    """The trained model and how many of the four corners it has right; every step uses all four."""
    model = neuron(hidden)
    y = np.array(GATES[gate], np.float32)
    model.fit(CORNERS, y, batch_size=4, epochs=steps, verbose=0)
    _, accuracy = model.evaluate(CORNERS, y, verbose=0)
    return model, round(4 * accuracy)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="AND, OR, NAND and XOR with one neuron, and with a hidden layer.")
    parser.add_argument("--plot", metavar="FILE", help="draw which side of the line is 1 (needs matplotlib)")
    options = parser.parse_args(arguments)

    found = {}
    for name, hidden in [("AND", 0), ("OR", 0), ("NAND", 0), ("XOR", 0), ("XOR", 4)]:
        label = f"{name}, {hidden} hidden units" if hidden else f"{name}, one neuron"
        model, right = found[label] = learn(name, hidden)
        answers = ", ".join(f"{p:.2f}" for p in model.predict(CORNERS, verbose=0)[:, 0])
        line = ""
        if not hidden:
            (w1, w2), b = (a.reshape(-1) for a in model.get_weights())
            line = f"   {w1:+.1f} x1 {w2:+.1f} x2 {b[0]:+.1f}"
        print(f"{label:<20} right: {right} of 4   says {answers}{line}")
    print("One neuron draws one line; XOR needs two, which is what the hidden units draw.")
    if options.plot:
        draw(found, options.plot)
    return {label: right for label, (_, right) in found.items()}


def draw(found, file):
    figure = plotting.figure(figsize=(3 * len(found), 3), layout="constrained")
    side = np.linspace(-0.4, 1.4, 91, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side), axis=-1)
    for axes, (label, (model, _)) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        says = model.predict(grid.reshape(-1, 2), verbose=0).reshape(len(side), len(side))
        axes.contourf(side, side, says, levels=np.linspace(0, 1, 11), cmap="RdBu", alpha=0.7)
        axes.scatter(*CORNERS.T, c=GATES[label.split(",")[0]], cmap="RdBu", edgecolors="black", s=80, zorder=2)
        axes.set_title(label, fontsize=9)
    figure.savefig(file)


if __name__ == "__main__":
    main()
