"""Every Python example in README.md and docs/ runs as it stands. Those in docstrings are collected by pytest itself."""

import re
from pathlib import Path

import pytest

import thalweg

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> list:
    """One parameter per example; those that train are slow."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in EXAMPLE.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            name = f"{page.relative_to(ROOT).as_posix()}:{line}"
            marks = [pytest.mark.slow] if ".fit(" in match.group(1) else []
            found.append(pytest.param(match.group(1), name, id=name, marks=marks))
    return found


@pytest.mark.parametrize(("code", "name"), examples())
def test_example_runs(code, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, name, "exec"), {"__name__": "__main__"})


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


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_the_page_for_keras_users_lists_everything(registry):
    text = (ROOT / "docs" / "keras.md").read_text(encoding="utf-8")
    table = text[text.index("## What is there") : text.index("## Your own loss")]
    words = {word.casefold() for word in re.findall(r"\w+", table)}
    ours = [(name, entry) for name, entry in registry.items() if entry.__module__.startswith("thalweg.")]
    spellings = {name: {s for s in registry.spellings() if registry.find(s) is entry} for name, entry in ours}
    assert [
        name
        for name, entry in ours
        if entry.__name__ not in NOT_NAMED_THERE and words.isdisjoint(spellings[name] | {entry.__name__.casefold()})
    ] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page):
    named = re.findall(r"`((?:docs|src|tests|examples|benchmarks)/[\w./-]+)`", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []
