"""A few hundred cases of every kind, the same each time; and that what is wrong is found, shrunk and repeatable."""

import itertools

import pytest
from tests.fuzz import calls, running

import thalweg

CASES = {
    "calls": lambda: calls.sample_of_all(0.4),
    "models": lambda: itertools.islice(running.cases("models"), 200),
    "data": lambda: itertools.islice(running.cases("data"), 400),
    "cache": lambda: itertools.islice(running.cases("cache"), 200),
}


@pytest.mark.parametrize("name", CASES)
def test_nothing_fails(name):
    found = running.explore(name, CASES[name]())
    assert not found.failures, found.report(name)
    assert found.counts.total() >= 200


def test_what_is_accepted_against_an_annotation_is_found(monkeypatch):
    def lenient(units: int, name: str | None = None):
        return units

    monkeypatch.setattr(calls, "targets", lambda: (calls.Target("thalweg.lenient", lenient),))
    monkeypatch.setattr(thalweg, "lenient", lenient, raising=False)
    assert calls.run("thalweg.lenient(units=3, name=None)").result == "accepted"
    outcome = calls.run("thalweg.lenient(units=np.nan)")
    assert outcome.failed
    assert outcome.where == "accepted: thalweg.lenient, units"
    assert calls.run("thalweg.lenient(number=1)").result == "signature"


def test_a_failure_is_shrunk_to_what_it_takes():
    """Every smaller case that fails alike is taken, until there is none."""

    class Several:
        def smaller(self, case):
            yield from (case[:at] + case[at + 1 :] for at in range(len(case)))

    class OneThatFailsOn:
        def run(self, case):
            bad = "x" in case and "y" in case
            return running.Outcome("failed", "here") if bad else running.Outcome("accepted")

    case, outcome = running.shrunk(Several(), OneThatFailsOn(), "axbbyc", running.Outcome("failed", "here"))
    assert case == "xy"
    assert outcome.where == "here"


@pytest.mark.parametrize(
    ("case", "where"),
    [
        ("__import__('os').abort()", "crash (-6)"),
        ("__import__('time').sleep(60)", "hang"),
        ("1 / 0", "ZeroDivisionError in the call"),
        ("np.log(np.zeros(1))", "RuntimeWarning of <string>"),
    ],
)
def test_a_crash_or_a_hang_is_a_result_too(case, where):
    child = running.Child("calls", seconds=3.0 if where == "hang" else 60.0)
    outcome = child.run(case)
    child.close()
    assert outcome.failed
    assert outcome.where == where
