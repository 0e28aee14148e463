"""Metrics. Every loss is one too: ``metrics.get("mse")``, ``metrics.MeanSquaredError()``.

>>> from thalweg import metrics
>>> metrics.MeanSquaredError().name
'mean_squared_error'
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from thalweg import absent, losses
from thalweg.metrics.accuracy import *
from thalweg.metrics.auc import *
from thalweg.metrics.counts import *
from thalweg.metrics.matrix import *
from thalweg.metrics.mean import *
from thalweg.metrics.mean import MeanLoss as MeanLoss
from thalweg.metrics.metric import *
from thalweg.metrics.metric import registry as registry
from thalweg.metrics.regression import *
from thalweg.metrics.report import *
from thalweg.metrics.resolve import get as get
from thalweg.metrics.resolve import resolve as resolve

serialize, deserialize = registry.config, registry.deserialize


def _of_loss(name: str) -> Callable[..., MeanLoss] | None:
    """The metric of a loss under the name of the loss's class, as in Keras: ``MeanSquaredError(name="mse")``."""
    found = {entry.__name__: entry for _, entry in losses.registry.items()}.get(name)
    if found is None:
        return None
    loss_class: Any = found

    def metric(*args: Any, name: str | None = None, **kwargs: Any) -> MeanLoss:
        return MeanLoss(loss_class(*args, **kwargs), name=name)

    metric.__name__ = metric.__qualname__ = name
    metric.loss_class = loss_class  # type: ignore[attr-defined]  # so that `metrics=[metrics.MeanSquaredError]` works
    return metric


if TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., MeanLoss]: ...
else:
    __getattr__ = absent.answers(__name__, _of_loss)
