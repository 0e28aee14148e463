"""The safetensors format: named arrays and a map of strings in one file, with nothing in it that could run.

Layout: 8 bytes, the header's length as a little-endian integer; the header, a JSON object that maps each name to
``{"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}`` and ``"__metadata__"`` to strings; then the arrays'
bytes, to which the offsets refer. Source: https://github.com/huggingface/safetensors, "Format".

Files that are written here also say a CRC-32 of each array, with its name, dtype and shape, and of the strings: JSON
under ``"crc32"`` among the strings. It finds damage, not intent. Files without it, other programs', are read as well.

A file is taken as hostile. The header is not given to a JSON library, which would build whatever it holds (100 MB of
``[],[],[],`` are gigabytes of lists) before anything can be checked; it is read by a parser that knows only this
grammar and stops at the first byte outside it.
"""

from __future__ import annotations

import json
import math
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from io import BufferedReader

import numpy as np

from thalweg.data import atomic, opening
from thalweg.errors import ArgumentError, DTypeError, FileFormatError, StorageError
from thalweg.fields import dataclass

__all__ = ["MAX_HEADER_BYTES", "MAX_TENSORS", "read", "write"]

# The format's own limit, as in the reference implementation (MAX_HEADER_SIZE).
MAX_HEADER_BYTES = 100_000_000
# A layer has a handful of arrays. Keeps what a hostile header can make us build to some 50 MB.
MAX_TENSORS = 100_000

_METADATA = "__metadata__"
_CHECKSUMS = "crc32"
# NumPy has no bfloat16 or float8, which the format knows as well.
_DTYPES = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "F16": np.dtype("<f2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "F32": np.dtype("<f4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F64": np.dtype("<f8"),
}
_DTYPE_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def write(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write arrays and strings into one file, atomically: if it fails, an older file of that name stands unchanged.

    The same content gives the same bytes, whatever the order of the mappings.

    Raises:
        ArgumentError: if a name or a metadata entry is not a string, or a name is ``"__metadata__"``.
        DTypeError: if the format has no name for an array's dtype (objects, strings, complex numbers).
        StorageError: if the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     write(f"{directory}/w", {"kernel": np.ones((2, 2), np.float32)}, {"epoch": "3"})
        ...     arrays, metadata = read(f"{directory}/w")
        >>> arrays["kernel"].shape, metadata
        ((2, 2), {'epoch': '3'})
    """
    stored = {name: _storable(name, array) for name, array in arrays.items()}
    # The widest dtypes first: then every array is aligned to its own items, as the header is padded to 8 bytes.
    names = sorted(stored, key=lambda name: (-stored[name].itemsize, name))
    header = _encode_header([(name, stored[name]) for name in names], _checksummed(stored, metadata))
    atomic.write(path, _chunks(header, [stored[name] for name in names]))


def _checksummed(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> dict[str, str]:
    """The strings, with the checksums among them."""
    for key, text in metadata.items():
        _require_string("a metadata key", key)
        _require_string(f"the metadata entry {key!r}", text)
    if _CHECKSUMS in metadata:
        raise ArgumentError(
            f"a metadata entry cannot be called {_CHECKSUMS!r}",
            expected="any other name",
            got=repr(_CHECKSUMS),
            fix="call it otherwise: the checksums of the arrays have this name",
        )
    checksums = {name: _checksum(name, array) for name, array in sorted(arrays.items())}
    checksums[_METADATA] = _checksum_of_strings(metadata)
    return {**metadata, _CHECKSUMS: json.dumps(checksums, separators=(",", ":"))}


def _checksum(name: str, array: np.ndarray) -> str:
    """Of an array as it is stored, and of what the header says of it."""
    described = f"{name}\n{_DTYPE_NAMES[array.dtype]}\n{list(array.shape)}\n".encode()
    return f"{zlib.crc32(_bytes_of(array), zlib.crc32(described)):08x}"


def _checksum_of_strings(metadata: Mapping[str, str]) -> str:
    return f"{zlib.crc32(json.dumps(dict(sorted(metadata.items()))).encode()):08x}"


def _storable(name: str, array: np.ndarray) -> np.ndarray:
    """The array as its bytes go into the file: little-endian, C order."""
    _require_string("an array's name", name)
    if name == _METADATA:
        raise ArgumentError(
            f"an array cannot be named {_METADATA!r}",
            expected="any other name",
            got=repr(name),
            fix="rename the array: the format keeps this name for its strings",
        )
    dtype = np.asarray(array).dtype.newbyteorder("<")
    if dtype not in _DTYPE_NAMES:
        raise DTypeError(
            f"the array {name!r} cannot be stored",
            expected=f"one of {', '.join(dtype.name for dtype in _DTYPE_NAMES)}",
            got=dtype.name,
            fix="convert it with .astype(...) first",
        )
    return np.asarray(array, dtype=dtype, order="C")


def _require_string(what: str, value: object) -> None:
    if not isinstance(value, str):
        raise ArgumentError(
            f"{what} is not a string",
            expected="a string",
            got=f"{value!r:.80} ({type(value).__name__})",
            fix="convert it with str(...) or json.dumps(...)",
        )


def _encode_header(arrays: list[tuple[str, np.ndarray]], metadata: Mapping[str, str]) -> bytes:
    header: dict[str, object] = {_METADATA: dict(sorted(metadata.items()))}
    begin = 0
    for name, array in arrays:
        end = begin + array.nbytes
        header[name] = {"dtype": _DTYPE_NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [begin, end]}
        begin = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    if len(encoded) > MAX_HEADER_BYTES or len(arrays) > MAX_TENSORS:
        raise ArgumentError(
            "there is too much to describe for one safetensors file",
            expected=f"a header of at most {MAX_HEADER_BYTES} bytes, at most {MAX_TENSORS} arrays",
            got=f"{len(encoded)} bytes, {len(arrays)} arrays",
            fix="put the long texts or some of the arrays into another file",
        )
    return encoded


def _chunks(header: bytes, arrays: list[np.ndarray]) -> Iterator[bytes | memoryview]:
    yield len(header).to_bytes(8, "little")
    yield header
    for array in arrays:
        yield _bytes_of(array)


def _bytes_of(array: np.ndarray) -> memoryview:
    """The memory of a C-contiguous array."""
    return array.reshape(-1).view(np.uint8).data


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata of a file, the arrays in the order in which they lie in it.

    Nothing of the arrays is allocated before the header has been found to describe exactly this file, so a short
    file cannot ask for much memory. Each array has its own memory, aligned and writable.

    Raises:
        StorageError: if the file cannot be opened or read.
        FileFormatError: if it is not, to the last byte, a safetensors file with dtypes that NumPy has, or if an array
            is not the one that was written.
    """
    name = os.fspath(path)
    try:
        with opening.plain(name) as file:
            return _read_file(file, name)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"cannot read {name!r}",
            expected="a file that exists and may be read",
            got=error.strerror or str(error),
            fix="check the path and the permissions",
        ) from error


def _read_file(file: BufferedReader, source: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    file_bytes = os.fstat(file.fileno()).st_size
    header_bytes = int.from_bytes(_read_exactly(file, 8, source), "little")
    if header_bytes > min(MAX_HEADER_BYTES, file_bytes - 8):
        raise _malformed(
            source,
            "its header does not fit",
            f"a header of at most {MAX_HEADER_BYTES} bytes inside the file's {file_bytes}",
            f"a header length of {header_bytes}",
        )
    tensors, metadata = _Header(_read_exactly(file, header_bytes, source), source).parse()
    tensors.sort(key=lambda tensor: (tensor.begin, tensor.end))
    _check_coverage(tensors, file_bytes - 8 - header_bytes, source)
    arrays = {tensor.name: _read_array(file, tensor, source) for tensor in tensors}
    checksums = metadata.pop(_CHECKSUMS, None)
    if checksums is not None:
        _verify(checksums, arrays, metadata, source)
    return arrays, metadata


def _verify(checksums: str, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str], source: str) -> None:
    """Raises FileFormatError that names the first array which is not what was written."""
    try:
        wanted = json.loads(checksums)
    except (ValueError, RecursionError):
        wanted = None
    if not isinstance(wanted, dict):
        raise _malformed(source, "its checksums are damaged", "a mapping in JSON", f"{checksums!r:.60}")
    found = {name: _checksum(name, array) for name, array in arrays.items()}
    found[_METADATA] = _checksum_of_strings(metadata)
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            what = "its description" if name == _METADATA else f"the array {name!r}"
            problem = f"{what} is damaged" if name in found else f"{what} is missing"
            raise _malformed(source, problem, f"the checksum {wanted.get(name)!r:.20}", f"{found.get(name)!r}")


@dataclass(frozen=True)
class _Tensor:
    """One entry of the header; begin and end are bytes from the header's end."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


def _check_coverage(tensors: list[_Tensor], data_bytes: int, source: str) -> None:
    """Check that the arrays, in the order of their offsets, fill the data with no gap, overlap or rest."""
    at = 0
    for tensor in tensors:
        # Python's integers do not overflow, however large the sizes are.
        size = math.prod(tensor.shape) * tensor.dtype.itemsize
        where = f"the array {tensor.name!r}"
        got = f"data_offsets [{tensor.begin}, {tensor.end}]"
        if tensor.end - tensor.begin != size:
            expected = f"{size} bytes for the shape {tensor.shape} of {tensor.dtype.name}"
            raise _malformed(source, f"{where} has the wrong number of bytes", expected, got)
        if tensor.begin != at:
            raise _malformed(source, f"{where} leaves a gap or overlaps another", f"it to begin at {at}", got)
        if tensor.end > data_bytes:
            raise _malformed(source, f"{where} ends after the file", f"at most {data_bytes} bytes of data", got)
        at = tensor.end
    if at != data_bytes:
        raise _malformed(source, "there are bytes after the last array", f"{at} bytes of data", f"{data_bytes}")


def _read_array(file: BufferedReader, tensor: _Tensor, source: str) -> np.ndarray:
    try:
        array = np.empty(tensor.shape, tensor.dtype)
    except ValueError as error:  # too many dimensions, or too large ones beside a 0
        raise _malformed(source, f"the array {tensor.name!r} cannot exist", "a possible shape", str(error)) from error
    if file.readinto(_bytes_of(array)) != array.nbytes:
        raise _malformed(source, "it became shorter while being read", f"{tensor.end} bytes of data", "fewer")
    # A bool that is neither 0 nor 1 would be true to `if` and unequal to True.
    if tensor.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
        raise _malformed(source, f"the array {tensor.name!r} is not boolean", "bytes 0 and 1", "others")
    return array


def _read_exactly(file: BufferedReader, count: int, source: str) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise _malformed(source, "it is cut off", f"at least {count} bytes here", f"{len(data)} bytes")
    return data


def _malformed(source: str, problem: str, expected: str, got: str) -> FileFormatError:
    return FileFormatError(
        f"{source!r} is not a whole safetensors file: {problem}",
        expected=expected,
        got=got,
        fix="make or fetch the file again; nothing of it was used",
    )


_JSON = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_INTEGER = re.compile(r"(0|[1-9][0-9]{0,18})(?![0-9.eE])")  # below 10**19: no integer that takes long to convert


class _Header:
    """A parser for the header: one method per rule of its grammar, each leaving ``at`` behind what it read."""

    def __init__(self, header: bytes, source: str) -> None:
        self.source = source
        self.at = 0
        try:
            self.text = header.decode()
        except UnicodeDecodeError as error:
            raise self.unexpected("UTF-8 text", f"other bytes at {error.start}") from error

    def unexpected(self, expected: str, got: str | None = None) -> FileFormatError:
        """The error for a header that does not go on as the grammar has it."""
        if got is None:
            got = f"{self.text[self.at : self.at + 20]!r} at character {self.at}"
        return _malformed(self.source, "its header is malformed", expected, got)

    def parse(self) -> tuple[list[_Tensor], dict[str, str]]:
        """header: '{' then '"__metadata__": strings' or 'name: tensor' for each member, '}', spaces."""
        tensors: list[_Tensor] = []
        metadata: dict[str, str] = {}
        if not self.text.startswith("{"):
            raise self.unexpected("'{' as the first character")
        for name in self.members():
            if name == _METADATA:
                metadata = {key: self.string() for key in self.members()}
            else:
                tensors.append(self.tensor(name))
            if len(tensors) > MAX_TENSORS:
                raise self.unexpected(f"at most {MAX_TENSORS} arrays", "more")
        if self.text[self.at :].strip(" \t\n\r"):
            raise self.unexpected("nothing but spaces after the header's last '}'")
        return tensors, metadata

    def members(self) -> Iterator[str]:
        """Members of a JSON object: gives each key, and expects the caller to read its value before the next."""
        seen: set[str] = set()
        self.take("{")
        if self.follows("}"):
            return
        while True:
            key = self.string()
            if key in seen:
                raise self.unexpected("each key once", f"{key[:80]!r} again")
            seen.add(key)
            self.take(":")
            yield key
            if self.follows("}"):
                return
            self.take(",")

    def tensor(self, name: str) -> _Tensor:
        """tensor: an object with exactly the keys dtype, shape and data_offsets."""
        parts: dict[str, object] = {}
        for key in self.members():
            if key == "dtype":
                parts[key] = self.dtype(name)
            elif key in ("shape", "data_offsets"):
                parts[key] = self.integers()
            else:
                raise self.unexpected("dtype, shape or data_offsets", f"{key[:80]!r} for the array {name[:80]!r}")
        match parts:
            case {"dtype": np.dtype() as dtype, "shape": tuple(shape), "data_offsets": (int(begin), int(end))}:
                return _Tensor(name, dtype, shape, begin, end)
        missing = f"{', '.join(parts) or 'nothing'} for the array {name[:80]!r}"
        raise self.unexpected("dtype, shape and two data_offsets", missing)

    def dtype(self, name: str) -> np.dtype:
        """dtype: the name of one that NumPy has."""
        text = self.string()
        if text not in _DTYPES:
            raise self.unexpected(f"one of {', '.join(_DTYPES)}", f"dtype {text[:80]!r} for the array {name[:80]!r}")
        return _DTYPES[text]

    def integers(self) -> tuple[int, ...]:
        """integers: '[' non-negative integers ']'."""
        values: list[int] = []
        self.take("[")
        if self.follows("]"):
            return ()
        while True:
            match = _INTEGER.match(self.text, self.skip_spaces())
            if match is None:
                raise self.unexpected("a non-negative integer below 10**19")
            self.at = match.end()
            values.append(int(match.group()))
            if self.follows("]"):
                return tuple(values)
            self.take(",")
            if len(values) >= 64:  # NumPy's limit
                raise self.unexpected("at most 64 dimensions")

    def string(self) -> str:
        """string: as in JSON, and valid Unicode."""
        if not self.text.startswith('"', self.skip_spaces()):
            raise self.unexpected("a string")
        text: str
        try:
            text, self.at = _JSON.raw_decode(self.text, self.at)
            text.encode()  # half of a surrogate pair can be escaped in JSON, but then neither printed nor written
        except ValueError as error:
            raise self.unexpected("a valid JSON string", str(error)) from error
        return text

    def take(self, character: str) -> None:
        """Skip spaces, then this character, which must be there."""
        if not self.follows(character):
            raise self.unexpected(repr(character))

    def follows(self, character: str) -> bool:
        """Whether this character comes next, after spaces; it is skipped if so."""
        is_next = self.text.startswith(character, self.skip_spaces())
        self.at += is_next
        return is_next

    def skip_spaces(self) -> int:
        """Move behind spaces; the new position."""
        match = _SPACE.match(self.text, self.at)
        assert match is not None, "the pattern matches the empty string"
        self.at = match.end()
        return self.at
