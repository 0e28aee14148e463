"""How a layer wants its inputs, read off the parameters of its ``call`` and ``build``.

``call(self, inputs)`` gets what the layer is called on: a tensor, a list, a mapping, as in Keras. ``call(self, x, y)``
and ``call(self, *inputs)`` get the tensors of a list one by one. A parameter annotated ``Node`` is one tensor, and a
list of one tensor is that.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from functools import lru_cache, wraps
from typing import Any

from thalweg.errors import ArgumentError, GraphError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import OpenSize, Shape, TensorType
from thalweg.trees import LEAF, TreeForm, flatten, unflatten

SymbolicShape = tuple[int | None, ...]
"""With the batch axis first, None where a size is open: ``(None, 784)``."""

SOME_BATCH = 32
"""The batch size of types of which only the other axes matter."""

OPEN = 960
"""The size of an open axis that shapes are worked out for: divided by 2 six times, and by 3 and 5, without a rest."""

AS_TOLD = ("training", "mask")
"""Parameters of ``call`` that are no inputs."""


@dataclass(frozen=True)
class Arguments:
    """What a layer is called with besides the tensors themselves.

    Attributes:
        form: of ``(positional, by name)``, whose leaves are the tensors; None for tensors one after the other.
        options: arguments by name that have no tensors in them.
    """

    form: TreeForm | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def of(self, leaves: Iterable[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """These in place of the tensors: the positional arguments, and those by name."""
        if self.form is None:
            return tuple(leaves), {}
        positional, named = unflatten(self.form, iter(leaves))
        return positional, named


PLAIN = Arguments()


@dataclass(frozen=True)
class Signature:
    """The parameters of ``call``.

    Attributes:
        names: of the inputs.
        places: of all that may be given by place.
        apart: whether the tensors of a list come one by one.
        single: whether the input is one tensor.
        training: whether it asks for ``training``.
        listed: whether it takes any number of tensors, which then are one argument.
        mask: whether it asks for ``mask``, that of the first input.
        masks: the inputs whose masks it asks for by name: of ``value`` as ``value_mask``.
    """

    names: tuple[str, ...]
    places: tuple[str, ...]
    apart: bool
    single: bool
    training: bool
    listed: bool = False
    mask: bool = False
    masks: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def signature_of(cls: Any) -> Signature:
    """Of the ``call`` of a class of layers or models."""
    parameters = list(inspect.signature(cls.call).parameters.values())[1:]
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    known = {p.name for p in parameters}
    own_masks = {name for name in known if name.endswith("_mask") and name.removesuffix("_mask") in known}
    by_place = [p for p in parameters if p.kind in places]
    inputs = [p for p in by_place if p.name not in (*AS_TOLD, *own_masks)]
    any_number = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return Signature(
        names=tuple(p.name for p in inputs),
        places=tuple(p.name for p in by_place),
        apart=any_number or len([p for p in inputs if p.default is p.empty]) > 1,
        single=len(inputs) == 1 and inputs[0].annotation in (Node, "Node"),
        training=any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters),
        listed=any_number,
        mask="mask" in known,
        masks=tuple(name.removesuffix("_mask") for name in sorted(own_masks)),
    )


def arranged(layer: Any, given: tuple[Any, ...], named: Mapping[str, Any], kinds: Any) -> tuple[list[Any], Arguments]:
    """The tensors among the arguments of a call, and how they stand there.

    Arguments:
        kinds: the classes of tensors.

    Raises: ArgumentError for several tensors where the layer takes one.
    """
    cls: Any = type(layer)
    wanted = signature_of(cls)
    named = dict(named)
    if not given and wanted.names and wanted.names[0] in named:
        given = (named.pop(wanted.names[0]),)
    if len(given) == 1 and isinstance(given[0], list | tuple) and (wanted.apart or wanted.single):
        given = tuple(given[0])
    options = {name: value for name, value in named.items() if not _holds(value, kinds)}
    for place, value in enumerate(given):
        if place and place < len(wanted.places) and not _holds(value, kinds):
            options[wanted.places[place]] = value
            given = (*given[:place], None, *given[place + 1 :])
    while given and given[-1] is None:
        given = given[:-1]
    if wanted.single and (len(given) > 1 or any(isinstance(part, list | tuple | dict) for part in given)):
        raise ArgumentError(
            "a layer of one input is called on several",
            expected="one tensor",
            got=f"a {type(given[0]).__name__}" if len(given) == 1 else f"{len(given)} parts",
            fix="join them first, with Concatenate() or Add(), or call the layer on each",
            layer=str(layer),
        )
    tensors, form = flatten((given, {name: value for name, value in named.items() if name not in options}))
    plain = form.parts[0].parts == (LEAF,) * len(given) and not form.parts[1].keys
    return tensors, PLAIN if plain and not options else Arguments(None if plain else form, options)


def _holds(value: Any, kinds: Any) -> bool:
    return any(isinstance(leaf, kinds) for leaf in flatten(value)[0])


class InputShape(tuple[int | None, ...]):
    """The shape of an input as Keras hands it to ``build``: a tuple with None for the batch and for open axes.

    It knows the rest of the input's type as well: ``dtype``, ``rank`` ...
    """

    type: TensorType

    def __new__(cls, type: TensorType) -> InputShape:
        shape = super().__new__(cls, (None, *symbolic(type.shape[1:])))
        shape.type = type
        return shape

    @property
    def shape(self) -> SymbolicShape:
        """Itself."""
        return self

    def as_list(self) -> list[int | None]:
        """A list of the sizes."""
        return list(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.type, name)


def symbolic(shape: Shape) -> SymbolicShape:
    """The shape with None in place of the sizes that are open."""
    return tuple(None if isinstance(n, OpenSize) else n for n in shape)


def as_types(tree: Any, dtype: str) -> Any:
    """Types in place of the shapes that a user wrote, nested as they are; what is a type already stays."""
    if isinstance(tree, InputShape):
        return tree.type
    if isinstance(tree, tuple | list) and all(n is None or isinstance(n, int) for n in tree):
        if any(isinstance(n, bool) or (n is not None and n < 0) for n in tree):
            raise _no_shape(tree)
        sizes = (n if n is not None else OpenSize(OPEN if axis else SOME_BATCH) for axis, n in enumerate(tree))
        return TensorType(tuple(sizes), dtype)
    if isinstance(tree, tuple | list):
        return type(tree)(as_types(part, dtype) for part in tree)
    if isinstance(tree, dict):
        return {name: as_types(part, dtype) for name, part in tree.items()}
    return tree


def shapes_as_types(tree: Any, dtype: str) -> Any:
    """The same where there is nothing but shapes. Raises ShapeError for what is none."""
    types = as_types(tree, dtype)
    for leaf in flatten(types)[0]:
        if not isinstance(leaf, TensorType):
            raise _no_shape(leaf)
    return types


def _no_shape(given: Any) -> ShapeError:
    return ShapeError(
        "this is no shape",
        expected="sizes of axes, the batch first and None where one is open, as (None, 784)",
        got=f"{given!r:.80} ({type(given).__name__})",
        fix="pass a tuple, or a list of such for several inputs",
    )


def _as_shapes(tree: Any) -> Any:
    """Shapes in place of types."""
    leaves, form = flatten(tree)
    return unflatten(form, iter([InputShape(leaf) if isinstance(leaf, TensorType) else leaf for leaf in leaves]))


def builder(build: Callable[..., None], done: Callable[[Any], None]) -> Callable[..., None]:
    """A ``build`` that may be called with types and with shapes, and gets what it asks for: a parameter annotated
    ``TensorType`` that, any other an ``InputShape``.

    Arguments:
        done: called with the layer at the end of its own ``build``, not at that of one which it calls by ``super()``.
    """
    parameters = list(inspect.signature(build).parameters.values())[1:]
    wants_types = any(p.annotation in (TensorType, "TensorType") for p in parameters)

    @wraps(build)
    def built(self: Any, *given: Any, **named: Any) -> None:
        def wanted(part: Any) -> Any:
            types = as_types(part, self.compute_dtype)
            return types if wants_types else _as_shapes(types)

        build(self, *map(wanted, given), **{name: wanted(part) for name, part in named.items()})
        if type(self).build is built:
            done(self)

    return built


@lru_cache(maxsize=1024)
def _parameters_of_build(cls: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(cls.build).parameters.values())[1:]


def build_with(layer: Any, positional: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Call the layer's ``build`` with the types of its inputs: ``x_shape`` is that of the input ``x``, as in Keras; one
    parameter is that of the first input, others follow in order.
    """
    cls: Any = type(layer)
    parameters = _parameters_of_build(cls)
    own = signature_of(cls).names
    by_name = dict(zip(own, positional, strict=False)) | dict(named)
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        layer.build(*positional, *named.values())
    elif len(parameters) == 1:
        layer.build(*(positional or tuple(named.values()))[:1])
    elif all(p.name.removesuffix("_shape") in by_name and p.name.endswith("_shape") for p in parameters):
        layer.build(**{p.name: by_name[p.name.removesuffix("_shape")] for p in parameters})
    else:
        layer.build(*[*positional, *named.values()][: len(parameters)])


def require_tensors(leaves: list[Any], owner: str) -> None:
    """Raise GraphError for a result of ``call`` that is no tensor, or for none at all."""
    wrong = [leaf for leaf in leaves if not isinstance(leaf, Node)]
    if wrong or not leaves:
        raise GraphError(
            "call gives something that is no tensor of the graph",
            expected="what layers and thalweg.ops give, or a list or mapping of such",
            got=f"{wrong[0]!r:.60} ({type(wrong[0]).__name__})" if wrong else "nothing",
            fix="return the result, and compute with layers and thalweg.ops in call",
            layer=owner,
        )
