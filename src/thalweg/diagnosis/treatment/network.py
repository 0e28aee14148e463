"""Changes of a network's description: layers made others, put between, or taken out. Nothing here knows a disease.

A description is what ``Model.get_config`` gives: layers by name, and calls of them in their order, each with where its
inputs come from, ``["input", label]`` or ``["call", number, which of its results]``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from thalweg.fields import dataclass

Network = Mapping[str, Any]
Settings = dict[str, Any]

HANDING_ON = ("activation", "softmax", "parametric_activation", "rescaling", "reshape", "flatten", "dropout")
"""Layers that may stand between the last weights and the output, and leave it an output of that layer."""

NORMALISING = ("batch_normalization", "layer_normalization", "group_normalization", "rms_normalization")
SCALING = ("normalization", "rescaling", "robust_scaling", "batch_normalization", "layer_normalization")
DROPPING = ("dropout", "spatial_dropout_1d", "spatial_dropout_2d", "gaussian_dropout", "alpha_dropout")
CONVOLUTIONS = ("conv1d", "conv2d", "conv3d", "separable_conv1d", "separable_conv2d")
RECTIFYING = ("relu", "leaky_relu", "relu6", "elu", "selu", "gelu", "silu", "swish", "mish", "softplus")
BOUNDED = ("sigmoid", "tanh", "hard_sigmoid", "softsign")


@dataclass(frozen=True)
class Place:
    """One call of a layer.

    Attributes:
        number: of the call.
        name: of the layer.
        kind: its class as files name it, ``"dense"``.
        settings: its arguments.
    """

    number: int
    name: str
    kind: str
    settings: Mapping[str, Any]

    @property
    def has_kernel(self) -> bool:
        """Whether inputs are multiplied with weights."""
        return self.settings.get("kernel_initializer") is not None

    @property
    def size(self) -> int | None:
        """How many numbers it gives in the end: units or filters."""
        found = self.settings.get("units", self.settings.get("filters"))
        return found if isinstance(found, int) else None

    @property
    def activation(self) -> str:
        """By name; "linear" for none."""
        return name_of(self.settings.get("activation")) or "linear"


def name_of(given: Any) -> str | None:
    """The name that a description of an activation, initializer, loss ... says."""
    return given.get("class_name") if isinstance(given, Mapping) else given


def places(network: Network) -> list[Place]:
    """All calls in their order."""
    layers = {layer["name"]: layer for layer in network["layers"]}
    found = []
    for number, call in enumerate(network["calls"]):
        layer = layers[call["layer"]]
        found.append(Place(number, call["layer"], layer["class_name"], layer.get("config") or {}))
    return found


def way_back(network: Network) -> Iterator[Place]:
    """From the output backwards, as long as there is one way."""
    known = places(network)
    (where,) = list(network["outputs"].values())[:1]
    while where[0] == "call":
        place = known[where[1]]
        yield place
        sources = network["calls"][place.number]["inputs"]
        if len(sources) != 1:
            return
        (where,) = sources


def head(network: Network) -> tuple[Place, Place] | None:
    """The layer of the last weights, and the one that says the activation of the output: often the same one."""
    says: Place | None = None
    for place in way_back(network):
        if place.has_kernel:
            own = place if place.activation != "linear" or says is None else says
            return place, own
        if place.kind not in HANDING_ON:
            return None
        if place.kind in ("activation", "softmax") and says is None:
            says = place
    return None


def head_activation(network: Network) -> str:
    """Of the output: "linear", "softmax" ..."""
    found = head(network)
    if found is None:
        return "linear"
    return "softmax" if found[1].kind == "softmax" else found[1].activation


def hidden(network: Network) -> list[Place]:
    """The layers with kernels before the head, each once, in their order."""
    end = head(network)
    seen = {} if end is None else {end[0].name: None}
    found = []
    for place in places(network):
        if place.has_kernel and place.name not in seen:
            seen[place.name] = None
            found.append(place)
    return found


def with_settings(network: Network, names: Mapping[str, Mapping[str, Any]]) -> Network:
    """The network whose layers of these names have other arguments."""

    def changed(layer: Mapping[str, Any]) -> Mapping[str, Any]:
        more = names.get(layer["name"])
        return layer if more is None else {**layer, "config": {**layer["config"], **more}}

    return {**network, "layers": [changed(layer) for layer in network["layers"]]}


def with_layer(network: Network, name: str, kind: str, settings: Mapping[str, Any]) -> Network:
    """The network with another layer under this name."""
    layers = [layer if layer["name"] != name else made(kind, name, settings) for layer in network["layers"]]
    return {**network, "layers": layers}


def made(kind: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The description of a layer."""
    return {"kind": "layer", "class_name": kind, "config": {**settings, "name": name}, "name": name}


def free_name(network: Network, base: str) -> str:
    """The base, or with a number behind it."""
    taken = {layer["name"] for layer in network["layers"]}
    number, name = 0, base
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    return name


def in_front(network: Network, kind: str, settings: Mapping[str, Any]) -> Network:
    """A layer between the only input and all that takes it."""
    (label,) = network["inputs"]
    return _spliced(network, 0, ["input", label], [["input", label]], kind, settings)


def behind(network: Network, number: int, kind: str, settings: Mapping[str, Any]) -> Network:
    """A layer between a call and all that takes its result."""
    where = ["call", number, 0]
    return _spliced(network, number + 1, where, [where], kind, settings)


def with_skip(network: Network, first: int, last: int) -> Network:
    """What goes into the call ``first`` added to what the call ``last`` gives; both are of one shape."""
    (source,) = network["calls"][first]["inputs"]
    where = ["call", last, 0]
    return _spliced(network, last + 1, where, [list(source), where], "add", {})


def _spliced(
    network: Network, at: int, of: list[Any], inputs: list[list[Any]], kind: str, settings: Mapping[str, Any]
) -> Network:
    """A new call ``at`` this place, in whose place what was taken ``of`` somewhere is now taken of it."""
    name = free_name(network, kind)

    def moved(where: Any) -> list[Any]:
        if where[0] == "call" and where[1] >= at:
            return ["call", where[1] + 1, *where[2:]]
        return list(where)

    def taken(where: Any) -> list[Any]:
        return ["call", at, 0] if list(where) == of else moved(where)

    calls = [dict(call) for call in network["calls"]]
    before, after = calls[:at], [{**call, "inputs": list(map(taken, call["inputs"]))} for call in calls[at:]]
    new = {"layer": name, "inputs": list(map(list, inputs)), "training": None}
    return {
        **network,
        "layers": [*network["layers"], made(kind, name, settings)],
        "calls": [*before, new, *after],
        "outputs": {label: taken(where) for label, where in network["outputs"].items()},
    }


def without(network: Network, number: int) -> Network:
    """The network without this call, which has one input: who took its result takes that."""
    (source,) = network["calls"][number]["inputs"]
    gone = ["call", number, 0]

    def moved(where: Any) -> list[Any]:
        where = list(source) if list(where) == gone else list(where)
        return ["call", where[1] - 1, *where[2:]] if where[0] == "call" and where[1] > number else where

    calls = [{**c, "inputs": list(map(moved, c["inputs"]))} for n, c in enumerate(network["calls"]) if n != number]
    used = {call["layer"] for call in calls}
    return {
        **network,
        "layers": [layer for layer in network["layers"] if layer["name"] in used],
        "calls": calls,
        "outputs": {label: moved(where) for label, where in network["outputs"].items()},
    }


def is_stack(network: Network) -> bool:
    """Whether each layer takes what the one before gives, and nothing else."""
    (label,) = list(network["inputs"])[:1]
    if len(network["inputs"]) != 1 or len(network["outputs"]) != 1:
        return False
    before: list[Any] = ["input", label]
    for number, call in enumerate(network["calls"]):
        if list(map(list, call["inputs"])) != [before]:
            return False
        before = ["call", number, 0]
    return list(next(iter(network["outputs"].values()))) == before


def takers(network: Network, number: int) -> list[int]:
    """The calls that take the result of this one."""
    return [n for n, call in enumerate(network["calls"]) if ["call", number, 0] in list(map(list, call["inputs"]))]


def can_be_resized(network: Network, place: Place) -> bool:
    """Whether a layer may give more or fewer numbers: the next weights take them, and nothing is added to them."""
    known, waiting = places(network), [place.number]
    if len([other for other in known if other.name == place.name]) > 1:
        return False
    while waiting:
        number = waiting.pop()
        if ["call", number, 0] in [list(where) for where in network["outputs"].values()]:
            return False
        for taker in takers(network, number):
            if len(network["calls"][taker]["inputs"]) > 1 or known[taker].kind == "reshape":
                return False
            if not known[taker].has_kernel:
                waiting.append(taker)
    return True


def dropped(network: Network, wanted: Callable[[Place], bool]) -> Network:
    """The network without the calls that are wanted so."""
    for place in reversed(places(network)):
        if wanted(place):
            network = without(network, place.number)
    return network
