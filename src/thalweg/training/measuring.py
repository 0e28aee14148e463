"""Statistics of the layers while they learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from thalweg import statistics
from thalweg.checks import In
from thalweg.errors import ArgumentError
from thalweg.record.events import Event, Measured
from thalweg.table import Table, Tabular
from thalweg.training.callbacks import Callback, Logs


class LayerStatistics(Callback, Tabular):
    """Measures what the layers give and how they learn, every so many steps; ``print`` shows the last as a table.

    Of what a layer gives: ``mean``, ``deviation`` (standard deviation) and ``zeros``, the share of numbers that are 0.
    Of its trained parameters together: ``gradient_norm``, and ``update_ratio``, the norm of their move divided by
    their own norm; about 0.001 is usual. The steps between run as fast as without, and the weights are the same.

    Arguments:
        every: steps from one measurement to the next; the first step is measured.

    Attributes:
        steps: which steps were measured, counted from 0 over all that the model has made.
        layers: layer -> statistic -> one number for each of these.

    Example:
        ``watch = LayerStatistics(every=50); model.fit(x, y, callbacks=[watch]); print(watch)``
    """

    def __init__(self, every: int = 50) -> None:
        self.every = self.checked("every", Annotated[int, In("[1, inf)")], every)
        self.on_train_begin()

    def measures(self, step: int) -> bool:
        return bool(step % self.every == 0)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.steps: list[int] = []
        self.layers: dict[str, dict[str, list[float]]] = {}

    def get_state(self) -> Mapping[str, Any]:
        return {"steps": self.steps, "layers": self.layers}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.steps, self.layers = list(state["steps"]), {layer: dict(kept) for layer, kept in state["layers"].items()}

    def hear(self, event: Event) -> None:
        if isinstance(event, Measured) and self.measures(event.total_steps):
            self.steps.append(event.total_steps)
            for layer, values in event.statistics.items():
                for name, value in values.items():
                    self.layers.setdefault(layer, {}).setdefault(name, []).append(value)

    def table(self) -> Table:
        """The last measurement. Raises ArgumentError before there is one."""
        if not self.steps:
            raise ArgumentError(
                "LayerStatistics: nothing has been measured yet",
                expected="a fit with this callback",
                got="no step",
                fix="pass it to fit: callbacks=[watch]",
            )
        rows = [
            [layer, *(f"{values[name][-1]:.3g}" if name in values else "" for name in statistics.ALL)]
            for layer, values in self.layers.items()
        ]
        return Table(f"step {self.steps[-1]}", ("layer", *statistics.ALL), rows)
