"""A training that is made once more: its data must be the same before it begins."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from thalweg.data.fingerprint import differences, in_a_line
from thalweg.errors import DataError

__all__ = ["ENVIRONMENT", "check", "require_same"]

ENVIRONMENT = "THALWEG_RERUN"
"""For a script that runs once more: a file with the fingerprints of the data of its fits, in their order."""

_met = 0


def require_same(now: Mapping[str, Any], before: Mapping[str, Any], what: str) -> None:
    """Raise DataError if the data are not those of ``what``."""
    found = differences(now, before)
    if found:
        raise DataError(
            f"the data are not those of {what}",
            expected="the same data, so that the same bits come of them",
            got=in_a_line(found),
            fix="bring the data back, or train anew: a run of its own",
        )


def check(data: Mapping[str, Any]) -> None:
    """In a script that runs once more, raise DataError if the data of its next fit are not as they were."""
    global _met
    path = os.environ.get(ENVIRONMENT)
    if not path:
        return
    with open(path, encoding="utf-8") as file:
        known = json.load(file)
    if _met < len(known):
        require_same(json.loads(json.dumps(data)), known[_met]["data"], f"run {known[_met]['run']}")
    _met += 1
