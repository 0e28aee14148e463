"""What the doctor says and what it saw: as tables in a terminal, as JSON, and with pictures on a page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from thalweg.doctor.finding import Diagnosis, Finding
from thalweg.doctor.record import Outcome, Record
from thalweg.evaluation.section import Picture, Section, short
from thalweg.fields import dataclass
from thalweg.table import Table
from thalweg.training.goals import LOSS, VALIDATION

DRAWN = {
    "kernel_gradient": "Norm of each kernel's gradient, which should be of one size from the first layer to the last.",
    "update_ratio": "How far a step moves the weights, as a share of them: about 0.001 is usual.",
    "moved": "How far the kernels have come since the first step, as a share of what they were.",
    "deviation": "Standard deviation of what each layer gives.",
    "dead": "Share of units that are 0 for every row.",
    "saturated": "Share of outputs at the flat ends of the activation.",
    "gain": "Spread of the weights * sqrt(inputs of a unit): about 1 keeps signals at their size, 1.4 behind ReLU.",
}
"""Statistics that are drawn, with what they say."""

SHARES = ("dead", "saturated")
"""Those between 0 and 1; the others are drawn on a logarithmic axis."""

MOST_LINES = 8
"""Layers in one picture; of deeper networks some between the first and the last."""


@dataclass(frozen=True)
class Findings(Section):
    """What is wrong, root causes first.

    Attributes:
        findings: with their consequences.
    """

    key: ClassVar = "findings"
    heading: ClassVar = "What is wrong"

    findings: tuple[Finding, ...]

    def table(self) -> Table:
        rows = [
            [
                ("  " * depth) + finding.code.replace("_", " "),
                finding.certainty,
                finding.layer or "",
                "" if finding.since_epoch is None else str(finding.since_epoch + 1),
                ", ".join(f"{name} {value:.3g}" for name, value in finding.numbers.items()),
            ]
            for depth, finding in _flat(self.findings)
        ]
        return Table("", ["trouble", "certainty", "layer", "since epoch", "evidence"], rows, left=3)

    def sentences(self) -> list[str]:
        if not self.findings:
            return ["Nothing is wrong that the doctor knows of."]
        return [f"{finding.cause}. To try: {finding.change}." for _, finding in _flat(self.findings)]

    def to_dict(self) -> dict[str, Any]:
        return {"findings": [finding.to_dict() for finding in self.findings]}


@dataclass(frozen=True)
class Course(Section):
    """How the loss went.

    Attributes:
        curves: of each epoch.
        losses: (step, mean of the epoch up to it).
        train, validation: at the end.
        chance, neighbours: scores of the best constant, and of a simple method.
    """

    key: ClassVar = "course"
    heading: ClassVar = "How it went"

    curves: Mapping[str, Sequence[float]]
    losses: Sequence[tuple[int, float]]
    train: Outcome | None
    validation: Outcome | None
    chance: float | None
    neighbours: float | None

    def table(self) -> Table:
        rows = [
            [f"score on {name} rows", f"{outcome.score:.3f}"]
            for name, outcome in (("training", self.train), ("validation", self.validation))
            if outcome is not None
        ]
        rows += [
            [name, f"{value:.3f}"]
            for name, value in (("best constant", self.chance), ("nearest neighbours", self.neighbours))
            if value is not None
        ]
        return Table("", ["", "accuracy or R2"], rows)

    def pictures(self) -> Iterator[Picture]:
        drawn = {name: self.curves[name] for name in (LOSS, VALIDATION + LOSS) if len(self.curves.get(name, ())) > 1}
        if drawn:
            yield Picture("The loss after each epoch.", partial(_draw_curves, drawn))
        elif len(self.losses) > 1:
            steps, values = zip(*self.losses, strict=True)
            yield Picture("The loss.", partial(_draw_lines, {LOSS: (steps, values)}, "step", False))


@dataclass(frozen=True)
class OverTime(Section):
    """The layers at moments of the training.

    Attributes:
        series: statistic -> layer -> (steps, values).
    """

    key: ClassVar = "layers"
    heading: ClassVar = "The layers while they learned"

    series: Mapping[str, Mapping[str, tuple[Sequence[int], Sequence[float]]]]

    def table(self) -> Table:
        names = [name for name in DRAWN if name in self.series]
        layers = list(dict.fromkeys(layer for name in names for layer in self.series[name]))
        rows = [[short(layer, 24), *(self._course(name, layer) for name in names)] for layer in layers]
        return Table("first and last", ["layer", *(name.replace("_", " ") for name in names)], rows)

    def _course(self, name: str, layer: str) -> str:
        if layer not in self.series[name]:
            return ""
        values = self.series[name][layer][1]
        return f"{values[0]:.2g} {values[-1]:.2g}" if len(values) > 1 else f"{values[0]:.2g}"

    def pictures(self) -> Iterator[Picture]:
        for name, layers in self.series.items():
            if any(len(steps) > 1 for steps, _ in layers.values()):
                yield Picture(DRAWN[name], partial(_draw_lines, _some(layers), "step", name not in SHARES))
            if name == "kernel_gradient" and len(layers) > 2:
                yield Picture(
                    "The same from the first layer to the last: at the beginning and at the end.",
                    partial(_draw_flow, layers),
                )


def sections_of(diagnosis: Diagnosis) -> list[Section]:
    """What there is to say and to draw."""
    found: list[Section] = [Findings(diagnosis.findings)]
    record = diagnosis.record
    if record is not None:
        reference = record.reference
        chance, neighbours = (None, None) if reference is None else (reference.chance, reference.neighbours)
        found.append(Course(record.curves, record.losses, record.train, record.validation, chance, neighbours))
        series = _series(record)
        if series:
            found.append(OverTime(series))
    return found


def _series(record: Record) -> dict[str, dict[str, tuple[list[int], list[float]]]]:
    """What was measured in steps of training if anything was, else at the moments that were kept."""
    moments = [(probe.step, {**probe.layers}, probe.moved) for probe in record.probes]
    moments += [(step, {**layers}, {}) for step, layers in record.measured]
    series: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
    for step, layers, moved in sorted(moments, key=lambda moment: moment[0]):
        for name in DRAWN:
            own = (
                moved
                if name == "moved"
                else {layer: values[name] for layer, values in layers.items() if name in values}
            )
            for layer, value in own.items():
                steps, values = series.setdefault(name, {}).setdefault(layer, ([], []))
                if math.isfinite(value) and (not steps or steps[-1] < step):
                    steps.append(step)
                    values.append(value)
    return {
        name: kept
        for name in DRAWN
        if (kept := {layer: line for layer, line in series.get(name, {}).items() if line[0]})
    }


def _flat(findings: Sequence[Finding], depth: int = 0) -> Iterator[tuple[int, Finding]]:
    for finding in findings:
        yield depth, finding
        yield from _flat(finding.consequences, depth + 1)


def _some(layers: Mapping[str, Any]) -> dict[str, Any]:
    """The first, the last, and some between."""
    names = list(layers)
    if len(names) > MOST_LINES:
        names = [names[round(at * (len(names) - 1) / (MOST_LINES - 1))] for at in range(MOST_LINES)]
    return {name: layers[name] for name in names}


def _draw_curves(curves: Mapping[str, Sequence[float]], ax: Any) -> None:
    for name, values in curves.items():
        ax.plot(range(1, len(values) + 1), values, label=name)
    if all(value > 0 for values in curves.values() for value in values):
        ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.legend()


def _draw_lines(lines: Mapping[str, tuple[Sequence[int], Sequence[float]]], along: str, log: bool, ax: Any) -> None:
    for name, (steps, values) in lines.items():
        ax.plot(steps, values, marker=".", label=short(name, 18))
    if log and any(value > 0 for _, values in lines.values() for value in values):
        ax.set_yscale("log")
    ax.set_xscale("symlog")
    ax.set_xlabel(along)
    ax.legend(fontsize="small")


def _draw_flow(layers: Mapping[str, tuple[Sequence[int], Sequence[float]]], ax: Any) -> None:
    places = range(1, len(layers) + 1)
    ax.plot(places, [max(values[0], 1e-30) for _, values in layers.values()], marker="o", label="at the beginning")
    ax.plot(places, [max(values[-1], 1e-30) for _, values in layers.values()], marker="o", label="at the end")
    ax.set_yscale("log")
    ax.set_xlabel("layer with weights")
    ax.legend()
