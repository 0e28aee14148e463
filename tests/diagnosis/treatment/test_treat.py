"""``treat`` as users call it: what is given back, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.diagnosis.treatment.networks import stack

import thalweg
from thalweg import layers
from thalweg.diagnosis import treat
from thalweg.diagnosis.treatment.program import Program
from thalweg.diagnosis.treatment.start import starting_values
from thalweg.errors import ThalwegError


def data(count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    x = random.normal(size=(count, 3)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] > 0).astype(int)


def compiled(model: thalweg.Model, loss: str = "binary_crossentropy", **options: Any) -> thalweg.Model:
    model.compile(thalweg.optimizers.SGD(0.5), loss, **options)
    model.executor = "numpy"
    return model


def small(head: str = "sigmoid") -> thalweg.Sequential:
    """A network that does not know its input yet."""
    return thalweg.Sequential([layers.Dense(4, "tanh"), layers.Dense(1, head)])


def test_a_head_that_does_not_fit_is_found_and_cured() -> None:
    x, y = data()
    model = compiled(small("softmax"))
    treatment = treat(model, x, y, epochs=4, batch_size=25, verbose=0)
    assert treatment.diagnosis.codes == ("wrong_loss",)
    assert max(treatment.after) > 0.8
    assert "sigmoid" in treatment.diff
    assert '+    Dense(1, activation="sigmoid")' in treatment.diff
    assert (treatment.model.predict(x, verbose=0)[:, 0] > 0.5).astype(int).tolist() != [1] * len(x)
    assert "sigmoid" in str(treatment)
    assert treatment.to_dict()["applied"] == list(treatment.applied)
    assert treatment.fit_arguments["batch_size"] == 25


def test_missing_numbers_are_filled_in_the_model_and_the_arrays_stay() -> None:
    x, y = data()
    x[5, 1] = x[6, 0] = np.nan
    before = x.copy()
    treatment = treat(compiled(small()), x, y, epochs=4, batch_size=25, verbose=0)
    assert treatment.diagnosis.codes == ("nan_inf",)
    assert np.array_equal(x, before, equal_nan=True)
    assert any(type(layer).__name__ == "FillMissing" for layer in treatment.model.layers)
    assert np.isfinite(treatment.model.predict(x, verbose=0)).all()


def test_the_same_seed_gives_the_same_treatment() -> None:
    x, y = data(80)
    x[5, 1] = x[6, 0] = np.nan
    first, second = (treat(compiled(small()), x, y, epochs=2, verbose=0, seed=3) for _ in range(2))
    assert first.tried == second.tried
    for mine, other in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_model_that_learns_is_given_back_trained_and_the_given_one_stays() -> None:
    x, y = data()
    model = compiled(stack("tanh", 1, "sigmoid", 1))
    before = model.get_weights()
    treatment = treat(model, x, y, epochs=20, batch_size=10, verbose=0)
    assert treatment.applied == ()
    assert treatment.diff == ""
    assert "Nothing was changed" in str(treatment)
    for mine, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert treatment.before[0] > 0.9


def test_a_better_model_than_any_training_gives_is_given_back() -> None:
    x, y = data()
    model = compiled(stack("tanh", 1, "sigmoid", 1))
    model.fit(x, y, epochs=40, batch_size=10, verbose=0)
    treatment = treat(model, x, y, epochs=1, batch_size="full", verbose=0, budget=1.5)

    def score(network: thalweg.Model) -> float:
        return float(((network.predict(x, verbose=0)[:, 0] > 0.5) == y).mean())

    assert score(treatment.model) >= score(model) - 1e-6


def test_what_somebody_put_into_the_model_is_what_every_run_begins_with() -> None:
    drawn, put, frozen = (compiled(stack("tanh", 1, "sigmoid", 1)) for _ in range(3))
    put.layers[0].set_weights([np.ones((3, 4)), np.zeros(4)])
    frozen.layers[0].trainable = False
    assert starting_values(drawn) == {}
    assert list(starting_values(put)) == ["dense/kernel"]
    assert sorted(starting_values(frozen)) == ["dense/bias", "dense/kernel"]


class Twice(thalweg.Model):
    """A network that its class describes."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = layers.Dense(2, "tanh")
        self.end = layers.Dense(1, "sigmoid")

    def call(self, inputs: Any) -> Any:
        return self.end(self.inner(inputs))


def test_of_a_class_of_ones_own_only_compile_and_fit_are_changed() -> None:
    x, _ = data(20)
    model = compiled(Twice())
    model.build_for(x)
    program = Program.of(model, {})
    assert program.network is None
    assert program.weighted == []
    assert type(program.make()) is Twice


class OwnStep(Twice):
    def train_step(self, data: Any) -> Any:
        return super().train_step(data)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda x, y: treat(stack(), x, y), "compile"),
        (lambda x, y: treat(compiled(stack()), (row for row in x), epochs=1), "stream"),
        (lambda x, y: treat(compiled(stack()), x), "without targets"),
        (lambda x, y: treat(compiled(OwnStep()), x, y), "step of its own"),
        (lambda x, y: treat(compiled(stack()), x, y, epoch=3), "epoch"),
        (lambda x, y: treat(compiled(stack()), x, y, run="name"), "run"),
        (lambda x, y: treat(compiled(stack()), x, y, task="clustering"), "no such task"),
        (lambda x, y: treat(compiled(stack()), x, y, budget=0.5), "budget"),
    ],
)
def test_what_cannot_be_treated(call: Any, problem: str) -> None:
    with pytest.raises(ThalwegError, match=problem):
        call(*data(20))


def test_several_outputs_cannot() -> None:
    x = layers.Input((3,))
    model = thalweg.Model(x, [layers.Dense(1)(x), layers.Dense(1)(x)])
    model.compile("sgd", "mse")
    rows, y = data(20)
    with pytest.raises(ThalwegError, match="several outputs"):
        treat(model, rows, [y, y])
