"""Options that several commands have, and how their words are read."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thalweg import config, executors
from thalweg.data.numpy_files import reading
from thalweg.errors import ArgumentError, FileFormatError, NameNotFoundError, did_you_mean
from thalweg.fields import dataclass
from thalweg.training import frequency

if TYPE_CHECKING:  # loads much, and few ask for it
    from thalweg.training.backup import BackupAndRestore

DEFAULT_EVERY = 30.0
"""Seconds between two checkpoints."""

LATER = ("config", "help")
"""Options that a configuration file cannot have: they are read before it."""


def _configured(context: typer.Context, file: Path | None) -> Path | None:
    """Take what the file says as the options' defaults. Called before the other options are looked at."""
    if file is None or context.resilient_parsing:
        return file
    try:
        context.default_map = {**(context.default_map or {}), **configuration(file, _names(context))}
    except (ArgumentError, NameNotFoundError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from None
    except Exception as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    return file


def configuration(file: Path, names: dict[str, bool]) -> dict[str, Any]:
    """The options in a TOML file, as typer takes them.

    Arguments:
        names: of the options, with ``_`` for ``-``, and whether each may be given more than once.

    Raises: StorageError, FileFormatError, NameNotFoundError or ArgumentError naming the file.
    """
    with reading(file, "a TOML file: lines like epochs = 20"):
        try:
            given = tomllib.loads(file.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise FileFormatError(
                f"{str(file)!r} is no TOML",
                expected='lines like epochs = 20, target = "price" or ignore = ["id"]',
                got=str(error),
                fix="mend the line; text stands in quotes",
            ) from None
    found = {}
    for name, value in given.items():
        key = name.replace("-", "_")
        if key not in names or key in LATER:
            raise NameNotFoundError(
                f"{str(file)!r}: this command has no option {name!r}",
                expected=", ".join(option.replace("_", "-") for option in names if option not in LATER),
                got=name,
                fix=did_you_mean(name, [option.replace("_", "-") for option in names]),
            )
        if isinstance(value, dict):
            raise ArgumentError(
                f"{str(file)!r}: {name!r} is a table of options",
                expected="options without a heading, a line each",
                got=f"[{name}]",
                fix="leave the heading out",
            )
        found[key] = (value if isinstance(value, list) else [value]) if names[key] else value
    return found


def _names(context: typer.Context) -> dict[str, bool]:
    return {
        str(parameter.name): bool(getattr(parameter, "multiple", False)) or parameter.nargs == -1
        for parameter in context.command.params
    }


def seconds(text: str, option: str = "--time-limit") -> float:
    """How long, for an option: ``90``, ``90s``, ``1.5m``, ``1h30m``. Raises ArgumentError.

    Example:
        >>> seconds("60s"), seconds("1h30m"), seconds("2")
        (60.0, 5400.0, 2.0)
    """
    total = frequency.seconds(text)
    if total is None:
        raise ArgumentError(
            f"{option} is no length of time",
            expected="90s, 5m or 1h30m",
            got=repr(text),
            fix=f"write {option} 60s",
        )
    return total


def pixels(text: str) -> tuple[int, int]:
    """Height and width: ``64`` or ``48x64``. Raises ArgumentError.

    Example:
        >>> pixels("64"), pixels("48x64")
        ((64, 64), (48, 64))
    """
    found = re.fullmatch(r"(\d+)(?:\s*[x×]\s*(\d+))?", text.strip().lower())
    height, width = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if min(height, width) < 1:
        raise ArgumentError(
            "--size is no size of pictures",
            expected="64, or 48x64 for height and width",
            got=repr(text),
            fix="write --size 64",
        )
    return height, width


def executor_of(executor: str | None, device: str | None) -> str | None:
    """The name of the executor that both options mean; None for neither, and for the CPU, where the default is.

    Raises: ArgumentError if they do not go together.

    Example:
        >>> executor_of("numpy", None), executor_of(None, "gpu"), executor_of("xla", "cpu")
        ('numpy', 'xla:gpu', 'xla:cpu')
    """
    if device is None:
        return executor
    given = executor if executor is not None or device != "cpu" else config.executor()
    if given is None:
        return None if device == "cpu" else f"xla:{device}"
    family, kind = config.executor_and_device(given)
    if kind not in (None, device) or (family != "xla" and device != "cpu"):
        raise ArgumentError(
            "--executor and --device do not go together",
            expected="--device gpu or tpu alone, or with --executor xla",
            got=f"--executor {given} --device {device}",
            fix="leave --executor out",
        )
    return f"xla:{device}" if family == "xla" else given


def ready_executor(executor: str | None, device: str | None) -> str | None:
    """``executor_of``, where much is to be read first: it can run. Raises what ``executors.named`` raises."""
    chosen = executor_of(executor, device)
    if chosen is not None:
        executors.named(chosen)
    return chosen


@dataclass(frozen=True)
class Common:
    """Options of every training; None where the default is meant.

    Attributes:
        output: the model's file.
        time_limit: seconds.
        report: the file of a page about the model; no page unless given.
        backup: where the training is kept until the model is saved.
    """

    output: Path
    epochs: int | None = None
    time_limit: float | None = None
    threads: int | None = None
    executor: str | None = None
    report: Path | None = None
    backup: BackupAndRestore | None = None

    def finished(self) -> None:
        """The model is saved, and there is nothing to go on with."""
        if self.backup is not None:
            self.backup.clear()


def backup(output: Path, every: float | None, resume: bool | None) -> BackupAndRestore | None:
    """Where a training is kept that goes on after it was killed: a folder beside the model's file; None if nowhere.

    Arguments:
        every: seconds; 30 where only ``resume`` is said.
        resume: False to begin anew.
    """
    if every is None and not resume:
        return None
    from thalweg.training.backup import BackupAndRestore

    made = BackupAndRestore(f"{output}.backup", f"{every or DEFAULT_EVERY}s", delete_checkpoint=False)
    if resume is False:
        made.clear()
    return made


Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A table (.csv, .parquet ...), a folder of pictures with one folder for each class, "
        "a .npz or idx file of images, or mnist.",
    ),
]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that train wrote.")]
Threads = Annotated[int | None, typer.Option(help="Exactly so many.", show_default="as many as are quickest")]
ExecutorName = Annotated[
    str | None, typer.Option("--executor", metavar="NAME", help="native, numpy or xla.", show_default="native")
]
Device = Annotated[
    str | None,
    typer.Option(
        metavar="KIND", help="cpu, gpu or tpu; all but cpu through JAX, by the executor xla.", show_default="cpu"
    ),
]
Query = Annotated[
    str | None,
    typer.Option(metavar="SQL", help="Of a database: a query, or a table's name.", show_default="its only table"),
]
Report = Annotated[
    Path | None,
    typer.Option(metavar="FILE.html", help="Write a page with pictures about the model.", show_default="none"),
]
CheckpointEvery = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Keep where training stands so often, in a folder beside the model: 30s, 5m. The same command goes on "
        "there after it was killed, to the same bits.",
        show_default="never",
    ),
]
Resume = Annotated[
    bool | None,
    typer.Option(
        "--resume/--no-resume",
        help="Go on where a training was killed that kept checkpoints; or begin anew.",
        show_default="go on, with --checkpoint-every",
    ),
]
RunName = Annotated[
    str | None, typer.Option("--run", metavar="NAME", help="Name of its record.", show_default="named after DATA")
]
NoRun = Annotated[bool, typer.Option("--no-run", help="Do not record it.")]
RunsFolder = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Of the runs.", show_default="THALWEG_RUNS, or ./thalweg-runs"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result and errors only.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE.toml",
        help="A file of options by the same names: epochs = 20.",
        show_default="none",
        is_eager=True,
        callback=_configured,
    ),
]
