"""thalweg.backend: settings, and what programs ask of a tensor."""

import numpy as np
import pytest

import thalweg
from thalweg import absent, backend
from thalweg.errors import ArgumentError, DTypeError


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


BEFORE_KERAS_3 = """
abs all any arange argmax argmin batch_dot batch_flatten batch_get_value batch_normalization batch_set_value bias_add
binary_crossentropy binary_focal_crossentropy cast cast_to_floatx categorical_crossentropy
categorical_focal_crossentropy clip concatenate constant conv1d conv2d conv2d_transpose conv3d cos count_params
ctc_batch_cost ctc_decode ctc_label_dense_to_sparse cumprod cumsum depthwise_conv2d dot dropout dtype elu equal eval exp
expand_dims eye flatten foldl foldr function gather get_session get_value gradients greater greater_equal hard_sigmoid
in_top_k in_train_phase int_shape is_sparse l2_normalize learning_phase less less_equal log map_fn max maximum mean min
minimum moving_average_update name_scope ndim not_equal one_hot ones ones_like permute_dimensions placeholder pool2d
pool3d pow print_tensor prod random_bernoulli random_normal random_normal_variable random_uniform
random_uniform_variable relu repeat repeat_elements reset_uids reshape resize_images resize_volumes reverse rnn round
separable_conv2d set_learning_phase set_session set_value shape sigmoid sign sin softmax softplus softsign
sparse_categorical_crossentropy spatial_2d_padding spatial_3d_padding sqrt square squeeze stack std stop_gradient sum
switch tanh temporal_padding tile to_dense transpose truncated_normal update update_add update_sub var variable zeros
zeros_like
"""
OLDER = BEFORE_KERAS_3.split()
MISSING = {name for name in OLDER if not hasattr(backend, name)}


def test_most_of_the_older_arithmetic_is_there_and_the_rest_is_advised_on():
    assert len(MISSING) < len(OLDER) / 3
    for name in MISSING:
        assert absent.advice(f"backend.{name}"), name


A = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
IMAGE = np.random.default_rng(1).normal(size=(1, 4, 4, 2)).astype(np.float32)

VALUES = {
    "argmax": (backend.argmax(A), A.argmax(-1)),
    "argmin": (backend.argmin(A, 0), A.argmin(0)),
    "arange": (backend.arange(3), np.arange(3)),
    "batch_flatten": (backend.batch_flatten(IMAGE), IMAGE.reshape(1, -1)),
    "batch_normalization": (
        backend.batch_normalization(A, A.mean(0), A.var(0), np.ones(3, "f4"), np.full(3, 2.0, "f4")),
        2 * (A - A.mean(0)) / np.sqrt(A.var(0) + 1e-3) + 1,
    ),
    "bias_add": (backend.bias_add(A, np.arange(3, dtype="f4")), A + np.arange(3)),
    "cast_to_floatx": (backend.cast_to_floatx(np.arange(3)), np.arange(3.0)),
    "clip": (backend.clip(A, -0.1, 0.2), A.clip(-0.1, 0.2)),
    "concatenate": (backend.concatenate([A, A]), np.concatenate([A, A], -1)),
    "constant": (backend.constant(2, shape=(2, 2)), np.full((2, 2), 2.0)),
    "cumprod": (backend.cumprod(A), A.cumprod(0)),
    "cumsum": (backend.cumsum(A, 1), A.cumsum(1)),
    "dot": (backend.dot(A, A.T.copy()), A @ A.T),
    "expand_dims": (backend.expand_dims(A), A[..., None]),
    "flatten": (backend.flatten(A), A.ravel()),
    "gather": (backend.gather(A, np.array([1, 0])), A[[1, 0]]),
    "in_top_k": (backend.in_top_k(A, np.array([0, 1]), 3), [True, True]),
    "l2_normalize": (backend.l2_normalize(A, 1), A / np.linalg.norm(A, axis=1, keepdims=True)),
    "mean": (backend.mean(backend.equal(A, A)), 1.0),
    "permute_dimensions": (backend.permute_dimensions(A, (1, 0)), A.T),
    "pool2d": (backend.pool2d(IMAGE, 2, 2), IMAGE.reshape(1, 2, 2, 2, 2, 2).max((2, 4))),
    "pow": (backend.pow(A, 2), A**2),
    "relu": (backend.relu(A, alpha=0.5, max_value=0.2), np.where(A > 0, np.minimum(A, 0.2), A * 0.5)),
    "repeat": (backend.repeat(A, 2), np.stack([A, A], 1)),
    "repeat_elements": (backend.repeat_elements(A, 2, 0), A.repeat(2, 0)),
    "reverse": (backend.reverse(A, 1), A[:, ::-1]),
    "spatial_2d_padding": (backend.spatial_2d_padding(IMAGE), np.pad(IMAGE, ((0, 0), (1, 1), (1, 1), (0, 0)))),
    "switch": (backend.switch(A > 0, A, lambda: np.zeros_like(A)), A.clip(0)),
    "temporal_padding": (backend.temporal_padding(IMAGE[0]), np.pad(IMAGE[0], ((0, 0), (1, 1), (0, 0)))),
    "transpose": (backend.transpose(A), A.T),
    "conv2d": (backend.conv2d(IMAGE, np.ones((2, 2, 2, 1), "f4"))[0, 0, 0, 0], IMAGE[0, :2, :2].sum()),
}


@pytest.mark.parametrize("name", VALUES)
def test_arithmetic_of_arrays(name):
    ours, right = VALUES[name]
    np.testing.assert_allclose(np.asarray(ours), right, rtol=1e-5, atol=1e-6)


def test_a_loss_of_the_older_kind_is_compiled():
    """The Dice loss as programs for segmentation write it."""
    K = backend

    def dice(y_true, y_pred, smooth=1.0):
        true, predicted = K.flatten(y_true), K.flatten(y_pred)
        common = K.sum(true * predicted)
        return 1.0 - (2.0 * common + smooth) / (K.sum(true) + K.sum(predicted) + smooth)

    model = thalweg.Sequential([thalweg.Input((3,)), thalweg.layers.Dense(2, "sigmoid")])
    model.compile("sgd", dice)
    x, y = np.random.default_rng(0).normal(size=(8, 3)), np.random.default_rng(1).integers(0, 2, (8, 2))
    p = model.predict(x, verbose=0)
    expected = 1 - (2 * (y * p).sum() + 1) / (y.sum() + p.sum() + 1)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=3, verbose=0)
    assert model.evaluate(x, y, verbose=0) < before


def test_values_of_weights_and_rates():
    model = thalweg.Sequential([thalweg.Input((3,)), thalweg.layers.Dense(2)])
    model.compile("sgd", "mse")
    kernel = model.weights[0]
    backend.set_value(kernel, np.ones((3, 2)))
    np.testing.assert_array_equal(backend.get_value(kernel), np.ones((3, 2)))
    backend.batch_set_value([(kernel, np.zeros((3, 2)))])
    np.testing.assert_array_equal(backend.batch_get_value([kernel])[0], np.zeros((3, 2)))
    assert backend.get_value(model.optimizer.learning_rate) == pytest.approx(0.01)
    backend.set_value(model.optimizer.lr, 0.25)  # as callbacks of older programs do
    assert model.optimizer.learning_rate == 0.25
    assert (backend.int_shape(A), backend.count_params(A), backend.is_sparse(A)) == ((2, 3), 6, False)
    with pytest.raises(ArgumentError, match="nothing would change"):
        backend.set_value(0.01, 0.1)
    for call in (
        lambda: backend.bias_add(A, A[0], "channels_first"),
        lambda: backend.spatial_2d_padding(A, data_format="x"),
    ):
        with pytest.raises(ArgumentError, match="channels"):
            call()


def test_numbers_that_are_drawn():
    normal, uniform = backend.random_normal((500,), 1.0, 0.1, seed=1), backend.random_uniform((500,), -1.0, 1.0, seed=1)
    assert np.mean(normal) == pytest.approx(1.0, abs=0.02)
    assert -1 <= np.min(uniform) < np.max(uniform) <= 1
    assert np.abs(backend.truncated_normal((500,), seed=1)).max() <= 2
    assert np.mean(backend.random_bernoulli((500,), p=0.25, seed=1)) == pytest.approx(0.25, abs=0.06)
    dropped = np.asarray(backend.dropout(np.ones((500,), np.float32), 0.5, seed=1))
    assert set(np.unique(dropped)) == {0.0, 2.0}
