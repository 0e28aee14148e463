"""One way to make each registered thing: a new one needs a row here, and then passes all contracts or fails."""

import numpy as np

from thalweg import layers, losses, metrics, optimizers

# name -> (how to make one, shape of a sample, dtype of the input)
LAYERS = {
    "activation": (lambda: layers.Activation("tanh"), (5,), "float32"),
    "dense": (lambda: layers.Dense(3, "tanh"), (5,), "float32"),
    "dropout": (lambda: layers.Dropout(0.3, seed=1), (5,), "float32"),
    "flatten": (lambda: layers.Flatten(), (2, 3), "float32"),
    "re_lu": (lambda: layers.ReLU(negative_slope=0.1), (5,), "float32"),
    "rescaling": (lambda: layers.Rescaling(0.5, 1.0), (5,), "uint8"),
    "reshape": (lambda: layers.Reshape((3, -1)), (2, 3), "float32"),
    "softmax": (lambda: layers.Softmax(), (5,), "float32"),
}

_RNG = np.random.RandomState(0)
_PROBABILITIES = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.9, 0.05, 0.05]])
_NUMBERS = _RNG.standard_normal((3, 3))

# name -> (how to make one, targets, predictions)
LOSSES = {
    "binary_crossentropy": (losses.BinaryCrossentropy, np.eye(3)[:, [0, 2, 1]], _PROBABILITIES),
    "categorical_crossentropy": (losses.CategoricalCrossentropy, np.eye(3), _PROBABILITIES),
    "mean_squared_error": (losses.MeanSquaredError, _NUMBERS, _NUMBERS[::-1]),
    "sparse_categorical_crossentropy": (
        losses.SparseCategoricalCrossentropy,
        np.array([0, 1, 2], np.int32),
        _PROBABILITIES,
    ),
}

# name -> (how to make one, targets, predictions)
_CLASSES = np.array([0, 1, 2], np.int32)
METRICS = {
    "accuracy": (metrics.Accuracy, np.eye(3), np.eye(3)[::-1]),
    "auc": (lambda: metrics.AUC(num_thresholds=5), np.eye(3), _PROBABILITIES),
    "balanced_accuracy": (metrics.BalancedAccuracy, _CLASSES, _PROBABILITIES),
    "binary_io_u": (metrics.BinaryIoU, np.eye(3), _PROBABILITIES),
    "brier_score": (metrics.BrierScore, _CLASSES, _PROBABILITIES),
    "confusion_matrix": (metrics.ConfusionMatrix, _CLASSES, _PROBABILITIES),
    "dice_coefficient": (metrics.DiceCoefficient, np.eye(3), _PROBABILITIES),
    "f1_score": (lambda: metrics.F1Score(average="macro"), np.eye(3), _PROBABILITIES),
    "false_negatives": (metrics.FalseNegatives, np.eye(3), _PROBABILITIES),
    "false_positives": (metrics.FalsePositives, np.eye(3), _PROBABILITIES),
    "fbeta_score": (lambda: metrics.FBetaScore(beta=2.0), np.eye(3), _PROBABILITIES),
    "io_u": (
        lambda: metrics.IoU(num_classes=3, target_class_ids=(0, 2), sparse_y_pred=False, ignore_class=1),
        _CLASSES,
        _PROBABILITIES,
    ),
    "matthews_correlation_coefficient": (metrics.MatthewsCorrelationCoefficient, _CLASSES, _PROBABILITIES),
    "mean_io_u": (lambda: metrics.MeanIoU(num_classes=3, sparse_y_pred=False), _CLASSES, _PROBABILITIES),
    "one_hot_io_u": (lambda: metrics.OneHotIoU(num_classes=3, target_class_ids=(1,)), np.eye(3), _PROBABILITIES),
    "one_hot_mean_io_u": (lambda: metrics.OneHotMeanIoU(num_classes=3), np.eye(3), _PROBABILITIES),
    "precision": (lambda: metrics.Precision(thresholds=(0.2, 0.6)), np.eye(3), _PROBABILITIES),
    "r2_score": (metrics.R2Score, _NUMBERS, _NUMBERS[::-1]),
    "recall": (lambda: metrics.Recall(top_k=2, class_id=1), np.eye(3), _PROBABILITIES),
    "root_mean_squared_error": (metrics.RootMeanSquaredError, _NUMBERS, _NUMBERS[::-1]),
    "sparse_top_k_categorical_accuracy": (
        lambda: metrics.SparseTopKCategoricalAccuracy(k=2),
        _CLASSES,
        _PROBABILITIES,
    ),
    "top_k_categorical_accuracy": (lambda: metrics.TopKCategoricalAccuracy(k=2), np.eye(3), _PROBABILITIES),
    "true_negatives": (metrics.TrueNegatives, np.eye(3), _PROBABILITIES),
    "true_positives": (metrics.TruePositives, np.eye(3), _PROBABILITIES),
    "binary_accuracy": (metrics.BinaryAccuracy, np.eye(3), _PROBABILITIES),
    "categorical_accuracy": (metrics.CategoricalAccuracy, np.eye(3), _PROBABILITIES),
    "mean": (metrics.Mean, np.eye(3), _PROBABILITIES),
    "mean_loss": (lambda: metrics.MeanLoss(losses.MeanSquaredError()), _NUMBERS, _PROBABILITIES),
    "sparse_categorical_accuracy": (metrics.SparseCategoricalAccuracy, np.array([0, 1, 2], np.int32), _PROBABILITIES),
}

# name -> ways to make one that take 400 steps from the start of a long narrow valley to its bottom
OPTIMIZERS = {
    "adam": (
        lambda: optimizers.Adam(0.1),
        lambda: optimizers.Adam(0.1, amsgrad=True),
        lambda: optimizers.Adam(0.1, global_clipnorm=1.0),
    ),
    "rmsprop": (
        lambda: optimizers.RMSprop(0.02),
        lambda: optimizers.RMSprop(0.01, centered=True),
        lambda: optimizers.RMSprop(0.002, momentum=0.9),
    ),
    "sgd": (
        lambda: optimizers.SGD(0.05),
        lambda: optimizers.SGD(0.02, momentum=0.9),
        lambda: optimizers.SGD(0.02, momentum=0.9, nesterov=True),
        lambda: optimizers.SGD(0.05, clipvalue=1.0),
    ),
}
