"""The sums that a step adds up of its layers, and what follows from them."""

import math

import numpy as np
import pytest
from tests.compute import compute, inputs

from thalweg import statistics
from thalweg.graph.node import scope
from thalweg.statistics import parameter_sums, result_sums, summary, together

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
X[X < 0] = 0


def nodes(**arrays):
    with scope("dense"):
        return inputs(**arrays)


def found(sums, **arrays):
    return summary({name: float(value) for name, value in compute(sums, {}, **arrays).items()})


def test_what_a_layer_gives():
    with scope("dense"):
        (x,) = inputs(x=X)
        y = x * 2.0
    values = found(result_sums([y]), x=X)["dense"]
    exact = X.astype(np.float64) * 2
    expected = {"mean": exact.mean(), "deviation": exact.std(), "zeros": (exact == 0).mean()}
    assert values == pytest.approx(expected, rel=1e-12)


def test_several_uses_count_together_and_one_tensor_once():
    with scope("dense"):
        (x,) = inputs(x=X)
        one, two = x * 2.0, x - 1.0
    values = found(result_sums([one, two, one]), x=X)["dense"]
    exact = np.concatenate([X * 2, X - 1]).astype(np.float64)
    assert values["mean"] == pytest.approx(exact.mean(), rel=1e-6)
    assert values["deviation"] == pytest.approx(exact.std(), rel=1e-6)


def test_the_parameters_of_a_layer_together():
    w, b, dw, db = nodes(w=X, b=X[0], dw=X + 1, db=X[0] - 1)
    parts = [parameter_sums("enc/dense/kernel", w, dw, w - 0.1), parameter_sums("enc/dense/bias", b, db, b - 0.1)]
    values = found(together(parts), w=X, b=X[0], dw=X + 1, db=X[0] - 1)["enc/dense"]
    gradient = math.sqrt(np.square(X + 1).sum() + np.square(X[0] - 1).sum())
    ratio = 0.1 * math.sqrt(28) / math.sqrt(np.square(X).sum() + np.square(X[0]).sum())
    assert values == pytest.approx({"gradient_norm": gradient, "update_ratio": ratio}, rel=1e-5)


def test_a_parameter_that_the_step_does_not_move():
    w, dw = nodes(w=X, dw=X)
    assert found(parameter_sums("dense/kernel", w, dw, None), w=X, dw=X)["dense"].keys() == {"gradient_norm"}


def test_integers_have_no_statistics():
    assert result_sums(nodes(x=np.arange(3))) == {}


def test_what_has_no_meaning_is_nan():
    given = dict.fromkeys(("count", "total", "squares", "zeros", "before", "before_total", "before_squares"), 0.0)
    shares = dict.fromkeys(("units", "silent", "bounded", "ends", "move", "weight", "slopes", "flat"), 0.0)
    sums = {**given, **shares, "gradient": 4.0, "slope": 1.0, "kernels": 1.0, "gains": 4.0}
    values = summary({f"a/b/{name}": value for name, value in sums.items()})["a/b"]
    assert values.keys() == set(statistics.ALL)
    norms = {"gradient_norm": 2.0, "kernel_gradient": 1.0, "gain": 2.0}
    assert {name: values[name] for name in norms} == norms
    assert all(math.isnan(values[name]) for name in values.keys() - norms.keys())


def test_rounding_makes_no_negative_variance():
    sums = {"count": 3.0, "total": 3.0, "squares": 3.0 - 1e-12, "zeros": 0.0}
    assert summary({f"a/{name}": value for name, value in sums.items()})["a"]["deviation"] == 0
