"""Real tables: a binary, a multi-class and a regression task, from loading to a score on rows that were held out.

    python examples/tables.py

The tables come with scikit-learn (pip install scikit-learn): 569 tumours (malignant or benign), 178 wines of three
vineyards, 442 patients whose diabetes a year later is to be predicted. Each is compared with the simplest prediction:
the commonest class, or the mean.
"""

import argparse

import numpy as np

import thalweg
from thalweg import layers


def split(x, y, share=0.25, seed=0):
    """Training and test rows, shuffled; columns scaled to mean 0 and deviation 1 of the training rows alone."""
    order = np.random.default_rng(seed).permutation(len(x))
    test, training = order[: int(share * len(x))], order[int(share * len(x)) :]
    mean, deviation = x[training].mean(0), x[training].std(0)
    x = ((x - mean) / deviation).astype(np.float32)
    return (x[training], y[training]), (x[test], y[test])


def network(features, last, loss, metric):
    thalweg.utils.set_random_seed(0)
    model = thalweg.Sequential([thalweg.Input((features,)), layers.Dense(32, activation="relu"), last])
    model.compile(thalweg.optimizers.Adam(0.01), loss, metrics=[metric])
    return model


def binary():
    """One sigmoid unit says the probability of "benign"; the loss is -log of the probability of what was true."""
    from sklearn.datasets import load_breast_cancer

    training, (x_test, y_test) = split(*load_breast_cancer(return_X_y=True))
    model = network(30, layers.Dense(1, activation="sigmoid"), "binary_crossentropy", "accuracy")
    model.fit(*training, epochs=30, verbose=0)
    commonest = max(y_test.mean(), 1 - y_test.mean())
    return "tumours", "accuracy", model.evaluate(x_test, y_test, verbose=0)[1], commonest


def multi_class():
    """A softmax over three units; labels stay numbers with the sparse loss."""
    from sklearn.datasets import load_wine

    training, (x_test, y_test) = split(*load_wine(return_X_y=True))
    model = network(13, layers.Dense(3, activation="softmax"), "sparse_categorical_crossentropy", "accuracy")
    model.fit(*training, epochs=30, verbose=0)
    return "wines", "accuracy", model.evaluate(x_test, y_test, verbose=0)[1], np.bincount(y_test).max() / len(y_test)


def regression():
    """One linear unit and the squared error; the target is scaled too, so that errors are in deviations of it."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    (x_train, y_train), (x_test, y_test) = split(x, y)
    mean, deviation = y_train.mean(), y_train.std()
    model = network(10, layers.Dense(1), "mse", "mse")
    stop = thalweg.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
    model.fit(x_train, (y_train - mean) / deviation, epochs=100, validation_split=0.2, callbacks=[stop], verbose=0)
    predicted = model.predict(x_test, verbose=0)[:, 0] * deviation + mean
    error, of_mean = (float(np.sqrt(np.mean((guess - y_test) ** 2))) for guess in (predicted, mean))
    return "diabetes", "root mean squared error", error, of_mean


def main(arguments=None):
    argparse.ArgumentParser(description="Binary, multi-class and regression on real tables.").parse_args(arguments)
    results = [binary(), multi_class(), regression()]
    print(f"{'table':<10}{'measure':<25}{'network':>9}{'simplest':>10}")
    for table, measure, score, simplest in results:
        print(f"{table:<10}{measure:<25}{score:>9.3f}{simplest:>10.3f}")
    return {table: (score, simplest) for table, _, score, simplest in results}


if __name__ == "__main__":
    main()
