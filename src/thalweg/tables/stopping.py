"""When the training of a network for a table has gone on for long enough."""

from __future__ import annotations

import math

from thalweg.callbacks import EarlyStopping
from thalweg.training.callbacks import Logs

__all__ = ["LastingPatience"]


class LastingPatience(EarlyStopping):
    """Keeps the best epoch, and stops once as many epochs as that one took, and a tenth of all, brought none better.

    So training always comes to the next rest of a schedule whose cycles double (``schedules.LogCosineCycles``): after
    one that was no better than what was there before, further and longer ones seldom are.

    Arguments:
        monitor: the name in the logs.
        epochs: how many ``fit`` is asked for.
    """

    def __init__(self, monitor: str, epochs: int) -> None:
        super().__init__(monitor, restore_best_weights=True)
        self.epochs = epochs

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.patience = self.best_epoch + 1 + math.ceil(self.epochs / 10)
        super().on_epoch_end(epoch, logs)
