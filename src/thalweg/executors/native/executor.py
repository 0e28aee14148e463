"""The native executor: a graph compiled into one function that runs many steps on all cores."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from thalweg.errors import ExecutorError
from thalweg.executors.executor import Arrays, check_arrays, check_index, leaf_types
from thalweg.executors.native.compiler import LoadedObject, compile_object, system_yield
from thalweg.executors.native.driver import FAULTS, RUN, generate
from thalweg.executors.native.host import Host, this_host
from thalweg.executors.native.plan import Planner
from thalweg.executors.native.team import run_on
from thalweg.graph.node import Graph
from thalweg.graph.verify import verify


@dataclass(frozen=True)
class NativeExecutor:
    """Compiles for ``host`` (None: this machine's widest vectors). ``checked`` bounds every load and store, for tests."""

    host: Host | None = None
    checked: bool = False
    name: str = "native"

    def compile(self, graph: Graph, *, gather: bool) -> NativeProgram:
        verify(graph)
        host = self.host or this_host()
        plan = Planner(graph, host.vector_bytes // 4, gather).plan()
        ir = generate(plan, host, checked=self.checked)
        return NativeProgram(graph, plan.arena_bytes, compile_object(ir, host), gather, self.checked)


class NativeProgram:
    """A compiled graph with its arena."""

    def __init__(self, graph: Graph, arena_bytes: int, code: bytes, gather: bool, checked: bool) -> None:
        self.inputs, self.states = leaf_types(graph)
        self.outputs = {name: node.type for name, node in graph.outputs.items()}
        self.gather = gather
        self.checked = checked
        self._object = LoadedObject(code)
        signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 4)
        self._run = signature(self._object.address(RUN))
        self._memory = np.zeros(arena_bytes + 128, np.uint8)
        start = -self._memory.ctypes.data % 64
        self._arena = self._memory[start : start + arena_bytes]
        self._meeting = np.zeros(8, np.int64)

    def run(
        self,
        state: Arrays,
        data: Arrays,
        index: np.ndarray | None = None,
        outputs: Arrays | None = None,
        threads: int = 1,
    ) -> None:
        """See Program.run."""
        check_arrays(self.states, state, "the state")
        check_arrays(self.inputs, data, "the input", rows=index is not None)
        if index is not None:
            check_index(index, self.inputs, data)
        steps = 1 if index is None else len(index)
        outputs = {} if outputs is None else outputs
        arrays = [np.ascontiguousarray(index) if index is not None else self._meeting]
        arrays += [state[name] for name in self.states]
        arrays += [np.ascontiguousarray(data[name]) for name in self.inputs]
        lead = (steps,) if index is not None else ()
        results = {
            name: np.empty((*lead, *kind.shape), kind.dtype)
            for name, kind in self.outputs.items()
        }
        arrays += list(results.values())
        self._meeting[:] = 0
        entries = [(system_yield(), 0), _ends(self._meeting), _ends(self._arena), *map(_ends, arrays)]
        table = np.array(entries, np.int64)
        call = self._run
        run_on(threads, lambda thread: call(table.ctypes.data, thread, threads, 0, steps))
        for name, array in outputs.items():
            array[...] = results[name]
        if self.checked:
            faults = ctypes.CFUNCTYPE(ctypes.c_int64)(self._object.address(FAULTS))()
            if faults:
                raise ExecutorError(
                    "compiled code reached outside its memory",
                    expected="every load and store within its buffer",
                    got=f"{faults} outside",
                    fix="this is a fault of thalweg; please report it with the printed graph",
                )


def _ends(array: np.ndarray) -> tuple[int, int]:
    """The first byte of an array and the one after its last."""
    first = array.ctypes.data
    if array.size == 0:
        return first, first
    last = sum((n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True))
    return first, first + last + array.itemsize
