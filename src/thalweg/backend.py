"""``keras.backend``: settings of the process, and what programs ask of a tensor."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg import absent
from thalweg.checks import checked
from thalweg.config import backend as backend
from thalweg.config import epsilon as epsilon
from thalweg.config import floatx as floatx
from thalweg.config import image_data_format as image_data_format
from thalweg.config import set_epsilon as set_epsilon
from thalweg.config import set_floatx as set_floatx
from thalweg.config import set_image_data_format as set_image_data_format
from thalweg.errors import DTypeError
from thalweg.layers.symbols import Symbol

KerasTensor = Symbol

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)


@checked
def clear_session(free_memory: bool = True) -> None:
    """Free what models that are gone have left. Models share no state, so that nothing else is to be cleared."""
    if free_memory:
        gc.collect()


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype; of None ``floatx()``. Raises: DTypeError for what is none."""
    given = dtype if isinstance(dtype, type) else getattr(dtype, "dtype", dtype)
    try:
        return floatx() if dtype is None else np.dtype(given).name
    except (TypeError, ValueError) as error:
        raise DTypeError(
            "this is no dtype",
            expected="the name of one, as 'float32'",
            got=f"{dtype!r:.80} ({type(dtype).__name__})",
            fix="give a name, or an array that has one",
        ) from error


def is_float_dtype(dtype: Any) -> bool:
    """Whether it is one of real numbers."""
    return np.dtype(standardize_dtype(dtype)).kind == "f"


def is_int_dtype(dtype: Any) -> bool:
    """Whether it is one of whole numbers, signed or not."""
    return np.dtype(standardize_dtype(dtype)).kind in "iu"


def is_keras_tensor(x: Any) -> bool:
    """Whether x is what ``Input`` and layers of a functional model give."""
    return isinstance(x, Symbol)
