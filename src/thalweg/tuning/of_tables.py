"""``tune_table``: which settings make the best network for a table."""

from __future__ import annotations

import os
import time as clock
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from thalweg import cores
from thalweg.checks import Count, In, checked
from thalweg.executors.executor import Executor
from thalweg.model import Model
from thalweg.record.run import Run
from thalweg.tables import recipe
from thalweg.tables.settings import Settings
from thalweg.tables.training import known_of, train
from thalweg.training.callbacks import Callback
from thalweg.tuning.found import SearchResult
from thalweg.tuning.hunt import Plan
from thalweg.tuning.searching import found_by, limits_of
from thalweg.tuning.space import Choice, Float, Range, Space, Values
from thalweg.tuning.studies import Pruning, optuna

__all__ = ["SPACE", "tune_table"]

SPACE: dict[str, Range] = {
    "learning_rate": Float(0.01, 0.3, log=True),
    "wave_deviation": Float(0.05, 10, log=True),
    "dropout": Choice([0.0, 0.15, 0.3]),
    "units": Choice([(64, 64), (128, 128), (256, 256), (128, 128, 128), (256, 256, 256)]),
    "weight_decay": Choice([0.0, 0.02]),
}
"""What is searched unless something else is said.

Source: Holzmüller et al. (2024), arXiv:2407.04491, the search space of RealMLP. Differs: narrower layers.
"""

OF_SETTINGS = tuple(name for name in Settings.__annotations__ if name not in ("epochs", "members"))


@checked
def tune_table(
    data: Any,
    target: str | Sequence[str],
    space: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]] | None = None,
    *,
    trials: Count | None = None,
    time_limit: Annotated[float, In("(0, inf)")] | None = None,
    sampler: Any = "tpe",
    pruner: Any = "halving",
    storage: str | os.PathLike[str] | Any = None,
    name: str = "tune",
    categorical: Sequence[str] = (),
    numeric: Sequence[str] = (),
    dates: Sequence[str] = (),
    ignore: Sequence[str] = (),
    task: str | None = None,
    validation: Any = 0.2,
    group: str | None = None,
    time: str | None = None,
    epochs: Count | None = None,
    members: Count | None = None,
    seed: Annotated[int, In("[0, 4294967296)")] = 0,
    threads: Count | None = None,
    verbose: bool | int | str = "auto",
    executor: Executor | str | None = None,
    run: str | Run | None = None,
) -> SearchResult:
    """Search the settings of ``train_table``, judging each by one network; then train with the best.

    The settings that ``train_table`` has by itself are tried first, and to their end: what is chosen scored no worse on
    the rows that trials are judged by.

    Arguments:
        data, target, categorical ... members: as for ``train_table``. Trials have one network each; the model in the
            end has ``members``.
        space: some of ``tables.Settings``: name -> ``tuning.Float``, ``tuning.Int``, ``tuning.Choice`` or a list;
            learning rate, waves, dropout, layers and weight decay unless given.
        executor: of all trials, and of the training in the end.
        trials, time_limit, sampler, pruner, storage, name, run: as for ``thalweg.search``; the last training comes
            after the time limit.

    Returns: as ``thalweg.search``; ``model`` is a TableModel.

    Raises: what ``thalweg.search`` and ``train_table`` raise.

    Example: ``tune_table("houses.csv", "price", trials=30).model.save("houses.thalweg")``
    """
    began = clock.perf_counter()
    optuna()
    known_space = Space(SPACE if space is None else space, OF_SETTINGS, "settings of a table's network")
    limits = limits_of("tune_table", known_space, trials, time_limit, sampler)
    words = (categorical, numeric, dates, ignore)
    known = known_of(data, target, words, task, validation, group, time, seed, verbose)
    rows, classes = len(known.parts[0].train), known.schema.is_of_classes

    def planned(values: Mapping[str, Any]) -> recipe.Plan:
        return recipe.plan(known.schema, rows, Settings.of(values, epochs, 1))

    usual = planned({})
    given = known.given(usual)(0)

    def course(values: Values, own_seed: int, watch: Callable[[], list[Callback]], count: int) -> Model | None:
        plan = planned(values)
        rows_given = given if plan.batch_size == usual.batch_size else known.given(plan)(0)
        watchers = [*plan.callbacks(True), *watch()]
        plan.build(own_seed).fit(
            executor=executor,
            **rows_given,
            batch_size=plan.batch_size,
            epochs=plan.epochs,
            seed=own_seed,
            callbacks=watchers,
            threads=count,
            verbose=0,
            diagnose=False,
        )
        return None

    def again(values: Values, _: int, owner: Run | None) -> Model:
        arguments: dict[str, Any] = {
            "categorical": categorical,
            "numeric": numeric,
            "dates": dates,
            "ignore": ignore,
            "task": task,
            "executor": executor,
        }
        dealt: dict[str, Any] = {"validation": validation, "group": group, "time": time, "seed": seed}
        size: dict[str, Any] = {"epochs": epochs, "members": members, "settings": values, "threads": threads}
        return train(known.table, target, **arguments, **dealt, **size, verbose=0, run=owner)

    metric = "val_accuracy" if classes else "val_loss"
    pruning = Pruning(pruner, usual.epochs)
    first = known_space.among(vars(recipe.usual(known.schema)))
    plan = Plan(known_space, metric, classes, sampler, pruning, seed, course, first=first)
    told = {"space": str(known_space), "metric": metric, "seed": str(seed), "target": str(target)}
    return found_by(plan, storage, name, told, limits, cores.wanted(threads), verbose, again, began, run)
