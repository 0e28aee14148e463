"""docs/diagnosis.md: its table of rules is what the rules say of themselves."""

from pathlib import Path

from thalweg.doctor.rules import rules

PAGE = Path(__file__).parents[3] / "docs" / "diagnosis.md"
SPEAKS = {"any": "always", "short": "when something is missing", "fails": "when training fails"}


def table() -> str:
    """A row for each rule, root causes first."""
    rows = ["| code | speaks | evidence | threshold | to try |", "|---|---|---|---|---|"]
    for code, rule in rules().items():
        rows.append(f"| `{code}` | {SPEAKS[rule.when]} | {rule.evidence} | {rule.threshold} | {rule.change} |")
    return "\n".join(rows)


def test_the_page_about_the_rules_shows_them_as_they_are() -> None:
    assert table() in PAGE.read_text()
