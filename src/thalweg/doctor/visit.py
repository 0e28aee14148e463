"""What the doctor does when a training is over: gather what rules read, the dear parts only where they may matter."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.data.source import Arrays, Rows, Source
from thalweg.doctor import probes, rules
from thalweg.doctor.case import Case
from thalweg.doctor.facts.head import head_of
from thalweg.doctor.facts.inputs import inputs_of
from thalweg.doctor.facts.neighbours import reference_of
from thalweg.doctor.facts.repeats import repeats_of
from thalweg.doctor.facts.rows import count, spread
from thalweg.doctor.facts.start import layers_of, plan_of
from thalweg.doctor.facts.targets import targets_of, task_of
from thalweg.doctor.finding import Diagnosis
from thalweg.doctor.probes import Prober
from thalweg.doctor.record import Broken, Record
from thalweg.doctor.watch import Watch
from thalweg.errors import NonFiniteError, ThalwegError
from thalweg.executors.work import flops
from thalweg.graph.node import Graph
from thalweg.ops.contraction import Contraction
from thalweg.ops.convolution import Convolution
from thalweg.state.names import PARAMETERS, STEP_STATE

FEWEST_STEPS = 10
"""Of a training whose outcome says anything."""

MOST_ROWS, FEWEST_ROWS = 1000, 200
"""That the trained network predicts, of training and validation each; the fewer the more work one is."""

PATIENCE_SECONDS = 0.1
"""That these predictions may take."""

OPERATIONS, STEP_SECONDS = 2e11, 2e-5
"""Of contractions in a second, and what a step takes beside them, as compiled training does it. By these, and not by a
clock, a training is long or short, so that it is judged alike on every machine."""

REFERENCE_ROWS, FEWEST_REFERENCE_ROWS = 2000, 1000
"""That simple methods predict, from 2,000: 1,000 for each second of training, which takes them a hundredth of that."""

CONVERTED_BYTES, FEWEST_CONVERTED = 2 << 20, 64
"""Of data that are converted only when they are used: so many bytes, but so many rows at least."""


def visit(
    task: str | None,
    case: Case,
    watch: Watch,
    curves: Mapping[str, Sequence[Any]],
    error: ThalwegError | None = None,
) -> Diagnosis:
    """Judge a training; arguments as in ``Doctor`` and ``Doctor.conclude``."""
    train = rows_of(case.rows)
    validation = None if case.held_out is None else rows_of(case.held_out)
    record = before(task, case, watch, train)
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
    says = watch.steps >= FEWEST_STEPS and not (watch.continues and watch.epochs <= 1)  # a loop over epochs, by hand
    if record.task is not None and (says or record.broken is not None):
        record = after(record, case, watch, train, validation)
    return dataclasses.replace(rules.judge(record), record=record)


def look(task: str | None, case: Case) -> Diagnosis:
    """Judge a model as it is; see ``Doctor.look``."""
    watch = Watch(case.state)
    watch.on_train_begin()
    train = rows_of(case.rows)
    record = dataclasses.replace(before(task, case, watch, train), steps=int(case.state.number(STEP_STATE)))
    if record.task is not None:
        record = after(record, case, watch, train, None if case.held_out is None else rows_of(case.held_out))
    return dataclasses.replace(rules.judge(record), record=record)


def before(task: str | None, case: Case, watch: Watch, train: Arrays) -> Record:
    """What can be known before the first step."""
    network, goals = case.network(), case.trainer.goals
    plan = plan_of(case.trainer.optimizer, case.options, case.rows, network, case.class_weight)
    if goals is None:
        return Record(None, plan)
    targets = targets_of(train, goals)
    meant: Any = task or task_of(goals, targets, train)
    return Record(
        meant,
        plan,
        inputs=inputs_of(train, network, finite=True),
        targets=targets,
        head=head_of(goals, network, targets, meant),
        layers=layers_of(network, watch.moments[0].parameters) if watch.moments else (),
    )


def after(record: Record, case: Case, watch: Watch, train: Arrays, validation: Arrays | None) -> Record:
    """What the trained network does; where it does not clearly do well, all that may explain it."""
    goals, whole = case.trainer.goals, record.broken is None
    assert goals is not None, "a task comes with goals"
    rows = affordable(case)
    seen, held_out = few(train, rows), None if validation is None else few(validation, rows)
    prober = Prober(case.trainer.net, goals, record.task, few(train, probes.MOST_ROWS))
    now = case.state.snapshot(case.state.names(PARAMETERS))
    first = watch.moments[0]
    record = dataclasses.replace(
        record,
        train=prober.outcome(now, seen) if whole else None,
        validation=prober.outcome(now, held_out) if whole and held_out is not None else None,
    )
    tried: set[str] = set()
    while wanted := rules.needs_more(record) - tried:  # what they ask for depends on what they have seen
        tried |= wanted
        parts: dict[str, Any] = {}
        if "reference" in wanted:
            long = seconds(case, record.steps)
            most = int(min(REFERENCE_ROWS, max(FEWEST_REFERENCE_ROWS, FEWEST_REFERENCE_ROWS * long)))
            parts["reference"] = reference_of(train, record.task, most)
        if "repeats" in wanted and validation is not None:
            parts["repeats"] = repeats_of(train, validation)
        if "probes" in wanted:
            parts["probes"] = tuple(prober.probe(moment, first) for moment in watch.moments)
            parts["initial_loss"] = parts["probes"][0].loss
        if "best" in wanted and held_out is not None and watch.best is not None:
            parts["best"] = prober.outcome(watch.best.parameters, held_out, confident=True)
        record = dataclasses.replace(record, **parts)
    return record


def rows_of(source: Source) -> Arrays:
    """The arrays as the graph takes them: all rows; of what is converted when used some, of a stream the first."""
    if isinstance(source, Rows) and source.ready().keys() != set(source.labels):
        row = 4 * sum(math.prod(shape) for shape in source.shapes.values())
        return source.take(spread(source.count, max(FEWEST_CONVERTED, CONVERTED_BYTES // max(row, 1)))).arrays
    return source.ready()


def affordable(case: Case) -> int:
    """How many rows the network may predict, so that it takes no longer than a tenth of a second."""
    batch = case.options.batch(case.rows)
    outputs = {str(number): node for number, node in enumerate(case.predictions())}
    seconds = probes.numpy_seconds(Graph(outputs)) / batch
    return int(min(MOST_ROWS, max(FEWEST_ROWS, PATIENCE_SECONDS / max(seconds, 1e-9))))


def seconds(case: Case, steps: int) -> float:
    """About what so many steps of training take."""
    outputs = {str(number): node for number, node in enumerate(case.predictions())}
    forward = sum(flops(node) for node in Graph(outputs).nodes() if isinstance(node.op, Contraction | Convolution))
    return steps * (3 * forward / OPERATIONS + STEP_SECONDS)


def few(arrays: Arrays, most: int) -> Arrays:
    """So many rows at most, from the first to the last at equal distances: rows may stand in an order."""
    return {label: np.ascontiguousarray(array[spread(count(arrays), most)]) for label, array in arrays.items()}


def _broken(watch: Watch, error: ThalwegError | None) -> Broken | None:
    if watch.found is not None:
        return Broken(watch.steps, watch.found.layer, watch.found.message)
    return Broken(watch.steps, error.layer, error.problem) if isinstance(error, NonFiniteError) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
