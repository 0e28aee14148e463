"""Layers that normalise: digits, what is kept of batches, training against PyTorch. Formulas: tests/oracles."""

import numpy as np
import pytest
from tests.compute import compute, inputs

import thalweg
from thalweg import layers, ops
from thalweg.backprop import gradients
from thalweg.errors import ArgumentError, ShapeError
from thalweg.executors.native.code.step import target
from thalweg.executors.native.host import AVX512
from thalweg.executors.native.plan.plan import make_order
from thalweg.layers.normalization import moments_over
from thalweg.layers.tracing import tracing
from thalweg.ops.leaf import input_node
from thalweg.state.names import parameter_state, within
from thalweg.training.step import training_step

RANDOM = np.random.RandomState(0)


def run(layer, x, training, **state):
    layer.infer(*(node.type for node in inputs(x=x)))
    parameters = layer.named_parameters()
    start = {path: state.get(path, p.initial(0, path)).astype(p.dtype) for path, p in parameters.items()}
    values = {parameter_state(path): value for path, value in start.items()}
    with tracing(parameters) as trace:
        y = layer(*inputs(x=x), training=training)
    results = compute({"y": y, **trace.updates}, values, x=x)
    return results.pop("y"), {within(name): value for name, value in results.items()}


@pytest.mark.parametrize("layer", [layers.BatchNormalization, lambda: layers.LayerNormalization(axis=1)])
@pytest.mark.parametrize("offset", [0.0, 1e4, -3e5])
def test_features_far_from_zero_lose_no_more_digits_than_they_come_with(layer, offset):
    x = (RANDOM.standard_normal((256, 256)) + offset).astype(np.float32)
    made = layer()
    y, _ = run(made, x, training=True)
    exact = x.astype(np.float64)
    axis = 0 if isinstance(made, layers.BatchNormalization) else 1
    deviation = np.sqrt(exact.var(axis, keepdims=True) + 1e-3)
    expected = (exact - exact.mean(axis, keepdims=True)) / deviation
    # x itself is exact here; what the layer adds are a few roundings of numbers of size 1
    np.testing.assert_allclose(y, expected, atol=4e-6)


def test_far_features_keep_exact_statistics():
    x = (RANDOM.standard_normal((256, 8)) + 1e4).astype(np.float32)
    _, kept = run(layers.BatchNormalization(momentum=0.0), x, training=True)
    np.testing.assert_allclose(kept["moving_mean"], x.astype(np.float64).mean(0), rtol=1e-7)
    np.testing.assert_allclose(kept["moving_variance"], x.astype(np.float64).var(0), rtol=2e-6)


@pytest.mark.parametrize("offset", [0.0, 1e4, -3e5])
def test_images_far_from_zero_and_from_each_other_lose_no_more_digits_than_they_come_with(offset):
    each = 2 * RANDOM.standard_normal((32, 1, 1, 3))
    x = (RANDOM.standard_normal((32, 16, 16, 3)) * [1.0, 3.0, 0.5] + each + offset).astype(np.float32)
    y, kept = run(layers.BatchNormalization(momentum=0.0), x, training=True)
    exact = x.astype(np.float64)
    mean, variance = exact.mean((0, 1, 2)), exact.var((0, 1, 2))
    np.testing.assert_allclose(kept["moving_mean"], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(kept["moving_variance"], variance, rtol=4e-6 if abs(offset) < 1e5 else 2e-4)
    np.testing.assert_allclose(y, (exact - mean) / np.sqrt(variance + 1e-3), atol=1e-5 if abs(offset) < 1e5 else 3e-4)


def test_images_have_the_gradient_of_the_whole_batch():
    """As if the mean of all were known from the beginning: by differences, in double precision."""
    x = RANDOM.standard_normal((3, 4, 4, 2)) + 2.0
    weights = RANDOM.standard_normal(x.shape)

    def loss(x):
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        return (((x - mean) / np.sqrt(variance + 1e-3)) * weights).sum()

    (node,) = inputs(x=x)
    y = moments_over(node, (0, 1, 2)).normalised(1e-3)
    (gradient,) = gradients(ops.reduce_sum(y * input_node("w", x.shape, "float64")), [node])
    got = compute({"gradient": gradient}, x=x, w=weights)["gradient"]
    for at in ((0, 0, 0, 0), (1, 2, 3, 1), (2, 3, 0, 0)):
        step = np.zeros(x.shape)
        step[at] = 1e-5
        assert got[at] == pytest.approx((loss(x + step) - loss(x - step)) / 2e-5, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("value", [0.0, 7.0, 1e4, 1e6])
def test_a_constant_feature_becomes_beta(value):
    x = np.full((32, 3), value, np.float32)
    y, kept = run(layers.BatchNormalization(epsilon=1e-7), x, training=True, beta=np.full(3, 0.5))
    np.testing.assert_allclose(y, 0.5, atol=1e-6)
    assert (kept["moving_variance"] >= 0).all()


def test_moving_statistics_over_several_steps_are_those_of_the_batches():
    x = RANDOM.normal(3.0, 2.0, (64, 5)).astype(np.float32)
    model = thalweg.Sequential([thalweg.Input((5,)), layers.BatchNormalization(momentum=0.7), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, x[:, 0], batch_size=16, epochs=3, shuffle=False, verbose=0)
    mean, variance = np.zeros(5), np.ones(5)
    for _ in range(3):
        for batch in x.reshape(4, 16, 5).astype(np.float64):
            mean = 0.7 * mean + 0.3 * batch.mean(0)
            variance = 0.7 * variance + 0.3 * batch.var(0)
    gamma, beta, moving_mean, moving_variance = model.layers[0].get_weights()
    np.testing.assert_allclose(moving_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(moving_variance, variance, rtol=1e-5)
    expected = gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta
    kernel, bias = model.layers[1].get_weights()
    np.testing.assert_allclose(model.predict(x, verbose=0), expected @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_the_rows_of_a_prediction_do_not_matter_to_each_other():
    model = thalweg.Sequential([thalweg.Input((3,)), layers.BatchNormalization()])
    x = RANDOM.standard_normal((200, 3)).astype(np.float32)
    np.testing.assert_array_equal(model.predict(x, verbose=0)[:5], model.predict(x[:5], verbose=0))


def test_a_frozen_batch_normalization_uses_and_keeps_what_it_has():
    x = RANDOM.normal(3.0, 2.0, (64, 5)).astype(np.float32)
    norm = layers.BatchNormalization(trainable=False)
    model = thalweg.Sequential([thalweg.Input((5,)), norm, layers.Dense(1)])
    model.compile("sgd", "mse")
    before = norm.get_weights()
    kernel, bias = model.layers[1].get_weights()
    logs = model.train_on_batch(x, x[:, 0])
    for old, new in zip(before, norm.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    expected = ((x / np.sqrt(1 + 1e-3)) @ kernel + bias)[:, 0]
    assert logs == pytest.approx(np.square(expected - x[:, 0]).mean(), rel=1e-5)


def test_a_shared_one_follows_both_uses():
    left, right = thalweg.Input((2,), name="left"), thalweg.Input((2,), name="right")
    norm = layers.BatchNormalization(momentum=0.5)
    model = thalweg.Model([left, right], layers.Add()([norm(left), norm(right)]))
    model.compile("sgd", "mse")
    x = {"left": np.full((8, 2), 4.0, np.float32), "right": np.full((8, 2), 8.0, np.float32)}
    model.train_on_batch(x, np.zeros((8, 2)))
    np.testing.assert_allclose(norm.get_weights()[2], 0.5 * (0.5 * 4) + 0.5 * 8)


def test_the_step_reads_the_data_of_a_layer_as_seldom_as_possible():
    """Forward one kernel (two sums and the result), backward one of two sums and one for the gradient by the input."""
    model = thalweg.Sequential(
        [thalweg.Input((54,)), layers.Dense(256), layers.BatchNormalization(), layers.ReLU(), layers.Dense(7)]
    )
    model.compile("sgd", "mse")
    step = training_step(model.runner.net(), model.runner.goals(), model.optimizer.rule, 256)
    tasks = make_order(step.graph, target(AVX512), gather=True).tasks.tasks
    kernels = [task.kernel for task in tasks]
    over_the_batch = [k for k in kernels if k.contraction is None and k.space == (256, 256)]
    assert len(over_the_batch) == 3, [[str(root) for root in k.roots] for k in over_the_batch]
    # gamma is read by the gradient that its own update waits for, but replaced only when that is over
    assert not any(task.reads_aside for task in tasks)


@pytest.mark.slow
@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.needs("torch")
def test_fit_against_pytorch_from_equal_weights(offset):
    import torch

    random = np.random.RandomState(3)
    x = (random.standard_normal((96, 6)) + offset).astype(np.float32)
    y = ((x - offset) @ random.standard_normal((6, 2))).astype(np.float32)
    model = thalweg.Sequential(
        [
            thalweg.Input((6,)),
            layers.BatchNormalization(epsilon=1e-3, momentum=0.9),
            layers.Dense(16),
            layers.BatchNormalization(epsilon=1e-3, momentum=0.9),
            layers.ReLU(),
            layers.Dense(2),
        ]
    )
    model.compile(thalweg.optimizers.SGD(0.05, momentum=0.9), "mse")
    first, second = (torch.nn.BatchNorm1d(n, eps=1e-3, momentum=0.1) for n in (6, 16))
    dense, last = torch.nn.Linear(6, 16), torch.nn.Linear(16, 2)
    for ours, theirs in ((model.layers[1], dense), (model.layers[4], last)):
        kernel, bias = ours.get_weights()
        theirs.weight.data = torch.tensor(kernel.T.copy())
        theirs.bias.data = torch.tensor(bias)
    net = torch.nn.Sequential(first, dense, second, torch.nn.ReLU(), last).double()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for _ in range(4):
        for start in range(0, 96, 32):
            rows = slice(start, start + 32)
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(net(torch.tensor(x[rows]).double()), torch.tensor(y[rows])).backward()
            optimizer.step()
    model.fit(x, y, batch_size=32, epochs=4, shuffle=False, verbose=0)
    for norm, other in ((model.layers[0], first), (model.layers[2], second)):
        gamma, beta, mean, _ = norm.get_weights()
        # 12 steps in float32 against float64; PyTorch keeps another variance (n - 1)
        np.testing.assert_allclose(gamma, other.weight.detach(), rtol=2e-4, atol=2e-5)
        np.testing.assert_allclose(beta, other.bias.detach(), rtol=2e-4, atol=2e-5)
        np.testing.assert_allclose(mean, other.running_mean, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(model.layers[1].get_weights()[0], dense.weight.detach().T, rtol=5e-4, atol=5e-5)
    np.testing.assert_allclose(model.layers[4].get_weights()[0], last.weight.detach().T, rtol=5e-4, atol=5e-5)


@pytest.mark.parametrize("axis", [0, 2, -3, (1, 1), ()])
def test_an_axis_that_is_not_there(axis):
    make = layers.LayerNormalization if isinstance(axis, tuple) else layers.BatchNormalization
    with pytest.raises(ShapeError, match="no such axis"):
        make(axis=axis)(thalweg.Input((4,)))


def test_channels_that_no_groups_share():
    with pytest.raises(ShapeError, match="equal groups"):
        layers.GroupNormalization(4)(thalweg.Input((3, 6)))


@pytest.mark.parametrize("options", [{"momentum": 1.5}, {"epsilon": 0.0}, {"renorm": True}])
def test_arguments(options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        layers.BatchNormalization(**options)
