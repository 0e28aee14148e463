"""Neural-network training near the CPU's physical limit, with the API of Keras."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from thalweg.version import __version__ as __version__

if TYPE_CHECKING:
    from thalweg import activations as activations
    from thalweg import callbacks as callbacks
    from thalweg import constraints as constraints
    from thalweg import datasets as datasets
    from thalweg import evaluation as evaluation
    from thalweg import initializers as initializers
    from thalweg import layers as layers
    from thalweg import losses as losses
    from thalweg import metrics as metrics
    from thalweg import models as models
    from thalweg import numdiff as numdiff
    from thalweg import ops as ops
    from thalweg import optimizers as optimizers
    from thalweg import regularizers as regularizers
    from thalweg import utils as utils
    from thalweg import visualization as visualization
    from thalweg.evaluation import compare as compare
    from thalweg.evaluation import cross_validate as cross_validate
    from thalweg.evaluation import fit_many as fit_many
    from thalweg.evaluation import train_validation_test_split as train_validation_test_split
    from thalweg.functions import compile_function as compile_function
    from thalweg.functions import grad as grad
    from thalweg.functions import hessian_vector_product as hessian_vector_product
    from thalweg.functions import value_and_grad as value_and_grad
    from thalweg.layers import Input as Input
    from thalweg.model import Model as Model
    from thalweg.model import Sequential as Sequential
    from thalweg.model import clone_model as clone_model
    from thalweg.model import load_model as load_model
    from thalweg.numdiff import check_gradients as check_gradients

_MODULES = (
    "activations",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "errors",
    "evaluation",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "numdiff",
    "ops",
    "optimizers",
    "regularizers",
    "utils",
    "visualization",
)
_NAMES = {
    "Input": "thalweg.layers",
    "Model": "thalweg.model",
    "Sequential": "thalweg.model",
    "check_gradients": "thalweg.numdiff",
    "clone_model": "thalweg.model",
    "compare": "thalweg.evaluation",
    "compile_function": "thalweg.functions",
    "cross_validate": "thalweg.evaluation",
    "fit_many": "thalweg.evaluation",
    "grad": "thalweg.functions",
    "hessian_vector_product": "thalweg.functions",
    "load_model": "thalweg.model",
    "train_validation_test_split": "thalweg.evaluation",
    "value_and_grad": "thalweg.functions",
}

__all__ = ["__version__", *_MODULES, *_NAMES]


def __getattr__(name: str) -> Any:
    """Public names are loaded when they are first used: a script that only asks for the version loads nothing."""
    if name in _MODULES:
        return importlib.import_module(f"thalweg.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'thalweg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
