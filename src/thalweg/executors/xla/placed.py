"""Values where XLA keeps them."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.errors import ExecutorError


class Placed:
    """A value where XLA keeps it."""

    def __init__(self, array: Any, placement: Any, sharding: Any) -> None:
        self.array = array
        self.placement = placement
        self.sharding = sharding

    def send(self) -> None:
        """See state.Kept."""
        if not self.array.is_deleted() and self.array.is_fully_addressable:
            self.array.copy_to_host_async()

    def read(self) -> np.ndarray:
        """See state.Kept. Raises ExecutorError if it was lost when a step failed."""
        if self.array.is_deleted():
            raise ExecutorError(
                "the newest value of a state was lost when a step failed on the device",
                expected="the value that the last step computed",
                got="nothing: the step that failed had taken its memory",
                fix="load the model from a file or a backup, and make the batches smaller",
            )
        array: np.ndarray = self.placement.read(self.array)
        return array
