"""Data sets that come with the package and load without a network: ``thalweg.datasets.mnist.load_data()``."""

from thalweg.datasets import mnist as mnist
