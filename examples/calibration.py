"""Calibration: is a model that says 90 % right in 90 % of the cases? And what label smoothing changes.

    python examples/calibration.py [--plot calibration.png]

A network trained long on hard labels becomes too sure. Smoothed labels (with 0.1: 0.91 for the class, 0.01 for the nine
others) keep it from driving its logits apart without end. The expected calibration error (ECE) sorts the predictions
into bins by confidence, and averages over the bins how far confidence and accuracy are apart.
Source: Guo et al. (2017), "On calibration of modern neural networks", ICML; Müller et al. (2019), NeurIPS.
"""

import argparse

import numpy as np

import thalweg
from thalweg import layers, plotting
from thalweg.datasets import mnist

BINS = 10


def reliability(probabilities, labels):
    """For each bin of confidence: mean confidence, accuracy, and share of the samples; NaN in empty bins."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    rows = []
    for b in range(BINS):
        inside = bins == b
        share = inside.mean()
        rows.append((confidence[inside].mean(), right[inside].mean(), share) if share else (np.nan, np.nan, 0.0))
    return np.array(rows)


def expected_calibration_error(table):
    return float(np.nansum(np.abs(table[:, 0] - table[:, 1]) * table[:, 2]))


def trained(x, y, smoothing, epochs):
    thalweg.utils.set_random_seed(0)
    model = thalweg.Sequential(
        [thalweg.Input((784,)), layers.Dense(256, activation="relu"), layers.Dense(10, activation="softmax")]
    )
    loss = thalweg.losses.CategoricalCrossentropy(label_smoothing=smoothing)
    model.compile("adam", loss, metrics=["accuracy"])
    model.fit(x, thalweg.utils.to_categorical(y, 10), epochs=epochs, verbose=0)
    return model


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Calibration with and without label smoothing.")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--plot", metavar="FILE", help="draw the reliability diagrams (needs matplotlib)")
    options = parser.parse_args(arguments)

    (x, y), (x_test, y_test) = mnist.load_data()
    x, x_test = (a.reshape(-1, 784).astype(np.float32) / 255 for a in (x[:2000], x_test))
    tables, errors = {}, {}
    print("smoothing  accuracy  mean confidence  confidence where wrong  ECE")
    for smoothing in (0.0, 0.005, 0.1):
        probabilities = trained(x, y[:2000], smoothing, options.epochs).predict(x_test, verbose=0)
        wrong = probabilities.argmax(1) != y_test
        tables[smoothing] = reliability(probabilities, y_test)
        errors[smoothing] = expected_calibration_error(tables[smoothing])
        confidence = probabilities.max(1)
        print(
            f"{smoothing:>9}  {1 - wrong.mean():>8.3f}  {confidence.mean():>15.3f}"
            f"  {confidence[wrong].mean():>22.3f}  {errors[smoothing]:.3f}"
        )
    print("A little smoothing brings confidence and accuracy together; much of it makes the model too modest.")
    if options.plot:
        draw(tables, options.plot)
    return errors


def draw(tables, file):
    figure = plotting.figure(figsize=(4 * len(tables), 4), layout="constrained")
    for axes, (smoothing, table) in zip(figure.subplots(1, len(tables)), tables.items(), strict=True):
        filled = table[:, 2] > 0
        axes.plot([0, 1], [0, 1], "--", color="grey")
        axes.bar((np.arange(BINS) + 0.5)[filled] / BINS, table[filled, 1], width=0.9 / BINS, alpha=0.5)
        axes.plot(table[filled, 0], table[filled, 1], "o-")
        axes.set(title=f"label smoothing {smoothing}", xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    figure.savefig(file)


if __name__ == "__main__":
    main()
