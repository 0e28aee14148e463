"""L-BFGS: the direction, the line search, and training to minima that are known otherwise."""

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import Input, Sequential, constraints, errors, losses, regularizers
from thalweg.layers import Dense, Dropout
from thalweg.optimizers import LBFGS
from thalweg.optimizers.line_search import CURVATURE, DECREASE, Trial, strong_wolfe
from thalweg.optimizers.search import direction

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(200, 5)) * [1, 3, 0.3, 1, 0.1]
LABELS = (X[:, 0] - X[:, 3] + RANDOM.normal(size=200) > 0.3).astype(np.int64)


def test_the_direction_is_that_of_the_matrix():
    """H updated pair by pair (Nocedal & Wright, equation 6.17), from the scaled identity."""
    moves, gradient = RANDOM.normal(size=(3, 6)), RANDOM.normal(size=6)
    root = RANDOM.normal(size=(6, 6))
    changes = moves @ (root @ root.T)
    h = np.eye(6) * (moves[-1] @ changes[-1]) / (changes[-1] @ changes[-1])
    for s, y in zip(moves, changes, strict=True):
        v = np.eye(6) - np.outer(y, s) / (y @ s)
        h = v.T @ h @ v + np.outer(s, s) / (y @ s)
    np.testing.assert_allclose(direction(gradient, list(moves), list(changes)), -h @ gradient)
    np.testing.assert_array_equal(direction(gradient, [], []), -gradient)


FUNCTIONS = {
    "quadratic": (lambda a: (a - 3) ** 2, lambda a: 2 * (a - 3)),
    "quartic": (lambda a: (a - 2) ** 4 - a, lambda a: 4 * (a - 2) ** 3 - 1),
    # More & Thuente (1994), equations 5.1 and 5.2
    "far": (lambda a: -a / (a**2 + 2), lambda a: (a**2 - 2) / (a**2 + 2) ** 2),
    "steep": (lambda a: (a + 0.004) ** 5 - 2 * (a + 0.004) ** 4, lambda a: 5 * (a + 0.004) ** 4 - 8 * (a + 0.004) ** 3),
    "wall": (lambda a: -a if a < 1 else np.inf, lambda a: -1.0 + 0.95 * min(a, 1)),
}


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 1000.0])
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_the_step_fulfils_the_strong_wolfe_conditions(name, first):
    value, slope = FUNCTIONS[name]
    start = Trial(0.0, value(0.0), slope(0.0))
    found = strong_wolfe(lambda a: Trial(a, value(a), slope(a)), start, first)
    assert found is not None
    assert found.value <= start.value + DECREASE * found.step * start.slope
    assert abs(found.slope) <= -CURVATURE * start.slope


def test_no_step_is_found_where_there_is_none():
    assert strong_wolfe(lambda a: Trial(a, 2.0, -1.0), Trial(0.0, 1.0, -1.0), 1.0) is None
    assert strong_wolfe(lambda a: Trial(a, np.nan, np.nan), Trial(0.0, 1.0, -1.0), 1.0) is None


def logistic(l2=0.01, **options):
    thalweg.utils.set_random_seed(1)
    model = Sequential([Input((5,)), Dense(1, "sigmoid", kernel_regularizer=regularizers.L2(l2))])
    model.compile(LBFGS(**options), "binary_crossentropy")
    return model


def test_least_squares():
    y = X @ [1.0, -2.0, 3.0, 0.0, 5.0] + 0.5 + RANDOM.normal(size=200) * 0.1
    model = nets.regressor(optimizer=LBFGS(), features=5)
    history = model.fit(X, y, batch_size="full", epochs=200, verbose=0)
    assert history.stopped_by == "converged"
    assert len(history.epoch) < 40
    exact, (residual,), *_ = np.linalg.lstsq(np.c_[X, np.ones(200)], y, rcond=None)
    np.testing.assert_allclose(np.r_[model.get_weights()[0][:, 0], model.get_weights()[1]], exact, rtol=2e-4, atol=2e-5)
    assert model.evaluate(X, y, verbose=0) == pytest.approx(residual / 200, rel=1e-5)


@pytest.mark.needs("torch")
def test_as_pytorch():
    import torch

    model = logistic()
    kernel, bias = (torch.tensor(w, dtype=torch.float64, requires_grad=True) for w in model.get_weights())
    x, y = torch.tensor(X), torch.tensor(LABELS, dtype=torch.float64)
    optimizer = torch.optim.LBFGS(
        [kernel, bias], max_iter=500, tolerance_grad=1e-10, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def loss():
        optimizer.zero_grad()
        logits = (x @ kernel)[:, 0] + bias
        value = torch.nn.functional.binary_cross_entropy_with_logits(logits, y) + 0.01 * (kernel**2).sum()
        value.backward()
        return value

    optimizer.step(loss)
    history = model.fit(X, LABELS, batch_size="full", epochs=100, verbose=0)
    assert history.stopped_by == "converged"
    assert history.history["loss"][-1] == pytest.approx(loss().item(), rel=1e-6)
    np.testing.assert_allclose(model.get_weights()[0], kernel.detach().numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.needs("sklearn")
def test_as_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    model = logistic(l2=0.05)
    model.fit(X, LABELS, batch_size="full", epochs=100, verbose=0)
    # half the sum of squares for C times the sum of losses
    theirs = LogisticRegression(C=1 / (2 * 0.05 * 200), tol=1e-10, max_iter=1000).fit(X, LABELS)
    np.testing.assert_allclose(model.get_weights()[0][:, 0], theirs.coef_[0], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model.get_weights()[1], theirs.intercept_, rtol=1e-3)


def test_every_epoch_is_better():
    x, y = nets.points(200)
    model = nets.classifier(optimizer=LBFGS())
    history = model.fit(x, y, batch_size="full", epochs=60, verbose=0).history
    assert (np.diff(history["loss"]) < 1e-6).all()
    assert history["loss"][-1] < 0.05
    assert model.optimizer.iterations == len(history["loss"])


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_training_goes_on_to_the_same_bits(tmp_path, dropout):
    x, y = nets.points(60)
    whole, cut = (nets.classifier(optimizer=LBFGS(history_size=3), dropout=dropout) for _ in range(2))
    whole.fit(x, y, epochs=8, batch_size="full", verbose=0, threads=1)
    cut.fit(x, y, epochs=5, batch_size="full", verbose=0, threads=2)
    cut.save(tmp_path / "m.thalweg")
    loaded = thalweg.load_model(tmp_path / "m.thalweg")
    history = loaded.fit(x, y, epochs=8, initial_epoch=5, batch_size="full", verbose=0, threads=2)
    assert nets.same_bits(whole, loaded)
    assert history.history["loss"] == whole.history.history["loss"][5:]


def test_metrics_count_each_row_once():
    x, y = nets.points(60)
    model = nets.classifier(optimizer=LBFGS())
    before = model.evaluate(x, y, verbose=0)
    logs = model.fit(x, y, batch_size="full", verbose=0).history
    assert [logs["loss"][0], logs["accuracy"][0]] == pytest.approx(before, rel=1e-6)
    np.testing.assert_array_equal(model.state.number("random/step"), 1)


def test_one_batch_at_a_time():
    x, y = nets.points(60)
    model = nets.classifier(optimizer=LBFGS())
    values = [model.train_on_batch(x, y)[0] for _ in range(5)]
    assert values == sorted(values, reverse=True)


def test_mistakes():
    x, y = nets.points(60)
    with pytest.raises(errors.ArgumentError, match="batch_size='full'"):
        nets.classifier(optimizer=LBFGS()).fit(x, y, verbose=0)
    model = Sequential([Input((4,)), Dense(1, kernel_constraint=constraints.NonNeg())])
    model.compile(LBFGS(), losses.MeanSquaredError())
    with pytest.raises(errors.ArgumentError, match="constraint on 'dense/kernel'"):
        model.fit(x, y, batch_size="full", verbose=0)
    for wrong in ({"weight_decay": 0.1}, {"clipnorm": 1.0}, {"use_ema": True}, {"gradient_accumulation_steps": 2}):
        with pytest.raises(errors.ArgumentError, match=next(iter(wrong))):
            LBFGS(**wrong)


def test_an_infinite_loss_is_reported():
    model = Sequential([Input((4,)), Dropout(0.1), Dense(1)])
    model.compile(LBFGS(), "mse")
    with pytest.raises(errors.NonFiniteError):
        model.fit(np.full((5, 4), 1e30), np.full(5, 1e30), batch_size="full", epochs=2, verbose=0)
