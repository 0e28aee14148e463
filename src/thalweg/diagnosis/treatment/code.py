"""A program as Python code, and what changed in it."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from thalweg import initializers, losses, metrics, optimizers, regularizers
from thalweg.diagnosis.treatment import network as networks
from thalweg.diagnosis.treatment.network import Network, Place
from thalweg.diagnosis.treatment.program import PATIENCE, Program
from thalweg.layers.layer import registry as layers
from thalweg.registry import Registry

WIDTH = 88
"""Letters of a line, after which arguments go on in the next."""

MANY = 6
"""Numbers of a setting that are written out; more are said in words of code."""

REGISTRIES: Mapping[str, Registry[Any]] = {
    "layer": layers,
    "loss": losses.registry,
    "metric": metrics.registry,
    "optimizer": optimizers.registry,
    "schedule": optimizers.schedules.registry,
    "initializer": initializers.registry,
    "regularizer": regularizers.registry,
}


def difference(before: Program, after: Program) -> str:
    """What changed in the program, as ``diff -u`` shows it; "" for nothing."""
    old, new = (code(program).splitlines() for program in (before, after))
    lines = list(difflib.unified_diff(old, new, "before", "after", lineterm="", n=2))
    return "\n".join(lines)


def code(program: Program) -> str:
    """The program, as it might be written."""
    config = program.model["config"]
    described = "calls" in config
    lines = _network(config) if described else [f"model = {program.model['class_name']}(...)"]
    given = {name: value for name, value in program.compile.items() if value is not None}
    arguments = [f"{name}={written(value)}" for name, value in given.items()]
    return "\n".join([*lines, *_spread("model.compile(", arguments, ")"), *_fit(program)])


def _fit(program: Program) -> list[str]:
    """The rows that are kept, and the call of ``fit``."""
    lines, arguments = [], ["x", "y"]
    if program.kept is not None:
        lines.append("kept = treatment.kept  # the places of the rows that are trained on")
        arguments = ["x[kept]", "y[kept]"]
    for name, value in program.fit.items():
        if name in (PATIENCE, "callbacks") or value is None:
            continue
        arguments.append(f"{name}={written(value)}")
    if program.fit.get(PATIENCE):
        stop = f"EarlyStopping(patience={program.fit[PATIENCE]}, restore_best_weights=True)"
        arguments.append(f"callbacks=[{stop}]")
    elif program.fit.get("callbacks"):
        arguments.append("callbacks=callbacks")
    return [*lines, *_spread("model.fit(", arguments, ")")]


def _network(network: Network) -> list[str]:
    places = networks.places(network)
    prepared = [line for place in places for line in _adapted(place)]
    if networks.is_stack(network):
        (entry,) = network["inputs"].values()
        lines = [f"    Input({tuple(entry['shape'])}),", *(f"    {_layer(place)}," for place in places)]
        return [*prepared, "model = Sequential([", *lines, "])"]
    names = {label: label.replace("/", "_") for label in network["inputs"]}
    lines = [f"{names[label]} = Input({tuple(entry['shape'])})" for label, entry in network["inputs"].items()]

    def source(where: Any) -> str:
        return names[where[1]] if where[0] == "input" else f"x{where[1]}"

    for place in places:
        own = [source(where) for where in network["calls"][place.number]["inputs"]]
        lines.append(f"x{place.number} = {_layer(place)}({_listed(own)})")
    outputs = [source(where) for where in network["outputs"].values()]
    return [*prepared, *lines, f"model = Model({_listed(list(names.values()))}, {_listed(outputs)})"]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _adapted(place: Place) -> list[str]:
    """What is to be done with a layer before the model is made."""
    if place.kind == "normalization" and _is_long(place.settings.get("mean")):
        return [f"{place.name} = Normalization()", f"{place.name}.adapt(x)"]
    if place.kind == "fill_missing" and _is_long(place.settings.get("values")):
        return ["medians = np.nanmedian(np.where(np.isfinite(x), x, np.nan), axis=0)"]
    return []


def _is_long(value: Any) -> bool:
    return isinstance(value, Sequence) and len(value) > MANY


def _layer(place: Place) -> str:
    if _adapted(place) and place.kind == "normalization":
        return place.name
    if _adapted(place):
        return "FillMissing(tuple(medians))"
    settings = {name: value for name, value in place.settings.items() if name != "name"}
    return written({"kind": "layer", "class_name": place.kind, "config": settings})


def written(value: Any) -> str:
    """A setting as code."""
    if isinstance(value, Mapping) and "class_name" in value:
        return _made(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {written(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        inner = ", ".join(map(written, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    text = repr(value).replace("'", '"') if isinstance(value, str) else repr(value)
    return text if len(text) <= WIDTH else "..."


def _made(described: Mapping[str, Any]) -> str:
    """A call of the class, with the arguments that are not its defaults."""
    registry = REGISTRIES.get(described.get("kind", ""))
    if registry is None or "config" not in described:
        return f'"{described["class_name"]}"'
    cls = registry.find(described["class_name"])
    known = {f.name: f for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else {}
    arguments = []
    for name, value in described["config"].items():
        field = known.get(name)
        required = field is not None and field.default is field.default_factory is dataclasses.MISSING
        if required:
            arguments.append(written(value))
        elif not _is_default(name, value, field, described["class_name"]):
            arguments.append(f"{name}={written(value)}")
    return f"{cls.__name__}({', '.join(arguments)})"


def _is_default(name: str, value: Any, field: Any, kind: str) -> bool:
    if name == "dtype" and value == "float32":
        return True
    if field is None:
        return value is None
    if value == [] or value is None:
        return True
    if field.default is not dataclasses.MISSING:
        return bool(value == field.default) or (name == "name" and value == kind)
    return field.default_factory is not dataclasses.MISSING and list(value or ()) == list(field.default_factory())


def _spread(front: str, arguments: Sequence[str], end: str) -> list[str]:
    """A call in one line, or an argument a line: so a diff shows the one that changed."""
    line = f"{front}{', '.join(arguments)}{end}"
    if len(line) <= WIDTH:
        return [line]
    return [front, *(f"    {argument}," for argument in arguments), end]
