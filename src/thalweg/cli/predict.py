"""``thalweg predict MODEL FILE...``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import thalweg
from thalweg.cli import images, networks
from thalweg.cli.kept import kept
from thalweg.cli.options import Config, ExecutorName, Json, ModelFile, Quiet
from thalweg.cli.reporting import Teller, reports_errors


@reports_errors
def predict(
    model: ModelFile,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Pictures (PNG ...), folders of them, .npy or idx files of images."),
    ],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="A CSV file to write; - for standard output.", show_default="a list"),
    ] = None,
    invert: Annotated[bool, typer.Option("--invert", help="Turn light and dark round first.")] = False,
    executor: ExecutorName = None,
    quiet: Quiet = False,
    json: Json = False,
    config: Config = None,
) -> None:
    """Say for each image which class the model sees in it, and how sure it is."""
    teller = Teller(quiet, json)
    net = thalweg.load_model(model, compile=False)
    networks.choose_executor(net, executor)
    images.predict(net, kept(model), files, invert, output, teller)
