"""What rules have in common: levels to compare scores with, and what curves and probes say, from a record.

All of it is free of scales: shares, ratios, and places between what the best constant and what neighbours reach.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import fmean, pstdev

from thalweg.doctor.record import LayerInfo, Outcome, Probe, Record

RELU = frozenset({"relu", "relu6"})
BOUNDED = frozenset({"sigmoid", "tanh", "hard_sigmoid", "hard_tanh", "softsign", "log_sigmoid"})
LINEAR = frozenset({"linear", "identity", "None"})

SPAN = 0.05
"""Neighbours that reach less than so much over chance say nothing about what can be learnt."""


# -------------------------------------------------------------------------------------------------------------- levels


def balanced(record: Record) -> bool:
    """Whether classes count alike, as where they are weighted: then scores are means of recalls."""
    reference, train = record.reference, record.train
    known = reference is not None and reference.balanced is not None and train is not None and len(train.recalls) > 1
    return known and record.plan.class_weight


def score(record: Record, outcome: Outcome) -> float:
    """What is compared with the levels: accuracy, R2, or the mean of recalls."""
    recalls = [recall for recall in outcome.recalls if math.isfinite(recall)]
    return fmean(recalls) if balanced(record) and recalls else outcome.score


def chance(record: Record) -> float:
    """The score of the best constant."""
    if balanced(record) and record.train is not None:
        return 1 / len(record.train.recalls)
    if record.reference is not None:
        return record.reference.chance
    shares = record.targets.shares if record.targets is not None else ()
    return max(shares, default=0.5 if record.task == "binary" else 0.0)


def reach(record: Record) -> float | None:
    """The score of neighbours, where it is clearly over chance."""
    reference = record.reference
    if reference is None:
        return None
    level = reference.neighbours
    if balanced(record) and reference.balanced is not None:
        level = reference.balanced
    return level if level - chance(record) >= SPAN else None


def bar(record: Record) -> float:
    """What a training has to reach on its own rows: four fifths of the way from chance to neighbours."""
    level = reach(record)
    return chance(record) - 0.02 if level is None else chance(record) + 0.8 * (level - chance(record)) - 0.01


def shortfall(record: Record, outcome: Outcome | None) -> float:
    """How much is missing of the way from chance to neighbours, as a share of it; of few rows the luck is taken off."""
    level = reach(record)
    if level is None or outcome is None:
        return 0.0
    span = level - chance(record)
    luck = 0.0
    if record.task != "regression":
        luck = math.sqrt(max(level * (1 - level), 0.0) / max(outcome.rows, 1))
    reached = score(record, outcome)
    return (level - reached - luck) / span if math.isfinite(reached) else 1.0


def fails(record: Record) -> bool:
    """Whether it clearly does not work: far below what neighbours reach, or it broke."""
    if record.broken is not None:
        return True
    train, validation = record.train, record.validation
    if train is None or record.task is None:
        return False
    own = score(record, train)
    if not own >= bar(record) or (record.reference is None and record.steps >= 50 and at_chance(record)):
        return True  # of too few rows there is no level, but who knows no more than a constant has learnt nothing
    return validation is not None and not memorised(record) and not score(record, validation) >= bar(record) - 0.1


def memorised(record: Record) -> bool:
    """Whether it does on its own rows what neighbours do: what is missing on others is not the training's fault."""
    return record.train is not None and shortfall(record, record.train) < 0.03


def short(record: Record) -> bool:
    """Whether something is left to be wished for: it fails, or stays noticeably below neighbours."""
    return fails(record) or max(shortfall(record, record.train), shortfall(record, record.validation)) > 0.08


def at_chance(record: Record) -> bool:
    """Whether it knows no more than the best constant does."""
    train, level, loss = record.train, reach(record), loss_at_chance(record)
    if train is None or (loss is not None and train.loss < 0.95 * loss):
        return False
    # Of few rows a guess is right more often than chance: the loss, where it is known, is the surer witness.
    share = 0.2 if loss is None else 0.35
    return train.constant or score(record, train) < chance(record) + share * ((level or 1.0) - chance(record))


def loss_at_chance(record: Record) -> float | None:
    """Of the best constant: the entropy of the classes, the variance of numbers; None where the loss is another one."""
    if record.targets is None or record.head is None:
        return None
    if record.targets.shares and "entropy" in record.head.loss:
        return -sum(p * math.log(p) for p in record.targets.shares if p > 0)
    if record.task == "regression" and "squared" in record.head.loss:
        return record.targets.deviation**2
    return None


# -------------------------------------------------------------------------------------------------------------- curves


def losses(record: Record) -> tuple[float, ...]:
    """Of the training rows, an epoch each, as far as they are finite."""
    values = record.curves.get("loss", ())
    return tuple(value for value in values if value is not None and math.isfinite(value))


def start_loss(record: Record) -> float | None:
    """Before the first step."""
    first = start(record)
    value = record.initial_loss if record.initial_loss is not None else first.loss if first is not None else None
    return value if value is not None and math.isfinite(value) else None


def late_gain(record: Record) -> float | None:
    """By which share of it the second half of the training lowered the loss."""
    curve = losses(record)
    if len(curve) < 4:
        before = start_loss(record)
        curve = (*(() if before is None else (before,)), *curve)
    if len(curve) < 2:
        return None
    width = max(1, len(curve) // 8)
    middle = (len(curve) - 1) // 2
    half = fmean(curve[max(0, middle - width // 2) : middle - width // 2 + width] or curve[:1])
    end = fmean(curve[-width:])
    return (half - end) / abs(half) if half else 0.0


def straightness(record: Record) -> float | None:
    """The fall of the loss in the second half of the training divided by that in the first: 1 on a straight line."""
    curve = losses(record)
    if len(curve) < 4:
        return None
    middle = (len(curve) - 1) // 2
    first = curve[0] - curve[middle]
    return (curve[middle] - curve[-1]) * middle / (first * (len(curve) - 1 - middle)) if first > 0 else None


def rises(record: Record) -> tuple[float, float]:
    """Share of epochs that raised the loss, and by which share of it those did on average."""
    curve = losses(record)
    moves = [(b - a) / abs(a) for a, b in pairwise(curve) if a]
    up = [move for move in moves if move > 0]
    return (len(up) / len(moves), fmean(up)) if up else (0.0, 0.0)


def flat(record: Record) -> bool:
    """Whether the last three fifths of the training hardly changed the loss: 2 % at most, against its own noise."""
    curve = losses(record)
    if len(curve) < 4:
        return False
    late = curve[len(curve) * 2 // 5 :]
    half = len(late) // 2
    return abs(fmean(late[:half]) - fmean(late[-half:])) <= 0.02 * abs(fmean(late)) + pstdev(late) * 0.5


# -------------------------------------------------------------------------------------------------------------- probes


def start(record: Record) -> Probe | None:
    """Before the first step."""
    return next((probe for probe in record.probes if probe.step == 0), None)


def trained(record: Record) -> tuple[Probe, ...]:
    """After the first epoch and later; of a training that was shorter, its last one."""
    later = tuple(probe for probe in record.probes if probe.epoch >= 1)
    return later or tuple(probe for probe in record.probes[-1:] if probe.step > 0)


def ends(record: Record) -> tuple[Probe, ...]:
    """The two moments whose agreement makes a diagnosis: after an epoch and the last; of a short training the last."""
    later = trained(record)
    return (later[0], later[-1]) if len(later) > 1 else tuple(p for p in record.probes if p.step > 0)[-2:]


def value(probe: Probe, layer: str, name: str) -> float | None:
    """A statistic, if it was measured and is a number."""
    number = probe.layers.get(layer, {}).get(name)
    return number if number is not None and math.isfinite(number) else None


def hidden(record: Record) -> Iterator[LayerInfo]:
    """The layers before the head."""
    head = record.head.layer if record.head is not None else record.layers[-1].name if record.layers else None
    return (layer for layer in record.layers if layer.name != head)


def highest(
    record: Record, probes: Sequence[Probe], name: str, meant: Callable[[LayerInfo], bool]
) -> tuple[float, str | None]:
    """The largest number that a hidden layer has at all of some probes, and which it is."""
    best: tuple[float, str | None] = (0.0, None)
    for layer in filter(meant, hidden(record)):
        numbers = [value(probe, layer.name, name) for probe in probes]
        if numbers and None not in numbers:
            best = max(best, (min(number for number in numbers if number is not None), layer.name), key=lambda b: b[0])
    return best


def knocked_out(record: Record) -> tuple[float, str] | None:
    """The share of a layer's units that steps took out of use, dead or at their ends, and which layer that is.

    A layer that worked before training, is wide enough that this is no accident, and is out from then on.
    """
    first, later = start(record), trained(record)
    if first is None or not later:
        return None
    for name, kinds in (("dead", RELU), ("saturated", BOUNDED)):
        width = 0
        for layer in hidden(record):
            width = layer.fan_out or width  # of an activation that is a layer of its own: of the one before
            if layer.activation not in kinds or width < 8:
                continue
            before, after, last = (value(probe, layer.name, name) for probe in (first, later[0], later[-1]))
            if before is None or after is None or last is None:
                continue
            if before < 0.35 and min(after, last) >= 0.9:
                return min(after, last), layer.name
    return None


def unscaled(record: Record) -> bool:
    """Whether inputs are so large that they alone explain large gradients and losses."""
    inputs = record.inputs
    return inputs is not None and not inputs.scaled_inside and max(inputs.largest_deviation, inputs.largest_mean) > 10


def weighted(record: Record) -> list[LayerInfo]:
    """The layers with kernels that are trained, in the order of the data's way."""
    return [layer for layer in record.layers if layer.fan_in is not None and layer.trainable]


def gradient_ratio(record: Record, probe: Probe) -> float | None:
    """The gradient of the first kernel divided by that of the head, its bias included.

    With the bias, because the kernel's alone vanishes too where no signal reaches the head.
    """
    layers = weighted(record)
    if len(layers) < 2:
        return None
    first, last = value(probe, layers[0].name, "kernel_gradient"), value(probe, layers[-1].name, "gradient_norm")
    return first / last if first is not None and last else None


def gradient_norm(probe: Probe) -> float | None:
    """Of all parameters."""
    norms = [layer.get("gradient_norm") for layer in probe.layers.values()]
    known = [norm for norm in norms if norm is not None]
    if not known:
        return None
    return math.sqrt(sum(norm * norm for norm in known)) if all(map(math.isfinite, known)) else math.inf


def moved(record: Record) -> float | None:
    """The largest way of a kernel from its beginning, in lengths of that.

    A kernel that began smaller than usual is taken as one of the usual length.
    """
    if not record.probes:
        return None
    gains = {layer.name: min(usual(layer), 1.0) if layer.gain is not None else 1.0 for layer in record.layers}
    ways = [way * gains.get(name, 1.0) for name, way in record.probes[-1].moved.items() if not math.isnan(way)]
    return max(ways, default=None)


def usual(layer: LayerInfo) -> float:
    """The deviation of a kernel divided by that of Glorot's start for its shape."""
    if layer.gain is None or layer.fan_in is None:
        return 1.0
    expected = math.sqrt(2 / (1 + (layer.fan_out or layer.fan_in) / layer.fan_in))
    return layer.gain / expected


def shrunk(record: Record) -> bool:
    """Whether a penalty has driven all kernels towards 0."""
    first = start(record)
    if not record.plan.penalty or first is None or not record.probes:
        return False
    gains = [(value(first, w.name, "gain"), value(record.probes[-1], w.name, "gain")) for w in weighted(record)]
    return bool(gains) and all(a is not None and b is not None and b < 0.2 * a for a, b in gains)


def short_lived(record: Record) -> bool:
    """Whether it was too short for anybody to say that it came to rest."""
    return record.epochs < 10 and record.steps < 200


def has_nonlinearity(record: Record) -> bool:
    """Whether some hidden layer bends what it gets."""
    return any(layer.activation not in LINEAR or layer.kind not in PLAIN for layer in hidden(record))


PLAIN = frozenset({"Dense", "Conv1D", "Conv2D", "Flatten", "Dropout", "BatchNormalization"})


def finite(numbers: Mapping[str, float | None]) -> dict[str, float]:
    """Those that are known, rounded to what a person reads."""
    return {name: float(f"{number:.4g}") for name, number in numbers.items() if number is not None}
