"""One way to make each registered thing: a new one needs a row here, and then passes all contracts or fails."""

import numpy as np

from thalweg import layers, losses, metrics, optimizers
from thalweg.optimizers import schedules

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
METRICS = {
    "accuracy": (metrics.Accuracy, np.eye(3), np.eye(3)[::-1]),
    "binary_accuracy": (metrics.BinaryAccuracy, np.eye(3), _PROBABILITIES),
    "categorical_accuracy": (metrics.CategoricalAccuracy, np.eye(3), _PROBABILITIES),
    "mean": (metrics.Mean, np.eye(3), _PROBABILITIES),
    "mean_loss": (lambda: metrics.MeanLoss(losses.MeanSquaredError()), _NUMBERS, _PROBABILITIES),
    "sparse_categorical_accuracy": (metrics.SparseCategoricalAccuracy, np.array([0, 1, 2], np.int32), _PROBABILITIES),
}

# name -> ways to make one that take 400 steps from the start of a long narrow valley to its bottom
OPTIMIZERS = {
    "adadelta": (lambda: optimizers.Adadelta(0.3, epsilon=1e-4),),
    "adagrad": (lambda: optimizers.Adagrad(0.3),),
    "adam": (
        lambda: optimizers.Adam(0.1),
        lambda: optimizers.Adam(0.1, amsgrad=True),
        lambda: optimizers.Adam(0.1, global_clipnorm=1.0),
        lambda: optimizers.Adam(0.1, gradient_accumulation_steps=2),
    ),
    "adam_w": (lambda: optimizers.AdamW(0.1, 0.001), lambda: optimizers.AdamW(0.1, use_ema=True, ema_momentum=0.5)),
    "adamax": (lambda: optimizers.Adamax(0.1),),
    "lamb": (lambda: optimizers.Lamb(0.05),),
    "lion": (lambda: optimizers.Lion(0.01),),
    "muon": (lambda: optimizers.Muon(0.1), lambda: optimizers.Muon(0.1, adam_lr_ratio=0.5)),
    "nadam": (lambda: optimizers.Nadam(0.05),),
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
        lambda: optimizers.SGD(0.05, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3),
    ),
}

# those that move the parameters outside the graph: tests/training/test_search.py
SEARCHES = {"lbfgs": (lambda: optimizers.LBFGS(history_size=5),)}

# name -> ways to make one
SCHEDULES = {
    "constant_rate": (lambda: schedules.ConstantRate(0.5),),
    "cosine_decay": (lambda: schedules.CosineDecay(0.5, 10, warmup_target=0.6, warmup_steps=5),),
    "cosine_decay_restarts": (lambda: schedules.CosineDecayRestarts(0.5, 10, m_mul=0.5),),
    "exponential_decay": (lambda: schedules.ExponentialDecay(0.5, 10, 0.9),),
    "inverse_time_decay": (lambda: schedules.InverseTimeDecay(0.5, 10, 0.9, staircase=True),),
    "linear_warmup": (
        lambda: schedules.LinearWarmup(0.5, 5),
        lambda: schedules.LinearWarmup(schedules.CosineDecay(0.5, 10), 5, start=0.1),
    ),
    "one_cycle": (lambda: schedules.OneCycle(0.5, 20), lambda: schedules.OneCycle(0.5, 20, three_phase=True)),
    "piecewise_constant_decay": (lambda: schedules.PiecewiseConstantDecay([3, 6], [0.5, 0.2, 0.1]),),
    "polynomial_decay": (lambda: schedules.PolynomialDecay(0.5, 10, power=0.5),),
}
