"""Changes of programs that several diseases are treated by. Each makes a program of a program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from thalweg.diagnosis.treatment import network as networks
from thalweg.diagnosis.treatment.material import Material
from thalweg.diagnosis.treatment.network import BOUNDED, CONVOLUTIONS, DROPPING, RECTIFYING, Place
from thalweg.diagnosis.treatment.program import Change, Edit, Program

ADAPTIVE = ("adam", "adamw", "nadam", "adamax", "rmsprop", "adagrad", "adadelta", "adafactor", "lamb", "lion", "muon")
"""Optimizers whose steps do not grow with the gradients."""

STANDALONE = ("activation", "leaky_re_lu", "parametric_activation")


def initializer_for(activation: str) -> str:
    """What keeps the deviation of signals the same through a layer of this activation.

    Source: He et al. (2015), arXiv:1502.01852; Glorot & Bengio (2010), AISTATS; Klambauer et al. (2017),
        arXiv:1706.02515 (selu).
    """
    if activation == "selu":
        return "lecun_normal"
    return "he_normal" if activation in RECTIFYING else "glorot_uniform"


def acting(program: Program, place: Place) -> str:
    """The activation behind a layer: its own, or that of a layer of its own that follows."""
    if place.activation != "linear" or program.network is None:
        return place.activation
    known = networks.places(program.network)
    followers = [known[number] for number in networks.takers(program.network, place.number)]
    while len(followers) == 1 and followers[0].kind in (*networks.NORMALISING, *DROPPING):
        followers = [known[number] for number in networks.takers(program.network, followers[0].number)]
    if len(followers) != 1 or followers[0].kind not in STANDALONE:
        return "linear"
    only = followers[0]
    return "leaky_relu" if only.kind == "leaky_re_lu" else only.activation


def initialised(program: Program) -> Program:
    """Every kernel begins with the deviation that its activation wants, every bias with 0."""
    changed = {}
    for place in program.weighted:
        fresh: dict[str, Any] = {"kernel_initializer": initializer_for(acting(program, place))}
        if place.settings.get("use_bias", False):
            fresh["bias_initializer"] = "zeros"
        changed[place.name] = fresh
    return program.with_settings(changed)


def activated(program: Program, activation: str, old: Iterable[str]) -> Program:
    """The hidden layers whose activation is one of the ``old`` get this one, and the initializer that goes with it."""
    assert program.network is not None, "who changes layers has found them"
    wanted, fresh = tuple(old), {"kernel_initializer": initializer_for(activation)}
    changed: dict[str, Mapping[str, Any]] = {}
    end = program.head
    for place in networks.places(program.network):
        if end is not None and place.name == end.name:
            break
        if place.has_kernel and acting(program, place) in wanted:
            own = {"activation": activation} if place.activation in wanted and place.activation != "linear" else {}
            changed[place.name] = {**own, **fresh}
            if "linear" in wanted and place.activation == "linear":
                changed[place.name] = {"activation": activation, **fresh}
        elif place.kind in STANDALONE and place.activation in wanted:
            changed[place.name] = {"activation": activation}
    return program.with_settings(changed)


def smooth(program: Program) -> bool:
    """Whether hidden layers have activations that end at two sides."""
    return any(acting(program, place) in BOUNDED for place in program.hidden)


def normalised_between(program: Program) -> Program:
    """A BatchNormalization behind every hidden layer that has none."""
    for name in [place.name for place in program.hidden]:
        network = program.network
        assert network is not None, "there are hidden layers"
        known = networks.places(network)
        number = next(place.number for place in known if place.name == name)
        after = [known[taker].kind for taker in networks.takers(network, number)]
        if not any(kind in networks.NORMALISING for kind in after):
            program = program.with_network(networks.behind(network, number, "batch_normalization", {}))
    return program


def skipping(program: Program) -> Program:
    """What goes into a hidden dense layer is added to what comes out, wherever both have one size."""
    for name, before in zip(*_neighbours(program), strict=True):
        network = program.network
        assert network is not None, "there are hidden layers"
        known = {place.name: place for place in networks.places(network)}
        if known[name].size == known[before].size and known[name].kind == known[before].kind == "dense":
            program = program.with_network(networks.with_skip(network, known[name].number, known[name].number))
    return program


def _neighbours(program: Program) -> tuple[list[str], list[str]]:
    names = [place.name for place in program.hidden]
    return names[1:], names[:-1]


def scaled_inputs(material: Material) -> Edit | None:
    """A Normalization in front, with what the training rows say; None where they are no plain numbers."""
    if material.columns is None:
        return None
    mean, variance = material.statistics()
    given = {"axis": -1, "mean": tuple(mean), "variance": tuple(variance)}

    def edit(program: Program) -> Program:
        assert program.network is not None, "there is one input"
        known = networks.places(program.network)
        filled = [place.number for place in known if place.kind == "fill_missing"]
        if filled:
            return program.with_network(networks.behind(program.network, filled[0], "normalization", given))
        return program.with_network(networks.in_front(program.network, "normalization", given))

    return edit


def has_scaling(program: Program) -> bool:
    """Whether a layer in front of the first weights scales what comes in."""
    for place in [] if program.network is None else networks.places(program.network):
        if place.has_kernel:
            return False
        if place.kind in networks.SCALING:
            return True
    return False


def scaled_targets(material: Material) -> Edit:
    """A Rescaling behind a linear head, so that the head itself predicts numbers of mean 0 and deviation 1, and the
    loss counted in their unit: the model predicts in the user's.
    """
    scale, offset = _short(material.target_deviation), _short(material.target_mean)

    def edit(program: Program) -> Program:
        network = linear_head(program).network
        assert network is not None, "there is a head"
        last = next(networks.way_back(network))
        moved = networks.behind(network, last.number, "rescaling", {"scale": scale, "offset": offset})
        power = 1 if program.loss in ("mean_absolute_error", "mae", "quantile_loss", "huber", "log_cosh") else 2
        return program.with_network(moved).with_loss_weight(_short(scale**-power))

    return edit


def _short(number: float) -> float:
    return float(f"{number:.4g}")


def with_head(program: Program, units: int | None, activation: str) -> Program:
    """Another size and activation of the output."""
    assert program.network is not None, "there is a head"
    found = networks.head(program.network)
    assert found is not None, "there is a head"
    weights, says = found
    fresh: dict[str, Any] = {} if units is None else {"units": units}
    if says.name == weights.name:
        fresh["activation"] = None if activation == "linear" else activation
        if weights.settings.get("use_bias", False):
            fresh["bias_initializer"] = "zeros"
        return program.with_settings({weights.name: fresh})
    network = networks.with_settings(program.network, {weights.name: fresh})
    return program.with_network(networks.with_layer(network, says.name, "activation", {"activation": activation}))


def linear_head(program: Program) -> Program:
    """An output that can be any number."""
    assert program.network is not None, "there is a head"
    return with_head(program, None, "linear") if networks.head_activation(program.network) != "linear" else program


def rates(program: Program, factors: Iterable[float], words: str) -> tuple[Change, ...]:
    """The same program at other learning rates, to be compared with each other."""

    def change(rate: float) -> Change:
        return Change(f"learning rate {rate:g} in place of {program.rate:g}: {words}", lambda p: p.with_rate(rate))

    return tuple(change(float(f"{program.rate * factor:.2g}")) for factor in factors) if program.has_rate else ()


def adam(program: Program, choices: Iterable[float], words: str) -> tuple[Change, ...]:
    """Adam at several rates, to be compared with each other."""

    def change(rate: float) -> Change:
        return Change(f"Adam at a learning rate of {rate:g}: {words}", lambda p: p.with_optimizer("adam", rate))

    return tuple(change(rate) for rate in choices if (program.optimizer, program.rate) != ("adam", rate))


def resized(program: Program, factor: float, least: int = 1) -> Program:
    """So many times as many units and filters in the hidden layers, and no fewer than ``least``."""
    changed = {}
    for place in program.hidden:
        if place.size is not None and networks.can_be_resized(program.network or {}, place):
            what = "units" if "units" in place.settings else "filters"
            changed[place.name] = {what: max(round(place.size * factor), least)}
    return program.with_settings(changed)


def penalised(program: Program, l2: float) -> Program:
    """A penalty on the squares of every kernel."""
    given = {"kind": "regularizer", "class_name": "l2", "config": {"l2": l2}}
    return program.with_settings({place.name: {"kernel_regularizer": given} for place in program.weighted})


def unpenalised(program: Program) -> Program:
    """No regularizers, and no dropout."""
    free = {"kernel_regularizer": None, "bias_regularizer": None, "activity_regularizer": None}
    changed = {p.name: {k: v for k, v in free.items() if k in p.settings} for p in program.weighted}
    program = program.with_settings(changed)
    assert program.network is not None, "there are layers"
    return program.with_network(networks.dropped(program.network, lambda place: place.kind in DROPPING))


def is_regularised(program: Program) -> bool:
    """Whether a penalty or a dropout holds it back."""
    if program.network is None:
        return False
    penalised = any(place.settings.get("kernel_regularizer") for place in program.weighted)
    return penalised or any(place.kind in DROPPING for place in networks.places(program.network))


def dropping(program: Program, rate: float) -> Program:
    """A Dropout in front of the head, and behind every hidden dense layer; those that are there get the rate."""
    assert program.network is not None, "there are layers"
    present = {p.name: {"rate": rate} for p in networks.places(program.network) if p.kind == "dropout"}
    if present:
        return program.with_settings(present)
    for name in [place.name for place in program.hidden if place.kind == "dense"]:
        network = program.network
        assert network is not None, "there are layers"
        number = next(place.number for place in networks.places(network) if place.name == name)
        program = program.with_network(networks.behind(network, number, "dropout", {"rate": rate}))
    return program


def deeper(program: Program, units: int, activation: str, count: int) -> Program:
    """So many further hidden dense layers in front of the head."""
    for _ in range(count):
        network, end = program.network, program.head
        assert network is not None and end is not None, "there is a head"
        (source,) = network["calls"][end.number]["inputs"]
        given = {"units": units, "activation": activation, "kernel_initializer": initializer_for(activation)}
        if source[0] == "call":
            network = networks.behind(network, source[1], "dense", given)
        else:
            network = networks.in_front(network, "dense", given)
        program = program.with_network(network)
    return program


def is_stack(program: Program) -> bool:
    """Whether each layer takes what the one before gives."""
    return program.network is not None and networks.is_stack(program.network)


def one_hidden(program: Program, units: int, activation: str) -> Program:
    """One hidden dense layer in place of all, and no dropout or normalisation behind them."""
    first = program.hidden[0].name
    assert program.network is not None, "there are hidden layers"
    gone = {place.name for place in program.hidden[1:]}
    between = (*DROPPING, *networks.NORMALISING, *STANDALONE)
    kinds = {place.name for place in networks.places(program.network) if place.kind in between}
    network = networks.dropped(program.network, lambda place: place.name in gone | kinds)
    return activated(
        program.with_network(networks.with_settings(network, {first: {"units": units, "activation": activation}})),
        activation,
        (activation,),
    )


def is_convolutional(program: Program) -> bool:
    """Whether it sees pictures or series by convolutions."""
    return any(place.kind in CONVOLUTIONS for place in program.hidden)
