"""Fixtures and options that several stages' tests share."""

import importlib.util
import os
import tempfile

import pytest

from thalweg.executors.numpy import NumpyExecutor

if importlib.util.find_spec("thalweg.executors.native.executor"):
    # As soon as the module exists, failing to import it is a failure and not a reason to skip.
    from thalweg.executors.native import executor as native_executor
    from thalweg.executors.native.host import executable_hosts
else:
    native_executor = None


def all_executors():
    """Every executor that can run here, by name; the numpy one is what the others are compared with."""
    found = {"numpy": NumpyExecutor()}
    if native_executor:
        found["native"] = native_executor.NativeExecutor()
        found["checked"] = native_executor.NativeExecutor(checked=True)
        for host in executable_hosts()[1:]:  # the first is what NativeExecutor() takes
            found[f"native-{host.name}"] = native_executor.NativeExecutor(host=host)
    return found


EXECUTORS = all_executors()
COMPILED = [name for name in EXECUTORS if name != "numpy"]


def pytest_addoption(parser):
    parser.addoption("--programs", type=int, default=300, help="how many random programs each executor runs")
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew instead of comparing")


def pytest_configure(config):
    """Compiled code goes to a folder of this run, so that the user's stays as it is; processes started inherit it."""
    folder = tempfile.TemporaryDirectory(prefix="thalweg-tests-", ignore_cleanup_errors=True)
    before = os.environ.get("THALWEG_CACHE_DIR")
    os.environ["THALWEG_CACHE_DIR"] = folder.name

    def restore():
        del os.environ["THALWEG_CACHE_DIR"]
        if before is not None:
            os.environ["THALWEG_CACHE_DIR"] = before
        folder.cleanup()

    config.add_cleanup(restore)


def pytest_generate_tests(metafunc):
    """``executor`` stands for each executor, ``compiled`` for each but the numpy one, ``native`` for the plain one.

    The checked build and the narrower vectors are slow: every program is compiled once more for each of them.
    """
    plain = [name for name in COMPILED if name == "native"]
    for fixture, names in {"executor": EXECUTORS, "compiled": COMPILED, "native": plain}.items():
        if fixture in metafunc.fixturenames:
            cases = [
                pytest.param(EXECUTORS[name], id=name, marks=() if name in ("numpy", "native") else pytest.mark.slow)
                for name in names
            ]
            metafunc.parametrize(fixture, cases)


@pytest.fixture
def on_all_threads(monkeypatch):
    """Native programs run on as many threads as they are given, even where one alone would be quicker."""
    if native_executor:
        program = native_executor.NativeProgram
        monkeypatch.setattr(program, "_run_steps", lambda self, threads, steps: self._call(threads, 0, steps))


@pytest.fixture
def teams(monkeypatch):
    """With how many threads the native programs were entered, each number once."""
    seen = set()
    run_on = native_executor.run_on

    def record(threads, work):
        seen.add(threads)
        run_on(threads, work)

    monkeypatch.setattr(native_executor, "run_on", record)
    return seen
