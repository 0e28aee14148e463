"""Fixtures and options that several stages' tests share."""

import importlib.util
import os
import signal
import tempfile
from dataclasses import replace

import pytest

from thalweg.executors.executor import Executor
from thalweg.executors.native.executor import NativeExecutor
from thalweg.executors.native.machine import executable_hosts
from thalweg.executors.native.run.team import run_on
from thalweg.executors.numpy import NumpyExecutor
from thalweg.executors.xla.executor import XlaExecutor


def all_executors() -> dict[str, Executor]:
    """Every executor that can run here, by name; the numpy one is what the others are compared with.

    The checked one is told of no first-level cache: it fetches ahead in small programs too.
    """
    widest, *narrower = executable_hosts()  # the first is what NativeExecutor() takes
    fetching = replace(widest, core=replace(widest.core, l1_bytes=0))
    return {
        "numpy": NumpyExecutor(),
        "native": NativeExecutor(),
        "checked": NativeExecutor(checked=True, host=fetching),
        **{f"native-{host.name}": NativeExecutor(host=host) for host in narrower},
        "xla": XlaExecutor("cpu"),
    }


collect_ignore: list[str] = []
if "--xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):  # for processes of many devices
    collect_ignore += ["executors/xla/on_devices.py", "executors/xla/catalogue_on_devices.py"]

EXECUTORS = all_executors()
COMPILED = [name for name in EXECUTORS if name != "numpy"]
BUILDS = [name for name in COMPILED if name != "xla"]


def pytest_addoption(parser):
    parser.addoption("--programs", type=int, default=100, help="how many random programs each executor runs")
    parser.addoption("--long", action="store_true", help="run what is marked long too")
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew instead of comparing")


def pytest_configure(config):
    """Compiled code and records of trainings go to a folder of this run of the tests, so that the user's stay as they
    are; processes started inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background jobs; tests of Ctrl-C would wait
        signal.signal(signal.SIGINT, signal.default_int_handler)
    needing = {"sklearn": "src/thalweg/sklearn/*", "jax": "src/thalweg/executors/xla/*"}  # no doctests without these
    missing = [folder for package, folder in needing.items() if importlib.util.find_spec(package) is None]
    config.option.ignore_glob = [
        *(config.option.ignore_glob or []),
        *(str(config.rootpath / folder) for folder in missing),
    ]
    os.environ.setdefault("KERAS_BACKEND", "jax")  # what the extra `oracles` installs; Keras looks for TensorFlow else
    folder = tempfile.TemporaryDirectory(prefix="thalweg-tests-", ignore_cleanup_errors=True)
    ours = {"THALWEG_CACHE_DIR": folder.name, "THALWEG_RUNS": os.path.join(folder.name, "runs")}
    before = {name: os.environ.get(name) for name in ours}
    os.environ |= ours

    def restore():
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value
        folder.cleanup()

    config.add_cleanup(restore)


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """What asks for the fixture ``pyplot`` needs matplotlib."""
    for item in items:
        if "pyplot" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.needs("matplotlib"))


def pytest_runtest_setup(item):
    """``needs("torch")``: skipped where that is missing. ``-m needs`` runs only these: what the plain suite lacks.

    ``long``: run on request, with ``--long``.
    """
    if item.get_closest_marker("long") and not item.config.getoption("--long"):
        pytest.skip("takes long: --long")
    packages = {name for mark in item.iter_markers("needs") for name in mark.args}
    if missing := sorted(name for name in packages if importlib.util.find_spec(name) is None):
        pytest.skip(f"not installed: {', '.join(missing)}")


def pytest_generate_tests(metafunc):
    """``executor`` stands for each executor, ``compiled`` for each but the numpy one, ``native_build`` for each build
    of the native one, ``native`` for the plain one, ``engine`` for that and the xla one.

    Every program is compiled once more for the checked build, which is slow, and for each of the narrower vectors,
    which are long: in every test run there are random programs and convolutions on them.
    """
    fixtures = {
        "executor": [*EXECUTORS],
        "compiled": COMPILED,
        "native_build": BUILDS,
        "native": ["native"],
        "engine": ["native", "xla"],
    }
    for fixture, names in fixtures.items():
        if fixture in metafunc.fixturenames:
            cases = [pytest.param(EXECUTORS[name], id=name, marks=cost(name)) for name in names]
            metafunc.parametrize(fixture, cases)


def cost(executor: str) -> tuple[pytest.MarkDecorator, ...]:
    """The marks of a test on the executor of this name."""
    if executor in ("numpy", "native"):
        return ()
    if executor == "xla":
        return (pytest.mark.slow, pytest.mark.needs("jax"))
    return (pytest.mark.slow,) if executor == "checked" else (pytest.mark.slow, pytest.mark.long)


@pytest.fixture
def pyplot():
    """Matplotlib drawing into memory; its figures are closed at the end."""
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    yield pyplot
    pyplot.close("all")


@pytest.fixture
def teams(monkeypatch):
    """With how many threads the native programs were entered, each number once."""
    seen = set()

    def record(threads, work):
        seen.add(threads)
        run_on(threads, work)

    monkeypatch.setattr("thalweg.executors.native.executor.run_on", record)
    return seen
