"""Where training stands, as a part of the state: what is saved in the middle of an epoch goes on from there."""

from __future__ import annotations

from thalweg.data.source import Place, Turn
from thalweg.graph.types import TensorType
from thalweg.state import State
from thalweg.state.names import DRAW_STATE, EPOCH_STATE, METRICS, OPTIMIZERS, POSITION, SEED_STATE, SLOTS

ROW_STATE = f"{POSITION}/row"
"""How many rows of this pass over the data are done; an epoch of fewer steps than there are begins in its middle."""
BATCH_STATE = f"{POSITION}/batch"
"""How many batches of this pass are done: what counts where a source makes them itself."""
STEP_IN_EPOCH_STATE = f"{POSITION}/step"
"""How many steps of this epoch are done."""
ROWS_STATE = f"{POSITION}/rows"
"""How many rows the data have that the others are about; -1 where that is not known."""

TYPES = {
    name: TensorType((), "int64") for name in (EPOCH_STATE, ROW_STATE, BATCH_STATE, STEP_IN_EPOCH_STATE, ROWS_STATE)
}


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
        rows: of the data; None if their number is not known.
        shuffle: whether each pass has an order of its own.
    """

    def __init__(self, state: State, rows: int | None, shuffle: bool) -> None:
        self.state = state
        self.rows = -1 if rows is None else rows
        self.shuffle = shuffle
        for name, kind in TYPES.items():
            state.add(name, kind)
        self._first: int = state.number(EPOCH_STATE)  # pass of this training
        self.begin()

    def begin(self) -> None:
        """Go on from what the state says, if that is about as many rows."""
        known = self.rows >= 0
        if self.state.number(ROWS_STATE) != self.rows or self.row < 0 or (known and self.row > self.rows):
            self.leave()
        if self.step < 0 or self.state.number(BATCH_STATE) < 0:
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

    @property
    def place(self) -> Place:
        """What of the pass is done."""
        return Place(self.row, self.state.number(BATCH_STATE))

    def turn(self) -> Turn:
        """The pass that this is."""
        number: int = self.state.number(EPOCH_STATE)
        return Turn(number, number - self._first, self.state.number(SEED_STATE), self.shuffle)

    def advance(self, steps: int, rows: int) -> None:
        """So many steps and rows more are done."""
        self.state.write(STEP_IN_EPOCH_STATE, self.step + steps)
        self.state.write(ROW_STATE, self.row + rows)
        self.state.write(BATCH_STATE, self.state.number(BATCH_STATE) + steps)

    def end_epoch(self) -> None:
        """What comes next is another epoch."""
        self.state.write(STEP_IN_EPOCH_STATE, 0)

    def end_pass(self) -> None:
        """What comes next is a new pass."""
        self.leave()
        self.state.write(EPOCH_STATE, self.state.number(EPOCH_STATE) + 1)

    def leave(self) -> None:
        """What comes next begins this pass anew."""
        for name in (STEP_IN_EPOCH_STATE, ROW_STATE, BATCH_STATE):
            self.state.write(name, 0)
