"""What the doctor says of a ``fit``: when it is over, and of an error that ended it or kept it from beginning."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

from thalweg.data.source import Source
from thalweg.doctor.case import Case
from thalweg.doctor.doctor import Doctor
from thalweg.doctor.finding import Diagnosis, of_error
from thalweg.doctor.watch import Watch
from thalweg.errors import NonFiniteError, ThalwegError
from thalweg.processes.job import current
from thalweg.training.progress import Output
from thalweg.training.session import FitOptions

Model = Any
"""A ``thalweg.Model``, which stands further down."""


F = TypeVar("F", bound=Callable[..., Any])


def telling(method: F) -> F:
    """Decorator: of ``compile`` or ``fit`` of a model, whose errors have a ``diagnosis`` if they are a disease."""

    @functools.wraps(method)
    def call(self: Model, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except ThalwegError as error:
            if error.diagnosis is None and error.disease is not None:
                error.diagnosis = Diagnosis((of_error(error),))
            if error.diagnosis is not None:
                self.diagnosis = error.diagnosis
            raise

    return cast(F, call)


def doctor_of(diagnose: bool | Doctor) -> Doctor | None:
    """The doctor that the argument ``diagnose`` means."""
    if isinstance(diagnose, Doctor):
        return diagnose
    return Doctor() if diagnose else None


def case_of(model: Model, rows: Source, held_out: Source | None, options: FitOptions, class_weight: Any) -> Case:
    """A training of this model as the doctor gets to see it."""
    runner = model.runner
    layers = runner.structure.layers_by_path()
    return Case(runner.trainer("fit", rows), layers, options, rows, held_out, class_weight is not None)


@contextlib.contextmanager
def diagnosed(
    doctor: Doctor | None,
    model: Model,
    rows: Source,
    held_out: Source | None,
    options: FitOptions,
    class_weight: Any,
) -> Iterator[list[Watch]]:
    """What watches the training; when it is over, ``history``, ``model`` and the error that ended it, if one did, have
    the ``diagnosis``, which is printed if there is something to say and the training is not silent.
    """
    if doctor is None:
        yield []
        return
    history = model.history
    case = case_of(model, rows, held_out, options, class_weight)
    watch = doctor.watch(case.state)
    try:
        yield [watch]
    except NonFiniteError as error:
        history.diagnosis = doctor.conclude(case, watch, history.history, error)
        error.diagnosis = history.diagnosis
        raise
    else:
        model.diagnosis = history.diagnosis = doctor.conclude(case, watch, history.history)
        if options.verbose and history.diagnosis.diagnosed and current().is_first:
            Output(sys.stdout).write(f"{history.diagnosis}\n")
