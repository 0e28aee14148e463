"""What a module of a package names in its ``__all__`` is public in the package, without a second list."""

import importlib
import inspect
import pkgutil

import pytest

from thalweg import layers, losses, metrics, ops, optimizers

TOGETHER = (layers, losses, metrics, ops, optimizers)


def registering(package):
    """The modules of a package that register something, each with the names of what they register."""
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(info.name)
        names = [entry.__name__ for _, entry in package.registry.items() if entry.__module__ == info.name]
        if names:
            yield module, names


@pytest.mark.parametrize("package", TOGETHER, ids=lambda package: package.__name__)
def test_every_module_that_registers_something_hands_on_its_public_names(package):
    for module, _ in registering(package):
        for name in module.__all__:
            public, own = getattr(package, name), getattr(module, name)
            assert inspect.unwrap(public) is inspect.unwrap(own) if callable(own) else public is own, (
                f"{module.__name__}.{name}"
            )


@pytest.mark.parametrize("package", TOGETHER, ids=lambda package: package.__name__)
def test_whatever_is_registered_is_named(package):
    """A class that is registered and not in its module's ``__all__`` would have a name in files, and none in Python."""
    for module, names in registering(package):
        assert set(names) <= set(module.__all__), module.__name__
