"""Many networks trained at once, one on each core: at full speed, because nothing has to be shared or waited for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any

from thalweg import cores
from thalweg.checks import check_value, checked
from thalweg.cores import AtMost
from thalweg.errors import ArgumentError, NonFiniteError
from thalweg.fields import dataclass
from thalweg.layers.symbols import InputLayer
from thalweg.model import Model
from thalweg.processes.job import current, say
from thalweg.record.events import EpochEnded, Event, Resumed
from thalweg.record.history import History
from thalweg.training.backup import BackupAndRestore
from thalweg.training.callbacks import Callback
from thalweg.training.interrupt import Interrupt, interruptible, sharing
from thalweg.training.progress import Counter, check_verbose

LOOK_SECONDS = 0.05
"""How often the progress line and Ctrl-C are looked at."""

CallbackMaker = Callable[[], Iterable[Callback]] | None


@dataclass(frozen=True)
class Job:
    """A model and the arguments of its ``fit``.

    Arguments:
        rows: makes further arguments when the model's turn comes, so that not all folds' rows are there at once.
        callbacks: makes callbacks of this job alone.
    """

    model: Model
    arguments: Mapping[str, Any]
    rows: Callable[[], Mapping[str, Any]] = dict
    callbacks: CallbackMaker = None

    @property
    def epochs(self) -> int:
        """How many epochs the job asks for; 1 where that is not said."""
        first, last = self.arguments.get("initial_epoch", 0), self.arguments.get("epochs", 1)
        return max(last - first, 0) if isinstance(first, int) and isinstance(last, int) else 1


class _EpochCounter(Callback):
    def __init__(self) -> None:
        self.epochs = 0

    def hear(self, event: Event) -> None:
        if isinstance(event, Resumed):
            self.epochs = event.epoch
        elif isinstance(event, EpochEnded):
            self.epochs += 1


@checked
def fit_many(
    models: Sequence[Model],
    x: Any = None,
    y: Any = None,
    *,
    each: Sequence[Mapping[str, Any]] | None = None,
    callbacks: CallbackMaker = None,
    backup: BackupAndRestore | None = None,
    threads: int | None = None,
    verbose: bool | int | str = "auto",
    **arguments: Any,
) -> list[History]:
    """Train independent networks at once, one per core. Each ends with the same bits as ``fit`` alone gives it.

    Ctrl-C ends all after the steps that run; every History then has ``stopped_by == "user"``.

    Arguments:
        models: compiled; no two may share a layer.
        x, y, and all other keywords: arguments of ``fit`` for all models; ``diagnose`` is False unless given.
        each: for each model the arguments that are its own, as ``[{"batch_size": 32}, {"batch_size": 64}]``.
        callbacks: a function that makes the callbacks of one model, because callbacks remember what they saw.
        backup: as ``BackupAndRestore("backup", "30s")``: when the same program runs again after it was killed, each
            model goes on where it was, and none that was finished is trained again.
        threads: of all networks together; one for each core unless given or set in ``THALWEG_THREADS``.

    Raises: what ``fit`` raises for one of them, after the others have ended; ArgumentError if models share layers.
    """
    jobs = _jobs(models, each, {"x": x, "y": y, **arguments})
    outcomes = run_jobs(jobs, callbacks, cores.wanted(threads), verbose, backup=backup)
    histories = []
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
        histories.append(outcome)
    return histories


def run_jobs(
    jobs: Sequence[Job],
    callbacks: CallbackMaker,
    threads: int,
    verbose: bool | int | str,
    what: str = "networks",
    backup: BackupAndRestore | None = None,
) -> list[History | NonFiniteError]:
    """The history of each, or the error that says where its numbers were not finite any more.

    A backup is of all of them together, and deleted (if it is to be) when all have ended.

    As many at a time as there are threads, on one thread each; the last ones, if they are fewer, share the threads out.
    Raises: the first other error of a job.
    """
    check_callbacks(callbacks)
    counters = [_EpochCounter() for _ in jobs]
    progress = Counter(check_verbose(verbose), f"Train {len(jobs)} {what}", sum(job.epochs for job in jobs))
    width = max(1, min(threads, len(jobs))) if current().count == 1 else 1  # several processes do all in one order
    together = len(jobs) - len(jobs) % width
    rest = len(jobs) - together
    futures: list[Future[History | NonFiniteError]] = []

    def watch(interrupt: Interrupt) -> None:
        """Until all are done; an error ends the others too."""
        pending = set(futures)
        while pending:
            done, pending = wait(pending, LOOK_SECONDS, FIRST_EXCEPTION)
            if any(future.exception() for future in done):
                interrupt.requested = True
            progress.update(sum(counter.epochs for counter in counters))

    with interruptible() as interrupt, ThreadPoolExecutor(width, "thalweg-fit") as pool:

        def start(number: int, own_threads: int) -> None:
            def work() -> History | NonFiniteError:
                own = [counters[number], *([] if backup is None else [backup.part(number)])]
                return _run(jobs[number], callbacks, own, own_threads, interrupt)

            futures.append(pool.submit(sharing, interrupt, work))

        try:
            for number in range(together):
                start(number, AtMost(threads // width))
            watch(interrupt)
            for number in range(together, len(jobs)):
                start(number, AtMost(threads // rest))
            watch(interrupt)
        except BaseException:  # the second Ctrl-C: the pool's end waits only for the steps that run
            interrupt.requested = True
            raise
        finally:
            progress.finish({})
            if interrupt.requested and not any(future.done() and future.exception() for future in futures):
                kept = "models and histories are kept as they are"
                say(f"Stopped by Ctrl-C while {len(jobs)} {what} were trained; {kept}.", file=sys.stderr)
    outcomes = [future.result() for future in futures]
    if backup is not None and backup.delete_checkpoint and not interrupt.requested:
        backup.clear()
    return outcomes


def _run(
    job: Job, callbacks: CallbackMaker, own: Sequence[Callback], threads: int, interrupt: Interrupt
) -> History | NonFiniteError:
    if current().agreed("Ctrl-C", interrupt.requested):  # before its turn came
        job.model.history = History(stopped_by="user")
        return job.model.history
    made = [one for maker in (callbacks, job.callbacks) if maker is not None for one in _from(maker)]
    watchers = [*made, *own]
    try:
        own_way = {"threads": threads, "verbose": 0, "callbacks": watchers}
        return job.model.fit(**{"diagnose": False, **job.arguments, **job.rows(), **own_way})
    except NonFiniteError as error:
        return error


def _from(maker: Callable[[], Iterable[Callback]]) -> Iterable[Callback]:
    made: Iterable[Callback] = check_value("fit_many", "what callbacks() gives", Iterable[Any], maker())
    return made


def _jobs(models: Sequence[Model], each: Sequence[Mapping[str, Any]] | None, shared: Mapping[str, Any]) -> list[Job]:
    models = list(models)
    if each is not None and len(each) != len(models):
        raise ArgumentError(
            "fit_many: argument 'each' does not fit the models",
            expected=f"{len(models)} mappings, one for each model",
            got=f"{len(each)}",
            fix="pass {} for a model without arguments of its own",
        )
    check_independent("fit_many", models)
    for name in ("x", "validation_data"):
        if hasattr(shared.get(name), "__next__") and len(models) > 1:
            raise ArgumentError(
                f"fit_many: {name} is an iterator, whose batches only one of the models could get",
                expected="arrays, or a function that makes the iterator, which is called for each model",
                got=type(shared[name]).__name__,
                fix=f"pass the function itself, without calling it, or {name} for each model in each",
            )
    own = each if each is not None else [{} for _ in models]
    for arguments in (shared, *own):
        for name in {"threads", "verbose", "callbacks"} & arguments.keys():
            raise ArgumentError(
                f"fit_many: {name} is for all models together",
                expected=f"{name}= as an argument of fit_many",
                got=f"{name!r} in each",
                fix="take it out of each",
            )
    return [Job(model, {**shared, **mine}) for model, mine in zip(models, own, strict=True)]


def built(owner: str, build: Any, count: int) -> list[Model]:
    """So many new models. Raises ArgumentError if ``build`` makes no models, or the same one again."""
    if isinstance(build, Model) or not callable(build):
        raise ArgumentError(
            f"{owner}: build is no function that makes models",
            expected="a function without arguments that makes a new compiled model",
            got=f"{build!r:.80} ({type(build).__name__})",
            fix="put the lines that make and compile the model into a function, and pass that",
        )
    models = [build() for _ in range(count)]
    check_independent(owner, models)
    return models


def check_independent(owner: str, models: Sequence[Model]) -> None:
    """Raise ArgumentError if something is no model, or two models share a layer."""
    owners: dict[int, int] = {}
    for number, model in enumerate(models):
        if not isinstance(model, Model):
            raise ArgumentError(
                f"{owner}: this is no model",
                expected="compiled models",
                got=f"{model!r:.80} ({type(model).__name__})",
                fix="pass models; a function that builds one must return it",
            )
        layers = (layer for layer in model.layers if not isinstance(layer, InputLayer))  # models may share an Input
        for part in (model, *layers):
            if owners.setdefault(id(part), number) != number:
                raise ArgumentError(
                    f"{owner}: two models share weights, so that they cannot be trained independently",
                    expected="models made of layers of their own",
                    got=f"models {owners[id(part)]} and {number} share {getattr(part, 'label', part)!r}",
                    fix="build each with layers of its own, or copy it with copy.deepcopy",
                )


def check_callbacks(callbacks: Any) -> None:
    """Raise ArgumentError for callbacks instead of a function that makes them."""
    if callbacks is not None and (isinstance(callbacks, Callback) or not callable(callbacks)):
        raise ArgumentError(
            "one set of callbacks cannot serve several models: they remember what they saw",
            expected="a function without arguments that makes a list of callbacks",
            got=f"{callbacks!r:.80} ({type(callbacks).__name__})",
            fix="pass for example callbacks=lambda: [EarlyStopping(patience=3)]",
        )
