"""A training as the doctor gets to see it."""

from __future__ import annotations

from collections.abc import Mapping

from thalweg.data.source import Source
from thalweg.doctor.facts.network import Network
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.layer import Layer
from thalweg.state import State
from thalweg.training.session import FitOptions
from thalweg.training.trainer import Trainer


@dataclass(frozen=True, eq=False)
class Case:
    """A training: the model, its data, and what was asked of ``fit``.

    Attributes:
        trainer: of the model; without goals where that says itself what a step does.
        layers: by path.
        rows, held_out: trained on and validated on.
    """

    trainer: Trainer
    layers: Mapping[str, Layer]
    options: FitOptions
    rows: Source
    held_out: Source | None = None
    class_weight: bool = False

    @property
    def state(self) -> State:
        """Of the model, as training left it."""
        return self.trainer.state

    def predictions(self) -> tuple[Node, ...]:
        """The nodes of a step of training that are its predictions."""
        if self.trainer.goals is None:
            return ()
        return self.trainer.step(self.options.batch(self.rows), self.rows.weights).predictions

    def network(self) -> Network:
        """The layers and how they are connected."""
        return Network(self.predictions(), self.layers)
