"""What a module of a package names in its ``__all__`` is public in the package, without a second list."""

import importlib
import inspect
import pkgutil

import pytest
from tests.contracts.test_blocks import PACKAGES

from thalweg import layers, losses, metrics, ops, optimizers
from thalweg.registry import Registry

TOGETHER = (layers, losses, metrics, ops, optimizers)


@pytest.mark.parametrize("package", TOGETHER, ids=lambda package: package.__name__)
def test_every_module_hands_on_its_public_names(package):
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for name in getattr(importlib.import_module(module.name), "__all__", ()):
            public, own = getattr(package, name), getattr(importlib.import_module(module.name), name)
            assert inspect.unwrap(public) is own if callable(own) else public is own, f"{module.name}.{name}"


@pytest.mark.parametrize("package", set(TOGETHER) & set(PACKAGES.values()), ids=lambda package: package.__name__)
def test_whatever_is_registered_is_named(package):
    """A class that is registered and not in its module's ``__all__`` would have a name in files, and none in Python."""
    registry: Registry = package.registry
    for name, entry in registry.items():
        module = importlib.import_module(entry.__module__)
        if module.__name__.startswith(package.__name__):
            assert entry.__name__ in module.__all__, f"{name} is not in {module.__name__}.__all__"
