"""The commands. They read options, call the public API, and show what it gives."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import numpy as np
import typer

import thalweg
from thalweg import executors, models, numdiff, optimizers
from thalweg.cli import brightness, images, machine
from thalweg.cli.codes import INTERRUPTED
from thalweg.cli.data import DATASETS, Images, load
from thalweg.errors import ArgumentError, NameNotFoundError, StorageError, ThalwegError, did_you_mean
from thalweg.model import Model

MODELS: dict[str, Callable[..., Model]] = {
    "mlp": models.mlp,
    "cnn": models.small_cnn,
    "lenet": models.lenet,
    "resnet": models.resnet,
}
DEFAULTS = {"mnist": "mlp"}
"""By data set. MNIST's takes seconds and is 98 % right; the convolutional ones take longer and are 99 % right."""

RESNET_DEPTH = 8
"""The smallest: one block for each of its three sizes."""

LARGE = 64 * 64
"""Pixels from which on the dense layer of small_cnn would have tens of millions of weights."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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


P = ParamSpec("P")
R = TypeVar("R")


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Print an error's four parts instead of a traceback, and end with exit code 1."""

    @wraps(command)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ThalwegError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from None
        except BrokenPipeError:  # the reader of the output has what it wanted, as in `| head -1`
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 1)  # what is not written yet would fail again when Python ends
            raise typer.Exit(0) from None
        except OSError as error:
            full = StorageError(
                "what there is to say cannot be written",
                expected="a standard output that takes text",
                got=error.strerror or str(error),
                fix="look whether the disk is full; a model that was trained has been saved",
            )
            typer.echo(f"Error: {full}", err=True)
            raise typer.Exit(1) from None

    return reporting


Data = Annotated[
    str, typer.Argument(metavar="DATA", help="A data set by its name, mnist, or a .npz file of images and classes.")
]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that train wrote.")]
Threads = Annotated[int | None, typer.Option(help="Exactly so many.", show_default="as many as are quickest")]
ExecutorName = Annotated[str | None, typer.Option("--executor", help="native or numpy.", show_default="native")]


@app.command()
@reports_errors
def train(
    data: Data,
    model: Annotated[
        str | None,
        typer.Option(
            help="The kind of network: mlp, cnn, lenet or resnet.",
            show_default="mlp for mnist, else cnn, or resnet for images of more than 64 x 64",
        ),
    ] = None,
    units: Annotated[
        list[int] | None,
        typer.Option(help="Of a hidden layer of mlp; again for each further one.", show_default="512"),
    ] = None,
    activation: Annotated[
        str | None, typer.Option(help="Of mlp's hidden layers, or of lenet.", show_default="relu, of lenet tanh")
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(help="Share of mlp's hidden layers left out in a step.", show_default="0.2"),
    ] = None,
    optimizer: Annotated[str, typer.Option(help="adam, rmsprop or sgd.")] = "adam",
    learning_rate: Annotated[
        float | None, typer.Option(help="How far a step goes.", show_default="the optimizer's")
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the data.")] = 8,
    batch_size: Annotated[int, typer.Option(help="Samples per step.")] = 128,
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 0,
    threads: Threads = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The file to write.", show_default="digits.thalweg, or named after DATA"),
    ] = None,
    executor: ExecutorName = None,
) -> None:
    """Train a network, print its accuracy on the test set, and save it.

    Ctrl-C ends training early; what has been learned by then is saved.
    """
    output = output or Path("digits.thalweg" if data == "mnist" else Path(data).with_suffix(".thalweg").name)
    _require_writable(output)
    loaded = load(data)
    if loaded.told:
        _tell(loaded.told)
    thalweg.utils.set_random_seed(seed)
    kind = model or DEFAULTS.get(data) or ("resnet" if np.prod(loaded.shape[:2]) > LARGE else "cnn")
    net = _network(kind, loaded, units=units or None, activation=activation, dropout=dropout)
    chosen = "" if model else f"; --model takes {_others(kind)}"
    _tell(f"Network: {kind}, {net.count_params():,} weights{chosen}")
    net.compile(_optimizer(optimizer, learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    _choose_executor(net, executor)
    history = net.fit(*loaded.train, batch_size=batch_size, epochs=epochs, threads=threads)
    net.save(output)
    brightness.keep(output, loaded.train[0])
    results = net.evaluate(*loaded.test, verbose=0, return_dict=True)
    assert isinstance(results, dict), "return_dict"
    typer.echo(f"Test accuracy {results['accuracy']:.4f}, loss {results['loss']:.4f}; saved to {output}")
    if history.stopped_by == "user":
        raise typer.Exit(INTERRUPTED)


@app.command()
@reports_errors
def evaluate(model: ModelFile, data: Data, executor: ExecutorName = None) -> None:
    """Print loss and metrics of a trained model on a data set's test part."""
    net = thalweg.load_model(model)
    _choose_executor(net, executor)
    results = net.evaluate(*load(data).test, verbose=0, return_dict=True)
    assert isinstance(results, dict), "return_dict"
    for name, value in results.items():
        typer.echo(f"{name}: {value:.4f}")


@app.command()
@reports_errors
def predict(
    model: ModelFile,
    files: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Pictures (PNG ...), .npy or idx files of one or many.")
    ],
    invert: Annotated[bool, typer.Option("--invert", help="Turn light and dark round first.")] = False,
    executor: ExecutorName = None,
) -> None:
    """Print for each image the class that the model sees in it, and how sure it is."""
    net = thalweg.load_model(model, compile=False)
    _choose_executor(net, executor)
    names, pictures = images.read_all(files, net.inputs[0].shape[1:])
    light = brightness.kept(model)
    pictures = light.fitted(pictures)
    if invert:
        pictures = (255 if pictures.dtype == np.uint8 else light.full) - pictures
    if told := light.told(names, pictures):
        typer.echo(told, err=True)
    probabilities = net.predict(pictures, verbose=0)
    width = max(len("Image"), *map(len, names))
    typer.echo(f"{'Image':<{width}}  Class  Probability  Next")
    for name, row in zip(names, probabilities, strict=True):
        first, second = np.argsort(row)[::-1][:2] if len(row) > 1 else (0, 0)
        typer.echo(f"{name:<{width}}  {first:>5}  {row[first]:>11.4f}  {second} ({row[second]:.4f})")


@app.command()
@reports_errors
def gradcheck(
    model: ModelFile,
    data: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help="As for train.", show_default="random numbers")
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
        x, y = (part[:rows] for part in load(data).train)
    else:
        x, y = numdiff.random_data(net, rows, seed)
    check = numdiff.check_gradients(
        net, x, y, directions=directions, per_entry=per_entry, tolerance=tolerance, seed=seed
    )
    typer.echo(str(check))
    if not check.passed:
        raise typer.Exit(1)


ModelOrName = Annotated[
    str, typer.Argument(metavar="MODEL", help="A file that train wrote, or mnist: the network that train mnist makes.")
]
What = Annotated[str, typer.Option(help="The step to train, to evaluate or to predict.")]
StepRows = Annotated[int | None, typer.Option(help="Rows of the step.", show_default="32 to train, else 128")]


@app.command()
@reports_errors
def explain(
    model: ModelOrName,
    stage: Annotated[str, typer.Option(help="graph, simplified, kernels, plan, ir or assembly.")] = "graph",
    batch_size: StepRows = None,
    what: What = "train",
    executor: ExecutorName = None,
) -> None:
    """Print what a step of a model is compiled to, at one of the stages on the way to machine code."""
    net = _model(model)
    _choose_executor(net, executor)
    typer.echo(net.explain(stage, batch_size, what), nl=False)


@app.command()
@reports_errors
def profile(
    model: ModelOrName,
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="As for train.", show_default="mnist for mnist, else random numbers"),
    ] = None,
    batch_size: StepRows = None,
    what: What = "train",
    threads: Annotated[
        int | None, typer.Option(help="Exactly so many.", show_default="as many as are quickest")
    ] = None,
    seconds: Annotated[float, typer.Option(help="To spend on it.")] = 1.0,
    executor: ExecutorName = None,
) -> None:
    """Print where the time of a step goes, by task and by layer. The model stays as it is."""
    net = _model(model)
    _choose_executor(net, executor)
    if data is not None or model in DATASETS:
        x, y = load(data or model).train
    else:
        x, y = numdiff.random_data(net, 4 * (batch_size or 128), seed=0)
    typer.echo(str(net.profile(x, y, batch_size, what=what, threads=threads, seconds=seconds)))


@app.command()
@reports_errors
def info() -> None:
    """Print versions, the processor and its vectors, threads, and the cache of compiled code."""
    for name, value in machine.facts().items():
        typer.echo(f"{name + ':':<10} {value}")


def _network(kind: str, data: Images, **options: Any) -> Model:
    """A ready model for images that go in as they are in memory."""
    if kind not in MODELS:
        raise NameNotFoundError(
            "there is no model of this kind", expected=", ".join(MODELS), got=repr(kind), fix=did_you_mean(kind, MODELS)
        )
    make = MODELS[kind]
    given = {name: value for name, value in options.items() if value is not None}
    surplus = given.keys() - inspect.signature(make).parameters.keys()
    if surplus:
        raise ArgumentError(
            f"the model {kind!r} is built without some of these options",
            expected=", ".join(f"--{name}" for name in options if name in inspect.signature(make).parameters) or "none",
            got=", ".join(f"--{name}" for name in sorted(surplus)),
            fix="leave it out, or choose --model mlp",
        )
    if kind == "resnet":
        given["depth"] = RESNET_DEPTH
    return make(input_shape=data.shape, classes=data.classes, dtype=data.dtype, **given)


def _model(name: str) -> Model:
    """The model in this file, or the one that train makes of the data set of this name, as it is at its beginning."""
    if name not in DATASETS:
        return thalweg.load_model(Path(name))
    net = _network(DEFAULTS[name], load(name))
    net.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def _tell(text: str) -> None:
    """Print it if that is possible: no training is lost because nobody listens."""
    with contextlib.suppress(OSError):
        typer.echo(text)


def _others(kind: str) -> str:
    *most, last = (name for name in MODELS if name != kind)
    return f"{', '.join(most)} or {last}"


def _optimizer(name: str, learning_rate: float | None) -> optimizers.Optimizer:
    entry = optimizers.registry.find(name)
    made: optimizers.Optimizer = entry() if learning_rate is None else entry(learning_rate=learning_rate)
    return made


def _choose_executor(net: Model, name: str | None) -> None:
    if name is not None:
        net.executor = executors.named(name)


def _require_writable(path: Path) -> None:
    """Raise StorageError now rather than after the training."""
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        reason = "a folder" if path.is_dir() else "a folder that may not be written" if folder.is_dir() else "no folder"
        raise StorageError(
            f"cannot write {str(path)!r}",
            expected="a file name in an existing, writable folder",
            got=reason if path.is_dir() else f"{reason} at {str(folder)!r}",
            fix="choose another file with --output",
        )
