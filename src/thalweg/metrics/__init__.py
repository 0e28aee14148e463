"""Metrics. Every loss is one too: ``metrics.get("mse")``, ``metrics.MeanSquaredError()``.

>>> from thalweg import metrics
>>> metrics.MeanSquaredError().name
'mean_squared_error'
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg import absent, config, losses
from thalweg.graph.node import Node
from thalweg.losses.loss import column
from thalweg.metrics.accuracy import *
from thalweg.metrics.auc import *
from thalweg.metrics.counts import *
from thalweg.metrics.matrix import *
from thalweg.metrics.mean import *
from thalweg.metrics.mean import MeanLoss as MeanLoss
from thalweg.metrics.metric import *
from thalweg.metrics.metric import MeanMetric as MeanMetric
from thalweg.metrics.metric import registry as registry
from thalweg.metrics.regression import *
from thalweg.metrics.report import *
from thalweg.metrics.resolve import get as get
from thalweg.metrics.resolve import resolve as resolve
from thalweg.metrics.thresholds import *
from thalweg.ops.literal import plain_array
from thalweg.ops.reference import on_arrays

serialize, deserialize = registry.config, registry.deserialize


def _of_loss(name: str) -> Callable[..., Any] | None:
    """The metric of a loss under the name of the loss's class, as in Keras: ``MeanSquaredError(name="mse")``.

    Under names in small letters the functions: ``binary_accuracy(y_true, y_pred)`` gives the values before the mean.
    """
    if name.islower():
        return _function(name)
    found = {entry.__name__: entry for _, entry in losses.registry.items()}.get(name)
    if found is None:
        return None
    loss_class: Any = found

    def metric(*args: Any, name: str | None = None, **kwargs: Any) -> MeanLoss:
        return MeanLoss(loss_class(*args, **kwargs), name=name)

    metric.__name__ = metric.__qualname__ = name
    metric.loss_class = loss_class  # type: ignore[attr-defined]  # so that `metrics=[metrics.MeanSquaredError]` works
    return metric


def _function(name: str) -> Callable[..., Any] | None:
    """The function of a registered name: of a metric that is a mean its values, of a loss the loss's."""
    metric_class: Any = registry.attribute(name)
    if metric_class is None or not issubclass(metric_class, MeanMetric):
        return getattr(losses, name, None)

    def function(y_true: Any, y_pred: Any, *arguments: Any, **options: Any) -> Any:
        fields = [field.name for field in dataclasses.fields(metric_class) if not field.kw_only]
        metric = metric_class(**dict(zip(fields, arguments, strict=False)), **options)
        if isinstance(y_pred, Node):
            return metric.values(y_true, column(y_pred))
        true, said = plain_array(y_true, "y_true"), plain_array(y_pred, "y_pred")
        said = said.astype("float64" if said.dtype == np.float64 else config.floatx())
        return on_arrays(lambda *nodes: {"values": metric.values(*nodes)}, true, said)["values"]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = metric_class.__doc__
    function.metric_class = metric_class  # type: ignore[attr-defined]  # so that `metrics=[metrics.binary_accuracy]` works
    return function


if TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Any]: ...
else:
    __getattr__ = absent.answers(__name__, _of_loss)
