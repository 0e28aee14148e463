"""Folders of pictures as arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from thalweg.checks import FilePath, In, OneOf, checked
from thalweg.data import picture_folders, pictures
from thalweg.data.picture_folders import Labelled
from thalweg.errors import ArgumentError, ShapeError
from thalweg.utils.arrays import to_categorical

CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
Size = Annotated[int, In("[1, inf)")]


class ImageDataset(tuple[Any, ...]):
    """Images and labels, ``x, y = dataset``; ``fit(*dataset)`` trains on them and ``validation_data=dataset`` judges.

    Attributes:
        class_names: of the numbers in ``y``.
        file_paths: of each image.
    """

    class_names: list[str]
    file_paths: list[str]


@checked
def image_dataset_from_directory(
    directory: FilePath,
    labels: Any = "inferred",
    label_mode: Annotated[str, OneOf("int", "categorical", "binary")] | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: Annotated[str, OneOf("grayscale", "rgb", "rgba")] = "rgb",
    batch_size: Size | None = 32,
    image_size: tuple[Size, Size] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: Annotated[float, In("(0, 1)")] | None = None,
    subset: Annotated[str, OneOf("training", "validation", "both")] | None = None,
    interpolation: Annotated[str, OneOf(*pictures.RESAMPLING)] = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: Annotated[str, OneOf("channels_last", "channels_first")] | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """The pictures of a folder of folders, each named after a class, as arrays of one size. Arguments as in Keras.

    The arrays lie in memory, as bytes: no batches, and nothing is read twice. A picture that cannot be read is left
    out and named. Files and their order, also the shuffled one, are those of Keras.

    Shapes: images (n, height, width, channels) uint8, 0 to 255. Labels (n,) int32; (n, classes) float32 for
        ``"categorical"``; (n, 1) float32 for ``"binary"``.

    Arguments:
        labels: ``"inferred"`` from the folders, None for images alone, or a whole number for each picture below the
            folder in the order of their paths.
        subset: of ``validation_split``; ``"both"`` gives two.
        batch_size, format: accepted; ``fit`` cuts batches.

    Returns: an ``ImageDataset``, which unpacks to ``x, y``; of ``subset="both"`` two; without labels only the images.

    Raises: StorageError, DataError or ArgumentError; MissingPackageError without Pillow.
    """
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise _clash("crop_to_aspect_ratio and pad_to_aspect_ratio are given both", "one of them, or none")
    if (validation_split is None) != (subset is None):
        raise _clash("validation_split and subset belong together", "both, or none of them")
    if validation_split is not None and shuffle and seed is None:
        raise _clash("the parts of a shuffled folder overlap unless they have one seed", "seed= with validation_split=")
    found = _found(Path(os.fspath(directory)), labels, label_mode, class_names, follow_links)
    order = np.arange(len(found.files))
    if shuffle:
        np.random.RandomState(seed).shuffle(order)
    if verbose:
        print(f"Found {len(order)} files" + (f" belonging to {len(found.classes)} classes." if found.classes else "."))
    how = "crop" if crop_to_aspect_ratio else "pad" if pad_to_aspect_ratio else "stretch"
    form = pictures.Form(*image_size, CHANNELS[color_mode], how, interpolation)
    held = int((validation_split or 0) * len(order))
    rows = {"training": order[: len(order) - held], "validation": order[len(order) - held :], None: order}
    wanted = ("training", "validation") if subset == "both" else (subset,)
    made = [
        _dataset(found, rows[part], form, label_mode if labels is not None else None, data_format) for part in wanted
    ]
    return tuple(made) if subset == "both" else made[0]


def _found(
    directory: Path, labels: Any, label_mode: str | None, class_names: Sequence[str] | None, follow_links: bool
) -> Labelled:
    if isinstance(labels, str) and labels == "inferred":
        found = picture_folders.labelled(directory, class_names, follow_links)
    else:
        if class_names is not None:
            raise _clash("class_names is given without labels='inferred'", "class_names only for folders of classes")
        files, others = picture_folders.listing(directory, follow_links)
        numbers = np.zeros(len(files), np.int64) if labels is None else np.asarray(labels)
        if numbers.shape != (len(files),) or numbers.dtype.kind not in "iu":
            raise ShapeError(
                "the labels do not fit the files",
                expected=f"{len(files)} whole numbers, one for each picture in the order of their paths",
                got=f"shape {numbers.shape}, {numbers.dtype}",
                fix="pass labels='inferred' for a folder for each class, or labels=None",
            )
        classes = () if labels is None else tuple(str(number) for number in np.unique(numbers))
        found = Labelled(tuple(files), numbers, classes, others)
    if labels is not None and label_mode == "binary" and len(found.classes) != 2:
        raise ArgumentError(
            "label_mode='binary' is for two classes",
            expected="two classes",
            got=f"{len(found.classes)}",
            fix="pass label_mode='int' or 'categorical'",
        )
    return found


def _dataset(
    found: Labelled, rows: np.ndarray, form: pictures.Form, label_mode: str | None, data_format: str | None
) -> Any:
    read = pictures.decode(pictures.look(found.files[row] for row in rows), form)
    if told := pictures.told_of_broken(read.broken):
        print(told)
    x = read.images[..., None] if form.channels == 1 else read.images
    x = x.transpose(0, 3, 1, 2) if data_format == "channels_first" else x
    if label_mode is None:
        return x
    numbers = found.labels[rows][read.kept]
    y: np.ndarray = numbers.astype(np.int32)
    if label_mode == "categorical":
        y = to_categorical(numbers, len(found.classes)).astype(np.float32)
    elif label_mode == "binary":
        y = numbers.astype(np.float32)[:, None]
    dataset = ImageDataset((x, y))
    dataset.class_names = list(found.classes)
    dataset.file_paths = [str(file) for file in read.files]
    return dataset


def _clash(problem: str, expected: str) -> ArgumentError:
    return ArgumentError(
        f"image_dataset_from_directory: {problem}",
        expected=expected,
        got="arguments that do not go together",
        fix="change one of them",
    )
