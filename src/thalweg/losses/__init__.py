"""Losses: as classes, and under every registered name as functions that give the values before reduction.

    >>> from thalweg import losses
    >>> losses.get("mse") == losses.MeanSquaredError()
    True

``losses.mse(y_true, y_pred)`` is ``losses.MeanSquaredError().per_sample(y_true, y_pred)`` with the shapes checked.
"""

from collections.abc import Callable
from typing import Any

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


def get(identifier: Any) -> Loss:
    """The loss meant by a name, a class, a saved description, one of the functions below, or the object itself.

    Raises: NameNotFoundError or ArgumentError.
    """
    return registry.get(getattr(identifier, "loss_class", identifier))


def __getattr__(name: str) -> Callable[..., Node]:
    """The function of a registered name."""
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        loss_class = registry.find(name)
    except LookupError as error:
        raise AttributeError(str(error)) from None

    def function(y_true: Node, y_pred: Node, **options: Any) -> Node:
        loss: Loss = loss_class(**options, reduction="none")
        return loss(y_true, y_pred)

    function.__name__ = function.__qualname__ = name
    function.loss_class = loss_class  # type: ignore[attr-defined]  # so that `loss=losses.mse` means the whole loss
    function.__doc__ = loss_class.__doc__
    return function
