"""What the doctor says of a ``fit``, and where it is met."""

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import layers, optimizers
from thalweg.diagnosis import DiagnosisNotice, Doctor
from thalweg.doctor import visit
from thalweg.errors import ArgumentError, NonFiniteError

X, Y = nets.points(96)
SPREAD = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
SIDE = (SPREAD[:, 0] > 0).astype(np.int32)


def network(rate=0.5, **initial):
    thalweg.utils.set_random_seed(1)
    model = thalweg.Sequential(
        [thalweg.Input((4,)), layers.Dense(8, "tanh", **initial), layers.Dense(1, "sigmoid", **initial)]
    )
    model.compile(optimizers.SGD(rate), "binary_crossentropy")
    return model


def test_it_is_silent_where_training_works(capsys):
    model = network()
    history = model.fit(SPREAD, SIDE, epochs=20, verbose=2)
    assert history.diagnosis is model.diagnosis
    assert not history.diagnosis
    assert str(history.diagnosis) == ""
    assert all(line.startswith("Epoch") for line in capsys.readouterr().out.splitlines())


def test_what_is_certain_is_printed_unless_the_training_is_silent(capsys):
    for verbose in (2, 0):
        model = network(kernel_initializer="zeros")
        history = model.fit(SPREAD, SIDE, epochs=20, verbose=verbose)
        assert history.diagnosis.codes[0] == "bad_init"
        assert ("bad_init" in capsys.readouterr().out) == bool(verbose)
    assert len(str(history.diagnosis).splitlines()) <= 8
    assert history.diagnosis[0].change in str(history.diagnosis)


def test_nobody_looks_where_it_is_not_wanted():
    model = network(kernel_initializer="zeros")
    assert model.fit(SPREAD, SIDE, epochs=20, verbose=0, diagnose=False).diagnosis is None


def test_results_do_not_depend_on_it():
    with_doctor, alone, measured = network(), network(), network()
    with_doctor.fit(SPREAD, SIDE, epochs=4, seed=0, verbose=0)
    alone.fit(SPREAD, SIDE, epochs=4, seed=0, verbose=0, diagnose=False)
    history = measured.fit(SPREAD, SIDE, epochs=4, seed=0, verbose=0, diagnose=Doctor(every=2))
    assert nets.same_bits(with_doctor, alone)
    assert nets.same_bits(measured, alone)
    assert history.diagnosis.record.measured


def test_an_overflow_has_a_diagnosis():
    model = thalweg.Sequential([thalweg.Input((4,)), layers.Dense(8, "tanh"), layers.Dense(1)])
    model.compile(optimizers.SGD(100.0), "mse")
    with pytest.raises(NonFiniteError) as raised:
        model.fit(SPREAD, SPREAD[:, 1], epochs=30, verbose=0)
    assert raised.value.diagnosis is model.diagnosis
    assert [finding.code for finding in model.diagnosis] == ["lr_too_high"]


def test_the_task_may_be_said():
    history = network().fit(SPREAD, SIDE, epochs=4, verbose=0, diagnose=Doctor(task="regression"))
    assert history.diagnosis.record.task == "regression"
    with pytest.raises(ArgumentError, match="task"):
        Doctor(task="clustering")


def test_a_loop_over_epochs_by_hand_is_not_taken_for_many_trainings():
    model = network(rate=1e-6)
    for _ in range(3):
        history = model.fit(SPREAD, SIDE, batch_size=8, epochs=1, verbose=0)
    assert history.diagnosis.record.train is None
    assert not history.diagnosis.diagnosed


def test_a_fault_of_the_doctor_costs_no_training(monkeypatch):
    def broken(*arguments):
        raise RuntimeError("oh")

    monkeypatch.setattr(visit, "before", broken)
    model = network()
    with pytest.warns(DiagnosisNotice, match="oh"):
        history = model.fit(SPREAD, SIDE, epochs=2, verbose=0)
    assert not history.diagnosis
    assert "oh" in history.diagnosis.unknown["all"]


def test_streams_several_outputs_and_steps_of_ones_own_are_no_trouble():
    def batches():
        for start in range(0, 200, 20):
            yield SPREAD[start : start + 20], SIDE[start : start + 20]

    assert not network().fit(batches, epochs=20, verbose=0).diagnosis

    x = thalweg.Input((4,))
    two = thalweg.Model(x, {"side": layers.Dense(1, "sigmoid")(x), "size": layers.Dense(1)(x)})
    two.compile(optimizers.Adam(0.05), {"side": "binary_crossentropy", "size": "mse"})
    assert not two.fit(SPREAD, {"side": SIDE, "size": SPREAD[:, 1]}, epochs=20, verbose=0).diagnosis

    class Own(thalweg.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1, "sigmoid")

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            return super().train_step(data)

    own = Own()
    own.compile("sgd", "binary_crossentropy")
    assert not own.fit(SPREAD, SIDE, epochs=20, verbose=0).diagnosis


def test_simple_methods_look_at_fewer_rows_where_training_was_short(monkeypatch):
    asked = []
    monkeypatch.setattr(visit, "reference_of", lambda arrays, task, most: asked.append(most))
    for a_second in (2e11, 1e3):
        monkeypatch.setattr(visit, "OPERATIONS", a_second)
        network(rate=1e-6).fit(SPREAD, SIDE, epochs=20, verbose=0)
    assert asked[0] == visit.FEWEST_REFERENCE_ROWS
    assert asked[-1] == visit.REFERENCE_ROWS


def test_how_long_a_training_is_goes_by_its_work(monkeypatch):
    cases = []
    judge = visit.visit

    def noted(task, case, *given):
        cases.append(case)
        return judge(task, case, *given)

    monkeypatch.setattr(visit, "visit", noted)
    network().fit(SPREAD, SIDE, batch_size=50, epochs=1, verbose=0)
    products = 2 * 50 * (4 * 8 + 8 * 1)
    assert visit.seconds(cases[0], 10) == pytest.approx(10 * (3 * products / visit.OPERATIONS + visit.STEP_SECONDS))
