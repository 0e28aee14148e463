"""What loader.py does with objects that are not as LLVM makes them: CannotLoadError, and nothing worse."""

import platform
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from thalweg.executors import debug
from thalweg.executors.native import executor as native
from thalweg.executors.native.code import step
from thalweg.executors.native.code.addresses import RUN
from thalweg.executors.native.code.llvm import compile_parts
from thalweg.executors.native.code.step import generate, target
from thalweg.executors.native.machine import this_host
from thalweg.executors.native.plan import cost
from thalweg.executors.native.plan.plan import make_plan
from thalweg.executors.native.run.loader import CannotLoadError, LinkedObjects, MappedObjects, load
from thalweg.graph.node import Graph
from thalweg.ops import exp, input_node, reduce_sum, transpose

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="it reads ELF for x86-64 only"
)

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def code():
    """A sound object, with constants and so with relocations."""
    graph = Graph({"y": reduce_sum(exp(input_node("x", (40, 30))), 1)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost, "NEGLIGIBLE", 2.0)  # nothing is optimized, so that all is one object
        (code,) = native._compiled(graph, this_host(), False, False, debug.Phases()).objects
    return code


def loads(content):
    try:
        MappedObjects([content])
    except CannotLoadError:
        return False
    return True


def test_a_sound_object_loads(code):
    assert MappedObjects([code]).address(RUN) > 0


def test_a_truncated_object_does_not_load(code):
    (table,) = struct.unpack_from("<Q", code, 0x28)  # of sections; it stands last
    assert table > len(code) / 2
    cuts = [*range(64), *range(64, len(code), 61), len(code) - 1]
    assert [cut for cut in cuts if loads(code[:cut])] == []


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + b"\xff" * 5000])
def test_what_is_no_object_does_not_load(content):
    assert not loads(content)


def test_random_bytes_behind_a_sound_beginning_do_not_load(code):
    random = np.random.default_rng(0)
    for _ in range(50):
        assert not loads(code[:64] + random.bytes(len(code) - 64))


def test_flipped_bytes_do_no_harm(code):
    """It may load (a byte of the machine code itself tells nothing; the cache's hash is for that) or raise."""
    (table,) = struct.unpack_from("<Q", code, 0x28)
    random = np.random.default_rng(0)
    places = [*range(64), *range(table, len(code)), *random.integers(64, table, 500)]
    results = set()
    for place in places:
        changed = bytearray(code)
        changed[place] ^= int(random.integers(1, 256))
        results.add(loads(bytes(changed)))
    assert results == {False, True}


def test_an_object_for_another_system_goes_to_llvms_linker(code, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(CannotLoadError, match="x86-64"):
        MappedObjects([code])
    assert load([code]).address(RUN) > 0


def parts_of(graph):
    """The objects of a program, with a part for each task."""
    host = this_host()
    return compile_parts(generate(make_plan(graph, target(host), False), host, checked=False, part_characters=1), host)


def test_functions_are_found_in_other_objects():
    x = input_node("x", (40, 30))
    parts = parts_of(Graph({"y": reduce_sum(exp(x), 1), "z": transpose(x) * 2.0}))
    assert len(parts) == 3  # two kernels, and what calls them
    assert MappedObjects(parts).address(RUN) > 0
    assert LinkedObjects(parts).address(RUN) > 0
    with pytest.raises(CannotLoadError, match=r"kernel\.\d+' is not in the objects"):
        MappedObjects(parts[1:])


def test_both_linkers_give_the_same_results(native_and_llvm):
    ours, llvms = native_and_llvm
    assert ours.tobytes() == llvms.tobytes()


@pytest.fixture
def native_and_llvm(monkeypatch):
    """The result of one program, loaded by loader.py and by llvmlite."""
    results = []
    x = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    graph = Graph({"y": reduce_sum(exp(input_node("x", (40, 30))), 1)})
    monkeypatch.setattr(step, "PART_CHARACTERS", 1)  # so that there are several objects
    for machine in (platform.machine(), "riscv64"):
        with monkeypatch.context() as patch:
            patch.setattr(platform, "machine", lambda name=machine: name)
            program = native.NativeExecutor().compile(graph, gather=False)
        results.append(np.zeros(40, np.float32))
        program.run({}, {"x": x}, None, {"y": results[-1]})
    return results


REFUSED = """
import ctypes, os, sys, warnings
import numpy as np
SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None).prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0):
    sys.exit(77)
from tests import nets
from thalweg import executors
from thalweg.errors import ExecutorError
from thalweg.executors.native.executor import NativeExecutor
from thalweg.executors.native.run import loader
x, y = nets.points(20)

def trained(executor):
    model = nets.classifier()
    model.executor = executor
    model.fit(x, y, epochs=2, verbose=0)
    return model.get_weights()

assert executors.default().name == "native"
by_file = trained(NativeExecutor())
assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(by_file, trained(executors.named("numpy"))))

os.memfd_create = lambda name: os.open("/nothing", 0)  # as under SELinux, which can refuse this too
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("default")
    for _ in range(2):
        assert executors.default().name == "numpy"
assert [str(w.message) for w in caught if "many times slower" in str(w.message)], caught
assert len({(w.filename, w.lineno) for w in caught}) == len(caught) == 1
for known in (True, False):
    if not known:
        loader.platform.machine = lambda: "riscv64"  # so that llvmlite would link it
    try:
        trained(NativeExecutor())
    except ExecutorError as error:
        assert "MemoryDenyWriteExecute" in str(error)
    else:
        raise AssertionError(known)
"""


def test_where_memory_cannot_become_executable_it_is_mapped_or_numpy_runs():
    """In a process of its own: nobody can take that back. Linux 6.3 and later."""
    result = subprocess.run([sys.executable, "-c", REFUSED], cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode == 77:
        pytest.skip("this system has no PR_SET_MDWE")
    assert result.returncode == 0, result.stderr
