"""``thalweg.random``: at once and in layers."""

import numpy as np
import pytest

import thalweg
from thalweg import layers, random
from thalweg.errors import ArgumentError, ThalwegError

N = 4000
DRAWS = {
    "normal": (lambda s: random.normal((N,), 1.0, 2.0, seed=s), 1.0, 2.0),
    "uniform": (lambda s: random.uniform((N,), 2.0, 5.0, seed=s), 3.5, 3 / 12**0.5),
    "truncated_normal": (lambda s: random.truncated_normal((N,), 1.0, 2.0, seed=s), 1.0, 2 * 0.87963),
    "randint": (lambda s: random.randint((N,), -2, 3, seed=s), 0.0, 2**0.5),
    "binomial": (lambda s: random.binomial((N,), 10, 0.3, seed=s), 3.0, 2.1**0.5),
    "gamma": (lambda s: random.gamma((N,), 4.0, seed=s), 4.0, 2.0),
    "beta": (lambda s: random.beta((N,), 2.0, 2.0, seed=s), 0.5, 0.05**0.5),
    "dropout": (lambda s: random.dropout(np.ones(N, np.float32), 0.2, seed=s), 1.0, 0.5),
    "categorical": (lambda s: random.categorical(np.log([[0.25, 0.75]]), N, seed=s)[0], 0.75, 0.1875**0.5),
}


@pytest.mark.parametrize("name", DRAWS)
def test_distributions_and_seeds(name):
    draw, mean, deviation = DRAWS[name]
    values = draw(3)
    assert values.shape == (N,)
    assert values.dtype == ("int32" if name in ("randint", "categorical") else "float32")
    assert values.mean() == pytest.approx(mean, abs=5 * deviation / N**0.5)
    assert values.std() == pytest.approx(deviation, rel=0.08)
    np.testing.assert_array_equal(draw(3), values)
    generator = random.SeedGenerator(3)
    first, second = draw(generator), draw(generator)
    np.testing.assert_array_equal(first, values)
    assert (second != first).any()
    assert (draw(4) != values).any()


def test_bounds():
    values = random.truncated_normal((N,), seed=1)
    assert abs(values).max() <= 2
    assert set(random.randint((200,), 0, 3, seed=1).tolist()) == {0, 1, 2}
    assert random.uniform((3,), 0, 9, "int32", seed=1).dtype == np.int32
    assert random.normal(3, dtype="float64", seed=1).dtype == np.float64


def test_shuffling_keeps_everything():
    x = np.arange(24).reshape(4, 6)
    for axis in (0, 1):
        mixed = random.shuffle(x, axis, seed=1)
        assert (mixed != x).any()
        np.testing.assert_array_equal(np.sort(mixed, axis), x)


def test_the_process_has_a_seed():
    thalweg.utils.set_random_seed(5)
    first = [random.normal((3,)), random.normal((3,))]
    assert (first[0] != first[1]).any()
    thalweg.utils.set_random_seed(6)
    random.normal((3,))
    thalweg.utils.set_random_seed(5)
    np.testing.assert_array_equal(random.normal((3,)), first[0])


class Sampling(layers.Layer):
    """As in Keras's example of a variational autoencoder."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seed_generator = random.SeedGenerator(1337)

    def call(self, mean):
        noise = random.normal(thalweg.ops.shape(mean), seed=self.seed_generator)
        return mean + noise, random.uniform(mean.shape), random.dropout(mean, 0.5)


def test_in_a_layer_each_step_draws_anew():
    x = thalweg.Input((3,))
    model = thalweg.Model(x, Sampling()(x))
    zeros = np.ones((50, 3), np.float32)
    one, other = (model.predict(zeros, verbose=0) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        assert (a != b).any()
    assert len(np.unique(one[0])) == 150
    assert set(np.unique(one[2])) == {0.0, 2.0}


def test_what_is_refused():
    with pytest.raises(ArgumentError, match="draws each try"):
        random.binomial((3,), 10**6, 0.5)
    for bad in (lambda: random.normal((3,), seed="a"), lambda: random.SeedGenerator(1.5)):
        with pytest.raises(ThalwegError):
            bad()

    class Waiting(layers.Layer):
        """Draws what a step cannot."""

        def call(self, x):
            return x * random.gamma((3,), 2.0)

    with pytest.raises(ArgumentError, match=r"random\.gamma cannot be drawn by a compiled step"):
        Waiting()(thalweg.Input((3,)))


def test_a_generator_as_a_description():
    generator = random.SeedGenerator(7, name="mine")
    assert random.SeedGenerator.from_config(generator.get_config()).seed == 7
