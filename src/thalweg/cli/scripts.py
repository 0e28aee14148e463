"""Scripts that have recorded runs, run once more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from thalweg.errors import ArgumentError, StorageError
from thalweg.record import again, finding
from thalweg.record.reading import Record
from thalweg.record.store import ENVIRONMENT, Store
from thalweg.record.surroundings import decisive
from thalweg.runs import Again


def rerun(store: Store, record: Record) -> list[Again]:
    """Run the script that made a run once more, with the same arguments in the same folder.

    Returns: an answer for each run that the script has recorded.

    Raises: StorageError if the script is not there; what goes wrong in the script is printed by it.
    """
    number = record.number
    fits = record.described.get("fits", [])
    script, folder = (fits[0].get("script"), fits[0].get("folder")) if fits else (None, None)
    if not script:
        raise ArgumentError(
            f"run {number} was not made by a script",
            expected="a run of a script, or of thalweg train",
            got="one of an interactive session, or of a loop of its own",
            fix=f"call thalweg.runs.rerun({number}, x, y) with the data",
        )
    if not os.path.isfile(script[0]):
        raise StorageError(
            f"the script of run {number} is not there", expected=script[0], got="no such file", fix="bring it back"
        )
    before = _of_one_process(store, record)
    known = [{"run": run.number, "data": fit["data"]} for run in before for fit in run.described["fits"]]
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "data.json"
        path.write_text(json.dumps(known), encoding="utf-8")
        environment = {**os.environ, again.ENVIRONMENT: str(path), ENVIRONMENT: str(store.folder)}
        ended = subprocess.Popen([sys.executable, *script], cwd=folder, env=environment)
        status = ended.wait()
    made = [run for run in reversed(finding.find(store)) if run.number > before[-1].number and run.process == ended.pid]
    if status or len(made) != len(before):
        raise StorageError(
            f"the script of run {number} did not make the same runs",
            expected=f"{len(before)} runs, and exit status 0",
            got=f"{len(made)}, and {status}",
            fix="look at what it has printed",
        )
    answers = []
    for old, new in zip(before, made, strict=True):
        around = [run.described["fits"][0]["surroundings"] for run in (new, old)]
        answers.append(Again(old, new.weights == old.weights, decisive(*around)))
    return answers


def _of_one_process(store: Store, record: Record) -> list[Record]:
    """The runs that the same process has recorded, in their order."""
    found = [run for run in reversed(finding.find(store)) if (run.host, run.process) == (record.host, record.process)]
    token = record.described["process"]
    return [run for run in found if run.described["process"] == token and run.described.get("fits")]
