"""Data that need not fit into memory: sources for ``fit``, ``evaluate`` and ``predict``."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.data.streams.image_files import ImageFolder as ImageFolder
from thalweg.data.streams.numpy_files import NumpyFiles as NumpyFiles
from thalweg.data.streams.table_files import TableFile as TableFile

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
