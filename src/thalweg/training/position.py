"""Where training stands, as a part of the state: what is saved in the middle of an epoch goes on from there."""

from __future__ import annotations

import numpy as np

from thalweg.graph.types import TensorType
from thalweg.state import State
from thalweg.state.names import DRAW_STATE, EPOCH_STATE, METRICS, OPTIMIZERS, POSITION, SEED_STATE, SLOTS

ROW_STATE = f"{POSITION}/row"
"""How many rows of this pass over the data are done; an epoch of fewer steps than there are begins in its middle."""
STEP_IN_EPOCH_STATE = f"{POSITION}/step"
"""How many steps of this epoch are done."""
ROWS_STATE = f"{POSITION}/rows"
"""How many rows the data have that the others are about."""

TYPES = {name: TensorType((), "int64") for name in (EPOCH_STATE, ROW_STATE, STEP_IN_EPOCH_STATE, ROWS_STATE)}


def shuffled(rows: int, seed: int, epoch: int) -> np.ndarray:
    """The order of the rows in a pass: the same for the same seed and epoch, whatever ran before.

    Source: Salmon et al. (2011), SC'11: Philox, a generator that starts anywhere at no cost.
    """
    key = np.array([seed, epoch], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(rows)


def kept_names(state: State) -> list[str]:
    """What a file holds of where training stands: what optimizers keep; in the middle of an epoch the running sums."""
    within_epoch = STEP_IN_EPOCH_STATE in state and state.number(STEP_IN_EPOCH_STATE) > 0
    kept = [*state.names(POSITION, SLOTS, OPTIMIZERS), *(name for name in (DRAW_STATE,) if name in state)]
    return kept + state.names(METRICS) if within_epoch else kept


class Position:
    """Reads and writes where training stands in the data.

    A pass goes once over all rows, in an order that follows from the seed and the number of passes before it. An epoch
    is a pass, or, with ``steps_per_epoch``, a part of one: the next epoch goes on where it ended.

    Arguments:
        rows: of the data.
        shuffle: whether each pass has an order of its own.
    """

    def __init__(self, state: State, rows: int, shuffle: bool) -> None:
        self.state = state
        self.rows = rows
        self.shuffle = shuffle
        for name, kind in TYPES.items():
            state.add(name, kind)
        self.begin()

    def begin(self) -> None:
        """Go on from what the state says, if that is about as many rows."""
        if self.state.number(ROWS_STATE) != self.rows or not 0 <= self.row <= self.rows or self.step < 0:
            self.leave()
        self.state.write(ROWS_STATE, self.rows)

    @property
    def row(self) -> int:
        """Rows of the pass that are done."""
        done: int = self.state.number(ROW_STATE)
        return done

    @property
    def step(self) -> int:
        """Steps of the epoch that are done."""
        done: int = self.state.number(STEP_IN_EPOCH_STATE)
        return done

    def order(self) -> np.ndarray | None:
        """The order of the rows in this pass; None for that in which they stand."""
        if not self.shuffle:
            return None
        return shuffled(self.rows, self.state.number(SEED_STATE), self.state.number(EPOCH_STATE))

    def advance(self, steps: int, rows: int) -> None:
        """So many steps and rows more are done."""
        self.state.write(STEP_IN_EPOCH_STATE, self.step + steps)
        self.state.write(ROW_STATE, self.row + rows)

    def end_epoch(self) -> None:
        """The epoch is over; if all rows were seen, so is the pass."""
        self.state.write(STEP_IN_EPOCH_STATE, 0)
        if self.row >= self.rows:
            self.end_pass()

    def end_pass(self) -> None:
        """The next epoch begins a new pass."""
        self.leave()
        self.state.write(EPOCH_STATE, self.state.number(EPOCH_STATE) + 1)

    def leave(self) -> None:
        """What comes next begins this pass anew."""
        self.state.write(STEP_IN_EPOCH_STATE, 0)
        self.state.write(ROW_STATE, 0)
