"""The line of a network in the table of ``benchmarks.xla``."""

import pytest
from benchmarks.workloads import WORKLOADS
from benchmarks.xla import EPOCH_FLOPS, JAX, THALWEG, row, shortened


@pytest.mark.parametrize(("mine", "told"), [(0.002, "100%"), (0.004, "50%, aimed at 95%")])
def test_a_line_says_whether_the_aim_is_reached(mine, told):
    figures = {
        name: {"seconds": seconds, "pieces": 5, "disturbed": 1} for name, seconds in ((THALWEG, mine), (JAX, 0.002))
    }
    assert row(WORKLOADS["mnist_mlp"], figures)[3] == told


def test_epochs_that_take_long_are_of_fewer_rows():
    short = shortened(WORKLOADS["mnist_cnn"])
    assert short.epoch_flops == pytest.approx(EPOCH_FLOPS, rel=0.1)
    assert short.source.train_rows % short.batch_size == 0
    assert shortened(WORKLOADS["mnist_mlp"]) == WORKLOADS["mnist_mlp"]
