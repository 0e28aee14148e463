import importlib.util
import threading

import pytest

from thalweg import executors
from thalweg.errors import ArgumentError
from thalweg.executors import threads
from thalweg.executors.native import executor as native
from thalweg.executors.native.machine import this_host
from thalweg.executors.native.run import cache
from thalweg.graph.node import Graph
from thalweg.ops import input_node


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


def test_unless_somebody_says_how_many_the_executor_may_choose(monkeypatch):
    monkeypatch.delenv("THALWEG_THREADS", raising=False)
    assert isinstance(threads.wanted(None), threads.AtMost)
    assert threads.wanted(None) == threads.available()
    assert isinstance(threads.wanted(threads.AtMost(2)), threads.AtMost)
    assert not isinstance(threads.wanted(2), threads.AtMost)
    monkeypatch.setenv("THALWEG_THREADS", "2")
    assert not isinstance(threads.wanted(None), threads.AtMost)


def test_more_threads_than_cores_are_allowed_and_said_once(monkeypatch, capsys):
    threads._say_once.cache_clear()
    many = threads.available() + 1
    assert [threads.wanted(many), threads.wanted(many)] == [many, many]
    assert capsys.readouterr().err.count(f"{many} threads as told") == 1
    threads.wanted(1)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("quota", "cores"), [("max 100000", None), ("150000 100000", 2), ("50000 100000", 1)])
def test_a_containers_quota_limits_the_threads(tmp_path, quota, cores):
    (tmp_path / "cpu.max").write_text(quota)
    assert threads._quota(tmp_path) == cores


@pytest.mark.parametrize("given", ["zzz", "AVX2", "neon,sse2"])
def test_a_host_that_is_not_there_is_an_error(monkeypatch, given):
    monkeypatch.setenv("THALWEG_HOST", given)
    with pytest.raises(ArgumentError, match="THALWEG_HOST"):
        this_host.__wrapped__()


@pytest.mark.parametrize("given", ["10000", "99999999999999999999"])
def test_more_threads_than_any_machine_has(monkeypatch, given):
    monkeypatch.setenv("THALWEG_THREADS", given)
    with pytest.raises(ArgumentError, match="THALWEG_THREADS"):
        threads.wanted(None)
    with pytest.raises(ArgumentError, match="threads"):
        threads.wanted(int(given))


def test_who_waits_long_for_the_compiler_is_told(monkeypatch, capsys):
    told = threading.Event()
    monkeypatch.setattr(native, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(cache, "load", lambda key: None)
    compiled = native._compiled

    def slowly(*arguments):
        assert told.wait(30)
        return compiled(*arguments)

    monkeypatch.setattr(native, "_compiled", slowly)

    def show(text, file):
        file.write(text)
        told.set()

    monkeypatch.setattr(native, "print", show, raising=False)
    native.NativeExecutor().compile(Graph({"y": input_node("x", (5,)) * 3.0}), gather=False)
    assert "Compiling a step of" in capsys.readouterr().err
