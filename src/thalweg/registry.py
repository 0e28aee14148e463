"""Name -> class or function: one registry per kind of thing, filled by decorators where the things are written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast

import numpy as np

from thalweg.absent import absent_attribute
from thalweg.errors import ArgumentError, NameNotFoundError, did_you_mean, listed
from thalweg.fields import has_field_constructor
from thalweg.spelling import MADE_WITH, Spelled, constructor_arguments

__all__ = [
    "GLOBAL_OBJECTS",
    "NOT_DESCRIBED",
    "Registered",
    "Registry",
    "all_registries",
    "describe",
    "functions",
    "homes",
    "known_objects",
    "restore",
    "sharing",
]

T = TypeVar("T")
Entry = TypeVar("Entry", bound=Callable[..., Any])

# Kind -> registry, so that a saved description of one kind can hold an object of another (a layer its regularizer).
# The last one made for a kind wins: a module that is reloaded makes its registry again.
_registries: dict[str, Registry[Any]] = {}

GLOBAL_OBJECTS: dict[str, Any] = {}
"""Name -> class or function that users let be known everywhere, beside what is registered."""
_custom: ContextVar[Mapping[str, Any]] = ContextVar("thalweg_custom_objects", default=GLOBAL_OBJECTS)

_PLAIN_DATA = (str, bytes, bool, int, float, complex, list, tuple, set, dict, np.ndarray, np.generic, type(None))


class Registry(Generic[T]):
    """The things of one kind (optimizers, losses ...) that a name can stand for.

    Arguments:
        kind: the word for messages and saved descriptions, singular: ``"optimizer"``.
        base: what every instance derives from; None where the entries are functions or share no base.
        identity: whether two equal instances are two things. Inside ``sharing`` a description says which are the same.

    A class or function that is not registered goes into descriptions under its own name, as in Keras: this process
    knows it then, another one wants ``custom_objects``.

    Example:
        >>> colours = Registry[object]("colour")
        >>> @colours.register("red", "rouge")
        ... @dataclasses.dataclass(frozen=True)
        ... class Red:
        ...     shade: float = 0.5
        >>> colours.get("rouge")
        Red(shade=0.5)
        >>> colours.config(Red(0.25))
        {'kind': 'colour', 'class_name': 'red', 'config': {'shade': 0.25}}
    """

    def __init__(self, kind: str, base: type[T] | None = None, identity: bool = False) -> None:
        self.kind = kind
        self.base = base
        self.identity = identity
        self._described: dict[str, Callable[..., Any]] = {}  # what is not registered, by its own name
        self._entries: dict[str, Callable[..., Any]] = {}  # by first name
        self._first_names: dict[str, str] = {}  # any spelling, casefolded -> first name
        _registries[kind] = self
        if base is not None and issubclass(base, Registered):
            base._registry = self

    def __repr__(self) -> str:
        return f"Registry({self.kind!r}, {len(self._entries)} names)"

    def register(self, name: str, *aliases: str) -> Callable[[Entry], Entry]:
        """Class or function decorator: from now on the names stand for it. The first one is written into files.

        Raises:
            ArgumentError: if a name is taken by something else. The same definition again replaces the old one, as
                when a notebook cell is run twice.
        """

        def decorate(entry: Entry) -> Entry:
            for spelling in (name, *aliases):
                self._claim(spelling, name, entry)
            self._entries[name] = entry
            # The Python name works too, unless another entry has claimed it: "MeanSquaredError", as in Keras.
            self._first_names.setdefault(entry.__name__.casefold(), name)
            return entry

        return decorate

    def _claim(self, spelling: str, name: str, entry: Callable[..., Any]) -> None:
        taken = self._entries.get(self._first_names.get(spelling.casefold(), ""))
        if taken is not None and _definition(taken) != _definition(entry):
            raise ArgumentError(
                f"the {self.kind} name {spelling!r} is taken",
                expected="a name that stands for nothing else",
                got=f"{spelling!r}, which stands for {'.'.join(_definition(taken))}",
                fix="register under another name",
            )
        self._first_names[spelling.casefold()] = name

    def names(self) -> tuple[str, ...]:
        """The first name of every entry, sorted."""
        return tuple(sorted(self._entries))

    def items(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        """(first name, class or function), sorted by name."""
        return iter(sorted(self._entries.items()))

    def first_name(self, entry: object) -> str | None:
        """The first name of a class or function; None if it is not registered."""
        return next((name for name, known in self._entries.items() if known is entry), None)

    def find(self, name: str) -> Callable[..., Any]:
        """The class or function that a name stands for; upper and lower case are the same.

        Raises:
            NameNotFoundError: with the nearest known name.
        """
        custom = _custom.get().get(name)
        if callable(custom) and (self.base is None or not isinstance(custom, type) or issubclass(custom, self.base)):
            return cast("Callable[..., Any]", custom)
        for registry in (self, functions):
            first_name = registry._first_names.get(name.casefold())
            if first_name is not None:
                return registry._entries[first_name]
            if name in registry._described:
                return registry._described[name]
        raise NameNotFoundError(
            f"there is no {self.kind} of this name",
            expected=f"one of {listed(self.spellings())}",
            got=repr(name),
            fix=did_you_mean(name, self.spellings()),
        )

    def attribute(self, name: str) -> Callable[..., Any] | None:
        """What a registered name stands for, as ``regularizers.l2``; None if it is not known."""
        return self._entries.get(self._first_names.get(name, ""))

    def spellings(self) -> list[str]:
        """Every name to suggest for a mistyped one: first names and aliases, without the Python names."""
        python_names = {entry.__name__.casefold() for entry in self._entries.values()}
        return sorted({*self._entries, *(set(self._first_names) - python_names)})

    def get(self, identifier: Any) -> T:
        """The object meant by a name, a class, a saved description, or the object itself.

        A name or a class gives a new instance with default arguments; the name of a function gives the function.

        Raises:
            NameNotFoundError: if nothing has that name.
            ArgumentError: if the identifier is none of the above.
        """
        if isinstance(identifier, str):
            entry = self.find(identifier)
            return cast(T, self._construct(entry) if isinstance(entry, type) else entry)
        if isinstance(identifier, Mapping):
            return self.from_config(identifier)
        if isinstance(identifier, type) and (self.base is None or issubclass(identifier, self.base)):
            return self._construct(identifier)
        if self._passes(identifier):
            return cast(T, identifier)
        raise ArgumentError(
            f"this is no {self.kind}",
            expected=f"the name of one, or an object of class {self.base.__name__}"
            if self.base
            else "a name or a function",
            got=f"{identifier!r:.80} ({type(identifier).__name__})",
            fix=f"pass one of {', '.join(map(repr, self.names()))}",
        )

    def _passes(self, identifier: Any) -> bool:
        if self.base is not None and isinstance(identifier, self.base):
            return True
        if isinstance(identifier, (type, *_PLAIN_DATA)):
            return False
        return self.base is None or (callable(identifier) and not dataclasses.is_dataclass(identifier))

    def _construct(self, cls: type) -> T:
        try:
            return cast(T, cls())
        except TypeError as error:
            raise ArgumentError(
                f"the {self.kind} {cls.__name__} has no default arguments",
                expected=f"{cls.__name__}(...) with its arguments",
                got=str(error),
                fix=f"pass an instance instead of the name: {cls.__name__}(...)",
            ) from error

    def config(self, instance: T) -> dict[str, Any]:
        """A description from which :meth:`from_config` makes an equal object; only JSON types in it.

        Raises:
            ArgumentError: if the class is not registered, or a field's value cannot be described.
        """
        shared = _shared.get() if self.identity else None
        if shared is not None and id(instance) in shared.described:
            return {"kind": self.kind, SAME_AS: shared.number(instance)}
        description: dict[str, Any] = {"kind": self.kind, "class_name": self.name_of(instance)}
        if shared is not None:
            shared.described[id(instance)] = (instance, description)
        if own_constructor(type(instance)):
            own: Any = instance
            description["config"] = describe(own.get_config(), f"{type(instance).__name__}.get_config()")
        elif dataclasses.is_dataclass(instance):
            description["config"] = self.arguments(instance)
        return description

    def arguments(self, instance: Any) -> dict[str, Any]:
        """The arguments that an object was made with, in JSON types. Raises as ``config``."""
        where = type(instance).__name__
        return {
            field.name: describe(vars(instance)[field.name], f"{where}.{field.name}")
            for field in dataclasses.fields(instance)
            if field.init and field.metadata.get("described", True)
        }

    def told(self, instance: Any) -> dict[str, Any]:
        """What the handwritten constructor of an instance's class was told, in JSON types, with the fields of its base.

        Raises: ArgumentError for something that has no description, naming ``get_config``.
        """
        given = vars(instance).get(MADE_WITH, {})
        try:
            told = {name: describe(value, f"{type(instance).__name__}: {name}=") for name, value in given.items()}
        except ArgumentError as error:
            error.fix = f"write {type(instance).__name__}.get_config, which gives the arguments of its __init__"
            raise
        base = {name: value for name, value in self.arguments(instance).items() if name not in told}
        return base | told

    def name_of(self, instance: Any) -> str:
        """The first name of an instance's class, of a class, or of a function.

        What a user has not registered goes by its own name.

        Raises:
            ArgumentError: if it has no name, or one that stands for something else.
        """
        for name, entry in self._entries.items():
            if instance is entry or type(instance) is entry:
                return name
        entry = instance if isinstance(instance, type | FunctionType) else type(instance)
        name = entry.__name__
        if name.isidentifier() and name.casefold() not in self._first_names and not is_ours(entry):
            self._described[name] = entry
            return name
        raise ArgumentError(
            f"the {self.kind} {name} cannot be described: it is not registered",
            expected=f"a registered {self.kind}, or one with a name that stands for nothing else",
            got=repr(instance)[:80],
            fix=f"put .register({name.lower()!r}) of the {self.kind} registry as a decorator above its definition",
        )

    def from_config(self, description: Mapping[str, Any]) -> T:
        """The object that a description stands for: ``{"class_name": ..., "config": {...}}``.

        Only registered classes and functions are ever called, so a description from a hostile file runs nothing else.

        Raises:
            NameNotFoundError: if the class name is not registered.
            ArgumentError: if the description has another form, or its arguments do not fit.
        """
        if not isinstance(description, Mapping):
            raise self.bad_description("it is no mapping", f"{description!r:.80} ({type(description).__name__})")
        shared = _shared.get() if self.identity else None
        if shared is not None and SAME_AS in description:
            return cast(T, shared.again(description[SAME_AS], self))
        made = self._made(description)
        if shared is not None and NUMBER in description:
            if type(description[NUMBER]) is not int:
                raise self.bad_description("its number is none", f"{description[NUMBER]!r:.80}")
            shared.restored[description[NUMBER]] = made
        return made

    def _made(self, description: Mapping[str, Any]) -> T:
        name, config = description.get("class_name"), description.get("config", {})
        unknown = description.keys() - {"kind", "class_name", "config", NUMBER}
        if not isinstance(name, str) or not isinstance(config, Mapping) or unknown:
            raise self.bad_description("its form is not known", repr(dict(description))[:200])
        if description.get("kind", self.kind) != self.kind:
            raise self.bad_description("it describes another kind of thing", repr(description["kind"]))
        try:
            entry = self.find(name)
        except NameNotFoundError as error:
            fix = f"{error.fix}; for a class or function of your own pass custom_objects={{{name!r:.60}: the class}}"
            raise NameNotFoundError(error.problem, expected=error.expected, got=error.got, fix=fix) from error
        if not isinstance(entry, type):
            if config:
                raise self.bad_description(f"{name!r} is a function and takes no arguments", repr(dict(config))[:200])
            return cast(T, entry)
        arguments = {key: restore(value) for key, value in config.items()}
        if own_constructor(entry):
            own: Any = entry
            overridden = getattr(own.from_config, "__func__", None) is not vars(Registered)["from_config"].__func__
            return cast(T, own.from_config(arguments) if overridden else self.constructed(entry, arguments))
        if not dataclasses.is_dataclass(entry):
            if arguments:
                raise self.bad_description(f"{name!r} takes no arguments", repr(arguments)[:200])
            return self._construct(entry)
        known = {field.name for field in dataclasses.fields(entry) if field.init}
        if not arguments.keys() <= known:
            surplus = ", ".join(sorted(map(str, arguments.keys() - known)))
            raise self.bad_description(f"{entry.__name__} has no argument {surplus}", surplus)
        return self.constructed(entry, arguments)

    def constructed(self, cls: Any, arguments: Mapping[str, Any]) -> T:
        """An instance made with these arguments. Fields of the base that its own constructor does not take are set.

        Raises: ArgumentError if they do not fit.
        """
        known, takes_any = constructor_arguments(cls)
        later = {} if takes_any else {name: value for name, value in arguments.items() if name not in known}
        fields = {field.name for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
        try:
            if not later.keys() <= fields:
                raise TypeError(f"there is no argument {min(later.keys() - fields)}")
            made = cls(**{name: value for name, value in arguments.items() if name not in later})
        except TypeError as error:
            raise self.bad_description(f"the arguments do not fit {cls.__name__}", str(error)) from error
        for name, value in later.items():
            object.__setattr__(made, name, value)
        return cast(T, made)

    def deserialize(self, config: Any, custom_objects: Mapping[str, Any] | None = None) -> T:
        """As ``get``, with names that only this call knows. Raises as ``get``."""
        with known_objects(custom_objects or {}):
            return self.get(config)

    def bad_description(self, problem: str, got: str) -> ArgumentError:
        """The error for a description that nothing can be made of."""
        return ArgumentError(
            f"this description of the {self.kind} cannot be used: {problem}",
            expected='{"class_name": a registered name, "config": its arguments}',
            got=got,
            fix="make descriptions with config(); a file from a newer version needs that version",
        )


NOT_DESCRIBED: Mapping[str, Any] = {"described": False}
"""Metadata of a field that says where something starts, not what it is."""

SAME_AS, NUMBER = "same_as", "number"
"""In descriptions: the number of the thing that this one is; the number that another one calls this by."""


functions: Registry[Callable[..., Any]] = Registry("function")
"""Functions of users, which may be activations, losses, metrics ... as well."""


class _Sharing:
    """What has been described, or restored, so far."""

    def __init__(self) -> None:
        self.described: dict[int, tuple[object, dict[str, Any]]] = {}  # by id; holds the thing, so that ids stay
        self.restored: dict[object, object] = {}  # by number
        self._count = 0

    def number(self, thing: object) -> int:
        """That of a thing which was described before; from now on its description says it."""
        _, description = self.described[id(thing)]
        if NUMBER not in description:
            self._count += 1
            description[NUMBER] = self._count
        return int(description[NUMBER])

    def again(self, number: object, registry: Registry[Any]) -> object:
        """The thing of this number. Raises ArgumentError if there is none, or one of another kind."""
        found = self.restored.get(number) if type(number) is int else None
        if registry.base is not None and not isinstance(found, registry.base):
            raise registry.bad_description("it is the same as something that is not there", repr(number)[:80])
        return found


_shared: ContextVar[_Sharing | None] = ContextVar("thalweg_sharing", default=None)


@contextmanager
def sharing() -> Iterator[None]:
    """A thing with an identity that is described twice inside is described once, and restored as one thing."""
    if _shared.get() is not None:  # as a part of something larger
        yield
        return
    token = _shared.set(_Sharing())
    try:
        yield
    finally:
        _shared.reset(token)


@contextmanager
def known_objects(objects: Mapping[str, Any]) -> Iterator[None]:
    """Inside, these names stand for these classes and functions, before what is registered."""
    token = _custom.set({**_custom.get(), **objects})
    try:
        yield
    finally:
        _custom.reset(token)


def all_registries() -> list[Registry[Any]]:
    """One for each kind of thing."""
    return list(_registries.values())


def homes(entry: Any) -> list[Registry[Any]]:
    """The registries of the kind that a class is of."""
    return [r for r in _registries.values() if r.base and isinstance(entry, type) and issubclass(entry, r.base)]


class Registered(metaclass=Spelled):
    """What Layer, Loss, Optimizer ... have in common: a registry knows their subclasses by name."""

    _registry: ClassVar[Registry[Any]]  # the one that was made for the base

    if not TYPE_CHECKING:  # which would take it that everything is there

        def __getattr__(self, name: str) -> Any:
            raise absent_attribute(type(self).__name__, name)

    def get_config(self) -> dict[str, Any]:
        """The arguments as JSON types, from which ``from_config`` makes an equal object (a layer without weights)."""
        self._registry.name_of(self)
        return self._registry.told(self) if own_constructor(type(self)) else self._registry.arguments(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """An object with the arguments that ``get_config`` gave."""
        if own_constructor(cls):
            return cast(Self, cls._registry.constructed(cls, {key: restore(value) for key, value in config.items()}))
        return cast(Self, cls._registry.from_config({"class_name": cls._registry.name_of(cls), "config": config}))

    def _default_name(self) -> str:
        """The registered name; the class's where it is not registered."""
        return self._registry.first_name(type(self)) or type(self).__name__


def own_constructor(cls: Any) -> bool:
    """Whether a class of things with a registry has a handwritten constructor, so that its fields say too little."""
    return issubclass(cls, Registered) and not has_field_constructor(cls)


def is_ours(entry: Any) -> bool:
    """Whether a class or function is one of thalweg's."""
    return str(entry.__module__).partition(".")[0] == "thalweg"


def _definition(entry: Callable[..., Any]) -> tuple[str, str]:
    return entry.__module__, entry.__qualname__


def describe(value: Any, where: str) -> Any:
    """A field's value in JSON types; a registered object becomes its description."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, (list, tuple)):
        return [describe(item, where) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: describe(item, f"{where}[{key!r}]") for key, item in value.items()}
    for registry in _registries.values():
        if any(value is entry or type(value) is entry for _, entry in registry.items()):
            return registry.config(value)
    if isinstance(value, FunctionType) and value.__name__.isidentifier():
        return functions.config(value)
    for registry in homes(type(value)):
        return registry.config(value)
    raise ArgumentError(
        f"the value of {where} cannot be saved",
        expected="a number, a string, a list or mapping of these, or an object of a registered class",
        got=f"{value!r:.80} ({type(value).__name__})",
        fix="register its class or function, so that a file can name it",
    )


def restore(value: Any) -> Any:
    """The inverse of ``describe``; lists stay lists, which ``check_fields`` turns into tuples where wanted."""
    if isinstance(value, list):
        return [restore(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    registry = _registries.get(value["kind"]) if isinstance(value.get("kind"), str) else None
    if registry is not None and ("class_name" in value or SAME_AS in value):
        return registry.from_config(value)
    return {key: restore(item) for key, item in value.items()}
