"""Nested lists, tuples and dicts of arrays, taken apart and put together: the arguments of users' functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

Tree = Any
"""A leaf (array, number, node), or a list, tuple, named tuple or dict of trees; None is a tree without leaves."""


class TreeForm(NamedTuple):
    """A tree without its leaves: of each container its type and keys. A tuple, because each call looks one up."""

    kind: type | None = None  # None for a leaf
    keys: tuple[Any, ...] = ()
    parts: tuple[TreeForm, ...] = ()

    def described(self) -> Any:
        """In JSON types, for files; named tuples become tuples."""
        if self.kind is None:
            return LEAF_NAME
        if self.kind is type(None):
            return None
        parts = [part.described() for part in self.parts]
        if self.kind is dict:
            return {"dict": parts, "keys": list(self.keys)}
        return {"list" if issubclass(self.kind, list) else "tuple": parts}

    @classmethod
    def restored(cls, described: Any) -> TreeForm:
        """The inverse. Raises KeyError, TypeError or ValueError if the description is bad."""
        if described == LEAF_NAME:
            return LEAF
        if described is None:
            return cls(type(None))
        (kind,) = described.keys() - {"keys"}
        parts = tuple(cls.restored(part) for part in described[kind])
        return cls({"dict": dict, "list": list, "tuple": tuple}[kind], tuple(described.get("keys", ())), parts)


LEAF_NAME = "leaf"


LEAF = TreeForm()


def flatten(tree: Tree) -> tuple[list[Any], TreeForm]:
    """The leaves, dicts in the order of their keys as text, and what they are the leaves of.

    Example:
        >>> flatten({"w": [1, 2], "b": 3})[0]
        [3, 1, 2]
    """
    leaves: list[Any] = []
    return leaves, _structure(tree, leaves)


def _structure(tree: Tree, leaves: list[Any]) -> TreeForm:
    if tree is None:
        return TreeForm(type(None))
    if isinstance(tree, dict):
        keys = tuple(sorted(tree, key=str))
        return TreeForm(dict, keys, tuple(_structure(tree[key], leaves) for key in keys))
    if isinstance(tree, list | tuple):
        return TreeForm(type(tree), (), tuple(_structure(part, leaves) for part in tree))
    leaves.append(tree)
    return LEAF


def unflatten(structure: TreeForm, leaves: Iterator[Any]) -> Tree:
    """The tree of this structure, its leaves taken from the iterator."""
    if structure.kind is None:
        return next(leaves)
    if structure.kind is type(None):
        return None
    parts = [unflatten(part, leaves) for part in structure.parts]
    if structure.kind is dict:
        return dict(zip(structure.keys, parts, strict=True))
    return structure.kind(*parts) if hasattr(structure.kind, "_fields") else structure.kind(parts)


def paths(structure: TreeForm, prefix: str) -> Iterator[str]:
    """What messages call each leaf: ``argument 0['w'][1]``."""
    if structure.kind is None:
        yield prefix
    for number, part in enumerate(structure.parts):
        key = repr(structure.keys[number]) if structure.keys else number
        yield from paths(part, f"{prefix}[{key}]")
