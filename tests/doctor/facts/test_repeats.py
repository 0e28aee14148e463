"""Copies of validation rows among the training rows are told from rows that happen to be alike."""

import numpy as np
import pytest

from thalweg.doctor.facts.repeats import repeats_of

RANDOM = np.random.default_rng(0)


def moons(n):
    angle = RANDOM.uniform(0, np.pi, n)
    side = RANDOM.integers(0, 2, n)
    x = np.c_[np.cos(angle) * (1 - 2 * side) + side, np.sin(angle) * (1 - 2 * side) + side / 2]
    return x + 0.1 * RANDOM.standard_normal((n, 2))


DATA = {
    "wide": lambda n: RANDOM.standard_normal((n, 30)),
    "two crowded columns": moons,
    "one column": lambda n: RANDOM.uniform(-1, 1, (n, 1)),
    "rounded, so that rows repeat": lambda n: np.round(RANDOM.standard_normal((n, 2)), 1),
    "bits": lambda n: RANDOM.integers(0, 2, (n, 8)).astype(float),
    "images": lambda n: np.maximum(RANDOM.standard_normal((n, 8, 8, 1)), 0),
    "bytes": lambda n: RANDOM.integers(0, 256, (n, 8, 8, 1)).astype("uint8"),
    "long": lambda n: RANDOM.standard_normal((n, 2000)).astype("float32"),
}


@pytest.mark.parametrize("make", DATA.values(), ids=DATA)
def test_rows_that_are_drawn_alike(make):
    x = make(600)
    found = repeats_of({"x": x[:400]}, {"x": x[400:]})
    assert abs(found.exact - found.exact_within) < 0.12
    assert abs(found.near - found.near_within) < 0.15


@pytest.mark.parametrize("make", DATA.values(), ids=DATA)
def test_copies(make):
    x = make(600)
    copied = x[400:500]  # half of the validation
    found = repeats_of({"x": np.concatenate([x[:400], copied])[RANDOM.permutation(500)]}, {"x": x[400:]})
    assert found.exact >= 0.5
    if found.exact_within < 0.1:
        assert found.exact == pytest.approx(0.5, abs=0.02)
        assert found.near - found.near_within > 0.2  # of the other half half would be near, too, in one column


@pytest.mark.parametrize("name", ["wide", "images"])
def test_copies_with_a_little_noise(name):
    x = DATA[name](600)
    noisy = x[400:] + 0.01 * x.std(axis=0) * RANDOM.standard_normal(x[400:].shape)
    found = repeats_of({"x": np.concatenate([x[:400], noisy])}, {"x": x[400:]})
    assert found.exact == 0
    assert found.near > 0.9
    assert found.near_within < 0.05


def test_copies_of_training_rows_are_natural():
    x = RANDOM.standard_normal((100, 5))
    found = repeats_of({"x": np.tile(x, (4, 1))}, {"x": RANDOM.standard_normal((50, 5))})
    assert (found.exact, found.exact_within) == (0, 1)


def test_all_training_rows_are_looked_through(tmp_path):
    x = RANDOM.standard_normal((30_000, 40)).astype("float32")
    held_out = np.concatenate([x[12_345:12_355], RANDOM.standard_normal((90, 40)).astype("float32")])
    assert repeats_of({"x": x}, {"x": held_out}).exact == pytest.approx(0.1)
    np.save(tmp_path / "x.npy", x)
    in_file = repeats_of({"x": np.load(tmp_path / "x.npy", mmap_mode="r")}, {"x": x[::100]})
    assert in_file.exact > 0.5  # a third of the rows are read, and the share is scaled up


def test_several_inputs_are_one_row():
    a, b = RANDOM.standard_normal((2, 200, 4))
    held_out = {"x/a": a[:20], "x/b": b[100:120]}  # each known, not together
    assert repeats_of({"x/a": a, "x/b": b}, held_out).exact == 0
    assert repeats_of({"x/a": a, "x/b": b}, {"x/a": a[:20], "x/b": b[:20]}).exact == 1


def test_zeros_have_no_sign():
    x = RANDOM.standard_normal((50, 3))
    x[:, 1] = 0
    assert repeats_of({"x": x}, {"x": x * [1, -1, 1]}).exact == 1


def test_nothing_to_compare():
    x = np.ones((5, 2))
    assert repeats_of({"x": x}, {"x": np.ones((0, 2))}) is None
    assert repeats_of({"x": x}, {}) is None
    assert repeats_of({"x": x[:1]}, {"x": x}) is None
    assert repeats_of({"x": x}, {"x": np.ones((5, 3))}) is None
    assert repeats_of({"x": x * np.nan}, {"x": x}).exact == 0
