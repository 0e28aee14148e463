"""Structures and what ``compile`` decided in JSON types, and back.

A layer that is met twice, in the model and in a model inside it, is described once, and restored as one layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thalweg.graph.types import DTYPES
from thalweg.layers.layer import Layer
from thalweg.layers.layer import registry as layers
from thalweg.layers.signature import Arguments
from thalweg.layers.symbols import Call, Input, Symbol
from thalweg.model.structure import Structure, connected
from thalweg.registry import describe, restore, sharing
from thalweg.trees import TreeForm, flatten

PARTS = frozenset({"inputs", "outputs", "layers", "calls"})
"""What every description of a structure has."""


def describe_structure(structure: Structure) -> dict[str, Any]:
    """Layers and how they are connected, in JSON types."""
    given = {symbol: label for label, symbol in structure.inputs.items()}
    numbers: dict[Call | None, int] = {call: number for number, call in enumerate(structure.calls)}

    def where(symbol: Symbol) -> list[Any]:
        return ["input", given[symbol]] if symbol in given else ["call", numbers[symbol.call], symbol.index]

    with sharing():
        described = [_describe_layer(layer) for layer in structure.layers]
        arguments = [_describe_arguments(call) for call in structure.calls]
    return {
        "inputs": describe_inputs(structure.inputs),
        "layers": described,
        "calls": [
            {"layer": call.layer.label, "inputs": [where(x) for x in call.inputs], "training": call.training} | more
            for call, more in zip(structure.calls, arguments, strict=True)
        ],
        "outputs": {name: where(symbol) for name, symbol in structure.outputs.items()},
        "named_outputs": structure.named_outputs,
    }


def _describe_layer(layer: Layer) -> dict[str, Any]:
    description = layers.config(layer)
    description["name"] = layer.label
    return description


def _describe_arguments(call: Call) -> dict[str, Any]:
    """What a call says besides its inputs; mostly nothing."""
    form, options = call.arguments.form, call.arguments.options
    described = {} if form is None else {"form": form.described()}
    return described | ({"options": describe(options, f"a call of {call.layer.label}")} if options else {})


def describe_inputs(inputs: Mapping[str, Symbol]) -> dict[str, Any]:
    """The inputs of a model by label, in JSON types."""
    return {
        label: {"shape": list(symbol.shape[1:]), "dtype": symbol.dtype, "name": symbol.name}
        for label, symbol in inputs.items()
    }


def restore_inputs(described: Mapping[str, Any]) -> dict[str, Symbol]:
    """The inverse of ``describe_inputs``. Raises as ``restore_structure``."""
    return {label: _input(entry) for label, entry in described.items()}


def restore_structure(config: Mapping[str, Any], layers_by_label: Mapping[str, Layer] | None = None) -> Structure:
    """A structure of layers that are made, unless they are given, and called anew.

    Raises: a ThalwegError, KeyError, TypeError, ValueError or IndexError if the description is bad.
    """
    inputs = restore_inputs(config["inputs"])
    with sharing():
        made = layers_by_label or {entry["name"]: _layer(entry) for entry in config["layers"]}
    results: list[tuple[Symbol, ...]] = []

    def symbol(where: list[Any]) -> Symbol:
        value = inputs[where[1]] if where[0] == "input" else results[where[1]][where[2]]
        assert isinstance(value, Symbol), "what layers give for symbols"
        return value

    for call in config["calls"]:
        training = call.get("training")
        form = TreeForm.restored(call["form"]) if "form" in call else None
        positional, named = Arguments(form).of(map(symbol, call["inputs"]))
        options = named | restore(call.get("options", {}))
        result = made[call["layer"]](*positional, training=None if training is None else bool(training), **options)
        results.append(tuple(flatten(result)[0]))
    outputs = {name: symbol(where) for name, where in config["outputs"].items()}
    return connected(inputs, outputs, bool(config.get("named_outputs", False)))


def _input(entry: Mapping[str, Any]) -> Symbol:
    if entry["dtype"] not in DTYPES:
        raise ValueError(f"an input of dtype {entry['dtype']!r:.40}")
    return Input(shape=tuple(entry["shape"]), dtype=entry["dtype"], name=entry["name"])


def _layer(entry: Mapping[str, Any]) -> Layer:
    layer = layers.from_config({key: value for key, value in entry.items() if key != "name"})
    layer.name = str(entry["name"])
    return layer
