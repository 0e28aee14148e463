"""Policies for number formats, as in ``keras.dtype_policies``: in which format a layer multiplies, in which it keeps.

There are three. ``"float32"`` and ``"float64"`` are one format for everything. Under ``"mixed_bfloat16"`` the factors
of matrix products and convolutions are rounded to bfloat16, and all else is float32: the sums of the products, weights,
optimizers, normalisation, and tensors in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from thalweg import absent
from thalweg.errors import ArgumentError, did_you_mean

__all__ = ["DTypePolicy", "FloatDTypePolicy", "deserialize", "get", "serialize"]

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)

_FORMATS = {
    "float32": ("float32", "float32"),
    "float64": ("float64", "float64"),
    "mixed_bfloat16": ("bfloat16", "float32"),
}

NAMES = tuple(_FORMATS)
"""Of all policies."""


class DTypePolicy:
    """A number format to multiply in, and one for weights.

    Arguments:
        name: ``"float32"``, ``"float64"`` or ``"mixed_bfloat16"``.

    Raises: ArgumentError for another name.

    Example:
        >>> DTypePolicy("mixed_bfloat16").compute_dtype
        'bfloat16'
    """

    quantization_mode = None

    def __init__(self, name: str = "float32") -> None:
        if not isinstance(name, str) or name not in _FORMATS:
            raise _unknown(name)
        self._name = name

    @property
    def name(self) -> str:
        """What it is made with."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The format of the factors of products."""
        return _FORMATS[self._name][0]

    @property
    def variable_dtype(self) -> str:
        """The format of weights, and of tensors in memory."""
        return _FORMATS[self._name][1]

    @property
    def precision(self) -> str | None:
        """What ``ops.contraction.Contraction`` rounds factors to; None for as they are."""
        return self.compute_dtype if self.compute_dtype != self.variable_dtype else None

    def get_config(self) -> dict[str, Any]:
        """``{"name": name}``."""
        return {"name": self._name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> DTypePolicy:
        """The policy that ``get_config`` describes."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<DTypePolicy {self._name!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other._name == self._name

    def __hash__(self) -> int:
        return hash(self._name)


FloatDTypePolicy = DTypePolicy


def get(identifier: str | Mapping[str, Any] | DTypePolicy) -> DTypePolicy:
    """The policy of a name or a description, or a policy as it is. Raises ArgumentError."""
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    return DTypePolicy(identifier)


def serialize(dtype_policy: DTypePolicy) -> dict[str, Any]:
    """A description, as Keras writes it."""
    return {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": get(dtype_policy).get_config(),
        "registered_name": None,
    }


def deserialize(config: Mapping[str, Any], custom_objects: Any = None) -> DTypePolicy:
    """The policy that ``serialize``, or Keras, has described; there are no others. Raises ArgumentError."""
    told = config.get("config")
    if config.get("class_name") not in ("DTypePolicy", "FloatDTypePolicy", "Policy") or not isinstance(told, Mapping):
        raise _unknown(dict(config))
    return DTypePolicy(told.get("name"))  # type: ignore[arg-type]


def _unknown(given: Any) -> ArgumentError:
    name = given if isinstance(given, str) else ""
    short = 'choose "mixed_bfloat16": weights and sums stay float32, so that no loss has to be scaled'
    return ArgumentError(
        "there is no such dtype policy",
        expected=" or ".join(repr(name) for name in NAMES),
        got=f"{given!r:.100}",
        fix=short if name.endswith("float16") else did_you_mean(name, NAMES),
    )
