"""Rows in pieces: how many make one, and how the steps over them are run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np

from thalweg.data.source import Arrays, Chunk, Chunked, Place, Turn
from thalweg.executors.executor import Program
from thalweg.executors.work import flops
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Kind, Node
from thalweg.processes.job import clock
from thalweg.state import State
from thalweg.training.pace import Pace

MOST_ROWS = 128
"""Enough for the machine's peak in every layer."""

FEWEST_ROWS = 4
"""Of rows so large that no cache of a core holds them: convolutions of single images are as fast as of many."""

NEAR_BYTES = 1 << 20
"""What a core's own cache holds, more or less; the same everywhere, so that evaluate's sums have the same order."""

WEIGHT_BYTE_FLOPS = 4.5
"""What a core computes while a byte of the weights comes from L3: 117 GFLOP/s by 26 GB/s (Zen 4)."""

WEIGHTS_SHARE = 1 / 8
"""Of the time for the products of a piece, what its weights may take: much of it passes beside the products."""

FAR_BYTES = 16 << 20
"""Weights that are larger come from memory, whose bandwidth takes a hundred operations a number."""


def piece_rows(graph: Graph, batch: int) -> int:
    """Rows of a piece where any number will do: as many as leave what a layer reads and makes in a core's cache.

    More, if the weights would be read again after too few products: each piece takes all of them through that cache.

    Arguments:
        graph: of a step for so many rows, a number that no layer has.
    """
    nodes = [node for node in graph.nodes() if node.op.kind in (Kind.CONTRACTION, Kind.COMPOSITE)]
    rows = MOST_ROWS
    while rows > FEWEST_ROWS and any(rows * _row_bytes(node, batch) > NEAR_BYTES for node in nodes):
        rows //= 2
    sources = {_source(x) for node in nodes for x in node.inputs}
    weights = [source.type.nbytes for source in sources if source.type.size % batch]
    if any(nbytes > FAR_BYTES for nbytes in weights):
        return MOST_ROWS
    needed = WEIGHT_BYTE_FLOPS * sum(weights) / WEIGHTS_SHARE
    of_row = sum(map(flops, nodes)) / batch
    while rows < MOST_ROWS and rows * of_row < needed:
        rows *= 2
    return rows


def _row_bytes(node: Node, batch: int) -> int:
    """What an operation reads and makes of a row."""
    kinds = [node.type, *(_source(x).type for x in node.inputs)]
    return sum(kind.nbytes for kind in kinds if kind.size % batch == 0) // batch


def _source(node: Node) -> Node:
    """What a view is a view of."""
    while node.op.kind in (Kind.VIEW, Kind.WINDOW, Kind.MOVE):
        node = node.inputs[0]
    return node


@dataclass(frozen=True)
class Pieces:
    """Steps over the same arrays.

    Attributes:
        rows: how many of the rows count; the others fill up the last step.
    """

    arrays: Arrays
    index: np.ndarray
    rows: int


def pieces(rows: Chunked, size: int | None, fill: bool, valid: str, since: int = 0) -> Iterator[Pieces]:
    """All rows in steps of ``size``.

    Arguments:
        size: None for the batches that the source makes itself.
        fill: whether a last step of fewer rows is filled up, with copies of its first row.
        valid: the label of the array that is 0 for those, if there is one.
        since: passes before this one, see ``Turn``.
    """
    try:
        for chunk in rows.chunks(Turn(since=since), Place(), size):
            yield from _of_chunk(chunk, fill, valid)
    finally:
        rows.leave(sys.maxsize)  # nobody goes on with what was not used


def _of_chunk(chunk: Chunk, fill: bool, valid: str) -> Iterator[Pieces]:
    size = chunk.batch
    full, rest = divmod(len(chunk.index), size)
    if full:
        yield Pieces(chunk.arrays, chunk.index[: full * size].reshape(full, size), full * size)
    if rest and not fill:
        yield Pieces(chunk.arrays, chunk.index[None, full * size :], rest)
    elif rest:
        index = np.full(size, chunk.index[full * size])
        index[:rest] = chunk.index[full * size :]
        arrays = {label: np.ascontiguousarray(array[index]) for label, array in chunk.arrays.items()}
        if valid in arrays:
            arrays[valid][rest:] = 0
        yield Pieces(arrays, np.arange(size).reshape(1, size), rest)


def run_paced(
    program: Program,
    state: State,
    piece: Pieces,
    outputs: Callable[[int, int], Arrays],
    threads: int,
    pace: Pace,
    before: Callable[[int], None] | None = None,
) -> Iterator[int]:
    """Run the steps in calls of a tenth of a second; gives, after each call, how many steps it ran.

    Arguments:
        outputs: gives the arrays for the outputs of the steps from the first number up to the second.
        before: called with the number of the step that comes next in the piece.
    """
    step, (count, rows) = 0, piece.index.shape
    while step < count:
        if before is not None:
            before(step)
        end = min(step + pace.steps(rows), count)
        filled = outputs(step, end)
        began = clock()
        state.run(program, piece.arrays, piece.index[step:end], filled, threads)
        pace.measured(piece.index[step:end], clock() - began)
        yield end - step
        step = end
