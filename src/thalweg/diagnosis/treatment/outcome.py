"""What came of a treatment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any

import numpy as np

from thalweg.doctor.finding import Diagnosis
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.table import Table, Tabular


@dataclass(frozen=True)
class Tried:
    """One change that was tried.

    Attributes:
        code: of what it was tried against.
        words: what was changed.
        before, after: scores from the same seeds, without it and with it.
        helped: whether it was kept then.
        why: what decided that.
    """

    code: str
    words: str
    before: tuple[float, ...]
    after: tuple[float, ...]
    helped: bool
    why: str

    def to_dict(self) -> dict[str, Any]:
        """In JSON types; a score that is none is None."""

        def plain(scores: Sequence[float]) -> list[float | None]:
            return [score if np.isfinite(score) else None for score in scores]

        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return values | {"before": plain(self.before), "after": plain(self.after)}


@dataclass(frozen=True, eq=False)
class Treatment(Tabular):
    """What ``treat`` found and did; printed, a table of before and after, what was changed, and the diff.

    Attributes:
        model: trained; never worse on the rows to judge by than the one that came in.
        diagnosis: of the training as it came.
        left: what the doctor still finds.
        applied: the changes that are in the end made, in words.
        diff: the same as code: what changed in the program.
        code: the changed program.
        tried: every change that was tried, and how it went.
        before, after: scores from the same seeds of the training as it came and as it is now.
        score: what these are, and on which rows.
        kept: the places of the training rows that are trained on, where some are left out.
        fit_arguments: what ``fit`` is to be told from now on, but the data.
        work: how many times the work of the training as it came was done.
        elapsed_seconds: of all.
    """

    model: Model
    diagnosis: Diagnosis
    left: Diagnosis
    applied: tuple[str, ...]
    diff: str
    code: str
    tried: tuple[Tried, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    score: str
    kept: np.ndarray | None = None
    fit_arguments: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    work: float = 0.0
    elapsed_seconds: float = 0.0

    def table(self) -> Table:
        """Before and after, and every change that was tried: mean scores of the same seeds."""
        rows = [["as it came", "", _mean(self.before), ""]]
        rows += [
            [t.words, _mean(t.before), _mean(t.after), "kept" if t.words in self.applied else t.why] for t in self.tried
        ]
        rows.append(["in the end", _mean(self.before), _mean(self.after), ""])
        return Table(self.score, ["training", "before", "after", ""], rows)

    def __str__(self) -> str:
        if not self.applied:
            verdict = "Nothing was changed: " + (self.notes[0] if self.notes else "no change that was tried helped.")
            return f"{self.table()}\n\n{verdict}"
        changes = "\n".join(f"- {words}" for words in self.applied)
        notes = "".join(f"\n{note}" for note in self.notes)
        return f"{self.table()}\n\nChanged:\n{changes}{notes}\n\n{self.diff}"

    def to_dict(self) -> dict[str, Any]:
        """Everything but the model, in JSON types."""
        plain = {"diagnosis": self.diagnosis.to_dict(), "left": self.left.to_dict()}
        names = ("applied", "diff", "code", "score", "notes", "work", "elapsed_seconds")
        own = {name: list(v) if isinstance(v := getattr(self, name), tuple) else v for name in names}
        scores = {name: [s if np.isfinite(s) else None for s in getattr(self, name)] for name in ("before", "after")}
        kept = None if self.kept is None else self.kept.tolist()
        return {**plain, **own, **scores, "kept": kept, "tried": [t.to_dict() for t in self.tried]}


def _mean(scores: Sequence[float]) -> str:
    """With the deviation over the seeds."""
    if not scores:
        return ""
    mean = float(np.mean(scores))
    if not np.isfinite(mean):
        return "none"
    return f"{mean:.3f}" + (f" +-{np.std(scores, ddof=1):.3f}" if len(scores) > 1 else "")
