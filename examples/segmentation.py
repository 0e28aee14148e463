"""Segmentation: which pixels belong to a thin stroke? A U-Net trained with crossentropy, and with Dice added to it.

    python examples/segmentation.py [--plot segmentation.png]

Each image shows two to four small handwritten digits with strokes one or two pixels wide, on clouds that are often as
bright as they are, and noise. Some 3 % of the pixels are to be marked. Crossentropy asks of each pixel by itself how
probable it is, and of a faint stroke the right answer is often less than a half: at a threshold of a half much of it is
missing. Dice is one minus the overlap of the two sets as a share of both, so a faint stroke in an image with few others
counts as much as it does for the score. Where nothing is found yet Dice has hardly a gradient, so it is added to
crossentropy and does not replace it.
Part of the difference is where the threshold should lie. It can also be chosen afterwards, on images that were not
trained on; the last columns show what is left of the difference then.
Source: Ronneberger et al. (2015), arXiv:1505.04597; Milletari et al. (2016), arXiv:1606.04797.
"""

import argparse

import numpy as np

import thalweg
from thalweg import losses, models, plotting
from thalweg.datasets import mnist
from thalweg.optimizers import Adam, schedules

SIZE = 48  # of an image; a digit takes 14
BATCH = 16
SEEDS = 3

LOSSES = {
    "crossentropy": "binary_crossentropy",
    "crossentropy + Dice": losses.WeightedSum(("binary_crossentropy", losses.Dice(axis=(1, 2, 3), smooth=1.0))),
}


def clouds(random, count, cells):
    """(count, SIZE, SIZE): random numbers at the corners of so many cells a side, interpolated between."""
    corners = random.normal(size=(count, cells + 1, cells + 1))
    place = np.arange(SIZE) * cells / SIZE
    weights = np.maximum(1 - np.abs(place[:, None] - np.arange(cells + 1)), 0)
    return weights @ corners @ weights.T


def scenes(digits, count, seed):
    """Images and masks, (count, SIZE, SIZE, 1) each; a mask is 1 where a stroke is."""
    random = np.random.default_rng(seed)
    small = digits.reshape(-1, 14, 2, 14, 2).mean((2, 4)) / 255
    ink = np.zeros((count, SIZE, SIZE))
    for image in ink:
        for _ in range(random.integers(2, 5)):
            top, left = random.integers(0, SIZE - 13, 2)
            patch = image[top : top + 14, left : left + 14]
            np.maximum(patch, small[random.integers(len(small))], out=patch)
    strength = random.uniform(0.6, 1.6, (count, 1, 1))
    images = 0.6 * clouds(random, count, 4) + 0.5 * clouds(random, count, 16) + strength * ink
    images += random.normal(0, 0.2, images.shape)
    return images[..., None].astype(np.float32), (ink > 0.5)[..., None].astype(np.float32)


def network(loss, seed, steps):
    thalweg.utils.set_random_seed(seed)
    model = models.unet((SIZE, SIZE, 1), filters=(8, 16, 32))
    model.compile(Adam(schedules.CosineDecay(0.01, steps)), loss)
    return model


def dice_score(marked, masks):
    """Twice what both sets share, divided by both together; the mean over the images."""
    both = np.sum(marked & (masks > 0), (1, 2, 3))
    return float(np.mean(2 * both / (marked.sum((1, 2, 3)) + masks.sum((1, 2, 3)))))


def best_threshold(probabilities, masks):
    return max(np.arange(0.05, 0.96, 0.05), key=lambda threshold: dice_score(probabilities > threshold, masks))


def main(arguments=None):
    parser = argparse.ArgumentParser(description="A U-Net with and without the Dice loss.")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--images", type=int, default=640, help="to train on")
    parser.add_argument("--plot", metavar="FILE", help="draw images, masks and answers (needs matplotlib)")
    options = parser.parse_args(arguments)

    (digits, _), (test_digits, _) = mnist.load_data()
    x, y = scenes(digits, options.images, seed=0)
    x_held_out, y_held_out = scenes(digits, 200, seed=1)
    x_test, y_test = scenes(test_digits, 200, seed=2)
    print(f"{options.images} images of {SIZE} x {SIZE} to train on; {100 * y.mean():.1f} % of the pixels are strokes")

    # all networks at once, one on each core; the two of a seed start from the same weights
    steps = options.epochs * -(-len(x) // BATCH)
    nets = {name: [network(loss, seed, steps) for seed in range(SEEDS)] for name, loss in LOSSES.items()}
    everything = [net for same in nets.values() for net in same]
    thalweg.evaluation.fit_many(everything, x, y, batch_size=BATCH, epochs=options.epochs, verbose=0)

    columns = ("dice score", "precision", "recall", "threshold", "dice score")
    found, answers = {}, {}
    print(f"mean ± deviation of {SEEDS} trainings    at a threshold of 1/2        at the best threshold")
    print(f"{'':<20}" + "".join(f"{name:>15}" for name in columns))
    for name, same in nets.items():
        says = [net.predict(x_test, verbose=0) for net in same]
        answers[name] = says[0] > 0.5
        thresholds = [best_threshold(net.predict(x_held_out, verbose=0), y_held_out) for net in same]
        found[name] = np.array(
            [
                (
                    dice_score(p > 0.5, y_test),
                    y_test[p > 0.5].mean(),
                    (p > 0.5)[y_test > 0].mean(),
                    threshold,
                    dice_score(p > threshold, y_test),
                )
                for p, threshold in zip(says, thresholds, strict=True)
            ]
        )
        numbers = zip(found[name].mean(0), found[name].std(0, ddof=1), strict=True)
        print(f"{name:<20}" + "".join(f"{f'{mean:.3f} ± {spread:.3f}':>15}" for mean, spread in numbers))
    if options.plot:
        draw(x_test, y_test, answers, options.plot)
    return found


def draw(x, y, answers, file, count=6):
    """Rows: the image, the mask, and each network's answer: found white, missed red, invented blue."""
    figure = plotting.figure(figsize=(1.6 * count, 1.65 * (2 + len(answers))), layout="constrained")
    grid = figure.subplots(2 + len(answers), count)
    rows = {"image": x, "strokes": y, **answers}
    for axes, (name, pictures) in zip(grid, rows.items(), strict=True):
        axes[0].set_ylabel(name)
        for place, picture, truth in zip(axes, pictures[:count, ..., 0], y[:count, ..., 0] > 0, strict=True):
            shown = picture
            if name in answers:
                shown = np.zeros((SIZE, SIZE, 3))
                shown[picture & truth] = (1, 1, 1)
                shown[~picture & truth] = (0.9, 0.2, 0.2)
                shown[picture & ~truth] = (0.3, 0.5, 1)
            place.imshow(shown, cmap="gray")
            place.set(xticks=[], yticks=[])
    figure.supxlabel("white: found, red: missed, blue: invented")
    figure.savefig(file)


if __name__ == "__main__":
    main()
