"""Graphs as text that a person can read and that reads back as the same graph.

One node a line, ``%3: float32[2,4] = contraction(%0, %1) {x=(0, 1), y=(1, 2), out=(0, 2)} @dense``; then the results,
``output loss = %9`` and ``update kernel = %12``. Names that could be taken for something else stand in quotes, as in
Python. The text depends on the graph alone: nodes are numbered as ``topological`` finds them.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import fields
from functools import cache
from typing import Any

from thalweg.errors import GraphError
from thalweg.graph.node import OPS, Graph, Node
from thalweg.graph.types import TensorType

_PLAIN = re.compile(r"[\w./-][\w./ -]*")
_NAME = rf"{_PLAIN.pattern}|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_LINE = re.compile(rf"%(\d+): (\w+)\[([\d,]*)\] = (\w+)\(([%\d, ]*)\)(?: \{{(.*)\}})?(?: @({_NAME}))?")
_RESULT = re.compile(rf"(output|update) ({_NAME}) = %(\d+)")


def to_text(graph: Graph, *, layers: bool = True) -> str:
    """The graph as text; ``layers=False`` leaves out which layer made a node."""
    if layers:
        if "text" not in graph.found:
            graph.found["text"] = _written(graph, layers=True)
        return str(graph.found["text"])
    return _written(graph, layers=False)


def _written(graph: Graph, *, layers: bool) -> str:
    numbers: dict[Node, int] = {}
    written: dict[TensorType | str, str] = {"": ""}  # most come again and again
    lines = []
    for number, node in enumerate(graph.nodes()):
        numbers[node] = number
        op, kind, layer = node.op, node.type, node.layer if layers else ""
        if kind not in written:
            written[kind] = str(kind)
        if layer not in written:
            written[layer] = f" @{_quoted(layer)}"
        inputs = ", ".join([f"%{numbers[x]}" for x in node.inputs])
        lines.append(f"%{number}: {written[kind]} = {op.name}({inputs}){_told(op)}{written[layer]}")
    lines += [f"output {_quoted(name)} = %{numbers[node]}" for name, node in graph.outputs.items()]
    lines += [f"update {_quoted(name)} = %{numbers[node]}" for name, node in graph.updates.items()]
    return "\n".join(lines) + "\n"


def _told(op: Any) -> str:
    """The attributes of an operation, which is a dataclass; without those that are None unless given."""
    kind: Any = type(op)
    told = [
        f"{name}={_literal(value)}"
        for name, default in _attributes_of(kind)
        if (value := getattr(op, name)) is not None or default is not None
    ]
    return f" {{{', '.join(told)}}}" if told else ""


@cache
def _attributes_of(kind: Any) -> list[tuple[str, Any]]:
    """Names and defaults."""
    return [(f.name, f.default) for f in fields(kind)]


def from_text(text: str) -> Graph:
    """The graph that was printed. Raises GraphError naming the line that cannot be read."""
    nodes: list[Node] = []
    results: dict[str, dict[str, Node]] = {"output": {}, "update": {}}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if found := _LINE.fullmatch(line):
                nodes.append(_node(found, nodes))
            elif found := _RESULT.fullmatch(line):
                results[found[1]][_unquoted(found[2])] = nodes[int(found[3])]
            elif line.strip():
                raise ValueError("neither a node nor a result")
        except (ValueError, IndexError, KeyError, TypeError, SyntaxError, AssertionError) as error:
            raise GraphError(
                f"line {number} of a printed graph cannot be read ({error})",
                expected="%n: dtype[sizes] = operation(%inputs) {attributes} @layer, or: output|update name = %n",
                got=line,
                fix="print graphs with to_text",
            ) from error
    return Graph(results["output"], results["update"])


def _node(found: re.Match[str], nodes: list[Node]) -> Node:
    number, dtype, sizes, name, inputs, attributes, layer = found.groups()
    if int(number) != len(nodes):
        raise ValueError(f"expected %{len(nodes)}")
    kind = TensorType(tuple(int(n) for n in sizes.split(",") if n), dtype)
    op = OPS[name](**_attributes(attributes or ""))
    return Node(op, tuple(nodes[int(x.strip(" %"))] for x in inputs.split(",") if x), kind, _unquoted(layer or ""))


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else repr(name)


def _unquoted(name: str) -> str:
    return str(ast.literal_eval(name)) if name[:1] in ("'", '"') else name


def _attributes(text: str) -> dict[str, object]:
    call = ast.parse(f"f({text})", mode="eval").body
    assert isinstance(call, ast.Call), "a call by construction"
    return {str(k.arg): _value(k.value) for k in call.keywords}


def _value(tree: ast.expr) -> object:
    """A literal, or ``inf`` or ``nan`` with a sign, which Python has no literals for."""
    sign, name = (-1, tree.operand) if isinstance(tree, ast.UnaryOp) else (1, tree)
    return sign * float(name.id) if isinstance(name, ast.Name) else ast.literal_eval(tree)


def _literal(value: object) -> str:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else repr(value)
