"""Convolutions and pooling of random shapes: see random_convolutions.py, which runs as many as one likes."""

import numpy as np
import pytest
from tests.executors import random_convolutions
from tests.executors.random_convolutions import definition, differences, make, pytorch

from thalweg import Input, Sequential
from thalweg.errors import ShapeError

BLOCK = 18
COUNT = 72
CASES = [make(seed) for seed in range(COUNT)]
FIT = [case for case in CASES if case.kind == "transposed" or case.fits()]
SLOW_BUILDS = 8
"""So many cases for the checked build, and for each width of vectors."""


@pytest.mark.parametrize("first", range(0, len(FIT), BLOCK))
def test_engine(first, engine):
    """Against PyTorch, else against the numpy executor; with two threads to the same bits."""
    for case in FIT[first : first + BLOCK]:
        assert not (text := random_convolutions.fault(engine, case)), f"{case}\n{text}"


def test_other_builds(native_build):
    for case in FIT[-SLOW_BUILDS:]:
        assert not (text := random_convolutions.fault(native_build, case)), f"{case}\n{text}"


@pytest.mark.needs("torch")
def test_the_definition_is_pytorch_s():
    """The numpy executor in float64."""
    for case in FIT:
        found = differences(case, definition(case), pytorch(case), pytorch(case, absolute=True), "float64")
        assert not found, f"{case}\n{found}"


def test_a_fault_is_found():
    """One weight that differs by a hundred thousandth."""
    for case in [case for case in FIT if case.kind == "convolution"][:5]:
        want = definition(case)
        sizes = {name: np.abs(y) for name, y in want.items()}
        got = {name: y.copy() for name, y in want.items()}
        got["kernel"].flat[np.abs(got["kernel"]).argmax()] *= 1 + 1e-5 * case.terms()["kernel"] ** 0.5
        assert differences(case, got, want, sizes)
        assert not differences(case, want, want, sizes)


def test_they_are_of_every_kind():
    """So that what the tests above prove is what they say."""
    assert {(case.kind, case.rank) for case in FIT} >= {("convolution", n) for n in (1, 2, 3)}
    assert {case.kind for case in FIT} == {"convolution", "transposed", "max", "average"}
    assert {case.padding for case in FIT} == {"valid", "same", "causal"}
    for numbers in ({n for c in FIT for n in getattr(c, name)} for name in ("strides", "dilation")):
        assert numbers == {1, 2, 3}
    assert {n for case in FIT for n in case.size} == set(range(1, 8))
    assert sum(case.groups > 1 for case in FIT) > 10
    assert sum(case.batch == 1 for case in FIT) > 10
    assert sum(1 in case.places for case in FIT) > 5
    assert len({case.channels for case in FIT} | {case.filters for case in FIT}) > 30
    assert len(CASES) - len(FIT) >= 3


def test_images_smaller_than_the_window():
    for case in CASES:
        if case in FIT:
            continue
        layer = case.layer("float32")
        with pytest.raises(ShapeError) as caught:
            Sequential([Input((*case.places, case.channels)), layer])
        text = str(caught.value)
        assert all(part in text for part in (layer.label, "expected:", "got:", "to fix:")), text
