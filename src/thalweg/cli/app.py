"""The program: its commands, each of which has a module, read options, call the public API, and show what it gives."""

from __future__ import annotations

from typing import Annotated

import typer

import thalweg
from thalweg.cli import engine
from thalweg.cli.evaluate import evaluate
from thalweg.cli.predict import predict
from thalweg.cli.train import train

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
for command in (train, evaluate, predict, engine.gradcheck, engine.explain, engine.profile, engine.info):
    app.command()(command)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"thalweg {thalweg.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Train neural networks on this machine's CPU, and use them."""
