"""Many settings on one task: which optimizer, which learning rate."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from thalweg import config, cores, optimizers
from thalweg.checks import checked
from thalweg.errors import ArgumentError
from thalweg.evaluation.curves import draw
from thalweg.evaluation.population import CallbackMaker, Job, built, check_independent, run_jobs
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.record.history import History
from thalweg.table import Table, Tabular
from thalweg.training.handle import OptimizerHandle


@dataclass(frozen=True)
class Comparison(Tabular):
    """What ``compare`` found, by the name of the setting.

    Attributes:
        histories, models: of each setting. One that diverged has the epochs before that, and ``stopped_by`` says so.
    """

    histories: dict[str, History]
    models: dict[str, Model]

    @property
    def ranking(self) -> list[str]:
        """The settings, that of the lowest last loss first: the validation's where there is one; diverged ones last."""

        def key(name: str) -> tuple[bool, float]:
            history = self.histories[name]
            values = history.history.get("val_loss") or history.history.get("loss") or [np.inf]
            return history.stopped_by == "non-finite loss", values[-1]

        return sorted(self.histories, key=key)

    @property
    def best(self) -> str:
        """The first of the ranking."""
        return self.ranking[0]

    def table(self) -> Table:
        columns = list(dict.fromkeys(name for h in self.histories.values() for name in _numbers(h)))
        rows = []
        for name in self.ranking:
            history = self.histories[name]
            values = _numbers(history)
            cells = [f"{values[column]:.4g}" if column in values else "" for column in columns]
            rows.append([name, str(len(history.epoch)), *cells, history.stopped_by or ""])
        return Table("after the last epoch, best first", ["setting", "epochs", *columns, "stopped by"], rows)

    def plot(self, metric: str = "loss", ax: Any = None) -> Any:
        """Draw the settings' curves of a metric, those of the validation solid; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib; NameNotFoundError for a metric that is not in the histories.
        """
        return draw(self.histories, metric, ax)


def _numbers(history: History) -> dict[str, float]:
    """The values of the last epoch, without arrays."""
    last = {name: values[-1] for name, values in history.history.items() if values}
    return {name: value for name, value in last.items() if not isinstance(value, np.ndarray)}


@checked
def compare(
    build: Callable[[], Model] | Mapping[str, Callable[[], Model]],
    x: Any,
    y: Any,
    *,
    optimizers: Any = None,
    learning_rates: Iterable[float] | float | None = None,
    seed: int = 0,
    callbacks: CallbackMaker = None,
    threads: int | None = None,
    verbose: bool | int | str = "auto",
    **arguments: Any,
) -> Comparison:
    """Train one network with each optimizer and learning rate, all at once; from the same weights, in the same order.

    A setting that diverges is part of the result, not an error.

    Arguments:
        build: makes a compiled model; or several such functions by their names, to compare networks.
        optimizers: names or objects, or a mapping from the names that they should have; the model's own unless given.
        learning_rates: each for every optimizer; their own unless given.
        seed: of weights, order and dropout of every setting.
        callbacks: a function that makes the callbacks of one fit.
        threads: of all fits together.
        arguments: of ``fit``: ``epochs``, ``validation_split`` ...

    Raises: what ``fit`` raises, before anything runs; ArgumentError for two settings of one name.
    """
    builds = dict(build) if isinstance(build, Mapping) else {"": build}
    models: dict[str, Model] = {}
    for network, make in builds.items():
        for words, optimizer, rate in _settings(optimizers, learning_rates):
            with config.seeded(seed):
                (model,) = built("compare", make, 1)
            set_optimizer(model, optimizer, rate)
            name = " ".join(filter(None, (network, *words))) or "model"
            if name in models:
                raise ArgumentError(
                    f"compare: two settings are called {name!r}",
                    expected="different optimizers and rates",
                    got=f"{name!r} twice",
                    fix="pass optimizers as a mapping with a name for each",
                )
            models[name] = model
    check_independent("compare", list(models.values()))
    jobs = [Job(model, {"x": x, "y": y, **arguments}) for model in models.values()]
    run_jobs(jobs, callbacks, cores.wanted(threads), verbose, "settings")
    histories = {}
    for name, model in models.items():
        assert model.history is not None, "every job leaves a history"
        histories[name] = model.history
    return Comparison(histories, models)


def _settings(given: Any, rates: Iterable[float] | float | None) -> list[tuple[list[str], Any, float | None]]:
    """(words for its name, optimizer or None for the model's, rate or None for its own) of each setting."""
    if given is None:
        named: list[tuple[str, Any]] = [("", None)]
    elif isinstance(given, Mapping):
        named = list(given.items())
    else:
        several = [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
        named = [(one if isinstance(one, str) else _name(one), one) for one in several]
    chosen: list[float | None] = list(rates) if isinstance(rates, Iterable) else [rates]
    if not named or not chosen:
        raise ArgumentError(
            "compare: there is nothing to compare",
            expected="at least one optimizer and one rate",
            got=f"optimizers={given!r}, learning_rates={rates!r}",
            fix="pass for example optimizers=['sgd', 'adam'], learning_rates=[0.01, 0.001]",
        )
    return [
        ([word, "" if rate is None else f"{rate:g}"], optimizer, rate) for word, optimizer in named for rate in chosen
    ]


def _name(optimizer: Any) -> str:
    return optimizers.registry.name_of(optimizers.get(optimizer))


def set_optimizer(model: Model, optimizer: Any, rate: float | None) -> None:
    """Compile the model again with this optimizer, at this rate; None: its own, as it was compiled."""
    if optimizer is None and rate is None:
        return
    compiled = model.runner.require_compiled("compare")
    rule = compiled.rule if optimizer is None else optimizers.get(optimizer)
    rule = rule.rule if isinstance(rule, OptimizerHandle) else rule
    if rate is not None:
        rule = dataclasses.replace(rule, learning_rate=rate)
    model.compile(rule, **compiled.arguments)
