"""A table of lowerings: for each operation how it is written in JAX's terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thalweg.graph.node import Op

Array = Any
"""A ``jax.Array``, or what stands for one while JAX traces."""

Write = Callable[..., Array]
"""``write(op, *arrays)`` gives the result."""


class Lowerings(dict[type[Op], Write]):
    """Lowerings by the operation's class."""

    def lowers(self, *ops: type[Op]) -> Callable[[Write], Write]:
        """Decorator: enters a function ``(op, *arrays) -> array``."""

        def enter(write: Write) -> Write:
            for op in ops:
                assert op not in self, f"{op.name} has a lowering"
                self[op] = write
            return write

        return enter
