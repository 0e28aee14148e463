"""Course material written for Keras: what it calls things, and what it does with them outside of a model."""

import numpy as np
import pytest

import thalweg
from thalweg import layers, losses, metrics, ops, optimizers
from thalweg.errors import ArgumentError, GraphError, ShapeError
from thalweg.models import Sequential
from thalweg.training.data import ClassNotice

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(64, 4)).astype(np.float32)


def fitted(*stack, loss="mse", optimizer="sgd", y=X[:, 0], **options):
    model = Sequential([layers.Input(shape=(4,)), *stack])
    model.compile(optimizer, loss)
    return model, model.fit(X, y, epochs=20, verbose=0, **options).history["loss"]


@pytest.mark.parametrize(
    ("module", "name", "same"),
    [
        ("regularizers", "l2", "L2"),
        ("regularizers", "l1_l2", "L1L2"),
        ("constraints", "max_norm", "MaxNorm"),
        ("initializers", "he_normal", "HeNormal"),
        ("activations", "swish", "silu"),
    ],
)
def test_lower_case_names(module, name, same):
    module = getattr(thalweg, module)
    assert getattr(module, name) is getattr(module, same)


def test_names_that_are_not_there():
    with pytest.raises(AttributeError, match=r"thalweg\.optimizers has no 'Adan'(.|\n)*did you mean 'Adam'"):
        _ = optimizers.Adan  # type: ignore[attr-defined]
    assert not hasattr(thalweg.initializers, "__wrapped__")


class Linear(layers.Layer):
    def __init__(self, units=4, **options):
        super().__init__(**options)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_uniform", trainable=True)
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b  # type: ignore[operator, unused-ignore]


def test_a_layer_as_keras_writes_it_is_a_dense_layer():
    model, _ = fitted(Linear(1))
    kernel, bias = model.get_weights()
    assert [name for name, _ in model.layers[0].named_parameters().items()] == ["weight_0", "b"]
    np.testing.assert_allclose(model.predict(X, verbose=0), X @ kernel + bias, rtol=1e-5, atol=1e-6)
    assert np.abs(bias).sum() > 0  # trained


def test_a_schedule_and_a_loss_as_keras_writes_them():
    class Falling(optimizers.schedules.LearningRateSchedule):
        def __init__(self, first):
            self.first = first

        def __call__(self, step):
            return self.first / (1 + step)

    class Squares(losses.Loss):
        def call(self, y_true, y_pred):
            return ops.reduce_mean(ops.square(y_true - y_pred), -1)

    thalweg.utils.set_random_seed(0)
    _, own = fitted(layers.Dense(1), loss=Squares(), optimizer=optimizers.SGD(Falling(0.1)))
    thalweg.utils.set_random_seed(0)
    same = optimizers.SGD(optimizers.schedules.InverseTimeDecay(0.1, 1, 1.0))
    _, built_in = fitted(layers.Dense(1), optimizer=same)
    np.testing.assert_allclose(own, built_in, rtol=1e-6)


def test_losses_of_arrays():
    """The numbers of Keras's documentation, and of the formulas."""
    sparse = losses.SparseCategoricalCrossentropy()
    assert sparse([1, 2], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]) == pytest.approx(1.177, abs=1e-3)
    logits = losses.BinaryCrossentropy(from_logits=True)
    assert logits([0, 1, 0, 0], [-18.6, 0.51, 2.94, -12.8]) == pytest.approx(0.8654, abs=1e-4)
    np.testing.assert_allclose(losses.mean_squared_error([[1.0, 2.0], [0.0, 0.0]], [[0.0, 2.0], [3.0, 1.0]]), [0.5, 5])
    assert losses.MeanSquaredError()([1, 2], [2, 4], sample_weight=[1, 0]) == 0.5
    combined = losses.WeightedSum(("mse", "mae"), weights=(1.0, 2.0))
    assert combined([1, 2], [2.0, 4.0]) == pytest.approx(2.5 + 2 * 1.5)
    with pytest.raises(ShapeError, match="equally many rows"):
        losses.MeanSquaredError()([1, 2, 3], [1.0, 2.0])


def test_metrics_of_arrays():
    assert metrics.Precision()([0, 1, 1, 1], [1, 0, 1, 1]) == pytest.approx(2 / 3)
    assert metrics.SparseCategoricalAccuracy()([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0.0]]) == 0.5
    assert metrics.MeanSquaredError()([0.0, 1.0], [1.0, 1.0]) == 0.5
    assert metrics.BinaryAccuracy()([0, 1], [0.9, 0.9], sample_weight=[0.0, 1.0]) == 1.0
    recall: metrics.Metric = metrics.Recall()
    recall.update_state([1], [0.1])
    assert recall([1, 0], [0.9, 0.9]) == 0.5
    recall.reset_state()
    assert recall.result() == 0.0


def test_numpy_on_nodes_and_operations_on_arrays():
    for mistake in (
        lambda: fitted(layers.Dense(2, activation=np.tanh)),
        lambda: thalweg.grad(lambda x: np.sum(np.square(x)))(np.ones(3)),
        lambda: thalweg.compile_function(layers.Dense(3))(X),
    ):
        with pytest.raises(GraphError) as caught:
            mistake()
        assert all((caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))
    np.testing.assert_array_equal(ops.relu(-np.ones(3)), np.zeros(3))
    np.testing.assert_array_equal(thalweg.compile_function(lambda x: np.ones(3) + x)(np.ones(3)), np.full(3, 2.0))
    doubled = thalweg.compile_function(lambda x: np.float32(2) * x + np.float64(1))
    np.testing.assert_array_equal(doubled(np.ones(3)), np.full(3, 3.0))


def test_class_weights_for_absent_classes():
    def train(weights, y):
        fitted(layers.Dense(3, "softmax"), loss="sparse_categorical_crossentropy", y=y, class_weight=weights)

    y = np.arange(64) % 3
    with pytest.raises(ArgumentError, match="does not exist"):
        train({0: 1.0, 7: 2.0}, y)
    with pytest.warns(ClassNotice, match="class 2, of which there is no sample"):
        train({0: 1.0, 2: 2.0}, y % 2)
    train({0: 1.0, 2: 2.0}, y)
