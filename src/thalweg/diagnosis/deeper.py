"""What deeper tests found, as a part of a chart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from thalweg.diagnosis.examining.examination import Examination
from thalweg.evaluation.section import Picture, Section
from thalweg.fields import dataclass
from thalweg.table import Table


@dataclass(frozen=True)
class Deeper(Section):
    """An examination."""

    key: ClassVar = "examination"
    heading: ClassVar = "Deeper tests"

    examination: Examination

    def table(self) -> Table:
        return self.examination.table()

    def sentences(self) -> list[str]:
        found = self.examination.outcomes.items()
        changes = {name: f" To do: {outcome.change}." if outcome.change else "" for name, outcome in found}
        return [f"{name}: {outcome.verdict}.{changes[name]}" for name, outcome in found]

    def pictures(self) -> Iterator[Picture]:
        for name, outcome in self.examination.outcomes.items():
            plot = getattr(outcome, "plot", None)
            if plot is None:
                continue
            yield Picture(name, _in_three(plot), width=12.0) if name == "surface" else Picture(name, plot)

    def to_dict(self) -> dict[str, Any]:
        return self.examination.to_dict()


def _in_three(plot: Any) -> Any:
    """For what draws on three axes."""

    def draw(ax: Any) -> None:
        figure = ax.figure
        ax.remove()
        plot(figure.subplots(1, 3))

    return draw
