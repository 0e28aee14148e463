"""What a rule is: how one disease is told.

A rule is a pure function of a ``Record``: the same for one that was measured, saved, or made by hand. It says what its
own evidence says; which findings explain which others is for ``thalweg.doctor.rules`` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from thalweg.doctor.evidence import finite
from thalweg.doctor.finding import LABELS, Finding
from thalweg.doctor.record import Record
from thalweg.fields import dataclass

Judge = Callable[[Record], Finding | None]


@dataclass(frozen=True)
class Rule:
    """How one disease is told.

    Attributes:
        needs: parts of the record without which it cannot say anything.
        when: how the training has to do for it to speak: "any", "short" of what neighbours reach, or "fails".
        evidence, threshold, change: in words, for the page about the rules.
    """

    code: str
    judge: Judge
    needs: tuple[str, ...]
    when: str
    evidence: str
    threshold: str
    change: str

    def lacks(self, record: Record) -> tuple[str, ...]:
        """What of its needs was not measured."""
        return tuple(name for name in self.needs if getattr(record, name) in (None, ()))


_FOUND: dict[str, Rule] = {}


def rule(
    code: str, *, needs: tuple[str, ...] = (), when: str = "fails", evidence: str, threshold: str, change: str
) -> Callable[[Judge], Judge]:
    """Make a function the rule for ``code``, one of ``LABELS``."""
    assert code in LABELS, f"{code} is a label of findings"

    def kept(judge: Judge) -> Judge:
        assert code not in _FOUND or _FOUND[code].judge.__module__ == judge.__module__, f"{code} has one rule"
        _FOUND[code] = Rule(code, judge, needs, when, evidence, threshold, change)
        return judge

    return kept


def registered() -> Mapping[str, Rule]:
    """The rules of all modules that were imported by code, root causes first."""
    return {code: _FOUND[code] for code in LABELS if code in _FOUND}


def found(
    code: str,
    sure: bool,
    cause: str,
    change: str,
    numbers: Mapping[str, float | None],
    layer: str | None = None,
    since: int | None = None,
) -> Finding:
    """A finding with its numbers rounded."""
    return Finding(code, "diagnosed" if sure else "suspected", layer, since, finite(numbers), cause, change)


def suspected(finding: Finding) -> Finding:
    """The same, not so sure."""
    return replace(finding, certainty="suspected")
