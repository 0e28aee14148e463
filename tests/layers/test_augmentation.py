"""Layers that change images or mix rows: against Keras where a draw is certain, else what they do to each image."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from tests import nets
from tests.layers.test_layers import run
from tests.oracles.record import installed

import thalweg
from thalweg import layers
from thalweg.errors import ArgumentError, GraphError, ShapeError

RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.uniform(0, 255, (5, 6, 8, 3)).astype(np.float32)

# The ranges are one number wide, so that every library draws the same.
CERTAIN = [
    *(
        ("RandomTranslation", {"height_factor": h, "width_factor": w, "fill_mode": mode, **more})
        for mode in ("reflect", "constant", "wrap", "nearest")
        for h, w, more in (
            ([0.2, 0.2], [-0.3, -0.3], {}),
            ([-1.0, -1.0], [0.55, 0.55], {}),
            ([0.5, 0.5], [0.25, 0.25], {"interpolation": "nearest"}),
            ([0.1, 0.1], [0.1, 0.1], {"fill_value": 9.0}),
        )
    ),
    *(
        ("RandomZoom", {"height_factor": h, "width_factor": w, "fill_mode": mode})
        for mode in ("reflect", "constant", "wrap", "nearest")
        for h, w in (([0.4, 0.4], None), ([-0.5, -0.5], [0.8, 0.8]))
    ),
    *(
        ("RandomRotation", {"factor": [angle, angle], "fill_mode": mode, **more})
        for mode in ("reflect", "constant", "wrap", "nearest")
        for angle, more in ((0.13, {}), (-0.4, {}), (0.07, {"interpolation": "nearest"}), (0.2, {"fill_value": 9.0}))
    ),
    ("RandomBrightness", {"factor": [0.2, 0.2]}),
    ("RandomBrightness", {"factor": [-0.4, -0.4], "value_range": [10.0, 200.0]}),
    ("RandomContrast", {"factor": [0.0, 0.0]}),
    ("RandomErasing", {"factor": [1.0, 1.0], "scale": [1.0, 1.0], "fill_value": 7.0}),
    ("RandomErasing", {"factor": [0.0, 0.0]}),
    ("RandomGrayscale", {"factor": 1.0}),
    ("RandomGrayscale", {"factor": 0.0}),
    ("Solarization", {}),
    ("Solarization", {"value_range": [-10.0, 200.0]}),
    ("AutoContrast", {}),
    ("AutoContrast", {"value_range": [10.0, 200.0]}),
]


@pytest.mark.slow
def test_certain_draws_against_keras():
    if not installed("keras"):
        pytest.skip("keras is not installed")
    code = """
import json, sys, numpy as np, keras
x, questions = json.loads(sys.stdin.read())
x = np.array(x, np.float32)
answers = [np.asarray(getattr(keras.layers, name)(**options)(x, training=True)).tolist() for name, options in questions]
print(json.dumps(answers))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps([IMAGES.tolist(), CERTAIN]),
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    assert done.returncode == 0, done.stderr
    for (name, options), answer in zip(CERTAIN, json.loads(done.stdout.splitlines()[-1]), strict=True):
        ours = run(getattr(layers, name)(**options), IMAGES, training=True)
        # places are worked out in float32: off by 1e-6 of a pixel, times differences of up to 255
        np.testing.assert_allclose(ours, np.array(answer), atol=2e-3, err_msg=f"{name} {options}")


ALL = [
    layers.RandomFlip(),
    layers.RandomTranslation(0.3, 0.3),
    layers.RandomZoom(0.3),
    layers.RandomRotation(0.2),
    layers.RandomContrast(0.5),
    layers.RandomBrightness(0.5),
    layers.RandomErasing(),
    layers.RandomGrayscale(),
    layers.Solarization(0.3, 0.5),
]


@pytest.mark.parametrize("layer", ALL, ids=lambda layer: type(layer).__name__)
def test_in_training_only_and_repeatable(layer):
    x = IMAGES.astype(np.uint8)
    np.testing.assert_array_equal(run(layer, x), x.astype(np.float32))
    first = run(layer, x, training=True, seed=3, step=4)
    assert (first != x).any()
    np.testing.assert_array_equal(first, run(layer, x, training=True, seed=3, step=4))
    assert (first != run(layer, x, training=True, seed=3, step=5)).any()
    with pytest.raises(ShapeError, match="no batch of images"):
        layer(thalweg.Input((6, 8)))


def test_grey_solarized_and_stretched_as_in_keras():
    """Numbers of Keras 3.15 on JAX."""
    x = np.array([[[[139.95, 182.37, 153.7], [22.22, 5.16, 212.32], [97.78, 201.89, 134.87]]]], np.float32)
    grey = run(layers.RandomGrayscale(1.0), x, training=True)
    np.testing.assert_allclose(grey[0, 0], np.repeat([[166.41], [33.87], [163.11]], 3, 1), atol=0.02)
    np.testing.assert_allclose(run(layers.Solarization(), x, training=True), 255 - x, rtol=1e-5)
    flat = np.full((1, 2, 2, 1), 300.0, np.float32)
    np.testing.assert_array_equal(run(layers.AutoContrast(), flat), flat)
    stretched = run(layers.AutoContrast(), x)
    np.testing.assert_allclose(stretched, (x - x.min((1, 2))) / np.ptp(x, (1, 2)) * 255, rtol=1e-5, atol=1e-3)
    with pytest.raises(ShapeError, match="three colours"):
        run(layers.RandomGrayscale(), x[..., :2], training=True)


def test_solarization_turns_from_its_threshold_on():
    x = RANDOM.uniform(0, 1, (50, 4, 4, 1)).astype(np.float32)
    y = run(layers.Solarization((0.1, 0.1), (0.5, 0.5), (0, 1)), x, training=True)
    moved = np.minimum(x + 0.1, 1)
    np.testing.assert_allclose(y, np.where(moved < 0.5, moved, 1 - moved), atol=1e-6)


def test_each_image_is_turned_over_or_not():
    x = RANDOM.standard_normal((400, 3, 4, 2)).astype(np.float32)
    for mode, ways in (
        ("horizontal", [x, x[:, :, ::-1]]),
        ("vertical", [x, x[:, ::-1]]),
        ("horizontal_and_vertical", [x, x[:, ::-1], x[:, :, ::-1], x[:, ::-1, ::-1]]),
    ):
        y = run(layers.RandomFlip(mode), x, training=True)
        same = np.array([(y == way).all((1, 2, 3)) for way in ways])
        assert (same.sum(0) == 1).all()
        counts, expected = same.sum(1), 400 / len(ways)
        assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_shifts_by_whole_pixels_keep_the_pixels():
    x = RANDOM.standard_normal((60, 5, 5, 1)).astype(np.float32)
    layer = layers.RandomTranslation(0.4, 0.4, "wrap", "nearest")
    y = run(layer, x, training=True)
    ways = [np.roll(x, (i, j), (1, 2)) for i in range(-2, 3) for j in range(-2, 3)]
    same = np.array([(y == way).all((1, 2, 3)) for way in ways])
    assert (same.sum(0) == 1).all()
    assert same.any(1).sum() > 12  # most of the 25 ways occur


def test_contrast_keeps_the_mean_of_each_channel():
    y = run(layers.RandomContrast(0.5, (-1000.0, 1000.0)), IMAGES, training=True)
    np.testing.assert_allclose(y.mean((1, 2)), IMAGES.mean((1, 2)), rtol=1e-4)
    factors = y.std((1, 2)) / IMAGES.std((1, 2))
    np.testing.assert_allclose(factors, factors[:, :1].repeat(3, 1), rtol=1e-4)
    assert ((factors > 0.5) & (factors < 1.5)).all()


def test_erasing_takes_one_rectangle():
    x = np.ones((200, 10, 12, 2), np.float32)
    y = run(layers.RandomErasing((1.0, 1.0), (0.1, 0.3), 0.0), x, training=True)
    gone = y[..., 0] == 0
    np.testing.assert_array_equal(gone, y[..., 1] == 0)
    for image in gone:
        rows, columns = image.any(1), image.any(0)
        np.testing.assert_array_equal(image, np.outer(rows, columns))
        assert np.abs(np.diff(np.append(0, np.append(rows, 0)).astype(int))).sum() == 2
        assert 3 <= rows.sum() <= 7
        assert 3 <= columns.sum() <= 8
    noisy = run(layers.RandomErasing((1.0, 1.0), value_range=(0.0, 255.0)), x, training=True)
    assert noisy.min() >= 0
    assert noisy.max() <= 255
    assert (noisy != 1).any()
    half = run(layers.RandomErasing(1.0, fill_value=0.0), np.ones((2000, 6, 6, 1), np.float32), training=True)
    assert (half == 0).any((1, 2, 3)).mean() == pytest.approx(0.5, abs=0.06)  # the probability is 1/2 on average


def test_swap_noise_takes_the_next_row_s_number():
    x = np.arange(400 * 50, dtype=np.int32).reshape(400, 50)
    y = run(layers.SwapNoise(0.2), x, training=True)
    swapped = y != x
    np.testing.assert_array_equal(y[swapped], np.roll(x, -1, 0)[swapped])
    assert swapped.mean() == pytest.approx(0.2, abs=5 * 0.4 / np.sqrt(x.size))
    np.testing.assert_array_equal(run(layers.SwapNoise(0.2), x), x)


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0])
@pytest.mark.needs("scipy")
def test_mixed_shares_follow_the_beta_distribution(alpha):
    from scipy import stats as statistics

    x = np.zeros((5000, 1), np.float32)
    x[::2] = 1.0
    shares = run(layers.MixUp(alpha), x, training=True)[::2, 0]
    assert statistics.kstest(shares, statistics.beta(alpha, alpha).cdf).pvalue > 1e-3


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_mixed_samples_is_that_of_mixed_targets(weighted):
    """With a linear model of the input itself, so that the share can be read off what the model predicts."""
    x, y = nets.points(12)
    entry = thalweg.Input((4,))
    model = thalweg.Model(entry, layers.Dense(3, "softmax")(layers.MixUp(0.5)(entry)))
    model.compile(thalweg.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    kernel, bias = model.layers[2].get_weights()
    layer = model.layers[1]
    seen = run(layer, x, training=True, seed=model.state.number("random/seed"), step=0)
    following = np.roll(x, -1, 0)
    share = ((seen - following) * (x - following)).sum(1) / np.square(x - following).sum(1)
    logits = seen @ kernel + bias
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    rows, weight = np.arange(12), np.linspace(0.5, 2, 12) if weighted else np.ones(12)
    own, other = -np.log(p[rows, y]) * weight, -np.log(p[rows, np.roll(y, -1)]) * np.roll(weight, -1)
    expected = (share * own + (1 - share) * other).mean()
    assert model.train_on_batch(x, y, sample_weight=weight if weighted else None) == pytest.approx(expected, rel=1e-4)


def test_mixing_is_for_training_and_once():
    x, y = nets.points(40)
    model = thalweg.Sequential([thalweg.Input((4,)), layers.MixUp(), layers.Dense(3, "softmax")])
    plain = thalweg.Sequential([thalweg.Input((4,)), layers.Dense(3, "softmax")])
    plain.set_weights(model.get_weights())
    np.testing.assert_array_equal(model.predict(x, verbose=0), plain.predict(x, verbose=0))
    for each in (model, plain):
        each.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert model.evaluate(x, y, verbose=0) == plain.evaluate(x, y, verbose=0)
    model.fit(x, y, batch_size=13, verbose=0)  # the last batch is one row
    twice = thalweg.Sequential([thalweg.Input((4,)), layers.MixUp(), layers.MixUp(), layers.Dense(3, "softmax")])
    twice.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(GraphError, match="mixed twice"):
        twice.fit(x, y, verbose=0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.RandomTranslation(1.5, 0.0),
        lambda: layers.RandomZoom(-1.0),
        lambda: layers.RandomContrast((0.5, 1.5)),
        lambda: layers.RandomErasing(2.0),
        lambda: layers.RandomGrayscale(1.5),
        lambda: layers.Solarization(0.1, (0.5, 1.5)),
        lambda: layers.RandomFlip("sideways"),
        lambda: layers.RandomTranslation(0.1, 0.1, "mirror"),
        lambda: layers.MixUp(2.0),
        lambda: layers.SwapNoise(1.0),
    ],
)
def test_arguments_out_of_range(make):
    with pytest.raises(ArgumentError, match="argument"):
        make()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads():
    random = np.random.RandomState(1)
    x, y = random.randint(0, 255, (64, 12, 12, 3)).astype(np.uint8), random.randint(0, 3, 64)

    def trained(threads, seed):
        model = thalweg.Sequential(
            [
                thalweg.Input((12, 12, 3), dtype="uint8"),
                layers.RandomFlip(),
                layers.RandomTranslation(0.1, 0.1),
                layers.RandomZoom(0.1),
                layers.RandomRotation(0.1),
                layers.RandomContrast(0.2),
                layers.RandomBrightness(0.1),
                layers.RandomErasing(),
                layers.Rescaling(1 / 255),
                layers.GaussianNoise(0.1),
                layers.Flatten(),
                layers.Dense(3, "softmax"),
            ]
        )
        model.set_weights([np.full((432, 3), 0.01), np.zeros(3)])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=2, verbose=0, threads=threads, seed=seed)
        return model

    one = trained(1, 5)
    assert nets.same_bits(one, trained(2, 5))
    assert not nets.same_bits(one, trained(1, 6))
