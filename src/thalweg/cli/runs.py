"""``thalweg runs``: the trainings that were recorded."""

from __future__ import annotations

import csv
import io
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from thalweg import plotting
from thalweg.cli.codes import FAILED
from thalweg.cli.options import Json, RunsFolder
from thalweg.cli.reporting import Teller, reports_errors
from thalweg.record import finding, trials
from thalweg.record.comparing import Comparison, told
from thalweg.record.curves import chart, curves_of, draw
from thalweg.record.reading import Record
from thalweg.record.store import Store
from thalweg.table import Table
from thalweg.training.progress import duration

runs = typer.Typer(help="List, show, compare, delete and repeat the trainings that were recorded.")

MOST = 20
"""Runs that are listed unless told otherwise."""
MOST_DRAWN = 100
"""Rows from which on a table is plain text on a terminal too: drawing more takes seconds."""
MOST_METRICS = 4
"""Columns for metrics and results, unless chosen."""
LOSS = ("loss",)
"""What is drawn, unless chosen."""

Where = Annotated[
    list[str] | None,
    typer.Option("--where", "-w", metavar="CONDITION", help="'val_loss < 0.3', 'optimizer = adam', 'name ~ mnist' ..."),
]
Sort = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="The lowest first; with - in front the highest.", show_default="the latest first"
    ),
]
Csv = Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")]
Metrics = Annotated[
    list[str] | None, typer.Option("--metric", help="To draw; again for further ones.", show_default="the loss")
]
Png = Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw the curves there too.", show_default="none")]
Number = Annotated[int, typer.Argument(metavar="RUN", help="Its number.")]
Numbers = Annotated[list[int], typer.Argument(metavar="RUN...", help="Their numbers.")]


@runs.callback(invoke_without_command=True)
def listing(
    context: typer.Context,
    where: Where = None,
    sort: Sort = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = MOST,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    columns: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Metrics, results and settings to show.", show_default="those that most have"),
    ] = None,
    json: Json = False,
    csv: Csv = False,
    store: RunsFolder = None,
) -> None:
    """List the trainings that were recorded, the latest first."""
    if context.invoked_subcommand is None:
        _list(where or [], sort, None if every else limit, columns, json, csv, store)


@reports_errors
def _list(
    where: Sequence[str],
    sort: str | None,
    limit: int | None,
    columns: str | None,
    json: bool,
    csv: bool,
    store: Path | None,
) -> None:
    at = Store(store)
    found = finding.find(at, where, sort)
    shown = found[:limit]
    names = [name.strip() for name in columns.split(",")] if columns else _usual_columns(shown, sort)
    finding.read_settings(at, shown, names)
    if json:
        Teller(as_json=True).result("", {"runs": [_with(run, names if columns else ()) for run in shown]})
        return
    header = ("run", "name", "status", "began", "took", "epoch", *names)
    rows = [(*_front(run), *(told(run.value(name)) for name in names)) for run in shown]
    if csv:
        typer.echo(_csv((header, *rows)), nl=False)
        return
    if not shown:
        typer.echo(f"No runs{' like that' if where else ''} in {at.folder}.")
        return
    table = Table("", header, rows, left=3)
    if len(rows) > MOST_DRAWN:
        typer.echo(str(table))
    else:
        table.show()
    if len(found) > len(shown):
        typer.echo(f"{len(found) - len(shown):,} more: --all, or --limit N")


def _with(run: Record, names: Sequence[str]) -> dict[str, Any]:
    return {**run.to_dict(), **({"columns": {name: run.value(name) for name in names}} if names else {})}


def _front(run: Record) -> tuple[str, ...]:
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.began))
    done = "" if run.epochs is None else f"{0 if run.epoch is None else run.epoch + 1}/{run.epochs}"
    return str(run.number), run.name, run.status, began, duration(run.seconds), done


def _usual_columns(found: Sequence[Record], sort: str | None) -> list[str]:
    """What is sorted by, results and metrics that most of the runs have."""
    counts: dict[str, int] = {}
    for run in found:
        for name, value in {**run.results, **run.metrics}.items():
            if isinstance(value, int | float):
                counts[name] = counts.get(name, 0) + 1
    names = sorted(counts, key=lambda name: -counts[name])
    sorted_by = [sort.removeprefix("-")] if sort else []
    return list(
        dict.fromkeys(
            [*(name for name in sorted_by if name not in ("number", "name", "status", "began")), *names[:MOST_METRICS]]
        )
    )


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


@runs.command()
@reports_errors
def show(
    run: Number,
    metric: Metrics = None,
    png: Png = None,
    json: Json = False,
    csv: Csv = False,
    store: RunsFolder = None,
) -> None:
    """Show a run: what it was told, what came of it, and its curves; with --csv its numbers by epoch."""
    record = finding.load(Store(store), run)
    if png is not None:
        _save(png, curves_of([record], metric or LOSS))
    if json:
        parts = {part: record.history(part) for part in record.parts}
        histories = {str(part): {"epoch": found.epoch, **found.history} for part, found in parts.items()}
        tried = {"trials": [vars(trial) for trial in record.trials]} if record.trials else {}
        values = {
            **record.to_dict(),
            **tried,
            "settings": record.settings,
            "history": histories,
            "events": record.events(),
        }
        Teller(as_json=True).result("", _plain(values))
        return
    if csv:
        typer.echo(_csv(_by_epoch(record)), nl=False)
        return
    for line in _about(record):
        typer.echo(line)
    if record.trials:
        typer.echo()
        _tried(record).show()
    for name, curves in curves_of([record], metric or LOSS).items():
        if not (curves or metric) and record.trials:  # a search that has not come to its last training
            continue
        typer.echo("\n" + chart(curves, name, plain=not _draws_lines()))
    if png is not None:
        typer.echo(f"The curves are in {png}.")


def _about(record: Record) -> list[str]:
    """A line each."""
    lines = [
        f"Run {record.number}: {record.name}, {record.status}"
        + (f" ({record.error.splitlines()[0]})" if record.error else "")
    ]
    pairs = {
        "began": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.began)),
        "took": duration(record.seconds),
        "epoch": _front(record)[-1],
        "stopped by": record.stopped_by,
        **record.results,
        **record.metrics,
        **record.settings,
        "tags": ", ".join(record.tags),
        "notes": record.notes,
        "files": ", ".join(str(path.relative_to(record.store.folder)) for path in record.files()),
        "digest of the weights": record.weights,
    }
    width = max(map(len, pairs))
    lines += [f"  {name:<{width}}  {told(value)}" for name, value in pairs.items() if value not in (None, "")]
    for event in record.events():
        if event["kind"] in ("finding", "resumed"):
            said = event["told"].get("message") or f"from epoch {event['epoch'] + 1}"
            lines.append(f"  {event['kind']}: {said}")
    return lines


def _tried(record: Record) -> Table:
    """The trials of a search, the best first."""
    told = record.settings
    took = f"{duration(sum(trial.seconds for trial in record.trials))} of training"
    return trials.table(record.trials, told.get("metric", "value"), told.get("mode") == "max", took)


def _by_epoch(record: Record) -> list[list[str]]:
    histories = {part: record.history(part) for part in record.parts}
    names = list(dict.fromkeys(name for found in histories.values() for name in found.history))
    rows = [["part", "epoch", *names]]
    for part, found in histories.items():
        late = {name: len(found.epoch) - len(found.history.get(name, ())) for name in names}
        for place, epoch in enumerate(found.epoch):
            values = [
                found.history[name][place - late[name]] if name in found.history and place >= late[name] else ""
                for name in names
            ]
            rows.append([str(part), str(epoch), *map(str, values)])
    return rows


@runs.command()
@reports_errors
def compare(
    run: Numbers,
    metric: Metrics = None,
    png: Png = None,
    json: Json = False,
    csv: Csv = False,
    store: RunsFolder = None,
) -> None:
    """Set runs beside each other: settings that differ, results, curves."""
    found = Comparison([finding.load(Store(store), number) for number in run])
    if png is not None:
        _save(png, curves_of(found.runs, metric or LOSS))
    table = found.table()
    if json:
        Teller(as_json=True).result("", _plain(found.to_dict()))
    elif csv:
        typer.echo(_csv((table.header, *table.rows)), nl=False)
    else:
        table.show()
        for name, curves in curves_of(found.runs, metric or LOSS).items():
            typer.echo("\n" + chart(curves, name, plain=not _draws_lines()))
        if png is not None:
            typer.echo(f"The curves are in {png}.")


@runs.command()
@reports_errors
def delete(
    run: Annotated[list[int] | None, typer.Argument(metavar="RUN...", help="Their numbers.")] = None,
    where: Where = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: RunsFolder = None,
) -> None:
    """Delete runs with their files: those named, or those that meet all conditions."""
    at = Store(store)
    numbers = run or ([record.number for record in finding.find(at, where)] if where else [])
    if not numbers:
        typer.echo("No runs to delete: name them, or give --where.")
        return
    if not yes and not typer.confirm(
        f"Delete {len(numbers)} runs with their files ({', '.join(map(str, numbers[:10]))})?"
    ):
        return
    finding.delete(at, [finding.load(at, number) for number in numbers])
    typer.echo(f"{len(numbers)} run{'s' * (len(numbers) != 1)} deleted.")


@runs.command()
@reports_errors
def rerun(
    run: Number,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write.", show_default="rerun-RUN.thalweg")
    ] = None,
    store: RunsFolder = None,
) -> None:
    """Train once more what a run has recorded, by its command or its script, and say whether the same bits came of it.

    The data are compared with those of the run first. The exit status is 1 if other bits came.
    """
    record = finding.load(Store(store), run)
    if record.kind in ("train", "tune"):
        from thalweg.cli import train, tune  # the rest of these commands trains nothing
        from thalweg.runs import Again

        once_more = train.again if record.kind == "train" else tune.again
        answers = [Again(record, *once_more(record, output or Path(f"rerun-{run}.thalweg")))]
    else:
        from thalweg.cli import scripts

        answers = scripts.rerun(record.store, record)
    for answer in answers:
        typer.echo(str(answer))
    if not all(answer.same for answer in answers):
        raise typer.Exit(FAILED)


def _save(png: Path, curves: dict[str, Any]) -> None:
    figure = draw(curves)
    try:
        figure.savefig(png)
    finally:
        plotting.close(figure)


def _plain(value: Any) -> Any:
    """Arrays as lists."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _draws_lines() -> bool:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        "│•".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
