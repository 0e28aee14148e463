"""The rules of the doctor: a disease each, a file each, found by themselves.

Here is what they have in common: from a record to a diagnosis, which of them may speak, and which findings explain
which others.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache

from thalweg.doctor.evidence import at_chance, fails, short
from thalweg.doctor.finding import LABELS, Diagnosis, Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import Rule, registered

__all__ = ["judge", "needs_more", "rules"]

FIT = ("underfitting", "overfitting", "model_too_complex")
TIME = ("lr_too_low", "batch_too_large", "undertrained")
NOT_MOVING = ("plateau", "lr_too_low", "undertrained", "underfitting")

EXPLAINS: Mapping[str, tuple[str, ...]] = {
    "unscaled_inputs": ("saturated_activations", "lr_too_high", "dying_relu"),
    "bad_init": (
        *("saturated_activations", "vanishing_gradients", "exploding_gradients", "dying_relu"),
        "plateau",
    ),
    "batch_too_small": ("lr_too_high", "dying_relu"),
    "lr_too_high": ("saturated_activations", "dying_relu"),
    "overfitting": ("model_too_complex",),
}
"""What may lie under a cause: with evidence of its own, so that it is named as well."""

HIDES: Mapping[str, tuple[str, ...]] = {
    "data_leakage": (*FIT, "noisy_labels", "undertrained"),
    "unscaled_inputs": (
        *("bad_init", "exploding_gradients", "vanishing_gradients", "plateau", "batch_too_small", *TIME, *FIT),
    ),
    "unscaled_targets": (
        *("bad_init", "saturated_activations", "vanishing_gradients", "exploding_gradients", "dying_relu"),
        *("batch_too_small", "lr_too_high", "plateau", *TIME, *FIT),
    ),
    "class_imbalance": ("noisy_labels", "plateau", "undertrained", "batch_too_large", "underfitting"),
    "noisy_labels": ("plateau", "undertrained", "batch_too_large", "underfitting"),
    "wrong_loss": (
        *("noisy_labels", "unscaled_targets", "saturated_activations", "vanishing_gradients"),
        *("exploding_gradients", "dying_relu", "batch_too_small", "lr_too_high", "plateau", *TIME, *FIT),
    ),
    "bad_init": (
        *("saturated_activations", "vanishing_gradients", "exploding_gradients", "dying_relu", "batch_too_small"),
        *("lr_too_high", "plateau", *TIME, *FIT),
    ),
    "saturated_activations": ("vanishing_gradients", "plateau", *TIME, *FIT),
    "vanishing_gradients": (*("dying_relu", "lr_too_high", "plateau", "batch_too_large", "undertrained", *FIT),),
    "exploding_gradients": ("dying_relu", "batch_too_small", "lr_too_high", "plateau", *TIME, *FIT),
    "batch_too_small": ("plateau", *TIME, *FIT),
    "lr_too_high": ("vanishing_gradients", "plateau", *TIME, *FIT),
    "dying_relu": ("vanishing_gradients", "plateau", *TIME, *FIT),
    "batch_too_large": (*NOT_MOVING, *FIT),
    "lr_too_low": ("plateau", "undertrained", *FIT),
    "plateau": ("undertrained", "underfitting"),
    "undertrained": ("underfitting",),
}
"""What a cause makes meaningless: the same trouble in other words, or what any network does that cannot learn."""

_BATCH = ("batch_too_small", "batch_too_large")
_RATE = {"lr_too_high": "batch_too_small", "lr_too_low": "batch_too_large"}
BREAKS = frozenset(
    {"unscaled_inputs", "unscaled_targets", "wrong_loss", "bad_init", "exploding_gradients", "lr_too_high"}
) | {"batch_too_small"}
"""What may end in an overflow, and says so."""

ORDER = tuple(
    code for label in LABELS if label not in _BATCH for code in (*((_RATE[label],) if label in _RATE else ()), label)
)
"""Who explains whom first. As ``LABELS``, but small batches are asked before the rate, and large ones before a low."""


@cache
def rules() -> Mapping[str, Rule]:
    """All of them by code, root causes first."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return registered()


FEWEST_STEPS = 10
"""After fewer nothing that has to do with success can be said."""


def judge(record: Record) -> Diagnosis:
    """What is wrong with a training, root causes first; nothing where it works."""
    unknown: dict[str, str] = {}
    spoken = [finding for rule in rules().values() if (finding := asked(rule, record, unknown)) is not None]
    return Diagnosis(placed(spoken), unknown)


def asked(rule: Rule, record: Record, unknown: dict[str, str]) -> Finding | None:
    """What a rule says, if it may speak; what it lacks is noted down."""
    if lacking := rule.lacks(record):
        unknown[rule.code] = f"not measured: {', '.join(lacking)}"
        return None
    if rule.when != "any" and record.steps < FEWEST_STEPS and record.broken is None:
        return None
    if (rule.when == "fails" and not fails(record)) or (rule.when == "short" and not short(record)):
        return None
    return rule.judge(record)


def placed(spoken: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings under the ones that explain them; what those make meaningless is left out."""
    left = {finding.code: finding for finding in spoken}
    if "nan_inf" in left:
        if "inputs_non_finite" in left["nan_inf"].numbers:
            return (left["nan_inf"],)
        if any(finding.certainty == "diagnosed" and code in BREAKS for code, finding in left.items()):
            del left["nan_inf"]  # the same event in other words
    roots: dict[str, Finding] = {}
    for code in ORDER:
        if code not in left or left[code].certainty != "diagnosed" or explained_later(left[code], left):
            continue
        root = left.pop(code)
        below = [left.pop(other) for other in LABELS if other in left and follows(root, left[other])]
        for other in HIDES.get(code, ()):
            left.pop(other, None)
        roots[code] = replace(root, consequences=tuple(below))
    everything = roots | left
    return tuple(everything[code] for code in LABELS if code in everything)


def explained_later(finding: Finding, left: Mapping[str, Finding]) -> bool:
    """Whether another one, asked later, is its cause: an overflow, or what came up only while it trained."""
    return any(
        finding.code in EXPLAINS.get(code, ()) and other.certainty == "diagnosed" and follows(other, finding)
        for code, other in left.items()
        if ORDER.index(code) > ORDER.index(finding.code)
    )


def follows(root: Finding, finding: Finding) -> bool:
    """Whether ``root`` explains it: what is there before the first step comes from no steps."""
    if finding.code not in EXPLAINS.get(root.code, ()):
        return False
    if "equal_units" in root.numbers:
        return finding.code == "plateau"
    if finding.code == "plateau" and root.numbers.get("all_layers", 0.0) > 1:
        return False  # a loud start ends anywhere
    return not (root.since_epoch is not None and finding.since_epoch is None)


def needs_more(record: Record) -> frozenset[str]:
    """The dear parts that are worth measuring next, by what is known already; ask again when they are there.

    It works if it comes near enough to a perfect score on its training and its validation rows: whatever neighbours
    reach, no rule would then say that it fails. If it does not, what they reach is asked next, and only if it stays
    below that, what happened in the layers. Copies are looked for in any case: they make a score look good.
    """
    lacking = {name for name in ("reference", "probes", "repeats", "best") if getattr(record, name) in (None, ())}
    if record.validation is None:
        lacking -= {"repeats", "best"}
    if record.broken is not None:
        return frozenset(lacking & {"probes"})
    wanted = {"repeats"}
    if record.task is not None and record.train is not None and not perfect(record):
        wanted |= {"reference"}
        if record.reference is not None or at_chance(record):
            wanted |= {"probes", "best"} if short(record) else set()
        if record.reference is not None:
            wanted |= {"best"} if (record.reference.disagreement or 0.0) > 0.1 else set()
    return frozenset(lacking & wanted)


def perfect(record: Record) -> bool:
    """Whether nothing is left to be wished for: also not of the rarest class."""
    shares = record.targets.shares if record.targets is not None else ()
    chance = max(shares, default=0.5) if record.task != "regression" else 0.0
    outcomes = [outcome for outcome in (record.train, record.validation) if outcome is not None]
    return all(
        o.score >= chance + 0.92 * (1 - chance) and not any(recall < 0.65 for recall in o.recalls) for o in outcomes
    )
