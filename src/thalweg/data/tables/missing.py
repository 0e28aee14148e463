"""How people write that a value is missing."""

from __future__ import annotations

__all__ = ["SPELLINGS", "is_missing"]

SPELLINGS = frozenset(
    (
        *(
            "",
            "NA",
            "N/A",
            "n/a",
            "na",
            "N.A.",
            "n.a.",
            "<NA>",
            "#N/A",
            "#NA",
            "#N/A N/A",
            "NaN",
            "nan",
            "-NaN",
            "-nan",
        ),
        *(
            "NULL",
            "null",
            "Null",
            "None",
            "none",
            "NONE",
            "?",
            "-",
            "--",
            ".",
            "1.#IND",
            "-1.#IND",
            "1.#QNAN",
            "-1.#QNAN",
        ),
        *("missing", "(missing)", "#VALUE!", "#DIV/0!", "#NULL!", "#REF!"),
    )
)
"""pandas' list, with what R, SAS (.), spreadsheets and the tables of the UCI (?) write."""


def is_missing(value: object) -> bool:
    """Whether a single value stands for none: None, NaN, NaT or pandas' NA. Text never is, here.

    Example:
        >>> is_missing(None), is_missing(float("nan")), is_missing("NA"), is_missing(0)
        (True, True, False, False)
    """
    if value is None:
        return True
    if isinstance(value, str | int):
        return False
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA is neither true nor false; an array is both
        return type(value).__name__ == "NAType"
