"""What the doctor does when a training is over: gather what rules read, the dear parts only where they may matter."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from thalweg.data.source import Arrays
from thalweg.doctor import rules
from thalweg.doctor.doctor import Case, Doctor
from thalweg.doctor.facts.head import head_of
from thalweg.doctor.facts.inputs import inputs_of
from thalweg.doctor.facts.neighbours import reference_of
from thalweg.doctor.facts.repeats import repeats_of
from thalweg.doctor.facts.start import layers_of, plan_of
from thalweg.doctor.facts.targets import targets_of, task_of
from thalweg.doctor.finding import Diagnosis
from thalweg.doctor.probes import Prober
from thalweg.doctor.record import Broken, Record
from thalweg.doctor.watch import Watch
from thalweg.errors import NonFiniteError, ThalwegError
from thalweg.state.names import PARAMETERS

FEWEST_STEPS = 10
"""Of a training whose outcome says anything."""


def visit(
    doctor: Doctor,
    case: Case,
    watch: Watch,
    curves: Mapping[str, Sequence[Any]],
    error: ThalwegError | None = None,
) -> Diagnosis:
    """Judge a training; arguments as in ``Doctor.conclude``."""
    train = case.rows.ready()
    validation = None if case.held_out is None else case.held_out.ready()
    record = before(doctor, case, watch, train)
    record = dataclasses.replace(
        record,
        curves={name: tuple(values) for name, values in curves.items() if all(map(_is_number, values))},
        losses=tuple(watch.losses),
        steps=watch.steps,
        epochs=watch.epochs,
        broken=_broken(watch, error),
        stopped_by=watch.stopped_by,
        measured=tuple(watch.measured),
    )
    if case.goals is not None and record.task is not None and watch.steps >= FEWEST_STEPS:
        record = after(record, case, watch, train, validation)
    return dataclasses.replace(rules.judge(record), record=record)


def look(doctor: Doctor, case: Case) -> Diagnosis:
    """Judge a model as it is; see ``Doctor.look``."""
    watch = doctor.watch(case.state)
    watch.on_train_begin()
    train = case.rows.ready()
    record = before(doctor, case, watch, train)
    if case.goals is not None and record.task is not None:
        record = after(record, case, watch, train, None if case.held_out is None else case.held_out.ready())
    return dataclasses.replace(rules.judge(record), record=record)


def before(doctor: Doctor, case: Case, watch: Watch, train: Arrays) -> Record:
    """What can be known before the first step."""
    plan = plan_of(case.rule, case.options, case.rows, case.layers, case.class_weight)
    if case.goals is None:
        return Record(None, plan)
    targets = targets_of(train, case.goals)
    task: Any = doctor.task or task_of(case.goals, targets)
    return Record(
        task,
        plan,
        inputs=inputs_of(train, case.layers),
        targets=targets,
        head=head_of(case.goals, case.layers, targets, task),
        layers=layers_of(case.layers, watch.moments[0].parameters) if watch.moments else (),
    )


def after(record: Record, case: Case, watch: Watch, train: Arrays, validation: Arrays | None) -> Record:
    """What the trained network does; where it does not clearly do well, all that may explain it."""
    assert case.goals is not None, "asked of a model with goals"
    prober = Prober(case.net, case.goals, record.task, train)
    now = case.state.snapshot(case.state.names(PARAMETERS))
    first = watch.moments[0]
    record = dataclasses.replace(
        record,
        initial_loss=prober.probe(first, first).loss,
        train=prober.outcome(now, train),
        validation=None if validation is None else prober.outcome(now, validation),
    )
    wanted = rules.needs_more(record)
    parts: dict[str, Any] = {}
    if "reference" in wanted:
        parts["reference"] = reference_of(train, record.task)
    if "repeats" in wanted and validation is not None:
        parts["repeats"] = repeats_of(train, validation)
    if "probes" in wanted:
        parts["probes"] = tuple(prober.probe(moment, first) for moment in watch.moments)
    if "best" in wanted and validation is not None and watch.best is not None:
        parts["best"] = prober.outcome(watch.best.parameters, validation)
    return dataclasses.replace(record, **parts)


def _broken(watch: Watch, error: ThalwegError | None) -> Broken | None:
    if watch.found is not None:
        return Broken(watch.steps, watch.found.layer, watch.found.message)
    return Broken(watch.steps, error.layer, error.problem) if isinstance(error, NonFiniteError) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
