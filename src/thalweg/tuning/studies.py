"""Optuna's part of a search: where trials are kept, which one is tried next, which ones are not worth going on with."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from thalweg.errors import ArgumentError, StorageError
from thalweg.extras import needed
from thalweg.tuning.space import Space

__all__ = [
    "SAMPLERS",
    "Pruning",
    "open_study",
    "optuna",
    "quiet",
    "sampler_for",
    "storage_at",
    "unwritable",
    "unwritable_is_said",
]

SAMPLERS = ("tpe", "random", "grid", "cmaes")
PRUNERS = ("halving", "hyperband", "median")

FACTOR = 3
"""Of the trials that come as far as this many epochs one in so many goes on."""

RUNGS = 3
"""How often a trial that lasts to its end is looked at before."""

TRIES = 5
"""To make the tables of a database, in which another process may be just now."""

TOLD = "thalweg"
"""The attribute of a study that says what it searches."""

JOURNAL = (".log", ".journal", ".jsonl")
DATABASE = (".db", ".sqlite", ".sqlite3")
"""Endings of files that a study may be kept in."""


def optuna(part: str = "") -> Any:
    """The package, or a module of it. Raises MissingPackageError."""
    return needed(
        f"optuna{part}",
        "a search needs Optuna, which is not installed",
        expected="the package optuna",
        fix="pip install 'thalweg[search]'",
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, Optuna logs nothing but warnings: what happens is shown by the search's own line."""
    logging = optuna(".logging")
    before = logging.get_verbosity()
    logging.set_verbosity(max(before, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=optuna(".exceptions").ExperimentalWarning)
            yield
    finally:
        logging.set_verbosity(before)


def storage_at(place: Any) -> Any:
    """Optuna's storage: in memory for None; a journal or an SQLite file by a path; any database by its URL.

    Raises: StorageError or ArgumentError naming the place.
    """
    storages = optuna(".storages")
    if place is None:
        return storages.InMemoryStorage()
    if isinstance(place, storages.BaseStorage):
        return place
    text = os.fspath(place) if isinstance(place, str | os.PathLike) else ""
    ending = os.path.splitext(text)[1].lower()
    if "://" not in text and ending not in JOURNAL + DATABASE:
        raise ArgumentError(
            "the storage is neither a file nor a database",
            expected=f"a path that ends in {', '.join(JOURNAL + DATABASE)}, or a URL as mysql://user:word@host/name",
            got=f"{place!r:.80}",
            fix="pass for example storage='search.log', which several machines can share on a network drive",
        )
    try:
        if ending in JOURNAL and "://" not in text:
            backend = optuna(".storages.journal").JournalFileBackend(text)
            return storages.JournalStorage(backend)
        url = text if "://" in text else f"sqlite:///{text}"
        return _database(url)
    except Exception as error:  # of SQLAlchemy, of its drivers, of the system: all say that it cannot be opened
        raise StorageError(
            f"the storage {text!r} cannot be opened",
            expected="a file that may be written, with trials of Optuna if there is one; or a database that answers",
            got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason'}",
            fix="look at the path or the URL; a damaged file has to be moved away, a driver to be installed",
        ) from error


def _database(url: str) -> Any:
    """A storage in a database. Processes that begin at the same time both make its tables: one of them tries again."""
    # SQLite answers "locked" at once unless it is told to wait for those who write.
    patience = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    for attempt in range(TRIES):
        try:
            return optuna(".storages").RDBStorage(url, engine_kwargs=patience)
        except Exception as error:
            if attempt + 1 == TRIES or not any(word in str(error) for word in ("already exists", "locked", "UNIQUE")):
                raise
            time.sleep(0.2 * 2**attempt)
    raise AssertionError("the last attempt returns or raises")


def open_study(storage: Any, name: str, rises: bool, told: dict[str, str]) -> Any:
    """The study of this name in a storage of Optuna's, or a new one.

    Arguments:
        rises: whether larger values are better.
        told: what is searched, in words; kept with the study.

    Raises: ArgumentError if the study that is there searches something else; StorageError.
    """
    module = optuna()
    direction = "maximize" if rises else "minimize"
    try:
        study = module.create_study(storage=storage, study_name=name, load_if_exists=True, direction=direction)
        before = study.user_attrs.get(TOLD)
        if before is None:
            study.set_user_attr(TOLD, told)
    except OSError as error:
        raise StorageError(
            "the storage cannot be used",
            expected="a file that may be read and written",
            got=error.strerror or str(error),
            fix="choose another file",
        ) from error
    found = dict(before or told, direction=study.direction.name.lower())
    for key, value in {**told, "direction": direction}.items():
        if found.get(key) != value:
            raise ArgumentError(
                f"the storage has a search called {name!r} already, for something else",
                expected=f"{key}: {found.get(key)}",
                got=f"{key}: {value}",
                fix="choose another name=, or another storage",
            )
    return study


def unwritable(error: BaseException) -> StorageError | None:
    """The error that a user gets in place of one of the storage; None if it is none."""
    if not isinstance(error, OSError | optuna(".exceptions").StorageInternalError) or isinstance(error, StorageError):
        return None
    return StorageError(
        "the search's storage cannot be written any more",
        expected="a file or a database that takes a line for each trial",
        got=getattr(error, "strerror", None) or f"{type(error).__name__}: {error}",
        fix="make room, or mend what is wrong there, and call the search again: it goes on with what the storage has",
    )


@contextmanager
def unwritable_is_said() -> Iterator[None]:
    """Inside, what cannot be written is said, and no error: there is one already."""
    try:
        yield
    except Exception as error:
        if unwritable(error) is None:
            raise
        warnings.warn(f"trials could not be given back: {error}", UserWarning)


def sampler_for(kind: Any, space: Space, seed: int, number: int) -> Any:
    """What chooses the values of one trial: the same for the same seed and number, if it knows the same trials.

    Made anew for each trial, so that machines that share a study do not all begin with the same values.

    Raises: ArgumentError for an unknown kind; MissingPackageError for one that needs another package.
    """
    samplers = optuna(".samplers")
    if isinstance(kind, samplers.BaseSampler):
        return kind
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    if kind == "tpe":
        return samplers.TPESampler(seed=own, constant_liar=True)
    if kind == "random":
        return samplers.RandomSampler(seed=own)
    if kind == "grid":
        return _grid(space.grid(), seed, number)
    if kind == "cmaes":
        needed(
            "cmaes",
            "the sampler 'cmaes' needs a package that is not installed",
            expected="the package cmaes",
            fix="pip install 'thalweg[search]'",
        )
        return samplers.CmaEsSampler(seed=own, warn_independent_sampling=False)
    raise _unknown("sampler", kind, SAMPLERS)


def _grid(points: Mapping[str, Sequence[Any]], seed: int, place: int) -> Any:
    """What gives a trial the values of one place of the grid, in an order drawn by the seed."""
    sizes = [len(one) for one in points.values()]
    order = np.random.default_rng(seed).permutation(math.prod(sizes))
    chosen = np.unravel_index(order[place % len(order)], sizes)
    values = {name: one[int(at)] for (name, one), at in zip(points.items(), chosen, strict=True)}

    class Grid(optuna(".samplers").BaseSampler):  # type: ignore[misc]
        """Optuna's own gives two machines that ask at the same time the same place."""

        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            return {}

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            return {}

        def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
            return values[name]

    return Grid()


class Pruning:
    """Which trials end early, and after which epochs they are looked at.

    Arguments:
        kind: "halving": of the trials that come as far as 1/27 of the epochs the best third goes on, and so at 1/9 and
            at 1/3 (asynchronous successive halving). "hyperband": the same in several brackets, some of which spare
            slow starters. "median": each epoch, what is behind the median of the trials before. None: every trial runs
            to its end. Or a pruner of Optuna's.
        epochs: of a whole trial.

    Source: Li et al. (2018), arXiv:1810.05934 (halving); Li et al. (2016), arXiv:1603.06560 (Hyperband).
    """

    def __init__(self, kind: Any, epochs: int) -> None:
        self._rungs = kind in ("halving", "hyperband")
        self._first = max(1, epochs // FACTOR**RUNGS)
        self.pruner = self._made(kind, epochs)
        self.ends_early: bool = kind is not None

    def _made(self, kind: Any, epochs: int) -> Any:
        pruners = optuna(".pruners")
        if isinstance(kind, pruners.BasePruner):
            return kind
        if kind is None:
            return pruners.NopPruner()
        if kind == "halving":
            return pruners.SuccessiveHalvingPruner(min_resource=self._first, reduction_factor=FACTOR)
        if kind == "hyperband":
            return pruners.HyperbandPruner(self._first, max(epochs, self._first), FACTOR)
        if kind == "median":
            return pruners.MedianPruner()
        raise _unknown("pruner", kind, (*PRUNERS, None))

    def looks(self, done: int) -> bool:
        """Whether a trial is looked at after so many epochs: every look is written to the storage, which takes time."""
        if not self._rungs:
            return self.ends_early
        rung = self._first
        while rung < done:
            rung *= FACTOR
        return bool(rung == done)


def _unknown(what: str, given: Any, known: tuple[Any, ...]) -> ArgumentError:
    return ArgumentError(
        f"search: argument {what!r} does not fit its rule",
        expected=f"{', '.join(map(repr, known))}, or a {what} of Optuna's",
        got=f"{given!r:.80}",
        fix=f"pass {what}={known[0]!r}",
    )
