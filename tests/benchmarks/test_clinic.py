"""The clinic: networks as the cases say them, findings from wherever they come, and what is counted."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from benchmarks.clinic import scores
from benchmarks.clinic.cabinet import folder, own, rungs, twins
from benchmarks.clinic.cures import Result
from benchmarks.clinic.data import load
from benchmarks.clinic.networks import compiled, targets
from benchmarks.clinic.sources import SOURCES
from benchmarks.clinic.training import Outcome, again, codes, named, train
from tests.doctor.rules.records import HEALTHY

import thalweg
from thalweg.doctor.finding import LABELS, Diagnosis, Finding
from thalweg.errors import ArgumentError

CASE: dict[str, Any] = {
    "name": "small",
    "task": "multiclass",
    "data": {"rows": 12},
    "layers": [{"type": "dense", "units": 3, "activation": "softmax"}],
    "loss": "sparse_categorical_crossentropy",
    "optimizer": "sgd",
    "lr": 0.1,
    "batch_size": 4,
    "epochs": 1,
    "truth": ["plateau", "bad_init"],
    "accept": ["underfitting"],
    "cures": {"bad_init": {"init": "he_normal"}, "plateau": {"data": {"scale": 1}, "lr": 1.0}},
}
FINDINGS = [
    Finding("plateau", "diagnosed", None, None, {"loss": 1.0}, "why", "what"),
    Finding("lr_too_low", "suspected", "dense", None, {}, "why", "what"),
]


def data(classes=3):
    x = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    y = np.arange(12) % classes
    return {f"{name}_{part}": rows for part in ("train", "val") for name, rows in (("x", x), ("y", y))} | {
        "n_classes": classes
    }


def outcome(*labels):
    return Outcome("small", 0, list(labels), [], [], {"val": 0.5}, 1.0)


def test_network_is_the_one_the_case_says():
    block = {"type": "residual", "layers": [{"type": "dense", "units": 4, "activation": "relu", "bias_init": -2.0}]}
    first = {"type": "dense", "units": 4, "activation": "tanh", "bias": False, "init": {"constant": 0.5}}
    case = CASE | {"layers": [first, block, *CASE["layers"]], "init": {"he_gain": 0.5}, "l2": 0.1, "momentum": 0.9}
    model = compiled(case, (400,))
    _, start, inside, add, head = model.layers
    assert np.all(np.asarray(start.kernel) == 0.5)
    assert not start.use_bias
    assert np.all(np.asarray(inside.bias) == -2)
    assert isinstance(add, thalweg.layers.Add)
    assert head.kernel_regularizer.l2 == pytest.approx(0.1)
    assert model.optimizer.momentum == 0.9
    wide = compiled(CASE | {"layers": [first | {"init": {"he_gain": 0.5}}, block]}, (400,)).layers[1]
    assert np.std(np.asarray(wide.kernel)) == pytest.approx(0.5 * (2 / 400) ** 0.5, rel=0.1)


def test_targets_follow_loss_and_head():
    y = np.array([0, 2, 1])
    one = CASE | {"loss": "mse", "layers": [{"type": "dense", "units": 1, "activation": "linear"}]}
    assert targets(CASE, y, 3) is y
    assert targets(CASE | {"loss": "mse"}, y, 3).tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert targets(one, y, 3).dtype == np.float32


def test_classes_are_read_off_any_head():
    assert named(np.array([[0.1, 0.9]]), CASE, 2).tolist() == [1]
    assert named(np.array([[1.7], [-0.2]]), CASE, 3).tolist() == [2, 0]
    assert named(np.array([[0.2]]), CASE, 2).tolist() == [0]
    assert named(np.array([[0.2]]), CASE | {"from_logits": True}, 2).tolist() == [1]


def test_findings_come_from_history_or_error(monkeypatch):
    fit = thalweg.Model.fit

    def healed(self, *given, diagnose=None, **more):
        history = fit(self, *given, **more)
        history.diagnosis = Diagnosis(tuple(FINDINGS))
        return history

    def stopped(self, *given, **more):
        error = ArgumentError("stopped", expected="", got="", fix="")
        error.diagnosis = Diagnosis(tuple(FINDINGS))
        raise error

    for stand_in in (healed, stopped):
        monkeypatch.setattr(thalweg.Sequential, "fit", stand_in)
        found = train(CASE, data(), 0)
        assert (found.labels, found.suspected) == (["plateau"], ["lr_too_low"])
        assert found.error == ("stopped" if stand_in is stopped else None)
    assert codes(FINDINGS * 2, "diagnosed") == ["plateau"]


def test_doctor_of_today_is_asked():
    spoilt = data()
    spoilt["x_train"][0, 0] = np.nan
    found = train(CASE, spoilt, 0)
    assert found.labels == ["nan_inf"]
    assert found.error == "x holds a number that is not finite"


def test_what_the_doctor_judged_by_is_judged_again():
    record = HEALTHY.to_dict() | {"broken": {"step": 3, "layer": None, "message": "nan"}}
    assert again(dataclasses.replace(outcome("plateau"), record=record)).labels == ["lr_too_high"]
    assert again(outcome("plateau")).labels == ["plateau"]


def test_counts_by_hand():
    pairs = [(CASE, outcome("plateau", "underfitting")), (CASE | {"truth": []}, outcome("plateau"))]
    assert scores.per_label(pairs) == {"plateau": (1, 1, 1), "bad_init": (0, 1, 0)}
    assert "recall 0.500 (1/2), precision 0.500 (1 wrong)" in scores.summary(pairs)
    assert "healthy alarmed 1/1" in scores.summary(pairs)
    assert "plateau 1/2" in scores.case_table([(CASE, outcome("plateau")), (CASE, outcome())])


def test_twin_has_all_cures():
    (twin,) = twins([CASE, CASE | {"truth": []}])
    assert (twin["truth"], twin["init"], twin["lr"]) == ([], "he_normal", 1.0)
    assert twin["data"] == {"rows": 12, "scale": 1}


def test_rungs_are_cases():
    ladder = {
        "name": "rates",
        "base": CASE | {"truth": [], "accept": []},
        "rungs": [{"lr": 0.1}, {"lr": 9}, {"lr": 99}],
    }
    rights = [{"label": "lr_too_high", "right": right} for right in ("must_not", "either", "must")]
    steps = list(rungs(ladder, {"rates": {"rungs": rights}}))
    assert [case["lr"] for case in steps] == [0.1, 9, 99]
    assert [(case["truth"], case["accept"]) for case in steps] == [
        ([], []),
        ([], ["lr_too_high"]),
        (["lr_too_high"], []),
    ]
    pairs = list(zip(steps, (outcome("plateau"), outcome(), outcome("plateau")), strict=True))
    assert scores.ladder_summary(pairs).startswith("ladders: own label 0/1, anything 1/1 where it must be; alarms 1/1")


def test_folder_is_read(tmp_path):
    (tmp_path / "clinic_core.py").write_text("def load(case): return case['name']")
    (tmp_path / "clinic_tiny.py").write_text(f"CASES = [{CASE!r}]\nLADDERS = []")
    (tmp_path / "clinic_tiny_truth.json").write_text('{"_ladders": {}, "small": {"twin_healthy": false}}')
    clinic = folder(tmp_path)
    assert clinic.load(clinic.cases[0]) == "small"
    assert not list(twins(clinic.cases))


def test_own_cases_are_whole():
    clinic = own()
    names = [case["name"] for case in clinic.cases]
    assert len(set(names)) == len(names)
    for case in clinic.cases:
        assert {*case["truth"], *case["accept"]} <= {*LABELS}
        assert bool(case["cures"]) == bool(case["truth"])
    assert {label for case in clinic.cases for label in case["truth"]} == {*LABELS}
    for ladder in clinic.ladders:
        for rung in rungs(ladder, clinic.rungs):
            assert rung["layers"]


OF_SCIKIT_LEARN = pytest.mark.needs("sklearn")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=OF_SCIKIT_LEARN) if name == "table" else name for name in SOURCES]
)
def test_sources_give_rows_and_targets(name):
    words = {"table": {"name": "wine"}}.get(name, {"n": 40})
    x, y = SOURCES[name](np.random.default_rng(0), **words)
    assert len(x) == len(y) == len(x.reshape(len(x), -1))
    assert np.isfinite(x).all()


def test_data_are_spoilt_as_said():
    base = {"source": "clouds", "n": 400}
    case = CASE | {"task": "binary", "data": base}

    def with_(**words):
        return load(case | {"data": base | words})

    plain = with_()
    assert [len(plain[f"x_{part}"]) for part in ("train", "val", "test")] == [200, 100, 100]
    assert np.allclose(plain["x_train"].mean(0), 0, atol=1e-5)
    noisy = with_(label_noise=0.3)
    assert 0.2 < (noisy["y_train"] != plain["y_train"]).mean() < 0.4
    assert (noisy["y_test"] == plain["y_test"]).all()
    leaky = with_(leak=1.0, scale="none")
    rows = {row.tobytes() for row in leaky["x_train"]}
    assert all(row.tobytes() in rows for row in leaky["x_val"])
    assert with_(thin={1: 0.1})["y_train"].mean() < 0.2
    assert np.isnan(with_(nan_x=0.1)["x_train"]).any(1).sum() == 20
    assert with_(columns={1: 50.0})["x_train"].std(0)[1] == pytest.approx(50, rel=0.01)
    lifted = load(case | {"task": "regression", "data": {"source": "hills", "n": 400, "y_scale": 3.0, "y_offset": 9.0}})
    assert lifted["y_train"].mean() > 6


def test_cured_is_as_good_as_the_twin():
    result = Result(CASE, sick=0.4, treated=0.88, twin=0.9, applied=(), error="", seconds=1.0)
    assert result.cured
    assert result.curable
    assert not result.worse
    assert not result._replace(treated=0.8).cured
    assert result._replace(treated=0.3).worse
    assert not result._replace(case=CASE | {"cures": {"overfitting": {"data": {"n": 900}}}}).curable
