"""Methods from different environments in turns, table by table, so that what else the machine does meets all alike."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

IMPORTS = {"realmlp_td": "pytabkit.models.sklearn.sklearn_interfaces", "thalweg": "thalweg.tables"}
"""What is loaded before the first turn, on no side's account: that of PyTorch takes seconds."""


def turns(folder: Path, pythons: Sequence[tuple[str, str]], jobs: Sequence[tuple[str, int]], threads: int) -> Path:
    """Write a line for each method on each table and split. Returns: the file with the lines.

    Arguments:
        pythons: names of methods, each with the interpreter that runs it.
    """
    servers = [(model, _Server(python, folder, model, threads)) for model, python in pythons]
    path = folder / "turns.jsonl"
    for number, (table, split) in enumerate(jobs):
        for model, server in servers if number % 2 else servers[::-1]:
            line = {"model": model, "table": table, "split": split, **server.asked(table, split)}
            with path.open("a") as file:
                file.write(json.dumps(line) + "\n")
    for _, server in servers:
        server.end()
    return path


class _Server:
    """A process of another interpreter that answers with the result of one split after the other."""

    def __init__(self, python: str, folder: Path, model: str, threads: int) -> None:
        code = f"from benchmarks.tables.turns import serve; serve({str(folder)!r}, {model!r}, {threads})"
        self.process = subprocess.Popen(
            [python, "-W", "ignore", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def asked(self, table: str, split: int) -> dict[str, Any]:
        assert self.process.stdin is not None, "it is a pipe"
        assert self.process.stdout is not None, "it is a pipe"
        print(table, split, file=self.process.stdin, flush=True)
        result: dict[str, Any] = json.loads(self.process.stdout.readline())
        return result

    def end(self) -> None:
        assert self.process.stdin is not None, "it is a pipe"
        self.process.stdin.close()
        self.process.wait()


def serve(folder: str, model: str, threads: int) -> None:
    """Answer each line of standard input, a table and a split."""
    import importlib

    from benchmarks.tables.__main__ import one

    answers, sys.stdout = sys.stdout, sys.stderr  # what the methods print is no answer
    for name, module in IMPORTS.items():
        if model.startswith(name):
            importlib.import_module(module)
    for line in sys.stdin:
        table, split = line.split()
        print(json.dumps(one(Path(folder), model, table, int(split), threads)), file=answers, flush=True)


def summary(path: Path) -> str:
    """The processor time of each method, of all tables and of each."""
    results = [json.loads(line) for line in path.read_text().splitlines()]
    models = list(dict.fromkeys(r["model"] for r in results))
    lines = []
    for table in [*dict.fromkeys(r["table"] for r in results), None]:
        own = [
            sum(r["cpu_seconds"] for r in results if r["model"] == m and table in (None, r["table"])) for m in models
        ]
        lines.append(f"{table or 'all':14}" + "".join(f"{m} {s:8.2f} s  " for m, s in zip(models, own, strict=True)))
    return "\n".join(lines)
