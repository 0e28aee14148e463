"""How an optimizer runs the step that was compiled for it: as it is, unless it has a way of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from thalweg.graph.node import Graph
from thalweg.state import CompiledStep, State

__all__ = ["CompiledStep", "PlainStepper", "Stepper"]

Arrays = Mapping[str, np.ndarray]


class Stepper(Protocol):
    """Makes steps of training out of runs of a program."""

    @property
    def converged(self) -> bool:
        """Whether the last step found nothing better, so that more of them make no difference."""

    def run(
        self, program: CompiledStep, graph: Graph, state: State, data: Arrays, index: np.ndarray, threads: int
    ) -> None:
        """One step for each row of ``index``.

        Arguments:
            graph: what the program was made of.
            data: the arrays that ``index`` chooses the rows of a batch from.
        """


class PlainStepper:
    """The compiled step is all there is to do."""

    converged = False

    def run(
        self, program: CompiledStep, graph: Graph, state: State, data: Arrays, index: np.ndarray, threads: int
    ) -> None:
        """As often as there are rows in the index, without coming back between."""
        state.run(program, data, index, None, threads)
