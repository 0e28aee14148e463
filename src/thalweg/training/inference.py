"""Prediction and evaluation, in pieces.

Where the rows of a batch do not matter to each other, which their graph shows (``passes.rows``), the batch size that a
user asks for cannot change a result. One program takes a single row, one as many as the caches like (``pieces``); a
last piece with fewer rows is filled up with rows that do not count. So no number of rows compiles anything new. Such
steps do not depend on each other, and each thread takes some of them: what an evaluation adds to its sums is an output
of each step, and added up afterwards, in their order.

Where they do (a loss of one's own that looks at the whole batch, BatchNormalization called with ``training=True``) the
pieces are the batches that the user asks for, as in Keras, and the last one is as large as it is: a program of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from thalweg.data.source import Arrays, Chunked, Place, Source, Turn, Weights
from thalweg.executors.executor import Program
from thalweg.fields import dataclass
from thalweg.graph.types import TensorType
from thalweg.state import State
from thalweg.state.names import EVALUATION, within
from thalweg.training.goals import Goals
from thalweg.training.pace import Pace
from thalweg.training.pieces import pieces, run_paced
from thalweg.training.programs import Programs
from thalweg.training.step import (
    VALID,
    Net,
    Step,
    evaluation_step,
    prediction_label,
    prediction_rows,
    prediction_step,
)

BATCH = 32
"""Rows per step where they do, unless the user asks for others; Keras's number."""

FEW = 8
"""Up to so many rows, one at a time is faster than a filled-up piece."""

T = TypeVar("T")

Watch = Callable[[int], bool]
"""Called with the number of pieces done; whether to go on."""


@dataclass(frozen=True)
class BatchHooks:
    """What is to happen around each batch: the pieces are then the batches that the user asks for, one at a time.

    Attributes:
        before: called with the batch's number, from 0.
        after: called with the number, and the predictions of the batch's rows by the label of the output.
    """

    before: Callable[[int], None]
    after: Callable[[int, Arrays], None]


class Added:
    """What steps that do not depend on each other are to add to the running sums: outputs of the steps.

    Arguments:
        kinds: of one step, by the names of the states.
    """

    def __init__(self, kinds: Mapping[str, TensorType]) -> None:
        self.kinds = kinds
        self._latest: Arrays = {}

    def outputs(self, first: int, end: int) -> Arrays:
        """Arrays for the next call's steps."""
        self._latest = {name: np.empty((end - first, *kind.shape), kind.dtype) for name, kind in self.kinds.items()}
        return self._latest

    def to(self, state: State) -> None:
        """Add those of the latest call, one step after the other."""
        for name, parts in self._latest.items():
            in_order = np.concatenate([state.read(name)[None], parts])
            state.write(name, np.add.accumulate(in_order)[-1])


def evaluation_key(batch: int, filled: bool, weights: Weights, form: object = None) -> Hashable:
    """What tells a step of evaluation from others of the model."""
    return ("evaluation", batch, filled, weights, form)


class Evaluation:
    """Loss and metrics over rows that stay: made once, run after every epoch.

    Arguments:
        goals: None where ``make`` makes the step of a model that says itself what it does.
        piece: rows of a piece where they do not matter to each other; None where they do.
        batch: rows of a piece then, unless the source says itself what a batch is.

    Attributes:
        steps: how many there are, if all batches of a stream are as large as its first; None if nobody knows.
        passes: how often it has been run.
    """

    def __init__(
        self,
        net: Net,
        goals: Goals | None,
        programs: Programs,
        rows: Source,
        piece: int | None,
        batch: int,
        make: Callable[[int], Step] | None = None,
    ) -> None:
        self.net = net
        self.goals = goals
        self.make = make
        self.programs = programs
        self.fill = piece is not None
        self.passes = 0
        self.own = rows.batch is not None
        self.batch = rows.batch or (batch if rows.count is None else min(batch, rows.count))
        self.size = self.batch if piece is None else piece
        added = {goal.weight_label for goal in goals.outputs} - set(rows.labels) if goals is not None else set()
        self.weights = rows.weights
        self.rows = rows.with_ones({*added, VALID} if self.fill else added)
        count = rows.batches * self.batch if rows.count is None and rows.batches is not None else rows.count
        self.steps = None if count is None else -(-count // self.size)
        self._pace = Pace(single=False)  # what one run has measured tells the next: nothing is probed again

    def program(self, batch: int) -> Program:
        """The program for so many rows; compiled when it is first asked for."""
        return self.programs.program(self._key(batch), lambda: self.step(batch))

    def _key(self, batch: int) -> Hashable:
        return evaluation_key(batch, self.fill, self.weights, self.rows.form)

    def step(self, batch: int) -> Step:
        """The step for so many rows."""
        if self.goals is None:
            assert self.make is not None, "a model without goals says itself what a step does"
            return self.make(batch)
        return evaluation_step(self.net, self.goals, batch, self.fill, self.weights)

    def run(self, threads: int, watch: Watch, hooks: BatchHooks | None = None) -> dict[str, Any]:
        """The logs; those of the rows so far, if ``watch`` says to stop; none if a stream has no more rows."""
        self.program(self.size)  # the running sums are there then
        state = self.programs.state
        clear_sums(state, EVALUATION, self.programs.starts)
        measured = self._made(self.size).metrics if self.goals is None else self.goals.metrics()
        for name, metric in measured.items():
            metric.attach(state, f"{EVALUATION}/{name}")
        pace, done = self._pace if hooks is None else Pace(single=True), 0
        size = self.size if hooks is None and self.fill else None if self.own else self.batch
        since, self.passes = self.passes, self.passes + 1
        for piece in pieces(self.rows, size, self.fill, VALID, since):
            batch = piece.index.shape[1]
            program, added = self.program(batch), Added(self._made(batch).added)
            before = None if hooks is None else _counted(hooks.before, done)
            for count in run_paced(program, state, piece, added.outputs, threads, pace, before):
                added.to(state)
                done += count
                if hooks is not None:
                    hooks.after(done - 1, {})
                if not watch(done):
                    return self.logs()
        return self.logs() if done else {}

    def _made(self, batch: int) -> Step:
        return self.programs.step(self._key(batch), lambda: self.step(batch))

    def logs(self) -> dict[str, Any]:
        """The results of the sums as they are now."""
        found = sums(self.programs.state, EVALUATION)
        if self.goals is not None:
            return self.goals.results(found)
        results = self._made(self.size).results
        assert results is not None, "a step that a model says itself has results"
        return results(found)


def _counted(before: Callable[[int], None], done: int) -> Callable[[int], None]:
    """With the number of the batch, of a piece in front of which there are so many."""
    return lambda step: before(done + step)


def _parts(outputs: Arrays) -> Callable[[int, int], Arrays]:
    """Gives the parts of the arrays for the steps from the first number up to the second."""
    return lambda first, end: {label: array[first:end] for label, array in outputs.items()}


def sums(state: State, level: str) -> dict[str, float | np.ndarray]:
    """The running sums as they are now, by their names below the level: floats, or arrays."""
    values = {name: state.read(name) for name in state.names(level)}
    return {within(name): value if value.ndim else value.item() for name, value in values.items()}


def clear_sums(state: State, level: str, starts: Mapping[str, Any]) -> None:
    """Set the running sums to zero, or to what they start from."""
    for name in state.names(level):
        state.write(name, starts.get(name, 0))


class Prediction:
    """Predictions for any number of rows.

    Arguments:
        training: for ``model(x, training=True)``.
    """

    def __init__(self, net: Net, programs: Programs, training: bool = False) -> None:
        self.net = net
        self.programs = programs
        self.training = training

    @cached_property
    def piece(self) -> int | None:
        """Rows of a piece where they do not matter to each other; None where they do."""
        return prediction_rows(self.net, self.training, self._step)

    def on(self, state: State) -> Prediction:
        """The same by another state, which has the same parameters."""
        other = Prediction(self.net, self.programs.on(state), self.training)
        other.piece = self.piece
        return other

    def size(self, batch: int, count: int) -> int:
        """Rows of a piece, if the user asks for ``batch`` and there are ``count``."""
        return min(batch, count) if self.piece is None else self.piece

    def program(self, batch: int, gather: bool = True) -> Program:
        """The program for so many rows; compiled when it is first asked for.

        Arguments:
            gather: whether it gets an index of rows.
        """
        return self.programs.program(self._key(batch), lambda: self._step(batch), gather=gather)

    def _step(self, batch: int) -> Step:
        return self.programs.step(self._key(batch), lambda: prediction_step(self.net, batch, self.training))

    def _key(self, batch: int) -> Hashable:
        return ("prediction", batch, self.training)

    def empty(self, rows: int) -> Arrays:
        """Arrays for the predictions of so many rows."""
        return {
            prediction_label(name): np.empty((rows, *kind.shape[1:]), kind.dtype)
            for name, kind in self.net.outputs.items()
        }

    def run(self, rows: Chunked, batch: int, threads: int, watch: Watch, hooks: BatchHooks | None = None) -> Arrays:
        """The predictions of all rows, by the label of the output.

        Arguments:
            batch: rows of a piece where they matter to each other, or there are hooks.
        """
        if rows.count is None:
            return self._of_stream(rows, batch, threads, watch, hooks)
        if rows.count <= 1 - (hooks is not None) or (rows.count <= FEW and self.piece is not None and hooks is None):
            return self._one_by_one(rows)
        results = self.empty(rows.count)
        size = self.size(batch, rows.count) if hooks is None else min(batch, rows.count)
        pace, start, done = Pace(hooks is not None), 0, 0
        for piece in pieces(rows, size, self.piece is not None, VALID):
            count, filled = piece.rows, piece.rows < piece.index.size
            outputs = self.empty_piece(size) if filled else self._views(results, start, piece.index)
            program = self.program(piece.index.shape[1])
            before, at = (None if hooks is None else _counted(hooks.before, done)), start
            for steps in run_paced(program, self.programs.state, piece, _parts(outputs), threads, pace, before):
                done += steps
                if filled:
                    for label, array in outputs.items():
                        results[label][start : start + count] = array[0, :count]
                if hooks is not None:
                    end = min(at + size, start + count)
                    hooks.after(done - 1, {label: array[at:end] for label, array in results.items()})
                    at = end
                if not watch(done):
                    return results
            start += count
        return results

    def _of_stream(self, rows: Chunked, batch: int, threads: int, watch: Watch, hooks: BatchHooks | None) -> Arrays:
        """Of rows of which nobody knows how many there are."""
        alone = self.piece is not None and hooks is None
        size = self.piece if alone else None if rows.batch is not None else batch
        parts: list[Arrays] = [self.empty(0)]
        pace, done, goes_on = Pace(hooks is not None), 0, True
        for piece in pieces(rows, size, self.piece is not None, VALID):
            outputs = self.empty(piece.index.size)
            program = self.program(piece.index.shape[1])
            before = None if hooks is None else _counted(hooks.before, done)
            views = _parts(self._views(outputs, 0, piece.index))
            first = 0
            for steps in run_paced(program, self.programs.state, piece, views, threads, pace, before):
                done += steps
                if hooks is not None:
                    end = min(first + piece.index.shape[1], piece.rows)
                    hooks.after(done - 1, {label: array[first:end] for label, array in outputs.items()})
                    first = end
                goes_on = watch(done)
                if not goes_on:
                    break
            parts.append({label: array[: piece.rows] for label, array in outputs.items()})
            if not goes_on:
                break
        return {label: np.concatenate([part[label] for part in parts]) for label in parts[0]}

    def empty_piece(self, size: int) -> Arrays:
        """Arrays for the predictions of one filled-up piece of so many rows, with an axis of steps."""
        return {label: array[None] for label, array in self.empty(size).items()}

    def _views(self, results: Arrays, start: int, index: np.ndarray) -> Arrays:
        """The part of the results that belongs to the steps of ``index``, with an axis of steps."""
        return {
            label: array[start : start + index.size].reshape(*index.shape, *array.shape[1:])
            for label, array in results.items()
        }

    def _one_by_one(self, rows: Chunked) -> Arrays:
        """On one thread: waking a second one takes longer than its half of a row saves."""
        results = self.empty(rows.count or 0)
        if not rows.count:
            return results
        program = self.program(1, gather=False)
        done = 0
        for chunk in rows.chunks(Turn(), Place(), 1):
            for row in chunk.index:
                self.programs.state.run(
                    program,
                    {label: array[row : row + 1] for label, array in chunk.arrays.items()},
                    None,
                    {label: array[done : done + 1] for label, array in results.items()},
                    1,
                )
                done += 1
        return results


class OneRow:
    """The prediction of a single row of a model with one output, with nothing on the way.

    What every call would look up again is looked up here once.
    """

    def __init__(self, prediction: Prediction) -> None:
        inputs = prediction.net.inputs
        ((name, out),) = prediction.net.outputs.items()
        (self.label, kind), *others = inputs.items()
        self.alone = not others
        self.shape = (1, *kind.shape[1:])
        self.dtype = np.dtype(kind.dtype)
        self.out_label = prediction_label(name)
        self.out_shape = (1, *out.shape[1:])
        self.out_dtype = np.dtype(out.dtype)
        self.program = prediction.program(1, gather=False)
        self.state = prediction.programs.state

    def takes(self, x: object) -> bool:
        """Whether ``x`` is such a row, in the form in which the program takes it; never for several inputs."""
        return (
            type(x) is np.ndarray
            and x.shape == self.shape
            and x.dtype == self.dtype
            and x.flags.c_contiguous
            and self.alone
        )

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.of({self.label: x})

    def of(self, arrays: Arrays) -> np.ndarray:
        """The prediction for an array for each input, by label, in the form in which the program takes them."""
        result = np.empty(self.out_shape, self.out_dtype)
        self.state.run(self.program, arrays, None, {self.out_label: result}, 1)
        return result


def only(parts: Sequence[T]) -> T | list[T]:
    """The one thing, or a list of several, as Keras returns predictions."""
    return parts[0] if len(parts) == 1 else list(parts)
