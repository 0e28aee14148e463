"""The card in the folder of a run: its rows once more, so that a run outlives the file in which all runs stand."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

from thalweg.record import tables
from thalweg.version import __version__

__all__ = ["CARD", "restore_from_folders", "write_card"]

CARD = "run.json"

LONG = ("intervals", "layers")
"""Tables that a card leaves out: they are long, and the curves by epoch are there without them."""


def write_card(connection: sqlite3.Connection, number: int, folder: Path) -> None:
    """Write the rows of a run into its folder, when it begins and when it ends. Raises OSError, sqlite3.Error."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for table, column in (("runs", "number"), *((name, "run") for name in tables.PARTS if name not in LONG)):
        cursor = connection.execute(f"SELECT * FROM {table} WHERE {column}=?", (number,))
        names = [described[0] for described in cursor.description]
        rows[table] = [dict(zip(names, row, strict=True)) for row in cursor]
    if not rows["runs"]:
        return
    card = folder / CARD
    temporary = card.with_suffix(".tmp")
    temporary.write_text(json.dumps({"thalweg": __version__, "tables": rows}), encoding="utf-8")
    os.replace(temporary, card)


def restore_from_folders(connection: sqlite3.Connection, folder: Path) -> int:
    """Put what the cards in the folders know and the tables lack into the tables; how many runs these lacked."""
    known = dict(connection.execute("SELECT number, key FROM runs"))
    count = 0
    for card in sorted(folder.glob(f"*/{CARD}")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError, sqlite3.Error):
            found: dict[str, Any] = json.loads(card.read_text(encoding="utf-8"))["tables"]
            (run,) = found["runs"]
            number, key = run["number"], run["key"]
            if known.setdefault(number, key) != key:  # the number of another run by now
                continue
            count += not tables.has(connection, "runs", "number", number)
            for name, rows in found.items():
                has_no_key = name == "events"  # so that rows would be there twice
                if name in ("runs", *tables.PARTS) and not (has_no_key and tables.has(connection, name, "run", number)):
                    tables.insert(connection, name, rows)
    return count
