"""How the values of one column become numbers: in SQL for what DuckDB reads, in NumPy for what is in memory; same bits.

An encoding knows the column's name and what was learned from the training rows, nothing of the network. ``None``, NaN
and NaT are missing values everywhere.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from thalweg.checks import Finite, check_fields
from thalweg.data.tables.database import literal
from thalweg.data.tables.missing import SPELLINGS, is_missing
from thalweg.errors import DataError
from thalweg.fields import dataclass
from thalweg.registry import Registered, Registry

__all__ = ["MISSING", "MISSING_MOMENT", "UNSEEN", "Codes", "Encoding", "Moment", "Number", "registry"]

MISSING, UNSEEN = 0, 1
"""The codes of a missing value and of one that is none of the categories; those of the categories follow."""
MISSING_MOMENT = np.iinfo(np.int64).min
"""What NumPy's NaT is as a number."""

PLAIN_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
"""Text that is a number to every reader: no underscores, no ``inf``, no other alphabet's digits."""
PLAIN_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?", re.ASCII)
"""Text that is a date to every reader."""
TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


@dataclass(frozen=True)
class Encoding(Registered):
    """The base. A subclass says the group of arrays that its numbers go to, and how they are made."""

    column: str

    group: ClassVar[str]
    dtype: ClassVar[Any]

    def __post_init__(self) -> None:
        check_fields(self)

    def sql(self, expression: str, kind: str) -> str:
        """The numbers as an SQL expression. Arguments: the column in SQL; its type, as ``Table.types`` names it."""
        raise NotImplementedError(f"{type(self).__name__} has no sql()")

    def array(self, values: np.ndarray) -> np.ndarray:
        """The numbers of raw values: (rows,) -> (rows,). Raises DataError if the values are of another kind."""
        raise NotImplementedError(f"{type(self).__name__} has no array()")

    def value(self, value: Any) -> Any:
        """The number of one raw value, as ``array`` makes it. Raises DataError."""
        raise NotImplementedError(f"{type(self).__name__} has no value()")

    def unfit(self, got: str, expected: str) -> DataError:
        """The error for values of a type that this cannot read."""
        return DataError(
            f"column {self.column!r} cannot be read as it was in training",
            expected=expected,
            got=got,
            fix="mend the column, or train again with the data as it is now",
        )


registry = Registry("encoding", Encoding)


@registry.register("number")
@dataclass(frozen=True)
class Number(Encoding):
    """The value less ``offset``, NaN where it is missing, infinite, or beyond float32.

    Arguments:
        lenient: text that is no number is missing, too; else it is an error.

    Numerics: the difference is taken in float64, so that large numbers near to each other keep their digits.

    Shapes: (rows,) numbers or truth values -> (rows,) float32.
    """

    offset: Finite = 0.0
    lenient: bool = False

    group: ClassVar[str] = "numbers"
    dtype: ClassVar[Any] = np.float32

    def sql(self, expression: str, kind: str) -> str:
        if kind == "text" and self.lenient:
            expression = _sql_if_plain(expression, PLAIN_NUMBER, "double")
        elif kind not in ("number", "integer", "boolean"):
            raise self.unfit(f"a column of type {kind}", "numbers")
        value = f"{expression}::double"
        if self.offset:
            value = f"({value} - {literal(float(self.offset))})"
        # To DuckDB NaN is above all numbers, and no value is not below.
        return f"case when abs({value}) <= {MOST} then {value}::float else 'nan'::float end"

    def array(self, values: np.ndarray) -> np.ndarray:
        if values.dtype.kind in "fiub":
            numbers = np.asarray(values, np.float64)
        elif values.dtype.kind in "OUT":
            numbers = np.fromiter(map(self._number, values), np.float64, len(values))
        else:
            raise self.unfit(f"values of dtype {values.dtype}", "numbers")
        return self._narrow(numbers - self.offset)

    def value(self, value: Any) -> float:
        difference = self._number(value) - self.offset
        return float(np.float32(difference)) if abs(difference) <= MOST else math.nan

    @staticmethod
    def _narrow(numbers: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            narrow = numbers.astype(np.float32)
        narrow[~(np.abs(numbers) <= MOST)] = np.nan
        return narrow

    def _number(self, value: Any) -> float:
        number = as_number(value)
        if number is None and self.lenient:
            return math.nan
        if number is None:
            raise self.unfit(f"{value!r:.60} ({type(value).__name__})", "numbers")
        return number


MOST = float(np.finfo(np.float32).max)


@registry.register("codes")
@dataclass(frozen=True)
class Codes(Encoding):
    """Which of the categories a value is: 0 missing, 1 none of them, 2 the first of them and so on.

    Text is compared letter by letter, numbers as numbers whatever they are written as: 5, 5.0 and "5" are the category
    5 and the category "5" alike, because a gap makes integers of a frame floats.

    Shapes: (rows,) of anything but dates -> (rows,) int32.
    """

    categories: tuple[str | int | float | bool, ...]

    group: ClassVar[str] = "codes"
    dtype: ClassVar[Any] = np.int32

    @cached_property
    def _of_text(self) -> dict[str, int]:
        return self._first(lambda category: category if isinstance(category, str) else None)

    @cached_property
    def _of_numbers(self) -> dict[float, int]:
        return self._first(lambda category: as_number(category))

    @cached_property
    def _of_truth(self) -> dict[bool, int]:
        return self._first(as_truth)

    def _first(self, key: Callable[[Any], Any]) -> dict[Any, int]:
        """Key -> code of the first category that has it."""
        known: dict[Any, int] = {}
        for code, category in enumerate(self.categories, UNSEEN + 1):
            if (own := key(category)) is not None and own == own:
                known.setdefault(own, code)
        return known

    def sql(self, expression: str, kind: str) -> str:
        if kind == "text" and all(isinstance(category, str) for category in self.categories):
            code = self._sql_of_text(expression)
        elif kind == "boolean":
            code = _sql_choice(expression, {literal(truth): code for truth, code in self._of_truth.items()})
        elif kind in ("number", "integer"):
            code = self._sql_of_numbers(f"{expression}::double")
        else:
            raise self.unfit(f"a column of type {kind}", "categories: text, numbers or truth values")
        return f"case when {expression} is null then {MISSING} else coalesce({code}, {UNSEEN}) end::integer"

    def _sql_of_text(self, expression: str) -> str:
        if not self.categories:
            return "null"
        names = ", ".join(map(literal, self._of_text))
        codes = list(self._of_text.values())
        assert codes == list(range(UNSEEN + 1, len(codes) + UNSEEN + 1)), "categories differ from each other"
        return f"enum_code(try_cast({expression} as enum({names})))::integer + {UNSEEN + 1}"

    def _sql_of_numbers(self, expression: str) -> str:
        if not self._of_numbers:
            return "null"
        numbers = ", ".join(map(repr, self._of_numbers))
        codes = ", ".join(map(str, self._of_numbers.values()))
        return f"list_extract([{codes}], list_position([{numbers}]::double[], {expression}))"

    def array(self, values: np.ndarray) -> np.ndarray:
        kind = values.dtype.kind
        if kind == "b":
            truth = self._of_truth
            return np.where(values, truth.get(True, UNSEEN), truth.get(False, UNSEEN)).astype(np.int32)
        if kind in "fiu":
            return self._array_of_numbers(np.asarray(values, np.float64))
        if kind in "OUT":
            return np.fromiter(map(self.value, values), np.int32, len(values))
        raise self.unfit(f"values of dtype {values.dtype}", "categories: text, numbers or truth values")

    def _array_of_numbers(self, values: np.ndarray) -> np.ndarray:
        known = sorted(self._of_numbers)
        if not known:
            return np.where(np.isnan(values), MISSING, UNSEEN).astype(np.int32)
        numbers, codes = np.array(known), np.array([self._of_numbers[one] for one in known], np.int32)
        place = np.searchsorted(numbers, values).clip(max=len(known) - 1)
        found = np.where(numbers[place] == values, codes[place], UNSEEN)
        return np.where(np.isnan(values), MISSING, found).astype(np.int32)

    def value(self, value: Any) -> int:
        if isinstance(value, str):
            code = self._of_text.get(value)
            if code is not None:
                return code
            if value in SPELLINGS:
                return MISSING
            number = None if self._of_text else as_number(value)
            return UNSEEN if number is None else self._of_numbers.get(number, UNSEEN)
        if is_missing(value):
            return MISSING
        if isinstance(value, bool | np.bool_):
            return self._of_truth.get(bool(value), UNSEEN)
        if (number := as_number(value)) is not None:
            return self._of_numbers.get(number, UNSEEN)
        raise self.unfit(f"{value!r:.60} ({type(value).__name__})", "categories: text, numbers or truth values")


@registry.register("moment")
@dataclass(frozen=True)
class Moment(Encoding):
    """Microseconds since the beginning of 1970; ``MISSING_MOMENT`` where it is missing.

    Arguments:
        lenient: text that is no date is missing, too; else it is an error.

    Shapes: (rows,) dates -> (rows,) int64.
    """

    lenient: bool = False

    group: ClassVar[str] = "moments"
    dtype: ClassVar[Any] = np.int64

    def sql(self, expression: str, kind: str) -> str:
        if kind == "text" and self.lenient:
            expression = _sql_if_plain(expression, PLAIN_MOMENT, "timestamp")
        elif kind != "date":
            raise self.unfit(f"a column of type {kind}", "dates")
        return f"coalesce(epoch_us({expression}::timestamp), {MISSING_MOMENT})"

    def array(self, values: np.ndarray) -> np.ndarray:
        if values.dtype.kind == "M":
            return values.astype("datetime64[us]").astype(np.int64)
        if values.dtype.kind in "OUT":
            return np.fromiter(map(self.value, values), np.int64, len(values))
        raise self.unfit(f"values of dtype {values.dtype}", "dates")

    def value(self, value: Any) -> int:
        if is_missing(value) or (isinstance(value, str) and value in SPELLINGS):
            return MISSING_MOMENT
        if self.lenient and isinstance(value, str) and as_moment(value) is None:
            return MISSING_MOMENT
        try:
            moment = datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
            return int(np.datetime64(_without_zone(moment), "us").astype(np.int64))
        except (TypeError, ValueError) as error:
            raise self.unfit(
                f"{value!r:.60} ({type(value).__name__})", "dates, as text 2026-11-28 or 2026-11-28 20:00"
            ) from error


def as_number(value: Any) -> float | None:
    """A value as a number, NaN for a missing one; None for what is no number."""
    if isinstance(value, float | int | np.number | np.bool_ | Decimal):
        return float(value)
    if isinstance(value, str):
        if PLAIN_NUMBER.fullmatch(value):
            return float(value)
        return math.nan if value.strip() in SPELLINGS else None
    return math.nan if is_missing(value) else None


def as_moment(text: str) -> datetime.datetime | None:
    """Text as a date; None for what is none."""
    if not PLAIN_MOMENT.fullmatch(text):
        return None
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:  # the thirtieth of February
        return None


def as_truth(value: Any) -> bool | None:
    """A value as true or false; None for what is neither."""
    word = str(value).casefold()
    return True if word in TRUE or value == 1 else False if word in FALSE or value == 0 else None


def _without_zone(moment: Any) -> Any:
    """In UTC, where a moment says its time zone: NumPy's have none."""
    if getattr(moment, "tzinfo", None) is None:
        return moment
    return moment.astimezone(datetime.UTC).replace(tzinfo=None)


def _sql_if_plain(expression: str, pattern: re.Pattern[str], kind: str) -> str:
    """Text of this pattern as what it says, and nothing for any other."""
    fits = f"regexp_full_match({expression}, {literal(pattern.pattern)})"
    return f"case when {fits} then try_cast({expression} as {kind}) end"


def _sql_choice(expression: str, codes: Mapping[str, int]) -> str:
    """A ``case`` from the values' literals to their codes."""
    if not codes:
        return "null"
    return f"case {expression} {' '.join(f'when {value} then {code}' for value, code in codes.items())} end"
