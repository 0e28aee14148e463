import importlib.util
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

import thalweg
from thalweg import config, cores, executors
from thalweg.errors import ArgumentError, MissingPackageError
from thalweg.executors import patience
from thalweg.executors.native import executor as native
from thalweg.executors.native.machine import this_host
from thalweg.executors.native.run import cache
from thalweg.executors.xla import devices
from thalweg.graph.node import Graph
from thalweg.layers import Dense, Input
from thalweg.ops import input_node


def test_the_environment_chooses_the_executor(monkeypatch):
    monkeypatch.setenv("THALWEG_EXECUTOR", "numpy")
    assert executors.default().name == "numpy"


def test_an_unknown_executor_is_an_error_with_a_suggestion(monkeypatch):
    monkeypatch.setenv("THALWEG_EXECUTOR", "numpi")
    with pytest.raises(ArgumentError, match="did you mean 'numpy'"):
        executors.default()


def test_what_the_process_has_chosen_comes_before_the_environment(monkeypatch):
    monkeypatch.setenv("THALWEG_EXECUTOR", "native")
    monkeypatch.setattr(config._settings, "executor", "numpy")
    assert executors.default().name == "numpy"


def test_without_jax_the_xla_executor_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(MissingPackageError, match="the xla executor needs JAX") as found:
        executors.named("xla")
    assert "pip install 'thalweg[xla]'" in found.value.fix


def test_a_jax_that_is_too_old_is_an_error(monkeypatch):
    old = SimpleNamespace(__version__="0.4.30", version=SimpleNamespace(__version_info__=(0, 4, 30)))
    monkeypatch.setitem(sys.modules, "jax", old)
    with pytest.raises(MissingPackageError, match="too old") as found:
        executors.named("xla:gpu")
    assert (found.value.expected, found.value.got) == ("JAX 0.8 or newer", "JAX 0.4.30")


def test_a_jax_that_does_not_load_is_an_error(monkeypatch, tmp_path):
    (tmp_path / "jax.py").write_text("raise RuntimeError('jaxlib is version 0.1, but this version of jax needs 0.10')")
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingPackageError, match="JAX cannot be loaded") as found:
        executors.named("xla")
    assert found.value.got.startswith("jaxlib is version 0.1")


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """A machine with a GPU. The package json stands for that by which JAX computes on it."""
    for variable in ("THALWEG_EXECUTOR", "JAX_PLATFORMS"):
        monkeypatch.delenv(variable, raising=False)
    file = tmp_path / "nvidia0"
    file.touch()
    monkeypatch.setattr(devices, "ACCELERATORS", [("GPU", "gpu", (str(file),), ("no_such_package", "json"))])
    executors._tell_once.cache_clear()
    yield file
    executors._tell_once.cache_clear()


def fit(told=None, **options):
    model = thalweg.Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse")
    if told is not None:
        model.executor = told
    model.fit(np.zeros((4, 2), "f4"), np.zeros((4, 1), "f4"), diagnose=False, **{"verbose": 2, **options})


def test_who_has_a_gpu_and_says_nothing_is_told_once(gpu, capsys):
    fit()
    fit()
    (line,) = capsys.readouterr().err.splitlines()
    assert "JAX sees a GPU" in line
    assert "executor='xla:gpu'" in line
    assert "--device gpu" in line


def test_who_has_said_what_to_run_on_or_wants_no_word_is_not_told(gpu, capsys, monkeypatch):
    fit(verbose=0)
    fit("numpy")
    fit(executor="numpy")
    monkeypatch.setenv("THALWEG_EXECUTOR", "numpy")
    fit()
    assert capsys.readouterr().err == ""


def test_nobody_is_told_of_a_gpu_that_jax_does_not_see(gpu, capsys, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert devices.accelerator() is None
    monkeypatch.delenv("JAX_PLATFORMS")
    assert devices.accelerator() == ("GPU", "gpu")
    gpu.unlink()
    assert devices.accelerator() is None
    monkeypatch.setattr(devices, "ACCELERATORS", [("GPU", "gpu", ("/dev/null",), ("no_such_package",))])
    assert devices.accelerator() is None


def test_without_llvmlite_numpy_runs_with_a_notice(monkeypatch):
    monkeypatch.delenv("THALWEG_EXECUTOR", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.warns(executors.ExecutorNotice, match="llvmlite is not installed"):
        assert executors.default().name == "numpy"


def test_threads_come_from_the_argument_then_the_environment(monkeypatch):
    monkeypatch.setenv("THALWEG_THREADS", "3")
    assert cores.wanted(5) == 5
    assert cores.wanted(None) == 3
    monkeypatch.setenv("THALWEG_THREADS", "none")
    with pytest.raises(ArgumentError, match="THALWEG_THREADS"):
        cores.wanted(None)
    with pytest.raises(ArgumentError, match="threads"):
        cores.wanted(0)


def test_unless_somebody_says_how_many_the_executor_may_choose(monkeypatch):
    monkeypatch.delenv("THALWEG_THREADS", raising=False)
    assert isinstance(cores.wanted(None), cores.AtMost)
    assert cores.wanted(None) == cores.available()
    assert isinstance(cores.wanted(cores.AtMost(2)), cores.AtMost)
    assert not isinstance(cores.wanted(2), cores.AtMost)
    monkeypatch.setenv("THALWEG_THREADS", "2")
    assert not isinstance(cores.wanted(None), cores.AtMost)


def test_more_threads_than_cores_are_allowed_and_said_once(monkeypatch, capsys):
    cores._say_once.cache_clear()
    many = cores.available() + 1
    assert [cores.wanted(many), cores.wanted(many)] == [many, many]
    assert capsys.readouterr().err.count(f"{many} threads as told") == 1
    cores.wanted(1)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("quota", "expected"), [("max 100000", None), ("150000 100000", 2), ("50000 100000", 1)])
def test_a_containers_quota_limits_the_threads(tmp_path, quota, expected):
    (tmp_path / "cpu.max").write_text(quota)
    assert cores._quota(tmp_path) == expected


@pytest.mark.parametrize("given", ["zzz", "AVX2", "neon,sse2"])
def test_a_host_that_is_not_there_is_an_error(monkeypatch, given):
    monkeypatch.setenv("THALWEG_HOST", given)
    with pytest.raises(ArgumentError, match="THALWEG_HOST"):
        this_host.__wrapped__()


@pytest.mark.parametrize("given", ["10000", "99999999999999999999"])
def test_more_threads_than_any_machine_has(monkeypatch, given):
    monkeypatch.setenv("THALWEG_THREADS", given)
    with pytest.raises(ArgumentError, match="THALWEG_THREADS"):
        cores.wanted(None)
    with pytest.raises(ArgumentError, match="threads"):
        cores.wanted(int(given))


def test_who_waits_long_for_the_compiler_is_told(monkeypatch, capsys):
    told = threading.Event()
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(cache, "load", lambda key: None)
    compiled = native._compiled

    def slowly(*arguments):
        assert told.wait(30)
        return compiled(*arguments)

    monkeypatch.setattr(native, "_compiled", slowly)

    def show(text, file):
        file.write(text)
        told.set()

    monkeypatch.setattr(patience, "print", show, raising=False)
    native.NativeExecutor().compile(Graph({"y": input_node("x", (5,)) * 3.0}), gather=False)
    assert "Compiling a step of" in capsys.readouterr().err
