"""What ``compile`` decided: a value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.layers.layer import Layer
from thalweg.model.description import TrainedEntry, bad_entry, entry
from thalweg.model.structure import Structure
from thalweg.optimizers.optimizer import Optimizer
from thalweg.training import data
from thalweg.training.goals import Goals, check_names, chosen, goals_of, is_open


@dataclass(frozen=True)
class Trained:
    """What is trained. Settled when a model is compiled, as in Keras: what ``trainable`` says later waits for the next
    time.

    Attributes:
        paths: of the parameters that training changes.
        frozen: the layers that behave as in prediction, such as BatchNormalization.
    """

    paths: frozenset[str] = frozenset()
    frozen: frozenset[Layer] = frozenset()

    @classmethod
    def now(cls, structure: Structure, trainable: bool) -> Trained:
        """What the layers say now; ``trainable`` is what the model says."""
        frozen = (layer for layer in structure.layers_by_path().values() if not layer.trainable)
        return cls(frozenset(structure.trainable_paths() if trainable else ()), frozenset(frozen))

    def described(self, structure: Structure) -> dict[str, list[str]]:
        """By paths, in JSON types."""
        frozen = [path for path, layer in structure.layers_by_path().items() if layer in self.frozen]
        return {"trained": sorted(self.paths), "frozen": frozen}

    @classmethod
    def restored(cls, described: Any, structure: Structure) -> Trained:
        """The inverse. Raises ArgumentError for a layer that is not there."""
        layers = structure.layers_by_path()
        given = entry(TrainedEntry, described, "what the model was compiled for")
        strange = sorted(set(given.frozen) - layers.keys())
        if strange:
            raise bad_entry("a layer that was frozen is not there", f"one of {list(layers)}", strange[0])
        return cls(frozenset(given.trained) & structure.parameters().keys(), frozenset(layers[p] for p in given.frozen))


@dataclass(frozen=True)
class Compiled:
    """The optimizer's rule, what is trained, and the other arguments of ``compile`` as they were given.

    Those become goals where the model's outputs are known.
    """

    rule: Optimizer
    loss: Any
    loss_weights: Any
    metrics: Any
    weighted_metrics: Any
    trained: Trained = Trained()

    @property
    def arguments(self) -> dict[str, Any]:
        """Those of ``compile`` by their names there, without the optimizer."""
        return {name: getattr(self, name) for name in ("loss", "loss_weights", "metrics", "weighted_metrics")}

    @property
    def is_open(self) -> bool:
        """Whether a loss is yet to be chosen by the targets, ``"auto"``."""
        return is_open(self.loss)

    def check_names(self) -> None:
        """What can be said before there are outputs. Raises NameNotFoundError for what does not exist."""
        check_names(self.arguments)

    def goals_for(self, structure: Structure, outputs: Mapping[str, TensorType]) -> Goals:
        """The goals for predictions of these types, which need not have a loss. Raises as ``goals``."""
        return self._goals(structure, outputs, needs_loss=False)

    def goals(self, structure: Structure, outputs: Mapping[str, TensorType]) -> Goals:
        """The goals for outputs of these types. Raises ArgumentError or NameNotFoundError, naming the argument."""
        return self._goals(structure, outputs, needs_loss=True)

    def _goals(self, structure: Structure, outputs: Mapping[str, TensorType], needs_loss: bool) -> Goals:
        given = {what: named(value, structure, partial=True) for what, value in self.arguments.items()}
        fronts = {} if structure.outputs_form is None else structure.makers_of_outputs()
        return goals_of(
            outputs,
            given["loss"],
            given["loss_weights"],
            given["metrics"],
            given["weighted_metrics"],
            needs_loss=needs_loss,
            fronts=fronts,
        )

    def choose(self, y: Any, structure: Structure, predictions: Mapping[str, Node]) -> tuple[Compiled, str]:
        """The same with what ``"auto"`` means for the targets ``y`` in its place, and what to tell the user of it."""
        loss, told = chosen(
            named(self.loss, structure, partial=True), predictions, data.targets(named(y, structure), predictions)
        )
        return dataclasses.replace(self, loss=loss), told

    def slots(self, structure: Structure) -> dict[str, tuple[TensorType, float | int]]:
        """The optimizer's states: name -> type and what it starts from."""
        types = {path: p.type for path, p in structure.parameters().items() if path in self.trained.paths}
        return self.rule.states(types)


def named(value: Any, structure: Structure, partial: bool = False) -> Any:
    """Of what is nested as the outputs are, a mapping by their names; of a mapping that names the only output after its
    layer, as Keras allows, what it maps to.

    Arguments:
        partial: whether some may be missing.
    """
    value, outputs = structure.outputs_apart(value, partial), structure.outputs
    call = outputs[""].call if outputs.keys() == {""} else None
    if isinstance(value, Mapping) and call is not None and set(value) == {call.layer.label}:
        return value[call.layer.label]
    return value
