"""An optimizer brings its own way of running a step; the loop knows none of them."""

import numpy as np
import pytest
from tests import nets

from thalweg import ops
from thalweg.errors import ArgumentError, NonFiniteError
from thalweg.optimizers import SGD, Adam
from thalweg.optimizers.stepper import PlainStepper

X, Y = nets.points(48)


class Often:
    """Every step so many times on the same rows; it has converged when the loss is below a limit."""

    def __init__(self, times, limit=0.0):
        self.times = times
        self.limit = limit
        self.losses: list[float] = []

    @property
    def converged(self):
        return self.losses[-1] < self.limit

    def run(self, program, graph, state, data, index, threads):
        out = np.zeros((1, *graph.outputs["loss"].shape), graph.outputs["loss"].dtype)
        for row in np.repeat(index, self.times, axis=0):
            program.run(state.memory, data, row[None], {"loss": out}, threads)
            self.losses.append(float(out[0]))


class Repeated(SGD):
    """SGD with steps repeated, which nothing but this class knows."""

    times = 2
    limit = 0.0

    def outputs(self, loss, gradients):
        return {"loss": ops.cast(loss, "float64")}

    def stepper(self, paths):
        assert list(paths) == ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]
        return Often(self.times, self.limit)

    def check_fit(self, steps, constrained):
        if steps > 3:
            raise ArgumentError("too many steps", expected="3", got=str(steps), fix="use larger batches")


def test_most_optimizers_run_the_step_as_it_is():
    assert isinstance(Adam().stepper(["a"]), PlainStepper)
    assert not Adam().stepper(["a"]).converged
    assert Adam().outputs(ops.constant(0.0), {}) == {}


def test_a_stepper_of_ones_own():
    twice, plain = nets.classifier(optimizer=Repeated(0.1)), nets.classifier(optimizer=SGD(0.1))
    twice.fit(X, Y, batch_size=16, epochs=1, shuffle=False, verbose=0)
    again = np.repeat(np.arange(48).reshape(3, 16), 2, axis=0).ravel()
    plain.fit(X[again], Y[again], batch_size=16, epochs=1, shuffle=False, verbose=0)
    assert nets.same_bits(twice, plain)


def test_in_train_on_batch():
    twice, plain = nets.classifier(optimizer=Repeated(0.1)), nets.classifier(optimizer=SGD(0.1))
    twice.train_on_batch(X, Y)
    plain.train_on_batch(X, Y)
    plain.train_on_batch(X, Y)
    assert nets.same_bits(twice, plain)


def test_a_stepper_says_when_it_is_done(monkeypatch):
    monkeypatch.setattr(Repeated, "limit", 0.9)
    history = nets.classifier(optimizer=Repeated(0.5)).fit(X, Y, batch_size=48, epochs=500, verbose=0)
    assert history.stopped_by == "converged"
    assert len(history.epoch) < 500


def test_what_an_optimizer_cannot_train_is_said_before_anything_runs():
    model = nets.classifier(optimizer=Repeated(0.1))
    before = model.get_weights()
    with pytest.raises(ArgumentError, match="too many steps"):
        model.fit(X, Y, batch_size=8, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_loss_that_is_not_finite_is_found_by_the_same_stepper():
    with pytest.raises(NonFiniteError, match="training step 1 gives numbers"):
        nets.classifier(optimizer=Repeated(3e38)).fit(X, Y, batch_size=48, verbose=0)
