"""Every Python example in README.md and docs/ runs as it stands. Those in docstrings are collected by pytest itself."""

import re
from pathlib import Path

import pytest

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
