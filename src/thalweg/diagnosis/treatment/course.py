"""``treat``: what the doctor finds is cured, and every cure is proved by training again from the same seeds."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Annotated, Any

from thalweg import cores
from thalweg.checks import Count, In, checked
from thalweg.diagnosis.treatment import code
from thalweg.diagnosis.treatment import network as networks
from thalweg.diagnosis.treatment.comparing import LEAST_FALL, LEAST_GAIN, NO_LOSS, compared, mean, smoothed
from thalweg.diagnosis.treatment.judging import Judgement, judged
from thalweg.diagnosis.treatment.material import Material, material, task_of
from thalweg.diagnosis.treatment.outcome import Treatment, Tried
from thalweg.diagnosis.treatment.patient import Group, Patient, groups_for
from thalweg.diagnosis.treatment.program import PATIENCE, Change, Program
from thalweg.diagnosis.treatment.start import build, require_treatable, starting_values
from thalweg.diagnosis.treatment.trials import ENOUGH_STEPS, Trial, Trials, logits
from thalweg.doctor.finding import Finding
from thalweg.errors import ArgumentError, did_you_mean
from thalweg.fields import dataclass
from thalweg.model import Model

SEEDS = 3
"""Runs of each program that are compared."""

LEAST_BUDGET = 2e10
"""Multiplications that a treatment may always spend: some ten seconds of one core."""

LADDER = 4
"""Candidates from which on they are taken for steps of one scale, each like its neighbours."""

BY_LOSS = ("overfitting", "model_too_complex", "noisy_labels")
"""What shows in the validation loss first."""

NEEDED = ("data_leakage", "nan_inf")
"""Cures that are right whatever the score says, and stay."""

RELATED = {
    "plateau": ("vanishing_gradients", "lr_too_low", "bad_init"),
    "underfitting": ("lr_too_low", "undertrained", "vanishing_gradients"),
    "vanishing_gradients": ("plateau", "lr_too_low"),
    "lr_too_low": ("undertrained", "vanishing_gradients"),
    "undertrained": ("lr_too_low",),
    "batch_too_large": ("undertrained", "lr_too_low"),
    "batch_too_small": ("lr_too_high",),
    "dying_relu": ("lr_too_high",),
    "saturated_activations": ("lr_too_high",),
    "exploding_gradients": ("lr_too_high",),
    "lr_too_high": ("exploding_gradients",),
    "nan_inf": ("lr_too_high", "exploding_gradients"),
    "overfitting": ("model_too_complex",),
    "model_too_complex": ("overfitting",),
    "noisy_labels": ("overfitting",),
}
"""Diseases whose signs are much the same: where the cures of one do not help, the others' are tried."""

MOST_ROUNDS = 12
"""Findings that are treated one after the other."""

MOST_OTHERS = 3
"""Findings that are treated together with another one."""

OF_FIT = tuple(name for name in inspect.signature(Model.fit).parameters if name not in ("self", "x", "y"))
REFUSED = ("run", "diagnose", "initial_epoch", "steps_per_epoch", "validation_steps")


@dataclass(frozen=True, eq=False)
class Cure:
    """A change that helped, and against what."""

    code: str
    change: Change


@dataclass(eq=False)
class Course:
    """One treatment: what was run, what was tried, what helped.

    Arguments:
        original: the program as it came.
        seeds: that every program is run from.
        most: multiplications that may be spent.
    """

    original: Program
    trials: Trials
    seeds: tuple[int, ...]
    most: float
    cures: list[Cure] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    runs: dict[tuple[int, int], Trial] = field(default_factory=dict)

    def run(self, programs: Sequence[Program], seeds: Sequence[int]) -> None:
        """Run what has not been run; the first seed with the doctor."""
        task = self.trials.material.task
        wanted = [(p, s) for p in programs for s in seeds if (id(p), s) not in self.runs]
        if wanted:
            for trial in self.trials.run(wanted, task=task):
                self.runs[id(trial.program), trial.seed] = trial

    def of(self, program: Program, seeds: Sequence[int] | None = None) -> list[Trial]:
        """The runs of a program."""
        wanted = self.seeds if seeds is None else seeds
        self.run([program], wanted)
        return [self.runs[id(program), seed] for seed in wanted]

    def _known(self, program: Program) -> Program:
        """The program that has been run and is like this one; this one if there is none."""
        return next((trial.program for trial in self.runs.values() if trial.program.is_like(program)), program)

    def first(self, program: Program) -> Trial:
        """The run from the first seed."""
        return self.of(program, self.seeds[:1])[0]

    def can_pay(self, program: Program, share: float = 1.0) -> bool:
        """Whether a run fits into what is left."""
        return self.trials.work + self.trials.cost(program, share) <= self.most

    def treated(self) -> Program:
        """The program with all that helped: finding after finding, roots first, each run examined anew."""
        standing = self.original
        if not self.findings(standing):
            return standing
        self.of(standing, self.affordable(standing))
        for _ in range(MOST_ROUNDS):
            better = next(filter(None, (self._cured(standing, one) for one in self.open_findings(standing))), None)
            if better is None:
                break
            standing = better
        return standing

    def affordable(self, program: Program) -> tuple[int, ...]:
        """As many of the seeds as leave something for a change to be tried."""
        left = self.most - self.trials.work
        return self.seeds[: max(1, min(len(self.seeds), int(left / (2 * self.trials.cost(program)))))]

    def findings(self, program: Program) -> list[Finding]:
        """What the doctor finds in the runs of a program, in the order of treating: of the worst run first, certain
        ones before suspicions, roots before what follows from them.
        """
        self.first(program)
        own = [self.runs[id(program), seed] for seed in self.seeds if (id(program), seed) in self.runs]
        found: dict[str, Finding] = {}
        for certain in ("diagnosed", "suspected"):
            for trial in sorted(own, key=lambda trial: trial.judgement):
                roots = [finding for finding in trial.diagnosis if finding.certainty == certain]
                for finding in [*roots, *(c for root in roots for c in root.consequences)]:
                    found.setdefault(finding.code, finding)
        return list(found.values())

    def open_findings(self, standing: Program) -> Iterator[Finding]:
        """Those that have not been treated in vain; what was cured once is last."""
        settled = {cure.code for cure in self.cures}
        for finding in sorted(self.findings(standing), key=lambda finding: finding.code in settled):
            if (id(standing), finding.code) not in self._failed:
                yield finding

    _failed: set[tuple[int, str]] = field(default_factory=set)

    def _patient(self, program: Program, finding: Finding) -> Patient:
        found = tuple(one.code for one in self.findings(program))
        return Patient(program, finding, self.trials.material, self.trials.steps(program), found)

    def _cured(self, standing: Program, finding: Finding) -> Program | None:
        """The program with the best changes against a finding; None if none helped."""
        best = self._best_cure(standing, self._groups(standing, finding), finding)
        cures = [] if best is None else [Cure(finding.code, best[1])]
        if best is None:
            best, cures = self._with_another(standing, finding)
        if best is None:
            self._failed.add((id(standing), finding.code))
            return None
        self.cures += cures
        return best[0]

    def _groups(self, standing: Program, finding: Finding) -> Iterator[Group]:
        """What is prescribed against the finding, and then against what is easily taken for it."""
        for disease in (finding.code, *RELATED.get(finding.code, ())):
            yield from groups_for(self._patient(standing, dataclasses.replace(finding, code=disease)))

    def _best_cure(
        self, standing: Program, groups: Iterable[Group], finding: Finding, against: Program | None = None
    ) -> tuple[Program, Change] | None:
        """The best of the changes that help; no further ones are tried when the finding is gone.

        Arguments:
            against: the program that it has to be better than; ``standing`` unless given.
        """
        best: tuple[Judgement, Program, Change] | None = None
        for group in groups:
            chosen = self._best_of(standing, group)
            if chosen is None:
                continue
            change, program = chosen
            if not self._helps(standing if against is None else against, program, finding, change):
                continue
            own = self.mean(program)
            if best is None or best[0] < own:
                best = own, program, change
            if finding.code not in self._codes(program):
                break
        return None if best is None else best[1:]

    def _with_another(self, standing: Program, finding: Finding) -> tuple[tuple[Program, Change] | None, list[Cure]]:
        """The change together with one against what the doctor finds, or may find, when it is made.

        Where two faults each keep a network from learning, curing one shows nothing.
        """
        groups = groups_for(self._patient(standing, finding))
        if finding.certainty != "diagnosed" or not groups:
            return None, []
        chosen = self._best_of(standing, groups[0])
        if chosen is None or not self.can_pay(chosen[1]):
            return None, []
        first, program = chosen
        others = [one for one in self.findings(program) if one.code != finding.code]
        known = {one.code for one in others}
        others += [one for one in self.findings(standing) if one.code not in {*known, finding.code}]
        for other in others[:MOST_OTHERS]:
            groups = groups_for(self._patient(program, other))
            best = self._best_cure(program, groups[:2], other, against=standing)
            if best is not None:
                return best, [Cure(finding.code, first), Cure(other.code, best[1])]
        return None, []

    def _codes(self, program: Program) -> set[str]:
        return {one.code for one in self.findings(program) if one.certainty == "diagnosed"}

    def mean(self, program: Program) -> Judgement:
        """Over the seeds that were run."""
        return mean([self.runs[id(program), seed].judgement for seed in self.seeds if (id(program), seed) in self.runs])

    def _best_of(self, standing: Program, group: Group) -> tuple[Change, Program] | None:
        """The most promising change of a group: short runs, of which the better half goes on for twice as long."""
        left = [(change, self._known(change.edit(standing))) for change in group]
        left = [(change, program) for change, program in left if self.can_pay(program, 0.5)]
        steps = self.trials.steps(standing) * standing.epochs
        share = min(1.0, max(1 / 4, ENOUGH_STEPS / max(steps, 1)))
        while len(left) > 1:
            if not all(self.can_pay(program, share * len(left)) for _, program in left):
                share = min(share, 1 / 8)
            results = self.trials.run([(program, self.seeds[0]) for _, program in left], share)
            scores = [result.score for result in results]
            if len(left) >= LADDER:
                scores = smoothed(scores)
            order = sorted(range(len(left)), key=lambda n: (-scores[n], results[n].judgement.loss, n))
            left = [left[n] for n in sorted(order[: (len(left) + 1) // 2 if share < 1 else 1])]
            share = min(1.0, share * 2)
        return left[0] if left else None

    def _helps(self, standing: Program, program: Program, finding: Finding, change: Change) -> bool:
        """Whether a change proves itself: by a run of the first seed, and if that gains, by the others."""
        if not self.can_pay(program):
            self._note(finding, change, (), (), False, "not tried: the budget is spent")
            return False
        trial = self.first(program)
        helped, why = self._compared(standing, program, finding, self.seeds[:1])
        seeds = [seed for seed in self.seeds if (id(standing), seed) in self.runs]
        lucky = trial.score >= self.mean(standing).score + LEAST_GAIN  # the other run from the first seed, it seems
        if helped or (lucky and trial.failed is None):
            rest = self.trials.cost(program) * (len(seeds) - 1)
            if self.trials.work + rest > self.most:
                seeds = seeds[:1]
            helped, why = self._compared(standing, program, finding, seeds)
        else:
            seeds = seeds[:1]
        before, after = (tuple(trial.score for trial in self.of(p, seeds)) for p in (standing, program))
        self._note(finding, change, before, after, helped, why)
        return helped

    def _note(self, finding: Finding, change: Change, *told: Any) -> None:
        self.tried.append(Tried(finding.code, change.words, *told))

    def _compared(
        self, standing: Program, program: Program, finding: Finding, seeds: Sequence[int]
    ) -> tuple[bool, str]:
        """Whether the second program is better than the first, run from the same seeds, and why."""
        old, new = self.of(standing, seeds), self.of(program, seeds)
        failed = [trial.failed for trial in new if trial.failed]
        if failed:
            return False, f"it ended with: {failed[0]}"
        if finding.code == "data_leakage":
            return True, "it makes the score honest"
        if finding.code == "nan_inf" and all(trial.failed for trial in old):
            return True, "it can be trained now"
        by_loss = finding.code in BY_LOSS
        return compared([trial.judgement for trial in old], [trial.judgement for trial in new], by_loss)

    def reduced(self, standing: Program) -> Program:
        """The program without those cures that turn out not to be needed, each left out once."""
        for cure in list(self.cures):
            if len(self.cures) < 2 or cure.code in NEEDED:
                continue
            rest = [other for other in self.cures if other is not cure]
            program = self.original
            for other in rest:
                program = other.change.edit(program)
            program = self._known(program)
            if not self.can_pay(program):
                break
            seeds = [seed for seed in self.seeds if (id(standing), seed) in self.runs]
            alone = self.of(program, seeds[:1])[0]
            if alone.failed or alone.score < self.first(standing).score - 2 * LEAST_GAIN:
                continue
            self.run([program], seeds)
            own, others = self.mean(program), self.mean(standing)
            if own.score >= others.score - NO_LOSS and own.loss <= others.loss * (1 + LEAST_FALL):
                self.cures, standing = rest, program
        return standing


@checked
def treat(
    model: Model,
    x: Any,
    y: Any = None,
    task: str | None = None,
    *,
    budget: Annotated[float, In("(1, inf)")] = 8.0,
    seed: Annotated[int, In("[0, 4294967296)")] = 0,
    threads: Count | None = None,
    verbose: bool | int | str = "auto",
    **arguments: Any,
) -> Treatment:
    """Cure what the doctor finds in a training, and prove every cure. The model that is given stays as it is.

    The model is trained as the arguments say, and examined. Against each finding, root causes first, prescriptions are
    tried in copies that begin from the same seeds; of several of one kind, as learning rates, the best in short runs.
    One is kept if the score gains .02, and twice the deviation over three seeds; or if it takes 5 % off the validation
    loss, where rows are learnt by heart. The changed training is examined anew, until nothing is found, nothing helps,
    or the budget is spent. At the end each change is left out once, and those that are not needed go.

    The score is that on ``validation_data``, on the ``validation_split``, or on a fifth of the rows that is held out:
    the share of right classes, their mean recall where a class is rare, or R2.

    Arguments:
        model: compiled. Trained or not: it is trained anew.
        x, y: arrays. They stay as they are: what belongs to the data is put into the model, as a Normalization.
        task: "binary", "multiclass" or "regression"; worked out from targets, loss and head unless given.
        budget: how many times the work of the training as it came may be done; some ten seconds are always granted.
        seed: of the first runs; those beside it take the next ones.
        threads: of all runs together.
        arguments: of ``fit``: ``epochs``, ``batch_size``, ``validation_data``, ``callbacks`` (copied for each run) ...

    Raises: GraphError if the model is not compiled; ArgumentError for a stream, for several outputs, and for a model
        with steps of its own, which no one but its author can change.

    Example: ``treatment = treat(model, x, y, epochs=30); print(treatment); treatment.model.save("cured.thalweg")``
    """
    began = time.perf_counter()
    _check(arguments)
    require_treatable(model, x, y)
    build(model, x)
    fit = dict(arguments)
    program = Program.of(model, {})
    activation = "" if program.network is None else networks.head_activation(program.network)
    rows = material(x, y, task_of(y, program.loss, activation, task), fit, seed)
    program = Program.of(model, fit)
    trials = Trials(rows, starting_values(model), cores.wanted(threads), model.executor)
    most = max(budget * trials.cost(program), LEAST_BUDGET)
    seeds = tuple((seed + number) % 2**32 for number in range(SEEDS))
    course = Course(program, trials, seeds, most)
    came = course.first(program)
    if any(finding.code == "class_imbalance" for finding in came.diagnosis) and not rows.balanced:
        trials = dataclasses.replace(trials, material=rows.of_equal_classes())
        course = Course(program, trials, seeds, most)
        came = course.first(program)
    standing = course.treated()
    standing = course.reduced(standing)
    return _finished(course, standing, came, model, began)


def _finished(course: Course, standing: Program, came: Trial, model: Model, began: float) -> Treatment:
    """What is given back: the best model that there is, and how it came about."""
    original, notes = course.original, []
    ran = [seed for seed in course.seeds if (id(standing), seed) in course.runs]
    own = course.of(standing, ran)
    if standing.kept is not None and any(cure.code == "data_leakage" for cure in course.cures):
        notes.append(
            "The model is trained on all rows, those that were left out to measure it included: they do no harm to it, "
            "only to its validation."
        )
        own = course.trials.run([(standing.with_rows_again(), seed) for seed in ran])
    best = max(own, key=lambda trial: trial.judgement)
    given = _as_it_came(model, course.trials.material, original)
    others = [trial for trial in course.runs.values() if trial.program is original]
    for trial in others:
        best = trial if best.judgement < trial.judgement else best
    delivered = best.model
    if delivered is None:
        delivered = model
        notes.append("No training came to its end: the model is given back as it came.")
    elif given is not None and best.judgement < given:
        delivered = copy.deepcopy(model)
        notes.append("The model as it came is better than every one that was trained here, and is given back.")
    delivered.class_names = model.class_names
    diagnosis = came.diagnosis
    if not diagnosis.findings:
        notes.insert(0, "the doctor finds nothing that would have to be cured.")
    told = {name: value for name, value in standing.fit.items() if name != PATIENCE}
    if standing.fit.get(PATIENCE):
        told["early_stopping"] = standing.fit[PATIENCE]
    rows = course.trials.material
    return Treatment(
        model=delivered,
        diagnosis=diagnosis,
        left=course.first(standing).diagnosis,
        applied=tuple(cure.change.words for cure in course.cures),
        diff=code.difference(original, standing),
        code=code.code(standing),
        tried=tuple(course.tried),
        before=tuple(trial.score for trial in others),
        after=tuple(trial.score for trial in course.of(standing, ran)),
        score=f"{rows.named} of {rows.told}",
        kept=standing.kept,
        fit_arguments=told,
        notes=tuple(notes),
        work=course.trials.work / course.trials.cost(original),
        elapsed_seconds=time.perf_counter() - began,
    )


def _as_it_came(model: Model, rows: Material, program: Program) -> Judgement | None:
    """Of the model itself, if it has been trained."""
    if model.optimizer is None or not int(model.optimizer.iterations):
        return None
    return judged(model.predict(rows.x_val, verbose=0), rows, logits(program))


def _check(arguments: Mapping[str, Any]) -> None:
    unknown = [name for name in arguments if name not in OF_FIT]
    if unknown:
        raise ArgumentError(
            f"treat: no argument is called {unknown[0]!r}",
            expected="arguments of fit",
            got=repr(unknown[0]),
            fix=did_you_mean(unknown[0], OF_FIT),
        )
    refused = [name for name in arguments if name in REFUSED]
    if refused:
        raise ArgumentError(
            f"treat: {refused[0]!r} is not for a treatment, which trains many times from the beginning",
            expected="the other arguments of fit",
            got=f"{refused[0]}={arguments[refused[0]]!r:.40}",
            fix="leave it out",
        )
