"""What a user's word for a metric stands for, given the shapes of targets and predictions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from thalweg import losses
from thalweg.errors import NameNotFoundError, did_you_mean, listed
from thalweg.graph.types import TensorType
from thalweg.losses import BinaryCrossentropy, CategoricalCrossentropy, Loss, SparseCategoricalCrossentropy
from thalweg.losses.crossentropy import Crossentropy
from thalweg.losses.function import FunctionLoss
from thalweg.metrics.accuracy import BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy
from thalweg.metrics.auc import AUC
from thalweg.metrics.mean import MeanLoss
from thalweg.metrics.metric import Metric, registry

ACCURACY = ("accuracy", "acc")
WITH_ARGUMENTS: dict[str, Callable[[], Metric]] = {"pr_auc": lambda: AUC(curve="PR")}
"""Words for a metric that is not made with its defaults."""
CROSSENTROPY = ("crossentropy", "ce", "log_loss")


def get(identifier: Any) -> Metric:
    """The metric meant by a name, a class, a saved description or the object itself; every loss is also a metric.

    A function of y_true and y_pred is averaged over the samples.

    Raises: NameNotFoundError if nothing has that name.
    """
    identifier = getattr(identifier, "loss_class", getattr(identifier, "metric_class", identifier))
    if isinstance(identifier, Loss) or (isinstance(identifier, type) and issubclass(identifier, Loss)):
        return MeanLoss(losses.get(identifier))
    if callable(identifier) and not isinstance(identifier, (type, Metric)):
        return MeanLoss(FunctionLoss(identifier))
    if not isinstance(identifier, str):
        return registry.get(identifier)
    try:
        make = WITH_ARGUMENTS.get(identifier.casefold())
        metric = registry.get(identifier) if make is None else make()
        if not isinstance(metric, Metric):  # a function of a user's own
            metric = MeanLoss(FunctionLoss(metric))
    except NameNotFoundError:
        try:
            loss = losses.get(identifier)
            metric = MeanLoss(loss if isinstance(loss, Loss) else FunctionLoss(loss))
        except NameNotFoundError:
            known = sorted(
                {*registry.spellings(), *losses.registry.spellings(), *WITH_ARGUMENTS, *ACCURACY, *CROSSENTROPY}
            )
            raise NameNotFoundError(
                "there is no metric of this name",
                expected=f"one of {listed(known)}",
                got=repr(identifier),
                fix=did_you_mean(identifier, known),
            ) from None
    return dataclasses.replace(metric, name=identifier)


def resolve(identifier: Any, target: TensorType, output: TensorType, loss: Loss | None = None) -> Metric:
    """As ``get``, with "accuracy" ("acc") and "crossentropy" ("ce", "log_loss") standing for the kind that fits.

    As in Keras. One prediction for each sample: binary. Targets without the axis of the classes, or with one number on
    it: sparse categorical. Else categorical.

    Arguments:
        target, output: the types of targets and predictions, batch axis included.
        loss: the model's. If its predictions are logits, the metrics take them for what they are: a crossentropy as
            logits, binary accuracy with the threshold 0, where the probability is 1/2. Differs: Keras takes them for
            probabilities. What the loss ignores a crossentropy leaves out.
    """
    if not isinstance(identifier, str) or identifier not in (*ACCURACY, *CROSSENTROPY):
        return get(identifier)
    if output.rank == 1 or output.shape[-1] == 1:
        kinds: tuple[type[Metric], Callable[..., Crossentropy]] = (BinaryAccuracy, BinaryCrossentropy)
    elif target.rank < output.rank or target.shape[-1] == 1:
        kinds = (SparseCategoricalAccuracy, SparseCategoricalCrossentropy)
    else:
        kinds = (CategoricalAccuracy, CategoricalCrossentropy)
    accuracy, crossentropy = kinds
    from_logits = getattr(loss, "from_logits", False)
    if identifier in CROSSENTROPY and crossentropy is SparseCategoricalCrossentropy:
        ignored = getattr(loss, "ignore_class", None)
        return MeanLoss(SparseCategoricalCrossentropy(from_logits, ignored), name=identifier)
    if identifier in CROSSENTROPY:
        return MeanLoss(crossentropy(from_logits=from_logits), name=identifier)
    if accuracy is BinaryAccuracy and from_logits:
        return BinaryAccuracy(threshold=0.0, name=identifier)
    return accuracy(name=identifier)
