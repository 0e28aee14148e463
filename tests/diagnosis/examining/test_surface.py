"""Slices of a loss that is known as a formula."""

import numpy as np
import pytest
from tests.diagnosis.examining.nets import compiled, regression
from tests.diagnosis.examining.test_curvature import quadratic

from thalweg import diagnosis, layers, optimizers
from thalweg.errors import NonFiniteError


def line(rate):
    """``(w - 1)^2`` at w = 3: its curvature is 2."""
    model = compiled([layers.Dense(1, use_bias=False)], "mse", optimizers.SGD(rate), shape=(1,))
    model.set_weights([np.array([[3.0]], np.float32)])
    ones = np.ones((8, 1), np.float32)
    return model, ones, ones


@pytest.mark.parametrize(
    ("rate", "best", "code"), [(0.125, 4, "fits"), (2.0, 0.25, "overshoots"), (0.5 / 64, 64, "small")]
)
def test_where_along_the_step_the_loss_is_lowest(rate, best, code):
    found = diagnosis.loss_surface(*line(rate), points=5)
    assert found.best_multiple == best
    assert code in found.code
    assert bool(found.change) == (code == "overshoots")
    move = -rate * 4
    assert found.along_step == pytest.approx((2 + found.multiples * move) ** 2, rel=1e-5)


def test_the_plane_is_in_sizes_of_the_weights():
    found = diagnosis.loss_surface(*line(0.125), points=5)
    assert found.positions.tolist() == [-1, -0.5, 0, 0.5, 1]
    # both directions are the only one that there is, as long as w = 3; the step goes down, the other one has any sign
    middle = found.losses[:, 2]
    assert middle == pytest.approx((2 - 3 * found.positions) ** 2, rel=1e-5)
    other = found.losses[2]
    assert min(np.abs(other - middle).max(), np.abs(other[::-1] - middle).max()) < 1e-4


def test_scaling_one_layer_up_and_the_next_one_down_does_not_change_the_picture():
    x, y = regression(64)
    pictures = []
    for factor in (1.0, 16.0):
        model = compiled([layers.Dense(6, "relu", use_bias=False), layers.Dense(1, use_bias=False)], "mse")
        first, second = model.get_weights()
        model.set_weights([first * factor, second / factor])
        pictures.append(diagnosis.loss_surface(model, x, y, points=3).losses[1, 1])
    assert pictures[0] == pytest.approx(pictures[1], rel=1e-5)


def test_filters_of_zeros_have_a_length_all_the_same():
    model = compiled([layers.Dense(2, kernel_initializer="zeros", use_bias=False)], "mse")
    x, y = regression(32)
    found = diagnosis.loss_surface(model, x, np.concatenate([y, y], 1), points=3)
    assert len(set(found.losses[:, 1])) == 3


def test_the_next_step_is_the_one_that_training_makes():
    model, x, y = quadratic(optimizer=optimizers.SGD(0.01))
    found = diagnosis.loss_surface(model, x, y, batch_size=50, points=3)
    model.train_on_batch(x, y)
    after = float(np.mean((x @ model.get_weights()[0] - y) ** 2))
    assert found.along_step[list(found.multiples).index(1.0)] == pytest.approx(after, rel=1e-5)


def test_it_is_drawn(pyplot):
    axes = diagnosis.loss_surface(*line(0.125), points=5).plot()
    assert [ax.get_ylabel() for ax in axes] == ["loss", "loss", "along the sharpest direction"]


def test_a_loss_that_is_not_finite_has_no_surface():
    model, x, y = line(0.1)
    model.state["parameters/dense/kernel"].write(np.nan)
    with pytest.raises(NonFiniteError, match="no surface"):
        diagnosis.loss_surface(model, x, y)
