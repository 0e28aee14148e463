"""Each rule: records that it names, and records that look alike and that it must not."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from tests.doctor.rules.records import (
    FALLING,
    HEALTHY,
    changed,
    curve,
    failing,
    layer,
    layers,
    numbers,
    outcome,
    probe,
    probes,
)

from thalweg.doctor.finding import LABELS, Finding
from thalweg.doctor.record import Broken, Record, Reference
from thalweg.doctor.rules import HIDES, ORDER, judge, needs_more, rules

BROKEN = Broken(4, "b", "the loss became NaN")
GHOST = (0.3,) * 5 + (0.12, 0.1, 0.08, 0.06, 0.01)
JUMPING = curve(*(1.9, 2.6, 1.8, 2.9) * 5)
STRAIGHT = curve(*(2.3 - 0.01 * epoch for epoch in range(20)))
FLAT = curve(*(2.3 + 0.001 * (-1) ** epoch for epoch in range(20)))
SIGMOID = [0.0001, 0.001, 0.01, 0.03, 0.1, 0.3]

FIRES: dict[str, dict[str, Record]] = {
    "nan_inf": {
        "in the inputs": changed(inputs={"non_finite": 0.01}),
        "in the targets": changed(targets={"non_finite": 0.01}),
        "by an overflow that nothing explains": failing(broken=BROKEN, initial_loss=math.inf),
    },
    "data_leakage": {
        "copies": changed(repeats={"exact": 0.4}),
        "near copies": changed(repeats={"near": 0.6, "near_within": 0.1}),
    },
    "unscaled_inputs": {
        "deviations": failing(inputs={"largest_deviation": 300.0}),
        "means": failing(inputs={"largest_mean": 25.0}),
        "that only spoil it a little": changed(inputs={"largest_deviation": 900.0}, validation=outcome(0.8)),
    },
    "unscaled_targets": {
        "large": numbers(0.3, targets={"mean": 2000.0, "deviation": 2500.0}),
        "far from 0": numbers(0.3, targets={"mean": 150.0, "deviation": 3.0}),
    },
    "class_imbalance": {
        "not recalled": changed(
            targets={"shares": GHOST},
            train=outcome(0.95, recalls=(0.98,) * 9 + (0.2,)),
            validation=outcome(0.94, recalls=(0.97,) * 9 + (0.1,)),
        ),
        "where nothing works": failing(targets={"shares": GHOST}),
    },
    "noisy_labels": {
        "two witnesses": changed(
            reference={"neighbours": 0.6, "disagreement": 0.4},
            validation=outcome(0.55, 1.9),
            best=outcome(0.6, 1.4, confident_errors=0.35),
        ),
        "in the training rows only": changed(
            reference={"neighbours": 0.6, "disagreement": 0.4},
            train=outcome(0.65, 1.2),
            validation=outcome(0.9, 0.5),
        ),
    },
    "wrong_loss": {
        "that cannot learn": failing(head={"fault": "softmax over one unit is always 1", "change": "sigmoid"})
    },
    "bad_init": {
        "zeros": failing(layers=layers(gain=0.0, equal_columns=True)),
        "loud": failing(layers=layers(gain=4.0)),
        "quiet": failing(layers=layers(gain=0.2)),
        "a little too quiet, five times": failing(layers=layers(gain=0.45)),
        "biases": failing(layers=layers(bias=-6.0)),
    },
    "saturated_activations": {
        "from the start": failing(layers=layers("tanh"), probes=probes(saturated=0.9)),
    },
    "vanishing_gradients": {
        "a deep sigmoid": failing(
            layers=layers("sigmoid"), probes=probes(kernel_gradient=SIGMOID, gradient_norm=SIGMOID)
        ),
    },
    "exploding_gradients": {
        "grown": failing(
            layers=layers(gain=2.9), probes=probes(gradient_norm=1e4, pre_deviation=[1.0, 5.0, 25.0, 90.0, 300.0, 1e3])
        ),
    },
    "lr_too_high": {
        "overflow": failing(broken=BROKEN),
        "jumping": failing(curves=JUMPING),
        "far over the start": failing(curves=curve(400.0, *(2.2,) * 19)),
        "a long way": failing(probes=probes(way=70.0)),
        "units that die at once": failing(probes=(probe(0, 0), *probes(way=9.0, dead=0.97)[1:])),
    },
    "dying_relu": {
        "dead at two moments": failing(probes=probes(dead=0.95)),
        "hardly ever on": failing(probes=probes(dead=0.3, zeros=0.99)),
        "until it broke": failing(broken=BROKEN, probes=(probe(0, 0), probe(1, 0, dead=0.3), probe(4, 0, dead=0.7))),
    },
    "lr_too_low": {
        "hardly moved": failing(curves=STRAIGHT, probes=probes(way=0.01)),
        "on a straight line": failing(curves=STRAIGHT, probes=probes(way=0.07)),
    },
    "plateau": {
        "flat at chance": failing(score=0.11, curves=FLAT, train=outcome(0.11, 2.3)),
        "of too few rows for neighbours": failing(score=0.11, loss=2.3, curves=FLAT, reference=None),
    },
    "batch_too_small": {"jumping single rows": failing(curves=JUMPING, plan={"batch_size": 1})},
    "batch_too_large": {
        "one step an epoch": changed(
            plan={"batch_size": 960, "steps_per_epoch": 1},
            steps=20,
            curves=curve(*(2.3 * 0.95**epoch for epoch in range(20))),
            train=outcome(0.7),
            validation=outcome(0.7),
        )
    },
    "undertrained": {
        "two epochs": changed(
            steps=60, epochs=2, curves=curve(1.5, 0.9), train=outcome(0.75), validation=outcome(0.74)
        ),
        "evenly falling, with neighbours that know nothing": failing(
            score=0.22,
            loss=2.0,
            steps=100,
            epochs=5,
            curves=curve(2.3, 2.23, 2.16, 2.08, 2.0),
            reference={"neighbours": 0.12},
        ),
        "one epoch": changed(steps=30, epochs=1, curves=curve(1.5), train=outcome(0.6), validation=outcome(0.6)),
    },
    "overfitting": {
        "a gap": changed(validation=outcome(0.7, 1.2)),
        "a rise": changed(
            validation=outcome(0.86, 0.8),
            curves={"loss": FALLING, "val_loss": (*FALLING[:6], *(0.4 + 0.03 * i for i in range(14)))},
        ),
    },
    "model_too_complex": {
        "by heart": changed(validation=outcome(0.7, 1.2), plan={"rows": 60, "parameters": 80000}),
    },
    "underfitting": {
        "at rest": failing(),
        "a line": failing(layers=layers("linear"), train=outcome(0.11, 2.3), curves=FLAT),
    },
}

SILENT: dict[str, dict[str, Record]] = {
    "nan_inf": {"no overflow": failing()},
    "data_leakage": {
        "rows that repeat by nature": changed(
            repeats={"exact": 0.9, "exact_within": 0.9, "near": 1.0, "near_within": 1.0}
        ),
        "a perfect validation": changed(validation=outcome(1.0)),
    },
    "unscaled_inputs": {
        "that train well all the same": changed(inputs={"largest_deviation": 300.0}),
        "scaled by the first layer": failing(inputs={"largest_deviation": 300.0, "scaled_inside": True}),
        "a little wide": failing(inputs={"largest_deviation": 6.0}),
    },
    "unscaled_targets": {
        "learnt all the same": numbers(0.9, targets={"mean": 2000.0, "deviation": 2500.0}),
        "classes": failing(targets={"mean": 200.0}),
    },
    "class_imbalance": {
        "rare and recalled": changed(targets={"shares": GHOST}),
        "a class that is hard, not rare": changed(train=outcome(0.9, recalls=(0.98,) * 9 + (0.2,))),
        "rare by luck, of few rows": changed(
            plan={"rows": 60},
            targets={"shares": (0.13, 0.11, 0.12, 0.1, 0.1, 0.1, 0.09, 0.11, 0.11, 0.03)},
            validation=outcome(0.8, recalls=(0.9,) * 9 + (0.2,)),
        ),
    },
    "noisy_labels": {
        "few rows: neighbours err, the network is not sure": changed(
            reference={"neighbours": 0.7, "disagreement": 0.3}, best=outcome(0.75, confident_errors=0.1)
        ),
        "two classes that overlap, of a softmax": changed(
            plan={"rows": 490},
            targets={"shares": (0.65, 0.35)},
            reference={"chance": 0.65, "neighbours": 0.78, "disagreement": 0.173, "balanced": 0.75},
            train=outcome(0.87, 0.4, recalls=(0.9, 0.8)),
            validation=outcome(0.77, 0.47, recalls=(0.85, 0.7)),
            best=outcome(0.77, 0.47, recalls=(0.85, 0.7), confident_errors=0.21),
        ),
        "numbers": numbers(0.5),
    },
    "wrong_loss": {"an odd pair that works": changed(head={"fault": "an odd pair"})},
    "bad_init": {
        "works": changed(layers=layers(gain=0.2)),
        "small inside residual branches": failing(layers=layers(gain=0.1, residual=True)),
        "He's": failing(layers=layers(gain=1.41)),
        "one weight has no deviation": failing(layers=(layer("a", fan_in=1, fan_out=1, gain=0.0), *layers()[1:])),
        "He's on two columns": failing(layers=(layer("a", fan_in=2, gain=1.41), *layers()[1:])),
    },
    "saturated_activations": {
        "works": changed(layers=layers("tanh"), probes=probes(saturated=0.9)),
        "a narrow layer that learns": failing(
            layers=layers("tanh", fan_out=1), probes=(probe(0, 0), *probes(saturated=0.8)[1:])
        ),
        "late": failing(layers=layers("tanh"), probes=(probe(0, 0), probe(30, 1), probe(600, 20, saturated=0.9))),
    },
    "vanishing_gradients": {
        "works": changed(probes=probes(kernel_gradient=SIGMOID, gradient_norm=SIGMOID)),
        "two layers": failing(layers=layers()[-2:], probes=probes(gradient_norm=SIGMOID)),
        "small all over": failing(probes=probes(kernel_gradient=1e-7, gradient_norm=1e-7)),
        "all units dead": failing(probes=probes(kernel_gradient=0.0, gradient_norm=[0.0] * 5 + [0.1])),
    },
    "exploding_gradients": {
        "later": failing(probes=(probe(0, 0), probe(30, 1, gradient_norm=1e5, pre_deviation=SIGMOID[::-1]))),
        "by the inputs": failing(
            inputs={"largest_deviation": 300.0}, layers=layers(gain=4.0), probes=probes(gradient_norm=1e4)
        ),
    },
    "lr_too_high": {
        "jumps and arrives": changed(curves=JUMPING),
        "a leap at the start, forgotten": failing(curves=curve(9.0, *FALLING[1:])),
        "noise": failing(curves=FLAT),
        "a leap that large inputs explain": failing(inputs={"largest_mean": 30.0}, curves=curve(16.0, *(2.2,) * 19)),
    },
    "dying_relu": {
        "works": changed(probes=probes(dead=0.95)),
        "sparse": failing(probes=probes(zeros=0.85)),
        "at one moment": failing(probes=(probe(0, 0), probe(30, 1, dead=0.9), probe(600, 20))),
        "some until it broke": failing(broken=BROKEN, probes=(probe(0, 0), probe(1, 0), probe(4, 0, dead=0.3))),
    },
    "lr_too_low": {
        "works": changed(probes=probes(way=0.01)),
        "flat": failing(curves=FLAT, probes=probes(way=0.01)),
        "a saddle that it hardly leaves": failing(
            initial_loss=2.31,
            score=0.1,
            loss=2.3,
            curves=curve(*(2.31 - 0.0005 * i for i in range(20))),
            probes=probes(way=0.07),
        ),
        "far enough": failing(curves=STRAIGHT),
    },
    "plateau": {
        "flat, but it knows something": failing(score=0.5, curves=FLAT),
        "few classes right, but a loss far below chance": failing(score=0.2, loss=1.6, curves=curve(*(1.6,) * 20)),
        "flat at first": failing(score=0.11, curves=curve(*(2.3,) * 8, *(2.2 * 0.8**i for i in range(12)))),
    },
    "batch_too_small": {"calm single rows": failing(plan={"batch_size": 1}), "works": changed(plan={"batch_size": 1})},
    "batch_too_large": {
        "with enough steps": failing(plan={"batch_size": 960}),
        "at rest": failing(plan={"batch_size": 960}, steps=20),
    },
    "undertrained": {"at the ceiling": HEALTHY, "at rest": failing()},
    "overfitting": {
        "few rows": changed(train=outcome(0.99), validation=outcome(0.85, 0.4, rows=20)),
        "one bad epoch": changed(
            curves={"loss": FALLING, "val_loss": (*FALLING[:-1], 2.0)}, validation=outcome(0.85, 2.0)
        ),
        "a constant": changed(train=outcome(0.6, constant=True), validation=outcome(0.4, constant=True)),
    },
    "model_too_complex": {
        "large": changed(plan={"rows": 60, "parameters": 80000}),
        "overfitting with few weights": changed(validation=outcome(0.7, 1.2)),
    },
    "underfitting": {
        "overlapping classes": changed(
            reference={"neighbours": 0.6}, train=outcome(0.58, 1.0), validation=outcome(0.58, 1.0)
        ),
        "still falling": failing(curves=curve(*FALLING)),
    },
}


def named(record: Record, certainty: str = "diagnosed") -> dict[str, Finding]:
    """All findings of that certainty, the ones under others, too."""
    found = judge(record).findings
    return {f.code: f for root in found for f in (root, *root.consequences) if f.certainty == certainty}


@pytest.mark.parametrize(("code", "case"), [(code, case) for code in FIRES for case in FIRES[code]])
def test_a_sick_record_is_named(code: str, case: str) -> None:
    finding = named(FIRES[code][case])[code]
    assert all((finding.cause, finding.change, finding.numbers))


@pytest.mark.parametrize(("code", "case"), [(code, case) for code in SILENT for case in SILENT[code]])
def test_a_record_that_looks_alike_is_not(code: str, case: str) -> None:
    assert code not in named(SILENT[code][case])


def test_every_label_has_a_rule_that_was_tried_both_ways() -> None:
    assert set(rules()) == set(FIRES) == set(SILENT) == set(LABELS)
    assert sorted(ORDER) == sorted(LABELS)
    assert all(set(hidden) < set(LABELS) for hidden in HIDES.values())


@pytest.mark.parametrize("record", [HEALTHY, numbers()], ids=["classes", "numbers"])
def test_nothing_is_said_of_what_works(record: Record) -> None:
    assert judge(record).findings == ()


@pytest.mark.parametrize("code", LABELS)
def test_a_saved_record_is_judged_alike(code: str) -> None:
    for record in FIRES[code].values():
        again = Record.from_dict(json.loads(json.dumps(record.to_dict())))
        assert judge(again) == judge(record)


@pytest.mark.parametrize("code", LABELS)
@pytest.mark.parametrize("part", ["inputs", "targets", "repeats", "reference", "head", "layers", "probes", "curves"])
def test_a_record_without_a_part_is_judged_as_far_as_it_goes(code: str, part: str) -> None:
    for record in FIRES[code].values():
        empty = {"layers": (), "probes": (), "curves": {}}.get(part)
        lacking = dataclasses.replace(record, **{part: empty})
        diagnosis = judge(lacking)
        assert all(part in why for code, why in diagnosis.unknown.items() if part in rules()[code].needs)


@pytest.mark.parametrize("changes", [{"train": None, "validation": None}, {"validation": None}, {"task": None}])
def test_what_is_not_known_to_fail_is_not_accused_of_failing(changes: dict[str, None]) -> None:
    bare = dataclasses.replace(HEALTHY, **changes)
    assert judge(bare).findings == ()


def test_one_step_says_nothing() -> None:
    one = changed(failing(), steps=1, epochs=1, curves=curve(2.3), probes=(probe(0, 0), probe(1, 0.03, 0.001)))
    assert not named(one)


def test_root_causes_come_first_and_explain_the_others() -> None:
    dead = judge(failing(layers=layers(bias=-6.0), probes=probes(dead=1.0), score=0.1, loss=2.3, curves=FLAT))
    assert [finding.code for finding in dead] == ["bad_init"]
    assert {finding.code for finding in dead[0].consequences} == {"dying_relu", "plateau"}
    assert set(dead.codes) == {"bad_init", "dying_relu", "plateau"}
    assert judge(changed(inputs={"non_finite": 0.01}, repeats={"exact": 0.9})).codes == ("nan_inf",)


def test_what_was_there_before_the_first_step_does_not_come_from_the_steps() -> None:
    steps = changed(failing(curves=JUMPING, layers=layers("tanh")), probes=probes(saturated=0.9))
    assert judge(steps)[0].code == "saturated_activations"
    later = changed(steps, probes=(probe(0, 0), *probes(saturated=0.9)[1:]))
    (root,) = judge(later)
    assert (root.code, [below.code for below in root.consequences]) == ("lr_too_high", ["saturated_activations"])


def test_an_overflow_is_told_by_its_cause() -> None:
    assert judge(failing(broken=BROKEN)).codes == ("lr_too_high",)
    assert judge(failing(broken=BROKEN, layers=layers(gain=4.0))).codes == ("bad_init",)


def test_dear_parts_are_asked_for_only_where_it_does_not_clearly_work() -> None:
    bare = dataclasses.replace(HEALTHY, reference=None, probes=(), repeats=None, best=None)
    assert needs_more(bare) == {"repeats"}
    assert needs_more(changed(bare, train=outcome(0.98, recalls=(0.99,) * 9 + (0.3,)))) == {"repeats", "reference"}
    assert needs_more(changed(bare, broken=BROKEN)) == {"probes"}
    worse = changed(bare, validation=outcome(0.8), repeats=HEALTHY.repeats)
    assert needs_more(worse) == {"reference"}
    assert needs_more(changed(worse, reference=Reference(0.1, 0.8, 0.05))) == frozenset()
    assert needs_more(changed(worse, reference=Reference(0.1, 0.95, 0.05))) == {"probes", "best"}
    assert needs_more(changed(worse, reference=Reference(0.1, 0.7, 0.3))) == {"best"}
