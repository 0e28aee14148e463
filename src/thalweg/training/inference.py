"""Prediction and evaluation in pieces of fixed size: no number of rows compiles anything new.

Inference does not couple the rows of a batch, so the batch size that a user asks for cannot change a result. One
program takes a single row, one takes 128; a last piece with fewer rows is filled up with rows that do not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from thalweg.data.source import Arrays, Rows, Source
from thalweg.executors.executor import Program
from thalweg.fields import dataclass
from thalweg.state import State
from thalweg.state.names import EVALUATION, within
from thalweg.training.goals import Goals
from thalweg.training.pace import Pace
from thalweg.training.programs import Programs
from thalweg.training.step import VALID, Net, evaluation_step, prediction_label, prediction_step

PIECE = 128
"""Rows per step: enough for the machine's peak, few enough for the caches."""

FEW = 8
"""Up to so many rows, one at a time is faster than a filled-up piece."""

T = TypeVar("T")

Watch = Callable[[int], bool]
"""Called with the number of pieces done; whether to go on."""


@dataclass(frozen=True)
class Pieces:
    """Steps over the same arrays.

    Attributes:
        rows: how many of the rows count; the others fill up the last step.
    """

    arrays: Arrays
    index: np.ndarray
    rows: int


def pieces(rows: Source) -> Iterator[Pieces]:
    """All rows in steps of ``PIECE``; the rows that fill up the last one are copies of the first row of it."""
    for chunk in rows.chunks(None, 0, rows.count, PIECE):
        full, rest = divmod(len(chunk.index), PIECE)
        if full:
            yield Pieces(chunk.arrays, chunk.index[: full * PIECE].reshape(full, PIECE), full * PIECE)
        if rest:
            index = np.full(PIECE, chunk.index[full * PIECE])
            index[:rest] = chunk.index[full * PIECE :]
            arrays = {label: np.ascontiguousarray(array[index]) for label, array in chunk.arrays.items()}
            if VALID in arrays:
                arrays[VALID][rest:] = 0
            yield Pieces(arrays, np.arange(PIECE).reshape(1, PIECE), rest)


def run_paced(
    program: Program, state: State, piece: Pieces, outputs: Arrays, threads: int, pace: Pace
) -> Iterator[int]:
    """Run the steps in calls of a tenth of a second; gives, after each call, how many steps it ran."""
    step, count = 0, len(piece.index)
    while step < count:
        end = min(step + pace.steps, count)
        began = time.perf_counter()
        program.run(
            state.memory,
            piece.arrays,
            piece.index[step:end],
            {label: array[step:end] for label, array in outputs.items()},
            threads,
        )
        pace.measured(end - step, time.perf_counter() - began)
        yield end - step
        step = end


class Evaluation:
    """Loss and metrics over rows that stay: made once, run after every epoch."""

    def __init__(self, net: Net, goals: Goals, programs: Programs, rows: Rows) -> None:
        self.goals = goals
        self.programs = programs
        self.build = lambda: evaluation_step(net, goals, PIECE)
        ones = np.ones(rows.count, np.float32)
        weights = {goal.weight_label for goal in goals.outputs} - set(rows.labels)
        self.rows = rows.beside({**dict.fromkeys(weights, ones), VALID: ones})
        self.steps = -(-rows.count // PIECE)

    def run(self, threads: int, watch: Watch, single: bool = False) -> dict[str, Any]:
        """The logs; those of the rows so far, if ``watch`` says to stop."""
        program = self.programs.program("evaluation", self.build)
        state = self.programs.state
        clear_sums(state, EVALUATION)
        pace, done = Pace(single), 0
        for piece in pieces(self.rows):
            for count in run_paced(program, state, piece, {}, threads, pace):
                done += count
                if not watch(done):
                    return self.logs()
        return self.logs()

    def logs(self) -> dict[str, Any]:
        """The results of the sums as they are now."""
        return self.goals.results(sums(self.programs.state, EVALUATION))


def sums(state: State, level: str) -> dict[str, float | np.ndarray]:
    """The running sums as they are now, by their names below the level: floats, or arrays."""
    values = {name: state.read(name) for name in state.names(level)}
    return {within(name): value if value.ndim else value.item() for name, value in values.items()}


def clear_sums(state: State, level: str) -> None:
    """Set the running sums to zero."""
    for name in state.names(level):
        state.write(name, 0)


class Prediction:
    """Predictions for any number of rows."""

    def __init__(self, net: Net, programs: Programs) -> None:
        self.net = net
        self.programs = programs

    def program(self, batch: int) -> Program:
        """The program for so many rows; compiled when it is first asked for."""
        return self.programs.program(
            ("prediction", batch), lambda: prediction_step(self.net, batch), gather=batch == PIECE
        )

    def empty(self, rows: int) -> Arrays:
        """Arrays for the predictions of so many rows."""
        return {
            prediction_label(name): np.empty((rows, *kind.shape[1:]), kind.dtype)
            for name, kind in self.net.outputs.items()
        }

    def run(self, rows: Source, threads: int, watch: Watch, single: bool = False) -> Arrays:
        """The predictions of all rows, by the label of the output."""
        if rows.count <= FEW:
            return self._one_by_one(rows)
        results = self.empty(rows.count)
        program, pace, start, done = self.program(PIECE), Pace(single), 0, 0
        for piece in pieces(rows):
            count = piece.rows
            outputs = self._views(results, start, piece.index) if count == piece.index.size else self.empty_piece()
            for steps in run_paced(program, self.programs.state, piece, outputs, threads, pace):
                done += steps
                if not watch(done):
                    return results
            if count < piece.index.size:
                for label, array in outputs.items():
                    results[label][start : start + count] = array[0, :count]
            start += count
        return results

    def empty_piece(self) -> Arrays:
        """Arrays for the predictions of one piece, with an axis of steps."""
        return {label: array[None] for label, array in self.empty(PIECE).items()}

    def _views(self, results: Arrays, start: int, index: np.ndarray) -> Arrays:
        """The part of the results that belongs to the steps of ``index``, with an axis of steps."""
        return {
            label: array[start : start + index.size].reshape(*index.shape, *array.shape[1:])
            for label, array in results.items()
        }

    def _one_by_one(self, rows: Source) -> Arrays:
        """On one thread: waking a second one takes longer than its half of a row saves."""
        results = self.empty(rows.count)
        if not rows.count:
            return results
        program = self.program(1)
        done = 0
        for chunk in rows.chunks(None, 0, rows.count, 1):
            for row in chunk.index:
                program.run(
                    self.programs.state.memory,
                    {label: array[row : row + 1] for label, array in chunk.arrays.items()},
                    None,
                    {label: array[done : done + 1] for label, array in results.items()},
                    1,
                )
                done += 1
        return results


class OneRow:
    """The prediction of a single row of a model with one input and one output, with nothing on the way.

    What every call would look up again is looked up here once.
    """

    def __init__(self, prediction: Prediction) -> None:
        ((self.label, kind),) = prediction.net.inputs.items()
        ((name, out),) = prediction.net.outputs.items()
        self.shape = (1, *kind.shape[1:])
        self.dtype = np.dtype(kind.dtype)
        self.out_label = prediction_label(name)
        self.out_shape = (1, *out.shape[1:])
        self.out_dtype = np.dtype(out.dtype)
        self.run = prediction.program(1).run
        self.state = prediction.programs.state.memory

    def takes(self, x: object) -> bool:
        """Whether ``x`` is such a row, in the form in which the program takes it."""
        return type(x) is np.ndarray and x.shape == self.shape and x.dtype == self.dtype and x.flags.c_contiguous

    def __call__(self, x: np.ndarray) -> np.ndarray:
        result = np.empty(self.out_shape, self.out_dtype)
        self.run(self.state, {self.label: x}, None, {self.out_label: result}, 1)
        return result


def only(parts: Sequence[T]) -> T | list[T]:
    """The one thing, or a list of several, as Keras returns predictions."""
    return parts[0] if len(parts) == 1 else list(parts)
