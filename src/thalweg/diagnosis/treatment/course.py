"""The course of a treatment: finding after finding, each cure proved by runs from the same seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from itertools import chain
from typing import Any

from thalweg.diagnosis.treatment.comparing import LEAST_FALL, LEAST_GAIN, NO_LOSS, compared, mean, smoothed
from thalweg.diagnosis.treatment.judging import Judgement
from thalweg.diagnosis.treatment.outcome import Tried
from thalweg.diagnosis.treatment.patient import Group, Patient, groups_for
from thalweg.diagnosis.treatment.program import Change, Program
from thalweg.diagnosis.treatment.trials import ENOUGH_STEPS, Trial, Trials
from thalweg.doctor.finding import Finding
from thalweg.fields import dataclass

LADDER = 4
"""Candidates from which on they are taken for steps of one scale, each like its neighbours."""

BY_LOSS = ("overfitting", "model_too_complex", "noisy_labels")
"""What shows in the validation loss first. All of its cures are tried, although one helps: they differ in how much."""

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
    "noisy_labels": ("overfitting", "undertrained", "underfitting"),
}
"""Diseases whose signs are much the same: where the cures of one do not help, the others' are tried."""

MOST_ROUNDS = 12
"""Findings that are treated one after the other."""

MOST_OTHERS = 3
"""Findings that are treated together with another one."""


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
        verbose: whether a line says what came of each change.
    """

    original: Program
    trials: Trials
    seeds: tuple[int, ...]
    most: float
    verbose: bool = False
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
        """Those that have not been treated in vain; what was cured once is last, and not again where all was tried."""
        settled = {cure.code for cure in self.cures}
        done = BY_LOSS if settled & set(BY_LOSS) else ()
        for finding in sorted(self.findings(standing), key=lambda finding: finding.code in settled):
            if (id(standing), finding.code) not in self._failed and finding.code not in done:
                yield finding

    _failed: set[tuple[int, str]] = field(default_factory=set)
    _seen: set[tuple[int, int]] = field(default_factory=set)

    def _patient(self, program: Program, finding: Finding) -> Patient:
        found = tuple(one.code for one in self.findings(program))
        return Patient(program, finding, self.trials.material, self.trials.steps(program), found)

    def _cured(self, standing: Program, finding: Finding) -> Program | None:
        """The program with the best changes against a finding; None if none helped.

        First what is prescribed first, then that together with a cure of what it uncovers, then all the rest, and what
        is prescribed against diseases whose signs are alike.
        """
        first, *rest = groups_for(self._patient(standing, finding)) or [()]
        best = self._best_cure(standing, [first], finding)
        cures = [] if best is None else [Cure(finding.code, best[1])]
        if best is None:
            best, cures = self._with_another(standing, finding, first)
        if best is None or finding.code in BY_LOSS or finding.code in self._codes(best[0]):
            alike = RELATED.get(finding.code, ())
            wanted = [code for code in alike if best is None or finding.code not in BY_LOSS or code in BY_LOSS]
            related = (self._related(standing, finding, code) for code in wanted)
            other = self._best_cure(standing, chain(rest, chain.from_iterable(related)), finding)
            if other is not None and (best is None or self.mean(best[0]) < self.mean(other[0])):
                best, cures = other, [Cure(finding.code, other[1])]
        if best is None:
            self._failed.add((id(standing), finding.code))
            return None
        self.cures += cures
        return best[0]

    def _related(self, standing: Program, finding: Finding, code: str) -> list[Group]:
        return groups_for(self._patient(standing, dataclasses.replace(finding, code=code)))

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
            if (id(standing), id(program)) in self._seen:
                continue
            self._seen.add((id(standing), id(program)))
            if not self._helps(standing if against is None else against, program, finding, change):
                continue
            own = self.mean(program)
            if best is None or best[0] < own:
                best = own, program, change
            if finding.code not in BY_LOSS and finding.code not in self._codes(program):
                break
        return None if best is None else best[1:]

    def _with_another(
        self, standing: Program, finding: Finding, group: Group
    ) -> tuple[tuple[Program, Change] | None, list[Cure]]:
        """The change together with one against what the doctor finds, or may find, when it is made.

        Where two faults each keep a network from learning, curing one shows nothing.
        """
        chosen = self._best_of(standing, group) if finding.certainty == "diagnosed" else None
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
            share = min(share, self._payable([program for _, program in left]))
            if not share:
                break
            results = self.trials.run([(program, self.seeds[0]) for _, program in left], share)
            scores = [result.score for result in results]
            if len(left) >= LADDER:
                scores = smoothed(scores)
            order = sorted(range(len(left)), key=lambda n: (-scores[n], results[n].judgement.loss, n))
            left = [left[n] for n in sorted(order[: (len(left) + 1) // 2 if share < 1 else 1])]
            share = min(1.0, share * 2)
        return left[0] if left else None

    def _payable(self, programs: Sequence[Program]) -> float:
        """The share of their epochs that all of these can be run for, of 1, a half, a quarter ...; 0 if none."""
        left = self.most - self.trials.work
        shares = (1.0, 0.5, 0.25, 0.125)
        return next((s for s in shares if sum(self.trials.cost(program, s) for program in programs) <= left), 0.0)

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
        tried = Tried(finding.code, change.words, *told)
        self.tried.append(tried)
        if self.verbose:
            print(f"{tried.code}: {tried.words}: {'kept for now, ' if tried.helped else ''}{tried.why}", flush=True)

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
