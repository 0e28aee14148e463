"""``thalweg gradcheck``, ``explain``, ``profile`` and ``info``: looking into the engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

import thalweg
from thalweg import numdiff
from thalweg.cli import data as kinds
from thalweg.cli import machine, networks
from thalweg.cli.codes import FAILED
from thalweg.cli.options import Device, ExecutorName, ModelFile, Threads
from thalweg.cli.reporting import fitted, reports_errors, terminal_width

ModelOrName = Annotated[
    str, typer.Argument(metavar="MODEL", help="A file that train wrote, or mnist: the network that train mnist makes.")
]
What = Annotated[str, typer.Option(help="The step to train, to evaluate or to predict.")]
StepRows = Annotated[
    int | None, typer.Option(help="Rows of the step.", show_default="32 to train, else as many as it takes itself")
]


@reports_errors
def gradcheck(
    model: ModelFile,
    data: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help="Images, as for train.", show_default="random numbers")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Samples to compute the loss of.")] = 16,
    directions: Annotated[int, typer.Option(help="Compared for each parameter.")] = 3,
    per_entry: Annotated[bool, typer.Option("--per-entry", help="Compare every number; for small models.")] = False,
    tolerance: Annotated[float, typer.Option(help="Relative.")] = 1e-6,
    seed: Annotated[int, typer.Option(min=0, help="Of the directions, and of random data.")] = 0,
) -> None:
    """Compare a model's gradients with differences of its loss, in float64. Exit code 1 if one is wrong."""
    net = thalweg.load_model(model)
    if data is not None:
        x, y = (part[:rows] for part in kinds.images_of(data).cut().train)
    else:
        x, y = numdiff.random_data(net, rows, seed)
    check = numdiff.check_gradients(
        net, x, y, directions=directions, per_entry=per_entry, tolerance=tolerance, seed=seed
    )
    typer.echo(str(check))
    if not check.passed:
        raise typer.Exit(FAILED)


@reports_errors
def explain(
    model: ModelOrName,
    stage: Annotated[
        str, typer.Option(help="graph, simplified, kernels, plan, ir, assembly; of xla stablehlo, hlo.")
    ] = "graph",
    batch_size: StepRows = None,
    what: What = "train",
    executor: ExecutorName = None,
    device: Device = None,
) -> None:
    """Print what a step of a model is compiled to, at one of the stages on the way to machine code."""
    net = networks.named_or_saved(model)
    networks.choose_executor(net, executor, device)
    typer.echo(net.explain(stage, batch_size, what), nl=False)


@reports_errors
def profile(
    model: ModelOrName,
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="Images, as for train.", show_default="mnist for mnist, else random"),
    ] = None,
    batch_size: StepRows = None,
    what: What = "train",
    threads: Threads = None,
    seconds: Annotated[float, typer.Option(help="To spend on it.")] = 1.0,
    executor: ExecutorName = None,
    device: Device = None,
) -> None:
    """Print where the time of a step goes, by task and by layer. The model stays as it is."""
    net = networks.named_or_saved(model)
    networks.choose_executor(net, executor, device)
    if data is not None or model in kinds.DATASETS:
        x, y = kinds.images_of(data or model).cut().train
    else:
        x, y = numdiff.random_data(net, 4 * (batch_size or 128), seed=0)
    found = net.profile(x, y, batch_size, what=what, threads=threads, seconds=seconds)
    width = terminal_width()
    if width is None:
        typer.echo(str(found))
        return
    tasks, layers = found.table(), found.layers_table()
    title = fitted(tasks.title)
    typer.echo("\n".join([title, str(replace(tasks, title="").narrowed(width)), "", str(layers.narrowed(width))]))


@reports_errors
def info() -> None:
    """Print versions, the processor and its vectors, threads, and the cache of compiled code."""
    for name, value in machine.facts().items():
        typer.echo(fitted(f"{name + ':':<10} {value}", indent=11))
