"""What XLA has made of a step: the instructions of its text, and the operations of the graph that each does."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from thalweg.executors.work import Work, contraction_words, flops, sizes_words
from thalweg.fields import dataclass
from thalweg.graph.node import Kind, Node

SPELLED_OUT = 3
"""So many operations of an instruction are named; the others are counted."""

PRODUCTS = ("dot", "convolution", "custom-call")
"""By what XLA computes contractions; the last are calls of libraries, as cuBLAS."""

BETWEEN_DEVICES = ("all-", "reduce-scatter", "collective-")
"""How the instructions begin by which devices tell each other of their parts."""

ENCLOSING = ("while", "conditional")
"""What consists of other instructions, which have times of their own."""

MOVING = ("parameter", "constant", "tuple", "get-tuple-element", "bitcast")
"""What computes nothing and takes no time."""

_INSTRUCTION = re.compile(
    r"^\s+(?:ROOT )?%(?P<name>\S+) = (?P<shape>.+?) (?P<opcode>[a-z][\w\-]*)\((?P<operands>.*?)\)(?P<rest>.*)$"
)
_COMPUTATION = re.compile(r"^(?:ENTRY )?%(?P<name>\S+) \(.*\{$")
_SHAPE = re.compile(r"([a-z]+)(\d*)\w*\[([\d,]*)\]")
_NUMBER = re.compile(r"\[(\d+)\]/")


def scope(number: int, layer: str) -> str:
    """What an operation's instructions are marked by: its number in the graph, after the layer's name."""
    return f"{layer or 'step'}[{number}]"


@dataclass(frozen=True)
class Instruction:
    """A line of XLA's text.

    Attributes:
        numbers: of the graph's operations that it is a part of, those inside of a fusion included.
        opcodes: its own, or those inside of it.
    """

    name: str
    opcodes: tuple[str, ...]
    sizes: tuple[int, ...]
    numbers: tuple[int, ...]
    read_bytes: int
    written_bytes: int

    @property
    def is_enclosing(self) -> bool:
        """Whether its time is that of others."""
        return self.opcodes[0] in ENCLOSING


def instructions(text: str) -> dict[str, Instruction]:
    """name -> instruction, of a program of XLA that was compiled: those that run by themselves, in its order."""
    lines = list(_lines(text))
    nbytes = {line["name"]: _nbytes(line["shape"]) for line, _ in lines}
    inside: dict[str, list[Mapping[str, str]]] = {}
    for line, computation in lines:
        inside.setdefault(computation, []).append(line)
    parts_of = {line["name"]: inside.get(_called(line), ()) for line, _ in lines}
    hidden = {id(part) for parts in parts_of.values() for part in parts}
    found = {}
    for line, _ in lines:
        if id(line) in hidden or line["opcode"] in MOVING:
            continue
        parts = [line, *parts_of[line["name"]]]
        numbers = dict.fromkeys(number for part in parts for number in _number(part["rest"]))
        inner = parts[1:] if line["opcode"] == "fusion" else ()
        opcodes = [part["opcode"] for part in inner if part["opcode"] not in MOVING]
        shape = _SHAPE.search(line["shape"])
        found[line["name"]] = Instruction(
            line["name"],
            tuple(dict.fromkeys(opcodes)) or (line["opcode"],),
            tuple(int(n) for n in shape[3].split(",") if n) if shape else (),
            tuple(numbers),
            sum(nbytes.get(name, 0) for name in set(re.findall(r"%([\w.\-]+)", line["operands"]))),
            nbytes[line["name"]],
        )
    return found


def _lines(text: str) -> Iterable[tuple[Mapping[str, str], str]]:
    """Each instruction, with the computation that it stands in."""
    computation = ""
    for line in text.splitlines():
        if (head := _COMPUTATION.match(line)) is not None:
            computation = head["name"]
        elif (found := _INSTRUCTION.match(line)) is not None:
            yield found.groupdict(), computation


def _called(line: Mapping[str, str]) -> str:
    """The computation that is the inside of an instruction, as of a fusion or a sum; "" if there is none."""
    called = re.search(r"(?:calls|to_apply)=%([\w.\-]+)", line["rest"])
    return called[1] if called is not None and line["opcode"] != "call" else ""


def _number(rest: str) -> list[int]:
    """That of the operation which an instruction is marked by."""
    path = re.search(r'op_name="([^"]*)"', rest)
    return [int(number) for number in _NUMBER.findall(path[1])[-1:]] if path else []


def _nbytes(shape: str) -> int:
    """Of an array, or of all in a tuple."""
    return sum(
        math.prod(int(n) for n in sizes.split(",") if n) * max(int(bits or 8) // 8, 1)
        for _, bits, sizes in _SHAPE.findall(shape)
    )


def works(found: Iterable[Instruction], nodes: Sequence[Node]) -> dict[str, Work]:
    """instruction -> what it does, in terms of the graph.

    An operation that takes several instructions is counted where its products are summed, else where it first appears.
    """
    instructions = [one for one in found if not one.is_enclosing]
    owners: dict[int, str] = {}
    for one in sorted(instructions, key=lambda one: (_is_between_devices(one), not _has_products(one))):
        for number in one.numbers:
            owners.setdefault(number, one.name)
    return {
        one.name: _work(one, place, nodes, [n for n in one.numbers if owners[n] == one.name])
        for place, one in enumerate(instructions)
    }


def _has_products(one: Instruction) -> bool:
    return any(opcode in PRODUCTS for opcode in one.opcodes)


def _is_between_devices(one: Instruction) -> bool:
    return one.opcodes[0].startswith(BETWEEN_DEVICES)


def _work(one: Instruction, place: int, nodes: Sequence[Node], own: Sequence[int]) -> Work:
    done = [nodes[number] for number in one.numbers]
    contraction = next((node for node in done if node.op.kind is Kind.CONTRACTION and _has_products(one)), None)
    names = list(dict.fromkeys(node.op.name for node in done if node is not contraction) if done else one.opcodes)
    if _is_between_devices(one):
        first, names, done = f"{one.opcodes[0]} between devices", [], []
    elif contraction is not None:
        first = contraction_words(contraction)
    else:
        first = f"{sizes_words(one.sizes)} {names.pop(0)}"
    rest = names if len(names) <= SPELLED_OUT else [*names[: SPELLED_OUT - 1], f"{len(names) - SPELLED_OUT + 1} more"]
    layers = [node.layer for node in done]
    return Work(
        computes=", ".join([first, *rest]),
        layer=contraction.layer
        if contraction is not None
        else max(dict.fromkeys(layers), key=layers.count, default=""),
        stage=place,
        flops=sum(flops(nodes[number]) for number in own),
        read_bytes=one.read_bytes,
        written_bytes=one.written_bytes,
        dtype=done[0].dtype if done else "float32",
    )
