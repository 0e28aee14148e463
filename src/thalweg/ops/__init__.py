"""The primitive operations and what is made of them, by Keras's names and by ours.

Functions take and give nodes; of symbols they make symbols, of arrays arrays, at once (``recording``). What a module
names in its ``__all__`` is public here, and what takes a tensor can stand in a model's file. How it is arranged:

============================================  ========================================================================
``leaf``, ``views``, ``cast``, ``shape``      primitives: where numbers come from, moving them
``broadcast``, ``reduce``, ``elementwise``    primitives: repeating, folding, each number for itself
``contraction``, ``convolution``, ``lookup``  primitives: sums of products, over windows, rows by number
``bfloat16``                                  a primitive: rounding; what products of the short format are
``softmax``, ``concatenate``, ``random``      primitives
``deviations``                                a primitive: means of their powers over images
``arithmetic``                                made of these, and so all below: more functions of each number
``reductions``, ``order``                     sums, means, running sums; sorting and quantiles
``arrangement``, ``places``                   axes, joining, margins; taking and putting by index
``matmul``, ``products``                      matrix products, einsum and other sums of products
``creation``                                  arrays made of nothing: zeros, arange, eye
``neural``                                    convolutions, pooling, crossentropies as functions
``control``, ``alone``                        conditions and loops; what is there for arrays only
``activation``                                activations
============================================  ========================================================================
"""

import importlib
from types import FunctionType
from typing import TYPE_CHECKING, Any

from thalweg import absent
from thalweg import checks as _checks
from thalweg.ops import operators as operators  # gives nodes their + - * /
from thalweg.ops.activation import *
from thalweg.ops.broadcast import *
from thalweg.ops.cast import *
from thalweg.ops.contraction import *
from thalweg.ops.convolution import *
from thalweg.ops.elementwise import *
from thalweg.ops.leaf import *
from thalweg.ops.literal import *
from thalweg.ops.matmul import *
from thalweg.ops.random import *
from thalweg.ops.recording import recordable as _recordable
from thalweg.ops.recording import registry as _registry
from thalweg.ops.recording import takes_tensors as _takes_tensors
from thalweg.ops.reduce import *
from thalweg.ops.shape import *
from thalweg.ops.softmax import *

if TYPE_CHECKING:  # what is loaded when one of its names is first used
    from thalweg.ops.alone import *
    from thalweg.ops.arithmetic import *
    from thalweg.ops.arrangement import *
    from thalweg.ops.control import *
    from thalweg.ops.creation import *
    from thalweg.ops.earlier import *
    from thalweg.ops.neural import *
    from thalweg.ops.order import *
    from thalweg.ops.places import *
    from thalweg.ops.products import *
    from thalweg.ops.recording import registry as registry
    from thalweg.ops.reductions import *

    __all__: list[str]

_LATER = (
    *("arithmetic", "reductions", "order", "arrangement", "places", "products", "creation", "neural", "control"),
    *("alone", "earlier"),
)
"""Most networks need none of their names, and importing them would add a tenth to the time in which one is made."""

NAMES_IN_FILES = {
    "argmax_last": "argmax",
    "concatenate_last": "concatenate",
    "take_first": "take",
    "argmax": "argmax_2",
    "concatenate": "concatenate_2",
    "take": "take_2",
}
"""Of functions that files call otherwise: the former are what version 0.1 had under these names."""


def _public(functions: dict[str, Any]) -> dict[str, Any]:
    """The functions as users get them: for everything that stands for nodes, and with names for files."""
    public = {}
    for name in sorted(functions, key=lambda name: (name not in NAMES_IN_FILES or "_" not in name, name)):
        function = functions[name]
        if _takes_tensors(function):
            public[name] = _registry.register(NAMES_IN_FILES.get(name, name))(_recordable(function))
        else:
            public[name] = _checks.reporting(function)
    return public


_AT_ONCE = {name: value for name, value in globals().items() if isinstance(value, FunctionType) and name[0] != "_"}
globals().update(_public(_AT_ONCE))
for _module in ("concatenate", "shape"):  # loaded by now; the functions of these names come later
    del globals()[_module]


def _load_the_rest() -> None:
    rest: dict[str, Any] = {}
    for module in _LATER:
        loaded = importlib.import_module(f"{__name__}.{module}")
        rest |= {name: getattr(loaded, name) for name in loaded.__all__}
    globals().update(_public(rest), registry=_registry, __all__=["registry", *_AT_ONCE, *rest])


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if "__all__" not in globals() and (name == "__all__" or not name.startswith("_")):
            _load_the_rest()
            if name in globals():
                return globals()[name]
        return absent.answers(__name__)(name)

    def __dir__() -> list[str]:
        return sorted(__getattr__("__all__") if "__all__" not in globals() else globals()["__all__"])
