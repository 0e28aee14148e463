"""Arrays out of pickles, without running what is in them."""

from __future__ import annotations

import codecs
import io
import os
import pickle
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import numpy as np

from thalweg.errors import FileFormatError, StorageError

_remake: Any = np.zeros(0).__reduce__()[0]  # its module has another name in each version of NumPy


def _encoded(text: Any, encoding: Any = "latin1") -> bytes:
    """What Python 3 writes bytes as for Python 2."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes encoded as {encoding!r:.20}")
    return codecs.encode(text, "latin1")


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _remake,
    ("numpy._core.multiarray", "_reconstruct"): _remake,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encoded,
}
"""All that a pickle may call: what makes arrays and bytes. Lists, dicts, numbers and texts need nothing."""


class Unpickler(pickle.Unpickler):
    """Makes lists, dicts, numbers, texts and arrays, and refuses a pickle that asks for anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which is no part of an array")
        return _ALLOWED[module, name]


def load(file: IO[bytes]) -> Any:
    """What is in a pickle; texts of Python 2 as bytes. Raises as pickles do."""
    return Unpickler(file, encoding="bytes").load()


def load_npz(path: str, names: Sequence[str]) -> list[np.ndarray]:
    """The arrays of these names in a ``.npz`` file; arrays of lists too, which NumPy keeps as pickles.

    Raises: StorageError, FileFormatError.
    """
    with reading(path), zipfile.ZipFile(path) as archive:
        return [_array(archive.read(f"{name}.npy")) for name in names]


def _array(content: bytes) -> np.ndarray:
    file = io.BytesIO(content)
    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = header[np.lib.format.read_magic(file)](file)
    if not dtype.hasobject:
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)
    array = load(file)
    if not isinstance(array, np.ndarray) or array.shape != shape:
        raise pickle.UnpicklingError(f"no array of shape {shape}")
    return array


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turns whatever bad bytes cause into a FileFormatError that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise StorageError(
            f"{os.path.basename(path)!r} cannot be read",
            expected=f"the file {path}",
            got=str(error),
            fix="put it there",
        ) from error
    except (
        *(pickle.UnpicklingError, zipfile.BadZipFile, zlib.error, EOFError, OSError, UnicodeError),
        *(ValueError, TypeError, LookupError, AttributeError, OverflowError, NotImplementedError, RecursionError),
    ) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(
            f"{path!r} is no data set of this kind",
            expected="the file as Keras has it",
            got=f"{type(error).__name__}: {error}"[:200],
            fix="get it again: it is damaged, or another file of the same name",
        ) from error
