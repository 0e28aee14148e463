"""``thalweg evaluate MODEL DATA``."""

from __future__ import annotations

import thalweg
from thalweg.cli import data as kinds
from thalweg.cli import images, networks
from thalweg.cli.kept import kept
from thalweg.cli.options import Config, Data, ExecutorName, Json, ModelFile, Quiet
from thalweg.cli.reporting import Teller, reports_errors


@reports_errors
def evaluate(
    model: ModelFile,
    data: Data,
    executor: ExecutorName = None,
    quiet: Quiet = False,
    json: Json = False,
    config: Config = None,
) -> None:
    """Say how good a trained model is: on the test part of DATA, on what train held out of it, or on all of it."""
    teller = Teller(quiet, json)
    net = thalweg.load_model(model)
    networks.choose_executor(net, executor)
    known = kept(model)
    loaded = kinds.load(data, images.form(net), teller.progress("Reading pictures"))
    images.evaluate(net, known, loaded, teller)
