"""table.py: the same table as plain text, and drawn on a terminal."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.table import Table, Tabular

WORDS = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=8)


@given(st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(WORDS, min_size=n, max_size=n), min_size=2, max_size=6)))
def test_every_cell_stands_in_its_column(lines):
    header, *rows = lines
    shown = str(Table("", header, rows)).splitlines()
    rule = shown.pop(1)
    assert set(rule) == {"-"}
    assert max(map(len, shown)) <= len(rule)
    ends = [len(rule)]  # where each column but the first ends, from the right
    for column in reversed(list(zip(*lines, strict=True))[1:]):
        ends.append(ends[-1] - max(map(len, column)) - 2)
    for text, cells in zip(shown, lines, strict=True):
        assert text.startswith(cells[0])
        for cell, end in zip(reversed(cells[1:]), ends, strict=False):
            assert text[:end].endswith(cell)


def test_the_title_comes_first_and_may_be_left_out():
    assert str(Table("digits", ("class",), (("0",),))).splitlines() == ["digits", "class", "-----", "0"]
    assert str(Table("", ("class",), (("0",),))).splitlines() == ["class", "-----", "0"]


class Score(Tabular):
    def table(self):
        return Table("scores", ("fold", "accuracy"), (("1", "0.9"),))


def test_drawn_on_a_terminal_only(monkeypatch, capsys):
    Score().show()
    assert capsys.readouterr().out == f"{Score()}\n"
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdout", terminal)
    Score().show()
    assert "scores" in terminal.getvalue()
    assert "━" in terminal.getvalue()


def test_without_a_standard_output_nothing_is_wrong(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    Score().show()


def test_a_subclass_says_what_its_table_is():
    with pytest.raises(NotImplementedError, match="Tabular has no table"):
        str(Tabular())


def test_narrowed():
    wide = Table("", ("what is done", "n", "more"), (("a" * 30, "1", "2"), ("short", "3", "4")))
    assert str(wide.narrowed(31)).splitlines()[2] == "a" * 19 + "...  1     2"
    assert str(wide.narrowed(26)).splitlines()[2:] == ["a" * 20 + "...  1", "short                    3"]
    assert str(wide.narrowed(200)) == str(wide)
