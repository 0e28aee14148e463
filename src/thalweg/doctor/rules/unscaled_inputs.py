"""Inputs far from deviation 1 and mean 0."""

from __future__ import annotations

from thalweg.doctor.evidence import fails
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "unscaled_inputs",
    needs=("inputs",),
    when="short",
    evidence="largest deviation and mean of a column as the first layer gets it",
    threshold="deviation over 10, or mean over 5; none where the model scales them itself",
    change="a `Normalization` layer first, adapted to the training rows",
)
def unscaled_inputs(record: Record) -> Finding | None:
    """By deviation and mean, not by the largest number: standardised pixels reach 30."""
    inputs = record.inputs
    if inputs is None or inputs.scaled_inside:
        return None
    excess = max(inputs.largest_deviation / 10, inputs.largest_mean / 5)
    if excess <= 1:
        return None
    cause = (
        f"columns of the inputs have deviations up to {inputs.largest_deviation:.3g} and means up to"
        f" {inputs.largest_mean:.3g}: steps that suit one column are far too large or small for another"
    )
    numbers = {"largest_deviation": inputs.largest_deviation, "largest_mean": inputs.largest_mean}
    change = "layers.Normalization() as the first layer, adapted to the training inputs"
    return found("unscaled_inputs", excess > 1.5 or fails(record), cause, change, numbers)
