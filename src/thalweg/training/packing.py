"""What callbacks and the history keep, for a file: JSON, with the arrays apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from thalweg.errors import ArgumentError

Arrays = dict[str, np.ndarray]


def packed(value: Any, name: str, arrays: Arrays) -> Any:
    """A value in JSON types; copies of its arrays, and long lists of floats, are put among ``arrays``.

    Raises: ArgumentError for what a file cannot hold.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        arrays[name] = value.copy()
        return {"array": name}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {"mapping": {str(key): packed(part, f"{name}/{key}", arrays) for key, part in value.items()}}
    if isinstance(value, list | tuple):
        if value and all(type(part) is float for part in value):  # thousands of epochs
            arrays[name] = np.array(value, np.float64)
            return {"floats": name}
        return [packed(part, f"{name}/{number}", arrays) for number, part in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ArgumentError(
        "the state of a callback cannot be backed up",
        expected="numbers, strings, arrays, and lists and mappings of these from get_state()",
        got=f"{value!r:.60} ({type(value).__name__}) at {name}",
        fix="leave it out of what get_state gives",
    )


def unpacked(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The inverse; tuples have become lists. Raises KeyError for what ``packed`` has not made."""
    if isinstance(value, list):
        return [unpacked(part, arrays) for part in value]
    if not isinstance(value, Mapping):
        return value
    if "array" in value:
        return arrays[value["array"]].copy()
    if "floats" in value:
        return arrays[value["floats"]].tolist()
    return {key: unpacked(part, arrays) for key, part in value["mapping"].items()}
