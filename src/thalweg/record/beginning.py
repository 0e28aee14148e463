"""Runs that begin: by a name, for one fit or for several."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from thalweg.errors import ArgumentError
from thalweg.processes.job import current
from thalweg.record import again
from thalweg.record.run import SETTING, Part, Run, cell, json_types
from thalweg.record.settings import flat
from thalweg.record.store import Store

__all__ = ["begin", "recording", "together"]

_BEGIN = """INSERT INTO runs
    (key, name, kind, parent, folder, status, began, seen, host, process, notes, tags, described)
VALUES (?, ?, ?, ?, '', 'running', ?, ?, ?, ?, ?, ?, ?)"""
PROCESS = secrets.token_hex(8)
"""Of this process: what it records belongs together. Beside its number, which others get too."""


def begin(
    store: Store,
    name: str,
    kind: str,
    described: dict[str, Any],
    settings: Mapping[str, Any],
    *,
    parent: int | None = None,
    notes: str | None = None,
    tags: Sequence[str] = (),
) -> Run:
    """A new run. Raises StorageError if it cannot be written; ArgumentError for a name that says nothing."""
    if not name.strip():
        raise ArgumentError(
            "a run needs a name", expected="some letters", got=repr(name), fix="pass for example run='first try'"
        )
    now, key = time.time(), secrets.token_hex(8)
    described = {**described, "process": PROCESS}
    label = re.sub(r"[^\w.-]+", "-", name).strip("-.")[:40] or "run"

    def insert(connection: sqlite3.Connection) -> tuple[int, str]:
        values = (key, name, kind, parent, now, now, socket.gethostname(), os.getpid(), notes, json.dumps(list(tags)))
        number = connection.execute(_BEGIN, (*values, json.dumps(json_types(described)))).lastrowid
        assert number is not None, "a row was inserted"
        folder = f"{number}-{label}"
        while (store.folder / folder).exists():
            folder += "-again"
        connection.execute("UPDATE runs SET folder=? WHERE number=?", (folder, number))
        connection.executemany(SETTING, [(number, name, cell(value)) for name, value in flat(settings)])
        return number, folder

    number, folder = store.change(insert)
    with store.failing("written"):
        (store.folder / folder).mkdir()
    return Run(store, number, key, name, store.folder / folder, described)


@contextlib.contextmanager
def recording(
    run: str | Run | None, about: Callable[[], tuple[dict[str, Any], Mapping[str, Any]]]
) -> Iterator[Part | None]:
    """Record a fit in a run: one that goes on, a new one of a name, or none.

    Arguments:
        about: gives what is known of the fit: in full, and as settings to compare.
    """
    if run is None or not current().is_first:
        yield None
        return
    known, settings = about()
    again.check(known["data"])
    if isinstance(run, Run):
        run.fitted_with(settings)
        yield run.part(known)
        return
    with begin(Store(), run, "fit", {}, settings) as owner:
        yield owner.part(known)


@contextlib.contextmanager
def together(run: str | Run | None, kind: str, settings: Mapping[str, Any]) -> Iterator[Run | None]:
    """One run for several fits, of which each keeps no model: that of a name, or one that goes on.

    Arguments:
        kind, settings: of a new run.
    """
    if run is None or not current().is_first:
        yield None
    elif isinstance(run, Run):
        run.settings(**settings)
        yield run
    else:
        with begin(Store(), run, kind, {}, settings) as owner:
            owner.keeps_models = False
            yield owner
