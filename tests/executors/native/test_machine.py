"""What is known of processors, what a system tells of its caches, and what is measured where nobody knows."""

from dataclasses import replace

import numpy as np
import pytest
from tests.executors import random_programs

from thalweg.errors import ExecutorError
from thalweg.executors.native import machine
from thalweg.executors.native.executor import NativeExecutor
from thalweg.executors.native.families import Identity, core_with, units
from thalweg.executors.native.host import AVX2, AVX512, NEON, SSE2, Core
from thalweg.executors.native.run import cache, measure


@pytest.mark.parametrize(
    ("identity", "host", "products"),
    [
        (("AuthenticAMD", 25, 17), AVX512, 1),  # Zen 4 does 512 bits in halves
        (("AuthenticAMD", 25, 17), AVX2, 2),
        (("AuthenticAMD", 26, 2), AVX512, 2),
        (("AuthenticAMD", 23, 1), AVX2, 1),
        (("GenuineIntel", 6, 0x8F), AVX512, 2),
        (("GenuineIntel", 6, 0x8C), AVX512, 1),
        (("0x41", 0, 0xD40), NEON, 4),
        (("0x41", 0, 0xD0C), NEON, 2),
        (("Apple", 0, 0), NEON, 4),
        (("GenuineIntel", 6, 0x9E), SSE2, 1),  # a product and a sum are two instructions
        (("AuthenticAMD", 25, 17), SSE2, 2),  # which has units of their own for sums
    ],
)
def test_multiply_adds_a_cycle_follow_from_units_and_vectors(identity, host, products):
    of = units(Identity(*identity))
    assert of is not None
    assert core_with(of, host).multiply_adds == products


@pytest.mark.parametrize("identity", [("", 0, 0), ("GenuineIntel", 6, 85), ("AuthenticAMD", 26, 0x24), ("0x41", 0, 1)])
def test_what_has_several_speeds_is_not_known(identity):
    assert units(Identity(*identity)) is None


def test_caches_are_what_the_system_tells(tmp_path):
    told = [("Data", 1, "48K"), ("Instruction", 1, "64K"), ("Unified", 2, "2048K"), ("Unified", 3, "32M")]
    for number, values in enumerate(told):
        (tmp_path / f"index{number}").mkdir()
        for name, value in zip(("type", "level", "size"), values, strict=True):
            (tmp_path / f"index{number}" / name).write_text(f"{value}\n")
    (tmp_path / "index4").mkdir()  # as in some containers: without files
    assert machine.cache_sizes(tmp_path) == {1: 48 << 10, 2: 2 << 20, 3: 32 << 20}
    assert machine.cache_sizes(tmp_path / "none") == {}


def test_the_clock_is_what_the_system_tells(tmp_path):
    file = tmp_path / "cpuinfo_max_freq"
    assert machine.highest_clock(file) is None
    for text, gigahertz in (("3679000\n", 3.5), ("0", None), ("none", None)):
        file.write_text(text)
        assert machine.highest_clock(file) == gigahertz


def test_measured_times_become_the_next_of_a_few_numbers():
    cycle = 1e-9 / 3.68
    seconds = [cycle, cycle * 0.52, cycle * 4.03, cycle * 1.1, cycle * 0.49]
    assert measure.core_of(seconds, Core(l2_bytes=123)) == Core(2, 1, 2, 4, l2_bytes=123, gigahertz=3.5)


@pytest.fixture
def unknown(monkeypatch, tmp_path):
    """A machine that nobody knows, and how often it was measured."""
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(machine, "units", lambda identity: None)
    times = []

    def measured(host):
        times.append(host.name)
        return replace(host.core, multiply_adds=0.5, latency=7)

    monkeypatch.setattr(measure, "measure", measured)
    return times


def test_an_unknown_processor_is_measured_once(unknown):
    cores = [machine.core_of.__wrapped__(AVX2) for _ in range(3)]
    assert unknown == ["avx2"]
    assert {(of.core.multiply_adds, of.core.latency, of.cycles) for of in cores} == {(0.5, 7, "measured")}
    machine.core_of.__wrapped__(SSE2)
    assert unknown == ["avx2", "sse2"]


@pytest.mark.parametrize("content", [b"", b"zzz", measure.to_bytes(Core(multiply_adds=1.7)), bytes(40)])
def test_what_no_measurement_gives_is_not_believed(unknown, content):
    machine.core_of.__wrapped__(AVX2)
    (entry,) = [path for path, _ in cache.entries(cache.directory())]
    cache.save(entry.stem, content)
    assert machine.core_of.__wrapped__(AVX2).core.latency == 7
    assert unknown == ["avx2", "avx2"]
    with pytest.raises(ValueError, match=r"."):
        measure.from_bytes(content, Core())


def test_where_nothing_may_run_nothing_is_measured(unknown, monkeypatch):
    def refused(host):
        raise ExecutorError("compiled code cannot be executed here", expected="", got="", fix="")

    monkeypatch.setattr(measure, "measure", refused)
    assert machine.core_of.__wrapped__(AVX2).cycles == "assumed"
    assert list(cache.entries(cache.directory())) == []


@pytest.mark.parametrize("host", machine.executable_hosts(), ids=lambda host: host.name)
def test_measuring_gives_a_core_that_can_be_kept(host):
    core = measure.measure(host)
    assert measure.from_bytes(measure.to_bytes(core), host.core) == core


CORES = [
    Core(multiply_adds=0.5, vector_loads=0.5, number_loads=1, latency=9, l1_bytes=4 << 10, l2_bytes=8 << 10),
    Core(multiply_adds=4, vector_loads=3, number_loads=3, latency=2, l1_bytes=1 << 20, l2_bytes=64 << 20),
]


@pytest.mark.parametrize("core", CORES)
def test_results_do_not_depend_on_what_is_known_of_the_core(core):
    (host, *_) = machine.executable_hosts()
    for seed in range(8):
        program = random_programs.make(seed)
        usual, other = (random_programs.run(NativeExecutor(host=h), program) for h in (host, replace(host, core=core)))
        for name, values in usual.items():
            np.testing.assert_array_equal(values, other[name])
