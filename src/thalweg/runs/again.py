"""A training made once more, to the same bits."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from thalweg import config
from thalweg.checks import checked
from thalweg.data.streams.opening import parts_of
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.model.given import Given
from thalweg.model.recorded import weights
from thalweg.model.restoring import restored
from thalweg.record import again, finding
from thalweg.record.history import History
from thalweg.record.reading import Record
from thalweg.record.store import Store
from thalweg.record.surroundings import decisive, surroundings

__all__ = ["Again", "rerun"]


@dataclass(frozen=True)
class Again:
    """What came of a training that was made once more.

    Attributes:
        run: the one that was repeated.
        same: whether its weights came out to the same bits.
        otherwise: what differs and may be why: versions, the vectors of the processor ...
        model, history: of the new training, where this process made it.
    """

    run: Record
    same: bool
    otherwise: Sequence[str] = ()
    model: Any = None
    history: History | None = None

    def __str__(self) -> str:
        if self.same:
            return f"The same bits as run {self.run.number}."
        why = f" What differs: {'; '.join(self.otherwise)}." if self.otherwise else ""
        return f"Other bits than run {self.run.number}.{why}"


@checked
def rerun(
    number: int,
    x: Any,
    y: Any = None,
    *,
    model: Any = None,
    callbacks: Any = None,
    part: int = 0,
    run: str | None = None,
    store: str | os.PathLike[str] | None = None,
    verbose: bool | int | str = "auto",
    **data: Any,
) -> Again:
    """Train once more what a run has recorded: the same model from the same seed, with the same arguments.

    Arguments:
        x, y: the data, as they were then, which is checked of all but streams; with ``data`` what else was given of
            them: ``sample_weight``, ``validation_data``, ``class_weight``.
        model: as it was before, where it was trained or given weights before; made anew unless given, on the executor
            of the record.
        callbacks: those that there were: a run knows their names only.
        part: which of several fits in the run.
        run: the name to record this training by; not recorded unless given.

    Raises: DataError if the data are others; ArgumentError if the model was not new, and is not given; what
        ``executors.named`` raises.
    """
    record = finding.load(Store(store), number)
    fits = record.described.get("fits", [])
    if not 0 <= part < len(fits):
        raise ArgumentError(
            f"run {number} has no fit of this number",
            expected=f"a number below {len(fits)}" if fits else "a run with a fit",
            got=f"part={part}",
            fix="look with runs.load(number).parts",
        )
    fit = fits[part]
    net = _as_it_was(record, fit) if model is None else model
    if weights(net) != fit["weights before"]:
        raise ArgumentError(
            f"the model of run {number} did not begin with the weights that its seed gives",
            expected="model=, as it was before that fit",
            got="a model with other weights" if model is not None else "no model",
            fix="load or make the model as it was, and pass it",
        )
    missing = [name for name in fit["arguments"].get("callbacks") or () if callbacks is None]
    if missing:
        raise ArgumentError(
            f"run {number} had callbacks, of which only the names are known",
            expected=f"callbacks=[...] with {', '.join(missing)}, or callbacks=[] to go without",
            got="none",
            fix="pass them as they were",
        )
    given = {name: value for name, value in fit["arguments"].items() if name in ARGUMENTS and value is not None}
    if "validation_data" in data:
        given.pop("validation_split", None)
    arguments = {**given, **data, "callbacks": callbacks, "verbose": verbose, "seed": fit["seed"], "run": run}
    if parts_of(x) is None:  # of a stream nothing may be taken before it is trained on
        whole = Given.of("rerun", x, y, data.get("sample_weight"))
        held = Given.held_out(data.get("validation_data"), net.runner.trains_itself)
        rows, _ = whole.divided(net.runner, data.get("class_weight"), given.get("validation_split", 0.0), held)
        again.require_same(json.loads(json.dumps(rows.fingerprint())), fit["data"], f"run {number}")
    history = net.fit(x, y, **arguments)
    otherwise = decisive(surroundings(net.runner.executor.name), fit["surroundings"])
    return Again(record, weights(net) == _weights(record, part), otherwise, net, history)


ARGUMENTS = (
    *("batch_size", "epochs", "initial_epoch", "shuffle", "steps_per_epoch", "validation_freq"),
    *("validation_batch_size", "validation_split", "threads"),
)
"""Of ``fit``, that a run knows as they were."""


def _as_it_was(record: Record, fit: Mapping[str, Any]) -> Any:
    """The model as it was made: its layers with the values that its seed gives."""
    if fit["model"] is None:
        raise ArgumentError(
            f"no file can describe the model of run {record.number}",
            expected="model=, as it was before the training",
            got="no model",
            fix="make it as it was made then, and pass it",
        )
    net = restored(fit["model"])
    net.runner.seed = fit["seed of the weights"]
    net.runner.give_values()
    executor = fit["surroundings"]["executor"]
    if executor.partition(":")[0] in config.EXECUTORS:  # not one of the user's own, of which only the name is known
        net.executor = executor
    return net


def _weights(record: Record, part: int) -> str | None:
    """A digest of what a fit has trained."""
    found = [
        event["told"]["digest"] for event in record.events() if event["kind"] == "weights" and event["part"] == part
    ]
    return found[-1] if found else None
