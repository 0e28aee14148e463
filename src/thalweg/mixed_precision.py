"""``keras.mixed_precision``: policies for number formats under the names of older programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.config import dtype_policy as dtype_policy
from thalweg.config import set_dtype_policy as set_dtype_policy
from thalweg.dtype_policies import DTypePolicy as DTypePolicy
from thalweg.optimizers import LossScaleOptimizer as LossScaleOptimizer

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy
