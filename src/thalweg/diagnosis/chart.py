"""A diagnosis as a person wants to look at it: in a terminal, as JSON, on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from thalweg.data import atomic
from thalweg.diagnosis.sections import sections_of
from thalweg.doctor.finding import Diagnosis
from thalweg.evaluation import page
from thalweg.evaluation.section import Section
from thalweg.fields import dataclass


@dataclass(frozen=True)
class Chart:
    """A diagnosis with all that it rests on.

    Arguments:
        name: of what was looked at.
        further: parts beside the diagnosis.
    """

    name: str
    diagnosis: Diagnosis
    further: tuple[Section, ...] = ()

    def __str__(self) -> str:
        return "\n\n".join(part for section in self._sections() for part in _words(section))

    def show(self) -> None:
        """Print it, drawn on a terminal."""
        for section in self._sections():
            if section.table().rows:
                section.table().show()
            for sentence in section.sentences():
                print(sentence)

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON knows."""
        further = {section.key: section.to_dict() for section in self.further}
        return {"name": self.name, **self.diagnosis.to_dict(), **further}

    def html(self) -> str:
        """A page with pictures, in one piece. Raises MissingPackageError without matplotlib."""
        return page.html(f"Diagnosis of {self.name}", [], self._sections())

    def write(self, path: str | Path) -> None:
        """The page as a file. Raises StorageError; MissingPackageError without matplotlib."""
        atomic.write(path, [self.html().encode()])

    def _sections(self) -> list[Section]:
        return [*sections_of(self.diagnosis), *self.further]


def _words(section: Section) -> list[str]:
    table = [str(section.table())] if section.table().rows else []
    return [*table, *section.sentences()]
