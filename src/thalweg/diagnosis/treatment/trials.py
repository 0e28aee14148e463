"""Programs run from seeds, within a budget of work."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from thalweg.diagnosis.treatment import network as networks
from thalweg.diagnosis.treatment.judging import NOTHING, Judgement, judged
from thalweg.diagnosis.treatment.material import Material
from thalweg.diagnosis.treatment.program import PATIENCE, Program
from thalweg.doctor.doctor import Doctor
from thalweg.doctor.finding import Diagnosis, of_error
from thalweg.errors import NonFiniteError, ThalwegError
from thalweg.evaluation.population import Job, run_jobs
from thalweg.executors.executor import Executor
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.state import Snapshot
from thalweg.training.callbacks import Callback
from thalweg.training.monitors import EarlyStopping

STEP_WORK = 20_000
"""What a step costs beside its multiplications, in multiplications."""

ENOUGH_STEPS = 64
"""A short run that compares candidates has as many steps at least."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One program run from one seed.

    Attributes:
        model: as trained; None where it could not be made.
        judgement: of it.
        diagnosis: what the doctor says; empty where he was not asked.
        failed: the problem that ended it; None where it came to its end.
    """

    program: Program
    seed: int
    model: Model | None
    judgement: Judgement
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    failed: str | None = None

    @property
    def score(self) -> float:
        """Of its judgement."""
        return self.judgement.score


@dataclass(eq=False)
class Trials:
    """Runs programs, and counts what it costs.

    Attributes:
        material: the rows.
        start: of parameters that do not begin with what their initialisers draw: values by path.
        threads: of all runs together.
        executor: that runs the models.
        work: multiplications so far.
    """

    material: Material
    start: Mapping[str, np.ndarray]
    threads: int
    executor: Executor
    work: float = 0.0

    def cost(self, program: Program, share: float = 1.0) -> float:
        """What a run of the program costs, in multiplications."""
        rows = self.material.rows if program.kept is None else len(program.kept)
        steps = self.steps(program)
        epochs = max(round(program.epochs * share), 1)
        return 3.0 * epochs * (rows * self.weights(program) + steps * STEP_WORK)

    def steps(self, program: Program) -> int:
        """Of an epoch."""
        rows, size = self.material.rows if program.kept is None else len(program.kept), program.batch_size
        return 1 if isinstance(size, str) else -(-rows // max(size, 1))

    def weights(self, program: Program) -> int:
        """How many numbers its parameters are."""
        if id(program.model) not in self._weights:
            try:
                self._weights[id(program.model)] = program.count_weights(), program.model
            except ThalwegError:  # which the run will say
                return 0
        return self._weights[id(program.model)][0]

    _weights: dict[int, tuple[int, Any]] = field(default_factory=dict)

    def run(self, wanted: Sequence[tuple[Program, int]], share: float = 1.0, task: str | None = None) -> list[Trial]:
        """Each program from its seed.

        Arguments:
            share: of the epochs.
            task: asks the doctor, and tells him what the targets are.
        """
        made = [self._made(program, seed, share, task) for program, seed in wanted]
        jobs = [one for one in made if isinstance(one, Job)]
        try:
            outcomes: list[Any] = list(run_jobs(jobs, None, self.threads, 0))
        except ThalwegError:  # of one of them: the others are none the worse
            made = [self._made(program, seed, share, task) for program, seed in wanted]
            jobs = [one for one in made if isinstance(one, Job)]
            outcomes = [_alone(job, self.threads) for job in jobs]
        ended = iter(zip(jobs, outcomes, strict=True))
        trials = []
        for (program, seed), one in zip(wanted, made, strict=True):
            model, outcome = (None, one) if isinstance(one, ThalwegError) else next(ended)
            self.work += self._spent(program, share, outcome)
            trials.append(self._judged(program, seed, model.model if isinstance(model, Job) else None, outcome))
        return trials

    def _spent(self, program: Program, share: float, outcome: Any) -> float:
        """What a run has cost that may have ended early."""
        planned = self.cost(program, share)
        if isinstance(outcome, ThalwegError):
            return planned if isinstance(outcome, NonFiniteError) else 0.0
        return planned * min(1.0, len(outcome.epoch) / max(round(program.epochs * share), 1))

    def _made(self, program: Program, seed: int, share: float, task: str | None) -> Job | ThalwegError:
        try:
            return self._job(program, seed, share, task)
        except ThalwegError as error:
            return error

    def _job(self, program: Program, seed: int, share: float, task: str | None) -> Job:
        model = program.make()
        model.executor = self.executor
        model.runner.seed = seed
        model.build_for(self.material.sample)
        model.runner.give_values(seed)
        put(model, self.start)
        x, y, weight = self.material.kept(program.kept)
        given = {name: value for name, value in program.fit.items() if name not in (PATIENCE, "callbacks")}
        given |= {"x": x, "y": y, "sample_weight": weight, "seed": seed}
        given["epochs"] = max(round(program.epochs * share), 1)
        given["validation_data"] = (self.material.x_val, self.material.y_val)
        given["diagnose"] = False if task is None else Doctor(task=self.material.task)
        return Job(model, given, callbacks=callbacks_of(program.fit))

    def _judged(self, program: Program, seed: int, model: Model | None, outcome: Any) -> Trial:
        failed = outcome.problem if isinstance(outcome, ThalwegError) else None
        said = outcome.diagnosis
        if said is None and isinstance(outcome, ThalwegError) and outcome.disease is not None:
            said = Diagnosis((of_error(outcome),))
        judgement = NOTHING
        if model is not None:
            with contextlib.suppress(ThalwegError):
                predicted = model.predict(self.material.x_val, verbose=0)
                judgement = judged(predicted, self.material, logits(program))
        return Trial(program, seed, model, judgement, said or Diagnosis(), failed)


def _alone(job: Job, threads: int) -> Any:
    try:
        return run_jobs([job], None, threads, 0)[0]
    except ThalwegError as error:
        return error


def logits(program: Program) -> bool:
    """Whether what it predicts still has to go through a softmax or sigmoid."""
    if "hinge" in program.loss:
        return True
    linear = program.network is not None and networks.head_activation(program.network) == "linear"
    return bool(program.loss_settings.get("from_logits")) and (linear or program.network is None)


def callbacks_of(fit: Mapping[str, Any]) -> Callable[[], list[Callback]]:
    """Makes the callbacks of a run: those that are given, copied, because they remember what they saw."""
    given, patience = fit.get("callbacks"), fit.get(PATIENCE)

    def made() -> list[Callback]:
        own = given() if callable(given) else copy.deepcopy(given)
        several = list(own) if isinstance(own, list | tuple) else [] if own is None else [own]
        if patience:
            several.append(EarlyStopping(patience=patience, restore_best_weights=True))
        return several

    return made


def put(model: Model, values: Mapping[str, np.ndarray] | Snapshot) -> None:
    """Let parameters begin with these values, where they have the shape."""
    for path, parameter in model.parameters().items():
        if path in values and values[path].shape == parameter.shape:
            parameter.assign(values[path])
