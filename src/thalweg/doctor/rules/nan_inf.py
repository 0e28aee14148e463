"""Numbers that are not finite: in the data, or made by the training."""

from __future__ import annotations

from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "nan_inf",
    when="any",
    evidence="share of rows with NaN or infinity in inputs or targets; else the first step that made one",
    threshold="one",
    change="drop or fill these rows; after an overflow: a smaller learning rate, or `clipnorm`",
)
def nan_inf(record: Record) -> Finding | None:
    """In the data it is a disease of its own; from an overflow it follows from something else, if that is found."""
    inputs = record.inputs.non_finite if record.inputs is not None else 0.0
    targets = record.targets.non_finite if record.targets is not None else 0.0
    if inputs or targets:
        where = " and ".join(name for name, share in (("inputs", inputs), ("targets", targets)) if share)
        cause = f"NaN or infinity in the {where} of {max(inputs, targets):.2%} of the training rows"
        numbers = {"inputs_non_finite": inputs, "targets_non_finite": targets}
        return found("nan_inf", True, cause, "drop these rows, or fill their gaps, before fit", numbers)
    broken = record.broken
    if broken is None:
        return None
    since = None if broken.step is None else step_to_epoch(record, broken.step)
    at = "" if broken.step is None else f" at step {broken.step}"
    cause = f"a number became NaN or infinite{at}"
    change = "a learning rate ten times smaller, or clipnorm=1.0"
    return found("nan_inf", True, cause, change, {"step": broken.step}, broken.layer, since)


def step_to_epoch(record: Record, step: int) -> int | None:
    """The index of the epoch that a step belongs to."""
    each = record.plan.steps_per_epoch
    return None if not each else step // each
