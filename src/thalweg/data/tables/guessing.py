"""From the text of some values of a column to its type, and to how the database reads the column so.

The database's own guess is not asked: it rounds 1.5 to 2 in a column that began with whole numbers, cuts the hours off
where a column began with days, and calls yes and no true and false, which a prediction must not. Here whole numbers
are read as floats, and found to be whole when all have been seen.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from thalweg.data.tables.database import literal
from thalweg.fields import dataclass

__all__ = ["Convention", "Guess", "as_text", "convention", "guess", "guessed_as"]

PLAIN = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
LONGEST_EXACT = 15
"""Decimal digits that a float64 keeps; longer whole numbers are names of something, and stay text."""
FEW = 0.1
"""Up to this share of other values a column of numbers is said to be text because of them."""


@dataclass(frozen=True)
class Convention:
    """How numbers are written: ``decimal`` between ones and tenths, ``thousands`` between groups of three digits."""

    decimal: str = "."
    thousands: str = ""

    def pattern(self) -> str:
        """A regular expression for what is written so."""
        point = re.escape(self.decimal)
        whole = r"\d+"
        if self.thousands:
            whole = rf"(\d{{1,3}}({_any_of(self.thousands)}\d{{3}})+|\d+)"
        return rf"[+-]?{whole}({point}\d*)?([eE][+-]?\d+)?|[+-]?{point}\d+"

    def number(self) -> str:
        """SQL for a number written so, of ``{0}``, which is text that fits the pattern."""
        text = "{0}"
        for mark in self.thousands:
            text = f"replace({text}, {literal(mark)}, '')"
        if self.decimal != ".":
            text = f"replace({text}, {literal(self.decimal)}, '.')"
        return f"{text}::double"

    def sentence(self) -> str:
        """In words."""
        groups = f", {_shown(self.thousands[0])} between thousands" if self.thousands else ""
        return f"{_shown(self.decimal)} before the decimals{groups}"


SPACES = " \u00a0\u202f"
"""Between thousands: the plain space, and those at which no line is broken."""
CONVENTIONS = (
    Convention(".", ","),
    Convention(",", "."),
    Convention(".", SPACES),
    Convention(",", SPACES),
    Convention(".", "'’"),
    Convention(",", "'’"),
)

DATES = ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d-%b-%Y", "%d %b %Y",
         "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%y")  # fmt: skip
TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
ISO = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?)?", re.ASCII
)
LIKE_A_DATE = re.compile(
    r"(\d{1,4}[-/. ]([A-Za-z]{3,9}|\d{1,2})[-/., ]+\d{1,4}|[A-Za-z]{3,9} \d{1,2}, \d{4})\b.*", re.ASCII
)
LIKE_A_NUMBER = re.compile(r"[+-]?[\d.,'’\s]*\d[\d.,'’\s]*([eE][+-]?\d+)?", re.ASCII)
TRUTH = frozenset(("true", "false"))


@dataclass(frozen=True)
class Guess:
    """How a column is read.

    Arguments:
        kind: its type, as in ``Table.types``; ``"number"`` also of whole numbers.
        read_as: the database's type for the reader of the file.
        expression: SQL for the value, of ``{0}``, which is what the reader gave, and ``{1}``, the column's name.
        note: what should be said about it, without the column's name.
    """

    kind: str
    read_as: str
    expression: str = "{0}"
    note: str = ""

    def sql(self, column: str, value: str | None = None) -> str:
        """The value in SQL. Arguments: the column's name there; what the reader gave, if not that itself."""
        # Not by format: there are regular expressions in it.
        return self.expression.replace("{1}", column).replace("{0}", column if value is None else value)


NUMBER = Guess("number", "DOUBLE")
TEXT = Guess("text", "VARCHAR")
BOOLEAN = Guess("boolean", "BOOLEAN")
MOMENT = Guess("date", "TIMESTAMPTZ", "({0} at time zone 'UTC')")
"""Not a cast: the reader would take it as its own type, which loses the zone."""


def as_text(note: str = "") -> Guess:
    """Text as it stands."""
    return Guess("text", "VARCHAR", "{0}", note)


def convention(columns: Sequence[Collection[str]], decimal: str | None, thousands: str | None) -> Convention | None:
    """The convention that some column of a file shows beyond doubt, or that is given; None if numbers are plain."""
    if decimal is not None or thousands is not None:
        return Convention(decimal or ("," if thousands == "." else "."), thousands or "")
    for values in columns:
        if all(map(_is_plain, values)) or not all(LIKE_A_NUMBER.fullmatch(value.strip()) for value in values):
            continue
        for known in CONVENTIONS:
            if _all_written(known, values) and _proves(known, values):
                return known
    return None


def guess(values: Mapping[str, int], convention: Convention | None) -> Guess:
    """How to read a column.

    Arguments:
        values: those that have been seen, missing ones left out, and how often each.
        convention: how numbers with marks between their digits are written in this file, if that is known.
    """
    if not values:
        return NUMBER
    if {value.casefold() for value in values} <= TRUTH:
        return BOOLEAN
    for attempt in (_numbers, _moments):
        if (found := attempt(values, convention)) is not None:
            return found
    odd = [value for value in values if not LIKE_A_NUMBER.fullmatch(value.strip())]
    if odd and sum(values[value] for value in odd) <= FEW * sum(values.values()):
        return as_text(f"is text, because {odd[0]!r:.40} stands among its numbers")
    return TEXT


def guessed_as(kind: str, values: Mapping[str, int], convention: Convention | None) -> Guess:
    """How to read a column of a known type: as most of its values are written."""
    if kind == "text":
        return TEXT
    if kind == "boolean":
        return BOOLEAN
    attempt, other = (_moments, MOMENT) if kind == "date" else (_numbers, NUMBER)
    like = LIKE_A_DATE if kind == "date" else LIKE_A_NUMBER
    usual = {value: count for value, count in values.items() if like.fullmatch(value.strip())}
    found = attempt(usual, convention) if usual else None
    return found if found is not None and found.kind == other.kind else other


def _numbers(values: Collection[str], known: Convention | None) -> Guess | None:
    if all(map(_is_plain, values)):
        whole = [value.strip().lstrip("+-") for value in values if value.strip().lstrip("+-").isdecimal()]
        if any(len(value) > LONGEST_EXACT for value in whole):
            return as_text("is text, because its numbers have more digits than a float keeps")
        if any(value[0] == "0" and len(value) > 1 for value in whole):
            return as_text("is text, because some of its numbers begin with 0")
        if (
            known is None
            or known.decimal == "."
            or not _all_written(known, values)
            or not any("." in v for v in values)
        ):
            return NUMBER
    choices = [known] if known is not None else []
    for one in (*choices, *CONVENTIONS):
        if _all_written(one, values):
            fits = f"regexp_full_match(trim({{0}}), {literal(one.pattern())})"
            value = one.number().replace("{0}", "trim({0})")
            expression = (
                f"case when {fits} then {value} when {{0}} is not null then error('{{1}}: ' || {{0}})::double end"
            )
            return Guess("number", "VARCHAR", expression, f"has numbers with {one.sentence()}")
    return None


def _moments(values: Collection[str], _: Convention | None) -> Guess | None:
    if all(ISO.fullmatch(value.strip()) for value in values):
        return MOMENT
    if not all(LIKE_A_DATE.fullmatch(value.strip()) for value in values):
        return None
    fitting = [form for form in _forms() if all(_is_moment(value.strip(), form) for value in values)]
    if not fitting:
        return None
    form = fitting[0]
    doubt = ""
    if len(fitting) > 1 and {form[:5], fitting[1][:5]} in ({"%d/%m", "%m/%d"}, {"%d-%m", "%m-%d"}):
        doubt = f"; {fitting[1]} would fit as well"
    moment = f"try_strptime(trim({{0}}), {literal(form)})"
    expression = f"case when {{0}} is not null then coalesce({moment}, error('{{1}}: ' || {{0}})::timestamp) end"
    return Guess("date", "VARCHAR", expression, f"has dates written {form}{doubt}")


def _forms() -> Iterator[str]:
    for time in TIMES:
        yield from (day + time for day in DATES)


def _is_moment(text: str, form: str) -> bool:
    try:
        datetime.datetime.strptime(text, form)
    except ValueError:
        return False
    return True


_is_plain: Callable[[str], object] = re.compile(
    rf"\s*({PLAIN}|[+-]?inf(inity)?)\s*", re.ASCII | re.IGNORECASE
).fullmatch


def _all_written(one: Convention, values: Collection[str]) -> bool:
    fits = re.compile(one.pattern(), re.ASCII).fullmatch
    return bool(values) and all(fits(value.strip()) for value in values)


def _proves(one: Convention, values: Collection[str]) -> bool:
    """Whether some value can be read in no other way: 1.234 and 1,234 can."""
    plain = Convention().pattern()
    others = [other for other in (*CONVENTIONS, Convention()) if other != one]
    return any(
        not re.fullmatch(plain, value.strip())
        and not any(re.fullmatch(other.pattern(), value.strip()) for other in others if other.decimal != one.decimal)
        for value in values
    )


def _any_of(marks: str) -> str:
    return f"[{marks}]"


def _shown(mark: str) -> str:
    return "a space" if mark == " " else f"'{mark}'" if mark != "'" else '"\'"'
