"""What is examined: a model, and the rows that it is to learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg import cores
from thalweg.data.source import Rows, shuffled
from thalweg.data.streams.opening import has_columns, parts_of
from thalweg.errors import ArgumentError, GraphError
from thalweg.model import Model
from thalweg.optimizers import LBFGS
from thalweg.training.goals import Goals
from thalweg.training.programs import Programs

__all__ = ["Subject"]


class Subject:
    """A model, which stays as it is, and rows as its graph takes them. As by ``evaluate``, one without an Input is
    built, and a loss that is to be chosen is chosen.

    Arguments:
        owner: the function that asks, for messages.
        x, y, sample_weight: as for ``fit``, arrays only.

    Attributes:
        rows: all of them.
        batch: rows of a step of training: all for LBFGS.
        seed: of what is drawn.
        programs: of trials, by the name of the optimizer; None for the model's own.
        x, y, sample_weight: as they came; lists for several inputs or outputs as tuples.

    Raises: GraphError if the model is not compiled; ArgumentError for a stream; what ``fit``
        raises for data that do not fit.
    """

    def __init__(
        self, owner: str, model: Model, x: Any, y: Any, sample_weight: Any, batch_size: int, seed: int
    ) -> None:
        model.runner.require_compiled(owner)
        if parts_of(x, y if has_columns(x) else None) is not None:
            raise ArgumentError(
                f"{owner}: the data are a stream, whose batches come once and in their own order",
                expected="arrays, whose rows can be chosen and seen again",
                got=type(x).__name__,
                fix="pass some of its batches as arrays: np.concatenate([x for x, y in batches])",
            )
        self.owner, self.seed = owner, seed
        self.programs: dict[str | None, Programs] = {}
        self.model = model
        model.build_for(x)
        model.runner.choose_loss(x, y, verbose=0)
        prepared = model.runner.prepare(x, y, sample_weight)
        assert isinstance(prepared, Rows), "arrays are rows"
        self.rows = prepared.staying()
        searches = isinstance(model.runner.require_compiled(owner).rule, LBFGS)  # along lines, of one loss
        self.batch = self.rows.count if searches else min(batch_size, self.rows.count)
        self.x = tuple(x) if isinstance(x, list) and len(model.inputs) > 1 else x
        self.y = tuple(y) if isinstance(y, list) and len(model.outputs) > 1 else y
        self.sample_weight = sample_weight

    @property
    def goals(self) -> Goals:
        """What is trained for.

        Raises: GraphError if the model says itself what a step does.
        """
        self.require_plain()
        return self.model.runner.goals(self.rows)

    def require_plain(self) -> None:
        """Raise GraphError if the model says itself what a step does: its loss is not known as a formula then."""
        if self.model.runner.trains_itself:
            raise GraphError(
                "the model says itself what a step does, so that its loss is not known apart from the step",
                expected="a model without train_step, compute_loss and metrics of its own",
                got=type(self.model).__name__,
                fix="examine the same layers in a plain Model(inputs, outputs) with a thalweg.losses.Loss",
            )

    def require_trained(self) -> None:
        """Raise GraphError if no parameter is trained."""
        compiled = self.model.runner.require_compiled(self.owner)
        if not compiled.trained.paths:
            raise GraphError(
                "the model trains nothing",
                expected="at least one trained parameter",
                got=f"{len(self.model.parameters())} parameters, none of them trained",
                fix="set trainable=True on a layer that has parameters, and compile again",
            )

    def drawn(self, count: int, part: int = 0) -> np.ndarray:
        """The numbers of at most so many rows; always the same, other ones for another ``part``."""
        return np.sort(shuffled(self.rows.count, self.seed, 0, part)[:count])

    def some(self, count: int, part: int = 0) -> Rows:
        """These rows."""
        return self.rows if count >= self.rows.count else self.rows.take(self.drawn(count, part))

    def order(self, steps: int, batch: int, rows: int | None = None, part: int = 0) -> np.ndarray:
        """(steps, batch): the rows of each step, pass after pass in a new order; another one for another ``part``.

        A batch may reach from one pass into the next, so that all are of one size.

        Arguments:
            rows: how many there are, if not all of the subject's.
        """
        count = self.rows.count if rows is None else rows
        passes = -(-steps * batch // count)
        order = np.concatenate([shuffled(count, self.seed, number + 1, part) for number in range(passes)])
        return order[: steps * batch].reshape(steps, batch)

    @property
    def threads(self) -> int:
        """As many as are quickest."""
        return cores.wanted(None)
