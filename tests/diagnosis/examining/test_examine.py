"""examine: all tests at once, within a time; the model stays as it is, and nothing of a user's ends in a crash."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
from tests.diagnosis.examining.nets import compiled, regression

import thalweg
from thalweg import Input, Model, diagnosis, layers, optimizers
from thalweg.diagnosis import Cannot
from thalweg.diagnosis.examining.batch import batch_of
from thalweg.diagnosis.examining.curvature import curvature_of
from thalweg.diagnosis.examining.examination import TESTS
from thalweg.diagnosis.examining.inputs import inputs_of
from thalweg.diagnosis.examining.rate import rate_of
from thalweg.diagnosis.examining.seeds import seeds_of
from thalweg.diagnosis.examining.surface import surface_of
from thalweg.errors import ArgumentError, DataError, GraphError, NameNotFoundError
from thalweg.numdiff.check import GradientCheck


def network(**options):
    parts = [layers.Dense(3, "relu"), layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(1)]
    return compiled(parts, "mse", optimizers.Adam(0.01), **options)


@pytest.fixture
def quick(monkeypatch):
    """All tests, with few steps."""
    short = {
        "batch": lambda s: batch_of(s, steps=20),
        "inputs": lambda s: inputs_of(s, steps=10),
        "curvature": lambda s: curvature_of(s, products=6),
        "seeds": lambda s: seeds_of(s, 2, 10),
        "surface": lambda s: surface_of(s, points=3),
        "rate": lambda s: rate_of(s, 4, 1, 1),
    }
    for name in TESTS:
        run = short.get(name, TESTS[name].run)
        monkeypatch.setitem(TESTS, name, dataclasses.replace(TESTS[name], run=run, work=0, programs=0))


def test_the_model_stays_as_it_is_to_the_bit(quick):
    """Trained halfway, examined, trained on: the same bits as without the examination."""
    x, y = regression(64)
    looked_at, left_alone = network(), network()
    for model in (looked_at, left_alone):
        model.fit(x, y, epochs=2, verbose=0, seed=3)
    before, history = {name: looked_at.state.read(name) for name in looked_at.state}, looked_at.history
    found = diagnosis.examine(looked_at, x, y)
    assert found.outcomes.keys() == TESTS.keys()
    assert {name for name, one in found.outcomes.items() if isinstance(one, Cannot)} == set()
    after = {name: looked_at.state.read(name) for name in looked_at.state}
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
    assert looked_at.history is history
    assert after.keys() == before.keys()
    for model in (looked_at, left_alone):
        model.fit(x, y, epochs=2, verbose=0)
    pairs = zip(looked_at.get_weights(), left_alone.get_weights(), strict=True)
    assert all(a.tobytes() == b.tobytes() for a, b in pairs)


@pytest.mark.parametrize("test", TESTS)
def test_each_test_leaves_an_untrained_model_as_it_is(test, quick):
    x, y = regression(40)
    model = network()
    before = {name: model.state.read(name) for name in model.state}
    rate = float(model.optimizer.learning_rate)
    first = diagnosis.examine(model, x, y, tests=test)
    assert all(before[name].tobytes() == model.state.read(name).tobytes() for name in before)
    assert float(model.optimizer.learning_rate) == rate
    assert model.history is None
    again = diagnosis.examine(model, x, y, tests=[test])
    assert json.dumps(first.to_dict()["outcomes"]) == json.dumps(again.to_dict()["outcomes"])


def test_only_what_is_asked_for_and_in_what_time():
    x, y = regression(40)
    found = diagnosis.examine(network(), x, y, tests=["noise", "gradients"])
    assert list(found.outcomes) == ["gradients", "noise"]
    assert found["noise"].code in str(found)
    short = diagnosis.examine(network(), x, y, seconds=1e-3)
    assert not short.outcomes
    assert short.left_out.keys() == TESTS.keys()
    assert "left out, because it takes about" in str(short)
    with pytest.raises(NameNotFoundError, match="not run"):
        short["noise"]


def test_what_is_wrong_is_listed(quick):
    x, _y = regression(40)
    model = compiled([layers.Dense(1)], "mse", optimizers.SGD(1000.0))
    found = diagnosis.examine(model, x, x[:, :1], tests=["rate", "gradients"])
    assert found.troubles == {"rate": found["rate"]}
    assert "to do: learning_rate=" in str(found)


def test_everything_is_drawn_in_one_figure(pyplot, quick):
    x, y = regression(40)
    found = diagnosis.examine(network(), x, y, tests=["rate", "batch", "seeds", "surface"])
    titles = [ax.get_title() for ax in found.plot().axes]
    assert found["batch"].code in titles
    assert found["surface"].code in titles
    assert len(titles) >= 6
    with pytest.raises(NameNotFoundError, match="nothing to draw"):
        diagnosis.examine(network(), x, y, tests="noise").plot()


def test_what_does_not_apply_says_why_and_the_others_run(quick):
    x, y = regression(40)
    found = diagnosis.examine(compiled([layers.Dense(4, "tanh"), layers.Dense(1)], "mse", optimizers.LBFGS()), x, y)
    assert [name for name, one in found.outcomes.items() if one.code == "cannot"] == ["rate"]
    assert "L-BFGS" in found["rate"].verdict
    assert "rate" not in found.troubles
    frozen = compiled([layers.Dense(1, trainable=False)], "mse")
    assert {one.code for one in diagnosis.examine(frozen, x, y).outcomes.values()} == {"cannot"}


@pytest.mark.parametrize("rows", [1, 2])
def test_hardly_any_rows(rows, quick):
    x, y = regression(rows)
    assert diagnosis.examine(compiled([layers.Dense(1)], "mse"), x, y).outcomes.keys() == TESTS.keys()


def test_several_outputs(quick):
    x, y = regression(40)
    a = Input((4,))
    model = Model(a, {"p": layers.Dense(2, "softmax", name="p")(a), "q": layers.Dense(1, name="q")(a)})
    model.executor = "numpy"
    model.compile("adam", {"p": "sparse_categorical_crossentropy", "q": "mse"})
    found = diagnosis.examine(model, x, {"p": (y[:, 0] > 0).astype(int), "q": y})
    assert not [one for one in found.outcomes.values() if isinstance(one, Cannot)]


def test_a_model_without_an_input_whose_loss_is_to_be_chosen():
    x, y = regression(40)
    model = thalweg.Sequential([layers.Dense(1)])
    model.executor = "numpy"
    model.compile("adam", "auto")
    assert diagnosis.examine(model, x, y, tests="gradients")["gradients"].code == "right"


def test_bad_input():
    x, y = regression(40)
    with pytest.raises(GraphError, match="not compiled"):
        diagnosis.examine(thalweg.Sequential([Input((4,)), layers.Dense(1)]), x, y)
    with pytest.raises(ArgumentError, match="stream"):
        diagnosis.examine(network(), ((x, y) for _ in range(3)))
    with pytest.raises(ArgumentError, match="stream"):
        diagnosis.examine(network(), lambda: iter([(x, y)]))
    with pytest.raises(DataError, match="not finite"):
        diagnosis.examine(network(), np.full_like(x, np.nan), y)
    with pytest.raises(NameNotFoundError, match="no such test") as error:
        diagnosis.examine(network(), x, y, tests="rates")
    assert "did you mean 'rate'?" in str(error.value)


def test_wrong_gradients_are_found():
    from tests.numdiff.test_check import Wrong

    x, y = regression(40)
    found = diagnosis.gradient_test(compiled([layers.Dense(3), Wrong(0.5), layers.Dense(1)], "mse"), x, y)
    assert found.code == "wrong"
    assert "dense/kernel" in found.verdict
    assert isinstance(found.check, GradientCheck)
    assert found.to_dict()["tensors"]["dense/kernel"] == "WRONG"
    assert found.worst > 0.1


def test_nothing_is_printed_and_no_notice_given(capsys, quick):
    x, y = regression(40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        diagnosis.examine(network(), x, y, tests=["inputs", "noise", "curvature"])
    assert capsys.readouterr() == ("", "")
