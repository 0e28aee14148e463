"""The primitive operations and what is made of them, by Keras's names and by ours.

Functions take and give nodes; of symbols they make symbols, of arrays arrays, at once (``recording``). What a module
names in its ``__all__`` is public here, and what takes a tensor can stand in a model's file. How it is arranged:

============================================  ========================================================================
``leaf``, ``views``, ``cast``, ``shape``      primitives: where numbers come from, moving them
``broadcast``, ``reduce``, ``elementwise``    primitives: repeating, folding, each number for itself
``contraction``, ``convolution``, ``lookup``  primitives: sums of products, over windows, rows by number
``softmax``, ``concatenate``, ``random``      primitives
``arithmetic``                                made of these, and so all below: more functions of each number
``reductions``, ``order``                     sums, means, running sums; sorting and quantiles
``arrangement``, ``places``                   axes, joining, margins; taking and putting by index
``products``                                  matrix products, einsum
``creation``                                  arrays made of nothing: zeros, arange, eye
``activation``, ``neural``                    activations; convolutions, pooling, crossentropies as functions
``control``, ``alone``                        conditions and loops; what is there for arrays only
============================================  ========================================================================
"""

from types import FunctionType
from typing import TYPE_CHECKING

from thalweg import absent, checks
from thalweg.ops import operators as operators  # gives nodes their + - * /
from thalweg.ops.activation import *
from thalweg.ops.alone import *
from thalweg.ops.arithmetic import *
from thalweg.ops.arrangement import *
from thalweg.ops.broadcast import *
from thalweg.ops.cast import *
from thalweg.ops.contraction import *
from thalweg.ops.control import *
from thalweg.ops.convolution import *
from thalweg.ops.creation import *
from thalweg.ops.earlier import *
from thalweg.ops.elementwise import *
from thalweg.ops.leaf import *
from thalweg.ops.literal import *
from thalweg.ops.neural import *
from thalweg.ops.order import *
from thalweg.ops.places import *
from thalweg.ops.products import *
from thalweg.ops.random import *
from thalweg.ops.recording import recordable, registry, takes_tensors
from thalweg.ops.reduce import *
from thalweg.ops.reductions import *
from thalweg.ops.shape import *
from thalweg.ops.softmax import *

NAMES_IN_FILES = {
    "argmax_last": "argmax",
    "concatenate_last": "concatenate",
    "take_first": "take",
    "argmax": "argmax_2",
    "concatenate": "concatenate_2",
    "take": "take_2",
}
"""Of functions that files call otherwise: the former are what version 0.1 had under these names."""

__all__ = ["registry"]
_functions = {name: value for name, value in globals().items() if isinstance(value, FunctionType)}
for _name in sorted(_functions, key=lambda name: (name not in NAMES_IN_FILES or "_" not in name, name)):
    _function = _functions[_name]
    if _function.__module__ != recordable.__module__:
        __all__.append(_name)
        if takes_tensors(_function):
            globals()[_name] = registry.register(NAMES_IN_FILES.get(_name, _name))(recordable(_function))
        else:
            globals()[_name] = checks.reporting(_function)

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
