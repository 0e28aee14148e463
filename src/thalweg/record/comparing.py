"""Several runs beside each other: what they were told otherwise, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.fields import dataclass
from thalweg.record.reading import Record
from thalweg.table import Table, Tabular

__all__ = ["Comparison"]


@dataclass(frozen=True)
class Comparison(Tabular):
    """Runs side by side: of the settings those that differ, then metrics and results."""

    runs: Sequence[Record]

    @property
    def differences(self) -> dict[str, list[Any]]:
        """Setting -> its value in each run, where these are not all the same; None where a run lacks it."""
        names = sorted({name for run in self.runs for name in run.settings})
        rows = {name: [run.settings.get(name) for run in self.runs] for name in names}
        return {name: values for name, values in rows.items() if any(value != values[0] for value in values)}

    @property
    def numbers(self) -> dict[str, list[Any]]:
        """Metric or result -> its value in each run."""
        names = dict.fromkeys(name for run in self.runs for name in (*run.metrics, *run.results))
        return {name: [run.value(name) for run in self.runs] for name in names}

    def table(self) -> Table:
        rows = [
            ["status", *(run.status for run in self.runs)],
            ["seconds", *(f"{run.seconds:.1f}" for run in self.runs)],
            *([name, *map(told, values)] for name, values in self.numbers.items()),
            *([name, *map(told, values)] for name, values in self.differences.items()),
        ]
        return Table("", ("", *(f"{run.number} {run.name}" for run in self.runs)), rows)

    def to_dict(self) -> dict[str, Any]:
        """Everything in JSON types."""
        return {
            "runs": [run.number for run in self.runs],
            "names": [run.name for run in self.runs],
            "numbers": self.numbers,
            "differences": self.differences,
        }


def told(value: Any) -> str:
    """A value as a cell of a table."""
    if value is None:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
