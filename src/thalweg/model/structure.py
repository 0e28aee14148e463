"""How the layers of a model are connected: a value that is made once and never changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from typing import Any

from thalweg import ops
from thalweg.errors import ArgumentError, GraphError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import Shape, TensorType
from thalweg.layers.layer import Layer, name_layers
from thalweg.layers.signature import SOME_BATCH
from thalweg.layers.symbols import Call, Symbol
from thalweg.layers.tracing import Parameter, add_parameters, tracing
from thalweg.training.inference import only
from thalweg.trees import TreeForm, flatten, is_nested, keys_to_leaves, parts_at, unflatten

Parts = Symbol | Sequence[Any] | Mapping[str, Any]
"""One, or lists and mappings of several, which may be nested."""


@dataclass(frozen=True, eq=False)
class Structure:
    """Layers, and their uses between inputs and outputs.

    Attributes:
        layers: in Keras's order, which is that of the weights; while the input is not known all that there are so far.
        members: of a functional model the same with its inputs among them, as Keras lists them.
        inputs: by their labels in the graph: "x", or "x/<name>" if there are several.
        outputs: by their names; the only output of a model is called "".
        calls: the uses of the layers, each after those that it needs; none while the input is not known.
        named_outputs: whether results go by the outputs' names, because the outputs were given so.
        without_call: whether there are no outputs, because the model says only what its steps do.
        inputs_form, outputs_form: how they are nested, if lists or mappings of them are in others.
    """

    layers: tuple[Layer, ...] = ()
    inputs: Mapping[str, Symbol] = field(default_factory=dict)
    outputs: Mapping[str, Symbol] = field(default_factory=dict)
    calls: tuple[Call, ...] = ()
    named_outputs: bool = False
    members: tuple[Layer | Symbol, ...] = ()
    without_call: bool = False
    inputs_form: TreeForm | None = None
    outputs_form: TreeForm | None = None

    @property
    def built(self) -> bool:
        """Whether the types of the inputs are known, and with them all parameters."""
        return bool(self.calls) or self.without_call

    @cached_property
    def is_open(self) -> bool:
        """Whether an input has an axis whose size comes with the data."""
        return any(symbol.is_open for symbol in self.inputs.values())

    @cached_property
    def is_one_to_one(self) -> bool:
        """Whether there are one input and one output, and users get the output as it is."""
        bare = not self.named_outputs and self.outputs_form is None
        return bare and len(self.inputs) == len(self.outputs) == 1

    @cached_property
    def with_gaps(self) -> frozenset[str]:
        """The labels of inputs in which numbers may be missing: all layers that get them know what to do at NaN."""
        users: dict[Symbol, list[bool]] = {}
        for call in self.calls:
            for place, symbol in enumerate(call.inputs):
                users.setdefault(symbol, []).append(call.layer.takes_missing(place))
        given = set(self.outputs.values())
        return frozenset(
            label for label, symbol in self.inputs.items() if symbol not in given and all(users.get(symbol, [False]))
        )

    def input_types(self, shapes: Mapping[str, Shape] | None = None) -> dict[str, TensorType]:
        """By label, for some batch size.

        Arguments:
            shapes: of samples, by label; without them an open axis has a size that is tried.
        """
        if shapes is None:
            return {label: symbol.type() for label, symbol in self.inputs.items()}
        return {label: TensorType((SOME_BATCH, *shapes[label]), symbol.dtype) for label, symbol in self.inputs.items()}

    def output_types(self, shapes: Mapping[str, Shape] | None = None) -> dict[str, TensorType]:
        """By name, for some batch size; arguments as for ``input_types``. Raises ShapeError if they do not fit."""
        if shapes is None or not self.is_open:
            return {name: symbol.type() for name, symbol in self.outputs.items()}
        with tracing(self.parameters()):
            types = self.input_types(shapes)
            results = self.call([ops.input_node(label, t.shape, t.dtype) for label, t in types.items()], False)
        return {name: node.type for name, node in zip(self.outputs, results, strict=True)}

    def inputs_apart(self, x: Any) -> Any:
        """Of inputs that are nested as the model's, a list of them in order; others as they are."""
        found = None if self.inputs_form is None else parts_at(self.inputs_form, x)
        return x if found is None else only(found)

    def outputs_apart(self, value: Any, partial: bool = False) -> Any:
        """Of what is nested as the outputs, a mapping by their names; anything else as it is.

        Arguments:
            partial: whether some may be missing, or None; they are left out.
        """
        found = None if self.outputs_form is None or value is None else parts_at(self.outputs_form, value, partial)
        if found is None:
            return value
        named = {name: part for name, part in zip(self.outputs, found, strict=True) if part is not None or not partial}
        return named.get("") if self.outputs.keys() == {""} else named

    def makers_of_outputs(self) -> dict[str, str]:
        """The label of the layer, or input, that each output comes from, by the output's name; the names themselves
        where one layer makes several.
        """
        makers = {name: x.call.layer.label if x.call else x.entry.label for name, x in self.outputs.items()}
        return makers if len(set(makers.values())) == len(makers) else {name: name for name in makers}

    def shown(self, named: Mapping[str, Any]) -> Any:
        """Outputs by name as users get them: nested, or a mapping, if they were given so, else one, or a list."""
        if self.outputs_form is not None:
            return unflatten(self.outputs_form, iter(named.values()))
        return dict(named) if self.named_outputs else only(list(named.values()))

    def layers_by_path(self) -> dict[str, Layer]:
        """All layers and those inside them, ``"encoder/dense"``; each after the one that it is in."""
        return _by_path(self.layers, "")

    def parameters(self) -> dict[str, Parameter]:
        """Path, as ``"dense_1/kernel"``, -> parameter; of one that is reached by several ways the first path."""
        parameters: dict[str, Parameter] = {}
        for layer in self.layers:
            add_parameters(parameters, layer.named_parameters(f"{layer.label}/"))
        for path, parameter in parameters.items():
            parameter.path = path
        return parameters

    def trainable_paths(self) -> list[str]:
        """The paths of the parameters that the layers say are trained, by one way at least."""
        trained = {p for layer in self.layers for p in layer.named_parameters(trainable_only=True).values()}
        return [path for path, parameter in self.parameters().items() if parameter in trained]

    def call(self, inputs: Sequence[Node], training: bool) -> tuple[Node, ...]:
        """The outputs in their order, made by calling the layers on a node for each input."""
        known = dict(zip(self.inputs.values(), inputs, strict=True))
        values: dict[tuple[Call | None, int], Node] = {}

        def value(symbol: Symbol) -> Node:
            return known[symbol] if symbol in known else values[symbol.call, symbol.index]

        for call in self.calls:
            told = training if call.training is None else call.training
            results = call.layer.on_nodes(tuple(map(value, call.inputs)), told, call.arguments)
            for index, node in enumerate(flatten(results)[0]):
                values[call, index] = node
        return tuple(value(symbol) for symbol in self.outputs.values())

    def results_of(self, call: Call) -> list[Symbol]:
        """The symbols that a call gave, as far as they are used."""
        used = [symbol for other in self.calls for symbol in other.inputs] + list(self.outputs.values())
        return list({symbol.index: symbol for symbol in used if symbol.call is call}.values())


def between(inputs: Parts, outputs: Parts) -> Structure:
    """The structure from these inputs to these outputs; names the layers.

    Raises: ArgumentError for what are no symbols, GraphError if an output does not come from the inputs.
    """
    entries = labelled(inputs, "inputs")
    name_layers(call.layer for call in _calls(entries.values(), labelled(outputs, "outputs").values()))
    forms = [flatten(parts)[1] if is_nested(parts) else None for parts in (inputs, outputs)]
    return connected(entries, labelled(outputs, "outputs"), isinstance(outputs, Mapping), *forms)  # named after layers


def connected(
    inputs: Mapping[str, Symbol],
    outputs: Mapping[str, Symbol],
    named_outputs: bool = False,
    inputs_form: TreeForm | None = None,
    outputs_form: TreeForm | None = None,
) -> Structure:
    """The structure between symbols by label and by name. Raises as ``between``."""
    calls = tuple(_calls(inputs.values(), outputs.values()))
    members = _in_keras_order(list(inputs.values()), list(outputs.values()), calls)
    layers = tuple(member for member in members if isinstance(member, Layer))
    return Structure(
        layers,
        inputs,
        outputs,
        calls,
        named_outputs,
        members,
        inputs_form=inputs_form,
        outputs_form=outputs_form,
    )


def _in_keras_order(
    inputs: Sequence[Symbol], outputs: Sequence[Symbol], calls: Sequence[Call]
) -> tuple[Layer | Symbol, ...]:
    """Inputs and layers, farthest from the outputs first; of those equally far the one that is met first on the way
    back from the outputs. So Keras numbers them, and their weights.

    Arguments:
        calls: each after those that it needs.
    """
    given = set(inputs)
    far: dict[Layer | Symbol, int] = {}
    depths: dict[Call | Symbol | None, int] = {}
    for call in reversed(calls):
        far[call.layer] = max(depths.get(call, 0), far.get(call.layer, 0))
        for x in call.inputs:
            maker = x if x in given else x.call
            depths[maker] = max(depths.get(maker, 0), far[call.layer] + 1)
    far |= {x: depths.get(x, 0) for x in inputs if x.call is None}
    met: dict[Layer | Symbol, None] = {}
    seen: set[Call | None] = set()
    stack = list(reversed(outputs))
    while stack:
        symbol = stack.pop()
        if symbol in given:
            met[symbol] = None
        elif symbol.call is not None and symbol.call not in seen:
            seen.add(symbol.call)
            met[symbol.call.layer] = None
            stack.extend(reversed(symbol.call.inputs))
    places = {member: place for place, member in enumerate(met)}
    return tuple(sorted(far, key=lambda member: (-far[member], places.get(member, -1))))


def stacked(entry: Symbol | None, layers: Sequence[Layer]) -> Structure:
    """Layers one after the other, named; without an entry not built."""
    name_layers(layers)
    if entry is None or not layers:
        return Structure(tuple(layers))
    symbol = entry
    for layer in layers:
        symbol = layer(symbol)
    return connected({"x": entry}, {"": symbol})


def labelled(given: Any, what: str) -> dict[str, Symbol]:
    """Symbols by label: "x" or "x/<name>" for inputs, "" or the name for outputs. Raises ArgumentError for others."""
    if isinstance(given, Symbol):
        return {"x" if what == "inputs" else "": given}
    if is_nested(given):
        return _labelled_nested(given, what)
    named = dict(given) if isinstance(given, Mapping) else None
    symbols = list(named.values()) if named is not None else list(given) if isinstance(given, Sequence) else []
    _require_symbols(symbols, given, what)
    if len(symbols) == 1 and named is None:
        return labelled(symbols[0], what)
    names = list(named) if named is not None else _names(symbols, what)
    return {f"x/{name}" if what == "inputs" else name: s for name, s in zip(names, symbols, strict=True)}


def _labelled_nested(given: Any, what: str) -> dict[str, Symbol]:
    """Labels of symbols in lists and mappings inside others; outputs by their places, ``"more/dense"``, as in Keras's
    logs: the keys on the way, and of the last one, if that is a number, the layer's name instead.
    """
    symbols, form = flatten(given)
    _require_symbols(symbols, given, what)
    names = _names(symbols, what)
    if what == "inputs":
        return {"x" if len(symbols) == 1 else f"x/{name}": symbol for name, symbol in zip(names, symbols, strict=True)}
    if len(symbols) == 1:
        return {"": symbols[0]}
    ways = zip(keys_to_leaves(form), names, strict=True)
    places = ["/".join(map(str, (*way[:-1], name if isinstance(way[-1], int) else way[-1]))) for way, name in ways]
    return dict(zip(places if len(set(places)) == len(places) else names, symbols, strict=True))


def _require_symbols(symbols: Sequence[Any], given: Any, what: str) -> None:
    """Raises ArgumentError for what are none, or for none at all."""
    if not symbols or not all(isinstance(symbol, Symbol) for symbol in symbols):
        raise ArgumentError(
            f"Model: argument {what!r} does not fit its rule",
            expected="what Input(...) or a layer called on it gave, or lists and mappings of these",
            got=f"{given!r:.80} ({type(given).__name__})",
            fix="call layers on Input(shape=...) and pass the results",
        )


def _names(symbols: Sequence[Symbol], what: str) -> list[str]:
    """The symbols' own names, those of the layers that made them, or numbers."""
    names: list[str] = []
    for number, symbol in enumerate(symbols):
        base = symbol.name or (symbol.call.layer.label if symbol.call else f"{what[:-1]}_{number}")
        names.append(base if base not in names else f"{base}_{number}")
    return names


def _calls(inputs: Iterable[Symbol], outputs: Iterable[Symbol]) -> list[Call]:
    """The layer calls between inputs and outputs, each after those that it needs."""
    given = set(inputs)
    order: dict[Call, None] = {}
    stack = [(symbol, False) for symbol in reversed(list(outputs))]
    while stack:
        symbol, ready = stack.pop()
        if symbol in given or symbol.call in order:
            continue
        if symbol.call is None:
            raise GraphError(
                "an output needs an Input that is none of the model's",
                expected="outputs that come from the inputs alone",
                got=f"Input of shape {symbol.shape}" + (f" called {symbol.name!r}" if symbol.name else ""),
                fix="add it to inputs=",
            )
        if ready:
            order[symbol.call] = None
        else:
            stack.append((symbol, True))
            stack.extend((x, False) for x in reversed(symbol.call.inputs))
    return list(order)


def _by_path(layers: Sequence[Layer], prefix: str) -> dict[str, Layer]:
    by_path: dict[str, Layer] = {}
    for layer in layers:
        path = f"{prefix}{layer.label}"
        by_path |= {path: layer} | _by_path(layer.sublayers(), f"{path}/")
    return by_path
