"""Metrics. Every loss is one too: ``metrics.get("mse")``, ``metrics.MeanSquaredError()``.

>>> from thalweg import metrics
>>> metrics.MeanSquaredError().name
'mean_squared_error'
"""

from collections.abc import Callable
from typing import Any

from thalweg import losses
from thalweg.metrics.accuracy import Accuracy as Accuracy
from thalweg.metrics.accuracy import BinaryAccuracy as BinaryAccuracy
from thalweg.metrics.accuracy import CategoricalAccuracy as CategoricalAccuracy
from thalweg.metrics.accuracy import SparseCategoricalAccuracy as SparseCategoricalAccuracy
from thalweg.metrics.accuracy import SparseTopKCategoricalAccuracy as SparseTopKCategoricalAccuracy
from thalweg.metrics.accuracy import TopKCategoricalAccuracy as TopKCategoricalAccuracy
from thalweg.metrics.auc import AUC as AUC
from thalweg.metrics.counts import F1Score as F1Score
from thalweg.metrics.counts import FalseNegatives as FalseNegatives
from thalweg.metrics.counts import FalsePositives as FalsePositives
from thalweg.metrics.counts import FBetaScore as FBetaScore
from thalweg.metrics.counts import Precision as Precision
from thalweg.metrics.counts import Recall as Recall
from thalweg.metrics.counts import TrueNegatives as TrueNegatives
from thalweg.metrics.counts import TruePositives as TruePositives
from thalweg.metrics.matrix import BalancedAccuracy as BalancedAccuracy
from thalweg.metrics.matrix import BinaryIoU as BinaryIoU
from thalweg.metrics.matrix import ConfusionMatrix as ConfusionMatrix
from thalweg.metrics.matrix import IoU as IoU
from thalweg.metrics.matrix import MatthewsCorrelationCoefficient as MatthewsCorrelationCoefficient
from thalweg.metrics.matrix import MeanIoU as MeanIoU
from thalweg.metrics.matrix import OneHotIoU as OneHotIoU
from thalweg.metrics.matrix import OneHotMeanIoU as OneHotMeanIoU
from thalweg.metrics.mean import Mean as Mean
from thalweg.metrics.mean import MeanLoss as MeanLoss
from thalweg.metrics.metric import MeanMetric as MeanMetric
from thalweg.metrics.metric import Metric as Metric
from thalweg.metrics.metric import registry as registry
from thalweg.metrics.regression import BrierScore as BrierScore
from thalweg.metrics.regression import DiceCoefficient as DiceCoefficient
from thalweg.metrics.regression import R2Score as R2Score
from thalweg.metrics.regression import RootMeanSquaredError as RootMeanSquaredError
from thalweg.metrics.report import ClassificationReport as ClassificationReport
from thalweg.metrics.report import ConfusionTable as ConfusionTable
from thalweg.metrics.report import average_precision_score as average_precision_score
from thalweg.metrics.report import classification_report as classification_report
from thalweg.metrics.report import confusion_matrix as confusion_matrix
from thalweg.metrics.report import roc_auc_score as roc_auc_score
from thalweg.metrics.resolve import get as get
from thalweg.metrics.resolve import resolve as resolve


def __getattr__(name: str) -> Callable[..., MeanLoss]:
    """The metric of a loss under the name of the loss's class, as in Keras: ``MeanSquaredError(name="mse")``."""
    found = {entry.__name__: entry for _, entry in losses.registry.items()}.get(name)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    loss_class: Any = found

    def metric(*args: Any, name: str | None = None, **kwargs: Any) -> MeanLoss:
        return MeanLoss(loss_class(*args, **kwargs), name=name)

    metric.__name__ = metric.__qualname__ = name
    metric.loss_class = loss_class  # type: ignore[attr-defined]  # so that `metrics=[metrics.MeanSquaredError]` works
    return metric
