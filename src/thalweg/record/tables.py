"""The tables of a store of runs. What users may want to query has plain columns; ``docs/runs.md`` describes them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["APPLICATION", "PARTS", "VERSION", "create", "has", "insert"]

VERSION = 1
"""Of the tables; ``PRAGMA user_version``."""
APPLICATION = 0x7468616C
"""``thal``: marks the file as ours, to others and to ``file``."""
TABLES = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice
    key TEXT NOT NULL UNIQUE,                  -- the same everywhere: backups and other stores know the run by it
    name TEXT NOT NULL,
    kind TEXT NOT NULL,                        -- fit, table, search, train and tune (the commands), own (runs.start)
    parent INTEGER,                            -- the run that this one belongs to
    folder TEXT NOT NULL,                      -- below that of the store
    status TEXT NOT NULL,                      -- running, finished, stopped (Ctrl-C), failed
    began REAL NOT NULL, ended REAL,           -- seconds since 1970
    seen REAL NOT NULL,                        -- when its process was last heard of
    host TEXT NOT NULL, process INTEGER NOT NULL,
    part INTEGER, epoch INTEGER, epochs INTEGER, step INTEGER, steps INTEGER,  -- where training stands
    latest TEXT,                               -- the logs that came last, as JSON
    stopped_by TEXT, error TEXT, notes TEXT, tags TEXT,
    weights TEXT,                              -- a digest of the trained weights
    described TEXT NOT NULL                    -- the model and all else that is known, as JSON
);
CREATE TABLE settings (run INTEGER, name TEXT, value, PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE TABLE results (run INTEGER, name TEXT, value, PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE TABLE summary (
    run INTEGER, part INTEGER, name TEXT, last REAL, lowest REAL, highest REAL, PRIMARY KEY (run, part, name)
) WITHOUT ROWID;
CREATE TABLE epochs (run INTEGER, part INTEGER, epoch INTEGER, name TEXT, value, PRIMARY KEY (run, part, epoch, name))
    WITHOUT ROWID;
CREATE TABLE times (run INTEGER, part INTEGER, epoch INTEGER, seconds REAL, PRIMARY KEY (run, part, epoch))
    WITHOUT ROWID;
CREATE TABLE intervals (
    run INTEGER, part INTEGER, epoch INTEGER, step INTEGER, name TEXT, value,
    PRIMARY KEY (run, part, epoch, step, name)
) WITHOUT ROWID;
CREATE TABLE layers (
    run INTEGER, part INTEGER, step INTEGER, layer TEXT, name TEXT, value REAL,
    PRIMARY KEY (run, part, step, layer, name)
) WITHOUT ROWID;
CREATE TABLE events (run INTEGER, part INTEGER, at REAL, kind TEXT, epoch INTEGER, told TEXT);
CREATE INDEX events_of_a_run ON events (run);
"""

PARTS = ("settings", "results", "summary", "epochs", "times", "intervals", "layers", "events")
"""The tables whose rows belong to a run; the first column is its number."""


def create(connection: sqlite3.Connection) -> None:
    """Make the tables; inside a transaction, so that they appear all at once."""
    for statement in TABLES.split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION}")
    connection.execute(f"PRAGMA user_version={VERSION}")


def insert(connection: sqlite3.Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows by the names of their columns, but for those that are there already, or that the tables refuse."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})"
    connection.executemany(statement, [tuple(row.get(column) for column in columns) for row in rows])


def has(connection: sqlite3.Connection, table: str, column: str, value: Any) -> bool:
    """Whether a table has a row with this value."""
    return connection.execute(f"SELECT 1 FROM {table} WHERE {column}=? LIMIT 1", (value,)).fetchone() is not None
