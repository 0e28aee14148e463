"""What a caller and compiled code agree on: the functions' names and the table of addresses.

The table has two entries for each name: the first byte and the one after the last. After FIXED come the states, the
inputs and the outputs, each in the order of executor.leaf_types and of the graph.
"""

from __future__ import annotations

RUN = "run"
"""``run(table, thread, threads, first, last)``: this thread's share of the steps from ``first`` up to ``last``."""

FAULTS = "fault_count"
"""How many loads and stores of the checked build lay outside their buffers."""

FIXED = ("yield", "barrier", "arena", "index", "profile")
"""The first names: the system's yield function, the barrier's numbers, the arena, the index, a profile's numbers."""

BARRIER_SHIFT = 7
"""Each thread's number at a barrier has 2^7 bytes to itself: two cache lines, since processors fetch pairs of them."""
