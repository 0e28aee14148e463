"""What is known of processors, and what a system tells of its caches."""

import pytest

from thalweg.executors.native import machine
from thalweg.executors.native.families import Identity, core, units
from thalweg.executors.native.host import AVX2, AVX512, NEON, SSE2


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
    ],
)
def test_multiply_adds_a_cycle_follow_from_units_and_vectors(identity, host, products):
    of = units(Identity(*identity))
    assert of is not None
    assert core(of, host).multiply_adds == products


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


def test_hosts_of_this_machine_differ_in_their_vectors_only_in_what_they_do_in_a_cycle():
    hosts = machine.executable_hosts()
    assert [host.vector_bytes for host in hosts] == sorted({host.vector_bytes for host in hosts}, reverse=True)
    assert len({(host.core.l1_bytes, host.core.l2_bytes, host.core.l3_bytes) for host in hosts}) == 1
