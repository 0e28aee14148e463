"""thalweg.backend: settings, and what programs ask of a tensor."""

import numpy as np
import pytest

import thalweg
from thalweg import backend
from thalweg.errors import DTypeError


def test_settings_are_those_of_config():
    assert backend.epsilon() == thalweg.config.epsilon()
    assert (backend.backend(), backend.image_data_format(), backend.floatx()) == ("thalweg", "channels_last", "float32")


def test_clear_session_leaves_models_as_they_are():
    model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Dense(1)])
    before = model.predict(np.ones((1, 2)), verbose=0)
    backend.clear_session()
    np.testing.assert_array_equal(model.predict(np.ones((1, 2)), verbose=0), before)


def test_dtypes():
    assert backend.standardize_dtype(None) == "float32"
    assert backend.standardize_dtype(np.int64) == backend.standardize_dtype(np.zeros(1, int)) == "int64"
    assert backend.is_float_dtype("float16")
    assert not backend.is_float_dtype("int8")
    assert backend.is_int_dtype("uint8")
    for wrong in ("floats", True):
        with pytest.raises(DTypeError, match="no dtype"):
            backend.standardize_dtype(wrong)


def test_symbols():
    assert backend.is_keras_tensor(thalweg.Input((2,)))
    assert not backend.is_keras_tensor(np.ones(2))
    assert isinstance(thalweg.Input((2,)), thalweg.KerasTensor)
