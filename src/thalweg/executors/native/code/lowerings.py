"""A table of lowerings: for each operation how it is written in LLVM."""

from __future__ import annotations

from collections.abc import Callable

from thalweg.executors.native.code.builder import Value
from thalweg.fields import dataclass
from thalweg.graph.node import Op

Write = Callable[..., Value]


@dataclass(frozen=True)
class Lowering:
    """How an operation is written, on numbers or on vectors of them; loops and fusion come from outside.

    ``write(op, build, *values)`` gives the result's value. Of a reduction it puts two partial results together; random
    numbers get their places after the values of the inputs. What is ``cheap`` is rather computed again than kept.
    """

    write: Write
    cheap: bool


class Lowerings(dict[type[Op], Lowering]):
    """Lowerings by the operation's class."""

    def lowers(self, op: type[Op], *, cheap: bool = True) -> Callable[[Write], Write]:
        """Decorator: enters a function ``(op, build, *values) -> value``."""

        def enter(write: Write) -> Write:
            assert op not in self, f"{op.name} has a lowering"
            self[op] = Lowering(write, cheap)
            return write

        return enter
