"""The data that a call of ``fit``, ``evaluate`` or ``predict`` was given: arrays, or a stream of batches."""

from __future__ import annotations

from typing import Any

from thalweg.checks import Count, check_value
from thalweg.data.source import Rows, Source
from thalweg.data.streams.opening import has_columns, parts_of, refuse_beside
from thalweg.data.streams.parts import Parts
from thalweg.data.streams.stream import Stream, first_part
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.model.runner import Runner
from thalweg.training import data
from thalweg.training.inference import BATCH
from thalweg.training.own import pack, unpack


@dataclass(frozen=True)
class Given:
    """What was given.

    Attributes:
        x, y, sample_weight: the arrays, as they came; of a stream those of its first batch.
        parts: the stream; None for arrays.
    """

    x: Any
    y: Any = None
    sample_weight: Any = None
    parts: Parts | None = None

    @classmethod
    def of(cls, owner: str, x: Any, y: Any = None, sample_weight: Any = None) -> Given:
        """What these arguments mean. Raises ArgumentError for something beside a stream; DataError for an empty one."""
        named = has_columns(x)
        parts = parts_of(x, y if named else None)
        if parts is None:
            return cls(x, y, sample_weight)
        y = None if named else y
        refuse_beside(parts, owner, y=y, sample_weight=sample_weight)
        return cls(*unpack(first_part(parts)), parts)

    @classmethod
    def held_out(cls, given: Any, alone: bool) -> Given | None:
        """What ``validation_data`` means. Raises ArgumentError if it is neither.

        Arguments:
            alone: whether x alone will do.
        """
        x, target = given if isinstance(given, tuple) and len(given) == 2 and has_columns(given[0]) else (given, None)
        parts = parts_of(x, target)
        if given is None or parts is not None:
            return None if parts is None else cls(*unpack(first_part(parts)), parts)
        if alone and not (isinstance(given, tuple) and len(given) > 1):
            return cls(given[0] if isinstance(given, tuple) else given)
        return cls(*data.unpack_validation(given))

    @property
    def _first(self) -> Any:
        return pack(self.x, self.y, self.sample_weight)

    def prepared(self, runner: Runner) -> Source:
        """As a step of training or evaluation takes it. Raises as ``data.prepare``."""
        if self.parts is None:
            return runner.prepare(self.x, self.y, self.sample_weight)
        return runner.stream(self.parts, self._first)

    def inputs(self, runner: Runner) -> Source:
        """As a prediction takes it."""
        return runner.rows(self.x) if self.parts is None else runner.input_stream(self.parts, self._first)

    def divided(
        self, runner: Runner, class_weight: Any, share: float, held_out: Given | None
    ) -> tuple[Source, Source | None]:
        """The rows to train on, with the weights of their classes, and those to validate on.

        Arguments:
            held_out: ``validation_data``, which wins over the ``share`` of ``validation_split``.
        """
        rest = None if held_out is None else held_out.prepared(runner)
        if self.parts is not None:
            if share and held_out is None:
                raise ArgumentError(
                    "fit: validation_split for a stream, whose last rows nobody has seen yet",
                    expected="validation_data, which may be a stream too",
                    got=f"validation_split={share}",
                    fix="leave validation_split out, and pass validation_data",
                )
            return runner.stream(self.parts, self._first, class_weight), rest
        rows = runner.prepare(self.x, self.y, self.sample_weight)
        if share and held_out is None:
            rows, rest = data.split_tail(rows, share)
        return runner.weigh_classes(rows, class_weight), rest


def steps_over(rows: Source, batch_size: int | None) -> int | None:
    """How many batches these are, if that is known."""
    return rows.batches if rows.count is None else -(-rows.count // (batch_size or BATCH))


def first(rows: Source, steps: int | None, batch_size: int | None, owner: str) -> Source:
    """The rows of the first ``steps`` batches; all without ``steps``. Raises ArgumentError for a bad number."""
    if steps is None and batch_size is None:  # what nearly every call is
        return rows
    batch_size = check_value(owner, "batch_size", Count | None, batch_size)
    steps = check_value(owner, "steps", Count | None, steps)
    if isinstance(rows, Stream):
        return rows.limited(steps, batch_size or BATCH)
    assert isinstance(rows, Rows), "what is no stream can be cut"
    return rows if steps is None else rows.take(slice(steps * (batch_size or BATCH)))
