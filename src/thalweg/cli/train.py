"""``thalweg train DATA``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Annotated, Any

import typer

from thalweg import config as settings
from thalweg.cli import data as kinds
from thalweg.cli import recorded
from thalweg.cli.codes import INTERRUPTED
from thalweg.cli.options import (
    CheckpointEvery,
    Common,
    Config,
    Data,
    Device,
    ExecutorName,
    Json,
    NoRun,
    Query,
    Quiet,
    Report,
    Resume,
    RunName,
    Threads,
    backup,
    pixels,
    ready_executor,
    seconds,
)
from thalweg.cli.reporting import Teller, reports_errors
from thalweg.data.tables.table import Table
from thalweg.errors import ArgumentError, StorageError
from thalweg.record.again import require_same
from thalweg.record.reading import Record
from thalweg.record.run import Run
from thalweg.record.surroundings import decisive, surroundings

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
    device: Device = None,
    checkpoint_every: CheckpointEvery = None,
    resume: Resume = None,
    quiet: Quiet = False,
    json: Json = False,
    config: Config = None,
    report: Report = None,
    run: RunName = None,
    no_run: NoRun = False,
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
    treat: Annotated[
        bool,
        typer.Option("--treat", help="Cure what the doctor finds, and prove each cure.", rich_help_panel=IMAGES),
    ] = False,
) -> None:
    """Train a network on DATA, say how good it is on what it has not seen, and save it.

    Ctrl-C ends training early; what has been learned by then is saved.
    """
    finished, _ = _train(recorded.in_json_types(locals()), Teller(quiet, json))
    if not finished:
        raise typer.Exit(INTERRUPTED)


def _train(given: Mapping[str, Any], teller: Teller, before: Record | None = None) -> tuple[bool, Run | None]:
    """What the command does with its options, by the names of its arguments, in JSON types.

    Arguments:
        before: a run that is repeated: the data must be the same.

    Returns: False if Ctrl-C has ended the training; the run.
    """
    data, seed = given["data"], given["seed"]
    output = Path(given["output"] or ("digits.thalweg" if data == "mnist" else f"{stem(data)}.thalweg"))
    report = None if given["report"] is None else Path(given["report"])
    require_writable(output, report)
    limit = None if given["time_limit"] is None else seconds(given["time_limit"])
    every = given.get("checkpoint_every")
    every = None if every is None else seconds(every, "--checkpoint-every")
    executor = ready_executor(given["executor"], given.get("device"))
    settings.set_random_seed(seed)
    # What trains takes as long to import as a table of some hundred thousand rows to read: so it is, meanwhile.
    Thread(target=import_module, args=("thalweg.cli.tables",), name="thalweg-import").start()
    size = None if given["size"] is None else pixels(given["size"])
    loaded = kinds.load(data, size, teller.progress("Reading pictures"), given["target"], given["query"])
    from thalweg.cli import images, tables

    of_images = images.Options(**{field.name: given.get(field.name) for field in fields(images.Options)})
    of_tables = tables.Options(**{field.name: given[field.name] or None for field in fields(tables.Options)})
    kept = backup(output, every, given.get("resume"))
    common = Common(output, given["epochs"], limit, given["threads"], executor, report, kept)
    if isinstance(loaded, Table):
        _refuse(of_images, "a table")
    else:
        _refuse(of_tables, "images", but=("target",) if kinds.is_table(data) else ())
    found = recorded.fingerprint(loaded)
    if before is not None:
        require_same(found, before.described["command"]["data"], f"run {before.number}")
    with recorded.recorded("train", given["run"] or stem(data), given, found, not given["no_run"]) as run:
        if isinstance(loaded, Table):
            finished = tables.train(loaded, of_tables, common, seed, teller, run)
        else:
            finished = images.train(loaded.cut(), of_images, common, teller, run)
    if finished:
        common.finished()
    return finished, run


def again(before: Record, output: Path) -> tuple[bool, list[str]]:
    """Train once more as a run has recorded it, in the folder in which that was.

    Returns: whether the weights are the same to the last bit; what differs and may be why.

    Raises: DataError if the data are others; StorageError if the folder is not there.
    """
    command = before.described["command"]
    around = before.described["fits"][0]["surroundings"]
    options = {**command["options"], "output": str(output.absolute()), "run": before.name, "no_run": False}
    options |= {"executor": around["executor"], "device": None}
    with recorded.where_it_was(before):
        _, run = _train(options, Teller(), before)
    otherwise = decisive(surroundings(options["executor"]), around)
    if options["time_limit"]:
        otherwise.append("it was ended by its time limit")
    return run is not None and run.weights == before.weights, otherwise


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


def require_writable(*paths: Path | None) -> None:
    """Raise StorageError now rather than after the training; None is no file, and may be so."""
    for path in paths:
        if path is not None:
            _require_writable(path)


def _require_writable(path: Path) -> None:
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        reason = "a folder" if path.is_dir() else "a folder that may not be written" if folder.is_dir() else "no folder"
        raise StorageError(
            f"cannot write {str(path)!r}",
            expected="a file name in an existing, writable folder",
            got=reason if path.is_dir() else f"{reason} at {str(folder)!r}",
            fix="choose another file",
        )
