"""Who works on a trial: one whose process is gone is given to another, so that none is lost and none done twice."""

from __future__ import annotations

import os
import socket
import time
from functools import cache
from pathlib import Path
from typing import Any

from thalweg.tuning.studies import optuna

__all__ = ["Claims", "counted", "has_place", "origin"]

OWNER, BEAT, ORIGIN, VOID = "owner", "beat", "origin", "void"
"""Attributes of a trial: the process that works on it; how often that has said so; the number of the trial that it
repeats; why it is none of those that were asked for.
"""

GIVEN_UP, SURPLUS = "given up, to be done again", "one too many"
"""Why a trial does not count."""

BEAT_SECONDS = 10.0
"""How often a process says of each of its trials that it still works on it."""

SILENT_SECONDS = 60.0
"""After so long without a word the process of another machine is taken for gone."""


def origin(trial: Any) -> int:
    """The number that a trial's values and seed follow from: its own, or that of the one which it repeats."""
    number: int = trial.user_attrs.get(ORIGIN, trial.number)
    return number


def counted(trial: Any) -> bool:
    """Whether a trial is one of those that were asked for: one that was given up is repeated by another."""
    return VOID not in trial.user_attrs


def has_place(trial: Any) -> bool:
    """Whether values were to be chosen for a trial: those of one that repeats another were chosen before."""
    return bool(origin(trial) == trial.number and trial.user_attrs.get(VOID) != SURPLUS)


class Claims:
    """Which trials of a study are this process's, and which are nobody's.

    Arguments:
        storage: in which it is.
        shared: whether other processes may work on it too.
    """

    def __init__(self, study: Any, storage: Any, shared: bool) -> None:
        self.study = study
        self.storage = storage
        self._study = storage.get_study_id_from_name(study.study_name)
        self.shared = shared
        self._mine: dict[int, Any] = {}  # by number
        self._beats = 0
        self._next_beat = 0.0
        self._heard: dict[int, tuple[Any, float]] = {}  # number -> the last word of its process, and when that was new

    def next(self) -> Any:
        """A trial that is this process's from the moment when it is there: one that waits, or a new one."""
        module, study = optuna(".trial"), self.study
        owner = _this_process()
        if study.get_trials(deepcopy=False, states=(module.TrialState.WAITING,)):
            trial = study.ask()
            trial.set_user_attr(OWNER, owner)
        else:
            begun = module.create_trial(state=module.TrialState.RUNNING, user_attrs={OWNER: owner})
            trial = module.Trial(study, self.storage.create_new_trial(self._study, begun))
        self._mine[trial.number] = trial
        return trial

    def drop(self, trial: Any) -> None:
        """It is one too many: another machine asked at the same time."""
        self.done(trial)
        trial.set_user_attr(VOID, SURPLUS)
        self.study.tell(trial, state=optuna(".trial").TrialState.FAIL)

    def done(self, trial: Any) -> None:
        """It has come to its end."""
        self._mine.pop(trial.number, None)

    def give_back(self, trial: Any) -> None:
        """It was not brought to its end: another one with the same values waits from now on."""
        self.done(trial)
        self._repeat(trial.number)

    def give_all_back(self) -> None:
        """What is still this process's when a search ends by an error."""
        for trial in list(self._mine.values()):
            self.give_back(trial)

    def beat(self) -> bool:
        """Now and then: say that this process works on its trials, and see whose process does not any more.

        Returns: whether it was time for that.
        """
        now = time.monotonic()
        if not self.shared or now < self._next_beat:
            return False
        self._next_beat = now + BEAT_SECONDS
        self._beats += 1
        for trial in list(self._mine.values()):
            trial.set_user_attr(BEAT, self._beats)
        self.recover(now)
        return True

    def recover(self, now: float | None = None) -> bool:
        """Let trials wait again whose process is gone: at once on this machine, elsewhere after a minute's silence.

        Returns: whether nothing is left to be seen: no trial waits, and of those that run the processes are known to
            live.
        """
        if not self.shared:
            return True
        state = optuna(".trial").TrialState
        now = time.monotonic() if now is None else now
        settled = True
        for trial in self.study.get_trials(deepcopy=False, states=(state.RUNNING,)):
            if trial.number not in self._mine:
                alive = self._is_alive(trial, now)
                settled = settled and bool(alive)
                if alive is False:
                    self._repeat(trial.number)
        return settled and not self.study.get_trials(deepcopy=False, states=(state.WAITING,))

    def _is_alive(self, trial: Any, now: float) -> bool | None:
        """Whether the process of a trial still works on it; None if that is not known yet."""
        machine, _, process = str(trial.user_attrs.get(OWNER, "")).rpartition(" ")
        here, _, mine = _this_process().rpartition(" ")
        if machine == here:
            return process == mine or _lives(process)
        word = trial.user_attrs.get(BEAT)
        before = self._heard.setdefault(trial.number, (word, now))
        if before[0] != word:
            self._heard[trial.number] = (word, now)
            return True
        return False if now - before[1] > SILENT_SECONDS else None

    def _repeat(self, number: int) -> None:
        """Give a trial up, and let one with its values wait. Whoever is the first to give it up does this alone."""
        module, storage = optuna(".trial"), self.storage
        place = storage.get_trial_id_from_study_id_trial_number(self._study, number)
        given = storage.get_trial(place)
        if given.state.is_finished():
            return
        storage.set_trial_user_attr(place, VOID, GIVEN_UP)
        try:
            if not storage.set_trial_state_values(place, state=module.TrialState.FAIL):
                return
        except (RuntimeError, KeyError):  # another process was quicker
            return
        again = module.create_trial(
            state=module.TrialState.WAITING,
            params=given.params,
            distributions=given.distributions,
            user_attrs={ORIGIN: origin(given), OWNER: given.user_attrs.get(OWNER, "")},
            system_attrs={"fixed_params": given.params},
        )
        self.study.add_trial(again)


def _lives(process: str) -> bool:
    number, _, born = process.partition(":")
    return _born(int(number)) == born if number.isdecimal() else False


@cache
def _this_process_of(number: int) -> str:
    return f"{socket.gethostname()}/{_boot()} {number}:{_born(number)}"


def _this_process() -> str:
    """Machine since its last start, process, and when that began: numbers of processes are used again."""
    return _this_process_of(os.getpid())  # another one in a forked child


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "-"


def _born(number: int) -> str | None:
    """When a process began; None if there is none of this number."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except (OSError, IndexError):
        return None
    try:  # no Linux
        os.kill(number, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "-"
