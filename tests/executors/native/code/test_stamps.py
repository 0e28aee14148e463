"""Time stamps: rows that threads do not share, and a clock that any processor lets programs read."""

import pytest

from thalweg.executors.native.code.builder import Builder, Module
from thalweg.executors.native.code.llvm import Part, compile_object
from thalweg.executors.native.code.stamps import CLOCK, ROW_NUMBERS, Stamps, functions, row_length
from thalweg.executors.native.host import AVX2, NEON
from thalweg.executors.native.machine import executable_hosts


@pytest.mark.parametrize("stamps", [0, 1, 14, 15, 16, 31, 100])
def test_a_row_has_room_for_the_last_time_and_all_stamps_and_no_line_is_shared(stamps):
    assert row_length(stamps) >= 1 + stamps
    assert row_length(stamps) % ROW_NUMBERS == 0
    assert row_length(stamps) - (1 + stamps) < ROW_NUMBERS


def test_a_stamp_goes_to_the_threads_own_row():
    build = Builder(Module(AVX2), ["memory"], ["thread"])
    stamps = Stamps(build, "%memory", 20)
    stamps.stamp(3)
    text = build.text()
    assert f"mul i64 %thread, {8 * row_length(20)}" in text
    assert "i64 4" in text  # after the time of the last stamp come the sums


def test_this_machines_clock_compiles_and_arm_reads_the_systems_counter():
    (host, *_) = executable_hosts()
    assert CLOCK.encode() in compile_object(Part(functions(host)), host)
    assert "cntvct_el0" in functions(NEON)
    assert "readcyclecounter" not in functions(NEON)
