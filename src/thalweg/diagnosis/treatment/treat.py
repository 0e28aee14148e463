"""``treat``: what the doctor finds is cured, and every cure is proved by training again from the same seeds."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import time
from collections.abc import Mapping
from typing import Annotated, Any

from thalweg import cores
from thalweg.checks import Count, In, checked
from thalweg.diagnosis.treatment import code
from thalweg.diagnosis.treatment import network as networks
from thalweg.diagnosis.treatment.course import Course
from thalweg.diagnosis.treatment.judging import Judgement, judged
from thalweg.diagnosis.treatment.material import Material, material, task_of
from thalweg.diagnosis.treatment.outcome import Treatment
from thalweg.diagnosis.treatment.program import PATIENCE, Program
from thalweg.diagnosis.treatment.start import build, require_treatable, starting_values
from thalweg.diagnosis.treatment.trials import Trial, Trials, logits
from thalweg.errors import ArgumentError, did_you_mean
from thalweg.model import Model
from thalweg.training.progress import check_verbose

SEEDS = 3
"""Runs of each program that are compared."""

LEAST_BUDGET = 2e10
"""Multiplications that a treatment may always spend: some ten seconds of one core."""

OF_FIT = tuple(name for name in inspect.signature(Model.fit).parameters if name not in ("self", "x", "y"))
REFUSED = ("run", "diagnose", "initial_epoch", "steps_per_epoch", "validation_steps")


@checked
def treat(
    model: Model,
    x: Any,
    y: Any = None,
    task: str | None = None,
    *,
    budget: Annotated[float, In("(1, inf)")] = 8.0,
    seed: Annotated[int, In("[0, 4294967296)")] = 0,
    threads: Count | None = None,
    verbose: bool | int | str = "auto",
    **arguments: Any,
) -> Treatment:
    """Cure what the doctor finds in a training, and prove every cure. The model that is given stays as it is.

    The model is trained as the arguments say, and examined. Against each finding, root causes first, prescriptions are
    tried in copies that begin from the same seeds; of several of one kind, as learning rates, the best in short runs.
    One is kept if the score gains .02, and twice the deviation over three seeds; or if it takes 5 % off the validation
    loss, where rows are learnt by heart. The changed training is examined anew, until nothing is found, nothing helps,
    or the budget is spent. At the end each change is left out once, and those that are not needed go.

    The score is that on ``validation_data``, on the ``validation_split``, or on a fifth of the rows that is held out
    (of fewer than 23 rows on all of them): the share of right classes, their mean recall where a class is rare, or R2.

    Arguments:
        model: compiled. Trained or not: it is trained anew.
        x, y: arrays. They stay as they are: what belongs to the data is put into the model, as a Normalization.
        task: "binary", "multiclass" or "regression"; worked out from targets, loss and head unless given.
        budget: how many times the work of the training as it came may be done; some ten seconds are always granted.
        seed: of the first runs; those beside it take the next ones.
        threads: of all runs together.
        arguments: of ``fit``: ``epochs``, ``batch_size``, ``validation_data``, ``callbacks`` (copied for each run) ...

    Raises: GraphError if the model is not compiled; ArgumentError for a stream, for several outputs, and for a model
        with steps of its own, which no one but its author can change.

    Example: ``treatment = treat(model, x, y, epochs=30); print(treatment); treatment.model.save("cured.thalweg")``
    """
    began = time.perf_counter()
    _check(arguments)
    require_treatable(model, x, y)
    build(model, x)
    fit = dict(arguments)
    program = Program.of(model, {})
    activation = "" if program.network is None else networks.head_activation(program.network)
    rows = material(x, y, task_of(y, program.loss, activation, task), fit, seed)
    program = Program.of(model, fit)
    trials = Trials(rows, starting_values(model), cores.wanted(threads), model.executor)
    most = max(budget * trials.cost(program), LEAST_BUDGET)
    seeds = tuple((seed + number) % 2**32 for number in range(SEEDS))
    course = Course(program, trials, seeds, most, bool(check_verbose(verbose)))
    came = course.first(program)
    if any(finding.code == "class_imbalance" for finding in came.diagnosis) and not rows.balanced:
        trials = dataclasses.replace(trials, material=rows.of_equal_classes())
        course = Course(program, trials, seeds, most, bool(check_verbose(verbose)))
        came = course.first(program)
    standing = course.treated()
    standing = course.reduced(standing)
    return _finished(course, standing, came, model, began)


def _finished(course: Course, standing: Program, came: Trial, model: Model, began: float) -> Treatment:
    """What is given back: the best model that there is, and how it came about."""
    original, notes = course.original, []
    ran = [seed for seed in course.seeds if (id(standing), seed) in course.runs]
    own = course.of(standing, ran)
    if standing.kept is not None and any(cure.code == "data_leakage" for cure in course.cures):
        notes.append(
            "The model is trained on all rows, those that were left out to measure it included: they do no harm to it, "
            "only to its validation."
        )
        own = course.trials.run([(standing.with_rows_again(), seed) for seed in ran])
    best = max(own, key=lambda trial: trial.judgement)
    given = _as_it_came(model, course.trials.material, original)
    others = [trial for trial in course.runs.values() if trial.program is original]
    best = came if came.failed is None and best.score < came.score else best
    delivered = best.model
    if delivered is None:
        delivered = model
        notes.append("No training came to its end: the model is given back as it came.")
    elif given is not None and best.judgement < given:
        delivered = copy.deepcopy(model)
        notes.append("The model as it came is better than every one that was trained here, and is given back.")
    delivered.class_names = model.class_names
    diagnosis = came.diagnosis
    if not diagnosis.findings:
        notes.insert(0, "the doctor finds nothing that would have to be cured.")
    told = {name: value for name, value in standing.fit.items() if name != PATIENCE}
    if standing.fit.get(PATIENCE):
        told["early_stopping"] = standing.fit[PATIENCE]
    rows = course.trials.material
    return Treatment(
        model=delivered,
        diagnosis=diagnosis,
        left=course.first(standing).diagnosis,
        applied=tuple(cure.change.words for cure in course.cures),
        diff=code.difference(original, standing),
        code=code.code(standing),
        tried=tuple(course.tried),
        before=tuple(trial.score for trial in others),
        after=tuple(trial.score for trial in course.of(standing, ran)),
        score=f"{rows.named} of {rows.told}",
        kept=standing.kept,
        fit_arguments=told,
        notes=tuple(notes),
        work=course.trials.work / course.trials.cost(original),
        elapsed_seconds=time.perf_counter() - began,
    )


def _as_it_came(model: Model, rows: Material, program: Program) -> Judgement | None:
    """Of the model itself, if it has been trained."""
    if model.optimizer is None or not int(model.optimizer.iterations):
        return None
    return judged(model.predict(rows.x_val, verbose=0), rows, logits(program))


def _check(arguments: Mapping[str, Any]) -> None:
    unknown = [name for name in arguments if name not in OF_FIT]
    if unknown:
        raise ArgumentError(
            f"treat: no argument is called {unknown[0]!r}",
            expected="arguments of fit",
            got=repr(unknown[0]),
            fix=did_you_mean(unknown[0], OF_FIT),
        )
    refused = [name for name in arguments if name in REFUSED]
    if refused:
        raise ArgumentError(
            f"treat: {refused[0]!r} is not for a treatment, which trains many times from the beginning",
            expected="the other arguments of fit",
            got=f"{refused[0]}={arguments[refused[0]]!r:.40}",
            fix="leave it out",
        )
