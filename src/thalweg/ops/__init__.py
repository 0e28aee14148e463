"""The primitive operations and what is made of them. Functions take and give nodes; of symbols they make symbols.

What a module names in its ``__all__`` is public here, and what takes a tensor can stand in a model's file.
"""

from types import FunctionType
from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.ops import operators as operators  # gives nodes their + - * /
from thalweg.ops.broadcast import *
from thalweg.ops.cast import *
from thalweg.ops.concatenate import *
from thalweg.ops.contraction import *
from thalweg.ops.convolution import *
from thalweg.ops.elementwise import *
from thalweg.ops.leaf import *
from thalweg.ops.lookup import *
from thalweg.ops.random import *
from thalweg.ops.recording import recordable, registry, takes_tensors
from thalweg.ops.reduce import *
from thalweg.ops.shape import *
from thalweg.ops.softmax import *

__all__ = ["registry"]
for _name, _function in list(globals().items()):
    if isinstance(_function, FunctionType) and _function.__module__ != recordable.__module__:
        __all__.append(_name)
        if takes_tensors(_function):
            globals()[_name] = registry.register(_name)(recordable(_function))

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
