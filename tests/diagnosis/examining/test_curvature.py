"""Eigenvalues against those of the whole matrix, and what they say: slope, minimum, saddle, plateau."""

import numpy as np
import pytest
from tests.diagnosis.examining.nets import compiled, regression

from thalweg import Input, Model, diagnosis, layers, optimizers
from thalweg.diagnosis.examining.lanczos import ends
from thalweg.diagnosis.examining.objective import Objective
from thalweg.diagnosis.examining.subject import Subject
from thalweg.errors import InsufficientMemoryError, NonFiniteError

# Lanczos


@pytest.mark.parametrize("seed", range(3))
def test_the_ends_of_a_known_spectrum(seed):
    random = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(random.normal(size=(80, 80)))
    values = np.concatenate([[-3.0, 50.0], random.normal(size=78)])
    matrix = basis * values @ basis.T
    found = ends(lambda v: matrix @ v, 80, tolerance=1e-6, seed=seed)
    assert found.largest == pytest.approx(50, abs=1e-4)
    assert found.smallest == pytest.approx(values.min(), abs=1e-4)
    for value, vector in ((50.0, found.largest_vector), (values.min(), found.smallest_vector)):
        assert abs(vector @ basis[:, list(values).index(value)]) == pytest.approx(1, abs=1e-4)


def test_the_bound_holds_where_it_ends_early():
    random = np.random.default_rng(0)
    matrix = random.normal(size=(60, 60))
    matrix = matrix + matrix.T
    values = np.linalg.eigvalsh(matrix)
    for products in (2, 5, 10, 20):
        found = ends(lambda v: matrix @ v, 60, products=products, tolerance=1e-12)
        assert found.products == products
        assert np.abs(values - found.largest).min() <= found.largest_error
        assert np.abs(values - found.smallest).min() <= found.smallest_error
        assert found.largest <= values[-1] + 1e-9
        assert found.smallest >= values[0] - 1e-9


@pytest.mark.parametrize(
    ("matrix", "low", "high"), [(np.zeros((5, 5)), 0, 0), (2 * np.eye(5), 2, 2), (-np.eye(1), -1, -1)]
)
def test_a_matrix_with_one_eigenvalue_is_known_after_one_product(matrix, low, high):
    found = ends(lambda v: matrix @ v, len(matrix), tolerance=1e-12)
    assert (found.smallest, found.largest, found.products) == (pytest.approx(low), pytest.approx(high), 1)


def test_what_cannot_be_done():
    with pytest.raises(NonFiniteError, match="not finite"):
        ends(lambda v: v * np.nan, 4)
    with pytest.raises(InsufficientMemoryError, match="memory"):
        ends(lambda v: v, 10**9)


# The Hessian


def differences(loss, at, h=1e-4):
    """The matrix of second derivatives by central differences of a loss in float64."""
    n = len(at)
    unit = np.eye(n) * h
    matrix = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            a, b = unit[i], unit[j]
            matrix[i, j] = loss(at + a + b) - loss(at + a - b) - loss(at - a + b) + loss(at - a - b)
    return matrix / (4 * h * h)


def tanh_net(w, x, y):
    """4-3-1 with tanh, the mean squared error, in NumPy."""
    kernel, bias, out, last = np.split(w, [12, 15, 18])
    return float(np.mean((np.tanh(x @ kernel.reshape(4, 3) + bias) @ out.reshape(3, 1) + last - y) ** 2))


def test_the_eigenvalues_are_those_of_the_whole_hessian(executor):
    x, y = regression(40)
    model = compiled([layers.Dense(3, "tanh"), layers.Dense(1)], "mse", executor=executor)
    w = np.concatenate([part.ravel() for part in model.get_weights()]).astype(np.float64)
    values, vectors = np.linalg.eigh(differences(lambda at: tanh_net(at, x.astype(float), y.astype(float)), w))
    found = diagnosis.curvature(model, x, y, tolerance=1e-9)
    # a mean's 1/n is a float32 number, which makes a factor of 1 + 1e-8
    assert found.loss == pytest.approx(tanh_net(w, x.astype(float), y.astype(float)), rel=1e-7)
    assert found.largest == pytest.approx(values[-1], rel=1e-6)
    assert found.smallest == pytest.approx(values[0], abs=1e-6 * values[-1])
    assert abs(found.sharpest @ vectors[:, -1]) == pytest.approx(1, abs=1e-5)
    assert abs(found.downward @ vectors[:, 0]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("net", ["convolution", "normalized", "regularized and weighted"])
def test_products_are_differences_of_the_gradient(net):
    random = np.random.default_rng(0)
    x, y, weight = random.normal(size=(12, 6, 6, 1)).astype(np.float32), random.integers(0, 3, 12), None
    if net == "convolution":
        parts = [
            layers.Conv2D(3, 3, activation="tanh"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ]
    elif net == "normalized":
        parts = [layers.Flatten(), layers.Dense(5, "gelu"), layers.BatchNormalization(), layers.Dropout(0.3)]
        parts += [layers.LayerNormalization(), layers.Dense(3, "softmax")]
    else:
        parts = [layers.Flatten(), layers.Dense(4, "elu", kernel_regularizer="l2"), layers.Dense(3, "softmax")]
        weight = random.uniform(0, 2, 12)
    model = compiled(parts, "sparse_categorical_crossentropy", shape=(6, 6, 1))
    objective = Objective(*subject_and_rows(model, x, y, weight))
    v = random.normal(size=objective.size)
    h = 1e-5
    difference = (objective.gradient(objective.here + h * v) - objective.gradient(objective.here - h * v)) / (2 * h)
    product = objective.product(v)
    assert np.abs(product - difference).max() <= 1e-6 * np.abs(product).max()


def subject_and_rows(model, x, y, weight=None):
    subject = Subject("test", model, x, y, weight, 32, 0)
    return subject, subject.rows


def quadratic(rate=0.1, optimizer=None):
    """Least squares without a bias: the Hessian is ``2 / n x^T x``, here with eigenvalues 1 to 5."""
    random = np.random.default_rng(0)
    basis, _ = np.linalg.qr(random.normal(size=(50, 5)))
    x = (basis * np.sqrt(np.arange(1, 6) * 25.0)).astype(np.float32)
    y = x @ np.ones((5, 1), np.float32) + random.normal(0, 0.1, (50, 1)).astype(np.float32)
    return compiled([layers.Dense(1, use_bias=False)], "mse", optimizer or optimizers.SGD(rate), shape=(5,)), x, y


def test_a_quadratic_with_a_known_spectrum():
    found = diagnosis.curvature(*quadratic(), tolerance=1e-9)
    assert found.largest == pytest.approx(5, rel=1e-5)
    assert found.smallest == pytest.approx(1, rel=1e-5)
    assert found.code == "slope"


def test_wide_layers_lie_in_memory_as_the_native_executor_wants_them():
    x, y = regression(16)
    found = [
        diagnosis.curvature(compiled([layers.Dense(128, "tanh"), layers.Dense(1)], "mse", executor=executor), x, y)
        for executor in ("numpy", "native")
    ]
    assert found[0].largest == pytest.approx(found[1].largest, rel=1e-6)


# Verdicts


XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([[0], [1], [1], [0]], np.float32)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_xor_with_all_weights_0_is_a_saddle(activation):
    """Its Hessian has no negative eigenvalue, only next to it: the loss falls with the cube of the distance."""
    parts = [layers.Dense(6, activation, kernel_initializer="zeros")]
    parts += [layers.Dense(1, "sigmoid", kernel_initializer="zeros")]
    found = diagnosis.curvature(compiled(parts, "binary_crossentropy", shape=(2,)), *XOR)
    assert found.code == "saddle"
    assert found.smallest == pytest.approx(0, abs=1e-12)
    assert found.nudged < -0.01
    assert found.gradient_norm == 0
    assert "saddle" in found.verdict
    assert found.change


def test_a_product_of_two_weights_at_0_is_a_saddle_by_its_hessian():
    """``w_2 w_1 x`` for ``y = x``: eigenvalues of both signs, no gradient."""
    x = np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
    parts = [layers.Dense(1, use_bias=False, kernel_initializer="zeros") for _ in range(2)]
    found = diagnosis.curvature(compiled(parts, "mse", shape=(1,)), x, x)
    assert found.code == "saddle"
    assert found.largest == pytest.approx(-found.smallest) == pytest.approx(2 * float(np.mean(x**2)), rel=1e-6)
    assert np.isnan(found.nudged)


def test_a_deep_sigmoid_network_is_on_a_plateau():
    x, y = regression(64)
    parts = [*[layers.Dense(6, "sigmoid") for _ in range(8)], layers.Dense(1, "sigmoid")]
    model = compiled(parts, "binary_crossentropy", optimizers.SGD(0.5))
    target = (y > 0).astype(np.float32)
    assert diagnosis.curvature(model, x, target).code == "slope"  # at first the bias finds the mean
    model.fit(x, target, epochs=20, verbose=0)
    found = diagnosis.curvature(model, x, target)
    assert found.code == "plateau"
    assert abs(found.smallest) < 0.01 * found.largest
    assert found.loss == pytest.approx(found.loss_alike, rel=1e-3)


def test_the_solution_of_least_squares_is_a_minimum():
    model, x, y = quadratic()
    model.set_weights([np.linalg.lstsq(x, y, rcond=None)[0]])
    found = diagnosis.curvature(model, x, y)
    assert found.code == "minimum"
    assert found.gain < 1e-6
    assert not found.change


def test_a_loss_that_is_not_finite_has_no_curvature():
    model, x, y = quadratic()
    model.set_weights([np.full((5, 1), 1e30, np.float32)])
    model.state["parameters/dense/kernel"].write(np.nan)
    with pytest.raises(NonFiniteError, match="no curvature"):
        diagnosis.curvature(model, x, y)


# The step against the curvature


@pytest.mark.parametrize(
    ("optimizer", "limit"),
    [
        (optimizers.SGD(0.3), 2.0),
        (optimizers.SGD(0.3, momentum=0.9), 3.8),
        (optimizers.SGD(0.3, momentum=0.9, nesterov=True), 3.8 / 2.8),
    ],
)
def test_gradient_descent_diverges_just_above_the_limit(optimizer, limit):
    model, x, y = quadratic(optimizer=optimizer)
    found = diagnosis.curvature(model, x, y)
    assert found.sharpness == pytest.approx(1.5, rel=1e-4)
    assert found.limit == pytest.approx(limit)
    for factor, falls in ((0.97, True), (1.03, False)):
        model, x, y = quadratic(optimizer=optimizer)
        model.optimizer.learning_rate = factor * limit / 5
        losses = model.fit(x, y, batch_size="full", epochs=100, verbose=0, shuffle=False).history["loss"]
        assert (losses[-1] < losses[0]) == falls


def test_adams_sharpness_is_that_of_the_hessian_as_it_scales_it():
    model, x, y = quadratic(optimizer=optimizers.Adam(0.01))
    model.fit(x, y, batch_size=10, epochs=2, verbose=0)
    found = diagnosis.curvature(model, x, y, tolerance=1e-9)
    steps, v = 10, model.state.read("slots/dense/kernel/v")[:, 0].astype(np.float64)
    scale = (1 - 0.9**steps) * (np.sqrt(v / (1 - 0.999**steps)) + 1e-7 / np.sqrt(1 - 0.999**steps))
    hessian = 2 / len(x) * x.T.astype(float) @ x.astype(float)
    scaled = hessian / np.sqrt(np.outer(scale, scale))
    assert found.limit == pytest.approx(38)
    assert found.sharpness == pytest.approx(0.01 * np.linalg.eigvalsh(scaled)[-1], rel=1e-4)


def test_before_adams_first_step_the_gradients_of_batches_stand_for_what_it_will_keep():
    found = diagnosis.curvature(*quadratic(optimizer="adam"), batch_size=10)
    assert 0 < found.sharpness < found.limit == pytest.approx(38)


def test_of_other_optimizers_no_limit_is_known():
    found = diagnosis.curvature(*quadratic(optimizer="adagrad"))
    assert np.isnan([found.sharpness, found.limit]).all()
    assert found.to_dict()["limit"] is None


def test_a_step_above_the_limit_is_said():
    found = diagnosis.curvature(*quadratic(rate=0.5))
    assert "sharpness 2.5 is above the 2" in found.verdict
    assert found.change


def test_it_is_told_as_a_table():
    text = str(diagnosis.curvature(*quadratic()))
    assert "largest" in text
    assert "slope" in text


def test_several_outputs():
    a = Input((4,))
    model = Model(a, {"p": layers.Dense(2, "softmax", name="p")(a), "q": layers.Dense(1, name="q")(a)})
    model.executor = "numpy"
    model.compile("sgd", {"p": "sparse_categorical_crossentropy", "q": "mse"}, loss_weights={"p": 1.0, "q": 0.5})
    x, y = regression(30)
    found = diagnosis.curvature(model, x, {"p": (y[:, 0] > 0).astype(int), "q": y})
    whole = np.concatenate([x, np.ones((30, 1), np.float32)], 1)
    # the half of the error of q: its Hessian is x^T x / n, and that of p is smaller, p (1 - p) <= 1/4
    assert found.largest == pytest.approx(np.linalg.eigvalsh(whole.T @ whole / 30)[-1], rel=1e-4)
