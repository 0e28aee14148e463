"""What ``THALWEG_DEBUG`` asks for: what a step is compiled to, printed to standard error while that is done.

====  ==========================================================================================================
0     nothing
1     a line for each program: what goes in and comes out, the seconds of each phase, whether it was in the cache
2     and its kernels: what is computed together, with the layers that asked for it
3     and its plan: stages, tasks, buffers
4     and its graph, simplified
5     and its code: LLVM IR, of the xla executor StableHLO
====  ==========================================================================================================

The levels are cumulative, as those of tinygrad's ``DEBUG``; ``model.explain`` gives the same texts one by one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping

from thalweg.errors import ArgumentError
from thalweg.executors.executor import Executor, leaf_types
from thalweg.graph.node import Graph
from thalweg.graph.types import TensorType

ENVIRONMENT = "THALWEG_DEBUG"

PRINTED = {"kernels": 2, "plan": 3, "simplified": 4, "ir": 5, "stablehlo": 5}
"""The stages of a step (``explain.STAGES``) in the order of printing, and from which level on."""


def level() -> int:
    """What the environment asks for, 0 unless set. Raises ArgumentError for anything but 0 to 5."""
    given = os.environ.get(ENVIRONMENT, "")
    if given == "":
        return 0
    if given not in ("0", "1", "2", "3", "4", "5"):
        raise ArgumentError(
            f"the environment variable {ENVIRONMENT} does not fit its rule",
            expected="a number from 0 (print nothing) to 5 (everything, down to the code)",
            got=repr(given),
            fix=f"unset {ENVIRONMENT}, or set it to 1 for a line for each step that is compiled",
        )
    return int(given)


class Phases:
    """What the parts of making a program take, one after the other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    def done(self, name: str) -> None:
        """What has passed since the last one was done, or since the beginning, was this one."""
        now = time.perf_counter()
        self.seconds[name] = now - self._began
        self._began = now

    def __str__(self) -> str:
        return ", ".join(f"{name} {1000 * taken:.1f} ms" for name, taken in self.seconds.items())


def report(executor: Executor, graph: Graph, *, gather: bool, phases: Phases) -> None:
    """Print what the environment asks for about a program that was just made."""
    asked = level()
    if asked == 0 or sys.stderr is None:
        return
    print(f"thalweg {executor.name}: {phases}: {signature(graph)}", file=sys.stderr)
    for stage, least in PRINTED.items():
        if asked >= least and stage in executor.stages:
            print(f"--- {stage} ---\n{executor.explain(graph, stage, gather=gather)}", file=sys.stderr)


def signature(graph: Graph) -> str:
    """What goes into a graph and what comes out of it, in a line.

    Example:
        >>> from thalweg import ops
        >>> signature(Graph({"y": ops.exp(ops.input_node("x", (2, 3)))}))
        'x float32[2,3] -> y float32[2,3]'
    """
    inputs, _ = leaf_types(graph)
    outputs = {name: node.type for name, node in graph.outputs.items()}
    results = [_named(outputs)] if outputs else []
    changed = len(graph.updates)
    results += [f"{changed} state{'' if changed == 1 else 's'}"] if changed else []
    return f"{_named(inputs) or 'states alone'} -> {' and '.join(results)}"


def _named(types: Mapping[str, TensorType]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in types.items())
