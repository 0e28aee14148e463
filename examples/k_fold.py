"""k-fold cross-validation by hand and with `cross_validate`: five trainings, each validated on the fifth not seen.

    python examples/k_fold.py

One split may be lucky. With k folds every sample is validated on once, by a model that was not trained on it, and the
spread between the folds says how far to trust the mean. `cross_validate` is the same loop, with all folds at once, one
on each core; and with groups or times, where rows of one patient, or later ones, must not be trained on.
"""

import argparse

import numpy as np

import thalweg
from thalweg import layers
from thalweg.datasets import mnist


def folds(labels, k, seed=0):
    """k arrays of row numbers: every row in just one, the classes spread evenly (stratified)."""
    random = np.random.default_rng(seed)
    parts = [[] for _ in range(k)]
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        for i, part in enumerate(np.array_split(rows, k)):
            parts[(i + label) % k].append(part)  # the larger parts go to another fold for each class
    return [np.sort(np.concatenate(part)) for part in parts]


def network():
    thalweg.utils.set_random_seed(0)  # all folds start from the same weights
    model = thalweg.Sequential(
        [thalweg.Input((784,)), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(arguments=None):
    parser = argparse.ArgumentParser(description="k-fold cross-validation, by hand and not.")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args(arguments)

    (x, y), _ = mnist.load_data()
    x, y = x[:4000].reshape(-1, 784).astype(np.float32) / 255, y[:4000].astype(np.int64)
    parts = folds(y, options.folds)
    predictions = np.zeros((len(x), 10))
    scores = []
    for number, validation in enumerate(parts):
        training = np.setdiff1d(np.arange(len(x)), validation)
        model = network()  # a new one for each fold: weights that have seen the fold would not be validated
        model.fit(x[training], y[training], epochs=options.epochs, verbose=0)
        scores.append(model.evaluate(x[validation], y[validation], verbose=0)[1])
        predictions[validation] = model.predict(x[validation], verbose=0)
        print(
            f"fold {number + 1}: trained on {len(training)}, accuracy on the other {len(validation)}: {scores[-1]:.4f}"
        )
    together = float(np.mean(predictions.argmax(1) == y))
    print(f"mean {np.mean(scores):.4f}, deviation {np.std(scores, ddof=1):.4f}; out-of-fold accuracy {together:.4f}")

    print("\nthe same in one call, with folds of its own:")
    found = thalweg.evaluation.cross_validate(network, x, y, folds=options.folds, epochs=options.epochs, verbose=0)
    print(found)
    print(f"out-of-fold accuracy {np.mean(found.predictions.argmax(1) == y):.4f}")
    return scores, together, parts, found


if __name__ == "__main__":
    main()
