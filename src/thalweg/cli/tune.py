"""``thalweg tune DATA``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from thalweg.cli import recorded, tables
from thalweg.cli.codes import INTERRUPTED
from thalweg.cli.options import (
    Common,
    Config,
    Device,
    ExecutorName,
    Json,
    NoRun,
    Query,
    Quiet,
    Report,
    RunName,
    Threads,
    ready_executor,
    seconds,
)
from thalweg.cli.reporting import Teller, reports_errors
from thalweg.cli.train import (
    Categorical,
    Dates,
    Group,
    Ignore,
    Members,
    Moment,
    Numeric,
    Target,
    Task,
    Test,
    require_writable,
    stem,
)
from thalweg.data.tables.opening import open_table
from thalweg.errors import ArgumentError
from thalweg.record.again import require_same
from thalweg.record.reading import Record
from thalweg.record.run import BEST, Run
from thalweg.record.surroundings import decisive, surroundings
from thalweg.record.trials import Trial

SEARCH = "Search"
"""A heading among the options in ``--help``."""

NO_PRUNER = "none"


@reports_errors
def tune(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A table (.csv, .parquet ...).")],
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Of all processes with the same storage.", show_default="30", rich_help_panel=SEARCH),
    ] = None,
    time_limit: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Begin no trial after 60s, 5m, 1h30m.", show_default="none", rich_help_panel=SEARCH
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="FILE | URL",
            help="Keep trials (.log, .db, a database): go on, and share.",
            show_default="none",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Of the search in the storage.", rich_help_panel=SEARCH)] = "tune",
    sampler: Annotated[str, typer.Option(help="tpe, random or cmaes.", rich_help_panel=SEARCH)] = "tpe",
    pruner: Annotated[
        str, typer.Option(help="halving, hyperband, median or none.", rich_help_panel=SEARCH)
    ] = "halving",
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the data, of a trial.", show_default="as many as help")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed begins with the same trials.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write.", show_default="named after DATA")
    ] = None,
    threads: Threads = None,
    executor: ExecutorName = None,
    device: Device = None,
    run: RunName = None,
    no_run: NoRun = False,
    quiet: Quiet = False,
    json: Json = False,
    config: Config = None,
    report: Report = None,
    query: Query = None,
    target: Target = None,
    task: Task = None,
    categorical: Categorical = None,
    numeric: Numeric = None,
    dates: Dates = None,
    ignore: Ignore = None,
    test: Test = None,
    group: Group = None,
    time: Moment = None,
    members: Members = None,
) -> None:
    """Search the settings of a table's network, train with the best, say how good it is, and save it.

    Ctrl-C ends the search; with the best settings until then a model is trained.
    """
    finished, _ = _tune(recorded.in_json_types(locals()), Teller(quiet, json))
    if not finished:
        raise typer.Exit(INTERRUPTED)


def _tune(given: Mapping[str, Any], teller: Teller, before: Record | None = None) -> tuple[bool, Run | None]:
    """What the command does with its options, by the names of its arguments, in JSON types.

    Arguments:
        before: a run that is repeated: its best settings are trained with again, and nothing is searched.

    Returns: False if Ctrl-C has ended it; the run.
    """
    output = Path(given["output"] or f"{stem(given['data'])}.thalweg")
    report = None if given["report"] is None else Path(given["report"])
    require_writable(output, report)
    limit = None if given["time_limit"] is None else seconds(given["time_limit"])
    executor = ready_executor(given.get("executor"), given.get("device"))
    table = open_table(given["data"], query=given["query"])
    of_tables = tables.Options(**{field.name: given.get(field.name) or None for field in fields(tables.Options)})
    found = recorded.fingerprint(table)
    search = best = None
    if before is None:
        trials = 30 if given["trials"] is None and limit is None else given["trials"]
        pruner = None if given["pruner"] == NO_PRUNER else given["pruner"]
        search = tables.Search(trials, given["sampler"], pruner, given["storage"], given["name"])
    else:
        require_same(found, before.described["command"]["data"], f"run {before.number}")
        best, limit = best_of(before), None
    common = Common(output, given["epochs"], limit, given["threads"], executor, report)
    with recorded.recorded("tune", given["run"] or stem(given["data"]), given, found, not given["no_run"]) as run:
        if run is not None and best is not None:
            run.trial(best)
            run.settings(**{BEST: best.number})
        settings = None if best is None else best.values
        finished = tables.train(table, of_tables, common, given["seed"], teller, run, search, settings)
    return finished, run


def again(before: Record, output: Path) -> tuple[bool, list[str]]:
    """Train once more with what a search has found best: which values are tried depends on the clock, and what comes of
    the best ones does not. See ``train.again``.
    """
    command = before.described["command"]
    options = {**command["options"], "output": str(output.absolute()), "run": before.name, "no_run": False}
    around = before.described["fits"][0]["surroundings"]
    options |= {"executor": around["executor"], "device": None}
    with recorded.where_it_was(before):
        _, run = _tune(options, Teller(), before)
    return run is not None and run.weights == before.weights, decisive(surroundings(around["executor"]), around)


def best_of(record: Record) -> Trial:
    """The best trial of a search. Raises ArgumentError if it has not come to its end."""
    if BEST not in record.settings:
        raise ArgumentError(
            f"run {record.number} is a search that has trained no model",
            expected="a search that has come to its end",
            got=f"{len(record.trials)} trials, and status {record.status}",
            fix="give its command again: with --storage it goes on",
        )
    return next(trial for trial in record.trials if trial.number == record.settings[BEST])
