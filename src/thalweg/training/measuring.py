"""Statistics of the layers while they learn."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from statistics import median
from typing import Annotated, Any

from thalweg import statistics
from thalweg.checks import In
from thalweg.errors import ArgumentError
from thalweg.processes.job import clock
from thalweg.record.events import Event, Measured
from thalweg.table import Table, Tabular
from thalweg.training.callbacks import Callback, Logs

SHARE, CUT_SECONDS = 0.02, 8e-4
"""Of the time of training that ``Sparing`` lets measurements take; and about what each one takes beside its own call,
which ends another one and whose code the caches had forgotten."""


class Sparing:
    """Chooses the steps to measure: each ``every``-th, but fewer where that would take more than a small share of time.

    A step that is measured is a call and a program of its own, which is long beside the steps of a small network. What
    it takes the clock says, so which steps these are may differ from run to run; what is trained does not.

    Arguments:
        clock: seconds.
    """

    def __init__(self, every: int, clock: Callable[[], float] = clock) -> None:
        self.every = every
        self._clock = clock
        self._due: int | None = None
        self._asked = 0.0  # when it was last said that the next step is to be measured
        self._last: tuple[int, float] | None = None  # the step that was measured last, and when it was done
        self._costs: deque[float] = deque(maxlen=5)

    def measures_in(self, step: int) -> int:
        """As ``Callback.measures_in``."""
        if self._due is None or self._due < step:
            self._due = step + -step % self.every
        if self._due == step:
            self._asked = self._clock()
        return self._due - step

    def took(self, step: int) -> None:
        """The step has been measured."""
        now, wanted = self._clock(), 0.0
        if self._last is not None and step - self._last[0] > 1:  # the first one has compiled the program
            before, then = self._last
            self._costs.append(now - self._asked)
            steps_a_second = (step - before - 1) / max(self._asked - then, 1e-9)
            wanted = (median(self._costs) + CUT_SECONDS) / SHARE * steps_a_second
        self._last = step, now
        self._due = step - step % self.every + self.every * max(1, math.ceil(wanted / self.every))


class LayerStatistics(Callback, Tabular):
    """Measures what the layers give and how they learn, every so many steps; ``print`` shows the last as a table.

    Of what a layer gives: ``mean``, ``deviation`` (standard deviation) and ``zeros``, the share of numbers that are 0;
    ``pre_deviation``, before the layer's activation; ``dead``, the share of relu's units that fire for no row of the
    batch; ``saturated``, the share of numbers at the ends of a sigmoid or tanh. Of its trained parameters together:
    ``gradient_norm``, and ``update_ratio``, the norm of their move divided by their own norm; about 0.001 is usual. Of
    its kernel alone: ``kernel_gradient``, ``zero_gradients``, the share of zeros in it, and ``gain``, its deviation
    times the root of the inputs of a unit. The steps between run as fast as without, and the weights are the same.

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

    def measures_in(self, step: int) -> int | None:
        every: int = self.every
        return -step % every

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.steps: list[int] = []
        self.layers: dict[str, dict[str, list[float]]] = {}

    def get_state(self) -> Mapping[str, Any]:
        return {"steps": self.steps, "layers": self.layers}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.steps, self.layers = list(state["steps"]), {layer: dict(kept) for layer, kept in state["layers"].items()}

    def hear(self, event: Event) -> None:
        if isinstance(event, Measured) and self.measures_in(event.total_steps) == 0:
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
