"""What is known of a training: plain values that rules read, made by ``facts``, ``probes`` and ``watch``, or by hand.

A part that was not measured is None. Shares are of 1; deviations and means are of numbers as the model gets them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from thalweg.fields import dataclass

Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True)
class Inputs:
    """The training rows that were looked at, as they go into the model.

    Attributes:
        rows, columns: looked at; numbers of one row.
        non_finite: share of all training rows with a number that is NaN or infinite.
        largest_deviation, largest_mean: over the columns; of means the absolute value.
        deviation_ratio: the largest deviation divided by the median of those that are not 0.
        constant, repeated: share of columns that never change, and of those that are copies of another one.
        scaled_inside: whether the model itself scales them (Normalization, BatchNormalization, Rescaling first).
    """

    rows: int
    columns: int
    non_finite: float = 0.0
    largest_deviation: float = 1.0
    largest_mean: float = 0.0
    deviation_ratio: float = 1.0
    constant: float = 0.0
    repeated: float = 0.0
    scaled_inside: bool = False


@dataclass(frozen=True)
class Targets:
    """Of the training rows.

    Attributes:
        non_finite: share of rows.
        shares: of classes, the training rows' own; empty for numbers.
        mean, deviation, least, most: of numbers; of classes as the loss gets them.
        one_hot: whether classes come as one-hot rows.
        answers: whether they are several answers of yes and no, any number of which may be yes.
    """

    non_finite: float = 0.0
    shares: tuple[float, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0
    least: float = 0.0
    most: float = 0.0
    one_hot: bool = False
    answers: bool = False


@dataclass(frozen=True)
class Repeats:
    """Rows of the validation that stand among the training rows, too.

    Attributes:
        exact, near: share of validation rows with a training row that is the same; or much nearer to it than that one
            is to any other.
        exact_within, near_within: the same of training rows with another training row: what is natural.
        rows: how many independent rows tell a difference of two such shares as well as those that were compared.
    """

    exact: float
    near: float
    exact_within: float
    near_within: float
    rows: int = 1000


@dataclass(frozen=True)
class Reference:
    """What a simple method reaches on the training rows, so that numbers mean something.

    Attributes:
        chance: score of the best constant: share of the largest class, 0 for R2.
        neighbours: score of the better of two: the 5 nearest neighbours, and ridge regression; the row itself left out.
        disagreement: share of rows for which both name the same class, and it is not theirs; None for numbers.
        balanced: mean of the classes' recalls where all count as equally common; None for numbers.
        rows: how many were predicted.
    """

    chance: float
    neighbours: float
    disagreement: float | None = None
    balanced: float | None = None
    rows: int = 2000


@dataclass(frozen=True)
class Head:
    """The end of the network against its loss and targets.

    Attributes:
        fault: what does not fit, in words; None if all fits.
        sure: whether that keeps it from learning, else it only may.
        change: how to mend it.
        linear: whether it gives any number.
    """

    layer: str
    units: int
    activation: str
    loss: str
    from_logits: bool = False
    linear: bool = False
    fault: str | None = None
    sure: bool = False
    change: str = ""


@dataclass(frozen=True)
class LayerInfo:
    """One layer with weights, or an activation of its own, in the order of the data's way.

    Attributes:
        kind: name of the class.
        activation: by name; "linear" for none.
        fan_in, fan_out: of the kernel; None without one.
        gain: kernel deviation * sqrt(fan_in) before training.
        bias: mean of the bias before training.
        equal_columns: whether all units begin the same.
        residual: whether what it gives is added to what went around it.
        trainable: not frozen.
    """

    name: str
    kind: str
    activation: str = "linear"
    fan_in: int | None = None
    fan_out: int | None = None
    parameters: int = 0
    gain: float | None = None
    bias: float | None = None
    equal_columns: bool = False
    residual: bool = False
    trainable: bool = True


@dataclass(frozen=True)
class Plan:
    """How it was to be trained.

    Attributes:
        learning_rate: at the beginning.
        penalty: whether there are regularizers on kernels; dropout: the largest rate.
    """

    optimizer: str
    learning_rate: float
    batch_size: int
    rows: int | None
    steps_per_epoch: int | None
    epochs: int
    momentum: float = 0.0
    penalty: float = 0.0
    dropout: float = 0.0
    clipped: bool = False
    scheduled: bool = False
    class_weight: bool = False
    parameters: int = 0


@dataclass(frozen=True)
class Probe:
    """The network at one moment, on the same few training rows each time.

    Attributes:
        step, epoch: how many are done of this training.
        loss: on these rows.
        layers: layer -> statistic -> number. Of what it gives: ``deviation``, ``pre_deviation`` (before its
            activation), ``zeros``, ``dead`` (units that are 0 for all rows), ``saturated`` (share near the ends of a
            sigmoid or tanh). Of its weights: ``gain`` (kernel deviation * sqrt(fan_in)), ``kernel_gradient`` and
            ``gradient_norm`` (norms, of the kernel's and of all), ``zero_gradients``.
        moved: layer -> norm of its kernel's way from the beginning / norm of the kernel at the beginning.
    """

    step: int
    epoch: float
    loss: float
    layers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    moved: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How the trained network does on rows of one kind.

    Attributes:
        score: accuracy, or R2.
        recalls: of each class.
        confident_errors: share of rows that confident learning holds for wrongly labelled; None for numbers.
        constant: whether it gives (nearly) the same for all rows.
    """

    rows: int
    loss: float
    score: float
    recalls: tuple[float, ...] = ()
    confident_errors: float | None = None
    constant: bool = False


@dataclass(frozen=True)
class Broken:
    """What was not finite, and where."""

    step: int | None
    layer: str | None
    message: str


@dataclass(frozen=True)
class Record:
    """One training.

    Attributes:
        curves: name -> one number an epoch, as in ``History.history``.
        losses: (step, mean loss of the epoch up to it), about ten times a second.
        initial_loss: of the probe's rows before the first step.
        steps, epochs: that were made.
        best: how it does on the validation at the epoch with the least validation loss.
        measured: (step, layer -> statistic -> number) of steps that were measured while they trained.
    """

    task: Task | None
    plan: Plan
    inputs: Inputs | None = None
    targets: Targets | None = None
    repeats: Repeats | None = None
    reference: Reference | None = None
    head: Head | None = None
    layers: tuple[LayerInfo, ...] = ()
    probes: tuple[Probe, ...] = ()
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    losses: tuple[tuple[int, float], ...] = ()
    initial_loss: float | None = None
    steps: int = 0
    epochs: int = 0
    train: Outcome | None = None
    validation: Outcome | None = None
    best: Outcome | None = None
    broken: Broken | None = None
    stopped_by: str | None = None
    measured: tuple[tuple[int, Mapping[str, Mapping[str, float]]], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """In JSON types; numbers that are not finite, which JSON has not, as "nan", "inf" and "-inf"."""
        values: dict[str, Any] = _plain(self)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Record:
        """From what ``to_dict`` gave."""
        parts: dict[str, Any] = dict(values)
        for name, kind in _PARTS.items():
            if parts.get(name) is not None:
                parts[name] = kind(**{key: _frozen(value) for key, value in parts[name].items()})
        for name, several in _SEVERAL.items():
            parts[name] = tuple(several(**{k: _frozen(v) for k, v in part.items()}) for part in parts.get(name, ()))
        return cls(**{name: _frozen(value) if name not in _SEVERAL else value for name, value in parts.items()})


_PARTS = {
    "plan": Plan,
    "inputs": Inputs,
    "targets": Targets,
    "repeats": Repeats,
    "reference": Reference,
    "head": Head,
    "train": Outcome,
    "validation": Outcome,
    "best": Outcome,
    "broken": Broken,
}
_SEVERAL = {"layers": LayerInfo, "probes": Probe}


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if hasattr(value, "item"):
        value = value.item()  # NumPy's
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return [_plain(part) for part in value] if isinstance(value, tuple | list) else value


_NON_FINITE = {str(value): value for value in (math.nan, math.inf, -math.inf)}


def _frozen(value: Any) -> Any:
    """Lists as tuples again, and numbers that are not finite as such."""
    if isinstance(value, str):
        return _NON_FINITE.get(value, value)
    if isinstance(value, Mapping):
        return {name: _frozen(part) for name, part in value.items()}
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value
