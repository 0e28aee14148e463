"""Data that need not fit into memory: sources for ``fit``, ``evaluate`` and ``predict``."""

from thalweg.data.streams.image_files import ImageFolder as ImageFolder
from thalweg.data.streams.numpy_files import NumpyFiles as NumpyFiles
from thalweg.data.streams.table_files import TableFile as TableFile
