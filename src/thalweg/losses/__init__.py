"""Losses: as classes, and under every registered name as functions that give the values before reduction.

    >>> from thalweg import losses
    >>> losses.get("mse") == losses.MeanSquaredError()
    True

``losses.mse(y_true, y_pred)`` is ``losses.MeanSquaredError().per_sample(y_true, y_pred)`` with the shapes checked.
"""

from collections.abc import Callable
from typing import Any

from thalweg.graph.node import Node
from thalweg.losses.combined import OnlineHardExamples as OnlineHardExamples
from thalweg.losses.combined import WeightedSum as WeightedSum
from thalweg.losses.crossentropy import BinaryCrossentropy as BinaryCrossentropy
from thalweg.losses.crossentropy import CategoricalCrossentropy as CategoricalCrossentropy
from thalweg.losses.crossentropy import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from thalweg.losses.focal import BinaryFocalCrossentropy as BinaryFocalCrossentropy
from thalweg.losses.focal import CategoricalFocalCrossentropy as CategoricalFocalCrossentropy
from thalweg.losses.focal import SparseCategoricalFocalCrossentropy as SparseCategoricalFocalCrossentropy
from thalweg.losses.likelihood import GaussianNegativeLogLikelihood as GaussianNegativeLogLikelihood
from thalweg.losses.likelihood import KLDivergence as KLDivergence
from thalweg.losses.likelihood import Poisson as Poisson
from thalweg.losses.loss import Loss as Loss
from thalweg.losses.loss import registry as registry
from thalweg.losses.margin import CategoricalHinge as CategoricalHinge
from thalweg.losses.margin import Hinge as Hinge
from thalweg.losses.margin import SquaredHinge as SquaredHinge
from thalweg.losses.overlap import Dice as Dice
from thalweg.losses.overlap import Tversky as Tversky
from thalweg.losses.regression import CosineSimilarity as CosineSimilarity
from thalweg.losses.regression import Huber as Huber
from thalweg.losses.regression import LogCosh as LogCosh
from thalweg.losses.regression import MeanAbsoluteError as MeanAbsoluteError
from thalweg.losses.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from thalweg.losses.regression import MeanSquaredError as MeanSquaredError
from thalweg.losses.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from thalweg.losses.regression import QuantileLoss as QuantileLoss
from thalweg.losses.regression import RootMeanSquaredError as RootMeanSquaredError


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
