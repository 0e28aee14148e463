"""Trials side by side: the next one is begun as soon as a core is free, until there were enough."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from thalweg.checks import Count
from thalweg.cores import AtMost
from thalweg.errors import ArgumentError, NonFiniteError, ProcessError, ThalwegError
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.processes.job import current
from thalweg.record.events import Event, Interval
from thalweg.record.run import Run
from thalweg.record.trials import HOW, Trial
from thalweg.training.callbacks import Callback, Logs
from thalweg.training.interrupt import Interrupt, interruptible, sharing
from thalweg.training.monitors import EarlyStopping
from thalweg.training.progress import Counter, check_verbose
from thalweg.tuning.claims import Claims, counted, has_place, origin
from thalweg.tuning.found import is_better, trial_of
from thalweg.tuning.space import Space, Values
from thalweg.tuning.studies import Pruning, optuna, sampler_for, unwritable, unwritable_is_said

__all__ = ["Course", "Hunt", "Limits", "Plan", "Watch", "keeper"]

LOOK_SECONDS = 0.05
"""How often Ctrl-C, the time limit and the other machines are looked at."""

HOPELESS = 5
"""So many failed trials, and none that did not, are no accident."""


@dataclass(frozen=True)
class Limits:
    """How long a search lasts: so many trials, of all machines together; or so many seconds of this one."""

    trials: Count | None
    seconds: float | None


class Watch(Callback):
    """Looks at a trial after every epoch: whether it is the best so far, and whether it is worth going on.

    Arguments:
        ends: when the time of the search is over.

    Attributes:
        best: the best value of an epoch; None before the first.
        why: what has ended it before its last epoch, in a word.
    """

    def __init__(self, metric: str, rises: bool, look: Callable[[float, int], bool], ends: float) -> None:
        self.metric, self.rises, self.ends = metric, rises, ends
        self._look = look
        self.best: float | None = None
        self.epochs = 0
        self.why = ""

    def hear(self, event: Event) -> None:
        """In the middle of an epoch too: when the time of the search is over the trial ends."""
        if isinstance(event, Interval) and time.monotonic() >= self.ends:
            self.why, self.model.stop_training = HOW["time"], True

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = (logs or {}).get(self.metric)
        if not isinstance(value, int | float):
            known = [name for name, one in (logs or {}).items() if isinstance(one, int | float)]
            raise ArgumentError(
                f"search: the metric {self.metric!r} is not measured",
                expected=f"one of {', '.join(known)}",
                got=repr(self.metric),
                fix="pass metric= one of these, or metrics=[...] to compile in build",
            )
        self.epochs += 1
        if is_better(value, self.best, self.rises):
            self.best = float(value)
        if self.best is not None and self._look(self.best, self.epochs):
            self.why, self.model.stop_training = HOW["pruned"], True
        elif time.monotonic() >= self.ends:
            self.why, self.model.stop_training = HOW["time"], True


def keeper(metric: str, rises: bool) -> Callback:
    """What gives a model the weights of its best epoch in the end."""
    return EarlyStopping(metric, patience=sys.maxsize, mode="max" if rises else "min", restore_best_weights=True)


Course = Callable[[Values, int, Callable[[], list[Callback]], int], Model | None]
"""One training of a trial, or one for each fold: of its values, its seed, what makes the callbacks of one fit, and the
number of threads; gives the trained model where there is one.
"""


@dataclass(frozen=True)
class Plan:
    """What is searched.

    Attributes:
        metric, rises: which number of the logs, and whether more of it is better.
        fits: of a trial: 1, or one for each fold.
        first: what is tried before anything else, and to its end, if anything is.
    """

    space: Space
    metric: str
    rises: bool
    sampler: Any
    pruning: Pruning
    seed: int
    course: Course
    fits: int = 1
    first: Values | None = None

    def seed_of(self, number: int) -> int:
        """Of the weights, the shuffling and the dropout of a trial."""
        return int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])


def require_alone() -> None:
    """Raise ProcessError in a job of several processes: which trials there are the clock decides, in each its own."""
    if current().count > 1:
        raise ProcessError(
            "a search makes each trial in one process",
            expected="a program that was started by itself",
            got=f"one of {current().count} processes that train together",
            fix="start it without thalweg launch; with storage= any number of machines search together",
        )


class Hunt:
    """One call of a search.

    Arguments:
        study: Optuna's.
        storage: in which it is.
        shared: whether its trials are kept where others, or a later search, find them.
        threads: of all trials together.
        run: is told of each trial that has ended, whoever made it.

    Attributes:
        models: number -> model of the best trial of this process so far; empty where trials leave none.
    """

    def __init__(
        self,
        plan: Plan,
        study: Any,
        storage: Any,
        shared: bool,
        limits: Limits,
        threads: int,
        verbose: Any,
        run: Run | None = None,
    ) -> None:
        self.plan, self.study, self.limits, self.threads = plan, study, limits, threads
        self.claims = Claims(study, storage, shared)
        self.models: dict[int, Model] = {}
        self.interrupted = False
        self._run = run
        self._recorded: set[int] = set()
        self._best: float | None = None
        self._errors: list[Exception] = []
        self._succeeded = False
        self._lock = threading.Lock()
        self._ends = math.inf
        self._began = time.monotonic()
        steps = limits.trials or math.ceil(limits.seconds or 1)
        self._progress = Counter(check_verbose(verbose), "Search" if limits.trials else "Search, seconds", steps)

    def run(self) -> None:
        """Until there were enough trials, the time is over, or Ctrl-C. Raises the last error if all trials failed;
        ProcessError in a job of several processes.
        """
        require_alone()
        width = max(1, min(self.threads, self.limits.trials or self.threads))
        each = AtMost(max(1, self.threads // width))
        self._ends = math.inf if self.limits.seconds is None else time.monotonic() + self.limits.seconds
        self.claims.recover()
        with interruptible() as interrupt, ThreadPoolExecutor(width, "thalweg-search") as pool:
            running: set[Future[None]] = set()

            def begin() -> None:
                while len(running) < width and (trial := self._next(interrupt)) is not None:
                    running.add(pool.submit(sharing, interrupt, self._work(*trial, each, interrupt)))

            try:
                begin()
                while running or not (self._is_over(interrupt) or self.claims.recover()):
                    done = wait(running, LOOK_SECONDS, FIRST_COMPLETED)[0] if running else set()
                    running -= done
                    for future in done:
                        future.result()
                    with self._lock:  # no trial ends between the look and the word
                        spoken = self.claims.beat()
                    if not running:
                        time.sleep(LOOK_SECONDS)  # other machines may still need help
                    if done or spoken or not running:  # each look at the storage costs time
                        self._progress.update(self._come())
                        self._record()
                        begin()
            except BaseException as error:
                interrupt.requested = True  # the others end with the step that runs
                said = unwritable(error)
                if said is None:
                    raise
                raise said from error
            finally:
                wait(running)
                with unwritable_is_said():
                    self.claims.give_all_back()
                self._progress.finish()
        self._record()
        self.interrupted = interrupt.requested
        if self.interrupted:
            print("Stopped by Ctrl-C: a search with the same storage goes on from here.", file=sys.stderr)
        self._require_success()

    def _next(self, interrupt: Interrupt) -> tuple[Any, Values] | None:
        """A trial and its values; None if no further one is wanted."""
        if self._is_over(interrupt):
            return None
        state = optuna(".trial").TrialState
        if self.limits.trials is not None:
            known = self.study.get_trials(deepcopy=False)
            if sum(counted(one) for one in known if one.state != state.WAITING) >= self.limits.trials:
                return None
        trial = self.claims.next()
        if self.limits.trials is not None and self._is_surplus(trial):
            self.claims.drop(trial)
            return None
        plan = self.plan
        self.study.sampler = sampler_for(plan.sampler, plan.space, plan.seed, self._place(trial))
        return trial, plan.space.suggest(trial)

    def _is_over(self, interrupt: Interrupt) -> bool:
        return interrupt.requested or time.monotonic() >= self._ends or self._is_hopeless()

    def _is_surplus(self, trial: Any) -> bool:
        """Whether another machine asked at the same time, and the trials before this one are enough."""
        waiting = optuna(".trial").TrialState.WAITING
        before = [one for one in self._before(trial.number) if one.state != waiting]
        return sum(map(counted, before)) >= (self.limits.trials or 0)

    def _before(self, number: int) -> list[Any]:
        return [one for one in self.study.get_trials(deepcopy=False) if one.number < number]

    def _place(self, trial: Any) -> int:
        """The how manyth values a trial has: the same for one that repeats another."""
        return sum(map(has_place, self._before(origin(trial))))

    def _come(self) -> int:
        """How many trials have ended, or seconds gone."""
        if self.limits.trials is None:
            return int(time.monotonic() - self._began)
        return sum(one.state.is_finished() and counted(one) for one in self.study.get_trials(deepcopy=False))

    def _work(self, trial: Any, values: Values, threads: int, interrupt: Interrupt) -> Callable[[], None]:
        def work() -> None:
            self._try(trial, values, threads, interrupt)

        return work

    def _try(self, trial: Any, values: Values, threads: int, interrupt: Interrupt) -> None:
        """One trial from its values to its end, which is told to the study."""
        plan, began = self.plan, time.perf_counter()
        watches: list[Watch] = []

        def watch() -> list[Callback]:
            fold = len(watches)

            def look(value: float, epochs: int) -> bool:
                if plan.fits > 1 or values == plan.first or not plan.pruning.looks(epochs):
                    return False
                trial.report(value, epochs)
                return bool(trial.should_prune())

            if fold:
                trial.report(_mean(watches), fold)
            watches.append(Watch(plan.metric, plan.rises, look, self._ends))
            return [watches[-1], keeper(plan.metric, plan.rises)]

        model: Model | None = None
        error: Exception | None = None
        try:
            model = plan.course(values, plan.seed_of(origin(trial)), watch, threads)
        except Exception as raised:
            error = raised
        with self._lock:
            begun = bool(watches) and watches[-1].epochs > 0
            if error is None and (interrupt.requested or not begun):  # nothing is known
                self.claims.give_back(trial)
                return
            self._tell(trial, watches, model, error, time.perf_counter() - began)

    def _tell(self, trial: Any, watches: Sequence[Watch], model: Model | None, error: Any, seconds: float) -> None:
        state = optuna(".trial").TrialState
        epochs = sum(watch.epochs for watch in watches)
        trial.set_user_attr("seconds", round(seconds, 3))
        trial.set_user_attr("epochs", epochs)
        why = next((watch.why for watch in watches if watch.why), "")
        value = _mean(watches)
        if isinstance(error, NonFiniteError):
            why, state_now = HOW["diverged"], state.PRUNED
        elif error is not None:
            self._errors.append(error)
            problem = error.problem if isinstance(error, ThalwegError) else f"{type(error).__name__}: {error}"
            why, state_now = f"{HOW['failed']}: {problem}"[:300], state.FAIL
        elif value is None:  # of a network whose loss is finite, and the metric not
            why, state_now = HOW["diverged"], state.PRUNED
        else:
            state_now = state.PRUNED if why == HOW["pruned"] else state.COMPLETE
        if why:
            trial.set_user_attr("why", why)
        if state_now == state.PRUNED and value is not None and math.isfinite(value):
            reported = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
            if epochs not in reported:
                trial.report(value, epochs)
        self.claims.done(trial)
        self.study.tell(trial, value if state_now == state.COMPLETE else None, state=state_now)
        if state_now != state.FAIL:
            self._succeeded = True
        if state_now == state.COMPLETE and is_better(value, self._best, self.plan.rises):
            self._best, self.models = value, {} if model is None else {trial.number: model}

    def _is_hopeless(self) -> bool:
        return len(self._errors) >= HOPELESS and not self._succeeded

    def _require_success(self) -> None:
        """Raise the last error if there is nothing else; KeyboardInterrupt if that was Ctrl-C's doing."""
        state = optuna(".trial").TrialState
        if any(one.state == state.COMPLETE for one in self.study.get_trials(deepcopy=False)):
            return
        if self.interrupted:
            raise KeyboardInterrupt("search: no trial has come to its end")
        if self._errors:
            last = self._errors[-1]
            raise ArgumentError(
                f"search: every trial failed, {len(self._errors)} in all",
                expected="at least one combination of values that can be trained",
                got=last.problem if isinstance(last, ThalwegError) else f"{type(last).__name__}: {last}",
                fix=last.fix if isinstance(last, ThalwegError) else "call build with the values of a trial, and fit it",
            ) from last
        raise ArgumentError(
            "search: no trial has come to its end",
            expected="time for at least one trial, whose loss stays finite",
            got=f"{len(self.found())} trials that did not",
            fix="give it more time, or narrow the space: smaller learning rates",
        )

    def _record(self) -> None:
        """Tell the run what has ended since it was told last."""
        if self._run is not None:
            for one in self.study.get_trials(deepcopy=False):
                if one.state.is_finished() and counted(one) and one.number not in self._recorded:
                    self._recorded.add(one.number)
                    self._run.trial(trial_of(one, self.plan.space))

    def found(self) -> list[Trial]:
        """All trials of the study, those of other machines too."""
        return [trial_of(one, self.plan.space) for one in self.study.get_trials(deepcopy=False) if counted(one)]


def _mean(watches: Sequence[Watch]) -> float | None:
    """Of the folds' values."""
    values = [watch.best for watch in watches if watch.best is not None]
    return float(np.mean(values)) if values else None
