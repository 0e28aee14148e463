"""A model for inputs of one shape. Of a model with open axes there are several, which share state and weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import field

from thalweg.fields import dataclass
from thalweg.graph.types import Shape
from thalweg.training.inference import Prediction
from thalweg.training.own import OwnPrediction
from thalweg.training.programs import Programs
from thalweg.training.step import Net
from thalweg.training.trainer import Trainer
from thalweg.trees import TreeForm

Shapes = Mapping[str, Shape]
"""Of a sample, by the label of the input."""

KEPT = 16
"""Shapes for which a model keeps its programs: those that were used last."""


class ShapeNotice(UserWarning):
    """A model with open axes meets so many shapes that it spends its time on compiling."""


@dataclass(eq=False)
class Form:
    """What is made of a model for one shape of its inputs, each part when it is first needed.

    Attributes:
        predictions: by whether layers behave as in training.
        own_predictions: of a model that says itself what it predicts, by how the inputs are given.
    """

    net: Net
    programs: Programs | None = None
    trainer: Trainer | None = None
    predictions: dict[bool, Prediction] = field(default_factory=dict)
    own_predictions: dict[tuple[str, ...] | TreeForm | None, OwnPrediction] = field(default_factory=dict)


class Forms:
    """The forms of one model.

    Arguments:
        make: a form for inputs of these shapes; for any that do if there are none.
    """

    def __init__(self, make: Callable[[Shapes | None], Form]) -> None:
        self._make = make
        self._kept: dict[tuple[Shape, ...], Form] = {}  # the one used last stands last
        self._met = 0
        self._latest: Form | None = None

    @property
    def any_met(self) -> bool:
        """Whether there were data."""
        return bool(self._kept)

    def latest(self) -> Form:
        """The one that was used last; before there was one, that of the sizes that shapes are worked out for."""
        if self._latest is None:
            self._latest = self._make(None)
        return self._latest

    def of(self, shapes: Shapes) -> Form:
        """The one for inputs of these shapes. From now on the running sums have the shapes that it needs."""
        key = tuple(shapes.values())
        form = self._kept.pop(key, None)
        if form is None:
            form = self._make(shapes)
            self._met += 1
            if self._met == KEPT + 1:
                _tell_of_many_shapes()
        self._kept[key] = form
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        if form is not self._latest and form.programs is not None:
            form.programs.claim_states()
        self._latest = form
        return form


def _tell_of_many_shapes() -> None:
    warnings.warn(
        f"the data have come in more than {KEPT} shapes, and for each the model is compiled anew; programs are kept "
        f"for the {KEPT} used last. Bring the data to a few lengths, for example with utils.pad_sequences.",
        ShapeNotice,
        stacklevel=5,
    )
