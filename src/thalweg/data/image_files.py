"""Image files of every kind for a model that takes images: pictures, folders of them, arrays of NumPy, idx files."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from thalweg.data import idx, numpy_files, opening, picture_folders, pictures
from thalweg.data.numpy_files import reading
from thalweg.errors import FileFormatError, ShapeError
from thalweg.fields import dataclass

__all__ = ["ImageFiles", "Shape", "is_idx", "read_all", "read_idx"]

LIMIT_BYTES = 1 << 30
"""What a packed file of images may unpack to."""

Shape = tuple[int | None, ...]
"""Of an image as the model takes it; None where any size will do."""

WANTED = "a picture that Pillow can read, a folder of them, a .npy or an idx file"


@dataclass(frozen=True)
class ImageFiles:
    """Images with a name for each, ``file`` or ``file[3]``.

    Attributes:
        told: which files could not be read; empty if all could.
    """

    names: tuple[str, ...]
    images: np.ndarray
    told: str = ""


def read_all(files: Sequence[Path], shape: Shape, progress: pictures.Progress | None = None) -> ImageFiles:
    """The images of all files, in their order. Broken pictures are left out as long as there are others.

    Arguments:
        shape: of one image, as the model takes it: (height, width) or (height, width, channels).

    Raises: StorageError, FileFormatError or ShapeError naming the file; DataError if none is left;
        MissingPackageError without Pillow.
    """
    files = [inner for file in files for inner in (picture_folders.listing(file)[0] if file.is_dir() else [file])]
    arrays = {file: _arrays(file, shape) for file in files if _holds_arrays(file)}
    several = [file for file in files if file not in arrays]
    broken: dict[str, str] = {}
    if several or not arrays:
        read = _pictures(several, shape, progress)
        broken = read.broken
        arrays |= {file: image[None] for file, image in zip(read.files, read.images, strict=True)}
    order = [file for file in files if file in arrays]
    _require_one_size(arrays[file].shape[1:] for file in order)
    names = [name for file in order for name in _names(file, len(arrays[file]))]
    return ImageFiles(tuple(names), np.concatenate([arrays[file] for file in order]), pictures.told_of_broken(broken))


def is_idx(file: Path) -> bool:
    """Whether it is named as idx files are: ``t10k-images-idx3-ubyte.gz``, ``images.idx``."""
    return file.name.lower().removesuffix(".gz").endswith(("-ubyte", ".idx"))


def read_idx(file: Path) -> np.ndarray:
    """The array of an idx file, which may be packed. Raises StorageError or FileFormatError."""
    return idx.decode(_content(file), file.name)


def _holds_arrays(file: Path) -> bool:
    return file.name.lower().endswith(".npy") or is_idx(file)


def _arrays(file: Path, shape: Shape) -> np.ndarray:
    """(images, *shape) from one file."""
    return _fitting(numpy_files.read_array(file) if file.suffix.lower() == ".npy" else read_idx(file), shape, file)


def _names(file: Path, count: int) -> list[str]:
    return [str(file)] if count == 1 else [f"{file}[{i}]" for i in range(count)]


def _pictures(files: Sequence[Path], shape: Shape, progress: pictures.Progress | None) -> pictures.Pictures:
    """In the model's channels, brought to its size where it has one."""
    if len(shape) not in (2, 3):
        raise ShapeError(
            "this model takes no images",
            expected="an input of shape (height, width) or (height, width, channels)",
            got=f"an input of shape {shape}",
            fix="pass the data as a .npy file",
        )
    for file in files:  # missing or not permitted is a slip of the pen, and no damage
        with reading(file, WANTED), opening.plain(file):
            pass
    found = pictures.look(files)
    height, width = found.sizes[0]
    if None in shape[:2]:
        _require_one_size(found.sizes)
    channels = 1 if len(shape) == 2 else shape[2] or 1
    form = pictures.Form(shape[0] or height, shape[1] or width, channels)
    read = pictures.decode(found, form, progress)
    if len(shape) == 3 and channels == 1:
        return pictures.Pictures(read.images[..., None], read.files, read.kept, read.broken)
    return read


def _require_one_size(sizes: Iterable[tuple[int, ...]]) -> None:
    several = set(sizes)
    if len(several) > 1:
        raise ShapeError(
            "the images have several sizes",
            expected="one size in one call, because the model is compiled for each",
            got=" and ".join(map(str, sorted(several))),
            fix="call predict for the images of each size",
        )


def _content(file: Path) -> bytes:
    """The bytes of an idx file, unpacked if it is packed."""
    with reading(file, "a whole gzip file" if file.suffix == ".gz" else "a file"), open(file, "rb") as stream:
        if file.suffix != ".gz":
            return stream.read()
        with gzip.GzipFile(fileobj=stream) as packed:
            content = packed.read(LIMIT_BYTES + 1)
    if len(content) > LIMIT_BYTES:
        raise FileFormatError(
            f"{str(file)!r} is very large when unpacked",
            expected=f"at most {LIMIT_BYTES:,} bytes",
            got="more",
            fix="unpack it, and cut it into parts",
        )
    return content


def _fitting(array: np.ndarray, shape: Shape, file: Path) -> np.ndarray:
    """One image or many as many."""
    if _fits(array.shape, shape):
        return array[None]
    if _fits(array.shape[1:], shape) and len(array):
        return array
    raise ShapeError(
        f"the array in {str(file)!r} is no image for this model",
        expected=f"{shape}, or (images, {', '.join(map(str, shape))})",
        got=str(array.shape),
        fix="resize the images first",
    )


def _fits(given: tuple[int, ...], shape: Shape) -> bool:
    return len(given) == len(shape) and all(n in (None, m) for n, m in zip(shape, given, strict=True))
