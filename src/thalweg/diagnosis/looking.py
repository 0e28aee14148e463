"""A model that is looked at without its training: with data, as it is now."""

from __future__ import annotations

from typing import Any

from thalweg.doctor.doctor import Doctor
from thalweg.doctor.finding import Diagnosis
from thalweg.model import Model
from thalweg.model.diagnosed import case_of
from thalweg.model.given import Given
from thalweg.training.session import FitOptions


def look(model: Model, x: Any, y: Any = None, validation_data: Any = None, task: str | None = None) -> Diagnosis:
    """What can be said of a compiled model and data without a training: of data, head, loss, weights and fit.

    What needs the course of a training, as a learning rate that is too high, is not looked for. Nothing of the model
    changes.

    Arguments:
        x, y, validation_data: as for ``fit``; what the model was trained on.
        task: as for ``Doctor``.

    Raises: GraphError if the model is not compiled, and what ``fit`` raises for such data.
    """
    model.runner.require_compiled("look")
    given = Given.of("look", x, y)
    model.build_for(given.x)
    rows = given.prepared(model.runner)
    held = Given.held_out(validation_data, model.runner.trains_itself)
    held_out = None if held is None else held.prepared(model.runner)
    case = case_of(model, rows, held_out, FitOptions(32, epochs=0), class_weight=None)
    return Doctor(task).look(case)
