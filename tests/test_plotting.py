"""plotting.py: what is drawn on, and the error where nothing can be drawn."""

import sys

import pytest

from thalweg import plotting
from thalweg.errors import MissingPackageError


def test_axes_that_are_given_are_taken():
    given = object()
    assert plotting.axes(given) is given


@pytest.mark.parametrize("draw", [plotting.axes, plotting.figure, lambda: plotting.close(None)])
def test_without_matplotlib(monkeypatch, draw):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingPackageError, match="plots need matplotlib") as caught:
        draw()
    assert caught.value.fix == "pip install 'thalweg[plots]'"
    assert isinstance(caught.value, ImportError)


def test_new_figures_and_axes(pyplot):
    drawn = plotting.figure(figsize=(2, 1))
    assert drawn.get_size_inches().tolist() == [2, 1]
    assert plotting.axes(figsize=(3, 1)).figure.get_size_inches().tolist() == [3, 1]
    plotting.close(drawn)
    assert drawn.number not in pyplot.get_fignums()
