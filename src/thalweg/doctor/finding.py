"""What the doctor says: findings, the root causes first, each with what follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from thalweg.doctor.record import Record
from thalweg.errors import ThalwegError
from thalweg.fields import dataclass

Certainty = Literal["suspected", "diagnosed"]

LABELS = (
    *("nan_inf", "data_leakage", "unscaled_inputs", "unscaled_targets", "class_imbalance", "noisy_labels"),
    *("wrong_loss", "bad_init"),
    *("saturated_activations", "vanishing_gradients", "exploding_gradients"),
    *("lr_too_high", "dying_relu", "lr_too_low", "plateau"),
    *("batch_too_small", "batch_too_large", "undertrained"),
    *("overfitting", "model_too_complex", "underfitting"),
)
"""All that can be found, what causes the others first: data, head and loss, initial weights, gradients, size of the
steps, batches and time, fit."""

MOST = 4
"""Findings that a diagnosis tells of in a terminal, in two lines each; of more of them three, and how many more."""


@dataclass(frozen=True)
class Finding:
    """One trouble of a training.

    Attributes:
        code: one of ``LABELS``.
        certainty: "suspected" as long as the evidence may be a passing thing, then "diagnosed".
        layer: where it is; None if it is not one layer's.
        since_epoch: the index of the first epoch that shows it; None if it was there before training.
        numbers: the evidence: name -> number.
        cause: what is wrong, in a sentence with these numbers.
        change: one thing to try.
        consequences: findings that this one explains.
    """

    code: str
    certainty: Certainty
    layer: str | None
    since_epoch: int | None
    numbers: Mapping[str, float]
    cause: str
    change: str
    consequences: tuple[Finding, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """In JSON types."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return values | {"numbers": dict(self.numbers), "consequences": [c.to_dict() for c in self.consequences]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Finding:
        """From what ``to_dict`` gave."""
        return cls(**{**values, "consequences": tuple(cls.from_dict(c) for c in values["consequences"])})


@dataclass(frozen=True)
class Diagnosis(Sequence[Finding]):
    """What is wrong with a training: a sequence of findings, root causes first. Empty where nothing is.

    Attributes:
        findings: the root causes; what follows from one is among its ``consequences``.
        unknown: what could not be judged, and why: for a rule's code the reason.
        record: what it was judged by; None for an error that says it all.
    """

    findings: tuple[Finding, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)
    record: Record | None = None

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, index: Any) -> Any:
        return self.findings[index]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    @property
    def diagnosed(self) -> tuple[Finding, ...]:
        """Those findings that are certain."""
        return tuple(finding for finding in self.findings if finding.certainty == "diagnosed")

    @property
    def codes(self) -> tuple[str, ...]:
        """Of the certain ones, each with what certainly follows from it: all that the training shows."""
        named = [f for root in self.diagnosed for f in (root, *root.consequences) if f.certainty == "diagnosed"]
        return tuple(dict.fromkeys(finding.code for finding in named))

    def __str__(self) -> str:
        """In at most eight lines: what is certain, and what to do about it."""
        told = self.diagnosed if len(self.diagnosed) <= MOST else self.diagnosed[: MOST - 1]
        lines = [line for finding in told for line in _lines(finding)]
        left = len(self.diagnosed) - len(told)
        return "\n".join([*lines, f"  and {left} more: see history.diagnosis"] if left else lines)

    def to_dict(self) -> dict[str, Any]:
        """In JSON types."""
        record = None if self.record is None else self.record.to_dict()
        findings = [finding.to_dict() for finding in self.findings]
        return {"findings": findings, "unknown": dict(self.unknown), "record": record}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Diagnosis:
        """From what ``to_dict`` gave."""
        record = None if values["record"] is None else Record.from_dict(values["record"])
        findings = tuple(Finding.from_dict(finding) for finding in values["findings"])
        return cls(findings, dict(values["unknown"]), record)


def of_error(error: ThalwegError) -> Finding:
    """The finding that an error is, whose ``disease`` is said."""
    assert error.disease is not None, "only some errors are diseases"
    cause = f"{error.problem}: {error.got}"
    return Finding(error.disease, "diagnosed", error.layer, None, {}, cause, error.fix)


def _lines(finding: Finding) -> tuple[str, str]:
    where = f" in layer {finding.layer!r}" if finding.layer else ""
    since = "" if finding.since_epoch is None else f" since epoch {finding.since_epoch + 1}"
    return f"{finding.code}{where}{since}: {finding.cause}", f"  to try: {finding.change}"
