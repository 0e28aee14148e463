"""A few hundred cases of every kind, the same each time; and that what is wrong is found, shrunk and repeatable."""

import itertools

import pytest
from tests.fuzz import calls, running

import thalweg

CASES = {
    "calls": lambda: calls.sample_of_all(0.3),
    "models": lambda: itertools.islice(running.cases("models"), 200),
    "data": lambda: itertools.islice(running.cases("data"), 300),
    "cache": lambda: itertools.islice(running.cases("cache"), 200),
    "threads": lambda: itertools.islice(running.cases("threads"), 30),
}


@pytest.mark.parametrize("name", CASES)
def test_nothing_fails(name):
    found = running.explore(name, CASES[name]())
    assert not found.failures, found.report(name)
    assert found.counts.total() >= 30


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


def test_a_crash_or_a_hang_is_a_result_too():
    """The child is started again after each; what comes before them needs no other one."""
    child = running.Child("calls", seconds=60.0)
    for case, where in ENDS.items():
        if where == "hang":
            child.seconds = 3.0
        outcome = child.run(case)
        assert outcome.failed
        assert outcome.where == where
    child.close()


ENDS = {
    "1 / 0": "ZeroDivisionError in the call",
    "np.log(np.zeros(1))": "RuntimeWarning of <string>",
    "__import__('os').abort()": "crash (-6)",
    "__import__('time').sleep(600)": "hang",
}
