"""Losses of sequences whose labels come in order, but not at known times."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg import ops
from thalweg.data.arrays import as_array
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.losses.loss import Loss, bad_target, registry
from thalweg.ops.shape import pad

__all__ = ["CTC"]


@registry.register("ctc")
@dataclass(frozen=True)
class CTC(Loss):
    """Minus the log of how likely the labels are read, in whatever times: connectionist temporal classification.

    At each time a class or nothing (class 0) is read; what is read twice in a row counts once, and nothing is left out.
    The loop over the times is drawn out in the compiled step: meant for some dozens of them.

    Shapes: y_true (batch, labels) classes from 1 on, 0 behind the last; y_pred (batch, times, classes), logits ->
    (batch,).
    Raises: ShapeError if there are more labels than times; DataError for a label that is no class.
    Source: Graves et al. (2006), ICML, section 4.1.
    """

    def target_type(self, output: TensorType) -> TensorType:
        if output.rank != 3:
            raise ShapeError(
                f"loss {self.name!r}: the predictions are no sequences",
                expected="(batch, times, classes)",
                got=str(output.shape),
                fix="end the model with a Dense layer over (batch, times, features)",
            )
        return TensorType(output.shape[:2], "int32")

    def prepare(self, y: Any, output: TensorType) -> np.ndarray:
        labels, times = as_array(y, "y_true"), self.target_type(output).shape[1]
        if labels.ndim == 2 and labels.shape[1] < times:
            labels = np.pad(labels, ((0, 0), (0, times - labels.shape[1])))
        return super().prepare(labels, output)

    def check_targets(self, y: np.ndarray, output: TensorType) -> None:
        classes = output.shape[-1]
        outside = (y < 0) | (y >= classes)
        if outside.any():
            raise bad_target(
                self,
                y,
                outside,
                f"labels 1 to {classes - 1}, and 0 behind the last, because the predictions have {classes} classes",
                "number the classes from 1: 0 stands for nothing",
            )

    def aligned(self, y_true: Node, y_pred: Node) -> tuple[Node, Node]:
        missing = self.target_type(y_pred.type).shape[1] - (y_true.shape[1] if y_true.rank == 2 else 0)
        if y_true.rank == 2 and missing > 0:
            y_true = pad(y_true, (0, 0), (0, missing))
        return super().aligned(y_true, y_pred)

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        return ops.ctc_loss(y_true, y_pred, ops.count_nonzero(y_true, axis=1))
