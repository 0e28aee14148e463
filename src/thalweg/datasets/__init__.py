"""Data sets that come with the package and load without a network: ``thalweg.datasets.mnist.load_data()``."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.datasets import mnist as mnist

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
