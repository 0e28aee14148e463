"""A loss that stays where it began."""

from __future__ import annotations

from thalweg.doctor.evidence import (
    at_chance,
    flat,
    gradient_norm,
    has_nonlinearity,
    losses,
    moved,
    rises,
    shrunk,
    straightness,
    trained,
)
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "plateau",
    evidence="two halves of the later training with the same loss, at the score of the best constant",
    threshold="2 %, from two fifths of the training on",
    change="Adam or momentum, larger initial weights, a wider network",
)
def plateau(record: Record) -> Finding | None:
    """Some tasks begin flat and fall then: the first two fifths do not count. A line's best level is not a plateau."""
    if record.broken is not None or not at_chance(record) or not flat(record) or record.steps < 50:
        return None
    probes = trained(record)
    norm = gradient_norm(probes[-1]) if probes else None
    curve = losses(record)
    cause = f"the loss stays at {curve[-1]:.3g}, no better than the best constant" + (
        f", with a gradient of norm {norm:.1g}: a saddle or a plateau" if norm is not None else ""
    )
    change = "Adam or momentum=0.9 with a larger learning rate, other initial weights, or a wider network"
    numbers = {"loss": curve[-1], "gradient_norm": norm, "moved": moved(record)}
    line = straightness(record)
    crawls = line is not None and line > 0.25 and rises(record)[0] <= 0.2 and curve[-1] < 0.98 * curve[0]
    return found(
        "plateau", has_nonlinearity(record) and not shrunk(record) and not crawls, cause, change, numbers, None, 0
    )
