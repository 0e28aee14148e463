"""``thalweg launch --processes N -- COMMAND``."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli.reporting import reports_errors
from thalweg.errors import ArgumentError
from thalweg.executors.xla.devices import accelerator
from thalweg.processes import coordinates
from thalweg.processes.coordinates import Coordinates
from thalweg.processes.joining import DAY, TIMEOUT_VARIABLE
from thalweg.processes.launcher import Launcher, free_port

HERE = "127.0.0.1"

DEVICES = Path("/dev")
"""Where the system shows GPUs: ``nvidia0`` and so on."""

PYTHON = re.compile(r"python[\d.]*(\.exe)?")
"""Programs that are left out before a script: that which runs is taken."""

COMMANDS = ("train", "evaluate", "predict", "info")
"""Of thalweg, that several processes can do together."""

KEEPING = ("train",)
"""Commands that keep where they stand, and go on there, with ``--resume``."""


@reports_errors
def launch(
    words: Annotated[
        list[str],
        typer.Argument(metavar="-- COMMAND", help="train ..., script.py ... or -m module ..., with its own options."),
    ],
    processes: Annotated[
        int | None, typer.Option(min=1, help="How many.", show_default="as SLURM, Open MPI ... say")
    ] = None,
    process: Annotated[
        int | None,
        typer.Option(min=0, help="Start only this one here, the others elsewhere.", show_default="all of them here"),
    ] = None,
    coordinator: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where process 0 answers the others.", show_default="on this machine"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Of process 0, for processes on this machine.", show_default="a free one"),
    ] = None,
    restarts: Annotated[
        int, typer.Option(min=0, help="Begin again, from the last backup, so often after a process has died.")
    ] = 0,
    timeout: Annotated[
        float | None, typer.Option(min=1, max=DAY, help="Seconds in which all have to come.", show_default="300")
    ] = None,
) -> None:
    """Run a command in several processes that compute together, on the xla executor."""
    places = _places(processes, process, coordinator, port)
    command = [sys.executable, "-m", "thalweg.cli.member", *_command(words, restarts)]
    waiting = {} if timeout is None else {TIMEOUT_VARIABLE: str(timeout)}
    launcher = Launcher(command, places, restarts, {**os.environ, **waiting}, lambda text: typer.echo(text, err=True))
    raise typer.Exit(launcher.run())


def _places(
    processes: int | None, process: int | None, coordinator: str | None, port: int | None
) -> Callable[[], list[Coordinates]]:
    """Gives those of the processes to be started here, each time that they begin.

    Raises: ArgumentError if the options do not say it.
    """
    if processes is None:
        found = coordinates.found(os.environ)
        if found is None:
            raise ArgumentError(
                "nobody says how many processes there are to be",
                expected="--processes, or the environment of SLURM's srun, of Open MPI's mpirun, of an indexed Job of "
                "Kubernetes, or of torchrun",
                got="neither",
                fix="write thalweg launch --processes 2 -- train mnist",
            )
        alone = found if coordinator is None else coordinates.checked(replace(found, address=coordinator))
        return lambda: [alone]
    count = processes
    if process is None:
        _require_gpus(count)
        return lambda: [
            Coordinates(address, count, index, index, count)
            for address in [coordinator or f"{HERE}:{port or free_port()}"]
            for index in range(count)
        ]
    if coordinator is None:
        raise ArgumentError(
            "--process starts one of several processes, and nobody says where the first is",
            expected="--coordinator host:port, the same on all machines",
            got=f"--processes {count} --process {process}",
            fix="name the machine of process 0 and a port that is free there: --coordinator node1:61500",
        )
    one = coordinates.checked(Coordinates(coordinator, count, process))
    return lambda: [one]


def _require_gpus(processes: int) -> None:
    """Raise ArgumentError if processes of this machine would share a GPU, which NVIDIA's NCCL does not let them."""
    if accelerator() is None:
        return
    shown = os.environ.get(coordinates.VISIBLE)
    there = sum(1 for path in DEVICES.glob("nvidia*") if path.name.removeprefix("nvidia").isdecimal())
    gpus = there if shown is None else min(there, len(shown.split(",")))
    if 0 < gpus < processes:
        raise ArgumentError(
            "each process on this machine needs a GPU of its own",
            expected=f"at most {gpus} {'processes' if gpus > 1 else 'process'}, as many as there are GPUs",
            got=f"--processes {processes}",
            fix=f"write --processes {gpus}: one process can use all GPUs by fit(distribution=DataParallel()); or set "
            "JAX_PLATFORMS=cpu to try it out on the CPU",
        )


def _command(words: list[str], restarts: int) -> list[str]:
    """What a process gets to do. Raises ArgumentError for what it could not."""
    first, *rest = words
    name = Path(first).name
    if rest and (name == "thalweg" or PYTHON.fullmatch(name)):
        return _command(rest, restarts)
    if first in KEEPING and restarts and not {"--resume", "--no-resume"} & set(rest):
        return [*words, "--resume"]
    if first in COMMANDS or (first == "-m" and rest) or Path(first).is_file():
        return words
    raise ArgumentError(
        "this is nothing that could be run in several processes",
        expected=f"a script of Python, -m and a module, or a command: {', '.join(COMMANDS)}",
        got=repr(" ".join(words)),
        fix="write thalweg launch --processes 2 -- script.py, or -- train mnist",
    )
