"""Whole programs as people write them for Keras run with ``thalweg`` in the place of ``keras``, to the same numbers.

Each file of ``programs`` is such a program. It calls ``start(model)`` for the weights that a model begins with, and
leaves numbers in ``result``, losses for the most part. With ``tolerance`` it says how near they are to
Keras's, relatively, where there is more between them than the order of sums.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

PROGRAMS = {path.stem: path for path in sorted((Path(__file__).parent / "programs").glob("*.py"))}
TOLERANCE = 1e-3


def run(name: str, package: str) -> dict:
    """The names that a program leaves behind."""
    text = PROGRAMS[name].read_text(encoding="utf-8")
    if package != "keras":
        text = text.replace("import keras\n", f"import {package} as keras\n").replace("from keras", f"from {package}")
    scope = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Keras and JAX say to NumPy, and thalweg of the names of files
        exec(compile(text, str(PROGRAMS[name]), "exec"), scope)
    return scope


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_runs(name, tmp_path, monkeypatch):
    """On NumPy, which needs no compiling."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THALWEG_EXECUTOR", "numpy")
    result = np.asarray(run(name, "thalweg")["result"], float)
    assert result.size
    assert np.isfinite(result).all()


# Keras takes a second or two for each: some are always compared, the others on request.
COMPARED = [pytest.param(name, marks=() if i % 14 == 0 else pytest.mark.long) for i, name in enumerate(PROGRAMS)]


@pytest.mark.needs("keras")
@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARED)
def test_keras_comes_to_the_same_numbers(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THALWEG_EXECUTOR", "numpy")
    os.environ.setdefault("KERAS_BACKEND", "jax")
    ours, theirs = run(name, "thalweg"), run(name, "keras")
    tolerance = theirs.get("tolerance", TOLERANCE)
    np.testing.assert_allclose(ours["result"], theirs["result"], rtol=tolerance, atol=tolerance / 10)
