"""Losses: as classes, and under every registered name as functions that give the values before reduction.

    >>> from thalweg import losses
    >>> losses.get("mse") == losses.MeanSquaredError()
    True

``losses.mse(y_true, y_pred)`` is ``losses.MeanSquaredError().per_sample(y_true, y_pred)`` with the shapes checked.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg import absent
from thalweg.graph.node import Node
from thalweg.losses.combined import *
from thalweg.losses.crossentropy import *
from thalweg.losses.focal import *
from thalweg.losses.likelihood import *
from thalweg.losses.loss import Loss as Loss
from thalweg.losses.loss import registry as registry
from thalweg.losses.margin import *
from thalweg.losses.overlap import *
from thalweg.losses.regression import *
from thalweg.losses.sequence import *
from thalweg.losses.similarity import *

serialize, deserialize = registry.config, registry.deserialize


def get(identifier: Any) -> Loss:
    """The loss meant by a name, a class, a saved description, one of the functions below, or the object itself.

    Raises: NameNotFoundError or ArgumentError.
    """
    return registry.get(getattr(identifier, "loss_class", identifier))


def _function(name: str) -> Callable[..., Node] | None:
    """The function of a registered name."""
    loss_class = registry.attribute(name.casefold())
    if loss_class is None:
        return None

    def function(y_true: Any, y_pred: Any, *arguments: Any, **options: Any) -> Any:
        loss: Loss = loss_class(*arguments, **options, reduction="none")
        if isinstance(y_pred, Node) or np.ndim(y_pred) != 1:
            return loss(y_true, y_pred)
        return loss(np.asarray(y_true)[None], np.asarray(y_pred)[None])[0]  # one sample, as in Keras

    function.__name__ = function.__qualname__ = name
    function.loss_class = loss_class  # type: ignore[attr-defined]  # so that `loss=losses.mse` means the whole loss
    function.__doc__ = loss_class.__doc__
    return function


if TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Node]: ...
else:
    __getattr__ = absent.answers(__name__, _function)
