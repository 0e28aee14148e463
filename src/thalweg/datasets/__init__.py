"""Data sets without a network: MNIST comes with the package, others are read from the files of Keras.

``thalweg.datasets.mnist.load_data()``
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from thalweg import absent

if TYPE_CHECKING:
    from thalweg.datasets import boston_housing as boston_housing
    from thalweg.datasets import california_housing as california_housing
    from thalweg.datasets import cifar10 as cifar10
    from thalweg.datasets import cifar100 as cifar100
    from thalweg.datasets import fashion_mnist as fashion_mnist
    from thalweg.datasets import imdb as imdb
    from thalweg.datasets import mnist as mnist
    from thalweg.datasets import reuters as reuters

__all__ = [
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
]


def _loaded(name: str) -> ModuleType | None:
    """The module of a data set, when it is first asked for."""
    return importlib.import_module(f"{__name__}.{name}") if name in __all__ else None


if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__, _loaded)
