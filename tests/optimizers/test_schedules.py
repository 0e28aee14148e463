"""Schedules: values by hand, ends and corners; tests/oracles has Keras's and PyTorch's."""

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg.errors import ArgumentError
from thalweg.optimizers import SGD
from thalweg.optimizers.schedules import (
    ConstantRate,
    CosineDecay,
    CosineDecayRestarts,
    FlatCosine,
    LinearWarmup,
    LogCosineCycles,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
)


def test_piecewise_values_hold_up_to_and_with_their_boundary():
    schedule = PiecewiseConstantDecay([2, 4], [0.3, 0.2, 0.1])
    assert [schedule(step) for step in range(6)] == [0.3, 0.3, 0.3, 0.2, 0.2, 0.1]


@pytest.mark.parametrize(("boundaries", "values"), [([1, 2], [0.1, 0.2]), ([2, 1], [0.1] * 3), ([1, 1], [0.1] * 3)])
def test_piecewise_bad_input(boundaries, values):
    with pytest.raises(ArgumentError, match="one fewer"):
        PiecewiseConstantDecay(boundaries, values)


def test_polynomial_cycles_get_longer():
    schedule = PolynomialDecay(1.0, 10, end_learning_rate=0.0, cycle=True)
    np.testing.assert_allclose([schedule(step) for step in (0, 5, 10, 11, 20, 21)], [1, 0.5, 0, 0.45, 0, 0.3])


def test_cosine_stays_down():
    schedule = CosineDecay(0.5, 10, alpha=0.1, warmup_target=1.0, warmup_steps=4)
    np.testing.assert_allclose([schedule(step) for step in (0, 2, 4, 9, 14, 99)], [0.5, 0.75, 1.0, 0.55, 0.1, 0.1])


@pytest.mark.parametrize("t_mul", [1.0, 1.1, 2.0, 3.0, 10.0])
@pytest.mark.parametrize("first", [1, 7, 10])
def test_every_restart_begins_at_the_top(t_mul, first):
    """Also where a logarithm that is off by its last digit would take the wave before: at its lowest."""
    schedule = CosineDecayRestarts(1.0, first, t_mul=t_mul, m_mul=0.5)
    begin, length = 0.0, float(first)
    for restart in range(12):
        assert schedule(np.ceil(begin)) == pytest.approx(0.5**restart, abs=0.5**restart * min(1, 3 / length**2 + 1e-6))
        begin, length = begin + length, length * t_mul


def test_warmup_leads_into_the_other_schedule():
    schedule = LinearWarmup(PolynomialDecay(0.4, 10, end_learning_rate=0.0), warmup_steps=4, start=0.2)
    np.testing.assert_allclose([schedule(step) for step in (0, 2, 4, 9, 14)], [0.2, 0.3, 0.4, 0.2, 0.0], atol=1e-15)
    assert LinearWarmup(0.4, warmup_steps=4)(100) == 0.4


def test_log_cosine_cycles_rest_at_times_that_double():
    """With 3 cycles at 0, 1/7, 3/7 and 1 of the steps, at the top in between; and 0 for ever after."""
    schedule = LogCosineCycles(0.5, 70, cycles=3)
    np.testing.assert_allclose([schedule(step) for step in (0, 10, 30, 70, 700)], 0.0, atol=1e-12)
    tops = [(2**turns - 1) * 10 for turns in (0.5, 1.5, 2.5)]
    np.testing.assert_allclose([schedule(step) for step in tops], 0.5)


def test_flat_cosine_is_flat_and_then_falls_to_nothing():
    schedule = FlatCosine(0.4, 100, flat=0.2)
    np.testing.assert_allclose(
        [schedule(step) for step in (0, 20, 60, 100, 101)], [0.4, 0.4, 0.2, 0.0, 0.0], atol=1e-12
    )


def test_one_cycle_stays_at_its_end():
    schedule = OneCycle(1.0, 100)
    assert schedule(0) == pytest.approx(1 / 25)
    assert schedule(29) == pytest.approx(1.0)
    assert schedule(99) == schedule(10**6) == pytest.approx(1 / 25e4)
    with pytest.raises(ArgumentError, match="pct_start"):
        OneCycle(1.0, 100, pct_start=0.6, three_phase=True)


def test_a_schedule_trains_as_rates_that_are_set_do():
    """``learning_rate`` of a step is the schedule's at the number of steps before it, over several fits."""
    schedule = CosineDecay(0.5, 10)
    x, y = nets.points(24)
    scheduled = nets.classifier(optimizer=SGD(schedule))

    class Set(thalweg.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate = schedule(self.model.optimizer.iterations)

    by_hand = nets.classifier(optimizer=SGD(0.1))
    for epochs in (1, 2):
        scheduled.fit(x, y, batch_size=8, epochs=epochs, initial_epoch=epochs - 1, verbose=0)
        by_hand.fit(x, y, batch_size=8, epochs=epochs, initial_epoch=epochs - 1, callbacks=[Set()], verbose=0)
    assert nets.same_bits(scheduled, by_hand)
    assert scheduled.optimizer.learning_rate == pytest.approx(schedule(6))


def test_a_scheduled_rate_cannot_be_set():
    model = nets.classifier(optimizer=SGD(ConstantRate(0.5)))
    assert model.optimizer.learning_rate == 0.5
    with pytest.raises(ArgumentError, match="has a schedule"):
        model.optimizer.learning_rate = 0.25
    with pytest.raises(ArgumentError, match="has a schedule"):
        model.fit(*nets.points(8), callbacks=[thalweg.callbacks.LearningRateScheduler(lambda epoch: 0.1)], verbose=0)


def test_a_file_names_the_schedule(tmp_path):
    optimizer = SGD(LinearWarmup(CosineDecay(0.5, 10), 5))
    nets.classifier(optimizer=optimizer).save(tmp_path / "m.thalweg")
    assert thalweg.load_model(tmp_path / "m.thalweg").optimizer.rule == optimizer
