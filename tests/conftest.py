"""Fixtures and options that several stages' tests share."""

import importlib.util

from thalweg.executors.numpy import NumpyExecutor


def all_executors():
    """Every executor that can run here, by name; the numpy one is what the others are compared with.

    As soon as the native one's module exists, failing to import it is a failure and not a reason to skip.
    """
    found = {"numpy": NumpyExecutor()}
    if importlib.util.find_spec("thalweg.executors.native.executor"):
        from thalweg.executors.native.executor import NativeExecutor
        from thalweg.executors.native.host import executable_hosts

        found["native"] = NativeExecutor()
        found["checked"] = NativeExecutor(checked=True)
        for host in executable_hosts()[1:]:  # the first is what NativeExecutor() takes
            found[f"native-{host.name}"] = NativeExecutor(host=host)
    return found


EXECUTORS = all_executors()
COMPILED = [name for name in EXECUTORS if name != "numpy"]


def pytest_addoption(parser):
    parser.addoption("--programs", type=int, default=300, help="how many random programs each executor runs")


def pytest_generate_tests(metafunc):
    """``executor`` stands for each executor, ``compiled`` for each but the numpy one, ``native`` for the plain one."""
    if "executor" in metafunc.fixturenames:
        metafunc.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS.keys())
    if "compiled" in metafunc.fixturenames:
        metafunc.parametrize("compiled", [EXECUTORS[name] for name in COMPILED], ids=COMPILED)
    if "native" in metafunc.fixturenames:
        names = [name for name in COMPILED if name == "native"]
        metafunc.parametrize("native", [EXECUTORS[name] for name in names], ids=names)
