"""How the numbers that each layer gives are spread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np

from thalweg.evaluation.section import Picture, Section, short
from thalweg.executors.numpy import evaluate
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Node
from thalweg.layers.tracing import tracing
from thalweg.model import Model
from thalweg.state.names import DRAW_STATE
from thalweg.table import Table
from thalweg.training.step import inputs_of

ROWS, BINS, MOST_LAYERS = 256, 40, 12


@dataclass(frozen=True)
class Spread(Section):
    """Histograms of what layers give for some rows, in prediction.

    Attributes:
        layers: name -> (counts, edges of the bins).
    """

    key: ClassVar = "spread"
    heading: ClassVar = "What the layers give"

    layers: Mapping[str, tuple[np.ndarray, np.ndarray]]

    def table(self) -> Table:
        rows = [
            [short(name, 30), f"{edges[0]:.3g}", f"{edges[-1]:.3g}", f"{counts.max() / counts.sum():.0%}"]
            for name, (counts, edges) in self.layers.items()
        ]
        return Table("", ["layer", "least", "most", f"in the fullest of {BINS} bins"], rows)

    def pictures(self) -> Iterator[Picture]:
        for name, (counts, edges) in list(self.layers.items())[:MOST_LAYERS]:
            yield Picture(name, partial(_draw, counts, edges), width=3.0, height=2.2)


def spread_of(model: Model, x: Any) -> Spread:
    """Of a built model for at most 256 of these rows; numbers that are not finite are left out.

    Raises: what ``predict`` raises for such data.
    """
    model.build_for(x)
    runner = model.runner
    rows = runner.rows(x)
    rows = rows.take(slice(0, None, max(1, -(-rows.count // ROWS))))
    runner.give_values()
    net = runner.net(rows)
    with tracing(net.parameters, DRAW_STATE) as trace:
        net.call(inputs_of(net, rows.count), False)
        given = [node for uses in trace.results.values() for use in uses for node in _nodes(use)]
    wanted = {node.layer: node for node in given if node.layer and node.type.is_float and node.type.rank > 1}
    values = evaluate(Graph(wanted), rows.arrays, {**trace.starts, **runner.state.memory})
    return Spread({name: _histogram(values[node]) for name, node in wanted.items()})


def _nodes(use: Any) -> tuple[Node, ...]:
    return use if isinstance(use, tuple) else (use,)


def _histogram(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.histogram(x[np.isfinite(x)].astype(np.float64), BINS)


def _draw(counts: np.ndarray, edges: np.ndarray, ax: Any) -> None:
    ax.stairs(counts, edges, fill=True)
    ax.set_yticks([])
