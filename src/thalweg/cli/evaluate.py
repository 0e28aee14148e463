"""``thalweg evaluate MODEL DATA``."""

from __future__ import annotations

from typing import Annotated

import typer

import thalweg
from thalweg.cli import data as kinds
from thalweg.cli import images, networks, tables
from thalweg.cli.data import no_images
from thalweg.cli.kept import kept
from thalweg.cli.options import Config, Data, Device, ExecutorName, Json, ModelFile, Query, Quiet, Report
from thalweg.cli.reporting import Teller, reports_errors
from thalweg.data.tables.table import Table
from thalweg.tables import TableModel


@reports_errors
def evaluate(
    model: ModelFile,
    data: Data,
    report: Report = None,
    query: Query = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Of a table of images: their classes.", show_default="the one that is left"
        ),
    ] = None,
    executor: ExecutorName = None,
    device: Device = None,
    quiet: Quiet = False,
    json: Json = False,
    config: Config = None,
) -> None:
    """Say how good a trained model is: on the test part of DATA, on what train held out of it, or on all of it."""
    teller = Teller(quiet, json)
    net = thalweg.load_model(model)
    networks.choose_executor(net, executor, device)
    if isinstance(net, TableModel):
        tables.evaluate(net, str(model), tables.Kept.read(model), data, query, report, teller)
        return
    loaded = kinds.load(data, images.form(net), teller.progress("Reading pictures"), [target] if target else None)
    if isinstance(loaded, Table):
        raise no_images(data)
    images.evaluate(net, kept(model), loaded, str(model), report, teller)
