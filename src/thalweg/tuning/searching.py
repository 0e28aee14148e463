"""``search``: which values make the best network."""

from __future__ import annotations

import contextlib
import inspect
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from thalweg import config, cores
from thalweg.checks import Count, In, OneOf, check_value, checked
from thalweg.data import splits
from thalweg.errors import ArgumentError, DataError, NameNotFoundError, did_you_mean
from thalweg.evaluation.cross_validation import dealt, rows_of_fold
from thalweg.evaluation.population import CallbackMaker, built, check_callbacks
from thalweg.evaluation.split import common_rows
from thalweg.model import Model
from thalweg.record.beginning import together
from thalweg.record.run import BEST, MODEL, Run
from thalweg.training.callbacks import Callback
from thalweg.training.session import USER
from thalweg.tuning.claims import origin
from thalweg.tuning.found import SearchResult, trial_of
from thalweg.tuning.hunt import Hunt, Limits, Plan, keeper
from thalweg.tuning.space import Space, Values, parameters
from thalweg.tuning.studies import Pruning, open_study, optuna, quiet, storage_at

__all__ = ["found_by", "limits_of", "search"]

OF_FIT = tuple(
    name
    for name in inspect.signature(Model.fit).parameters
    if name
    not in ("self", "x", "y", "callbacks", "threads", "verbose", "seed", "validation_data", "validation_split", "run")
)
"""The arguments of ``fit`` that a space may name."""


@checked
def search(
    build: Callable[..., Model],
    x: Any,
    y: Any = None,
    space: Any = None,
    *,
    trials: Count | None = None,
    time_limit: Annotated[float, In("(0, inf)")] | None = None,
    metric: str = "val_loss",
    mode: str = "auto",
    cv: Annotated[int, In("[2, inf)")] | None = None,
    validation: Annotated[float, In("(0, 1)")] = 0.2,
    validation_data: Any = None,
    sampler: Any = "tpe",
    pruner: Any = "halving",
    storage: str | os.PathLike[str] | Any = None,
    name: str = "search",
    seed: Annotated[int, In("[0, 4294967296)")] = 0,
    callbacks: CallbackMaker = None,
    threads: Count | None = None,
    verbose: bool | int | str = "auto",
    run: str | Run | None = None,
    **arguments: Any,
) -> SearchResult:
    """Try values one after the other, each chosen by what is known of those before, and as many at once as cores.

    Each trial trains a new model from its own seed on one thread; it counts with the best epoch that it had, whose
    weights its model has in the end.

    Arguments:
        build: makes a compiled model from values of the space: ``build(units=64, rate=0.01)``.
        x, y: as for ``fit``.
        space: name -> ``tuning.Float``, ``tuning.Int``, ``tuning.Choice`` or a list of values; names of ``build``'s
            arguments, or of ``fit``'s, as ``batch_size``. Or a function of a trial of Optuna's that returns name ->
            value, for choices that depend on each other.
        trials: how many, those of earlier calls and of other machines with the same ``storage`` among them.
        time_limit: seconds after which no trial begins and those that run end.
        metric, mode: a name of the logs, and whether "max" or "min" is better.
        cv: each trial trains so many folds and counts with their mean; the model is then trained on all rows.
        validation: the share of the rows that trials are judged by: drawn, with each class's share.
        validation_data: such rows, as for ``fit``.
        sampler: "tpe", "random", "grid" or "cmaes", or one of Optuna's.
        pruner: what ends hopeless trials early: "halving", "hyperband", "median", None, or one of Optuna's.
        storage: a file (.log, .journal, .db, .sqlite) or the URL of a database. A search that was ended goes on from
            there; any number of processes and machines may search in one. In memory unless given.
        name: of the search in the storage.
        seed: of everything. The same trial has the same bits wherever it runs; which values are tried may depend on
            which trials ended first, except with "random" and "grid" without a pruner, or on one thread.
        callbacks: a function that makes the callbacks of one fit.
        threads: of all trials together.
        run: record the search in a run: its settings, each trial as it ends, the best model.
        arguments: of ``fit``: ``epochs``, ``batch_size`` ...

    Ctrl-C ends the trials that run and returns what there is.

    Raises: MissingPackageError without Optuna; NameNotFoundError for a name of the space that nobody takes;
        ArgumentError, DataError before anything runs; ArgumentError if every trial failed; StorageError.

    Example: ``search(build, x, y, {"units": Int(16, 256, log=True)}, trials=30, epochs=20).model.save("best.thalweg")``
    """
    began = time.perf_counter()
    optuna()
    check_callbacks(callbacks)
    _require_own(arguments)
    own = parameters(build)
    known = Space(space, None if own is None else [*own, *OF_FIT], "arguments of build and of fit")
    limits = limits_of("search", known, trials, time_limit, sampler)
    rows = _Rows(x, y, arguments.pop("sample_weight", None), validation_data, validation, cv, seed)

    def made(values: Values, own_seed: int) -> tuple[Model, dict[str, Any]]:
        """The model of a trial and its own arguments of ``fit``."""
        for_fit = {key: value for key, value in values.items() if key in OF_FIT and (own is None or key not in own)}
        for_build = {key: value for key, value in values.items() if key not in for_fit}
        with _BUILDING, config.seeded(own_seed):
            (model,) = built("search", lambda: build(**for_build), 1)
        return model, {**arguments, **for_fit, "seed": own_seed}

    def trained(
        values: Values, own_seed: int, given: Mapping[str, Any], watch: Callable[[], list[Callback]], count: int
    ) -> Model:
        model, own_arguments = made(values, own_seed)
        watchers = [*(callbacks() if callbacks is not None else ()), *watch()]
        model.fit(**{"diagnose": False, **own_arguments, **given}, callbacks=watchers, threads=count, verbose=0)
        return model

    def course(values: Values, own_seed: int, watch: Callable[[], list[Callback]], count: int) -> Model | None:
        models = [trained(values, own_seed, given, watch, count) for given in rows.fits]
        return None if cv else models[-1]

    rises = _rises(lambda values: made(values, seed)[0], known, metric, mode)
    epochs = arguments.get("epochs", 1)
    pruning = Pruning(pruner, epochs if isinstance(epochs, int) else 1)
    plan = Plan(known, metric, rises, sampler, pruning, seed, course, cv or 1)
    told = {"space": str(known), "metric": metric, "seed": str(seed)}

    def again(values: Values, own_seed: int, owner: Run | None) -> Model:
        """The best model once more, where no trial of this process has left it; with folds on all rows."""
        watch: list[Callback] = [] if cv else [keeper(metric, rises)]
        given = {**(rows.everything if cv else rows.fits[0]), "run": owner}
        return trained(values, own_seed, given, lambda: watch, cores.wanted(threads))

    return found_by(plan, storage, name, told, limits, cores.wanted(threads), verbose, again, began, run)


_BUILDING = threading.Lock()
"""Seeds of new models are a setting of the whole process."""


class _Rows:
    """The rows of a trial: trained on and judged by, or those of each fold; taken once for all trials.

    Attributes:
        fits: the arguments of ``fit`` that are its data, for each fit of a trial.
        everything: those for a fit on all rows.
    """

    def __init__(self, x: Any, y: Any, weight: Any, judged_by: Any, share: float, folds: int | None, seed: int) -> None:
        self.everything: dict[str, Any] = {"x": x, "y": y}
        if weight is not None:
            self.everything["sample_weight"] = weight
        if judged_by is not None:
            if folds:
                raise ArgumentError(
                    "search: arguments 'cv' and 'validation_data' are given both",
                    expected="folds of the rows, or other rows to judge by",
                    got=f"cv={folds} and validation_data",
                    fix="leave one out",
                )
            self.fits = [{**self.everything, "validation_data": judged_by}]
            return
        count = common_rows((x, y))
        weight = splits.per_row(weight, count, "sample_weight")
        if folds:
            pairs = dealt(y, count, folds, "auto", None, 1, seed)
        else:
            held = max(1, round(count * share))
            if held >= count:
                raise DataError(
                    "search: there are too few rows",
                    expected="at least 1 row to train on and 1 to judge by",
                    got=f"{count} rows",
                    fix="pass more rows, or validation_data",
                )
            pairs = dealt(y, count, round(count / held), "auto", None, 1, seed)[:1]
        self.fits = [rows_of_fold(x, y, weight, pair, judged=True) for pair in pairs]


def limits_of(owner: str, space: Space, trials: int | None, seconds: float | None, sampler: Any) -> Limits:
    """How long a search lasts; a grid no longer than it has places. Raises ArgumentError if it would have no end."""
    if sampler == "grid":
        trials = min(trials or space.places(), space.places())
    if trials is None and seconds is None:
        raise ArgumentError(
            f"{owner}: nothing says when it ends",
            expected="trials or time_limit, or both",
            got="neither",
            fix="pass for example trials=30",
        )
    return Limits(trials, seconds)


def _require_own(arguments: Mapping[str, Any]) -> None:
    """Raise for arguments of ``fit`` that are the search's own, or of nobody."""
    for name in ("validation_split", "initial_epoch"):
        if name in arguments:
            raise ArgumentError(
                f"search: {name} is none of its arguments",
                expected="validation, a share of the rows, which are drawn" if name == "validation_split" else "epochs",
                got=f"{name}={arguments[name]!r:.40}",
                fix="pass validation=0.2 instead" if name == "validation_split" else f"leave {name} out",
            )
    for name in arguments:
        if name not in OF_FIT and name != "sample_weight":
            raise NameNotFoundError(
                f"search: neither it nor fit has an argument {name!r}",
                expected=", ".join(OF_FIT),
                got=name,
                fix=did_you_mean(name, OF_FIT),
            )


def _rises(make: Callable[[Values], Model], space: Space, metric: str, mode: str) -> bool:
    """Whether more of the metric is better. Raises ArgumentError where only a user can know."""
    check_value("search", "mode", Annotated[str, OneOf("auto", "min", "max")], mode)
    if mode != "auto":
        return mode == "max"
    name = metric.removeprefix("val_")
    if name == "loss":
        return False
    with quiet():
        tried = optuna().create_study(sampler=optuna(".samplers").RandomSampler(seed=0)).ask()
        rises = make(space.suggest(tried)).metric_rises(name)
    if rises is None:
        raise ArgumentError(
            f"search: whether more or less of {metric!r} is better is not known",
            expected="mode='max' or mode='min' for a metric that does not say it itself",
            got="mode='auto'",
            fix="pass mode='max' if larger is better, else mode='min'; or another metric",
        )
    return rises


def found_by(
    plan: Plan,
    storage: Any,
    name: str,
    told: dict[str, str],
    limits: Limits,
    threads: int,
    verbose: Any,
    again: Callable[[Values, int, Run | None], Model],
    began: float,
    run: str | Run | None,
) -> SearchResult:
    """Run a search, and make of it what users get.

    Arguments:
        again: trains the model of these values and this seed, in a run.
        began: when the call did, for its costs.
        run: to record all of it in; a new one keeps the model.
    """
    settings = {**told, "mode": "max" if plan.rises else "min", "sampler": _named(plan.sampler), **vars(limits)}
    with quiet(), contextlib.ExitStack() as stack:
        kept_at = storage_at(storage)
        study = open_study(kept_at, name, plan.rises, told)
        study.pruner = plan.pruning.pruner
        if plan.first is not None:
            study.enqueue_trial(plan.space.kept(plan.first), skip_if_exists=True)
        owner = stack.enter_context(together(run, "search", settings))
        hunt = Hunt(plan, study, kept_at, storage is not None, limits, threads, verbose, owner)
        hunt.run()
        kept = study.best_trial
        model = hunt.models.get(kept.number)
        if model is None:
            values = plan.space.suggest(optuna(".trial").FixedTrial(kept.params))
            model = again(values, plan.seed_of(origin(kept)), owner)
        seconds = time.perf_counter() - began
        best, trials = trial_of(kept, plan.space), tuple(hunt.found())
        if owner is not None:
            owner.settings(best=best.values, **{BEST: best.number})
            owner.result(**{f"best_{plan.metric}": best.value, "trials": len(trials)})
            if hunt.interrupted:
                owner.stopped(USER)
            if owner is not run:
                owner.keep(MODEL, model.save)
                owner.flush()  # before anybody trains on
        return SearchResult(model, best, trials, plan.metric, plan.rises, seconds, study)


def _named(sampler: Any) -> str:
    return sampler if isinstance(sampler, str) else type(sampler).__name__
