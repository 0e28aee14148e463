"""Time stamps in a compiled step: how long each task takes, and how long a thread waits at each barrier.

A thread has a row of numbers of its own in the caller's memory. The first is the clock at the last stamp; every stamp
adds the time since then to one of the others. So nothing of a step is counted twice or left out, and the code of the
tasks is the same as without.
"""

from __future__ import annotations

from thalweg.executors.native.code.builder import Builder
from thalweg.executors.native.host import Host

CLOCK = "clock"
"""``clock()``: the processor's counter now."""

ROW_NUMBERS = 16
"""Rows are a multiple of so many int64 long: two cache lines, since processors fetch pairs of them."""


def row_length(stamps: int) -> int:
    """int64 numbers from one thread's row to the next."""
    return -(-(1 + stamps) // ROW_NUMBERS) * ROW_NUMBERS


class Stamps:
    """Writes stamps into the function of a step."""

    def __init__(self, build: Builder, memory: str, count: int) -> None:
        """``memory`` is the first thread's row, ``count`` how many different stamps there are."""
        self.build = build
        self.row = build.fresh("row")
        start = build.emit(f"mul i64 %thread, {8 * row_length(count)}", "int64")
        build.line(f"{self.row} = getelementptr i8, ptr {memory}, i64 {start.text}")
        now = build.emit(f"call i64 @{CLOCK}()", "int64")
        build.line(f"store i64 {now.text}, ptr {self.row}")

    def stamp(self, number: int) -> None:
        """What has passed since the last stamp belongs to this one, of 0 ... count - 1."""
        place = self.build.fresh("at")
        self.build.line(f"{place} = getelementptr i64, ptr {self.row}, i64 {1 + number}")
        self.build.line(f"call void @stamp(ptr {self.row}, ptr {place})")


def functions(host: Host) -> str:
    """The clock, which programs can call too, and what a stamp does.

    AArch64 lets programs read the counter of the system's timer, but not that of the processor's cycles.
    """
    if host.name == "neon":
        now, declared = "@llvm.read_volatile_register.i64(metadata !0)", _SYSTEM_COUNTER
    else:
        now, declared = "@llvm.readcyclecounter()", "declare i64 @llvm.readcyclecounter()"
    return f"""{declared}
define i64 @{CLOCK}() nounwind {{
  %now = call i64 {now}
  ret i64 %now
}}
define internal void @stamp(ptr %last, ptr %sum) alwaysinline nounwind {{
  %now = call i64 {now}
  %before = load i64, ptr %last
  %passed = sub i64 %now, %before
  %so.far = load i64, ptr %sum
  %total = add i64 %so.far, %passed
  store i64 %total, ptr %sum
  store i64 %now, ptr %last
  ret void
}}
"""


_SYSTEM_COUNTER = """declare i64 @llvm.read_volatile_register.i64(metadata)
!0 = !{!"cntvct_el0"}"""
