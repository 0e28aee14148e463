"""Descriptions of networks: what is put in, taken out or made other, and what stays."""

from __future__ import annotations

import numpy as np
from tests.diagnosis.treatment.networks import pictures, stack, with_skip

import thalweg
from thalweg.diagnosis.treatment import network as networks


def made(network: networks.Network) -> thalweg.Model:
    return thalweg.Model.from_config(network)


def kinds(network: networks.Network) -> list[str]:
    return [place.kind for place in networks.places(network)]


def test_a_layer_in_front_of_all_that_takes_the_input() -> None:
    changed = networks.in_front(with_skip().get_config(), "normalization", {"mean": 1.0, "variance": 4.0})
    add = next(call for call in changed["calls"] if call["layer"] == "add")
    assert kinds(changed)[0] == "normalization"
    assert ["call", 0, 0] in add["inputs"]
    assert made(changed).output_shape == (None, 1)


def test_a_layer_behind_another_one() -> None:
    changed = networks.behind(stack().get_config(), 1, "batch_normalization", {})
    assert kinds(changed) == ["dense", "dense", "batch_normalization", "dense", "dense"]
    assert networks.is_stack(changed)


def test_a_skip_adds_what_went_in() -> None:
    network = networks.with_skip(stack().get_config(), 1, 1)
    model = made(network)
    assert not networks.is_stack(network)
    x = np.ones((2, 3), np.float32)
    model.executor = "numpy"
    first, second = model.layers[1], model.layers[2]
    between = thalweg.Model(model.inputs, [first.output, second.output, model.get_layer("add").output])
    between.executor = "numpy"
    before, after, both = between.predict(x, verbose=0)
    np.testing.assert_allclose(both, before + after, rtol=1e-6)


def test_what_was_put_in_can_be_taken_out() -> None:
    network = stack().get_config()
    changed = networks.behind(network, 2, "dropout", {"rate": 0.5})
    assert networks.without(changed, 3) == {**network, "layers": networks.without(changed, 3)["layers"]}
    assert kinds(networks.dropped(changed, lambda place: place.kind == "dropout")) == kinds(network)


def test_the_head_is_the_last_weights_and_what_says_the_activation() -> None:
    found = networks.head(pictures().get_config())
    assert found is not None
    assert [place.kind for place in found] == ["dense", "softmax"]
    assert networks.head_activation(pictures().get_config()) == "softmax"
    assert networks.head_activation(stack().get_config()) == "sigmoid"
    assert networks.head_activation(with_skip().get_config()) == "linear"
    assert [place.kind for place in networks.hidden(pictures().get_config())] == ["conv2d"]


def test_names_stay_apart() -> None:
    network: networks.Network = stack().get_config()
    for _ in range(3):
        network = networks.behind(network, 0, "dense", {"units": 4})
    names = [layer["name"] for layer in network["layers"]]
    assert len(set(names)) == len(names)


def test_what_something_is_added_to_keeps_its_size() -> None:
    network = with_skip().get_config()
    assert [networks.can_be_resized(network, place) for place in networks.hidden(network)] == [True, False]
