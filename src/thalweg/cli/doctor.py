"""``thalweg doctor RUN`` and ``thalweg doctor MODEL DATA``."""

from __future__ import annotations

import json as texts
from typing import TYPE_CHECKING, Annotated

import typer

import thalweg
from thalweg.cli import data as kinds
from thalweg.cli import images, networks
from thalweg.cli.options import Device, ExecutorName, Json, Quiet, Report, RunsFolder, executor_of
from thalweg.cli.reporting import Teller, reports_errors
from thalweg.data.numpy_files import reading
from thalweg.errors import ArgumentError, FileFormatError
from thalweg.record import finding
from thalweg.record.run import DIAGNOSIS
from thalweg.record.store import Store

if TYPE_CHECKING:  # loads much, also for those who only want to see the list of commands
    from thalweg.diagnosis.chart import Chart

Subject = Annotated[str, typer.Argument(metavar="RUN | MODEL", help="A run's number, or a file that train wrote.")]


@reports_errors
def doctor(
    subject: Subject,
    data: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help="Of a model: the images that it was trained on.")
    ] = None,
    examine: Annotated[
        bool, typer.Option("--examine", help="Of a model: make deeper tests, too, which takes up to a minute.")
    ] = False,
    report: Report = None,
    store: RunsFolder = None,
    executor: ExecutorName = None,
    device: Device = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Say what went wrong in a training, why, and what to try; or what is wrong with a model and its data."""
    teller = Teller(quiet, json)
    if subject.isdecimal():
        chart = of_run(Store(store), int(subject))
    else:
        chart = of_model(subject, data, examine, executor_of(executor, device), teller)
    if report is not None:
        chart.write(report)
        teller.say(f"The report is in {report}.")
    teller.show(chart)


def of_run(store: Store, number: int) -> Chart:
    """What the doctor said when the run ended.

    Raises: NameNotFoundError if there is no such run; ArgumentError if nobody looked at it; FileFormatError or
        StorageError if the file cannot be read.
    """
    from thalweg.diagnosis.chart import Chart
    from thalweg.doctor.finding import Diagnosis

    run = finding.load(store, number)
    path = run.folder / DIAGNOSIS
    if not path.exists():
        raise ArgumentError(
            f"the doctor has not looked at run {number}",
            expected="a run that has ended, of a fit with diagnose=True",
            got=f"no {DIAGNOSIS} in {str(run.folder)!r}",
            fix=f"wait for its end, or give a model and its data: thalweg doctor {run.folder}/model.thalweg DATA",
        )
    with reading(path, "the file as it was written when the run ended"):
        text = path.read_text(encoding="utf-8")
    try:
        return Chart(f"run {number}, {run.name}", Diagnosis.from_dict(texts.loads(text)))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FileFormatError(
            f"{str(path)!r} is no diagnosis",
            expected="the file as it was written when the run ended",
            got=str(error),
            fix=f"make it anew: thalweg runs rerun {number}",
        ) from None


def of_model(name: str, data: str | None, deeper: bool, executor: str | None, teller: Teller) -> Chart:
    """What can be said of a model and its data without its training."""
    if data is None:
        raise ArgumentError(
            "a model is looked at together with data",
            expected="thalweg doctor MODEL DATA, or the number of a run",
            got=f"thalweg doctor {name}",
            fix=f"write thalweg doctor {name} DATA",
        )
    from thalweg.diagnosis.chart import Chart
    from thalweg.diagnosis.deeper import Deeper
    from thalweg.diagnosis.examining.examination import examine
    from thalweg.diagnosis.looking import look
    from thalweg.diagnosis.spread import spread_of

    net = thalweg.load_model(name)
    networks.choose_executor(net, executor)
    loaded = kinds.images_of(data, images.form(net), teller.progress("Reading pictures")).cut()
    x, y = loaded.train
    diagnosis = look(net, x, y, validation_data=loaded.test)
    spread = spread_of(net, x)
    further = (spread, Deeper(examine(net, x, y))) if deeper else (spread,)
    return Chart(f"{name} on {data}", diagnosis, further)
