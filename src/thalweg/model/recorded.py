"""What the record of a run holds of a model and its training, beside what happens."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from thalweg.data import atomic
from thalweg.data.source import Source
from thalweg.errors import ThalwegError
from thalweg.model import restoring
from thalweg.record.beginning import recording
from thalweg.record.run import DIAGNOSIS, MODEL, Part, Run, digest
from thalweg.record.settings import compiled_settings
from thalweg.record.surroundings import surroundings
from thalweg.state.names import PARAMETERS, SEED_STATE
from thalweg.training import checkpoint
from thalweg.training.callbacks import Callback
from thalweg.training.recorder import Recorder
from thalweg.training.session import FitOptions

Model = Any
"""A ``thalweg.Model``, which stands further down."""

USUAL = {"initial_epoch": 0, "shuffle": True, "validation_freq": 1, "callbacks": []}
"""Arguments that are not worth a word; others are None."""

About = tuple[dict[str, Any], dict[str, Any]]


@contextlib.contextmanager
def recorded(
    run: str | Run | None,
    model: Model,
    rows: Source,
    held_out: Source | None,
    options: FitOptions,
    further: Mapping[str, Any],
) -> Iterator[list[Callback]]:
    """The callback that records this ``fit``, if it is to be; the model is written into the run's folder at its end.

    Arguments:
        further: arguments of ``fit`` that are no options, as far as they are to be known.
    """
    with recording(run, partial(about, model, rows, held_out, options, further)) as part:
        if part is None:
            yield []
            return
        try:
            yield [Recorder(part)]
        finally:
            keep(part, model)


def about(
    model: Model, rows: Source, held_out: Source | None, options: FitOptions, further: Mapping[str, Any]
) -> About:
    """All that is known of a fit before it begins, and of this what is to be compared with other runs."""
    runner = model.runner
    around = surroundings(runner.executor.name)
    data = rows.fingerprint()
    arguments = {**vars(options), **further}
    described = _described(model)
    known = {
        "model": described,
        "arguments": arguments,
        "data": data,
        "validation": None if held_out is None else held_out.fingerprint(),
        "seed": runner.state.number(SEED_STATE),
        "seed of the weights": runner.seed,
        "weights before": weights(model),
        "surroundings": around,
        "script": [os.path.abspath(sys.argv[0]), *sys.argv[1:]] if sys.argv and os.path.isfile(sys.argv[0]) else None,
        "folder": os.getcwd(),
    }
    settings = {
        "model": model.name,
        "parameters": model.count_params(),
        **compiled_settings((described or {}).get("compile")),
        **{name: value for name, value in arguments.items() if value != USUAL.get(name) and name != "verbose"},
        "seed": known["seed"],
        "rows": rows.count,
        "data_digest": digest(json.dumps(data, sort_keys=True).encode()),
        **around,
    }
    return known, settings


def _described(model: Model) -> dict[str, Any] | None:
    """The model in JSON types; None where a file could not hold it."""
    try:
        described = restoring.whole_description(model)
        json.dumps(described)
        return described
    except (ThalwegError, TypeError, ValueError):
        return None


def weights(model: Model) -> str:
    """A digest of all parameters: models with equal ones compute the same."""
    state = model.runner.state
    names = sorted(state.names(PARAMETERS))
    return digest(*(part for name in names for part in (name.encode(), state.read(name).tobytes())))


def keep(part: Part, model: Model) -> None:
    """Have the model written into the run's folder, as it is now, and what the doctor says of its training.

    A model that no file can hold is not kept.
    """
    part.trained(weights(model))
    if model.history.diagnosis is not None:
        text = json.dumps(model.history.diagnosis.to_dict())
        part.run.keep(part.file(DIAGNOSIS), lambda path: atomic.write(path, [text.encode()]))
    described = _described(model) if part.run.keeps_models else None
    if described is None:
        return
    state = model.runner.kept_state()

    def write(path: Path) -> None:
        checkpoint.save(path, state, described, overwrite=True)

    part.run.keep(part.file(MODEL), write)
