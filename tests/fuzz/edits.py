"""Damage to bytes, written as text: ``set 12 255; cut 300; drop 5 10``. What comes of it is the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

BYTES = (0, 1, 0x7F, 0x80, 0xFF, 0x20, 0x22, 0x2D, 0x39)


def make(random: Random, size: int) -> str:
    """One to four changes of a file of so many bytes; half of them where headers are."""

    def place() -> int:
        near = random.random() < 0.5
        return random.randrange(min(size, 160) if near else max(size, 1)) if size else 0

    def one() -> str:
        match random.choice(("set", "set", "set", "flip", "cut", "drop", "twice", "add", "number")):
            case "set":
                return f"set {place()} {random.choice((*BYTES, random.randrange(256)))}"
            case "flip":
                return f"flip {place()} {random.randrange(8)}"
            case "cut":
                return f"cut {place()}"
            case "drop":
                return f"drop {place()} {random.choice((1, 2, 4, 8, 64))}"
            case "twice":
                return f"twice {place()} {random.choice((1, 4, 16, 256))}"
            case "add":
                return f"add {place()} {random.randbytes(random.choice((1, 4, 8))).hex()}"
            case _:
                value = random.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, random.getrandbits(32)))
                return f"add {place()} {value.to_bytes(4, random.choice(('big', 'little'))).hex()}"

    return "; ".join(one() for _ in range(random.choice((1, 1, 1, 2, 4))))


def applied(content: bytes, text: str) -> bytes:
    """The bytes after these changes."""
    changed = bytearray(content)
    for change in filter(None, text.split("; ")):
        word, at, *rest = change.split()
        place = int(at)
        if word == "set" and place < len(changed):
            changed[place] = int(rest[0])
        elif word == "flip" and place < len(changed):
            changed[place] ^= 1 << int(rest[0])
        elif word == "cut":
            del changed[place:]
        elif word == "drop":
            del changed[place : place + int(rest[0])]
        elif word == "twice":
            changed[place:place] = changed[place : place + int(rest[0])]
        elif word == "add":
            changed[place:place] = bytes.fromhex(rest[0])
    return bytes(changed)


def smaller(text: str) -> Iterator[str]:
    """With a change less."""
    parts = text.split("; ")
    if len(parts) > 1:
        yield from ("; ".join(parts[:at] + parts[at + 1 :]) for at in range(len(parts)))
