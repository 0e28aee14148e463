"""Nested lists, tuples and dicts of arrays, taken apart and put together: the arguments of users' functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


def parts_at(structure: TreeForm, tree: Tree, partial: bool = False) -> list[Any] | None:
    """What a tree has in the places of another one's leaves, containers too; None if it is not nested as that is.

    Arguments:
        partial: whether keys of mappings may be missing; None stands for each leaf below them.

    Example:
        >>> parts_at(flatten({"a": 1, "b": [2]})[1], {"a": ["mse", "mae"]}, partial=True)
        [['mse', 'mae'], None]
    """
    if structure.kind is None:
        return [tree]
    if structure.kind is dict:
        keys = structure.keys
        fits = isinstance(tree, Mapping) and set(keys).issuperset(tree) and (partial or len(tree) == len(keys))
        inner = [tree.get(key) for key in keys] if fits else None
    else:
        fits = isinstance(tree, list | tuple) and len(tree) == len(structure.parts)
        inner = list(tree) if fits else None
    if inner is None:
        return [None] * leaf_count(structure) if partial and tree is None else None
    found = [parts_at(part, value, partial) for part, value in zip(structure.parts, inner, strict=True)]
    return None if None in found else [leaf for part in found if part is not None for leaf in part]


def leaf_count(structure: TreeForm) -> int:
    """How many leaves there are."""
    return 1 if structure.kind is None else sum(map(leaf_count, structure.parts))


def is_nested(tree: Tree) -> bool:
    """Whether there are containers in a container."""
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ()
    return any(isinstance(part, dict | list | tuple) for part in parts)


def keys_to_leaves(structure: TreeForm, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The keys and numbers on the way to each leaf."""
    if structure.kind is None:
        yield way
    for number, part in enumerate(structure.parts):
        yield from keys_to_leaves(part, (*way, structure.keys[number] if structure.keys else number))


def paths(structure: TreeForm, prefix: str) -> Iterator[str]:
    """What messages call each leaf: ``argument 0['w'][1]``."""
    if structure.kind is None:
        yield prefix
    for number, part in enumerate(structure.parts):
        key = repr(structure.keys[number]) if structure.keys else number
        yield from paths(part, f"{prefix}[{key}]")
