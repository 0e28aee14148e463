"""What a model is trained for and measured by: the loss and the metrics of each output, as ``compile`` was told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from thalweg import losses, metrics, ops
from thalweg.checks import In, check_value
from thalweg.errors import ArgumentError, did_you_mean
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import Shape, TensorType
from thalweg.losses.automatic import AUTO, choose
from thalweg.losses.function import FunctionLoss
from thalweg.losses.loss import Loss
from thalweg.metrics.metric import Metric, parts
from thalweg.metrics.resolve import ACCURACY, CROSSENTROPY

LossWeight = Annotated[float, In("[0, inf)")]

LOSS = "loss"
"""The name of the loss among the sums and in the logs."""
PENALTY = "regularization"
"""The name among the sums of what the regularizers add to the loss, where there are any."""
VALIDATION = "val_"
"""What stands before the names in the logs of a validation."""
OURS = (LOSS, PENALTY, "epoch", "batch")
"""Names in the logs, and beside them in callbacks, that no output's loss and no metric gets."""


@dataclass(frozen=True)
class Measure:
    """A metric under the name that it has in the logs."""

    name: str
    metric: Metric
    weighted: bool


@dataclass(frozen=True)
class Goal:
    """What one output should come near to.

    Arguments:
        name: the output's name; "" for a model with one output.
        output: the output's type for some batch size.
        loss: None for an output that is only measured.
        loss_name: of this output's loss in the logs.
        kind: a loss that says what targets look like: the output's own if it has one.
    """

    name: str
    output: TensorType
    loss: Loss | None
    loss_name: str
    kind: Loss
    loss_weight: float
    measures: tuple[Measure, ...]

    @property
    def label(self) -> str:
        """Of the graph's input for the targets."""
        return f"y/{self.name}" if self.name else "y"

    @property
    def weight_label(self) -> str:
        """Of the graph's input for the sample weights."""
        return f"sample_weight/{self.name}" if self.name else "sample_weight"

    def target(self, batch: int) -> TensorType:
        """The type of the targets of a batch."""
        kind = _target(self.kind, self.output)
        return kind.with_shape((batch, *kind.shape[1:]))

    def values_shape(self) -> Shape:
        """Of the values of the loss for one sample, before they are reduced; () where it takes no weight of a place."""
        if not self.kind.weighs_places:
            return ()
        kind = self.target(2)
        y_pred = ops.input_node("y_pred", (2, *self.output.shape[1:]), self.output.dtype)
        return self.kind.values(ops.input_node("y_true", kind.shape, kind.dtype), y_pred)[0].shape[1:]

    def prepare(self, y: np.ndarray) -> np.ndarray:
        """The targets as the graph takes them. Raises DataError or ShapeError if they do not fit the loss."""
        return self.kind.prepare(y, _column(self.output))


@dataclass(frozen=True)
class Goals:
    """The goals of a model, in the order of its outputs.

    Arguments:
        names_of_outputs: all of them, also those that are neither trained nor measured and have no goal.
    """

    outputs: tuple[Goal, ...]
    names_of_outputs: tuple[str, ...]

    @property
    def trained(self) -> list[Goal]:
        """Those with a loss."""
        return [goal for goal in self.outputs if goal.loss is not None]

    @property
    def parts(self) -> list[Goal]:
        """Those whose losses stand in the logs beside the whole, as in Keras: all, if there are several."""
        return [goal for goal in self.trained if goal.name and len(self.trained) > 1]

    def metrics(self) -> dict[str, Metric]:
        """All metrics by their names in the logs."""
        return {measure.name: measure.metric for goal in self.outputs for measure in goal.measures}

    @property
    def names(self) -> list[str]:
        """The names of the logs in the order of ``evaluate``: the loss, the outputs' losses, the metrics."""
        parts = [goal.loss_name for goal in self.parts]
        return [LOSS, *parts, *(measure.name for goal in self.outputs for measure in goal.measures)]

    def results(self, sums: Mapping[str, Any]) -> dict[str, Any]:
        """The logs from the sums of a step graph (see ``training.step``), by their names without a prefix.

        Values are floats, and arrays for metrics with one number for each class, threshold or output.
        """
        penalty = parts(sums, PENALTY)
        logs: dict[str, Any] = {LOSS: _mean(**penalty) if penalty else 0.0}
        for goal in self.trained:
            own = parts(sums, goal.loss_name)
            # While training these are the batches' losses, in evaluation what the loss itself adds up.
            value = _mean(**own) if "samples" in own else goal.kind.result(**own)
            logs[LOSS] += goal.loss_weight * value
            if goal in self.parts:
                logs[goal.loss_name] = value
        for goal in self.outputs:
            for measure in goal.measures:
                own = parts(sums, measure.name)
                if measure.metric.is_formula:
                    logs[measure.name] = measure.metric.result(**own)
                    continue
                value = measure.metric.value_of(own)
                logs |= value if isinstance(value, Mapping) else {measure.name: value}
        return logs

    def rises(self, name: str) -> bool | None:
        """Whether larger values under this name in the logs are better; None if that is not known."""
        if name == LOSS or any(name == goal.loss_name for goal in self.outputs):
            return False
        metric = next((m.metric for goal in self.outputs for m in goal.measures if m.name == name), None)
        return None if metric is None else getattr(metric, "rises", "loss" not in type(metric).__name__.lower())


def _mean(total: float, samples: float) -> float:
    """NaN over nothing: of an epoch whose first step came to no end."""
    return total / samples if samples else math.nan


def goals_of(
    outputs: Mapping[str, TensorType],
    loss: Any,
    loss_weights: Any,
    measured: Any,
    weighted: Any,
    needs_loss: bool = True,
    fronts: Mapping[str, str] | None = None,
) -> Goals:
    """The goals that the arguments of ``compile`` mean.

    Arguments:
        outputs: name -> type; the only output of a model is called "".
        loss, loss_weights, measured, weighted: for one output as they are; for several a list in their order, or a
            mapping by their names; loss and metrics given once go for each. An output without a loss is not trained.
        needs_loss: whether it is an error if no output has one.
        fronts: what stands in front of the metrics of an output, where that is not its name.

    Raises: ArgumentError or NameNotFoundError, naming the argument.
    """
    names = list(outputs)
    of_loss = _per_output(loss, names, "loss")
    of_weight = _per_output(1.0 if loss_weights is None else loss_weights, names, "loss_weights")
    of_metrics = _metrics_per_output(measured, names, "metrics")
    of_weighted = _metrics_per_output(weighted, names, "weighted_metrics")
    taken = set(OURS)
    loss_names = {name: _distinct(f"{name}_{LOSS}", taken) if name else LOSS for name in names}
    goals = []
    for name, kind in outputs.items():
        identifiers = [(m, False) for m in of_metrics[name]] + [(m, True) for m in of_weighted[name]]
        own_loss = None if (len(names) > 1 or not needs_loss) and of_loss[name] is None else _loss(of_loss[name])
        targets = own_loss or _kind_of_targets([identifier for identifier, _ in identifiers], kind)
        measures = []
        for identifier, is_weighted in identifiers:
            metric = metrics.resolve(identifier, _target(targets, kind), kind, own_loss)
            front = (fronts or {}).get(name, name) if len(names) > 1 else ""
            label = _metric_name(identifier, metric, front, is_weighted, taken)
            measures.append(Measure(label, metric, is_weighted))
        if own_loss is not None or measures:
            weight = check_value("compile", "loss_weights", LossWeight, of_weight[name])
            goals.append(Goal(name, kind, own_loss, loss_names[name], targets, weight, tuple(measures)))
    if needs_loss and not any(goal.loss for goal in goals):
        _loss(None)
    return Goals(tuple(goals), tuple(names))


def _kind_of_targets(identifiers: Sequence[Any], output: TensorType) -> Loss:
    """A loss whose targets are those of these metrics, for an output without one: class numbers, or like the output.

    ``"accuracy"`` and ``"crossentropy"`` of several units take class numbers; the words for one-hot targets say so.
    """
    several = output.rank > 1 and output.shape[-1] > 1
    for identifier in identifiers:
        if identifier in (*ACCURACY, *CROSSENTROPY):
            sparse = True
        else:
            metric = metrics.get(identifier)
            sparse = getattr(getattr(metric, "loss", None), "sparse", type(metric).__name__.startswith("Sparse"))
        if several and sparse:
            return losses.SparseCategoricalCrossentropy()
    return losses.MeanSquaredError()


def check_names(compiled: Mapping[str, Any]) -> None:
    """What can be said about the arguments of ``compile`` before the model has outputs.

    Raises: NameNotFoundError for a loss or metric that does not exist.
    """
    for name in _names_in(compiled["loss"]):
        if name != AUTO:
            losses.get(name)
    for name in [*_names_in(compiled["metrics"]), *_names_in(compiled["weighted_metrics"])]:
        if name not in (*ACCURACY, *CROSSENTROPY):
            metrics.get(name)


def is_open(loss: Any) -> bool:
    """Whether the loss of an output is yet to be chosen, ``"auto"``."""
    return AUTO in _names_in(loss)


def chosen(loss: Any, predictions: Mapping[str, Node], targets: Mapping[str, np.ndarray]) -> tuple[Any, str]:
    """The argument ``loss`` with what ``"auto"`` means in its place, and a line for each that says what was chosen.

    Arguments:
        loss: as in ``goals_of``.
        predictions, targets: by output.
    """
    of_loss = _per_output(loss, list(predictions), "loss")
    lines = []
    for name, identifier in of_loss.items():
        if identifier == AUTO:
            of_loss[name], line = choose(targets[name], predictions[name])
            lines.append(f"output {name!r}: {line}" if name else line)
    return (of_loss[""] if list(of_loss) == [""] else of_loss), "\n".join(lines)


def _names_in(value: Any) -> list[str]:
    """The strings in nested lists and mappings, without the keys; descriptions of objects are left alone."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [] if "class_name" in value else [name for item in value.values() for name in _names_in(item)]
    return [name for item in value for name in _names_in(item)] if isinstance(value, list | tuple) else []


def _target(loss: Loss, output: TensorType) -> TensorType:
    """The type of the targets."""
    return loss.target_type(_column(output))


def _column(output: TensorType) -> TensorType:
    """An output of one number a sample without an axis for it counts as a column."""
    return output if output.rank > 1 else output.with_shape((*output.shape, 1))


def _loss(identifier: Any) -> Loss:
    if identifier is None:
        raise ArgumentError(
            "the model has no loss",
            expected="a loss for each output",
            got="loss=None",
            fix="pass loss= to compile, for example loss='mse'",
        )
    if isinstance(identifier, str) and identifier == AUTO:
        raise ArgumentError(
            "the loss is not chosen yet",
            expected="targets, from which loss='auto' is chosen",
            got="a model that has seen none",
            fix="call fit first, or name the loss in compile",
        )
    given = losses.get(identifier)
    loss = given if isinstance(given, Loss) else FunctionLoss(given)
    if loss.reduction in ("none", None):
        raise ArgumentError(
            f"loss {loss.name!r} gives no single number to make smaller",
            expected="a reduction, as 'sum_over_batch_size'",
            got=f"reduction={loss.reduction!r}",
            fix="leave the argument reduction out",
        )
    return loss


def _metric_name(identifier: Any, metric: Metric, output: str, weighted: bool, taken: set[str]) -> str:
    """The name in the logs: as written ('acc' stays 'acc'), with the output's in front, distinct from others.

    A weighted metric that is measured without weights too is called ``weighted_<name>``, as in Keras.
    """
    own = identifier if isinstance(identifier, str) else str(metric.name)
    front = f"{output}_" if output else ""
    return _distinct(f"{front}weighted_{own}" if weighted and f"{front}{own}" in taken else f"{front}{own}", taken)


def _distinct(base: str, taken: set[str]) -> str:
    """The name, or with a number if it, or what a validation makes of either, is taken; it is taken then."""
    name, count = base, 1
    while not taken.isdisjoint((name, VALIDATION + name, name.removeprefix(VALIDATION))):
        name, count = f"{base}_{count}", count + 1
    taken.add(name)
    return name


def _per_output(value: Any, names: Sequence[str], what: str) -> dict[str, Any]:
    if isinstance(value, Mapping) and "class_name" not in value:
        unknown = [name for name in value if name not in names]
        if unknown:
            raise _unknown_output(what, unknown[0], names)
        missing = 1.0 if what == "loss_weights" else None
        return {name: value.get(name, missing) for name in names}
    if isinstance(value, list | tuple):
        if len(value) != len(names):
            raise ArgumentError(
                f"argument {what!r} does not fit the model's outputs",
                expected=f"{len(names)} entries, one for each output",
                got=f"{len(value)}",
                fix=f"pass one entry for each of {', '.join(map(repr, names))}",
            )
        return dict(zip(names, value, strict=True))
    return dict.fromkeys(names, value)


def _metrics_per_output(value: Any, names: Sequence[str], what: str) -> dict[str, list[Any]]:
    """For several outputs a list has one entry (a metric or a list of them) for each; one name goes for each."""
    if len(names) == 1 and not isinstance(value, Mapping):
        return {names[0]: _as_list(value)}
    return {name: _as_list(part) for name, part in _per_output(value, names, what).items()}


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _unknown_output(what: str, name: object, names: Sequence[str]) -> ArgumentError:
    several = list(names) != [""]
    return ArgumentError(
        f"argument {what!r} names an output that the model does not have",
        expected=", ".join(map(repr, names)) if several else "the name of the last layer, or no mapping",
        got=repr(name),
        fix=did_you_mean(str(name), names) if several else "the model has one output: pass it without a mapping",
    )
