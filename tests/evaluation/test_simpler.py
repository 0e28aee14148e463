"""Simpler models beside a network, and when it is said that they do as well."""

import json
import sys

import numpy as np
import pytest

from thalweg.errors import ArgumentError, MissingPackageError, NameNotFoundError
from thalweg.evaluation import baselines, judge_predictions
from thalweg.evaluation.bootstrap import Score
from thalweg.evaluation.simpler import Baselines, Entrant, Features

sklearn_needed = pytest.mark.needs("sklearn")


def line(rows=400, seed=0):
    """A target that a linear model explains, and a network's answer with this much error on top."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 3))
    return x, 2 * x[:, 0] - x[:, 1] + 0.3 * random.normal(size=rows)


@sklearn_needed
def test_a_linear_target_needs_no_network():
    x, y = line()
    network = 2 * x[300:, 0] - x[300:, 1]
    found = baselines((x[:300], y[:300]), (x[300:], y[300:]), network, seconds=2.0, size=4000, threads=1)
    names = [one.name for one in found.entrants]
    assert names == ["the network", "linear regression", "gradient boosting", "random forest"]
    assert found.score == "RMSE"
    assert found.as_good[0].name == "linear regression"
    assert "does as well" in found.sentences()[0]
    lead = found.entrants[1].lead
    whole = found.entrants[1].scores["RMSE"]
    assert lead.value == pytest.approx(whole.value - found.entrants[0].scores["RMSE"].value)
    assert lead.high - lead.low < 0.5 * (whole.high - whole.low)  # paired: on the same rows
    assert found.entrants[3].lead.low > 0  # the forest is worse
    assert max(map(len, str(found.table()).splitlines())) <= 80
    assert all(one.seconds > 0 and one.size > 0 for one in found.entrants)
    json.dumps(found.to_dict(), allow_nan=False)


@sklearn_needed
def test_a_network_that_is_worse_and_one_that_is_better():
    x, y = line()
    train, test = (x[:300], y[:300]), (x[300:], y[300:])
    worse = baselines(train, test, np.zeros(100), threads=1)
    assert worse.sentences() == [
        "Better than the network: linear regression and gradient boosting and random forest (RMSE, paired, 95 %)."
    ]
    better = baselines(train, test, y[300:] + 1e-3, threads=1)
    assert better.sentences() == ["The network is better than each simpler model here (RMSE, paired, 95 %)."]


@sklearn_needed
def test_classes_with_missing_numbers_and_categories():
    random = np.random.default_rng(0)
    codes = random.integers(0, 4, (300, 2)).astype(np.int32)
    numbers = random.normal(size=(300, 2)).astype(np.float32)
    numbers[random.random((300, 2)) < 0.2] = np.nan
    moments = random.integers(0, 10**9, (300, 1))
    moments[::7] = np.iinfo(np.int64).min
    y = (codes[:, 0] > 1).astype(int) + 2 * (random.random(300) < 0.02)
    y[:200][y[:200] == 3] = 2  # a class that is only held out
    inputs: dict[str, np.ndarray] = {"numbers": numbers, "codes": codes, "moments": moments}
    train = {name: array[:200] for name, array in inputs.items()}
    test = {name: array[200:] for name, array in inputs.items()}
    guess = np.full((100, 4), 0.25)
    found = baselines((train, y[:200]), (test, y[200:]), guess, threads=1, score="log loss")
    assert found.score == "log loss"
    assert found.entrants[1].scores["accuracy"].value > 0.9
    assert Features.of(inputs).codes.shape == (300, 2)
    assert np.isnan(Features.of(inputs).numbers[::7, 2]).all()


@sklearn_needed
def test_several_targets():
    x, y = line(150)
    both = np.stack([y, -y], 1)
    found = baselines((x[:100], both[:100]), (x[100:], both[100:]), both[100:] + 0.5, targets=["a", "b"], threads=1)
    assert found.score == "mean R2"
    assert max(map(len, str(judge_predictions(both[100:], both[100:] + 0.1).with_sections(found)).splitlines())) <= 80


def test_the_table_fits_into_80_columns_whatever_the_numbers():
    score = Score(-1234567.8, -2345678.9, -1.2345e-5)
    entrants = tuple(Entrant(name, {"balanced accuracy": score}, 12345.6, 1e12, score) for name in ("n", "long" * 9))
    table = Baselines("balanced accuracy", entrants, 100, 100, 100).table()
    assert max(map(len, str(table).splitlines())) <= 80
    assert "network's lead" in table.header


@sklearn_needed
def test_the_same_seed_gives_the_same():
    x, y = line(120)
    first, second = (
        baselines((x[:80], y[:80]), (x[80:], y[80:]), y[80:] + x[80:, 2], threads=1, seed=3) for _ in range(2)
    )
    assert [one.scores for one in first.entrants] == [one.scores for one in second.entrants]
    assert [one.lead.low for one in first.entrants[1:]] == [one.lead.low for one in second.entrants[1:]]


@sklearn_needed
def test_of_very_many_rows_some_are_trained_on(monkeypatch):
    monkeypatch.setattr("thalweg.evaluation.simpler.MOST_ROWS", 50)
    x, y = line(120)
    found = baselines((x[:80], y[:80]), (x[80:], y[80:]), y[80:], threads=1)
    assert found.sentences()[0] == "The simpler models were trained on 50 of the 80 rows."


@sklearn_needed
@pytest.mark.parametrize(
    ("error", "options", "rows"), [(NameNotFoundError, {"score": "rsme"}, 80), (ArgumentError, {}, 79)]
)
def test_what_cannot_be(error, options, rows):
    x, y = line(120)
    with pytest.raises(error) as caught:
        baselines((x[:rows], y[:80]), (x[80:], y[80:]), y[80:], **options)
    assert all((caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))


def test_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    x, y = line(20)
    with pytest.raises(MissingPackageError, match="scikit-learn"):
        baselines((x, y), (x, y), y)
