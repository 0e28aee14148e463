"""memory.py: what is asked for is held against what the machine, the container and ulimit leave."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import Input, Sequential, executors, layers, memory
from thalweg.errors import ExecutorError, InsufficientMemoryError
from thalweg.executors.native.executor import NativeExecutor

MB = 1 << 20


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Files as the system shows them: 1000 MB left, 24 of them on disk; no groups."""
    monkeypatch.setattr(memory, "_ROOT", tmp_path)
    monkeypatch.setattr(memory, "_own_limits", lambda: iter(()))

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    write("proc/meminfo", f"MemTotal: 1 kB\nMemAvailable: {976 * 1024} kB\nSwapFree: {24 * 1024} kB\nHugePages: 0\n")
    return write


def left():
    return min(memory.limits())[0] // MB


def test_what_the_machine_has(system):
    assert left() == 1000


def test_what_a_container_may_take_of_it(system):
    """Version 2: the narrowest of the groups around it counts; what is only cached makes way."""
    system("proc/self/cgroup", "0::/outer/inner\n")
    system("sys/fs/cgroup/outer/inner/memory.max", "max\n")
    system("sys/fs/cgroup/outer/memory.max", f"{500 * MB}\n")
    system("sys/fs/cgroup/outer/memory.current", f"{300 * MB}\n")
    system("sys/fs/cgroup/outer/memory.stat", f"anon 1\ninactive_file {100 * MB}\n")
    assert left() == 500 - 300 + 100 + 24


@pytest.mark.parametrize("line", ["9:memory:/docker/id", "9:cpu,memory:/", "1:name=systemd:/x\n9:memory:/"])
def test_what_a_container_of_version_1_may_take(system, line):
    system("proc/self/cgroup", f"{line}\n")
    system("sys/fs/cgroup/memory/memory.limit_in_bytes", f"{400 * MB}\n")
    system("sys/fs/cgroup/memory/memory.usage_in_bytes", f"{150 * MB}\n")
    assert left() == 400 - 150 + 24


def test_a_machine_that_does_not_tell_refuses_only_what_no_machine_has(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_ROOT", tmp_path)
    memory.require(1 << 46, "a", lambda: "b")
    with pytest.raises(InsufficientMemoryError):
        memory.require(1 << 48, "a", lambda: "b")


@pytest.fixture
def little(monkeypatch):
    """Sets how much is left, whatever is taken."""

    def set_to(count):
        monkeypatch.setattr(memory, "SMALL_BYTES", 0)
        monkeypatch.setattr(memory, "limits", lambda: iter([(count, "the test")]))

    return set_to


@pytest.mark.parametrize("units", [10**9, 2**62, 2**63, 10**30])
def test_a_layer_that_no_machine_holds(units):
    with pytest.raises(InsufficientMemoryError, match=r"layer 'wide' \(Dense\): the parameter 'kernel'") as caught:
        Sequential([Input((100_000,)), layers.Dense(units, name="wide")])
    assert isinstance(caught.value, MemoryError)


def test_a_model_whose_parameters_do_not_fit(little):
    stack = [Input((100,)), *(layers.Dense(100, use_bias=False, name=f"dense_{i}") for i in range(10))]
    needed = 9 * 100 * 100 * 4 + 3 * 100 * 100 * 4  # an initial value is made in float64
    little(needed - 1)
    with pytest.raises(
        InsufficientMemoryError, match=r"the model's parameters.*\n.*\n.*'dense_0/kernel' alone takes 39\.1 KB"
    ):
        Sequential(stack)
    little(needed)
    Sequential(stack)


def test_slots_that_do_not_fit(little):
    model = nets.regressor(features=1000, optimizer="adam")
    little(7999)
    with pytest.raises(InsufficientMemoryError, match="what the optimizer keeps"):
        model.fit(np.ones((4, 1000)), np.ones((4, 1)), verbose=0)
    little(MB)
    model.fit(np.ones((4, 1000)), np.ones((4, 1)), verbose=0)


def test_a_step_that_does_not_fit(little):
    model = Sequential([Input((10,)), layers.Dense(64, "relu", name="wide"), layers.Dense(1)])
    model.executor = NativeExecutor()
    model.compile("sgd", "mse")
    x, y = np.ones((256, 10)), np.ones((256, 1))
    little(20_000)
    with pytest.raises(InsufficientMemoryError, match=r"a step.*\n.*\n.*float32\[256,64\].*wide"):
        model.fit(x, y, batch_size=256, verbose=0)
    model.fit(x, y, batch_size=8, verbose=0)


def test_what_numpy_is_refused_has_four_parts(monkeypatch):
    model = nets.regressor()
    model.executor = executors.named("numpy")
    monkeypatch.setattr("thalweg.training.session.Session.run", lambda self: np.ones(1 << 55))
    with pytest.raises(InsufficientMemoryError, match="fit: the memory is used up"):
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)


LIMITED = """
import resource, sys
import numpy as np
import thalweg
from thalweg import Input, Sequential, errors, executors, layers
model = Sequential([Input((10,)), layers.Dense(1)])
model.executor = executors.named("numpy")
model.compile("adam", "mse")
model.fit(np.ones((300, 10)), np.ones((300, 1)), verbose=0)  # what is imported now is no longer in question
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for extra in (2, 3, 5, 20, 60, 150):  # with one MB Python itself may crash, or be unable to make an error
    resource.setrlimit(resource.RLIMIT_AS, (used + (extra << 20), resource.RLIM_INFINITY))
    try:
        model = Sequential([Input((10,)), layers.Dense(8, "relu"), layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(np.ones((300, 10)), np.ones((300, 1)), verbose=0, threads=2)
    except errors.ThalwegError as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="only Linux tells and limits how much is mapped")
def test_under_a_tight_limit_of_addresses_there_are_errors_in_four_parts(tmp_path):
    environment = {**os.environ, "THALWEG_CACHE_DIR": str(tmp_path), "THALWEG_EXECUTOR": "native"}
    result = subprocess.run(
        [sys.executable, "-c", LIMITED],
        cwd=Path(thalweg.__file__).parents[1],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert set(result.stdout.split()) <= {InsufficientMemoryError.__name__, ExecutorError.__name__}
    assert result.stdout
