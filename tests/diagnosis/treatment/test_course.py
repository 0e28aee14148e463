"""The protocol, on trainings whose outcome a table says instead of an executor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tests.diagnosis.treatment.networks import program, rows, stack

from thalweg.diagnosis.treatment.course import Course
from thalweg.diagnosis.treatment.judging import Judgement
from thalweg.diagnosis.treatment.material import Material
from thalweg.diagnosis.treatment.program import Program
from thalweg.diagnosis.treatment.trials import Trial, Trials
from thalweg.doctor.finding import Diagnosis, Finding

Outcome = Callable[[Program, int], tuple[float, float, Sequence[str]]]
"""Score, loss, and what the doctor finds."""


class Told(Trials):
    """Runs that cost 1 each."""

    def __init__(self, material: Material, outcome: Outcome) -> None:
        super().__init__(material, {}, 1, None)
        self.outcome = outcome
        self.count = 0

    def cost(self, program: Program, share: float = 1.0) -> float:
        return share

    def run(self, wanted: Any, share: float = 1.0, task: str | None = None) -> list[Trial]:
        self.work += share * len(wanted)
        self.count += len(wanted)
        trials = []
        for made, seed in wanted:
            score, loss, codes = self.outcome(made, seed)
            findings = tuple(Finding(code, "diagnosed", None, None, {}, "", "") for code in codes)
            trials.append(Trial(made, seed, None, Judgement(score, loss), Diagnosis(findings)))
        return trials


def course(outcome: Outcome, most: float = 1e9, original: Program | None = None) -> Course:
    made = program(stack("relu"), "binary_crossentropy") if original is None else original
    return Course(made, Told(rows("binary"), outcome), (0, 1, 2), most)


def rate(made: Program) -> float:
    return made.rate


def test_what_gains_is_kept_and_the_rest_rolled_back() -> None:
    def outcome(made: Program, seed: int) -> tuple[float, float, Sequence[str]]:
        good = made.rate < 0.005
        return (0.9 if good else 0.5), 1.0, () if good else ("exploding_gradients",)

    treatment = course(outcome)
    standing = treatment.treated()
    assert standing.rate < 0.005
    assert [tried.helped for tried in treatment.tried] == [False, False, False, True]
    assert len(treatment.cures) == 1
    assert standing.hidden[0].settings["kernel_initializer"] == "glorot_uniform", "rolled back"


def test_a_gain_within_the_noise_of_seeds_is_none() -> None:
    gains = {0: 0.05, 1: -0.03, 2: 0.05}

    def outcome(made: Program, seed: int) -> tuple[float, float, Sequence[str]]:
        changed = made.rate != 0.01
        return 0.5 + (gains[seed] if changed else 0), 1.0, ("lr_too_low",)

    treatment = course(outcome)
    assert treatment.treated() is treatment.original
    assert all(not tried.helped for tried in treatment.tried)
    assert any(len(tried.after) == 3 for tried in treatment.tried)


def test_a_change_that_does_not_gain_costs_one_run() -> None:
    treatment = course(lambda made, seed: (0.5, 1.0, ("class_imbalance",)))
    treatment.treated()
    assert isinstance(treatment.trials, Told)
    assert treatment.trials.count == 3 + 1, "the training as it came from three seeds, and this"


def test_runs_that_are_all_better_need_not_be_equally_better() -> None:
    before = {0: 0.26, 1: 0.86, 2: 0.83}

    def outcome(made: Program, seed: int) -> tuple[float, float, Sequence[str]]:
        changed = made.fit.get("class_weight") == "balanced"
        return (1.0 if changed else before[seed]), 1.0, () if changed else ("class_imbalance",)

    assert course(outcome).treated().fit["class_weight"] == "balanced"


def test_learning_by_heart_may_show_in_the_loss_alone() -> None:
    def outcome(made: Program, seed: int) -> tuple[float, float, Sequence[str]]:
        return 0.8, (0.5 if made.fit.get("early_stopping") else 0.9), ("overfitting",)

    treatment = course(outcome)
    assert treatment.treated().fit.get("early_stopping")
    assert "validation loss" in treatment.tried[0].why


def test_two_faults_that_each_keep_it_from_learning_are_cured_together() -> None:
    def outcome(made: Program, seed: int) -> tuple[float, float, Sequence[str]]:
        scaled = any(layer["class_name"] == "normalization" for layer in (made.network or {})["layers"])
        slow = made.rate < 0.005
        return (0.9 if scaled and slow else 0.5), 1.0, () if scaled and slow else ("unscaled_inputs", "lr_too_high")

    treatment = course(outcome)
    treatment.treated()
    assert [cure.code for cure in treatment.cures] == ["unscaled_inputs", "lr_too_high"]


def test_a_change_that_turns_out_not_to_be_needed_goes() -> None:
    def outcome(made: Program, seed: int) -> tuple[float, float, Sequence[str]]:
        scaled = any(layer["class_name"] == "normalization" for layer in (made.network or {})["layers"])
        balanced = made.fit.get("class_weight") == "balanced"
        if balanced:  # which is all that is needed
            return 0.9, 0.1, ()
        return (0.7, 0.5, ("class_imbalance",)) if scaled else (0.5, 1.0, ("unscaled_inputs",))

    treatment = course(outcome)
    standing = treatment.treated()
    assert [cure.code for cure in treatment.cures] == ["unscaled_inputs", "class_imbalance"]
    assert treatment.reduced(standing).fit["class_weight"] == "balanced"
    assert [cure.code for cure in treatment.cures] == ["class_imbalance"]


def test_the_budget_is_kept() -> None:
    treatment = course(lambda made, seed: (0.5, 1.0, ("lr_too_high", "plateau", "underfitting")), most=8.0)
    treatment.reduced(treatment.treated())
    assert treatment.trials.work <= 8.0


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_budget_for_few_runs_compares_few_seeds(seeds: int) -> None:
    def outcome(made: Program, seed: int) -> tuple[float, float, Sequence[str]]:
        balanced = made.fit.get("class_weight") == "balanced"
        return (0.9 if balanced else 0.5), 1.0, () if balanced else ("class_imbalance",)

    treatment = course(outcome, most=2.5)
    assert treatment.treated().fit["class_weight"] == "balanced"
    assert len(treatment.tried[0].after) == 1
