"""What a small convolutional network sees: its filters, its feature maps, where it looks, and what it gets wrong.

    python examples/convolution.py [--plot convolution.png]

Two convolutions learn MNIST. The first one's filters turn out to be edges and strokes in several directions; its
feature maps show where in a digit each of them answers. Grad-CAM adds up the maps of the last convolution, each with
what it counts for a class, and so shows where the network looks: also for a class that it might have said instead. The
surest mistakes are mostly images that people would not agree on either.
With --plot five pictures are written: convolution.png, and convolution_filters.png ... beside it.
Source: Selvaraju et al. (2017), arXiv:1610.02391; Simonyan et al. (2013), arXiv:1312.6034.
"""

import argparse
from pathlib import Path

import numpy as np

import thalweg
from thalweg import layers, visualization
from thalweg.datasets import mnist


def network():
    thalweg.utils.set_random_seed(0)
    model = thalweg.Sequential(
        [
            thalweg.Input((28, 28, 1), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 5, activation="relu", name="edges"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, activation="relu", name="parts"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ],
        name="looks_at_digits",
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def share_on_ink(maps, images):
    """How much of each map lies on the digit, as a share; the maps at the images' resolution."""
    return np.array([m[i > 64].sum() / max(m.sum(), 1e-12) for m, i in zip(maps, images[..., 0], strict=True)])


def main(arguments=None):
    parser = argparse.ArgumentParser(description="What a small convolutional network sees.")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--plot", metavar="FILE", help="draw the pictures (needs matplotlib)")
    options = parser.parse_args(arguments)

    (x, y), (x_test, y_test) = mnist.load_data()
    x, x_test = x[..., np.newaxis], x_test[..., np.newaxis]
    model = network()
    model.fit(x, y, batch_size=128, epochs=options.epochs)

    some = np.array([np.flatnonzero(y_test == digit)[0] for digit in range(10)])  # the first 0, the first 1 ...
    filters = visualization.filters(model, "edges")
    maps = visualization.activations(model, x_test[some], "edges")
    sensitive = visualization.saliency(model, x_test[some])
    heat = visualization.grad_cam(model, x_test[some])
    found = visualization.worst_mistakes(model, x_test, y_test, count=12)
    wrong = len(y_test) - int(np.trace(found.confusion.matrix))
    print(f"{wrong} of {len(y_test)} test images are taken for another digit")
    print(f"each of the {len(filters)} filters of 'edges' answers at {np.mean(maps > 0):.0%} of the places")
    on_ink = share_on_ink(sensitive, x_test[some]).mean()
    print(f"{on_ink:.0%} of the saliency lies on the {np.mean(x_test[some] > 64):.0%} of the pixels that are ink")
    print(found)
    if options.plot:
        draw(model, x_test, y_test, some, found, Path(options.plot))
    return {"wrong": wrong, "on ink": on_ink, "mistakes": found, "heat": heat}


def draw(model, x_test, y_test, some, found, file):
    def beside(name):
        return file.with_name(f"{file.stem}_{name}{file.suffix}")

    images = x_test[some]
    visualization.plot_model(model, beside("layers"), show_shapes=True, show_layer_names=True)
    visualization.plot_filters(visualization.filters(model, "edges")).savefig(beside("filters"))
    visualization.plot_activations(visualization.activations(model, images[2:5], "edges")).savefig(beside("maps"))
    found.plot().savefig(beside("mistakes"))
    # of the surest mistakes: what speaks for the answer, and what for the truth (dark: nothing does)
    rows = np.concatenate([some[:6], found.rows[:3], found.rows[:3]])
    classes = np.concatenate([y_test[some[:6]], found.answers[:3], found.targets[:3]])
    heat = visualization.grad_cam(model, x_test[rows], classes=classes)
    visualization.plot_heatmaps(x_test[rows], heat, [f"for a {digit}" for digit in classes]).savefig(file)


if __name__ == "__main__":
    main()
