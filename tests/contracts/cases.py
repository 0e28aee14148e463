"""One way to make each registered thing: a new one needs a row here, and then passes all contracts or fails."""

from typing import Any

import numpy as np

from thalweg import Sequential, layers, losses, metrics, ops, optimizers
from thalweg.optimizers import schedules

# name -> (how to make one, shape of a sample, dtype of the input); a list of shapes for a layer of several inputs
LAYERS: dict[str, Any] = {
    "activation": (lambda: layers.Activation("tanh"), (5,), "float32"),
    "activity_regularization": (lambda: layers.ActivityRegularization(0.1, 0.2), (5,), "float32"),
    "add": (layers.Add, [(2, 3), (2, 1), (2, 3)], "float32"),
    "alpha_dropout": (lambda: layers.AlphaDropout(0.3, seed=1), (5,), "float32"),
    "average": (layers.Average, [(2, 3), (2, 3), (1, 3)], "float32"),
    "batch_normalization": (layers.BatchNormalization, (3, 5), "float32"),
    "center_crop": (lambda: layers.CenterCrop(2, 4), (4, 3, 2), "float32"),
    "category_encoding": (lambda: layers.CategoryEncoding(5), (3,), "int32"),
    "concatenate": (lambda: layers.Concatenate(1), [(2, 3), (4, 3)], "float32"),
    "dense": (lambda: layers.Dense(3, "tanh"), (5,), "float32"),
    "discretization": (lambda: layers.Discretization((-0.5, 0.5)), (5,), "float32"),
    "dot": (lambda: layers.Dot((1, 2), normalize=True), [(3, 2), (4, 3)], "float32"),
    "dropout": (lambda: layers.Dropout(0.3, seed=1), (5,), "float32"),
    "elu": (lambda: layers.ELU(0.5), (5,), "float32"),
    "embedding": (lambda: layers.Embedding(5, 3), (4,), "int32"),
    "flatten": (lambda: layers.Flatten(), (2, 3), "float32"),
    "leaky_re_lu": (lambda: layers.LeakyReLU(0.1), (5,), "float32"),
    "p_re_lu": (lambda: layers.PReLU("ones", shared_axes=1), (3, 5), "float32"),
    "gaussian_dropout": (lambda: layers.GaussianDropout(0.3, seed=1), (5,), "float32"),
    "gaussian_noise": (lambda: layers.GaussianNoise(0.3, seed=1), (5,), "float32"),
    "group_normalization": (lambda: layers.GroupNormalization(2), (3, 4), "float32"),
    "identity": (layers.Identity, (5,), "float32"),
    "lambda": (lambda: layers.Lambda(ops.square), (5,), "float32"),
    "layer_normalization": (layers.LayerNormalization, (3, 5), "float32"),
    "masking": (layers.Masking, (3, 2), "float32"),
    "maximum": (layers.Maximum, [(2, 3), (2, 3)], "float32"),
    "minimum": (layers.Minimum, [(2, 3), (2, 3)], "float32"),
    "model": (
        lambda: layers.Nested(Sequential([layers.Input((5,)), layers.Dense(3, "tanh"), layers.Dense(2)])),
        (5,),
        "float32",
    ),
    "multiply": (layers.Multiply, [(2, 3), (2, 1)], "float32"),
    "normalization": (lambda: layers.Normalization(mean=1.0, variance=4.0), (3, 5), "float32"),
    "operation": (
        lambda: layers.Operation(ops.multiply, ({"symbol": 0}, {"array": [1.0, 2.0, 3.0], "dtype": "float32"})),
        (2, 3),
        "float32",
    ),
    "parametric_activation": (lambda: layers.ParametricActivation("tanh"), (5,), "float32"),
    "periodic_embedding": (lambda: layers.PeriodicEmbedding(3, frequencies=2), (4,), "float32"),
    "permute": (lambda: layers.Permute((2, 1)), (2, 3), "float32"),
    "mix_up": (lambda: layers.MixUp(0.4, seed=1), (5,), "float32"),
    "random_brightness": (lambda: layers.RandomBrightness(0.2, (-4.0, 4.0), seed=1), (4, 5, 2), "float32"),
    "random_contrast": (lambda: layers.RandomContrast(0.3, (-4.0, 4.0), seed=1), (4, 5, 2), "float32"),
    "random_erasing": (lambda: layers.RandomErasing(fill_value=0.5, seed=1), (4, 5, 2), "float32"),
    "auto_contrast": (lambda: layers.AutoContrast((-4.0, 4.0)), (4, 5, 2), "float32"),
    "random_grayscale": (lambda: layers.RandomGrayscale(seed=1), (4, 5, 3), "float32"),
    "solarization": (lambda: layers.Solarization(0.2, 0.5, (-4.0, 4.0), seed=1), (4, 5, 2), "float32"),
    "random_flip": (lambda: layers.RandomFlip(seed=1), (4, 5, 2), "float32"),
    "random_rotation": (lambda: layers.RandomRotation(0.3, seed=1), (4, 5, 2), "float32"),
    "random_translation": (lambda: layers.RandomTranslation(0.3, 0.3, seed=1), (4, 5, 2), "float32"),
    "random_zoom": (
        lambda: layers.RandomZoom(0.3, fill_mode="constant", fill_value=1.0, seed=1),
        (4, 5, 2),
        "float32",
    ),
    "re_lu": (lambda: layers.ReLU(negative_slope=0.1), (5,), "float32"),
    "repeat_vector": (lambda: layers.RepeatVector(3), (4,), "float32"),
    "resizing": (lambda: layers.Resizing(3, 5, "bicubic"), (4, 3, 2), "float32"),
    "rescaling": (lambda: layers.Rescaling(0.5, 1.0), (5,), "uint8"),
    "reshape": (lambda: layers.Reshape((3, -1)), (2, 3), "float32"),
    "rms_normalization": (layers.RMSNormalization, (3, 5), "float32"),
    "scale": (lambda: layers.Scale("random_normal"), (3, 5), "float32"),
    "smooth_clipping": (lambda: layers.SmoothClipping(0.5), (5,), "float32"),
    "softmax": (lambda: layers.Softmax(), (5,), "float32"),
    "spatial_dropout_1d": (lambda: layers.SpatialDropout1D(0.3, seed=1), (3, 5), "float32"),
    "spatial_dropout_2d": (lambda: layers.SpatialDropout2D(0.3, seed=1), (3, 2, 5), "float32"),
    "spatial_dropout_3d": (lambda: layers.SpatialDropout3D(0.3, seed=1), (3, 2, 2, 5), "float32"),
    "subtract": (layers.Subtract, [(2, 3), (2, 1)], "float32"),
    "swap_noise": (lambda: layers.SwapNoise(0.3, seed=1), (5,), "float32"),
    "time_distributed": (lambda: layers.TimeDistributed(layers.LayerNormalization(axis=(1, 2))), (3, 2, 5), "float32"),
    "unit_normalization": (layers.UnitNormalization, (3, 5), "float32"),
    "average_pooling1d": (lambda: layers.AveragePooling1D(3, 2, "same"), (6, 2), "float32"),
    "average_pooling2d": (lambda: layers.AveragePooling2D(2), (5, 4, 3), "float32"),
    "average_pooling3d": (lambda: layers.AveragePooling3D((1, 2, 3), 2, "same"), (2, 5, 4, 2), "float32"),
    "conv1d": (lambda: layers.Conv1D(3, 2, padding="causal", activation="tanh"), (6, 2), "float32"),
    "conv1d_transpose": (lambda: layers.Conv1DTranspose(3, 2, 3), (4, 2), "float32"),
    "conv2d": (lambda: layers.Conv2D(4, 3, (2, 1), "same", groups=2), (7, 6, 2), "float32"),
    "conv2d_transpose": (lambda: layers.Conv2DTranspose(3, (3, 2), 2, "same"), (4, 3, 2), "float32"),
    "conv3d": (lambda: layers.Conv3D(2, 2, data_format="channels_first"), (3, 3, 4, 3), "float32"),
    "conv3d_transpose": (lambda: layers.Conv3DTranspose(2, (2, 3, 2), (1, 2, 1), "same"), (2, 3, 2, 3), "float32"),
    "cropping1d": (lambda: layers.Cropping1D((1, 2)), (5, 2), "float32"),
    "cropping2d": (lambda: layers.Cropping2D(((1, 0), (0, 2))), (4, 5, 2), "float32"),
    "cropping3d": (layers.Cropping3D, (3, 4, 5, 2), "float32"),
    "depthwise_conv1d": (lambda: layers.DepthwiseConv1D(3, depth_multiplier=2), (6, 3), "float32"),
    "depthwise_conv2d": (lambda: layers.DepthwiseConv2D(3, padding="same"), (5, 4, 3), "float32"),
    "global_average_pooling1d": (lambda: layers.GlobalAveragePooling1D(keepdims=True), (5, 3), "float32"),
    "global_average_pooling2d": (layers.GlobalAveragePooling2D, (4, 5, 3), "float32"),
    "global_average_pooling3d": (layers.GlobalAveragePooling3D, (2, 4, 3, 2), "float32"),
    "global_max_pooling1d": (layers.GlobalMaxPooling1D, (5, 3), "float32"),
    "global_max_pooling2d": (lambda: layers.GlobalMaxPooling2D("channels_first"), (2, 4, 5), "float32"),
    "global_max_pooling3d": (layers.GlobalMaxPooling3D, (2, 4, 3, 2), "float32"),
    "max_pooling1d": (layers.MaxPooling1D, (6, 2), "float32"),
    "max_pooling2d": (lambda: layers.MaxPooling2D(3, 2, "same"), (6, 5, 3), "float32"),
    "max_pooling3d": (layers.MaxPooling3D, (2, 5, 4, 2), "float32"),
    "separable_conv1d": (lambda: layers.SeparableConv1D(4, 3, depth_multiplier=2), (6, 3), "float32"),
    "separable_conv2d": (lambda: layers.SeparableConv2D(4, 3, 2, "same"), (5, 6, 3), "float32"),
    "up_sampling1d": (layers.UpSampling1D, (3, 2), "float32"),
    "up_sampling2d": (lambda: layers.UpSampling2D((2, 3), interpolation="bilinear"), (4, 3, 2), "float32"),
    "up_sampling3d": (layers.UpSampling3D, (2, 3, 2, 2), "float32"),
    "zero_padding1d": (lambda: layers.ZeroPadding1D((1, 2)), (5, 2), "float32"),
    "zero_padding2d": (lambda: layers.ZeroPadding2D(((1, 0), (2, 3))), (4, 5, 2), "float32"),
    "zero_padding3d": (layers.ZeroPadding3D, (2, 3, 4, 2), "float32"),
}

# Layers whose results are steps, or numbers of classes: their gradient is 0 or missing.
WITHOUT_GRADIENT = ("category_encoding", "discretization")

_RNG = np.random.RandomState(0)
_PROBABILITIES = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.9, 0.05, 0.05]])
_NUMBERS = _RNG.standard_normal((3, 3))

# name -> (how to make one, targets, predictions)
LOSSES: dict[str, Any] = {
    "binary_focal_crossentropy": (
        lambda **more: losses.BinaryFocalCrossentropy(apply_class_balancing=True, **more),
        np.eye(3)[:, [0, 2, 1]],
        _PROBABILITIES,
    ),
    "categorical_generalized_cross_entropy": (
        losses.CategoricalGeneralizedCrossEntropy,
        np.array([0, 1, 2], np.int32),
        _PROBABILITIES,
    ),
    "circle": (lambda **more: losses.Circle(2.0, **more), np.array([0, 1, 0], np.int32), _NUMBERS / 3),
    "ctc": (losses.CTC, np.array([[1, 2, 0], [2, 0, 0], [1, 0, 0]], np.int32), np.stack([_NUMBERS] * 3)),
    "categorical_focal_crossentropy": (losses.CategoricalFocalCrossentropy, np.eye(3), _PROBABILITIES),
    "categorical_hinge": (losses.CategoricalHinge, np.eye(3), _NUMBERS),
    "cosine_similarity": (losses.CosineSimilarity, _NUMBERS, _NUMBERS[::-1]),
    "dice": (losses.Dice, np.eye(3), _PROBABILITIES),
    "gaussian_negative_log_likelihood": (
        losses.GaussianNegativeLogLikelihood,
        _NUMBERS[:, :2],
        np.concatenate([_NUMBERS, _NUMBERS[::-1]], 1)[:, :4],
    ),
    "hinge": (losses.Hinge, np.sign(_NUMBERS), _NUMBERS[::-1]),
    "huber": (losses.Huber, _NUMBERS, _NUMBERS[::-1]),
    "kl_divergence": (losses.KLDivergence, _PROBABILITIES[::-1], _PROBABILITIES),
    "log_cosh": (losses.LogCosh, _NUMBERS, _NUMBERS[::-1]),
    "mean_absolute_error": (losses.MeanAbsoluteError, _NUMBERS, 0.9 * _NUMBERS[::-1]),
    "mean_absolute_percentage_error": (losses.MeanAbsolutePercentageError, _NUMBERS, 0.9 * _NUMBERS[::-1]),
    "mean_squared_logarithmic_error": (losses.MeanSquaredLogarithmicError, np.abs(_NUMBERS), 0.1 + _PROBABILITIES),
    # All of the batch: with less, the value as a metric, where nothing is left out, is another.
    "online_hard_examples": (lambda **more: losses.OnlineHardExamples(keep=1.0, **more), np.eye(3), _PROBABILITIES),
    "poisson": (losses.Poisson, np.arange(9.0).reshape(3, 3), 0.1 + _PROBABILITIES),
    "quantile": (lambda **more: losses.QuantileLoss(0.9, **more), _NUMBERS, 0.9 * _NUMBERS[::-1]),
    "root_mean_squared_error": (losses.RootMeanSquaredError, _NUMBERS, _NUMBERS[::-1]),
    "sparse_categorical_focal_crossentropy": (
        losses.SparseCategoricalFocalCrossentropy,
        np.array([0, 1, 2], np.int32),
        _PROBABILITIES,
    ),
    "squared_hinge": (losses.SquaredHinge, np.sign(_NUMBERS), _NUMBERS[::-1]),
    "tversky": (lambda **more: losses.Tversky(0.3, 0.7, **more), np.eye(3), _PROBABILITIES),
    "weighted_sum": (losses.WeightedSum, np.eye(3), _PROBABILITIES),
    "binary_crossentropy": (losses.BinaryCrossentropy, np.eye(3)[:, [0, 2, 1]], _PROBABILITIES),
    "categorical_crossentropy": (losses.CategoricalCrossentropy, np.eye(3), _PROBABILITIES),
    "mean_squared_error": (losses.MeanSquaredError, _NUMBERS, _NUMBERS[::-1]),
    "sparse_categorical_crossentropy": (
        losses.SparseCategoricalCrossentropy,
        np.array([0, 1, 2], np.int32),
        _PROBABILITIES,
    ),
}

OF_THE_WHOLE_BATCH = ("circle",)
"""Losses in which the rows of a batch matter to each other: evaluated batch by batch."""

# name -> (how to make one, targets, predictions)
_CLASSES = np.array([0, 1, 2], np.int32)
METRICS: dict[str, Any] = {
    "accuracy": (metrics.Accuracy, np.eye(3), np.eye(3)[::-1]),
    "auc": (lambda: metrics.AUC(num_thresholds=5), np.eye(3), _PROBABILITIES),
    "balanced_accuracy": (metrics.BalancedAccuracy, _CLASSES, _PROBABILITIES),
    "binary_io_u": (metrics.BinaryIoU, np.eye(3), _PROBABILITIES),
    "brier_score": (metrics.BrierScore, _CLASSES, _PROBABILITIES),
    "concordance_correlation": (metrics.ConcordanceCorrelation, _NUMBERS, _NUMBERS[::-1]),
    "confusion_matrix": (metrics.ConfusionMatrix, _CLASSES, _PROBABILITIES),
    "cosine_similarity": (metrics.CosineSimilarity, _NUMBERS, _NUMBERS[::-1]),
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
    "log_cosh_error": (metrics.LogCoshError, _NUMBERS, _NUMBERS[::-1]),
    "matthews_correlation_coefficient": (metrics.MatthewsCorrelationCoefficient, _CLASSES, _PROBABILITIES),
    "mean_io_u": (lambda: metrics.MeanIoU(num_classes=3, sparse_y_pred=False), _CLASSES, _PROBABILITIES),
    "one_hot_io_u": (lambda: metrics.OneHotIoU(num_classes=3, target_class_ids=(1,)), np.eye(3), _PROBABILITIES),
    "one_hot_mean_io_u": (lambda: metrics.OneHotMeanIoU(num_classes=3), np.eye(3), _PROBABILITIES),
    "pearson_correlation": (metrics.PearsonCorrelation, _NUMBERS, _NUMBERS[::-1]),
    "precision_at_recall": (lambda: metrics.PrecisionAtRecall(0.5, num_thresholds=5), np.eye(3), _PROBABILITIES),
    "precision": (lambda: metrics.Precision(thresholds=(0.2, 0.6)), np.eye(3), _PROBABILITIES),
    "r2_score": (metrics.R2Score, _NUMBERS, _NUMBERS[::-1]),
    "recall_at_precision": (lambda: metrics.RecallAtPrecision(0.5, 5, class_id=1), np.eye(3), _PROBABILITIES),
    "recall": (lambda: metrics.Recall(top_k=2, class_id=1), np.eye(3), _PROBABILITIES),
    "root_mean_squared_error": (metrics.RootMeanSquaredError, _NUMBERS, _NUMBERS[::-1]),
    "sensitivity_at_specificity": (lambda: metrics.SensitivityAtSpecificity(0.6, 5), np.eye(3), _PROBABILITIES),
    "specificity_at_sensitivity": (lambda: metrics.SpecificityAtSensitivity(0.6, 1), np.eye(3), _PROBABILITIES),
    "sum": (metrics.Sum, np.eye(3), _PROBABILITIES),
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
    "adafactor": (lambda: optimizers.Adafactor(0.3), lambda: optimizers.Adafactor(0.05, relative_step=False)),
    "ftrl": (lambda: optimizers.Ftrl(0.5),),
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
    "flat_cosine": (lambda: schedules.FlatCosine(0.5, 10),),
    "inverse_time_decay": (lambda: schedules.InverseTimeDecay(0.5, 10, 0.9, staircase=True),),
    "linear_warmup": (
        lambda: schedules.LinearWarmup(0.5, 5),
        lambda: schedules.LinearWarmup(schedules.CosineDecay(0.5, 10), 5, start=0.1),
    ),
    "log_cosine_cycles": (lambda: schedules.LogCosineCycles(0.5, 20, cycles=2),),
    "one_cycle": (lambda: schedules.OneCycle(0.5, 20), lambda: schedules.OneCycle(0.5, 20, three_phase=True)),
    "piecewise_constant_decay": (lambda: schedules.PiecewiseConstantDecay([3, 6], [0.5, 0.2, 0.1]),),
    "polynomial_decay": (lambda: schedules.PolynomialDecay(0.5, 10, power=0.5),),
}
