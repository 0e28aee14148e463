"""Metrics. Every loss is one too: ``metrics.get("mse")``, ``metrics.MeanLoss(losses.MeanSquaredError())``."""

from thalweg.metrics.accuracy import Accuracy as Accuracy
from thalweg.metrics.accuracy import BinaryAccuracy as BinaryAccuracy
from thalweg.metrics.accuracy import CategoricalAccuracy as CategoricalAccuracy
from thalweg.metrics.accuracy import SparseCategoricalAccuracy as SparseCategoricalAccuracy
from thalweg.metrics.mean import Mean as Mean
from thalweg.metrics.mean import MeanLoss as MeanLoss
from thalweg.metrics.metric import MeanMetric as MeanMetric
from thalweg.metrics.metric import Metric as Metric
from thalweg.metrics.metric import registry as registry
from thalweg.metrics.resolve import get as get
from thalweg.metrics.resolve import resolve as resolve
