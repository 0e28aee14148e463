"""checks.py and spelling.py: what each annotation admits, what the error says, and spellings of argument names."""

import contextlib
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.checks import (
    In,
    OneOf,
    bad_values,
    check_fields,
    check_value,
    rules,
)
from thalweg.errors import ArgumentError
from thalweg.spelling import Spelled, SpellingNotice


class Schedule:
    """Stands for a class that an annotation names."""


class Base(metaclass=Spelled):
    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True)
class Adam(Base):
    learning_rate: Annotated[float, In("(0, inf)")] | Schedule = 1e-3
    beta_1: Annotated[float, In("[0, 1)")] = 0.9
    beta_2: Annotated[float, In("[0, 1)")] = 0.999
    epsilon: Annotated[float, In("(0, inf)")] = 1e-7
    clipnorm: Annotated[float, In("(0, inf)")] | None = None
    slots: ClassVar = ("m", "v")


@dataclass
class Dense(Base):
    units: Annotated[int, In("[1, inf)")]
    activation: Callable[..., Any] | str | None = None
    use_bias: bool = True
    reduction: Annotated[str, OneOf("sum", "none")] = "sum"
    shape: tuple[Annotated[int, In("[1, inf)")], ...] = ()
    built: list[str] = field(init=False, default_factory=list)


@dataclass
class LeakyReLU(Base):
    negative_slope: float = 0.3


@dataclass
class ELU(Base):
    alpha: float = 1.0


@dataclass
class RMSprop(Base):
    rho: float = 0.9


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        ("[0, 1)", [0, 0.5, np.float32(0.5)], [1, -1e-9, math.nan, math.inf]),
        ("(0, inf)", [1e-300, 1e300], [0, -1, math.inf, math.nan]),
        ("[1, inf)", [1, 10**30], [0, math.inf]),
        ("(-inf, inf)", [0, -1e300], [math.inf, -math.inf, math.nan]),
        ("[-1.5, 2e3]", [-1.5, 2000], [-1.6, 2001]),
    ],
)
def test_interval(interval, inside, outside):
    assert all(In(interval).admits(value) for value in inside)
    assert not any(In(interval).admits(value) for value in outside)
    assert not any(In(interval).admits(value) for value in In(interval).outside())


@pytest.mark.parametrize("wrong", ["0, 1", "[1, 0]", "[a, b]", "[0; 1]"])
def test_an_interval_that_is_none_is_found_at_once(wrong):
    with pytest.raises((AssertionError, ValueError)):
        In(wrong)


@pytest.mark.parametrize(
    ("annotation", "value", "admitted"),
    [
        (float, 1, 1.0),
        (float, np.float32(0.5), 0.5),
        (float, np.int64(3), 3.0),
        (float, math.inf, math.inf),
        (int, np.uint8(3), 3),
        (bool, np.True_, True),
        (str, np.str_("a"), "a"),
        (float | int, 3, 3),
        (int | float, 3.0, 3.0),
        (int | None, None, None),
        (None, None, None),
        (tuple[int, ...], [1, np.int32(2)], (1, 2)),
        (tuple[int, float], (1, 2), (1, 2.0)),
        (list[float], [1, 2], [1.0, 2.0]),
        (Sequence[int], (1, 2), (1, 2)),
        (Mapping[str, float], {"a": 1}, {"a": 1.0}),
        (dict[int, float], {np.int64(0): 1}, {0: 1.0}),
        (Literal["a", 1], 1, 1),
        (type[Exception], ValueError, ValueError),
        (Callable[[int], int], abs, abs),
        (Any, math.nan, math.nan),
        (Annotated[float, In("[0, 1)")] | str, "auto", "auto"),
    ],
)
def test_admits_and_converts(annotation, value, admitted):
    result = check_value("f", "x", annotation, value)
    assert result == admitted or (result is value and value is admitted)
    assert type(result) is type(admitted)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, True),
        (int, np.True_),
        (int, 1.0),
        (int, "1"),
        (float, True),
        (float, math.nan),
        (float, np.float32(math.nan)),
        (float, 1j),
        (float, None),
        (bool, 1),
        (str, b"a"),
        (int | None, "a"),
        (None, 0),
        (tuple[int, ...], 3),
        (tuple[int, ...], (1, "a")),
        (tuple[int, int], (1, 2, 3)),
        (list[int], "ab"),
        (Mapping[str, float], {1: 1.0}),
        (Literal["a", 1], True),
        (type[Exception], int),
        (type[Exception], ValueError("x")),
        (Callable[[int], int], 3),
        (Schedule, 3),
        (Annotated[float, In("[0, 1)")] | None, 1),
        (Annotated[str, OneOf("sum", "none")], "mean"),
        (np.ndarray, [1, 2]),
    ],
)
def test_refuses(annotation, value):
    with pytest.raises(ArgumentError, match="f: argument 'x' does not fit its rule"):
        check_value("f", "x", annotation, value)


def test_error_names_class_field_rule_and_value():
    with pytest.raises(ArgumentError) as caught:
        Adam(beta_1=1.5)
    assert str(caught.value) == (
        "Adam: argument 'beta_1' does not fit its rule\n"
        "  expected: a number in [0, 1)\n"
        "  got:      1.5 (float)\n"
        "  to fix:   give beta_1 a number in [0, 1)"
    )


def test_error_of_a_union_names_every_alternative():
    with pytest.raises(ArgumentError) as caught:
        Adam(learning_rate=-1)
    assert caught.value.expected == "a number in (0, inf), or a Schedule"


def test_error_of_a_choice_suggests_one():
    with pytest.raises(ArgumentError) as caught:
        Dense(3, reduction="sums")
    assert (caught.value.expected, caught.value.fix) == ("one of 'sum', 'none'", "did you mean 'sum'?")


def test_a_long_value_is_shown_short():
    with pytest.raises(ArgumentError) as caught:
        Dense(list(range(1000)))
    assert len(caught.value.got) < 100


def test_fields_are_converted_also_in_frozen_classes():
    adam = Adam(learning_rate=np.float32(0.5), clipnorm=1)
    assert (type(adam.learning_rate), adam.clipnorm) == (float, 1.0)
    assert hash(adam) == hash(Adam(learning_rate=0.5, clipnorm=1.0))
    assert Dense(np.int64(3), shape=[2, 2]).shape == (2, 2)


def test_objects_are_kept_as_they_are():
    schedule = Schedule()
    assert Adam(learning_rate=schedule).learning_rate is schedule


def test_rules_in_words():
    assert rules(Adam)["learning_rate"] == "a number in (0, inf), or a Schedule"
    assert rules(Adam)["clipnorm"] == "a number in (0, inf), or None"
    assert rules(Dense)["activation"] == "a function, or a string, or None"
    assert rules(Dense)["shape"] == "a tuple, each item an integer in [1, inf)"
    assert "slots" not in rules(Adam)
    assert "built" not in rules(Dense)


@pytest.mark.parametrize("cls", [Adam, Dense])
def test_every_bad_value_is_refused(cls):
    for name, values in bad_values(cls).items():
        assert values, name
        for value in values:
            with pytest.raises(ArgumentError, match=name):
                cls(**{"units": 1} | {name: value} if cls is Dense else {name: value})


def test_bad_values_hold_the_open_bounds():
    assert 1.0 in bad_values(Adam)["beta_1"]
    assert 0.0 in bad_values(Adam)["epsilon"]


@given(st.one_of(st.integers(), st.floats(), st.text(), st.none(), st.booleans(), st.lists(st.integers(), max_size=3)))
def test_any_value_is_admitted_or_refused_but_nothing_else(value):
    for annotation in (int, float | None, tuple[int, ...], Annotated[float, In("[0, 1)")] | str, Literal["a"]):
        with contextlib.suppress(ArgumentError):
            check_value("f", "x", annotation, value)


def test_an_annotation_that_cannot_be_read_names_the_missing_type():
    @dataclass
    class Local(Base):
        x: "NoSuchType"  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(ArgumentError, match="'NoSuchType' is not defined"):
        Local(1)


def test_an_older_spelling_is_read_with_a_notice_at_the_callers_line():
    with pytest.warns(SpellingNotice, match=r"Adam: lr= is read as learning_rate=") as notices:
        adam = Adam(lr=0.1)  # type: ignore[call-arg]
    assert adam.learning_rate == 0.1
    assert notices[0].filename == __file__


def test_alpha_is_an_older_spelling_only_where_the_class_has_no_alpha():
    with pytest.warns(SpellingNotice):
        assert LeakyReLU(alpha=0.2).negative_slope == 0.2  # type: ignore[call-arg]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ELU(alpha=0.2).alpha == 0.2


@pytest.mark.parametrize(
    ("cls", "keywords", "fix"),
    [
        (Adam, {"eps": 1e-8}, "use epsilon="),
        (Adam, {"betas": (0.9, 0.99)}, "use beta_1= and beta_2="),
        (RMSprop, {"alpha": 0.9}, "use rho="),
        (Dense, {"units": 3, "use_bais": True}, "did you mean 'use_bias'?"),
        (LeakyReLU, {"lr": 1}, "known names: 'negative_slope'"),
    ],
)
def test_a_foreign_or_unknown_argument_is_refused(cls, keywords, fix):
    with pytest.raises(ArgumentError, match="there is no argument") as caught:
        cls(**keywords)
    assert caught.value.fix == fix


@pytest.mark.parametrize("keywords", [{"lr": 1, "learning_rate": 2}, {"learning_rate": 2, "lr": 1}])
def test_one_argument_in_two_spellings_is_refused(keywords):
    with pytest.raises(ArgumentError, match="given twice"):
        Adam(**keywords)


def test_a_handwritten_constructor_is_served_too():
    class Custom(Base):
        def __init__(self, learning_rate):
            self.learning_rate = learning_rate

    class Open(Base):
        def __init__(self, **anything):
            self.anything = anything

    with pytest.warns(SpellingNotice):
        assert Custom(lr=1).learning_rate == 1  # type: ignore[call-arg]
    assert Open(lr=1).anything == {"lr": 1}


def test_a_missing_argument_is_pythons_own_error():
    with pytest.raises(TypeError, match="units"):
        Dense()  # type: ignore[call-arg]
