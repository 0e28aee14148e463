"""What the oracles are asked: one case is a question that thalweg and another library both answer."""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from tests.oracles import trainings

STEPS = 20
KEPT_STEPS = (0, 1, 9, 19)  # whose parameters are compared
TINY = 1e-20  # an epsilon so small that it does not matter whether it is added to a root or under it


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
    for name in (
        *("linear", "relu", "sigmoid", "tanh", "softmax", "log_softmax", "softplus", "silu", "mish"),
        *("gelu", "softsign", "selu"),
    ):
        yield Case("activation", name, {}, {"x": x})
    yield Case("activation", "gelu", {"approximate": True}, {"x": x})
    # Keras takes another one-sided derivative where the pieces of these meet, at 0, 6 and +-3.
    for name in ("relu6", "hard_sigmoid", "leaky_relu", "elu"):
        yield Case("activation", name, {}, {"x": x + 0.01})
    yield Case("activation", "leaky_relu", {"negative_slope": 0.01}, {"x": x + 0.01})
    yield Case("activation", "elu", {"alpha": 0.001}, {"x": x + 0.01})
    yield Case("activation", "exponential", {}, {"x": np.clip(x, -20, 20)})
    for name in (
        *("celu", "hard_shrink", "hard_silu", "hard_tanh", "log_sigmoid", "soft_shrink", "sparse_plus"),
        *("sparse_sigmoid", "squareplus", "tanh_shrink"),
    ):
        yield Case("activation", name, {}, {"x": x + 0.01})
    yield Case("activation", "celu", {"alpha": 0.5}, {"x": x + 0.01})
    yield Case("activation", "hard_shrink", {"threshold": 1.0}, {"x": x + 0.01})
    yield Case("activation", "glu", {}, {"x": x[:, :4]})
    yield Case("activation", "threshold", {"threshold": 0.3, "default_value": -1.0}, {"x": x + 0.01})
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


def _more_loss_inputs():
    """The same for the other losses."""
    more: dict[str, Any]
    options: dict[str, Any]
    numbers, other = _numbers(40, 6, 4), _numbers(41, 6, 4, scale=2.0)
    long, longer = _numbers(42, 3, 5, 4), _numbers(43, 3, 5, 4, scale=2.0)
    for name in ("MeanAbsoluteError", "MeanAbsolutePercentageError", "LogCosh", "CosineSimilarity", "Huber"):
        yield name, {}, "", {"y_true": numbers, "y_pred": other}
        yield name, {}, "temporal", {"y_true": long, "y_pred": longer}
    yield "Huber", {"delta": 0.3}, "", {"y_true": numbers, "y_pred": other}
    yield "CosineSimilarity", {"axis": 1}, "temporal", {"y_true": long, "y_pred": longer}
    yield "LogCosh", {}, "huge", {"y_true": numbers * 1e4, "y_pred": other * 1e4}
    yield "MeanAbsolutePercentageError", {}, "zeros", {"y_true": numbers * (numbers > 0), "y_pred": other}
    yield "RootMeanSquaredError", {}, "", {"y_true": numbers, "y_pred": other}
    counts = np.floor(np.exp(numbers) * 2)
    for name in ("Poisson", "MeanSquaredLogarithmicError"):
        yield name, {}, "", {"y_true": counts, "y_pred": np.exp(other)}
    yield "MeanSquaredLogarithmicError", {}, "either-sign", {"y_true": counts, "y_pred": other}
    signs = np.where(numbers > 0, 1.0, -1.0)
    for name in ("Hinge", "SquaredHinge"):
        yield name, {}, "", {"y_true": signs, "y_pred": other}
        yield name, {}, "zeros-and-ones", {"y_true": (signs + 1) / 2, "y_pred": other}
    classes = _classes(44, 4, 6)
    one_hot, soft, p = _one_hot(classes, 4), _probabilities(45, 6, 4), _probabilities(46, 6, 4)
    yield "CategoricalHinge", {}, "", {"y_true": one_hot, "y_pred": other}
    yield "KLDivergence", {}, "", {"y_true": soft, "y_pred": p}
    yield "KLDivergence", {}, "one-hot", {"y_true": one_hot, "y_pred": p}
    yes = (signs + 1) / 2
    for from_logits in (False, True):
        options = {"from_logits": from_logits}
        answers, shares = (other, other) if from_logits else (1 / (1 + np.exp(-other)), p)
        for more in ({}, {"apply_class_balancing": True}, {"gamma": 0.5}, {"gamma": 0.0}, {"label_smoothing": 0.1}):
            yield "BinaryFocalCrossentropy", {**more, **options}, "", {"y_true": yes, "y_pred": answers}
        for more in ({}, {"alpha": (0.1, 0.2, 0.3, 0.4)}, {"gamma": 1.5, "label_smoothing": 0.1}, {"gamma": 0.0}):
            yield "CategoricalFocalCrossentropy", {**more, **options}, "", {"y_true": one_hot, "y_pred": shares}
        for more in ({}, {"alpha": (0.1, 0.2, 0.3, 0.4), "gamma": 1.5}):
            yield "SparseCategoricalFocalCrossentropy", {**more, **options}, "", {"y_true": classes, "y_pred": shares}
    answers = 1 / (1 + np.exp(-other))
    for options in ({}, {"axis": 1}):
        yield "Dice", options, "", {"y_true": yes, "y_pred": answers}
    for options in ({}, {"alpha": 0.3, "beta": 0.8}, {"axis": (1,), "alpha": 0.2}):
        yield "Tversky", options, "", {"y_true": yes, "y_pred": answers}
    yield "Dice", {"axis": (1, 2)}, "temporal", {"y_true": (long > 0) * 1.0, "y_pred": 1 / (1 + np.exp(-longer))}
    yield "Dice", {}, "nothing", {"y_true": np.zeros((6, 4)), "y_pred": answers}
    yield "WeightedSum", {}, "", {"y_true": yes, "y_pred": answers}
    yield (
        "WeightedSum",
        {"losses": ("tversky", "categorical_crossentropy"), "weights": (0.5, 2.0)},
        "",
        {"y_true": one_hot, "y_pred": p},
    )
    yield "QuantileLoss", {"quantiles": 0.9}, "", {"y_true": numbers, "y_pred": other}
    yield "QuantileLoss", {"quantiles": (0.1, 0.5, 0.7, 0.9)}, "several", {"y_true": numbers[:, :1], "y_pred": other}
    yield (
        "QuantileLoss",
        {"quantiles": (0.1, 0.5, 0.7, 0.9)},
        "several-flat",
        {"y_true": numbers[:, 0], "y_pred": other},
    )
    for options in ({}, {"full": True}, {"variance": "exponential"}):
        yield "GaussianNegativeLogLikelihood", options, "", {"y_true": numbers[:, :2], "y_pred": other}
    positive = np.concatenate([other[:, :2], np.exp(other[:, 2:])], 1)
    options = {"variance": "linear", "epsilon": 0.1}
    yield "GaussianNegativeLogLikelihood", options, "", {"y_true": numbers[:, :2], "y_pred": positive}
    many = {"y_true": (_numbers(47, 40, 1) > 0.8) * 1.0, "y_pred": 1 / (1 + np.exp(-_numbers(48, 40, 1)))}
    for options in ({"keep": 0.3}, {"ratio": 2.0}, {"ratio": 0.5}):
        yield "OnlineHardExamples", options, "", many
    yield "OnlineHardExamples", {"loss": "mse", "keep": 0.5}, "", {"y_true": numbers, "y_pred": other}


def _losses():
    for name, options, label, inputs in (*_loss_inputs(), *_more_loss_inputs()):
        yield Case("loss", name, options, inputs, label)
        yield (
            Case(
                "loss",
                name,
                options,
                {**inputs, "sample_weight": _weights(15, max(6, len(inputs["y_true"])))[: len(inputs["y_true"])]},
                f"{label}-weighted",
            )
            if inputs["y_pred"].ndim < 3
            else Case("loss", name, {**options, "reduction": "sum"}, inputs, label)
        )
    directions = _numbers(81, 8, 3)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    grouped = {"y_true": np.array([0, 1, 1, 0, 2, 1, 3, 0], np.int32), "y_pred": directions}
    for options in ({}, {"gamma": 4.0, "margin": 0.2}, {"gamma": 4.0, "remove_diagonal": False}):
        yield Case("loss", "Circle", options, grouped)
    read = {"y_true": np.array([[1, 2, 0], [3, 3, 0], [1, 2, 1]], np.int32), "y_pred": _numbers(82, 3, 6, 4)}
    yield Case("loss", "CTC", {"reduction": "none"}, read)
    for q in (0.3, 0.8):
        labels = {"y_true": _classes(83, 4, 6), "y_pred": _probabilities(84, 6, 4)}
        yield Case("loss", "CategoricalGeneralizedCrossEntropy", {"q": q}, labels)
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
    for name, words in (("SensitivityAtSpecificity", "specificity"), ("SpecificityAtSensitivity", "sensitivity")):
        yield name, {words: 0.6}, "", one, exact
        yield name, {words: 0.8, "num_thresholds": 7}, "", labels, exact
        yield name, {words: 0.5, "class_id": 1}, "", labels, exact
    for name, words in (("PrecisionAtRecall", "recall"), ("RecallAtPrecision", "precision")):
        yield name, {words: 0.6}, "", one, exact
        yield name, {words: 0.7, "num_thresholds": 1}, "", labels, exact
    numbers = (_numbers(91, 40, 3), _numbers(92, 40, 3))
    for name in ("LogCoshError", "PearsonCorrelation", "ConcordanceCorrelation"):
        yield name, {}, "", numbers, epsilons
    yield "Sum", {}, "", numbers, exact
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
    yield "CosineSimilarity", {}, "", numbers, exact
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
            {"gradient_accumulation_steps": 4, "global_clipnorm": 0.5, "use_ema": True, "ema_overwrite_frequency": 3},
        ),
        "RMSprop": (
            {},
            {"rho": 0.5, "epsilon": 1e-3},
            {"centered": True, "momentum": 0.5, "epsilon": TINY},
            {"momentum": 0.9},
            {"centered": True},
            {"centered": True, "momentum": 0.9, "weight_decay": 0.004},
        ),
        "Adam": (
            {},
            {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
            {"amsgrad": True},
            {"weight_decay": 0.004, "clipnorm": 1.0},
            {"epsilon": TINY},
            {"gradient_accumulation_steps": 3, "weight_decay": 0.01},
            {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 4},
        ),
        "AdamW": ({}, {"weight_decay": 0.1, "amsgrad": True, "epsilon": TINY}),
        "Adamax": ({}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": TINY}),
        "Nadam": ({}, {"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.9}),
        "Adagrad": ({}, {"learning_rate": 0.1, "initial_accumulator_value": 0.5, "epsilon": TINY}),
        "Adadelta": ({}, {"learning_rate": 1.0, "rho": 0.5, "epsilon": 1e-3}),
        "Lion": ({}, {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.9, "weight_decay": 0.1}),
        "Lamb": ({}, {"learning_rate": 0.1, "beta_1": 0.5, "weight_decay": 0.01}, {"epsilon": 0.1}),
        "Ftrl": (
            {},
            {"learning_rate": 0.1, "l1_regularization_strength": 0.02, "l2_regularization_strength": 0.1},
            {"learning_rate": 0.1, "learning_rate_power": -0.3, "beta": 0.5, "initial_accumulator_value": 1.0},
            {"learning_rate": 0.1, "l2_shrinkage_regularization_strength": 0.1, "clipnorm": 1.0},
        ),
        "Adafactor": (
            {},
            {"learning_rate": 0.01, "relative_step": False, "clip_threshold": 0.5, "beta_2_decay": -0.5},
            {"learning_rate": 0.5, "epsilon_2": 0.1, "weight_decay": 0.01},
        ),
        "Muon": (
            {},
            {"learning_rate": 0.1, "nesterov": False, "ns_steps": 3, "adam_lr_ratio": 0.1},
            {"rms_rate": None, "weight_decay": None, "momentum": 0.5},
        ),
    }
    for name, several in all_options.items():
        for options in several:
            yield Case("optimizer", name, options, {**gradients, **start})


def _schedules():
    steps = {"steps": np.array([0, 1, 2, 5, 9, 10, 11, 15, 20, 21, 29, 30, 31, 45, 69, 71, 99, 100, 101, 150, 1000])}
    questions = {
        "ExponentialDecay": (
            {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9},
            {"initial_learning_rate": 0.1, "decay_steps": 30.5, "decay_rate": 0.5, "staircase": True},
        ),
        "InverseTimeDecay": (
            {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9},
            {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 2.0, "staircase": True},
        ),
        "PiecewiseConstantDecay": (
            {"boundaries": [10, 30, 100], "values": [0.5, 0.1, 0.2, 0.001]},
            {"boundaries": [1], "values": [0.5, 0.0]},
        ),
        "PolynomialDecay": (
            {"initial_learning_rate": 0.1, "decay_steps": 100},
            {"initial_learning_rate": 0.1, "decay_steps": 30, "end_learning_rate": 0.01, "power": 0.5},
            {"initial_learning_rate": 0.1, "decay_steps": 30, "power": 2.0, "cycle": True},
        ),
        "CosineDecay": (
            {"initial_learning_rate": 0.1, "decay_steps": 100},
            {"initial_learning_rate": 0.1, "decay_steps": 30, "alpha": 0.25},
            {"initial_learning_rate": 0.0, "decay_steps": 60, "alpha": 0.1, "warmup_target": 0.2, "warmup_steps": 30},
            {"initial_learning_rate": 0.1, "decay_steps": 60, "warmup_target": 0.2},
        ),
        "CosineDecayRestarts": (
            {"initial_learning_rate": 0.1, "first_decay_steps": 10},
            {"initial_learning_rate": 0.1, "first_decay_steps": 11, "t_mul": 1.0, "m_mul": 0.9, "alpha": 0.1},
            {"initial_learning_rate": 0.1, "first_decay_steps": 7.5, "t_mul": 1.5, "m_mul": 0.8, "alpha": 0.05},
        ),
    }
    for name, several in questions.items():
        for options in several:
            yield Case("schedule", name, options, steps)
    early = {"steps": np.arange(0, 100, 3)}  # PyTorch's ends with an error
    one_cycle = {"max_learning_rate": 0.5, "total_steps": 100}
    for options in (
        {},
        {"anneal_strategy": "linear", "div_factor": 10.0, "final_div_factor": 100.0},
        {"pct_start": 0.4, "three_phase": True},
        {"pct_start": 0.0},
    ):
        yield Case("schedule", "OneCycle", one_cycle | options, early)
    yield Case("schedule", "LinearWarmup", {"then": 0.5, "warmup_steps": 20, "start": 0.1}, early)
    yield Case("schedule", "ConstantRate", {"learning_rate": 0.25}, early)


def _regularizers():
    kernel = {"x": np.concatenate([_numbers(31, 4, 3), [[1e-30, -1e-30, 100.0]]])}
    for name, options in (
        ("L1", {}),
        ("L2", {}),
        ("L1", {"l1": 0.5}),
        ("L2", {"l2": 0.5}),
        ("L1L2", {"l1": 0.3, "l2": 0.2}),
        ("L1L2", {"l2": 0.2}),
        ("OrthogonalRegularizer", {"mode": "columns"}),
    ):
        yield Case("regularizer", name, options, kernel)
    yield Case("regularizer", "OrthogonalRegularizer", {"factor": 0.5}, {"x": _numbers(32, 3, 4)})


def _constraints():
    kernel = {"x": _numbers(33, 4, 3) * [0.1, 1.0, 10.0]}
    for name, options in (
        ("MaxNorm", {}),
        ("MaxNorm", {"max_value": 0.5, "axis": 1}),
        ("NonNeg", {}),
        ("UnitNorm", {}),
        ("UnitNorm", {"axis": [0, 1]}),
        ("MinMaxNorm", {}),
        ("MinMaxNorm", {"min_value": 0.5, "max_value": 2.0, "rate": 0.25, "axis": 1}),
    ):
        yield Case("constraint", name, options, kernel)
    yield Case("constraint", "UnitNorm", {}, {"x": np.zeros((3, 2))}, "zeros")


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
        ("Orthogonal", {}),
        ("Orthogonal", {"gain": 2.0}),
        ("Identity", {"gain": 0.5}),
        ("VarianceScaling", {}),
        ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "uniform"}),
        ("VarianceScaling", {"mode": "fan_avg", "distribution": "untruncated_normal"}),
        *((f"{kind}{shape}", {}) for kind in ("Glorot", "He", "Lecun") for shape in ("Uniform", "Normal")),
    ):
        yield Case("initializer", name, options, {"shape": np.array([300, 500])})
    yield Case("initializer", "HeNormal", {}, {"shape": np.array([3, 3, 40, 90])}, "window")
    yield Case("initializer", "GlorotUniform", {}, {"shape": np.array([20000])}, "vector")


def _trainings():
    for name in trainings.NETWORKS:
        yield Case("training", name, {}, trainings.data(name), rtol=trainings.TOLERANCE["float64"])


BEYOND_KERAS = "beyond-keras"  # the label of what Keras refuses and another library does
STEPWISE = ("Discretization",)  # layers without a gradient


def layer_weights(shapes, positive=False):
    """What the parameters of a layer are set to: trained ones, or (``positive``) those that are only kept."""
    values = [_numbers(40 + number, *shape) for number, shape in enumerate(shapes)]
    return [value**2 + 0.5 for value in values] if positive else values


def _layers():
    options: dict[str, Any]
    x, image = _numbers(31, 6, 5, scale=2.0) + 1.0, _numbers(32, 3, 4, 2, 6)
    pair, wide = {"x0": _numbers(33, 3, 4, 2), "x1": _numbers(34, 3, 4, 2)}, {"x0": _numbers(33, 3, 4), "x1": x[:3]}
    far = {"x0": _numbers(35, 64, 3) + 1e4}
    for options, inputs, label in (
        ({}, {"x0": x}, ""),
        ({"momentum": 0.6, "epsilon": 1e-5}, {"x0": x}, ""),
        ({"center": False}, {"x0": x}, ""),
        ({"scale": False}, {"x0": x}, ""),
        ({}, {"x0": image}, "image"),
        ({"axis": 1}, {"x0": image}, "image"),
        ({}, far, "far"),
    ):
        yield Case("layer", "BatchNormalization", options, inputs, label)
    for options, label in (({}, ""), ({"axis": (1, 2)}, ""), ({"epsilon": 1e-6, "center": False}, "")):
        yield Case("layer", "LayerNormalization", options, {"x0": image}, label)
    yield Case("layer", "RMSNormalization", {}, {"x0": image})
    for options in ({"groups": 2}, {"groups": 6, "scale": False}, {"groups": -1}, {"groups": 1}):
        yield Case("layer", "GroupNormalization", options, {"x0": image})
    for options in ({}, {"axis": 1}, {"axis": (2, 3)}):
        yield Case("layer", "UnitNormalization", options, {"x0": image})
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
        yield Case("layer", name, {}, pair)
        yield Case("layer", name, {}, {"x0": pair["x0"], "x1": pair["x1"][:, :1]}, "repeated")
    yield Case("layer", "Add", {}, {**pair, "x2": _numbers(36, 3, 4, 2)}, "three")
    yield Case("layer", "Average", {}, {**pair, "x2": _numbers(36, 3, 4, 2)}, "three")
    yield Case("layer", "Concatenate", {}, wide)
    yield Case("layer", "Concatenate", {"axis": 1}, {**pair, "x2": _numbers(36, 3, 1, 2)})
    for options in ({"axes": 1}, {"axes": 2}, {"axes": (1, 1), "normalize": True}):
        yield Case("layer", "Dot", options, pair)
    yield Case("layer", "Dot", {"axes": -1, "normalize": True}, {"x0": x, "x1": _numbers(37, 6, 5)}, "vectors")
    yield Case("layer", "Dot", {"axes": (2, 1)}, {"x0": pair["x0"], "x1": _numbers(38, 3, 2, 5)})
    for options in (
        {"mean": 0.5, "variance": 4.0},
        {"mean": (1.0, 2.0, 0.0, -1.0, 5.0), "variance": (1.0, 4.0, 0.25, 9.0, 1e-4)},
        {"mean": 0.5, "variance": 4.0, "invert": True, "axis": None},
    ):
        yield Case("layer", "Normalization", options, {"x0": x})
    yield Case("layer", "Normalization", {"axis": (1, 3), "mean": 1.0, "variance": 2.0}, {"x0": image})
    for mode in ("multi_hot", "one_hot", "count"):
        options = {"num_tokens": 5, "output_mode": mode}
        yield Case("layer", "CategoryEncoding", options, {"x0": _classes(39, 5, 6, 3)})
        yield Case("layer", "CategoryEncoding", options, {"x0": _classes(39, 5, 6, 1)}, "column")
    bins = {"bin_boundaries": (-1.0, 0.0, 1.5)}
    places = np.array([[-2.0, -1.0, -0.5], [0.0, 1.5, 7.0]])
    for mode in ("int", "multi_hot", "one_hot", "count"):
        yield Case("layer", "Discretization", {**bins, "output_mode": mode}, {"x0": places})
    yield Case("layer", "Permute", {"dims": (3, 1, 2)}, {"x0": image})
    yield Case("layer", "RepeatVector", {"n": 3}, {"x0": x})
    yield Case("layer", "Flatten", {}, {"x0": image})
    yield Case("layer", "Reshape", {"target_shape": (6, -1)}, {"x0": image})
    yield Case("layer", "Identity", {}, {"x0": x})
    yield Case(
        "layer", "Masking", {"mask_value": 2.0}, {"x0": np.array([[[2.0, 2.0], [2.0, 1.0]], [[0.0, 3.0], [2.0, 2.0]]])}
    )
    yield Case("layer", "Rescaling", {"scale": 0.5, "offset": -1.0}, {"x0": x})
    yield Case("layer", "Dense", {"units": 3, "activation": "tanh"}, {"x0": x})
    yield Case("layer", "Embedding", {"input_dim": 7, "output_dim": 3}, {"x0": np.arange(12).reshape(4, 3) % 7 * 1.0})
    yield Case("layer", "Dense", {"units": 3, "use_bias": False}, {"x0": image}, "image")
    yield Case("layer", "Softmax", {"axis": 1}, {"x0": image})
    yield Case("layer", "ReLU", {"max_value": 2.0, "negative_slope": 0.1, "threshold": 0.3}, {"x0": x})
    yield Case("layer", "Activation", {"activation": "sigmoid"}, {"x0": x})
    yield Case("layer", "LeakyReLU", {"negative_slope": 0.2}, {"x0": x})
    yield Case("layer", "ELU", {"alpha": 0.5}, {"x0": x})
    yield Case("layer", "PReLU", {}, {"x0": x})
    yield Case("layer", "PReLU", {"shared_axes": (1, 2)}, {"x0": image}, "image")


def _convolutions():
    """Strides and dilations 1 to 3, groups, odd and even sizes, channels 1, 3 and 17."""
    options: dict[str, Any]
    series, image, volume = _numbers(60, 2, 11, 3), _numbers(61, 2, 9, 8, 3), _numbers(62, 2, 5, 4, 6, 2)
    wide, grey = _numbers(63, 2, 7, 7, 17), _numbers(64, 2, 7, 8, 1)
    grouped = _numbers(65, 2, 8, 9, 6)
    for padding in ("valid", "same", "causal"):
        for options in ({}, {"strides": 2}, {"strides": 3}, {"dilation_rate": 2}, {"dilation_rate": 3}):
            options = {"filters": 4, "kernel_size": 3, "padding": padding, **options}
            yield Case("layer", "Conv1D", options, {"x0": series})
        yield Case("layer", "Conv1D", {"filters": 2, "kernel_size": 4, "padding": padding}, {"x0": series})
    for padding in ("valid", "same"):
        for options in (
            {"filters": 5, "kernel_size": 3},
            {"filters": 2, "kernel_size": (2, 3), "strides": (2, 1)},
            {"filters": 2, "kernel_size": 3, "strides": 3, "activation": "tanh"},
            {"filters": 3, "kernel_size": (3, 2), "dilation_rate": (2, 3)},
            {"filters": 4, "kernel_size": 1, "strides": 2, "use_bias": False},
        ):
            yield Case("layer", "Conv2D", {**options, "padding": padding}, {"x0": image})
        for options in ({"strides": 2}, {"groups": 3, "strides": (1, 3)}, {"groups": 6, "dilation_rate": 2}):
            options = {"filters": 6, "kernel_size": (3, 2), "padding": padding, **options}
            yield Case("layer", "Conv2D", options, {"x0": grouped}, "grouped")
        yield Case("layer", "Conv2D", {"filters": 3, "kernel_size": 5, "padding": padding}, {"x0": wide}, "wide")
        yield Case("layer", "Conv2D", {"filters": 17, "kernel_size": 3, "padding": padding}, {"x0": grey}, "grey")
        yield Case("layer", "Conv3D", {"filters": 3, "kernel_size": (2, 3, 2), "padding": padding}, {"x0": volume})
        yield Case(
            "layer", "Conv3D", {"filters": 2, "kernel_size": 2, "strides": 2, "padding": padding}, {"x0": volume}
        )
        for name, x in (("DepthwiseConv1D", series), ("DepthwiseConv2D", image)):
            yield Case("layer", name, {"kernel_size": 3, "padding": padding}, {"x0": x})
            yield Case("layer", name, {"kernel_size": 2, "strides": 2, "padding": padding}, {"x0": x})
            options = {"kernel_size": 3, "dilation_rate": 2, "depth_multiplier": 3, "padding": padding}
            yield Case("layer", name, options, {"x0": x})
        for name, x in (("SeparableConv1D", series), ("SeparableConv2D", image)):
            yield Case("layer", name, {"filters": 4, "kernel_size": 3, "padding": padding}, {"x0": x})
            options = {"filters": 2, "kernel_size": 2, "strides": 2, "depth_multiplier": 2, "padding": padding}
            yield Case("layer", name, options, {"x0": x})
        for name, x in (("Conv1DTranspose", series), ("Conv2DTranspose", image)):
            for kernel, strides, dilation in ((3, 1, 1), (3, 2, 1), (2, 3, 1), (4, 2, 1), (1, 2, 1), (3, 1, 2)):
                options = {"filters": 2, "kernel_size": kernel, "strides": strides, "dilation_rate": dilation}
                yield Case("layer", name, {**options, "padding": padding}, {"x0": x})
            options = {"filters": 2, "kernel_size": 3, "strides": 2, "output_padding": 1, "padding": padding}
            yield Case("layer", name, options, {"x0": x})
        for options in (
            {"kernel_size": (2, 3, 2)},
            {"kernel_size": 2, "strides": 2, "use_bias": False},
            {"kernel_size": 3, "strides": (1, 2, 1), "output_padding": (0, 1, 0)},
            {"kernel_size": 2, "dilation_rate": 2},
        ):
            options = {"filters": 2, **options, "padding": padding}
            yield Case("layer", "Conv3DTranspose", options, {"x0": _numbers(69, 2, 3, 2, 3, 2)})
    yield Case("layer", "Conv2D", {"filters": 4, "kernel_size": 3, "data_format": "channels_first"}, {"x0": image})
    options = {"filters": 2, "kernel_size": 3, "strides": 2, "dilation_rate": 2}
    yield Case("layer", "Conv2D", options, {"x0": image}, BEYOND_KERAS)


def _images():
    """Pooling and resizing."""
    options: dict[str, Any]
    series, image, volume = _numbers(66, 2, 11, 3), _numbers(67, 2, 7, 8, 3), _numbers(68, 2, 5, 4, 6, 2)
    for rank, x in enumerate((series, image, volume), 1):
        for kind in ("Max", "Average"):
            for padding in ("valid", "same"):
                for options in ({"pool_size": 2}, {"pool_size": 3, "strides": 2}, {"pool_size": 2, "strides": 3}):
                    yield Case("layer", f"{kind}Pooling{rank}D", {**options, "padding": padding}, {"x0": x})
            for options in ({}, {"keepdims": True}, {"data_format": "channels_first"}):
                yield Case("layer", f"Global{kind}Pooling{rank}D", options, {"x0": x})
        yield Case("layer", f"UpSampling{rank}D", {}, {"x0": x})
        yield Case("layer", f"UpSampling{rank}D", {"size": 3}, {"x0": x})
        yield Case("layer", f"ZeroPadding{rank}D", {}, {"x0": x})
        yield Case("layer", f"Cropping{rank}D", {}, {"x0": x})
    yield Case("layer", "MaxPooling2D", {"pool_size": (3, 2), "data_format": "channels_first"}, {"x0": image})
    yield Case("layer", "AveragePooling2D", {"pool_size": (3, 1), "strides": (1, 2), "padding": "same"}, {"x0": image})
    for size in ((2, 2), (3, 1), (2, 5)):
        yield Case("layer", "UpSampling2D", {"size": size, "interpolation": "bilinear"}, {"x0": image})
    for options in ({"padding": 2}, {"padding": (2, 0)}, {"padding": ((1, 0), (0, 3))}):
        yield Case("layer", "ZeroPadding2D", options, {"x0": image})
    for options in ({"cropping": 2}, {"cropping": (2, 0)}, {"cropping": ((1, 0), (0, 3))}):
        yield Case("layer", "Cropping2D", options, {"x0": image})
    yield Case("layer", "ZeroPadding1D", {"padding": (2, 0)}, {"x0": series})
    yield Case("layer", "Cropping1D", {"cropping": (0, 3)}, {"x0": series})


CASES = [*_activations(), *_losses(), *_metrics(), *_optimizers(), *_schedules(), *_layers()]
CASES += [*_convolutions(), *_images(), *_regularizers(), *_constraints(), *_initializers(), *_trainings()]
