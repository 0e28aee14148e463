"""Every Python example in README.md and docs/ runs as it stands, and prints the text block that follows right after it.

Examples marked ``python continued`` go on where the one before has ended. Those in docstrings are collected by pytest
itself.
"""

import contextlib
import doctest
import io
import re
from pathlib import Path
from typing import NamedTuple

import pytest

import thalweg

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLE = re.compile(
    r"^```python(?P<continued> continued)?\n(?P<code>.*?)^```$(?:\n\n```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
EXCERPT = re.compile(r"^```py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    name: str  # page and line
    code: str
    output: str | None  # what the page says that it prints; "..." stands for anything


def examples() -> list:
    """One parameter per example and those that go on with it; slow if they train."""
    groups: list[list[Example]] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in EXAMPLE.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            example = Example(f"{page.relative_to(ROOT).as_posix()}:{line}", match["code"], match["output"])
            if match["continued"]:
                groups[-1].append(example)
            else:
                groups.append([example])
    return [
        pytest.param(
            group,
            id=group[0].name,
            marks=[pytest.mark.slow] if any(".fit(" in example.code for example in group) else [],
        )
        for group in groups
    ]


@pytest.mark.parametrize("group", examples())
def test_examples_run_and_print_what_the_page_says(group, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for example in group:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(example.code, example.name, "exec"), names)
        if example.output is not None:
            check_output(example, printed.getvalue().rstrip() + "\n")


def check_output(example: Example, printed: str) -> None:
    checker, rules = doctest.OutputChecker(), doctest.ELLIPSIS | doctest.REPORT_UDIFF
    assert example.output is not None, "asked for examples with an output"
    if not checker.check_output(example.output, printed, rules):
        wanted = doctest.Example(example.code, example.output)
        pytest.fail(f"{example.name}\n{checker.output_difference(wanted, printed, rules)}")


def test_the_readme_has_both_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert ".venv/bin/thalweg train mnist" in text
    assert "pip install -e '.[test]' && .venv/bin/python -m pytest" in text


REGISTRIES = (
    thalweg.layers.registry,
    thalweg.activations.registry,
    thalweg.losses.registry,
    thalweg.metrics.registry,
    thalweg.optimizers.registry,
    thalweg.optimizers.schedules.registry,
    thalweg.initializers.registry,
    thalweg.regularizers.registry,
    thalweg.constraints.registry,
)
NOT_NAMED_THERE = {"MeanLoss", "Nested"}  # what a metric that is a loss, and a model that is a layer, become


KERAS_PAGE = ROOT / "docs" / "keras.md"


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_the_page_for_keras_users_lists_everything(registry, request):
    """With ``--update-golden`` what is missing is added at the end of its row."""
    text = KERAS_PAGE.read_text(encoding="utf-8")
    missing = not_named(registry, text[text.index("## What is there") : text.index("## Your own loss")])
    if missing and request.config.getoption("--update-golden"):
        KERAS_PAGE.write_text(named_in_row(text, registry.kind, missing), encoding="utf-8")
        missing = []
    assert missing == []


def not_named(registry, table: str) -> list[str]:
    """Of everything that thalweg registers what the table has under none of its names."""
    words = {word.casefold() for word in re.findall(r"\w+", table)}
    ours = [entry for _, entry in registry.items() if entry.__module__.startswith("thalweg.")]
    spellings = {entry: {s for s in registry.spellings() if registry.find(s) is entry} for entry in ours}
    return [
        entry.__name__
        for entry in ours
        if entry.__name__ not in NOT_NAMED_THERE and words.isdisjoint(spellings[entry] | {entry.__name__.casefold()})
    ]


def named_in_row(text: str, kind: str, names: list[str]) -> str:
    """The page with names added to the row of a kind, before what the row says after its names."""
    row = next(line for line in text.splitlines() if re.match(rf"\| {kind}(s|es|\b) \|", line))
    listed, end, rest = row.partition(";") if ";" in row else (row.removesuffix(" |"), " |", "")
    return text.replace(row, ", ".join([listed, *(f"`{name}`" for name in names)]) + end + rest)


def test_names_are_added_to_the_row_of_their_kind():
    page = "| layers | `A` |\n| losses | `b`, `c` (`d`); or a function |\n"
    assert named_in_row(page, "layer", ["B", "C"]) == page.replace("`A`", "`A`, `B`, `C`")
    assert named_in_row(page, "loss", ["e"]) == page.replace("(`d`)", "(`d`), `e`")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page):
    named = re.findall(r"`((?:docs|src|tests|examples|benchmarks)/[\w./-]+)`", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_excerpts_are_the_source_as_it_stands():
    """Blocks marked ``py``, in docs/style.md, are read and not run."""
    excerpts = [block for page in PAGES for block in EXCERPT.findall(page.read_text(encoding="utf-8"))]
    sources = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py"))]
    assert excerpts
    assert [text for text in excerpts if not any(text in source for source in sources)] == []
