"""Files by their address, as far as they are on this machine."""

from __future__ import annotations

import os
import tarfile
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Sequence

from thalweg.checks import FilePath, checked
from thalweg.data import keras_files
from thalweg.errors import ArgumentError, FileFormatError


@checked
def get_file(
    fname: str | None = None,
    origin: FilePath | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Sequence[str] | None = "auto",
    cache_dir: str | None = None,
    force_download: bool = False,
) -> str:
    """The path of a file: one that Keras or somebody has put into the cache folder, or a local one.

    Arguments:
        fname: its name in the cache folder; that of ``origin`` unless given.
        origin: where it is from: a path or a ``file:`` address, which is used where it lies; of another address the
            file must be in the cache folder, because thalweg downloads nothing.
        extract, untar: unpack the archive beside it in the cache folder, and give the path of the folder.
        file_hash, md5_hash: its sha256 or md5, which is compared.
        cache_dir: ``$KERAS_HOME`` or ``~/.keras`` unless given; the cache folder is ``cache_subdir`` in it.
        hash_algorithm, archive_format, force_download: accepted; the first two are seen from hash and file.

    Raises: StorageError if the file is not there, and says where to put it; FileFormatError if it has another hash or
        is no archive; ArgumentError without an origin.
    """
    if origin is None or (fname is not None and os.path.basename(fname) != fname):
        raise ArgumentError(
            "get_file: there is no such file name" if origin is not None else "get_file: nothing says where it is from",
            expected="get_file(name, origin), the name without folders",
            got=f"fname={fname!r}, origin={origin!r}",
            fix="pass origin=, a path or an address; cache_dir= says another folder",
        )
    folder = os.path.join(os.path.expanduser(cache_dir or keras_files.home()), cache_subdir)
    name = fname or os.path.basename(urllib.parse.urlsplit(os.fspath(origin)).path)
    unpacked = os.path.join(folder, name)
    if (extract or untar) and (fname is None or "." not in name):
        name = f"{name}_archive"  # as Keras calls it, so that what Keras has fetched is found
    elif extract or untar:
        unpacked = os.path.join(folder, f"{name.partition('.')[0]}_extracted")
    local = _local_path(os.fspath(origin))
    if (extract or untar) and local is None and os.path.isdir(unpacked):
        return unpacked
    digest = file_hash or md5_hash
    path = local or keras_files.located(name, os.fspath(origin), folder)
    if digest is not None:
        keras_files.require_digest(path, digest)
    if extract or untar:
        _unpack(path, unpacked)
        return unpacked
    return path


def _local_path(origin: str) -> str | None:
    parts = urllib.parse.urlsplit(origin)
    path = urllib.request.url2pathname(parts.path) if parts.scheme == "file" else origin
    return path if os.path.exists(path) else None


def _unpack(path: str, folder: str) -> None:
    """Unpack a tar or zip archive; nothing is written outside of the folder. Raises FileFormatError."""
    try:
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as tar:
                tar.extractall(folder, filter="data")
            return
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise FileFormatError(
            f"the file {path!r} cannot be unpacked",
            expected="a tar or zip archive",
            got=f"{type(error).__name__}: {error}"[:200],
            fix="get it again, or unpack it by hand and leave extract= out",
        ) from error
