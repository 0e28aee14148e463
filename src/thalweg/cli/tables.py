"""What train, evaluate and predict do with tables."""

from __future__ import annotations

import hashlib
import json
import time as clock
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thalweg import evaluation, tables
from thalweg.cli import recorded, saving
from thalweg.cli.options import Common
from thalweg.cli.reporting import Teller
from thalweg.data import safetensors
from thalweg.data.tables.opening import open_table
from thalweg.data.tables.table import Table
from thalweg.data.tables.writing import TableWriter
from thalweg.errors import ArgumentError
from thalweg.evaluation import Conformal, HeldOut, Judgement
from thalweg.evaluation.of_tables import with_target
from thalweg.fields import dataclass
from thalweg.record.run import Run
from thalweg.tables import TableModel
from thalweg.tables.oddities import Oddities
from thalweg.tables.targets import find_targets

KEY = "thalweg.table"
"""Among the strings of a model's file."""

SHARE = 0.2
"""Held out to judge by."""

CHUNK = 65_536
"""Rows that are predicted at a time."""


@dataclass(frozen=True)
class Options:
    """Of a training, as ``thalweg train`` has them; None where the default is meant."""

    target: list[str] | None = None
    categorical: list[str] | None = None
    numeric: list[str] | None = None
    dates: list[str] | None = None
    ignore: list[str] | None = None
    task: str | None = None
    group: str | None = None
    time: str | None = None
    test: str | None = None
    baselines: bool | None = None
    members: int | None = None


@dataclass(frozen=True)
class Search:
    """Of a search, as ``thalweg tune`` has them: arguments of ``tune_table``."""

    trials: int | None
    sampler: str
    pruner: str | None
    storage: str | None
    name: str


@dataclass(frozen=True)
class Kept:
    """What a model's file knows of the table that it was trained on.

    Attributes:
        digest: of that table, to know it again.
        share, group, time: how rows of it were held out; share 0 if none were.
    """

    digest: str = ""
    share: float = 0.0
    group: str | None = None
    time: str | None = None

    def write(self, path: Path) -> None:
        """Into a model's file."""
        arrays, strings = safetensors.read(path)
        known = {name: getattr(self, name) for name in ("digest", "share", "group", "time")}
        safetensors.write(path, arrays, {**strings, KEY: json.dumps(known)})

    @classmethod
    def read(cls, path: Path) -> Kept:
        """Out of a model's file; of other files nothing is known."""
        _, strings = safetensors.read(path)
        try:
            return cls(**json.loads(strings.get(KEY, "{}")))
        except (ValueError, TypeError):
            return cls()


def train(
    table: Table,
    options: Options,
    common: Common,
    seed: int,
    teller: Teller,
    run: Run | None = None,
    search: Search | None = None,
    settings: Mapping[str, Any] | None = None,
) -> bool:
    """Train a model of a table, save it, and say how good it is. False if Ctrl-C has ended the training.

    Arguments:
        run: to record it in.
        search: of the settings that it is trained with.
        settings: these, where there is no search; the usual ones unless given.

    Raises: ThalwegError; OSError if the result cannot be told.
    """
    output, report = common.output, common.report
    targets = options.target or _no_target(table)
    find_targets(table, targets, options.task)  # what nothing can be learned of is refused before anything is cut
    share, other = _test(options.test)
    if other is None:
        held = evaluation.hold_out(table, targets, share=share, group=options.group, time=options.time)
        trained_on, judged_by = table.take(held.train_rows), table.take(held.test_rows).copied()
        sentences = held.sentences()
        rows: np.ndarray | None = held.test_rows
    else:
        trained_on, judged_by, rows = table, other, None
        sentences = [f"Judged by the {len(other):,} rows of {other.name}.", *_equal_rows(table, other)]
    for sentence in sentences:
        teller.note(sentence)
    digest = _digest(table)
    began = clock.monotonic()
    words: dict[str, Any] = {
        "categorical": options.categorical or (),
        "numeric": options.numeric or (),
        "dates": options.dates or (),
        "ignore": options.ignore or (),
        "task": options.task,
        "group": options.group,
        "time": options.time,
        "epochs": common.epochs,
        "time_limit": common.time_limit,
        "members": options.members,
        "seed": seed,
        "threads": common.threads,
        "executor": common.executor,
        "verbose": teller.verbose,
    }
    target = targets[0] if len(targets) == 1 else targets
    further: dict[str, Any] = {}
    if search is None:
        let_go = None if options.baselines else table.let_go
        words |= {"backup": common.backup, "settings": settings}
        model = tables.train(trained_on, target, **words, encoded=let_go, run=run)
    else:
        from thalweg.tuning import tune_table  # a training that searches nothing does not wait for it

        found = tune_table(trained_on, target, **words, **vars(search), run=run)
        teller.table(found.table())
        assert isinstance(found.model, TableModel), "that is what it makes"
        model, further = found.model, {"search": found.to_dict()}
    seconds = clock.monotonic() - began
    saving.save(model, output)
    if not model.schema.is_of_classes:
        model.conform(judged_by)
        saving.save(model, output)
    Kept(digest, 0.0 if other is not None else share, options.group, options.time).write(output)
    judgement = evaluation.judge(
        model, judged_by, rows=rows, name=str(output), notes=sentences, importance=report is not None
    )
    if options.baselines:
        judgement = judgement.with_sections(_baselines(model, trained_on, judged_by, seconds, common))
    for section in judgement.sections:
        if section.key in ("scores", "baselines"):
            teller.table(section.table())
            for sentence in section.sentences():
                teller.note(sentence)
    _write_report(judgement, report, teller)
    recorded.keep(run, output, {name: score.value for name, score in judgement.scores.items()}, teller)
    first, score = next(iter(judgement.scores.items()))
    teller.result(
        f"Test {first} {score}; saved to {output}",
        {"model": str(output), "seconds": round(seconds, 3), **further, **judgement.to_dict()},
    )
    return all(getattr(history, "stopped_by", None) != "user" for history in model.histories)


def evaluate(
    model: TableModel, name: str, known: Kept, source: str, query: str | None, report: Path | None, teller: Teller
) -> None:
    """Say how good a model is on the rows that it was not trained on."""
    table = _opened(model, source, query)
    rows, notes = None, [*table.notes]
    if known.digest and known.digest == _digest(table):
        if known.share:
            held = held_again(model, table, known)
            table, rows = table.take(held.test_rows), held.test_rows
            notes += held.sentences()
        else:
            notes.append("The model was trained on these very rows: the scores flatter.")
    judgement = evaluation.judge(model, table, rows=rows, name=f"{name} on {source}", notes=notes)
    _write_report(judgement, report, teller)
    teller.show(judgement)


def _opened(model: TableModel, source: str, query: str | None) -> Table:
    """A table as training has read it."""
    return open_table(source, query=query, types=model.schema.types)


def held_again(model: TableModel, table: Table, known: Kept) -> HeldOut:
    """The rows that training held out of this table."""
    return evaluation.hold_out(table, model.schema.targets, share=known.share, group=known.group, time=known.time)


def predict(
    model: TableModel,
    sources: Sequence[str],
    output: str | None,
    interval: float | None,
    keep: Sequence[str],
    query: str | None,
    teller: Teller,
) -> None:
    """Write what the model says of each row, in their order; pieces of rows come and go, whatever the file's size.

    Raises: ThalwegError; OSError if the predictions cannot be written.
    """
    conformal = None if interval is None else model.known_errors()
    count = 0
    with TableWriter(output or "-", "json" if teller.as_json else "csv") as writer:
        for source in sources:
            table = _opened(model, source, query)
            model.require_columns(table)
            odd = Oddities(model.schema)
            for begin, piece in _pieces(model, table):
                odd.add(piece)
                said = columns(model, model.predict(piece, verbose=0), conformal, interval or 0.0)
                rows = slice(begin, begin + CHUNK)
                writer.write({**{name: table.values(name, rows) for name in keep}, **said})
                count += len(next(iter(said.values())))
            for sentence in odd.sentences(above=0):
                teller.aside(f"{source}: {sentence}.")
    if output not in (None, "-"):
        teller.result(f"{count:,} predictions written to {output}", {"rows": count, "output": output})


def columns(model: TableModel, predictions: np.ndarray, conformal: Conformal | None, coverage: float) -> dict[str, Any]:
    """What is written of predictions: name -> (rows,).

    For classes ``prediction`` and ``probability_<class>`` each; for numbers ``prediction``, of several targets
    ``prediction_<target>``, and with intervals ``..._low`` and ``..._high``.
    """
    schema = model.schema
    if schema.is_of_classes:
        probabilities = {f"probability_{name}": predictions[:, at] for at, name in enumerate(schema.classes)}
        return {"prediction": model.labels(predictions), **probabilities}
    names = ["prediction"] if len(schema.targets) == 1 else [f"prediction_{target}" for target in schema.targets]
    written = {name: predictions[:, at] for at, name in enumerate(names)}
    if conformal is not None:
        low, high = conformal.interval(predictions, coverage)
        for at, name in enumerate(names):
            written |= {f"{name}_low": low[:, at], f"{name}_high": high[:, at]}
    return written


def _pieces(model: TableModel, table: Table) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Encoded rows with where they begin; one piece without rows if there are none, for the names of the columns."""
    begin = 0
    for piece in table.chunks(model.schema.encodings(), CHUNK):
        yield begin, piece
        begin += CHUNK
    if not begin:
        yield 0, table.encoded(model.schema.encodings())


def _no_target(table: Table) -> list[str]:
    raise ArgumentError(
        f"which column of {table.name!r} is to be told is not said",
        expected="--target and one of its columns",
        got=f"the columns {', '.join(table.columns[:20])}{' ...' if len(table.columns) > 20 else ''}",
        fix=f"add --target {json.dumps(table.columns[-1]) if ' ' in table.columns[-1] else table.columns[-1]}",
    )


def _test(text: str | None) -> tuple[float, Table | None]:
    """The share to hold out, or a table to judge by."""
    if text is None:
        return SHARE, None
    try:
        share = float(text)
    except ValueError:
        return 0.0, open_table(text)
    if not 0 < share < 1:
        raise ArgumentError(
            "--test is no share",
            expected="a share between 0 and 1, or a file to judge by",
            got=text,
            fix="write --test 0.2",
        )
    return share, None


def _equal_rows(table: Table, other: Table) -> list[str]:
    count = len(evaluation.duplicates(table, other))
    if not count:
        return []
    return [f"Equal to a row that is trained on: {count:,} of its rows. The scores flatter."]


def _digest(table: Table) -> str:
    """A few letters that tell these rows from others."""
    return hashlib.blake2b(np.ascontiguousarray(table.hashes()).tobytes(), digest_size=8).hexdigest()


def _baselines(
    model: TableModel, trained_on: Table, judged_by: Table, seconds: float, common: Common
) -> evaluation.Baselines:
    parts = []
    for table in (trained_on, judged_by):
        truth = model.encoded_target(table)
        rows = with_target(truth)
        parts.append((model.encode(table.take(rows)), truth[rows]))
    return evaluation.baselines(
        parts[0],
        parts[1],
        model.predict(parts[1][0], verbose=0),
        classes=model.schema.classes or None,
        targets=model.schema.targets,
        seconds=seconds,
        size=common.output.stat().st_size,
        threads=common.threads,
    )


def _write_report(judgement: Judgement, report: Path | None, teller: Teller) -> None:
    if report is not None:
        judgement.write(report)
        teller.say(f"The report is in {report}.")
