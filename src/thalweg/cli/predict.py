"""``thalweg predict MODEL FILE...``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import thalweg
from thalweg.cli import images, networks, tables
from thalweg.cli.kept import kept
from thalweg.cli.options import Config, Device, ExecutorName, Json, ModelFile, Query, Quiet
from thalweg.cli.reporting import Teller, reports_errors
from thalweg.tables import TableModel


@reports_errors
def predict(
    model: ModelFile,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="A table, - for standard input; or pictures (PNG ...), folders of them, .npy or idx files of images.",
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="The table to write: .csv, .tsv, .jsonl, .parquet; - for standard output.",
            show_default="standard output",
        ),
    ] = None,
    interval: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Of numbers: between what bounds so many will lie, 0.9 say.", show_default="none"
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Write this column of the table too.", show_default="none"),
    ] = None,
    query: Query = None,
    invert: Annotated[bool, typer.Option("--invert", help="Turn light and dark round first.")] = False,
    executor: ExecutorName = None,
    device: Device = None,
    quiet: Quiet = False,
    json: Json = False,
    config: Config = None,
) -> None:
    """Say for each row of a table, or each image, what the model makes of it."""
    teller = Teller(quiet, json)
    net = thalweg.load_model(model, compile=False)
    networks.choose_executor(net, executor, device)
    if isinstance(net, TableModel):
        tables.predict(net, files, output, interval, keep or (), query, teller)
    else:
        images.predict(net, kept(model), [Path(file) for file in files], invert, output, teller)
