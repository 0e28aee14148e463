"""What commands are given as DATA, by its kind: a data set's name, a file of arrays, a folder of pictures, a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from thalweg import datasets
from thalweg.cli.data import archives, folders, idx_files, images, picture_tables
from thalweg.cli.data.images import Images as Images
from thalweg.cli.data.images import Part as Part
from thalweg.cli.data.images import Pile as Pile
from thalweg.data import image_files, pictures
from thalweg.data.tables.opening import open_table
from thalweg.data.tables.table import Table
from thalweg.errors import FileFormatError, NameNotFoundError, StorageError, did_you_mean

DATASETS: dict[str, Callable[[], tuple[Part, Part]]] = {"mnist": datasets.mnist.load_data}

TABLES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet", ".sqlite", ".sqlite3", ".db", ".duckdb")
"""Ends of the names of tables, perhaps with ``.gz``."""

KINDS = f"{', '.join(DATASETS)}, a table (.csv, .parquet ...), a folder of pictures, a .npz or an idx file"


def is_table(name: str) -> bool:
    """Whether DATA of this name is a table: a file with such an end, or standard input."""
    return name == "-" or (
        Path(name).name.lower().removesuffix(".gz").endswith((*TABLES, ".xlsx", ".xls", ".ods"))
        and not Path(name).is_dir()
    )


def load(
    name: str,
    size: tuple[int, int] | pictures.Form | None = None,
    progress: pictures.Progress | None = None,
    target: Sequence[str] | None = None,
    query: str | None = None,
) -> Images | Pile | Table:
    """The data of this name, or of this file or folder; a table that is about images as these.

    Arguments:
        size: (height, width) to bring pictures to, or their whole form; by themselves unless given.
        progress: told how many pictures of a folder are read.
        target: the columns to be told, of a table.
        query: of a database.

    Raises: NameNotFoundError for another name; StorageError, FileFormatError, ShapeError or DataError naming the file.
    """
    if is_table(name):
        table = open_table(name, query=query)
        classes = target[0] if target else None
        if (target is None or len(target) == 1) and picture_tables.holds_images(table, classes, size):
            return picture_tables.load(table, Path(name).parent, classes, size, progress)
        return table
    return images_of(name, size, progress)


def images_of(
    name: str, size: tuple[int, int] | pictures.Form | None = None, progress: pictures.Progress | None = None
) -> Images | Pile:
    """The images of this name, or of this file or folder. As ``load``; a table is no images."""
    path = Path(name)
    if name in DATASETS:
        train, test = DATASETS[name]()
        return Images(name, train, test, images.numbered(1 + int(max(train[1].max(), test[1].max()))))
    if path.is_dir():
        return idx_files.load(path) if idx_files.holds_idx(path) else folders.load(path, size, progress)
    if image_files.is_idx(path):
        return idx_files.load(path)
    if name.endswith(".npz"):
        return archives.load(name)
    if is_table(name):
        raise no_images(name)
    if path.exists() or "/" in name or path.suffix:
        raise StorageError(
            f"{name!r} is nothing to train on" if path.exists() else f"{name!r} is not there",
            expected=KINDS,
            got=f"a file that ends in {path.suffix!r}" if path.exists() else "no such file or folder",
            fix="check the path",
        )
    raise NameNotFoundError("there are no such data", expected=KINDS, got=repr(name), fix=did_you_mean(name, DATASETS))


def no_images(name: str) -> FileFormatError:
    """The error for a table where images are wanted."""
    return FileFormatError(
        f"{name!r} holds no images",
        expected="images: a folder of pictures, a .npz or idx file, or a table of pixels or file names",
        got="another table",
        fix="give the images that the model is for",
    )
