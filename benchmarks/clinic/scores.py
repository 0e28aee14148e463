"""What a list of outcomes is worth.

A label that is named counts as right if it is the truth, as neutral if it is accepted, else as wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmarks.clinic.networks import Case
from benchmarks.clinic.training import Outcome
from benchmarks.table import markdown


class Label(NamedTuple):
    """How often a label was found, was to be found, and was named where it may not be."""

    found: int = 0
    planted: int = 0
    wrong: int = 0

    def plus(self, found: int, planted: int, wrong: int) -> Label:
        """The counts and these."""
        return Label(self.found + found, self.planted + planted, self.wrong + wrong)


Pair = tuple[Case, Outcome]


def wrong(case: Case, outcome: Outcome) -> list[str]:
    """The labels that may not be named here."""
    return [label for label in outcome.labels if label not in (*case["truth"], *case["accept"])]


def per_label(pairs: Iterable[Pair]) -> dict[str, Label]:
    """The counts of each label that was named or to be named."""
    counts: dict[str, Label] = {}
    for case, outcome in pairs:
        for label in case["truth"]:
            counts[label] = counts.get(label, Label()).plus(label in outcome.labels, 1, 0)
        for label in wrong(case, outcome):
            counts[label] = counts.get(label, Label()).plus(0, 0, 1)
    return counts


def summary(pairs: Sequence[Pair]) -> str:
    """Recall, precision and alarms over all outcomes, each seed counted."""
    total = Label(*map(sum, zip(*per_label(pairs).values(), strict=True)))
    healthy = [pair for pair in pairs if not pair[0]["truth"]]
    exact = sum(set(c["truth"]) <= set(o.labels) and not wrong(c, o) for c, o in pairs)
    lines = [f"{len(pairs)} trainings, {len(healthy)} of them healthy"]
    if total.planted:
        lines.append(f"recall {total.found / total.planted:.3f} ({total.found}/{total.planted})")
        lines.append(f"precision {total.found / max(1, total.found + total.wrong):.3f} ({total.wrong} wrong)")
    lines.append(f"exactly right {exact / max(1, len(pairs)):.3f}")
    lines.append(f"healthy alarmed {sum(bool(wrong(*pair)) for pair in healthy)}/{len(healthy)}")
    return ", ".join(lines)


def label_table(pairs: Sequence[Pair]) -> str:
    """The counts of each label."""
    counts = sorted(per_label(pairs).items())
    return markdown(("label", "found", "planted", "wrong"), [(label, *map(str, count)) for label, count in counts])


def case_table(pairs: Sequence[Pair]) -> str:
    """A row for each case: all seeds together."""
    cases = {case["name"]: case for case, _ in pairs}
    rows = []
    for name, case in cases.items():
        outcomes = [outcome for c, outcome in pairs if c["name"] == name]
        named = [label for outcome in outcomes for label in outcome.labels]
        bad = [label for outcome in outcomes for label in wrong(case, outcome)]
        missed = [label for outcome in outcomes for label in case["truth"] if label not in outcome.labels]
        mean = sum(outcome.scores.get("val", 0.0) for outcome in outcomes) / len(outcomes)
        seconds = sum(outcome.seconds for outcome in outcomes) / len(outcomes)
        errors = " ".join({outcome.error or "" for outcome in outcomes})
        columns = (tally(case["truth"], 1), *(tally(labels, len(outcomes)) for labels in (named, missed, bad)))
        rows.append((name, *columns, f"{mean:.3f}", f"{seconds:.2f}", errors))
    return markdown(("case", "truth", "named", "missed", "wrong", "val", "s", "stopped by"), rows)


def tally(labels: Sequence[str], of: int) -> str:
    """Each label once, with its count where it is not that of all seeds."""
    return ", ".join(
        label if labels.count(label) == of else f"{label} {labels.count(label)}/{of}" for label in dict.fromkeys(labels)
    )


def ladder_summary(pairs: Sequence[Pair]) -> str:
    """Where something must be named: how often the rung's own label, or anything; and alarms where nothing may be."""
    must = [outcome for case, outcome in pairs if case["right"] == "must"]
    truth = [case["truth"][0] for case, _ in pairs if case["right"] == "must"]
    clear = [outcome for case, outcome in pairs if case["right"] == "must_not"]
    own = sum(label in outcome.labels for label, outcome in zip(truth, must, strict=True))
    return (
        f"ladders: own label {own}/{len(must)}, anything {sum(bool(o.labels) for o in must)}/{len(must)} "
        f"where it must be; alarms {sum(bool(o.labels) for o in clear)}/{len(clear)} where nothing may be"
    )
