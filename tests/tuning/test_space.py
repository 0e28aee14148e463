"""What may be searched, and how its values come about. No package is needed: a trial is a few functions."""

import pytest

from thalweg.errors import ArgumentError, NameNotFoundError
from thalweg.tuning import Choice, Float, Int
from thalweg.tuning.space import Space, parameters


class Largest:
    """A trial that takes the last of what there is."""

    def suggest_float(self, name, low, high, *, step, log):
        return high

    def suggest_int(self, name, low, high, *, step, log):
        return high

    def suggest_categorical(self, name, choices):
        return choices[-1]


def test_each_kind_gives_a_value():
    space = Space(
        {"a": Float(0.1, 1), "b": Int(2, 8, log=True), "c": ["x", "y"], "d": Choice([(8,), (8, 8)])}, None, ""
    )
    assert space.suggest(Largest()) == {"a": 1.0, "b": 8, "c": "y", "d": (8, 8)}


def test_a_choice_may_be_anything_and_is_kept_by_its_words():
    assert Choice([(8,), (8, 8), "relu", 3, None]).points() == ["(8,)", "(8, 8)", "relu", 3, None]


def test_a_grid_has_all_points():
    space = Space({"a": Float(0, 1, step=0.25), "b": Int(2, 8, step=3), "c": [True, False]}, None, "")
    assert space.grid() == {"a": [0, 0.25, 0.5, 0.75, 1], "b": [2, 5, 8], "c": [True, False]}


def test_a_function_chooses_what_depends_on_other_choices():
    def space(trial):
        kind = trial.suggest_categorical("kind", ["a", "b"])
        return {"kind": kind, **({"units": trial.suggest_int("units", 1, 4, step=1, log=False)} if kind == "b" else {})}

    assert Space(space, ["kind", "units"], "").suggest(Largest()) == {"kind": "b", "units": 4}
    with pytest.raises(NameNotFoundError, match="nobody takes"):
        Space(space, ["kind"], "").suggest(Largest())
    with pytest.raises(ArgumentError, match="gives no values"):
        Space(lambda trial: None, None, "").suggest(Largest())
    with pytest.raises(ArgumentError, match="grid"):
        Space(space, None, "").grid()


def test_the_words_of_a_space_do_not_depend_on_its_order():
    one, other = {"a": Int(1, 2), "b": [1, 2]}, {"b": Choice([1, 2]), "a": Int(1, 2)}
    assert str(Space(one, None, "")) == str(Space(other, None, ""))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Float(1, 0), "no range"),
        (lambda: Float(0, 1, log=True), "no range"),
        (lambda: Float(0.1, 1, log=True, step=0.1), "steps are of equal length"),
        (lambda: Float(float("nan"), 1), "low"),
        (lambda: Int(8, 2), "no range"),
        (lambda: Int(1, 8, log=True, step=2), "steps are of equal length"),
        (lambda: Int(1.5, 2), "low"),
        (lambda: Choice([]), "nothing to choose"),
        (lambda: Choice([1, True]), "look alike"),
        (lambda: Float(0, 1).points(), "no end of values"),
        (lambda: Space({}, None, ""), "no mapping"),
        (lambda: Space([1], None, ""), "no mapping"),
        (lambda: Space({"a": 3}, None, ""), "may be"),
        (lambda: Space({"a": []}, None, ""), "may be"),
    ],
)
def test_what_is_no_range_is_refused(make, words):
    with pytest.raises(ArgumentError, match=words):
        make()


def test_a_name_that_nobody_takes_is_refused_with_the_nearest():
    with pytest.raises(NameNotFoundError, match="did you mean 'units'"):
        Space({"unit": [1]}, ["units", "rate"], "arguments of build")


def test_the_arguments_of_a_function_are_known_unless_it_takes_any():
    assert parameters(lambda a, b=1, *, c: None) == ["a", "b", "c"]
    assert parameters(lambda **anything: None) is None
