"""random.py: the published test vectors of Threefry, and that nothing repeats."""

import numpy as np
import pytest

from thalweg.executors.numpy import evaluate
from thalweg.graph.node import Graph
from thalweg.ops import constant, random_bits, random_uniform
from thalweg.ops.random import threefry


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [  # the authors' file kat_vectors, threefry2x32, 20 rounds
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_published_vectors(counter, key, words):
    x, y = threefry(tuple(map(np.uint32, key)), tuple(np.array([c], np.uint32) for c in counter))
    assert (int(x[0]), int(y[0])) == words


def bits(seed=0, step=0, stream=0, shape=(1000,), make=random_bits, **options):
    node = make(shape, stream, constant(seed, "uint32"), constant(step, "uint32"), **options)
    return evaluate(Graph({"y": node}), {}, {})[node]


def test_seed_step_and_stream_all_count():
    drawn = [bits(), bits(seed=1), bits(step=1), bits(stream=1)]
    assert len(np.unique(drawn)) > 3990
    assert np.array_equal(bits(), bits(shape=(10, 100)).ravel())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform_is_in_0_1_and_flat(dtype):
    u = bits(shape=(200_000,), make=random_uniform, dtype=dtype)
    assert u.dtype == dtype
    assert 0 <= u.min() < 1e-4
    assert 1 - 1e-4 < u.max() < 1
    counts = np.histogram(u, 20, (0, 1))[0]
    chi_squared = ((counts - 10_000) ** 2 / 10_000).sum()
    assert chi_squared < 43.8  # 19 degrees of freedom, one in a thousand


def test_the_largest_bits_stay_below_1_in_float32():
    largest = np.float32(min((2**32 - 1) * 2.0**-32, 1 - 2.0**-24))
    assert largest < 1
