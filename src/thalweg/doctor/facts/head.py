"""The end of a network against its loss and its targets: what does not fit."""

from __future__ import annotations

import math
from typing import Any

from thalweg import layers, losses
from thalweg.doctor.facts.network import Network
from thalweg.doctor.facts.targets import SQUARED, only_goal
from thalweg.doctor.record import Head, Targets, Task
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.ops.contraction import Contraction
from thalweg.ops.convolution import Convolution, TransposedConvolution
from thalweg.ops.elementwise import Add, Exp, Relu, Sigmoid, Softplus, Tanh
from thalweg.ops.shape import unreshaped
from thalweg.ops.softmax import Softmax
from thalweg.training.goals import Goals

BY_OP = {Softmax: "softmax", Sigmoid: "sigmoid", Relu: "relu", Tanh: "tanh", Softplus: "softplus", Exp: "exponential"}
BY_LAYER = {
    layers.LeakyReLU: "leaky_relu",
    layers.PReLU: "prelu",
    layers.ELU: "elu",
    layers.Softmax: "softmax",
}

RANGES = {
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "softplus": (0.0, math.inf),
    "exponential": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "hard_sigmoid": (0.0, 1.0),
    "softsign": (-1.0, 1.0),
    "elu": (-1.0, math.inf),
    "selu": (-1.76, math.inf),
}
"""What an activation can give; any number where it does not stand here."""

PROBABILITIES = ("softmax", "sigmoid", "hard_sigmoid", "sparsemax")

OF_CLASSES = (losses.SparseCategoricalCrossentropy, losses.CategoricalCrossentropy, losses.CategoricalFocalCrossentropy)
OF_ANSWERS = (losses.BinaryCrossentropy, losses.BinaryFocalCrossentropy)

MARGIN = 0.1
"""Deviations of the targets by which they may lie outside of the range of the head."""

FEW = 20
"""Classes that numbers may stand for if nobody says what they are."""


@dataclass(frozen=True)
class Misfit:
    """What does not fit, whether that keeps it from learning, and what would."""

    fault: str
    sure: bool
    change: str


def head_of(goals: Goals | None, network: Network, targets: Targets | None, task: Task | None) -> Head | None:
    """Of the only output that is trained; None if there are several, or what is trained is not an output's loss.

    Arguments:
        task: as told or inferred; without one only what fits no task is a fault.
    """
    goal = only_goal(goals)
    if goal is None or goals is None:
        return None
    node = network.predictions[goals.names_of_outputs.index(goal.name)]
    units = 1 if node.rank < 2 else node.shape[-1]
    activation = last_activation(network, node)
    from_logits = bool(getattr(goal.loss, "from_logits", False))
    found = misfit(activation, units, goal.loss, from_logits, targets, task)
    return Head(
        layer=network.layer_of(node),
        units=units,
        activation=activation,
        loss=goal.loss.name if goal.loss is not None and goal.loss.name else "",
        from_logits=from_logits,
        linear=activation == "linear",
        fault=found.fault if found else None,
        sure=bool(found and found.sure),
        change=found.change if found else "",
    )


def last_activation(network: Network, prediction: Node) -> str:
    """By name; ``"linear"`` for what a product or a sum gives; else the name of the layer's class."""
    made_by = unreshaped(prediction)
    for op, name in BY_OP.items():
        if isinstance(made_by.op, op):
            return name
    named = activation_name(network.maker(made_by))
    if named != "linear":
        return named
    layer = network.maker(made_by)
    linear = isinstance(made_by.op, Contraction | Convolution | TransposedConvolution | Add) or hasattr(
        layer, "activation"
    )
    return "linear" if linear or layer is None else type(layer).__name__


def activation_name(layer: Any) -> str:
    """Of a layer's argument, or of a layer that is one: ``"relu"``; ``"linear"`` without."""
    if isinstance(layer, layers.ReLU):
        return "leaky_relu" if layer.negative_slope else "relu"
    for kind, name in BY_LAYER.items():
        if isinstance(layer, kind):
            return name
    value = getattr(layer, "activation", None)
    if value is None or isinstance(value, str):
        return value or "linear"
    if isinstance(value, layers.Layer):
        return activation_name(value)
    return str(getattr(value, "__name__", type(value).__name__))


def misfit(
    activation: str, units: int, loss: Any, from_logits: bool, targets: Targets | None, task: Task | None
) -> Misfit | None:
    """What does not fit, the gravest first; None if all fits, or nobody knows.

    ==========================  ===============================  ====================================================
    head                        loss and targets                 what is wrong
    ==========================  ===============================  ====================================================
    softmax over one unit       any                              always 1 (sure)
    softmax over several        any number of them may be 1      adds up to 1, which the targets do not (sure)
    softmax, sigmoid            crossentropy from logits         squashed twice (may; it learns slowly)
    anything but these          crossentropy of probabilities    no probabilities (sure)
    one unit                    squared error of class numbers   classes have no order (sure if the task is told)
    softmax, sigmoid, relu      squared error of classes         small gradients where it errs most (may)
    sigmoid over several        crossentropy over classes        probabilities do not add up (may; it trains)
    softmax over several > 2    binary crossentropy              each class on its own, yet they add up to 1 (may)
    bounded                     numbers beyond its range         cannot be reached (sure if much is outside)
    ==========================  ===============================  ====================================================
    """
    checks = (_constant, _of_answers, _logits, _of_numbers, _of_classes, _of_range)
    return next(filter(None, (check(activation, units, loss, from_logits, targets, task) for check in checks)), None)


def _constant(activation: str, units: int, loss: Any, *_: Any) -> Misfit | None:
    if activation != "softmax" or units > 1:
        return None
    fix = "None" if isinstance(loss, SQUARED) else "'sigmoid', loss='binary_crossentropy'"
    return Misfit("a softmax over one unit is always 1", True, f"activation={fix}")


def _of_answers(
    activation: str, units: int, loss: Any, from_logits: bool, targets: Targets | None, *_: Any
) -> Misfit | None:
    """Several questions, of which a softmax lets one be answered by yes."""
    if activation != "softmax" or targets is None or not targets.answers:
        return None
    fault = "a softmax adds up to 1 over the units, and of the targets several may be 1, or none"
    return Misfit(fault, True, "activation='sigmoid', loss='binary_crossentropy'")


def _logits(activation: str, units: int, loss: Any, from_logits: bool, *_: Any) -> Misfit | None:
    if not isinstance(loss, OF_CLASSES + OF_ANSWERS):
        return None
    if from_logits and activation in ("softmax", "sigmoid"):
        fault = f"the loss takes logits (from_logits=True) and gets what a {activation} made of them"
        return Misfit(fault, False, "from_logits=False, or no activation in the last layer")
    if not from_logits and activation not in PROBABILITIES:
        fitting = "softmax" if isinstance(loss, OF_CLASSES) else "sigmoid"
        fault = f"the loss takes probabilities and the last layer gives {_in_words(activation)}"
        return Misfit(fault, True, f"activation={fitting!r} in the last layer, or from_logits=True")
    return None


def _of_numbers(
    activation: str, units: int, loss: Any, from_logits: bool, targets: Targets | None, task: Task | None
) -> Misfit | None:
    """Classes that one unit is to hit as if they were quantities."""
    if not isinstance(loss, SQUARED) or units > 1 or targets is None or not _are_class_numbers(targets):
        return None
    classes = round(targets.most) + 1
    if task == "multiclass" or (task is None and classes <= FEW and len(targets.shares) > 2):
        fault = f"one unit is to hit the numbers of {classes} classes, as if class 2 lay between 1 and 3"
        change = f"{classes} units with activation='softmax', loss='sparse_categorical_crossentropy'"
        return Misfit(fault, task == "multiclass", change)
    return None


def _are_class_numbers(targets: Targets) -> bool:
    return targets.least == 0 and targets.most >= 2 and float(targets.most).is_integer()


def _of_classes(
    activation: str, units: int, loss: Any, from_logits: bool, targets: Targets | None, task: Task | None
) -> Misfit | None:
    """Losses that learn classes badly."""
    if isinstance(loss, OF_CLASSES) and activation == "sigmoid" and units > 1:
        return Misfit(
            "the units of a sigmoid do not add up to 1 over the classes",
            False,
            "activation='softmax', or loss='binary_crossentropy'",
        )
    if isinstance(loss, OF_ANSWERS) and activation == "softmax" and units > 2 and task == "multiclass":
        return Misfit(
            "binary crossentropy takes each class for a question of its own, while a softmax lets one win",
            False,
            "loss='categorical_crossentropy'",
        )
    if isinstance(loss, SQUARED) and task in ("binary", "multiclass") and activation in (*PROBABILITIES, "relu"):
        what = "relu" if activation == "relu" else f"a {activation}"
        several, one = ("categorical_crossentropy", "softmax"), ("binary_crossentropy", "sigmoid")
        fitting, end = several if units > 1 else one
        return Misfit(
            f"{loss.name} of {what} has small gradients where it errs most",
            False,
            f"loss={fitting!r}, activation={end!r}",
        )
    return None


def _of_range(
    activation: str, units: int, loss: Any, from_logits: bool, targets: Targets | None, task: Task | None
) -> Misfit | None:
    """Numbers that the last activation cannot give."""
    low, high = RANGES.get(activation, (-math.inf, math.inf))
    if targets is None or not isinstance(loss, SQUARED) or targets.shares or task in ("binary", "multiclass"):
        return None
    margin = MARGIN * targets.deviation
    if targets.least >= low - margin and targets.most <= high + margin:
        return None
    sure = targets.mean - targets.deviation < low or targets.mean + targets.deviation > high
    fault = (
        f"{_in_words(activation)} lie in [{low:g}, {high:g}], and the targets go from {targets.least:.3g} to "
        f"{targets.most:.3g}"
    )
    return Misfit(fault, sure, "no activation in the last layer, or targets scaled into its range")


def _in_words(activation: str) -> str:
    return "any number" if activation == "linear" else f"the results of {activation}"
