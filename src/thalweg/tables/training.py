"""From a table to a trained model: understand the columns, hold some rows out, train, keep the best epoch."""

from __future__ import annotations

import contextlib
import time as clock
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

import numpy as np

from thalweg import cores, executors
from thalweg.checks import Count, In, check_value, checked
from thalweg.data import splits
from thalweg.data.tables.opening import opened
from thalweg.data.tables.table import Table
from thalweg.errors import DataError, NonFiniteError
from thalweg.evaluation.of_tables import with_target
from thalweg.evaluation.population import Job, run_jobs
from thalweg.executors.executor import Executor
from thalweg.fields import dataclass
from thalweg.processes.job import say
from thalweg.record.beginning import together
from thalweg.record.run import MODEL, Run
from thalweg.tables import recipe
from thalweg.tables.columns import schema_for, told
from thalweg.tables.model import TableModel, combined
from thalweg.tables.schema import Schema
from thalweg.tables.settings import Settings
from thalweg.tables.targets import Targets, find_targets
from thalweg.training.backup import BackupAndRestore
from thalweg.training.progress import check_verbose
from thalweg.training.timing import TerminateAfter

__all__ = ["train"]

FEWEST_ROWS = 4
"""Fewer rows cannot be trained on and validated by."""
MOST_IN_TURN = 100_000
"""In a table of more rows all networks are validated by the same ones: none lacks rows, and copies take memory."""


@checked
def train(
    data: Any,
    target: str | Sequence[str],
    *,
    categorical: Sequence[str] = (),
    numeric: Sequence[str] = (),
    dates: Sequence[str] = (),
    ignore: Sequence[str] = (),
    task: str | None = None,
    validation: Any = 0.2,
    group: str | None = None,
    time: str | None = None,
    epochs: Count | None = None,
    time_limit: Annotated[float, In("(0, inf)")] | None = None,
    members: Count | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
    seed: Annotated[int, In("[0, 4294967296)")] = 0,
    threads: Count | None = None,
    callbacks: Any = None,
    verbose: bool | int | str = "auto",
    executor: Executor | str | None = None,
    backup: BackupAndRestore | None = None,
    encoded: Callable[[], object] | None = None,
    run: str | Run | None = None,
) -> TableModel:
    """A model that tells one column of a table, or several, from the others.

    Everything that is found out of the columns is printed first, in one table, and can be said instead.

    Arguments:
        data: a path, a data frame, a mapping from names to columns, a list of rows, or an open table.
        target: the column that is to be told; several columns of numbers for several targets.
        categorical, numeric, dates, ignore: columns that are to be used so, whatever they look like.
        task: "regression" or "classification", where the target leaves it open; "binary", "multiclass", "multitarget".
        validation: the share of the rows by which the best epoch of a network is found, other ones for each network;
            or a table of such rows (anything that ``data`` can be). 0: none; the last epoch stays.
        group: a column; rows of one group are on one side of the split.
        time: a column; the validation rows are later than the others.
        epochs, members: how long, and how many networks whose predictions are averaged; chosen unless given.
        settings: ``tables.Settings`` of the network and its training, or a mapping with some of them.
        time_limit: seconds after which training ends, with what is best then.
        threads: of all networks together.
        callbacks: a function that makes further callbacks for one network.
        backup: as ``BackupAndRestore("backup", "30s")``: when the same call comes again after the program was killed,
            training goes on where it was.
        encoded: called when the rows have become arrays, and ``data`` is not looked at any more.
        run: record the training in a run, as ``fit`` does; of several networks in one.

    Returns: the model; ``model.schema`` says what was found out, ``model.histories`` how training went.

    Raises: NameNotFoundError for a column that is not there; DataError for a target that nothing can be learned of;
        what opening a table raises.

    Example: ``train("houses.csv", "price").save("houses.thalweg")``
    """
    began, verbose = clock.monotonic(), check_verbose(verbose)
    settings = Settings.of(settings, epochs, members)
    known = known_of(data, target, (categorical, numeric, dates, ignore), task, validation, group, time, seed, verbose)
    schema, parts = known.schema, known.parts
    plan = recipe.plan(schema, len(parts[0].train), settings)
    seeds = np.random.SeedSequence(seed).generate_state(plan.members).tolist()
    networks = [plan.build(own) for own in seeds]
    given = known.given(plan)
    if encoded is not None:
        encoded()
    rounds = -(-len(networks) // cores.wanted(threads))

    def watchers() -> list[Any]:
        made = [*plan.callbacks(parts[0].held_out is not None), *(callbacks() if callbacks is not None else ())]
        if time_limit is not None:
            left = max(time_limit - (clock.monotonic() - began), 0.1)
            made.append(TerminateAfter(left / rounds))
        return made

    with together(run, "table", {"target": schema.targets, "networks": len(networks)}) as owner:
        jobs = []
        for number, (network, own) in enumerate(zip(networks, seeds, strict=True)):
            if executor is not None:
                network.executor = executors.meant(executor)
            network.runner.draw_with(networks[0].runner)
            arguments = {
                "seed": own,
                "batch_size": plan.batch_size,
                "epochs": plan.epochs,
                "run": owner,
                "diagnose": False,
            }
            jobs.append(Job(network, arguments, partial(given, number)))
        if len(jobs) == 1:
            arguments = {**jobs[0].arguments, **jobs[0].rows()}
            kept = [] if backup is None else [backup]
            histories: list[Any] = [
                networks[0].fit(**arguments, callbacks=[*watchers(), *kept], threads=threads, verbose=verbose)
            ]
        else:
            histories = run_jobs(jobs, watchers, cores.wanted(threads), verbose, backup=backup)
        for outcome in histories:
            if isinstance(outcome, NonFiniteError):
                raise outcome
        model = combined(schema, networks)
        model.histories = histories
        if owner is not None and owner is not run:
            owner.keep(MODEL, model.save)
    return model


@dataclass(frozen=True)
class HeldOut:
    """The rows of a table by which the best epoch is found, as an index."""

    table: Table
    rows: np.ndarray


class Part(NamedTuple):
    """The rows that a network is trained on, and those it is validated by."""

    train: np.ndarray
    held_out: HeldOut | None


class Known(NamedTuple):
    """All that is known of a table before networks are trained on it."""

    table: Table
    targets: Targets
    schema: Schema
    parts: list[Part]

    def given(self, plan: recipe.Plan) -> Callable[[int], dict[str, Any]]:
        """What ``fit`` gets of the network of a number: one and the same for all, or the rows whose turn it is, and
        those it is validated by.
        """
        if len(self.parts) == 1:
            (part,) = self.parts
            (x, y), *rest = self._arrays(plan.filled(part.train), part.held_out)
            given = {"x": x, "y": y, "validation_data": rest[0] if rest else None}
            return lambda number: given
        known = self.targets.known
        ((x, y),) = self._arrays(known, None)

        def rows(chosen: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
            places = np.searchsorted(known, chosen)
            return {name: array[places] for name, array in x.items()}, y[places]

        def in_turn(number: int) -> dict[str, Any]:
            part = self.parts[number % len(self.parts)]
            own_x, own_y = rows(plan.filled(part.train))
            held = None if part.held_out is None else rows(part.held_out.rows)
            return {"x": own_x, "y": own_y, "validation_data": held}

        return in_turn

    def _arrays(self, chosen: np.ndarray, held_out: HeldOut | None) -> list[tuple[dict[str, np.ndarray], np.ndarray]]:
        """Inputs and targets of the rows to train on and of those held out, as a network of the plan takes them."""
        sides = [(self.table, chosen)]
        if held_out is not None:
            sides.append((held_out.table, held_out.rows))
        encodings = self.schema.encodings()
        return [(side.encoded(encodings, rows), self._told(side, rows)) for side, rows in sides]

    def _told(self, table: Table, rows: np.ndarray) -> np.ndarray:
        """The targets of some rows, numbers by the mean and the deviation of the training rows."""
        y = self.targets.of(table, rows)
        if y.ndim == 2:
            y = ((y - np.array(self.schema.centers)) / np.array(self.schema.scales)).astype(np.float32)
        return y


def known_of(
    data: Any,
    target: str | Sequence[str],
    words: tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[str]],
    task: str | None,
    validation: Any,
    group: str | None,
    time: str | None,
    seed: int,
    verbose: bool | int | str,
) -> Known:
    """Read a table, understand its columns, deal its rows; arguments as of ``train``, and what they raise.

    Arguments:
        words: the columns that are categorical, numeric, dates, and to be ignored.
    """
    table = opened(data)
    len(table)  # only now a file is read, and the types of its columns are certain
    targets = find_targets(table, target, task)
    wanted = told(table, *words)
    parts = deal_rows(table, targets, validation, group, time, seed)
    schema = schema_for(table, targets, wanted, parts[0].train if len(parts) == 1 else targets.known)
    if verbose:
        with contextlib.suppress(OSError, ValueError):  # a reader that has gone costs no training
            for note in (*table.notes, *targets.notes):
                say(note)
            schema.show()
    return Known(table, targets, schema, parts)


def deal_rows(
    table: Table, targets: Targets, validation: Any, group: str | None, time: str | None, seed: int
) -> list[Part]:
    """Parts for the networks, which take them in turn. Raises DataError if there are too few rows."""
    known = targets.known
    if isinstance(validation, bool) or not isinstance(validation, int | float):
        other = opened(validation)
        return [Part(known, HeldOut(other, with_target(targets.of(other))))]
    share = check_value("train", "validation", Annotated[float, In("[0, 1)")], float(validation))
    if not share:
        return [Part(known, None)]
    if len(known) < FEWEST_ROWS:
        raise DataError(
            "there are too few rows to learn from",
            expected=f"at least {FEWEST_ROWS} rows with a target",
            got=f"{len(known)}",
            fix="pass more rows, or validation=0 to train on all of them",
        )
    for name in (group, time):
        if name is not None:
            table.require(name, "train")
    classes = _strata(table, targets)
    groups = None if group is None else np.unique(_keys(table, group, known), return_inverse=True)[1]
    count = round(1 / share)
    if time is None and 1 < count <= len(known) <= MOST_IN_TURN:
        folds = splits.folds(len(known), count, classes=classes, groups=groups, seed=seed)
        everything = np.arange(len(known))
        pairs = [(np.setdiff1d(everything, held), held) for held in folds if 0 < len(held) < len(known)]
    else:
        held = max(1, round(len(known) * share))
        moments = None if time is None else _keys(table, time, known)
        sizes = (len(known) - held, held)
        train, rest = splits.parts(len(known), sizes, classes=classes, groups=groups, time=moments, seed=seed)
        pairs = [(train, rest)]
    if targets.classes and classes is not None and group is None and time is None:
        pairs = [splits.with_every_class(*pair, classes) for pair in pairs]
    return [Part(known[train], HeldOut(table, known[rest]) if len(rest) else None) for train, rest in pairs]


def _strata(table: Table, targets: Targets) -> np.ndarray | None:
    """Classes, or tenths of the only target: each side of a split gets its share of them."""
    y = targets.of(table, targets.known)
    if targets.classes:
        return y
    if y.shape[1] > 1:
        return None
    return np.searchsorted(np.quantile(y[:, 0], np.linspace(0.1, 0.9, 9)), y[:, 0])


def _keys(table: Table, name: str, rows: np.ndarray) -> np.ndarray:
    """Values that can be compared with each other; missing ones first."""
    values = table.values(name, rows)
    return np.array([("" if value is None else str(value)) for value in values]) if values.dtype == object else values
