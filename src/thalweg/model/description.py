"""Structures and what ``compile`` decided in JSON types, and back.

A layer that is met twice, in the model and in a model inside it, is described once, and restored as one layer. What a
file says is held against the annotations of the classes here, ``...Entry``, before anything is made of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, TypeVar

from thalweg.checks import Count, NotEmpty, OneOf, check_fields
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.fields import dataclass
from thalweg.graph.types import DTYPES
from thalweg.layers.layer import Layer
from thalweg.layers.layer import registry as layers
from thalweg.layers.signature import Arguments
from thalweg.layers.symbols import Call, Input, Symbol, by_data
from thalweg.model.structure import Structure, connected
from thalweg.registry import describe, restore, sharing
from thalweg.trees import TreeForm, flatten, leaf_count

PARTS = frozenset({"inputs", "outputs", "layers", "calls"})
"""What every description of a structure has."""

E = TypeVar("E")


@dataclass(frozen=True)
class StructureEntry:
    """A model of layers and connections."""

    inputs: Annotated[Mapping[str, Any], NotEmpty()]
    layers: tuple[Any, ...]
    calls: tuple[Any, ...]
    outputs: Annotated[Mapping[str, Any], NotEmpty()]
    named_outputs: bool = False
    inputs_form: Any = None
    outputs_form: Any = None
    name: str | None = None
    trainable: bool = True


@dataclass(frozen=True)
class InputEntry:
    """An input, by its label."""

    shape: tuple[Count | None, ...]
    dtype: Annotated[str, OneOf(*DTYPES)]
    name: str | None = None
    by_data: bool = False


@dataclass(frozen=True)
class CallEntry:
    """A use of a layer; inputs are ``["input", label]`` or ``["call", number, which of its results]``."""

    layer: str
    inputs: Annotated[tuple[tuple[str | int, ...], ...], NotEmpty()]
    training: bool | None = None
    form: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClassEntry:
    """A model of a class of one's own."""

    name: str
    trainable: bool
    arguments: Mapping[str, Any]
    keys: tuple[str, ...] | None
    layers: Mapping[str, bool]
    inputs: Annotated[Mapping[str, Any], NotEmpty()]
    inputs_form: Any = None


@dataclass(frozen=True)
class TrainedEntry:
    """What a model was compiled for: paths of parameters, and of layers."""

    trained: tuple[str, ...]
    frozen: tuple[str, ...]


def entry(cls: type[E], given: Any, what: str) -> E:
    """What a description says of something, each field as its annotation wants it.

    Raises: ArgumentError that names it and the field.
    """
    if not isinstance(given, Mapping):
        raise bad_entry(f"{what} is no mapping", f"one of {_fields(cls)}", given)
    fields: tuple[Any, ...] = dataclasses.fields(cls)  # type: ignore[arg-type]
    needed = [f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING]
    missing = [name for name in needed if name not in given]
    if missing:
        raise bad_entry(f"{what} lacks {missing[0]!r}", _fields(cls), list(given))
    surplus = sorted(map(str, given.keys() - {f.name for f in fields}))
    if surplus:
        raise bad_entry(f"{what} has {surplus[0]!r:.60}, which is not known", _fields(cls), list(given))
    made = cls(**given)
    check_fields(made, what)
    return made


def bad_entry(problem: str, expected: str, got: object) -> ArgumentError:
    """The error for a part of a description that nothing can be made of."""
    fix = "make descriptions with get_config() or save(); a file from a newer version needs that version"
    return ArgumentError(problem, expected=expected, got=f"{got!r:.120} ({type(got).__name__})", fix=fix)


def _fields(cls: Any) -> str:
    return ", ".join(f.name for f in dataclasses.fields(cls))


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
        **describe_forms(structure.inputs_form, structure.outputs_form),
    }


def describe_forms(inputs_form: TreeForm | None, outputs_form: TreeForm | None = None) -> dict[str, Any]:
    """How inputs and outputs are nested, in JSON types; nothing if they are not."""
    forms = {"inputs_form": inputs_form, "outputs_form": outputs_form}
    return {what: form.described() for what, form in forms.items() if form is not None}


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
        | ({"by_data": True} if symbol.by_data else {})
        for label, symbol in inputs.items()
    }


def restore_inputs(described: Mapping[str, Any]) -> dict[str, Symbol]:
    """The inverse of ``describe_inputs``. Raises ArgumentError naming the input."""
    entries = {label: entry(InputEntry, given, f"the input {label!r:.60}") for label, given in described.items()}
    return {
        label: (by_data if e.by_data else Input)(shape=e.shape, dtype=e.dtype, name=e.name)
        for label, e in entries.items()
    }


def restore_structure(config: Mapping[str, Any], layers_by_label: Mapping[str, Layer] | None = None) -> Structure:
    """A structure of layers that are made, unless they are given, and called anew.

    Raises: ArgumentError that names the part which is bad, or whatever layers raise that do not fit each other.
    """
    whole = entry(StructureEntry, config, "the model")
    inputs = restore_inputs(whole.inputs)
    made = layers_by_label or _layers(whole.layers)
    results: list[tuple[Symbol, ...]] = []

    def symbol(where: object, what: str) -> Symbol:
        match where:
            case ["input", str(label)] | ("input", str(label)) if label in inputs:
                return inputs[label]
            case ["call", int(call), int(index)] | ("call", int(call), int(index)) if (
                not isinstance(call, bool)
                and not isinstance(index, bool)
                and 0 <= call < len(results)
                and 0 <= index < len(results[call])
            ):
                return results[call][index]
        known = f'["input", one of {list(inputs)}] or ["call", below {len(results)}, which of its results]'
        raise bad_entry(f"{what} comes from nowhere", known, where)

    for number, given in enumerate(whole.calls):
        call = entry(CallEntry, given, f"the call {number}")
        if call.layer not in made:
            raise bad_entry(f"the call {number} is of a layer that is not there", f"one of {list(made)}", call.layer)
        symbols = [symbol(where, f"an input of layer {call.layer!r}") for where in call.inputs]
        results.append(tuple(flatten(_called(made[call.layer], symbols, call))[0]))
    outputs = {name: symbol(where, f"the output {name!r:.60}") for name, where in whole.outputs.items()}
    inputs_form = restore_form(whole.inputs_form, inputs, "inputs")
    outputs_form = restore_form(whole.outputs_form, outputs, "outputs")
    return connected(inputs, outputs, whole.named_outputs, inputs_form, outputs_form)


def restore_form(described: Any, symbols: Mapping[str, Symbol], what: str) -> TreeForm | None:
    """How symbols are nested; None if they are not. Raises ArgumentError if they are more or fewer."""
    if described is None:
        return None
    try:
        form = TreeForm.restored(described)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise bad_entry(f"the form of the {what} is none", "nested lists and mappings of 'leaf'", described) from error
    if leaf_count(form) != len(symbols):
        raise bad_entry(f"the form of the {what} has other leaves", f"{len(symbols)} leaves", described)
    return form


def _called(layer: Layer, symbols: list[Symbol], call: CallEntry) -> Any:
    try:
        form = None if call.form is None else TreeForm.restored(call.form)
        positional, named = Arguments(form).of(symbols)
        return layer(*positional, training=call.training, **named, **restore(call.options))
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        if isinstance(error, ThalwegError):
            raise
        got = f"{type(error).__name__}: {error}"
        raise bad_entry(f"a call of layer {call.layer!r} does not fit it", "arguments of its call", got) from error


def _layers(given: tuple[Any, ...]) -> dict[str, Layer]:
    made: dict[str, Layer] = {}
    with sharing():
        for number, described in enumerate(given):
            name = described.get("name") if isinstance(described, Mapping) else None
            if not isinstance(name, str) or not name:
                raise bad_entry(f"the layer {number} has no name", "a mapping with 'name', a string", described)
            if name in made:
                raise bad_entry("two layers have one name", "a name for each layer", name)
            try:
                made[name] = layers.from_config({key: value for key, value in described.items() if key != "name"})
            except ThalwegError as error:
                error.layer = error.layer or f"layer {name!r:.60}"
                raise
            made[name].name = name
    return made
