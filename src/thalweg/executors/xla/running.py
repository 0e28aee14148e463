"""One run of a program: calls that are on their way while the rows of the next are put together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from thalweg.errors import ExecutorError, InsufficientMemoryError, ThalwegError
from thalweg.executors.executor import Arrays
from thalweg.executors.xla.feeding import Call, Feeding, calls
from thalweg.executors.xla.placed import Placed
from thalweg.memory import in_words
from thalweg.processes.joining import lost
from thalweg.state import Variable

AHEAD = 2
"""Calls that the device may be behind: while it works on one, the rows of the next are brought."""


class Running:
    """The states on their way through the calls of a run.

    Arguments:
        program: the ``XlaProgram`` whose run it is.
        state: variables, or arrays, by name; they get the new values at the end.
        outputs: the arrays to be filled.
    """

    def __init__(self, program: Any, state: Mapping[str, Any], outputs: Arrays) -> None:
        self.program = program
        self.state = state
        self.outputs = outputs
        self._under_way: deque[tuple[Call, dict[str, Any], Any]] = deque()
        self._data_bytes = 0
        self.changed: dict[str, Any] = {}
        self.fixed: dict[str, Any] = {}

    def once(self, data: dict[str, np.ndarray]) -> None:
        """One step on data as they are."""
        placement = self.program.placement
        with self._watched():
            brought = {label: placement.put(array, placement.whole, lent=True) for label, array in data.items()}
            found = jax.block_until_ready(self._call("once", (brought,))[0])
            for name, array in self.outputs.items():
                array[...] = placement.read(found[name])
            jax.block_until_ready(self.changed)

    def all(self, feeding: Feeding, steps: int) -> None:
        """So many steps on rows that are fed to them."""
        counts = self.program.counts
        with self._watched():
            for call in calls(steps, feeding.most, counts):
                data, index = feeding.arguments(call)
                count = np.int32(call.end - call.first) if counts else None
                key = (call.length, *(array.shape for array in data.values()), index is None)
                found, done = self._call(key, (data, index, count))
                wanted = {name: found[name] for name in self.outputs}
                for array in wanted.values():
                    array.copy_to_host_async()
                self._under_way.append((call, wanted, done))
                if len(self._under_way) > AHEAD:
                    self._take()
            while self._under_way:
                self._take()

    def _take(self) -> None:
        """Wait for the oldest call that is under way, and take what it gives."""
        call, found, done = self._under_way.popleft()
        jax.block_until_ready(done)
        for name, array in found.items():
            self.outputs[name][call.first : call.end] = self.program.placement.read(array)[: call.end - call.first]

    def _call(self, key: Any, arguments: tuple[Any, ...]) -> tuple[dict[str, Any], Any]:
        """Run a program; the outputs, and what shows that it is done. It takes the memory of what it changes."""
        program = self.program
        self._data_bytes = sum(array.nbytes for array in arguments[0].values())
        compiled = program.compiled(key, (self.changed, self.fixed, *arguments))
        proved = key in program.proved
        if not proved:
            self._bring_home()
        self.changed, found, done = compiled(self.changed, self.fixed, *arguments)
        if not proved:
            jax.block_until_ready(self.changed)
            program.proved.add(key)
        return found, done

    def _bring_home(self) -> None:
        """Have the states on the host, too: a program that has never run may find no memory, and take them with it."""
        for name, value in self.changed.items():
            given = self.state[name]
            if isinstance(given, Variable):
                if not (isinstance(given.kept, Placed) and given.kept.array is value):
                    self.program.keep(name, self.state, value)
                given.bring_home()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Around the calls: the states at their beginning and at their end, and an error that tells what failed."""
        program = self.program
        try:
            values = {name: program.value(name, self.state) for name in program.states}
            self.changed = {name: values.pop(name) for name in program.graph.updates}
            self.fixed = values
            yield
        except jax.errors.JaxRuntimeError as error:
            self._go_back()
            raise self._explained(error) from error
        except BaseException:  # Ctrl-C between two calls
            self._settle()
            raise
        self._settle()

    def _settle(self) -> None:
        for name, value in self.changed.items():
            if not value.is_deleted():
                self.program.keep(name, self.state, value)

    def _go_back(self) -> None:
        """To what the host has of the states; where that is old, to what is left on the device."""
        for name, value in self.changed.items():
            given = self.state[name]
            if not isinstance(given, Variable):
                continue
            if given.is_home:
                given.kept = None
            elif not value.is_deleted():
                self.program.keep(name, self.state, value)

    def _explained(self, error: Exception) -> ThalwegError:
        program = self.program
        device = min(program.placement.whole.addressable_devices, key=lambda device: device.id)
        where = f"{device.platform}:{device.id}"
        first = str(error).splitlines()[0]
        if "RESOURCE_EXHAUSTED" not in first and "out of memory" not in first.lower():
            if program.placement.is_shared:
                return lost(error)
            return ExecutorError(
                f"a step failed on the device {where}",
                expected="a step that XLA runs",
                got=first[:500],
                fix="run it on the CPU (executor='native') to see whether the step or the device is at fault",
            )
        limit = (device.memory_stats() or {}).get("bytes_limit")
        states = sum(kind.nbytes for kind in program.states.values())
        return InsufficientMemoryError(
            f"a step needs more memory than the device {where} has left",
            expected="memory for data, states and what a step makes on the way"
            + (f": {in_words(limit)} in all" if limit else ""),
            got=f"data {in_words(self._data_bytes)}, states {in_words(states)}, on the way "
            f"{program.temporary_words()}: {first[:300]}",
            fix="use a smaller batch_size; the model is as it was before this step",
        )
