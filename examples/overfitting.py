"""Over-fitting: a network learns 500 images by heart. What dropout, L2, augmentation and early stopping do about it.

python examples/overfitting.py [--plot overfitting.png]
"""

import argparse

import numpy as np

import thalweg
from thalweg import callbacks, layers, plotting, regularizers
from thalweg.datasets import mnist

ROWS = 500


def network(units=512, dropout=0.0, l2=0.0, augmented=False):
    thalweg.utils.set_random_seed(0)
    model = thalweg.Sequential([thalweg.Input((28, 28, 1))])
    if augmented:  # in training every image is moved, turned and scaled anew each time
        model.add(layers.RandomTranslation(0.1, 0.1, fill_mode="constant"))
        model.add(layers.RandomRotation(0.03, fill_mode="constant"))  # of a full turn
        model.add(layers.RandomZoom(0.1, fill_mode="constant"))
    model.add(layers.Flatten())
    for _ in range(2):
        model.add(layers.Dense(units, activation="relu", kernel_regularizer=regularizers.L2(l2) if l2 else None))
        if dropout:
            model.add(layers.Dropout(dropout))
    model.add(layers.Dense(10, activation="softmax"))
    # The loss contains the L2 penalty; the crossentropy among the metrics does not, so that all can be compared.
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy", "crossentropy"])
    return model


def stop():
    """Ends training when the validation loss has not fallen for five epochs, and goes back to its best weights."""
    return callbacks.EarlyStopping(patience=5, restore_best_weights=True)


# name: what the network has, callbacks
SETTINGS = {
    "nothing": ({}, list),
    "dropout": ({"dropout": 0.5}, list),
    "L2": ({"l2": 0.005}, list),
    "augmentation": ({"augmented": True}, list),
    "early stopping": ({}, lambda: [stop()]),
    "all of them": ({"dropout": 0.2, "l2": 0.0002, "augmented": True}, lambda: [stop()]),
    "a small network": ({"units": 16}, list),
}


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Over-fitting 500 images, and what helps.")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--plot", metavar="FILE", help="draw the learning curves (needs matplotlib)")
    options = parser.parse_args(arguments)

    (x, y), (x_test, y_test) = mnist.load_data()
    x, x_test = (a[..., np.newaxis].astype(np.float32) / 255 for a in (x[: ROWS + 2000], x_test))
    validation = x[ROWS:], y[ROWS : ROWS + 2000]  # decides when to stop; the test images only judge
    curves, results, said = {}, {}, {}
    print(f"{'':<16}  epochs  training loss  test loss  test accuracy")
    for name, (arguments, watchers) in SETTINGS.items():
        model = network(**arguments)
        history = model.fit(
            x[:ROWS],
            y[:ROWS],
            epochs=options.epochs,
            validation_data=validation,
            callbacks=watchers(),
            verbose=0,
        )
        curves[name] = history.history
        training = model.evaluate(x[:ROWS], y[:ROWS], verbose=0, return_dict=True)
        test = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
        results[name] = {
            "training": training["crossentropy"],
            "test": test["crossentropy"],
            "accuracy": test["accuracy"],
        }
        print(
            f"{name:<16}  {len(history.epoch):>6}  {training['crossentropy']:>13.4f}  {test['crossentropy']:>9.4f}"
            f"  {test['accuracy']:>13.3f}"
        )
        said[name] = history.diagnosis
    for name, diagnosis in said.items():
        if diagnosis.diagnosed:
            print(f"\n{name}: {diagnosis}")
    print("\nWithout anything the training loss goes to 0 while the test loss rises: the images are known by heart.")
    if options.plot:
        draw(curves, options.plot)
    return results


def draw(curves, file):
    figure = plotting.figure(figsize=(3.2 * len(curves), 3), layout="constrained")
    for axes, (name, logs) in zip(figure.subplots(1, len(curves), sharey=True), curves.items(), strict=True):
        axes.plot(logs["crossentropy"], label="training")
        axes.plot(logs["val_crossentropy"], label="validation")
        axes.set(title=name, xlabel="epoch", ylim=(0, 1.2))
        axes.legend()
    figure.savefig(file)


if __name__ == "__main__":
    main()
