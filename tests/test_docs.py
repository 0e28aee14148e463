"""Every Python example in README.md and docs/ runs as it stands, and prints the text block that follows right after it.

Examples marked ``python continued`` go on where the one before has ended. Those in docstrings are collected by pytest
itself. Blocks marked ``console`` have commands after ``$``, which are run one after the other, page by page, and what
they print.
"""

import contextlib
import doctest
import io
import re
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from thalweg.cli import app as cli

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLE = re.compile(
    r"^```python(?P<continued> continued)?\n(?P<code>.*?)^```$(?:\n\n```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (?P<command>.*)\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)
EXCERPT = re.compile(r"^```py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    name: str  # page and line
    code: str
    output: str | None  # what the page says that it prints; "..." stands for anything


NEEDS = {"docs/devices.md": ("jax",), "docs/sklearn.md": ("sklearn", "pandas"), "docs/search.md": ("optuna",)}
"""What the examples of a page need beside thalweg."""


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
            marks=[
                *([pytest.mark.slow] if any(".fit(" in example.code for example in group) else []),
                *(pytest.mark.needs(package) for package in NEEDS.get(group[0].name.partition(":")[0], ())),
            ],
        )
        for group in groups
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty one to work in, but for the tables that come with the repository."""
    (tmp_path / "examples").mkdir()
    for table in (ROOT / "examples").glob("*.csv"):
        shutil.copy(table, tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("group", examples())
def test_examples_run_and_print_what_the_page_says(group, folder):
    names = {"__name__": "__main__"}
    for example in group:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(example.code, example.name, "exec"), names)
        if example.output is not None:
            check_output(example, printed.getvalue().rstrip() + "\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if CONSOLE.search(page.read_text(encoding="utf-8"))], ids=lambda page: page.name
)
def test_commands_run_and_print_what_the_page_says(page, folder):
    blocks = CONSOLE.findall(page.read_text(encoding="utf-8"))
    for command, output in (found for block in blocks for found in COMMAND.findall(block)):
        printed = run(shlex.split(command))
        if output:
            check_output(Example(f"{page.name}: {command}", command, output), printed.rstrip() + "\n")


def run(words: list[str]) -> str:
    """What a command prints: one of thalweg, in this process, or ``head -N FILE``."""
    if words[0] == "head":
        lines = Path(words[2]).read_text(encoding="utf-8").splitlines()
        return "\n".join(lines[: int(words[1].removeprefix("-"))])
    assert words[0] == "thalweg", words
    result = CliRunner().invoke(cli.app, words[1:])
    assert result.exit_code == 0, result.output
    return result.stdout


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
