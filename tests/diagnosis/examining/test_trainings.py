"""What short trainings of copies tell: a batch by heart, the use of inputs, seeds, rates."""

import numpy as np
import pytest
from tests.diagnosis.examining.nets import compiled, regression

from thalweg import Input, Model, diagnosis, layers, losses, optimizers
from thalweg.errors import ArgumentError, DataError, GraphError, NonFiniteError

# One batch by heart


def small(optimizer="adam", **options):
    parts = [layers.Dense(16, "relu", **options), layers.Dense(1)]
    return compiled(parts, "mse", optimizer)


def test_a_network_learns_a_batch_by_heart():
    x, y = regression()
    found = diagnosis.overfit_batch(small(optimizers.Adam(0.01)), x, y)
    assert found.code == "learned"
    assert (found.rows, found.known, found.change) == (8, 1.0, "")
    assert found.end < 0.1 * found.start
    assert found.steps <= 400


def test_where_its_optimizer_does_not_adam_does():
    x, y = regression()
    found = diagnosis.overfit_batch(small(optimizers.SGD(1e-9)), x, y, steps=200)
    assert found.code == "learned by another optimizer"
    assert "find_lr" in found.change


def test_dead_units_learn_nothing_and_new_weights_do():
    x, y = regression()
    model = small(optimizers.Adam(0.01))
    kernel, bias, *rest = model.get_weights()
    model.set_weights([kernel, bias - 1000, *rest])
    assert diagnosis.overfit_batch(model, x, y, steps=100).code == "learned from new weights"


def test_a_last_layer_that_cannot_give_the_targets():
    x, y = regression()
    found = diagnosis.overfit_batch(compiled([layers.Dense(1, "relu")], "mse", "adam"), x, -np.abs(y) - 1, steps=100)
    assert found.code == "not learned"
    assert found.known < 1
    assert "last layer" in found.change


@pytest.mark.parametrize("targets", ["numbers", "one-hot", "binary", "logits"])
def test_classes_count_as_known_when_they_are_right(targets):
    x, y = regression()
    classes = (y[:, 0] > 0).astype(np.int64)
    units, activation, loss, y = {
        "numbers": (2, "softmax", "sparse_categorical_crossentropy", classes),
        "one-hot": (2, "softmax", "categorical_crossentropy", np.eye(2)[classes]),
        "binary": (1, "sigmoid", "binary_crossentropy", classes),
        "logits": (1, None, losses.BinaryCrossentropy(from_logits=True), classes),
    }[targets]
    model = compiled([layers.Dense(16, "relu"), layers.Dense(units, activation)], loss, optimizers.Adam(0.01))
    found = diagnosis.overfit_batch(model, x, y)
    assert (found.code, found.known) == ("learned", 1.0)


def test_the_rows_are_different_and_of_every_class():
    x = np.repeat(np.eye(4, dtype=np.float32), 25, 0)
    y = np.repeat([0, 0, 0, 1], 25)
    parts = [layers.Dense(2, "softmax")]
    found = diagnosis.overfit_batch(compiled(parts, "sparse_categorical_crossentropy", optimizers.Adam(0.1)), x, y)
    assert (found.rows, found.code) == (4, "learned")
    assert found.known == 1.0  # which a constant does not reach


# The use of inputs


def test_inputs_that_say_something_are_used():
    x, y = regression()
    found = diagnosis.input_baseline(small(optimizers.Adam(0.01)), x, y, steps=100)
    assert found.code == "used"
    assert found.seeing < 0.7 * found.blind


def test_a_trained_model_uses_them_although_more_steps_change_nothing():
    x, y = regression()
    model = small(optimizers.Adam(0.01))
    model.fit(x, y, epochs=50, verbose=0)
    model.optimizer.learning_rate = 0.0
    found = diagnosis.input_baseline(model, x, y, steps=5)
    assert found.code == "used"
    assert found.alike > 2 * found.now
    assert found.alike == pytest.approx(np.var(y), rel=0.05)


def test_a_network_that_cannot_see_them():
    x, y = regression()
    parts = [layers.Dense(3, kernel_initializer="zeros", trainable=False), layers.Dense(1)]
    found = diagnosis.input_baseline(compiled(parts, "mse", optimizers.SGD(0.05)), x, y + 2, steps=50)
    assert found.code == "unused"
    assert found.steps == 250
    assert found.seeing == pytest.approx(found.blind)
    assert found.seeing == pytest.approx(np.var(y), rel=0.05)


def test_a_rate_of_nearly_0_learns_nothing():
    x, y = regression()
    parts = [layers.Dense(4, "relu"), layers.Dense(1, kernel_initializer="zeros")]
    found = diagnosis.input_baseline(compiled(parts, "mse", optimizers.SGD(1e-9)), x, y, steps=10)
    assert found.code == "nothing learned"
    assert "rate" in found.change


def test_integers_with_a_mask_are_no_trouble():
    """0 is nothing there, and rows of 0 alone would have no mean."""
    x = np.random.default_rng(0).integers(1, 9, (60, 5))
    parts = [layers.Embedding(9, 3, mask_zero=True), layers.GlobalAveragePooling1D(), layers.Dense(1, "sigmoid")]
    model = compiled(parts, "binary_crossentropy", optimizers.Adam(0.03), shape=(5,))
    assert diagnosis.input_baseline(model, x, (x.mean(1) > 5).astype(float), steps=60).code == "used"


# Seeds


def test_least_squares_do_not_depend_on_the_seed():
    x, _y = regression(200)
    found = diagnosis.seed_sensitivity(compiled([layers.Dense(1)], "mse", optimizers.SGD(0.05)), x, x[:, :1], steps=200)
    assert found.code == "steady"
    assert found.new_weights
    assert found.curves.shape == (4, 20)
    assert len(set(found.curves[:, 0])) == 4
    assert found.held_out_mean < 0.01


def test_xor_with_two_units_is_a_matter_of_luck():
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    parts = [layers.Dense(2, "relu"), layers.Dense(1, "sigmoid")]
    model = compiled(parts, "binary_crossentropy", optimizers.Adam(0.05), shape=(2,))
    found = diagnosis.seed_sensitivity(model, x, np.array([0, 1, 1, 0]), seeds=8, steps=150)
    assert found.code == "a matter of luck"
    assert 0 < found.failures < 8
    assert np.isnan(found.held_out_mean)


def test_weights_that_were_put_there_stay():
    x, y = regression()
    model = small()
    assert diagnosis.seed_sensitivity(model, x, y, seeds=2, steps=20).new_weights
    model.set_weights([w + 1 for w in model.get_weights()])
    found = diagnosis.seed_sensitivity(model, x, y, seeds=2, steps=20)
    assert not found.new_weights
    assert diagnosis.seed_sensitivity(model, x, y, seeds=2, steps=20, new_weights=True).start != found.start


def test_new_weights_are_those_that_a_model_of_that_seed_begins_with():
    x, y = regression()
    model = small()
    found = diagnosis.seed_sensitivity(model, x, y, seeds=2, steps=1)
    model.fit(x, y, verbose=0)  # after which the optimizer has moments, and other weights
    again = diagnosis.seed_sensitivity(model, x, y, seeds=2, steps=1)
    assert again.start == found.start
    assert np.array_equal(again.ends, found.ends)


def test_a_single_row_has_no_spread():
    x, y = regression(1)
    with pytest.raises(DataError, match="too few rows"):
        diagnosis.seed_sensitivity(small(), x, y)


# Rates


@pytest.mark.parametrize(("rate", "code"), [(1e-7, "too low"), (0.1, "right"), (1000.0, "too high")])
def test_where_the_rate_stands(rate, code):
    x, _y = regression(64)
    model = compiled([layers.Dense(1)], "mse", optimizers.SGD(rate))
    found = diagnosis.rate_range(model, x, x[:, :1], steps=20, seeds=1, threads=1)
    assert found.code == code
    assert found.low <= found.high
    assert ("learning_rate=" in found.change) == (code != "right")


def test_where_nothing_can_be_learned_the_rate_is_not_to_blame():
    x, _ = regression(64)
    model = compiled([layers.Dense(1, kernel_initializer="zeros")], "mse")
    found = diagnosis.rate_range(model, x, np.zeros((64, 1)), steps=4, seeds=1, threads=1)
    assert found.code == "no optimum"


def test_what_has_no_rate_or_no_loss():
    x, y = regression(16)
    with pytest.raises(ArgumentError, match="L-BFGS"):
        diagnosis.rate_range(small(optimizers.LBFGS()), x, y)
    model = small()
    model.state["parameters/dense/kernel"].write(np.nan)
    with pytest.raises(NonFiniteError, match="not finite"):
        diagnosis.rate_range(model, x, y)


# Steps of a model's own


class Own(Model):
    reports = True

    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(1)

    def call(self, x):
        return self.inner(x)

    def train_step(self, data):
        logs = super().train_step(data)
        return logs if self.reports else {}


def test_a_model_with_a_step_of_its_own():
    x, _ = regression(64)
    model = Own()
    model.executor = "numpy"
    model.compile(optimizers.Adam(0.05), "mse")
    assert diagnosis.overfit_batch(model, x, x[:, :1]).code == "learned"
    assert diagnosis.input_baseline(model, x, x[:, :1], steps=50).code == "used"
    with pytest.raises(GraphError, match="says itself"):
        diagnosis.curvature(model, x, x[:, :1])
    Own.reports = False
    for test in (diagnosis.overfit_batch, diagnosis.rate_range):
        other = Own()
        other.executor = "numpy"
        other.compile("adam", "mse")
        with pytest.raises(GraphError, match="reports no loss"):
            test(other, x, x[:, :1])


def test_several_inputs_as_a_list():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    model = Model([a, b], layers.Dense(1)(layers.Concatenate()([a, b])))
    model.executor = "numpy"
    model.compile(optimizers.SGD(0.05), "mse")
    x, y = regression(32)
    assert diagnosis.gradient_test(model, [x, x], y).code == "right"
    assert diagnosis.rate_range(model, [x, x], y, steps=4, seeds=1, threads=1).rate == pytest.approx(0.05)
