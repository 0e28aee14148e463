"""Cross-validation: how good a kind of model is on data that it has not seen, and how much that varies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np

from thalweg import config, cores
from thalweg.checks import Count, In, check_value, checked
from thalweg.data import splits
from thalweg.errors import ArgumentError, DataError
from thalweg.evaluation.curves import draw
from thalweg.evaluation.population import CallbackMaker, Job, built, run_jobs
from thalweg.evaluation.split import SplitSeed, check_classes, common_rows, required_classes, take
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.record.history import History
from thalweg.table import Table, Tabular
from thalweg.trees import LEAF, flatten, unflatten


@dataclass(frozen=True)
class CrossValidation(Tabular):
    """What ``cross_validate`` found; with several repeats, the folds of each follow one another.

    Attributes:
        folds: (rows trained on, rows held out) of each.
        models, histories: of each fold.
        scores: name of the loss or metric -> its values on the held-out rows, one for each fold.
        mean, deviation: of the scores; the standard deviation between folds, with ``n - 1``.
        predictions: (rows, ...): what the model that had not seen a row says of it; the mean over the repeats. NaN for
            rows that no fold holds out, which are the earliest of folds by time. A list for a model of several outputs.
    """

    folds: list[tuple[np.ndarray, np.ndarray]]
    models: list[Model]
    histories: list[History]
    scores: dict[str, np.ndarray]
    predictions: Any

    @property
    def mean(self) -> dict[str, Any]:
        """Each score averaged over the folds."""
        return {name: _plain(values.mean(0)) for name, values in self.scores.items()}

    @property
    def deviation(self) -> dict[str, Any]:
        """The standard deviation of each score between the folds, with n - 1 in the denominator."""
        return {name: _plain(values.std(0, ddof=1)) for name, values in self.scores.items()}

    def table(self) -> Table:
        shown = [name for name, values in self.scores.items() if values.ndim == 1]
        rows = [
            [str(number), str(len(train)), str(len(held)), *(f"{self.scores[name][number - 1]:.4f}" for name in shown)]
            for number, (train, held) in enumerate(self.folds, 1)
        ]
        rows.append(["mean", "", "", *(f"{self.mean[name]:.4f}" for name in shown)])
        rows.append(["deviation", "", "", *(f"{self.deviation[name]:.4f}" for name in shown)])
        return Table("", ["fold", "trained on", "held out", *shown], rows)

    def plot(self, metric: str = "loss", ax: Any = None) -> Any:
        """Draw the folds' curves of a metric over the epochs, held-out ones solid; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib; NameNotFoundError for a metric that is not in the histories.
        """
        return draw({f"fold {number}": history for number, history in enumerate(self.histories, 1)}, metric, ax)


@checked
def cross_validate(
    build: Callable[[], Model],
    x: Any,
    y: Any,
    folds: int = 5,
    *,
    stratify: bool | str = "auto",
    groups: Any = None,
    time: Any = None,
    repeats: int = 1,
    seed: int = 0,
    sample_weight: Any = None,
    callbacks: CallbackMaker = None,
    threads: int | None = None,
    verbose: bool | int | str = "auto",
    **arguments: Any,
) -> CrossValidation:
    """Train a new model on all folds but one, judge it by that one, and so for each fold; the folds run at once.

    The held-out rows are also the ``validation_data`` of each fit, so the histories show them after every epoch. Pass
    ``validation_split`` to stop early or choose weights by other rows, or the scores will flatter.

    Arguments:
        build: makes a compiled model; called once for each fold.
        x, y: as for ``fit``; several inputs as a mapping or a tuple.
        stratify: each fold gets its share of each class, to within one row; ``"auto"``: if y is classes of which each
            has, on average, a sample for each fold.
        groups: one value per row; rows of one group (a patient, a video) are held out together.
        time: one value per row; each fold is trained on all rows before those that it holds out, which are later with
            every fold (an expanding window). The earliest rows, one part in ``folds + 1``, are only trained on. Rows of
            one time stay together. With all times different: scikit-learn's ``TimeSeriesSplit(folds)``.
        repeats: how often to do it all, with other folds each time.
        seed: of the folds and, if they have none, of the models; the same seed gives the same bits.
        callbacks: a function that makes the callbacks of one fit.
        threads: of all fits together.
        arguments: of ``fit``: ``epochs``, ``batch_size``, ``class_weight`` ...

    A held-out part that lacks a class gives a FoldNotice. Ctrl-C ends the fits in order and raises KeyboardInterrupt.

    Raises: ArgumentError, ShapeError or DataError before anything runs; DataError if a fold would be trained without a
        sample of one of the classes; then whatever ``fit`` raises.
    """
    folds = check_value("cross_validate", "folds", Annotated[int, In("[2, inf)")], folds)
    repeats = check_value("cross_validate", "repeats", Count, repeats)
    seed = check_value("cross_validate", "seed", SplitSeed, seed)
    rows = common_rows((x, y))
    if folds > rows:
        raise DataError(
            "there are more folds than rows",
            expected=f"at most {rows} folds, which leaves one row out at a time",
            got=f"{folds} folds",
            fix=f"pass folds={min(5, rows)}",
        )
    if "validation_data" in arguments:
        raise ArgumentError(
            "cross_validate: the validation data are the held-out rows",
            expected="no validation_data",
            got="validation_data",
            fix="pass validation_split to hold out other rows of each fold as well",
        )
    weight = splits.per_row(sample_weight, rows, "sample_weight")
    moments = splits.moments(time, rows)
    if moments is None:
        pairs = dealt(y, rows, folds, stratify, splits.per_row(groups, rows, "groups"), repeats, seed)
    else:
        pairs = _by_time(
            y, moments, folds, {"stratify": stratify is True, "groups": groups is not None, "repeats": repeats > 1}
        )
    with config.seeded(seed):
        models = built("cross_validate", build, len(pairs))

    def rows_of(pair: tuple[np.ndarray, np.ndarray]) -> Callable[[], dict[str, Any]]:
        return lambda: rows_of_fold(x, y, weight, pair, judged="validation_split" not in arguments)

    jobs = [Job(model, arguments, rows_of(pair)) for model, pair in zip(models, pairs, strict=True)]
    histories = []
    for outcome in run_jobs(jobs, callbacks, cores.wanted(threads), verbose, "folds"):
        if isinstance(outcome, Exception):
            raise outcome
        histories.append(outcome)
    if any(history.stopped_by == "user" for history in histories):
        raise KeyboardInterrupt("cross_validate: scores of folds that were not trained to their end say nothing")
    scores, predictions = _judge(models, x, y, weight, [held for _, held in pairs], rows)
    return CrossValidation(pairs, models, histories, scores, predictions)


def dealt(
    y: Any, rows: int, count: int, stratify: bool | str, groups: np.ndarray | None, repeats: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rows to train on and those to hold out."""
    if stratify not in (True, False, "auto"):
        raise ArgumentError(
            "cross_validate: argument 'stratify' does not fit its rule",
            expected="True, False or 'auto'",
            got=repr(stratify),
            fix="the classes are those of y; leave stratify out",
        )
    known = None if isinstance(y, Mapping | tuple) else splits.class_numbers(y)
    if stratify is True:
        known = required_classes(y, rows)
    is_classes = known is not None and (stratify is True or (int(known.max()) + 1) * count <= rows)
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for repeat in range(repeats):
        classes = known if is_classes and stratify is not False else None
        folds = splits.folds(rows, count, classes=classes, groups=groups, seed=(seed, repeat))
        pairs += [(np.setdiff1d(np.arange(rows), held, assume_unique=True), held) for held in folds]
    if known is not None and is_classes:
        check_classes(known, pairs, f"fold {{}} of {len(pairs)}")
    return pairs


def _by_time(y: Any, time: np.ndarray, count: int, given: Mapping[str, bool]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rows to train on and those to hold out, later with every fold. Raises ArgumentError, DataError."""
    for name in (name for name, is_given in given.items() if is_given):
        raise ArgumentError(
            f"cross_validate: arguments 'time' and {name!r} are given both",
            expected="folds by time, which are fixed by it, or others",
            got=f"time and {name}",
            fix=f"leave out {name}",
        )
    pairs = splits.expanding_windows(time, count)
    known = None if isinstance(y, Mapping | tuple) else splits.class_numbers(y)
    if known is not None and (int(known.max()) + 1) * count <= len(time):
        check_classes(known, pairs, f"fold {{}} of {count}")
    return pairs


def rows_of_fold(
    x: Any, y: Any, weight: np.ndarray | None, pair: tuple[np.ndarray, np.ndarray], judged: bool
) -> dict[str, Any]:
    """The arguments of ``fit`` that are the fold's own; ``judged``: whether the held-out rows are its validation's."""
    train, held = pair
    own = {"x": _listed(take(x, train)), "y": _listed(take(y, train))}
    if weight is not None:
        own["sample_weight"] = weight[train]
    if judged:
        data = (_listed(take(x, held)), _listed(take(y, held)))
        own["validation_data"] = data if weight is None else (*data, weight[held])
    return own


def _listed(parts: Any) -> Any:
    """Several inputs or outputs as ``fit`` wants them."""
    return list(parts) if isinstance(parts, tuple) else parts


def _judge(
    models: list[Model], x: Any, y: Any, weight: np.ndarray | None, held_out: list[np.ndarray], rows: int
) -> tuple[dict[str, np.ndarray], Any]:
    """The scores of each fold, and the predictions of all rows by models that had not seen them."""
    scores: dict[str, list[Any]] = {}
    totals: list[np.ndarray] = []
    form = LEAF
    for model, held in zip(models, held_out, strict=True):
        part_x, part_y = _listed(take(x, held)), _listed(take(y, held))
        part_weight = None if weight is None else weight[held]
        results = model.evaluate(part_x, part_y, verbose=0, sample_weight=part_weight, return_dict=True)
        assert isinstance(results, dict), "asked for"
        for name, value in results.items():
            scores.setdefault(name, []).append(value)
        said = model.predict(part_x, verbose=0)
        outputs, form = flatten(said)
        totals = totals or [np.zeros((rows, *output.shape[1:]), output.dtype) for output in outputs]
        for total, output in zip(totals, outputs, strict=True):
            total[held] += output
    times = np.bincount(np.concatenate(held_out), minlength=rows)
    never = np.where(times, times, np.nan)  # a prediction that there is not is NaN
    predictions = [total / never.reshape(-1, *[1] * (total.ndim - 1)).astype(total.dtype) for total in totals]
    per_fold = {name: np.array(values) for name, values in scores.items()}
    return per_fold, unflatten(form, iter(predictions))


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value
