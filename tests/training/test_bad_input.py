"""Every mistake of the issue's list gives a four-part error, and nothing has changed."""

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import errors
from thalweg.layers import Dense


def unchanged(model, error, *args, match=None, **kwargs):
    """The call raises this error, with all four parts; the weights stay."""
    before = model.get_weights()
    with pytest.raises(error, match=match) as caught:
        model.fit(*args, verbose=0, **kwargs)
    assert all(part for part in (caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    return caught.value


X, Y = nets.points(20)


@pytest.mark.parametrize("shape", [(20,), (20, 5), (20, 2, 2), (4,)])
def test_wrong_shape(shape):
    unchanged(
        nets.classifier(), errors.ShapeError, np.zeros(shape), Y[: shape[0]], match="does not fit the model's input"
    )


def test_one_sample_without_its_axis_gets_the_right_advice():
    with pytest.raises(errors.ShapeError, match=r"x\[None\]"):
        nets.classifier().predict(X[0])


@pytest.mark.parametrize("x", [np.full((20, 4), "a"), np.zeros((20, 4), complex), [[1, 2], [3]]])
def test_wrong_dtype(x):
    unchanged(nets.classifier(), errors.DTypeError, x, Y, match="x")


def test_a_table_with_text_names_the_column():
    class Table:
        columns = ("a", "city")

        def __init__(self):
            self.dtypes = {"a": np.dtype("f8"), "city": np.dtype("O")}

        def __getitem__(self, name):
            return np.array([1.0]) if name == "a" else np.array(["Ulm"], object)

    unchanged(nets.classifier(), errors.DTypeError, Table(), Y, match="'city'")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_name_row_and_column(bad):
    x = X.copy()
    x[7, 2] = bad
    error = unchanged(nets.classifier(), errors.DataError, x, Y, match="not finite")
    assert "row 7, column 2" in error.got


def test_float64_that_float32_cannot_hold():
    x = X.astype(np.float64)
    x[3, 1] = 1e300
    assert "row 3" in unchanged(nets.classifier(), errors.DataError, x, Y, match="not finite").got


def test_large_finite_numbers_are_fine():
    model = nets.classifier()
    x = X.copy()
    x[0, 0] = 1e30  # its square overflows, it does not
    model.evaluate(x, Y, verbose=0)


def test_targets_that_are_not_finite():
    y = np.ones(5)
    y[2] = np.nan
    unchanged(nets.regressor(), errors.DataError, np.ones((5, 2)), y, match="target")


@pytest.mark.parametrize("label", [3, -1])
def test_labels_out_of_range_name_row_and_value(label):
    y = Y.copy()
    y[4] = label
    error = unchanged(nets.classifier(), errors.DataError, X, y, match="target")
    assert "row 4" in error.got
    assert str(label) in error.got


def test_a_column_of_targets_is_a_vector_of_targets():
    flat, column = nets.regressor(), nets.regressor()
    flat.fit(np.ones((5, 2)), np.arange(5.0), verbose=0)
    column.fit(np.ones((5, 2)), np.arange(5.0)[:, None], verbose=0)
    assert nets.same_bits(flat, column)


def test_targets_are_never_broadcast():
    unchanged(nets.regressor(), errors.ShapeError, np.ones((5, 2)), np.ones((5, 5)), match="targets")


def test_one_hot_targets_for_a_sparse_loss():
    error = unchanged(nets.classifier(), errors.ShapeError, X, np.eye(3)[Y], match="targets")
    assert "categorical_crossentropy" in error.fix


def test_empty_data():
    unchanged(nets.classifier(), errors.DataError, X[:0], Y[:0], match="no data")


def test_unequal_lengths():
    unchanged(nets.classifier(), errors.ShapeError, X, Y[:-1], match="equally many rows")


def test_no_targets():
    unchanged(nets.classifier(), errors.DataError, X, match="no targets")


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("batch_size", 0),
        ("batch_size", 2.5),
        ("epochs", -1),
        ("initial_epoch", "0"),
        ("steps_per_epoch", 0),
        ("validation_freq", 0),
        ("threads", 0),
        ("validation_split", 1.0),
        ("validation_split", -0.1),
        ("validation_data", X),
        ("class_weight", [1, 2]),
        ("callbacks", ["not one"]),
        ("sample_weight", -np.ones(20)),
        ("sample_weight", np.ones(19)),
        ("sample_weight", np.full(20, np.nan)),
    ],
)
def test_bad_arguments(argument, value):
    unchanged(nets.classifier(), errors.ThalwegError, X, Y, **{argument: value})


def test_bad_verbose():
    with pytest.raises(errors.ArgumentError, match="verbose"):
        nets.classifier().fit(X, Y, verbose=3)


def test_a_split_that_leaves_nothing():
    unchanged(nets.classifier(), errors.DataError, X[:1], Y[:1], match="validation_split", validation_split=0.5)


def test_class_and_sample_weights_together():
    unchanged(
        nets.classifier(), errors.ArgumentError, X, Y, match="both", class_weight={0: 1}, sample_weight=np.ones(20)
    )


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        ({"optimizer": "adm", "loss": "mse"}, "did you mean 'adam'"),
        ({"optimizer": "adam", "loss": "mean_square_error"}, "did you mean 'mean_squared_error'"),
        ({"optimizer": "adam", "loss": "mse", "metrics": ["acuracy"]}, "did you mean 'accuracy'"),
    ],
)
def test_mistyped_names_get_a_suggestion(arguments, suggestion):
    with pytest.raises(errors.NameNotFoundError, match=suggestion):
        nets.regressor().compile(**arguments)


def test_fit_before_compile():
    model = thalweg.Sequential([thalweg.Input((4,)), Dense(3)])
    with pytest.raises(errors.GraphError, match="compile"):
        model.fit(X, Y)


def test_a_loss_that_does_not_fit_the_last_activation():
    model = thalweg.Sequential([thalweg.Input((4,)), Dense(3, activation="relu")])
    with pytest.raises(errors.ArgumentError, match="softmax") as caught:
        model.compile("adam", "sparse_categorical_crossentropy")
    assert caught.value.layer == "layer 'dense'"


def test_whole_numbers_where_an_input_takes_uint8():
    model = thalweg.Sequential([thalweg.Input((2,), dtype="uint8"), Dense(1)])
    with pytest.raises(errors.DataError, match="cannot take"):
        model.predict(np.array([[0.5, 1.0]]))


def test_an_unwritable_path(tmp_path):
    model = nets.classifier()
    with pytest.raises(errors.StorageError):
        model.save(tmp_path / "missing" / "model.thalweg")
    with pytest.raises(errors.StorageError):
        model.fit(X, Y, verbose=0, callbacks=[thalweg.callbacks.CSVLogger(tmp_path / "missing" / "log.csv")])


@pytest.mark.parametrize(
    ("shape", "given", "problem", "fix"),
    [
        ((8, 9, 3), (5, 3, 8, 9), "channels come first", "x.transpose(0, 2, 3, 1)"),
        ((8, 9, 1), (5, 1, 8, 9), "channels come first", "x.transpose(0, 2, 3, 1)"),
        ((3, 8, 9), (5, 8, 9, 3), "channels come last", "x.transpose(0, 3, 1, 2)"),
        ((4, 8, 9, 3), (5, 3, 4, 8, 9), "channels come first", "x.transpose(0, 2, 3, 4, 1)"),
        ((8, 9, 3), (5, 8, 9), "grey", "np.repeat(x[..., None], 3, axis=-1)"),
        ((8, 9, 3), (5, 8, 9, 1), "grey", "np.repeat(x, 3, axis=-1)"),
        ((8, 9, 1), (5, 8, 9, 3), "in colour", "x.mean(-1, keepdims=True)"),
        ((8, 9), (5, 8, 9, 3), "in colour", "x.mean(-1, keepdims=True)"),
        ((8, 9, 1), (8, 9), "one image without an axis of channels", "x[None, ..., None]"),
        ((8, 9, 3), (8, 9, 3), "does not fit", "x[None]"),
        ((8, 9, 3), (5, 9, 8, 3), "exchanged", "x.transpose(0, 2, 1, 3)"),
        ((8, 9, 3), (5, 72, 3), "does not fit", "x.reshape(-1, 8, 9, 3)"),
    ],
)
def test_images_of_another_order(shape, given, problem, fix):
    model = thalweg.Sequential([thalweg.Input(shape), thalweg.layers.Flatten(), thalweg.layers.Dense(2)])
    x = np.arange(np.prod(given), dtype=np.float32).reshape(given)
    with pytest.raises(errors.ShapeError, match=problem) as caught:
        model.predict(x, verbose=0)
    assert fix in caught.value.fix
    assert caught.value.got == str(given)
    mended = eval(fix, {"x": x, "np": np})
    assert model.predict(mended, verbose=0).shape[1:] == (2,)
