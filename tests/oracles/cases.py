"""What the oracles are asked: one case is a question that thalweg and another library both answer."""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

STEPS = 20
KEPT_STEPS = (0, 1, 9, 19)  # whose parameters are compared


@dataclass(frozen=True)
class Case:
    """A question.

    ``kind`` says what is asked, ``name`` is the class (or function), ``options`` its arguments, ``inputs`` the numbers.
    """

    kind: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    label: str = ""
    rtol: float = 1e-9  # both compute in float64: what differs is the order of a few dozen operations

    @property
    def key(self) -> str:
        options = ",".join(f"{name}={value}" for name, value in self.options.items())
        return "-".join(filter(None, (self.kind, self.name, self.label, options)))


# RandomState's numbers are promised never to change. Everything is float64, so that agreement can be asked to 1e-9.
def _numbers(seed, *shape, scale=1.0):
    return np.random.RandomState(seed).standard_normal(shape) * scale


def _weights(seed, *shape):
    return np.random.RandomState(seed).uniform(0.0, 2.0, shape).round(3)


def _probabilities(seed, *shape):
    e = np.exp(_numbers(seed, *shape))
    return e / e.sum(-1, keepdims=True)


def _classes(seed, n, *shape):
    return np.random.RandomState(seed).randint(0, n, shape).astype(np.int32)


def _one_hot(classes, n):
    return np.eye(n)[classes]


def _activations():
    x = np.concatenate([_numbers(1, 6, 5, scale=3.0), [[0.0, -0.0, 1e-30, 1e4, -1e4]]])
    for name in ("linear", "relu", "sigmoid", "tanh", "softmax"):
        yield Case("activation", name, {}, {"x": x})
    for options in ({"negative_slope": 0.2}, {"max_value": 2.0}, {"negative_slope": 0.1, "threshold": 0.5}):
        yield Case("activation", "relu", options, {"x": x + 0.01})


def _loss_inputs():
    """(loss, options, label, inputs) without weights and reductions."""
    logits, temporal = _numbers(2, 6, 4, scale=2.0), _numbers(3, 3, 5, 4)
    yield "MeanSquaredError", {}, "", {"y_true": _numbers(4, 6, 4), "y_pred": logits}
    yield "MeanSquaredError", {}, "temporal", {"y_true": _numbers(5, 3, 5, 4), "y_pred": temporal}
    yield "MeanSquaredError", {}, "flat-targets", {"y_true": _numbers(6, 6), "y_pred": _numbers(7, 6, 1)}
    yield "MeanSquaredError", {}, "flat-predictions", {"y_true": _numbers(6, 6, 1), "y_pred": _numbers(7, 6)}
    one_hot, soft = _one_hot(_classes(8, 4, 6), 4), _probabilities(9, 6, 4)
    sparse = _classes(10, 4, 6)
    for from_logits in (False, True):
        y_pred = logits if from_logits else _probabilities(11, 6, 4)
        long = temporal if from_logits else _probabilities(12, 3, 5, 4)
        options = {"from_logits": from_logits}
        yield "CategoricalCrossentropy", options, "one-hot", {"y_true": one_hot, "y_pred": y_pred}
        yield "CategoricalCrossentropy", options, "soft", {"y_true": soft, "y_pred": y_pred}
        yield (
            "CategoricalCrossentropy",
            {**options, "label_smoothing": 0.1},
            "one-hot",
            {"y_true": one_hot, "y_pred": y_pred},
        )
        yield "SparseCategoricalCrossentropy", options, "", {"y_true": sparse, "y_pred": y_pred}
        yield "SparseCategoricalCrossentropy", options, "column", {"y_true": sparse[:, None], "y_pred": y_pred}
        yield (
            "SparseCategoricalCrossentropy",
            options,
            "temporal",
            {"y_true": _classes(13, 4, 3, 5), "y_pred": long},
        )
        if from_logits:  # Keras divides the zeros that stand for ignored probabilities by their sum: NaN gradients
            yield (
                "SparseCategoricalCrossentropy",
                {**options, "ignore_class": 2},
                "temporal",
                {"y_true": _classes(13, 4, 3, 5), "y_pred": long},
            )
        answers = (_numbers(14, 6, 4) > 0).astype(np.float64)
        p = logits if from_logits else 1 / (1 + np.exp(-logits))
        yield "BinaryCrossentropy", options, "", {"y_true": answers, "y_pred": p}
        yield "BinaryCrossentropy", options, "soft", {"y_true": soft, "y_pred": p}
        yield "BinaryCrossentropy", {**options, "label_smoothing": 0.2}, "", {"y_true": answers, "y_pred": p}
        yield "BinaryCrossentropy", options, "flat-targets", {"y_true": answers[:, 0], "y_pred": p[:, :1]}
    for name, y_true in (("CategoricalCrossentropy", one_hot), ("SparseCategoricalCrossentropy", sparse)):
        yield name, {"from_logits": True}, "huge", {"y_true": y_true, "y_pred": logits * 1e4}
    yield "BinaryCrossentropy", {"from_logits": True}, "huge", {"y_true": one_hot, "y_pred": logits * 1e4}


def _losses():
    for name, options, label, inputs in _loss_inputs():
        yield Case("loss", name, options, inputs, label)
        yield (
            Case(
                "loss",
                name,
                options,
                {**inputs, "sample_weight": _weights(15, 6)[: len(inputs["y_true"])]},
                f"{label}-weighted",
            )
            if inputs["y_pred"].ndim < 3
            else Case("loss", name, {**options, "reduction": "sum"}, inputs, label)
        )
    # The reductions do not depend on the loss.
    y = {"y_true": _numbers(16, 6, 4), "y_pred": _numbers(17, 6, 4)}
    for reduction, weighted in product(("sum", "mean", "mean_with_sample_weight", "none"), (False, True)):
        weights = {"sample_weight": _weights(18, 6)} if weighted else {}
        label = "weighted" if weighted else ""
        yield Case("loss", "MeanSquaredError", {"reduction": reduction}, {**y, **weights}, label)


def _metrics():
    scores = _probabilities(19, 12, 4)
    scores[3] = 0.25  # a tie
    classes = _classes(20, 4, 12)
    questions = {
        "Accuracy": (_classes(21, 3, 12, 2).astype(np.float64), _classes(22, 3, 12, 2).astype(np.float64)),
        "BinaryAccuracy": (
            (_numbers(23, 12, 1) > 0).astype(np.float64),
            np.append(_probabilities(24, 11, 2)[:, :1], [[0.5]], 0),
        ),
        "CategoricalAccuracy": (_one_hot(classes, 4), scores),
        "SparseCategoricalAccuracy": (classes, scores),
        "MeanSquaredError": (_numbers(25, 12, 4), scores),
        "CategoricalCrossentropy": (_one_hot(classes, 4), scores),
        "SparseCategoricalCrossentropy": (classes, scores),
        "BinaryCrossentropy": (_one_hot(classes, 4), scores),
        "Mean": (np.zeros((12, 4)), scores),
    }
    for name, (y_true, y_pred) in questions.items():
        inputs = {"y_true": y_true, "y_pred": y_pred}
        yield Case("metric", name, {}, inputs)
        yield Case("metric", name, {}, {**inputs, "sample_weight": _weights(26, 12)}, "weighted")
    for name, options, label, (y_true, y_pred), rtol in _metric_questions():
        inputs = {"y_true": y_true, "y_pred": y_pred}
        yield Case("metric", name, options, inputs, label, rtol)
        # Whole numbers, because Keras's matrices are of integers.
        weights = np.random.RandomState(50).randint(0, 4, len(y_pred)).astype(np.float64)
        yield Case("metric", name, options, {**inputs, "sample_weight": weights}, f"{label}-weighted".strip("-"), rtol)
    yield Case(
        "metric",
        "BinaryAccuracy",
        {"threshold": 0.2},
        {"y_true": questions["BinaryAccuracy"][0], "y_pred": questions["BinaryAccuracy"][1]},
    )


def _metric_questions():
    """(name, options, label, targets and predictions, tolerance)."""
    exact, epsilons = 1e-9, 1e-6  # Keras adds 1e-7 to some denominators
    classes, scores = _classes(51, 4, 40), _probabilities(52, 40, 4)
    many = (_one_hot(classes, 4), scores)
    sparse = (classes, scores)
    labels = ((_numbers(53, 40, 3) > 0.3).astype(np.float64), 1 / (1 + np.exp(-_numbers(54, 40, 3))))
    one = (labels[0][:, :1], labels[1][:, :1])
    for k in (2, 3):
        yield "TopKCategoricalAccuracy", {"k": k}, "", many, exact
        yield "SparseTopKCategoricalAccuracy", {"k": k}, "", sparse, exact
    for name in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives", "Precision", "Recall"):
        yield name, {}, "", labels, exact
        yield name, {"thresholds": [0.2, 0.7, 0.75]}, "", labels, exact
    for name in ("Precision", "Recall"):
        yield name, {}, "one", one, exact
        for options in ({"top_k": 2}, {"class_id": 1}, {"top_k": 2, "class_id": 3}, {"top_k": 3, "thresholds": 0.3}):
            yield name, options, "", many, exact
    for average in (None, "micro", "macro", "weighted"):
        yield "F1Score", {"average": average}, "", many, epsilons
        yield "F1Score", {"average": average, "threshold": 0.4}, "labels", labels, epsilons
        yield "FBetaScore", {"average": average, "beta": 2.0}, "", many, epsilons
    yield "F1Score", {"threshold": 0.5}, "one", one, epsilons
    for curve in ("ROC", "PR"):
        for method in ("interpolation", "minoring", "majoring"):
            yield "AUC", {"curve": curve, "summation_method": method}, "", one, exact
        yield "AUC", {"curve": curve, "num_thresholds": 5}, "", labels, exact
        yield "AUC", {"curve": curve, "thresholds": [0.1, 0.15, 0.6]}, "", labels, exact
        yield "AUC", {"curve": curve, "multi_label": True, "label_weights": [1.0, 2.0, 0.5]}, "", labels, exact
        yield "AUC", {"curve": curve, "label_weights": [1.0, 2.0, 0.5]}, "", labels, exact
        yield "AUC", {"curve": curve, "from_logits": True}, "", (one[0], _numbers(55, 40, 1)), exact
    voided = np.where(_classes(56, 5, 40) == 0, 3, classes)
    said = _classes(57, 4, 40)
    yield "IoU", {"num_classes": 4, "target_class_ids": (1, 3)}, "", (classes, said), epsilons
    yield "IoU", {"num_classes": 4, "target_class_ids": (1, 2), "ignore_class": 3}, "", (voided, said), epsilons
    yield "MeanIoU", {"num_classes": 5}, "", (classes, said), epsilons
    yield "MeanIoU", {"num_classes": 4, "sparse_y_pred": False}, "", sparse, epsilons
    yield "OneHotIoU", {"num_classes": 4, "target_class_ids": (0, 2)}, "", many, epsilons
    yield "OneHotMeanIoU", {"num_classes": 4}, "", many, epsilons
    yield "BinaryIoU", {}, "", one, epsilons
    yield "BinaryIoU", {"target_class_ids": (1,), "threshold": 0.3}, "", one, epsilons
    numbers = (_numbers(58, 40, 3) + 5.0, _numbers(58, 40, 3) + 0.3 * _numbers(59, 40, 3) + 5.0)
    yield "RootMeanSquaredError", {}, "", numbers, exact
    for aggregation in ("uniform_average", "variance_weighted_average", None):
        yield "R2Score", {"class_aggregation": aggregation}, "", numbers, exact
    yield "R2Score", {"num_regressors": 4}, "", numbers, exact
    for name in ("ConfusionMatrix", "MatthewsCorrelationCoefficient", "BalancedAccuracy", "BrierScore"):
        yield name, {}, "", sparse, exact
        yield name, {}, "one", one, exact
    yield "DiceCoefficient", {"threshold": 0.5}, "", labels, exact
    yield "DiceCoefficient", {"threshold": 0.5, "average": "macro"}, "", labels, exact
    yield "DiceCoefficient", {"threshold": 0.5, "average": None}, "", labels, exact


def _optimizers():
    gradients = {
        "kernel": _numbers(27, STEPS, 3, 4) * np.logspace(-6, 2, STEPS)[::-1, None, None],
        "bias": _numbers(28, STEPS, 4) * 0.1,
    }
    start = {"kernel_start": _numbers(29, 3, 4), "bias_start": _numbers(30, 4)}
    gradients["bias"][:, 0] = 0.0  # a dead unit
    all_options = {
        "SGD": (
            {},
            {"learning_rate": 0.1, "momentum": 0.9},
            {"momentum": 0.9, "nesterov": True},
            {"clipnorm": 0.5},
            {"clipvalue": 0.05},
            {"global_clipnorm": 0.5, "momentum": 0.5},
            {"weight_decay": 0.01, "momentum": 0.9},
        ),
        "RMSprop": (
            {},
            {"rho": 0.5, "epsilon": 1e-3},
            {"momentum": 0.9},
            {"centered": True},
            {"centered": True, "momentum": 0.9, "weight_decay": 0.004},
        ),
        "Adam": (
            {},
            {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
            {"amsgrad": True},
            {"weight_decay": 0.004, "clipnorm": 1.0},
        ),
    }
    for name, several in all_options.items():
        for options in several:
            yield Case("optimizer", name, options, {**gradients, **start})


def _initializers():
    for name, options in (
        ("Zeros", {}),
        ("Ones", {}),
        ("Constant", {"value": 0.3}),
        ("RandomNormal", {}),
        ("RandomNormal", {"mean": 1.0, "stddev": 0.5}),
        ("RandomUniform", {}),
        ("RandomUniform", {"minval": 1.0, "maxval": 3.0}),
        ("TruncatedNormal", {}),
        ("VarianceScaling", {}),
        ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "uniform"}),
        ("VarianceScaling", {"mode": "fan_avg", "distribution": "untruncated_normal"}),
        *((f"{kind}{shape}", {}) for kind in ("Glorot", "He", "Lecun") for shape in ("Uniform", "Normal")),
    ):
        yield Case("initializer", name, options, {"shape": np.array([300, 500])})
    yield Case("initializer", "HeNormal", {}, {"shape": np.array([3, 3, 40, 90])}, "window")
    yield Case("initializer", "GlorotUniform", {}, {"shape": np.array([20000])}, "vector")


CASES = [*_activations(), *_losses(), *_metrics(), *_optimizers(), *_initializers()]
