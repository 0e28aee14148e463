"""registry.py: names, aliases, descriptions there and back, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import pytest

from thalweg.checks import In, check_fields
from thalweg.errors import ArgumentError, NameNotFoundError
from thalweg.registry import Registry, describe, known_objects, restore
from thalweg.spelling import Spelled


class Animal(metaclass=Spelled):
    def __post_init__(self):
        check_fields(self)


toys = Registry[Callable[..., Any]]("test toy")
animals = Registry[Animal]("test animal", base=Animal)


@toys.register("ball", "round_thing")
def ball():
    return "ball"


@animals.register("big_cat", "lion")
@dataclass(frozen=True)
class BigCat(Animal):
    weight: Annotated[float, In("(0, inf)")] = 100.0
    names: tuple[str, ...] = ()
    toy: Callable[..., Any] | str | None = None
    friend: Animal | None = None
    moods: dict[str, float] = field(default_factory=dict)
    seen: int = field(init=False, default=0)


@animals.register("zebra")
@dataclass(frozen=True)
class Zebra(Animal):
    stripes: int


@pytest.mark.parametrize("name", ["big_cat", "lion", "BIG_CAT", "BigCat", "bigcat"])
def test_every_spelling_gives_a_new_instance(name):
    assert animals.get(name) == BigCat()
    assert animals.find(name) is BigCat


def test_class_instance_and_function_pass():
    cat = BigCat(2.0)
    assert animals.get(cat) is cat
    assert animals.get(BigCat) == BigCat()
    assert toys.get("ball") is ball
    assert toys.get("round_thing") is ball
    assert toys.get(ball) is ball
    assert toys.get(len) is len


def test_names_are_the_first_ones_sorted():
    assert animals.names() == ("big_cat", "zebra")
    assert [name for name, _ in animals.items()] == ["big_cat", "zebra"]
    assert animals.name_of(BigCat()) == animals.name_of(BigCat) == "big_cat"


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(NameNotFoundError) as caught:
        animals.get("big_cats")
    assert str(caught.value) == (
        "there is no test animal of this name\n"
        "  expected: one of 'big_cat', 'lion', 'zebra'\n"
        "  got:      'big_cats'\n"
        "  to fix:   did you mean 'big_cat'?"
    )
    with pytest.raises(NameNotFoundError, match="known names: 'big_cat', 'lion', 'zebra'"):
        animals.get("qqq")


@pytest.mark.parametrize("wrong", [3, None, ["lion"], np.zeros(2), int, object()])
def test_what_is_no_identifier_is_refused(wrong):
    with pytest.raises(ArgumentError, match="this is no test animal"):
        animals.get(wrong)


@pytest.mark.parametrize("wrong", [3, None, ["ball"], np.float32(1)])
def test_what_is_no_identifier_is_refused_without_a_base_too(wrong):
    with pytest.raises(ArgumentError, match="this is no test toy"):
        toys.get(wrong)


def test_a_class_with_required_arguments_cannot_be_had_by_name():
    with pytest.raises(ArgumentError, match="has no default arguments"):
        animals.get("zebra")


def test_description_there_and_back_with_nested_objects():
    friend = BigCat(np.float32(0.5), friend=Zebra(3))
    cat = BigCat(7, names=("a", "b"), toy=ball, friend=friend, moods={"happy": 1.0})
    description = animals.config(cat)
    assert description["kind"] == "test animal"
    assert description["class_name"] == "big_cat"
    assert description["config"]["friend"]["config"]["friend"] == {
        "kind": "test animal",
        "class_name": "zebra",
        "config": {"stripes": 3},
    }
    assert "seen" not in description["config"]
    read = json.loads(json.dumps(description, allow_nan=False))
    assert animals.from_config(read) == cat
    assert animals.get(read) == cat


def test_a_function_is_described_by_its_name():
    assert toys.config(ball) == {"kind": "test toy", "class_name": "ball"}
    assert toys.from_config(toys.config(ball)) is ball


def test_a_description_as_keras_writes_it():
    assert animals.get({"class_name": "BigCat", "config": {"weight": 2}}) == BigCat(2.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"class_name": 3},
        {"class_name": "lion", "config": []},
        {"class_name": "lion", "module": "os"},
        {"class_name": "lion", "config": {"wings": 2}},
        {"class_name": "lion", "config": {"weight": -1}},
        {"class_name": "lion", "config": {"seen": 1}},
        {"class_name": "lion", "config": {"friend": {"kind": "test animal", "class_name": "zebra"}}},
        {"class_name": "zebra"},
        {"class_name": "lion", "kind": "test toy"},
        {"class_name": "lion", "config": {3: 1}},
    ],
)
def test_a_wrong_description_is_refused(wrong):
    with pytest.raises(ArgumentError):
        animals.get(wrong)


def test_a_description_runs_nothing_that_is_not_registered():
    with pytest.raises(NameNotFoundError):
        animals.from_config({"class_name": "os.system", "config": {"command": "true"}})


def test_what_has_no_name_cannot_be_described():
    @dataclass(frozen=True)
    class Stranger(Animal):
        pass

    Lion = type("Lion", (Stranger,), {})  # which is what big cats are called, too
    for cat in (Lion(), BigCat(friend=Lion())):
        with pytest.raises(ArgumentError, match="Lion cannot be described: it is not registered"):
            animals.config(cat)
    with pytest.raises(ArgumentError, match=r"the value of BigCat\.toy cannot be saved"):
        animals.config(BigCat(toy=lambda: None))


def test_what_is_not_registered_goes_by_its_own_name():
    @dataclass(frozen=True)
    class Stranger(Animal):
        size: int = 1

    def toy():
        return "toy"

    cat = BigCat(friend=Stranger(3), toy=toy)
    described = json.loads(json.dumps(animals.config(cat)))
    assert animals.from_config(described) == cat  # as this process knows it
    described["config"]["friend"]["class_name"] = "Known only elsewhere"
    with pytest.raises(NameNotFoundError) as caught:
        animals.from_config(described)
    assert "custom_objects" in caught.value.fix
    with known_objects({"Known only elsewhere": Stranger}):
        assert animals.from_config(described) == cat


def test_an_unregistered_subclass_still_passes_as_an_instance():
    class Stranger(Animal):
        pass

    stranger = Stranger()
    assert animals.get(stranger) is stranger


def test_a_taken_name_is_refused_and_the_same_definition_again_is_not():
    registry = Registry[object]("test colour")

    def define():
        @registry.register("red")
        class Red:
            pass

        return Red

    define()
    again = define()
    assert registry.find("red") is again
    with pytest.raises(ArgumentError, match="'RED' is taken"):

        @registry.register("blue", "RED")
        class Blue:
            pass

    assert registry.names() == ("red",)


def test_a_function_takes_no_arguments_from_a_file():
    with pytest.raises(ArgumentError, match="'ball' is a function and takes no arguments"):
        toys.from_config({"class_name": "ball", "config": {"size": 3}})


def test_a_description_of_another_kind_is_refused():
    with pytest.raises(ArgumentError, match="describes another kind of thing"):
        animals.from_config({"kind": "test toy", "class_name": "ball"})


def test_a_class_without_fields_takes_no_arguments_from_a_file():
    plain = Registry[object]("test plain thing")

    @plain.register("stone")
    class Stone:
        pass

    assert isinstance(plain.from_config({"class_name": "stone"}), Stone)
    with pytest.raises(ArgumentError, match="'stone' takes no arguments"):
        plain.from_config({"class_name": "stone", "config": {"size": 3}})


@pytest.mark.parametrize(
    ("value", "described"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.dtype("float32"), "float32"),
        ((1, (2,)), [1, [2]]),
        ({"a": None},) * 2,
    ],
)
def test_values_of_fields_become_json(value, described):
    assert describe(value, "x") == described
    assert restore(json.loads(json.dumps(described))) == described


def test_names_that_a_module_lacks():
    assert animals.attribute("lion") is BigCat
    assert animals.attribute("Zebro") is None


def test_names_that_only_users_know():
    with known_objects({"tiger": BigCat, "stone": int}):
        assert animals.find("tiger") is BigCat
        with pytest.raises(NameNotFoundError):
            animals.find("stone")  # no animal
        assert animals.deserialize("lynx", {"lynx": BigCat}) == BigCat()
    with pytest.raises(NameNotFoundError):
        animals.find("tiger")
