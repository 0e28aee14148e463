"""The program: its commands, each of which has a module, read options, call the public API, and show what it gives."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

import thalweg

COMMANDS = {
    "train": "train",
    "tune": "tune",
    "evaluate": "evaluate",
    "predict": "predict",
    "gradcheck": "engine",
    "explain": "engine",
    "profile": "engine",
    "info": "engine",
    "doctor": "doctor",
    "launch": "launch",
    "runs": "runs",
}
"""Command -> its module."""


def program(words: Sequence[str] = ()) -> Any:
    """The program for a command line: of the commands only the one that is asked for is loaded, where one is."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback()(options)
    asked = [word for word in words[:1] if word in COMMANDS] or COMMANDS
    collects = gc.isenabled()
    gc.disable()  # of what modules make nothing is to be let go again, and looking for it takes a tenth of the time
    try:
        for command in asked:
            found = getattr(import_module(f"thalweg.cli.{COMMANDS[command]}"), command)
            if isinstance(found, typer.Typer):
                app.add_typer(found, name=command)
            else:
                app.command()(found)
    finally:
        if collects:
            gc.enable()
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"thalweg {thalweg.__version__}")
        raise typer.Exit


def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Train neural networks on this machine's CPU, and use them."""


def __getattr__(name: str) -> Any:
    """``app``: the program with all of its commands, made when it is asked for."""
    if name != "app":
        raise AttributeError(name)
    globals()[name] = program()
    return globals()[name]
