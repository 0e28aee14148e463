"""Training of convolutional networks: as PyTorch, and the same bits on any number of threads."""

import numpy as np
import pytest
from tests import nets
from tests.oracles import trainings
from tests.oracles.record import RECORDED

import thalweg


@pytest.mark.parametrize("name", trainings.NETWORKS)
def test_single_precision_is_near_double(name, compiled):
    """50 steps in float32, against PyTorch's recorded ones in float64. (tests/oracles compares in float64.)"""
    model, losses = trainings.train(name, 2, compiled)
    assert losses[-1] < 0.4 * losses[0], "it learns"
    ours = {"losses": losses} | {f"weight{i}": w for i, w in enumerate(trainings.trained(model))}
    with np.load(RECORDED / "torch.npz") as recorded:
        for what, value in ours.items():
            expected = recorded[f"training-{name}/{what}"]
            allowed = trainings.TOLERANCE["float32"] * np.abs(expected).max()
            np.testing.assert_allclose(value, expected, rtol=0, atol=allowed, err_msg=what)


@pytest.mark.parametrize("name", trainings.NETWORKS)
def test_threads_do_not_change_a_bit(name, teams):
    """Whole trainings."""
    (one, losses), *others = [trainings.train(name, threads) for threads in (1, 2, 3)]
    for model, other_losses in others:
        assert nets.same_bits(one, model)
        np.testing.assert_array_equal(losses, other_losses)
    assert teams == {2, 3}


def test_a_saved_network_predicts_the_same(tmp_path):
    model = trainings.network("grouped")
    x = trainings.data("grouped")["x"]
    model.save(tmp_path / "images.thalweg")
    again = thalweg.load_model(tmp_path / "images.thalweg")
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))
