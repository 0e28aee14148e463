"""One way to make each registered thing: a new one needs a row here, and then passes all contracts or fails."""

import numpy as np

from thalweg import Sequential, layers, losses, metrics, optimizers

# name -> (how to make one, shape of a sample, dtype of the input); a list of shapes for a layer of several inputs
LAYERS = {
    "activation": (lambda: layers.Activation("tanh"), (5,), "float32"),
    "add": (layers.Add, [(2, 3), (2, 1), (2, 3)], "float32"),
    "alpha_dropout": (lambda: layers.AlphaDropout(0.3, seed=1), (5,), "float32"),
    "average": (layers.Average, [(2, 3), (2, 3), (1, 3)], "float32"),
    "batch_normalization": (layers.BatchNormalization, (3, 5), "float32"),
    "category_encoding": (lambda: layers.CategoryEncoding(5), (3,), "int32"),
    "concatenate": (lambda: layers.Concatenate(1), [(2, 3), (4, 3)], "float32"),
    "dense": (lambda: layers.Dense(3, "tanh"), (5,), "float32"),
    "discretization": (lambda: layers.Discretization((-0.5, 0.5)), (5,), "float32"),
    "dot": (lambda: layers.Dot((1, 2), normalize=True), [(3, 2), (4, 3)], "float32"),
    "dropout": (lambda: layers.Dropout(0.3, seed=1), (5,), "float32"),
    "flatten": (lambda: layers.Flatten(), (2, 3), "float32"),
    "gaussian_dropout": (lambda: layers.GaussianDropout(0.3, seed=1), (5,), "float32"),
    "gaussian_noise": (lambda: layers.GaussianNoise(0.3, seed=1), (5,), "float32"),
    "group_normalization": (lambda: layers.GroupNormalization(2), (3, 4), "float32"),
    "identity": (layers.Identity, (5,), "float32"),
    "layer_normalization": (layers.LayerNormalization, (3, 5), "float32"),
    "maximum": (layers.Maximum, [(2, 3), (2, 3)], "float32"),
    "minimum": (layers.Minimum, [(2, 3), (2, 3)], "float32"),
    "model": (
        lambda: layers.Nested(Sequential([layers.Input((5,)), layers.Dense(3, "tanh"), layers.Dense(2)])),
        (5,),
        "float32",
    ),
    "multiply": (layers.Multiply, [(2, 3), (2, 1)], "float32"),
    "normalization": (lambda: layers.Normalization(mean=1.0, variance=4.0), (3, 5), "float32"),
    "permute": (lambda: layers.Permute((2, 1)), (2, 3), "float32"),
    "mix_up": (lambda: layers.MixUp(0.4, seed=1), (5,), "float32"),
    "random_brightness": (lambda: layers.RandomBrightness(0.2, (-4.0, 4.0), seed=1), (4, 5, 2), "float32"),
    "random_contrast": (lambda: layers.RandomContrast(0.3, (-4.0, 4.0), seed=1), (4, 5, 2), "float32"),
    "random_erasing": (lambda: layers.RandomErasing(fill_value=0.5, seed=1), (4, 5, 2), "float32"),
    "random_flip": (lambda: layers.RandomFlip(seed=1), (4, 5, 2), "float32"),
    "random_translation": (lambda: layers.RandomTranslation(0.3, 0.3, seed=1), (4, 5, 2), "float32"),
    "random_zoom": (
        lambda: layers.RandomZoom(0.3, fill_mode="constant", fill_value=1.0, seed=1),
        (4, 5, 2),
        "float32",
    ),
    "re_lu": (lambda: layers.ReLU(negative_slope=0.1), (5,), "float32"),
    "repeat_vector": (lambda: layers.RepeatVector(3), (4,), "float32"),
    "rescaling": (lambda: layers.Rescaling(0.5, 1.0), (5,), "uint8"),
    "reshape": (lambda: layers.Reshape((3, -1)), (2, 3), "float32"),
    "rms_normalization": (layers.RMSNormalization, (3, 5), "float32"),
    "softmax": (lambda: layers.Softmax(), (5,), "float32"),
    "spatial_dropout_1d": (lambda: layers.SpatialDropout1D(0.3, seed=1), (3, 5), "float32"),
    "spatial_dropout_2d": (lambda: layers.SpatialDropout2D(0.3, seed=1), (3, 2, 5), "float32"),
    "subtract": (layers.Subtract, [(2, 3), (2, 1)], "float32"),
    "swap_noise": (lambda: layers.SwapNoise(0.3, seed=1), (5,), "float32"),
    "unit_normalization": (layers.UnitNormalization, (3, 5), "float32"),
}

# Layers whose results are steps, or numbers of classes: their gradient is 0 or missing.
WITHOUT_GRADIENT = ("category_encoding", "discretization")

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
