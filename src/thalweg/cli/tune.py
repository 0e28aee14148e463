"""``thalweg tune DATA``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli import tables
from thalweg.cli.codes import INTERRUPTED
from thalweg.cli.options import Common, Config, Json, Query, Quiet, Report, Threads, seconds
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
    teller = Teller(quiet, json)
    output = output or Path(f"{stem(data)}.thalweg")
    require_writable(output, report)
    limit = None if time_limit is None else seconds(time_limit)
    table = open_table(data, query=query)
    of_tables = tables.Options(target, categorical, numeric, dates, ignore, task, group, time, test, None, members)
    common = Common(output, epochs, limit, threads, None, report)
    if trials is None and limit is None:
        trials = 30
    search = tables.Search(trials, sampler, None if pruner == NO_PRUNER else pruner, storage, name)
    if not tables.train(table, of_tables, common, seed, teller, search=search):
        raise typer.Exit(INTERRUPTED)
