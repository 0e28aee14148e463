"""Pictures in folders: one folder for each class, perhaps below train/ and test/."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from thalweg.cli.data.images import Images, Pile, given
from thalweg.data import picture_folders, pictures
from thalweg.data.picture_folders import Labelled
from thalweg.fields import dataclass


def load(
    folder: Path, size: tuple[int, int] | pictures.Form | None = None, progress: pictures.Progress | None = None
) -> Images | Pile:
    """The pictures of a folder, of one size, with their classes.

    Arguments:
        size: (height, width) to bring them to; their own, or what most have, made small, unless given.

    Raises: as ``picture_folders.labelled`` and ``pictures.decode``.
    """
    parts = picture_folders.parts(folder)
    found = picture_folders.labelled(parts[0] if parts else folder)
    train = read(found.files, found.labels, found.classes, size, progress)
    notes = [*train.notes, *_others(found)]
    if parts is None:
        return Pile(str(folder), train.x, train.y, train.classes, train.names, tuple(notes))
    found = picture_folders.labelled(parts[1])
    test = read(found.files, found.labels, found.classes, train.form, progress)
    notes += [*test.notes, *_others(found)]
    if unknown := sorted(set(test.classes) - set(train.classes)):
        notes.append(f"Classes without pictures to train on are not judged: {', '.join(unknown[:3])}.")
    known = np.array([name in train.classes for name in test.classes])[test.y]
    numbers = np.array([train.classes.index(name) if name in train.classes else -1 for name in test.classes])
    names = tuple(name for name, wanted in zip(test.names, known, strict=True) if wanted)
    return given(
        str(folder),
        (train.x, train.y),
        (test.x[known], numbers[test.y[known]]),
        train.classes,
        names,
        tuple(notes),
    )


@dataclass(frozen=True)
class Read:
    """Decoded pictures.

    Attributes:
        classes: those of which there is a picture.
        form: what the pictures were brought to.
    """

    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...]
    names: tuple[str, ...]
    form: pictures.Form
    notes: tuple[str, ...]


def read(
    files: tuple[Path, ...],
    labels: np.ndarray,
    classes: tuple[str, ...],
    size: tuple[int, int] | pictures.Form | None,
    progress: pictures.Progress | None = None,
) -> Read:
    """The pictures of these files; what was changed and left out is said in ``notes``."""
    looked = pictures.look(files)
    form = size if isinstance(size, pictures.Form) else looked.form(size)
    decoded = pictures.decode(looked, form, progress)
    y = labels[decoded.kept]
    present = np.unique(y)
    notes = [*looked.notes(form)]
    if told := pictures.told_of_broken(decoded.broken):
        notes.append(told)
    if len(present) < len(classes):
        gone = [name for number, name in enumerate(classes) if number not in present]
        notes.append(f"Classes without pictures are left out: {', '.join(gone[:3])}{' ...' if len(gone) > 3 else ''}.")
    return Read(
        decoded.images,
        np.searchsorted(present, y),
        tuple(classes[number] for number in present),
        tuple(map(str, decoded.files)),
        form,
        tuple(notes),
    )


def _others(found: Labelled) -> list[str]:
    return [f"Left out, as they are no pictures by their names: {found.others:,}."] if found.others else []
