"""``thalweg train DATA``."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Annotated, Any

import typer

from thalweg import config as settings
from thalweg.cli import data as kinds
from thalweg.cli.codes import INTERRUPTED
from thalweg.cli.options import Common, Config, Data, ExecutorName, Json, Query, Quiet, Report, Threads, pixels, seconds
from thalweg.cli.reporting import Teller, reports_errors
from thalweg.data.tables.table import Table
from thalweg.errors import ArgumentError, StorageError

IMAGES, TABLES = "Images", "Tables"
"""Headings among the options in ``--help``."""


def _columns(help: str) -> Any:
    """An option that names columns, again for further ones."""
    return typer.Option(metavar="COLUMN", help=help, show_default="by what is in it", rich_help_panel=TABLES)


Categorical = Annotated[list[str] | None, _columns("It names kinds, also if by numbers.")]
Numeric = Annotated[list[str] | None, _columns("It is an amount.")]
Dates = Annotated[list[str] | None, _columns("It is a moment.")]
Ignore = Annotated[list[str] | None, _columns("Leave it out.")]
Target = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="To be told; again for several.", show_default="none", rich_help_panel=TABLES),
]
Task = Annotated[
    str | None,
    typer.Option(help="regression or classification.", show_default="by the target", rich_help_panel=TABLES),
]
Test = Annotated[
    str | None,
    typer.Option(metavar="SHARE | FILE", help="To judge by.", show_default="0.2 of the rows", rich_help_panel=TABLES),
]
Group = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Hold whole groups of rows out.", show_default="none", rich_help_panel=TABLES),
]
Moment = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Hold the latest rows out.", show_default="none", rich_help_panel=TABLES),
]
Members = Annotated[
    int | None,
    typer.Option(help="Networks whose mean is taken.", show_default="by the rows", rich_help_panel=TABLES),
]


@reports_errors
def train(
    data: Data,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the data.", show_default="8 for images, of tables as many as help")
    ] = None,
    time_limit: Annotated[
        str | None, typer.Option(metavar="TIME", help="Train no longer: 60s, 5m, 1h30m.", show_default="none")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same model.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write.", show_default="digits.thalweg, or named after DATA"),
    ] = None,
    threads: Threads = None,
    executor: ExecutorName = None,
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
    baselines: Annotated[
        bool,
        typer.Option("--baselines", help="Set simpler models of scikit-learn beside it.", rich_help_panel=TABLES),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            help="The kind of network: mlp, cnn, lenet or resnet.",
            show_default="mlp for mnist, else cnn, or resnet from 64 x 64 on",
            rich_help_panel=IMAGES,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="N | HxW",
            help="Bring pictures to this size.",
            show_default="their own, at most 128 x 128; of several sizes at most 64",
            rich_help_panel=IMAGES,
        ),
    ] = None,
    units: Annotated[
        list[int] | None,
        typer.Option(
            help="Of a hidden layer of mlp; again for each further one.", show_default="512", rich_help_panel=IMAGES
        ),
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option(
            help="Of mlp's hidden layers, or of lenet.", show_default="relu, of lenet tanh", rich_help_panel=IMAGES
        ),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            help="Share of mlp's hidden layers left out in a step.", show_default="0.2", rich_help_panel=IMAGES
        ),
    ] = None,
    optimizer: Annotated[
        str | None, typer.Option(help="adam, rmsprop or sgd.", show_default="adam", rich_help_panel=IMAGES)
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="How far a step goes.", show_default="the optimizer's", rich_help_panel=IMAGES),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Samples per step.", show_default="128", rich_help_panel=IMAGES)
    ] = None,
) -> None:
    """Train a network on DATA, say how good it is on what it has not seen, and save it.

    Ctrl-C ends training early; what has been learned by then is saved.
    """
    teller = Teller(quiet, json)
    output = output or Path("digits.thalweg" if data == "mnist" else f"{stem(data)}.thalweg")
    require_writable(output)
    limit = None if time_limit is None else seconds(time_limit)
    if report is not None:
        require_writable(report)
    settings.set_random_seed(seed)
    # What trains takes as long to import as a table of some hundred thousand rows to read: so it is, meanwhile.
    Thread(target=import_module, args=("thalweg.cli.tables",), name="thalweg-import").start()
    loaded = kinds.load(
        data, None if size is None else pixels(size), teller.progress("Reading pictures"), target, query
    )
    from thalweg.cli import images, tables

    of_images = images.Options(model, units, activation, dropout, optimizer, learning_rate, batch_size)
    of_tables = tables.Options(
        target, categorical, numeric, dates, ignore, task, group, time, test, baselines or None, members
    )
    common = Common(output, epochs, limit, threads, executor, report)
    if isinstance(loaded, Table):
        _refuse(of_images, "a table")
        finished = tables.train(loaded, of_tables, common, seed, teller)
    else:
        _refuse(of_tables, "images", but=("target",) if kinds.is_table(data) else ())
        finished = images.train(loaded.cut(), of_images, common, teller)
    if not finished:
        raise typer.Exit(INTERRUPTED)


def _refuse(options: object, what: str, but: tuple[str, ...] = ()) -> None:
    """Raise ArgumentError for options that have no meaning for these data."""
    given = [f"--{name.replace('_', '-')}" for name, value in vars(options).items() if value and name not in but]
    if given:
        raise ArgumentError(
            f"DATA is {what}, for which some of these options have no meaning",
            expected=f"options for {what}: see --help",
            got=", ".join(given),
            fix="leave them out",
        )


def stem(data: str) -> str:
    """What a model is named after: the file without its end, or the folder."""
    path = Path(data).absolute()
    return path.name if path.is_dir() else path.name.removesuffix(".gz").rsplit(".", 1)[0]


def require_writable(path: Path) -> None:
    """Raise StorageError now rather than after the training."""
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        reason = "a folder" if path.is_dir() else "a folder that may not be written" if folder.is_dir() else "no folder"
        raise StorageError(
            f"cannot write {str(path)!r}",
            expected="a file name in an existing, writable folder",
            got=reason if path.is_dir() else f"{reason} at {str(folder)!r}",
            fix="choose another file",
        )
