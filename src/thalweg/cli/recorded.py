"""The run in which a command records its training."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.cli.data import Images, Pile
from thalweg.cli.reporting import Teller
from thalweg.data.fingerprint import of_arrays
from thalweg.data.tables.table import Table
from thalweg.errors import StorageError
from thalweg.processes.job import current
from thalweg.record.beginning import begin
from thalweg.record.reading import Record
from thalweg.record.run import MODEL, Run
from thalweg.record.store import ENVIRONMENT, Store


def fingerprint(data: Images | Pile | Table) -> dict[str, Any]:
    """What tells the data of a training from others, in JSON types: of tables every row counts."""
    if isinstance(data, Table):
        return {"columns": list(data.columns), **of_arrays({"rows": np.asarray(data.hashes())})}
    if isinstance(data, Pile):
        return {"classes": list(data.class_names), **of_arrays({"x": data.x, "y": data.y})}
    named = zip(("x", "y", "x_test", "y_test"), (*data.train, *data.test), strict=True)
    return {"classes": list(data.class_names), **of_arrays(dict(named))}


def in_json_types(options: Mapping[str, Any]) -> dict[str, Any]:
    """A command's options as its record has them."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}


@contextlib.contextmanager
def recorded(
    kind: str, name: str, options: Mapping[str, Any], data: Mapping[str, Any], wanted: bool
) -> Iterator[Run | None]:
    """The run of a training by a command; None if none is wanted, or possible, which is said.

    Arguments:
        kind: the command.
        options: of the command, by the names of its arguments, in JSON types.
        data: the fingerprint.
    """
    run = None
    if wanted and current().is_first:
        known = {"command": {"options": dict(options), "folder": os.getcwd(), "data": dict(data)}}
        try:
            run = begin(Store(), name, kind, known, {name: value for name, value in options.items() if value})
        except StorageError as error:
            print(f"Note: this training is not recorded. {error}", file=sys.stderr)
    if run is None:
        yield None
        return
    run.keeps_models = False  # the file that the command writes is the model
    with run:
        yield run


@contextlib.contextmanager
def where_it_was(before: Record) -> Iterator[None]:
    """Inside, the current folder is that of a command which is repeated, and runs are recorded beside its own.

    Raises: StorageError if the folder is not there.
    """
    wanted = before.described["command"]["folder"]
    folder, store = Path.cwd(), os.environ.get(ENVIRONMENT)
    try:
        os.chdir(wanted)
    except OSError as error:
        raise StorageError(
            f"the folder in which run {before.number} was trained is not there",
            expected=wanted,
            got=error.strerror or str(error),
            fix="bring it back, or give the command anew",
        ) from error
    os.environ[ENVIRONMENT] = str(before.store.folder)
    try:
        yield
    finally:
        os.chdir(folder)
        if store is None:
            del os.environ[ENVIRONMENT]
        else:
            os.environ[ENVIRONMENT] = store


def keep(run: Run | None, output: Path, scores: Mapping[str, Any], teller: Teller) -> None:
    """Put a copy of the model's file and the scores on what was held out into the run, and say where it is."""
    if run is not None:
        run.keep(MODEL, partial(_copy, output))
        run.result(**{f"test_{name.replace(' ', '_')}": value for name, value in scores.items()})
        where = os.path.relpath(run.store.folder)
        teller.say(f"Recorded as run {run.number} in {where}: thalweg runs show {run.number}")


def _copy(output: Path, path: Path) -> None:
    shutil.copyfile(output, path)
