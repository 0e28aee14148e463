"""Imbalanced data: one image in a hundred shows an 8. What focal loss and hard-negative mining do about it.

    python examples/imbalance.py [--plot imbalance.png]

To call nothing an 8 is right in 99 % of the cases: accuracy says nothing here. Precision is the share of the alarms
that are right, recall the share of the eights that are found; a threshold trades one for the other, and the average
precision is the area under the curve that it moves along. Crossentropy first learns from thousands of easy images that
eights are rare. Class weights make up for the number of the eights, focal loss turns away from what is easy,
hard-negative mining drops it: all three find more eights in the same number of steps. But train crossentropy longer,
and it gets there too.
Source: Lin et al. (2017), arXiv:1708.02002; Shrivastava et al. (2016), arXiv:1604.03540.
"""

import argparse

import numpy as np

import thalweg
from thalweg import layers, losses, metrics, plotting
from thalweg.datasets import mnist

RARE = 8

SEEDS = 3

# name: loss, class weights, times the epochs
SETTINGS = {
    "crossentropy": ("binary_crossentropy", None, 1),
    "class weights": ("binary_crossentropy", "balanced", 1),
    "focal": (losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.75, gamma=2.0), None, 1),
    "hard negatives 3:1": (losses.OnlineHardExamples("binary_crossentropy", ratio=3.0), None, 1),
    "crossentropy, longer": ("binary_crossentropy", None, 4),
}


def imbalanced(x, y, seed, share=0.01):
    """Images as rows, and whether each shows the rare digit, of which only so many are kept as make this share."""
    rare = np.flatnonzero(y == RARE)
    others = np.flatnonzero(y != RARE)
    kept = np.random.default_rng(seed).choice(rare, round(share * len(others) / (1 - share)), replace=False)
    rows = np.sort(np.concatenate([others, kept]))
    return x[rows].reshape(-1, 784).astype(np.float32) / 255, (y[rows] == RARE).astype(np.int64)


def network(loss, seed):
    thalweg.utils.set_random_seed(seed)
    model = thalweg.Sequential(
        [thalweg.Input((784,)), layers.Dense(64, activation="relu"), layers.Dense(1, activation="sigmoid")]
    )
    model.compile("adam", loss)
    return model


def precision_and_recall(probabilities, y, threshold=0.5):
    alarms = probabilities > threshold
    right = np.sum(alarms & (y == 1))
    return right / max(alarms.sum(), 1), right / y.sum()


def scores(probabilities, y):
    precision, recall = precision_and_recall(probabilities, y)
    return {
        "accuracy": np.mean((probabilities > 0.5) == y),
        "precision": precision,
        "recall": recall,
        "F1": 2 * precision * recall / max(precision + recall, 1e-12),
        "average precision": metrics.average_precision_score(y, probabilities),
    }


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Focal loss and hard-negative mining on imbalanced data.")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--plot", metavar="FILE", help="draw precision over recall (needs matplotlib)")
    options = parser.parse_args(arguments)

    (x, y), (x_test, y_test) = mnist.load_data()
    x, y = imbalanced(x[:20000], y[:20000], seed=0)
    x_test, y_test = imbalanced(x_test, y_test, seed=1)
    print(f"{y.sum()} of {len(y)} images show an {RARE}, and {y_test.sum()} of the {len(y_test)} to judge by")
    print(f"{'means of ' + str(SEEDS) + ' trainings':<22}  accuracy  precision  recall     F1  average precision")
    found, curves = {}, {}
    for name, (loss, class_weight, times) in SETTINGS.items():
        models = [network(loss, seed) for seed in range(SEEDS)]
        thalweg.evaluation.fit_many(
            models, x, y, batch_size=128, epochs=times * options.epochs, class_weight=class_weight, verbose=0
        )
        says = [model.predict(x_test, verbose=0)[:, 0] for model in models]
        found[name] = {key: float(np.mean([scores(p, y_test)[key] for p in says])) for key in scores(says[0], y_test)}
        curves[name] = np.array([precision_and_recall(says[0], y_test, t) for t in np.unique(says[0])[:-1]])
        accuracy, precision, recall, f1, area = found[name].values()
        print(f"{name:<22}  {accuracy:>8.3f}  {precision:>9.3f}  {recall:>6.3f}  {f1:>5.3f}  {area:>17.3f}")
    if options.plot:
        draw(found, curves, options.plot)
    return found


def draw(found, curves, file):
    figure = plotting.figure(layout="constrained")
    axes = figure.add_subplot(xlabel="recall", ylabel="precision")
    for number, (name, curve) in enumerate(curves.items()):
        axes.plot(curve[:, 1], curve[:, 0], color=f"C{number}", label=name)
        axes.plot(found[name]["recall"], found[name]["precision"], "o", color=f"C{number}")
    axes.set_title("curves of the first training; dots: means at a threshold of 1/2")
    axes.legend()
    figure.savefig(file)


if __name__ == "__main__":
    main()
