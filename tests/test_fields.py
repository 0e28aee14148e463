"""``thalweg.fields.dataclass`` against the standard library's: the same classes, defined by both, behave the same."""

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys

import pytest

from thalweg.fields import dataclass


@dataclass(frozen=True)
class Module:
    """At module level, for pickle."""

    a: int
    b: tuple[int, ...] = (1, 2)


def define(decorator):
    """A base, a subclass that adds fields of every kind, and one without a decorator of its own."""

    @decorator(frozen=True, kw_only=True)
    class Base:
        rate: float = dataclasses.field(default=0.5, kw_only=False)
        name: str | None = None
        counts: list[int] = dataclasses.field(default_factory=list, compare=False, repr=False)

        def __post_init__(self):
            if self.name is None:
                object.__setattr__(self, "name", type(self).__name__)

    @decorator(frozen=True)
    class Child(Base):
        units: int = 3
        kept: int = dataclasses.field(default=7, init=False)

    class Grandchild(Child):
        pass

    return Base, Child, Grandchild


PAIRS = list(zip(define(dataclass), define(dataclasses.dataclass), strict=True))


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda cls: cls.__name__)
class TestAsInTheStandardLibrary:
    @pytest.mark.parametrize("arguments", [((), {}), ((0.25,), {}), ((), {"name": "x", "counts": [1]})], ids=str)
    def test_values_repr_and_equality(self, ours, theirs, arguments):
        args, kwargs = arguments
        mine, other = ours(*args, **kwargs), theirs(*args, **kwargs)
        assert dataclasses.asdict(mine) == dataclasses.asdict(other)
        assert repr(mine) == repr(other)
        assert mine == ours(*args, **kwargs)
        assert hash(mine) == hash(ours(*args, **kwargs))
        assert mine != ours(9.0)
        assert mine != other
        assert dataclasses.replace(mine, rate=0.75).rate == 0.75
        assert copy.deepcopy(mine) == mine

    def test_wrong_arguments(self, ours, theirs):
        for args, kwargs in [((1, 2, 3, 4, 5), {}), ((), {"no_such": 1}), ((0.5,), {"rate": 0.5}), ((), {"kept": 1})]:
            for cls in (ours, theirs):
                with pytest.raises(TypeError):
                    cls(*args, **kwargs)

    def test_frozen(self, ours, theirs):
        for cls in (ours, theirs):
            with pytest.raises(dataclasses.FrozenInstanceError):
                cls().rate = 1.0
            with pytest.raises(dataclasses.FrozenInstanceError):
                del cls().rate

    def test_signature(self, ours, theirs):
        shown, expected = inspect.signature(ours), inspect.signature(theirs)
        assert list(shown.parameters) == list(expected.parameters)
        kinds = [(p.kind, p.default) for p in shown.parameters.values() if p.name != "counts"]
        assert kinds == [(p.kind, p.default) for p in expected.parameters.values() if p.name != "counts"]


def test_missing_argument_is_named():
    with pytest.raises(TypeError, match=r"Module.*'a'"):
        Module()  # type: ignore[call-arg]


def test_factories_make_a_new_value_each_time():
    base = PAIRS[0][0]
    assert base().counts is not base().counts


def test_users_dataclasses_below_ours():
    @dataclasses.dataclass(frozen=True)
    class Users(Module):
        c: float = 0.5

    assert Users(1, c=2.0) == Users(1, (1, 2), 2.0)
    assert list(inspect.signature(Users).parameters) == ["a", "b", "c"]


def test_handwritten_methods_stay():
    @dataclass(frozen=True)
    class Loud:
        a: int = 1

        def __repr__(self):
            return "loud"

        def __eq__(self, other):
            return True

        def __hash__(self):
            return 5

    assert (repr(Loud()), Loud() == 3, hash(Loud())) == ("loud", True, 5)


def test_without_equality_objects_are_themselves():
    @dataclass(eq=False)
    class Layer:
        units: int

    one, two = Layer(1), Layer(1)
    assert one != two
    assert len({one, two}) == 2
    one.units = 4
    assert one.units == 4


def test_equality_without_frozen_cannot_be_hashed():
    @dataclass
    class Open:
        a: int = 1

    assert Open() == Open()
    with pytest.raises(TypeError, match="unhashable"):
        hash(Open())


def test_pickle():
    assert pickle.loads(pickle.dumps(Module(3))) == Module(3)


def test_nothing_is_compiled_for_a_class():
    """What makes the classes cheap: no method is made from source."""
    program = (
        "import builtins, dataclasses, thalweg.fields as f\n"
        "def no(*a, **k): raise SystemExit('compiled')\n"
        "builtins.exec = no\n"
        "f.dataclass(frozen=True)(type('A', (), {'__annotations__': {'x': int}, 'x': 1}))(2)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
