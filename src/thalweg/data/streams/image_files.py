"""Pictures in a folder, decoded when steps need them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, OneOf, check_value
from thalweg.data import picture_folders, pictures
from thalweg.data.pictures import Form, Look
from thalweg.data.streams.rows import NumberedRows
from thalweg.errors import DataError
from thalweg.trees import Tree

__all__ = ["ImageFolder"]

CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}

Side = Annotated[int, In("[1, inf)")]


class ImageFolder(NumberedRows):
    """The pictures in a folder of folders, each named after a class, for ``fit``, ``evaluate`` and ``predict``.

    They are decoded on as many threads as there are cores, a batch or two ahead of the steps. A file that is no picture
    is left out; one that is damaged further inside is an error that names it.

    Arguments:
        folder: that of the classes' folders.
        image_size: (height, width) of all.
        color_mode: ``"grayscale"``, ``"rgb"`` or ``"rgba"``.
        class_names: the classes in the order of their numbers; the folders' names in alphabetical order unless given.
        interpolation: as of ``utils.image_dataset_from_directory``.

    Shapes: x (rows, height, width, channels) uint8; y (rows,) int32.

    Attributes:
        class_names: of the numbers in y.
        file_paths: in the order of the rows.

    Raises: StorageError, DataError or ArgumentError; MissingPackageError without Pillow.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        image_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        class_names: Sequence[str] | None = None,
        interpolation: str = "bilinear",
    ) -> None:
        owner = type(self).__name__
        height, width = check_value(owner, "image_size", tuple[Side, Side], image_size)
        color_mode = check_value(owner, "color_mode", Annotated[str, OneOf(*CHANNELS)], color_mode)
        how = check_value(owner, "interpolation", Annotated[str, OneOf(*pictures.RESAMPLING)], interpolation)
        found = picture_folders.labelled(Path(folder), class_names)
        self.look = pictures.look(found.files)
        self.labels = found.labels[self.look.kept].astype(np.int32)
        self.class_names = list(found.classes)
        self.file_paths = [str(path) for path in self.look.files]
        self.form = Form(height, width, CHANNELS[color_mode], resampling=how)
        size = int(np.prod(self.form.shape))
        super().__init__(f"{owner} {str(folder)!r}", len(self.file_paths), self._taken, size)

    def _taken(self, rows: np.ndarray) -> Tree:
        files = tuple(self.look.files[row] for row in rows.tolist())
        wanted = Look(files, np.arange(len(files)), self.look.sizes[:1] * len(files), self.look.grey[:1] * len(files))
        decoded = pictures.decode(wanted, self.form)
        if decoded.broken:
            name, why = next(iter(decoded.broken.items()))
            raise DataError(
                f"the picture {name!r} cannot be decoded",
                expected="a picture that is whole",
                got=why,
                fix="fetch it again, or take it out of the folder",
            )
        images = decoded.images
        return images if images.ndim == 4 else images[..., None], self.labels[rows]

    def fingerprint(self) -> dict[str, Any]:
        return super().fingerprint() | {"classes": ", ".join(self.class_names)}
