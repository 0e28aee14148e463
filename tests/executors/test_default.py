import importlib.util

import pytest

from thalweg import executors
from thalweg.errors import ArgumentError
from thalweg.executors import threads


def test_the_environment_chooses_the_executor(monkeypatch):
    monkeypatch.setenv("THALWEG_EXECUTOR", "numpy")
    assert executors.default().name == "numpy"


def test_an_unknown_executor_is_an_error_with_a_suggestion(monkeypatch):
    monkeypatch.setenv("THALWEG_EXECUTOR", "numpi")
    with pytest.raises(ArgumentError, match="did you mean 'numpy'"):
        executors.default()


def test_without_llvmlite_numpy_runs_with_a_notice(monkeypatch):
    monkeypatch.delenv("THALWEG_EXECUTOR", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.warns(executors.ExecutorNotice, match="llvmlite is not installed"):
        assert executors.default().name == "numpy"


def test_threads_come_from_the_argument_then_the_environment(monkeypatch):
    monkeypatch.setenv("THALWEG_THREADS", "3")
    assert threads.wanted(5) == 5
    assert threads.wanted(None) == 3
    monkeypatch.setenv("THALWEG_THREADS", "none")
    with pytest.raises(ArgumentError, match="THALWEG_THREADS"):
        threads.wanted(None)
    with pytest.raises(ArgumentError, match="threads"):
        threads.wanted(0)


@pytest.mark.parametrize(("quota", "cores"), [("max 100000", None), ("150000 100000", 2), ("50000 100000", 1)])
def test_a_containers_quota_limits_the_threads(tmp_path, quota, cores):
    (tmp_path / "cpu.max").write_text(quota)
    assert threads._quota(tmp_path) == cores
