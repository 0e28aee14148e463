"""Files of events as TensorBoard reads them, written with tensorboardX's descriptions of what stands in them.

Each event is in the file when its call returns, and the file closed: its length says what has been told, however
training ends. tensorboardX's own writer has a queue, of which nobody knows how far it is.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from functools import cache
from typing import Any

import numpy as np

from thalweg.errors import StorageError
from thalweg.extras import needed
from thalweg.processes.job import current

__all__ = ["EventFile", "require_tensorboard"]


def require_tensorboard(part: str = "") -> Any:
    """The package tensorboardX, or a module of it. Raises MissingPackageError."""
    return needed(
        f"tensorboardX{part}",
        "callbacks.TensorBoard needs tensorboardX, which is not installed",
        expected="the package tensorboardX, which writes TensorBoard's files without TensorFlow",
        fix="pip install 'thalweg[tensorboard]'; or write tables with callbacks.CSVLogger",
    )


class EventFile:
    """A new file of events; its name begins with the time, in the order of which TensorBoard reads several.

    Of several processes of a job only the first writes one.

    Arguments:
        ending: of its name: no other file in the folder has it.

    Raises: StorageError, here and from all that is added, if it cannot be written.
    """

    def __init__(self, folder: str, ending: str) -> None:
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{ending}"
        self.path = os.path.join(folder, name)
        self._is_written = current().is_first
        if not self._is_written:
            return
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error
        self._write("xb", file_version="brain.Event:2")

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Add a number."""
        self._write(step=step, summary=require_tensorboard(".summary").scalar(tag, value))

    def text(self, tag: str, text: str, step: int) -> None:
        """Add a text, in Markdown."""
        self._write(step=step, summary=require_tensorboard(".summary").text(tag, text))

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """Add how often which values are among these."""
        self._write(step=step, summary=require_tensorboard(".summary").histogram(tag, values, _bins()))

    def _write(self, mode: str = "ab", **event: Any) -> None:
        """Write a record: length, checksum of it, data, checksum of these."""
        if not self._is_written:
            return
        checksum = require_tensorboard(".record_writer").masked_crc32c
        made = require_tensorboard(".proto.event_pb2").Event(wall_time=time.time(), **event)
        data = made.SerializeToString()
        length = struct.pack("<Q", len(data))
        ends = [struct.pack("<I", checksum(part)) for part in (length, data)]
        try:
            with open(self.path, mode) as file:
                file.write(b"".join((length, ends[0], data, ends[1])))
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> StorageError:
        return StorageError(
            f"callbacks.TensorBoard cannot write {self.path!r}",
            expected="a folder that may be written, or can be made, on a disk that has room",
            got=error.strerror or str(error),
            fix="choose another log_dir",
        )


@cache
def _bins() -> list[float]:
    """Of TensorBoard's histograms: each 1.1 times as far out as the one before, from 1e-12 to 1e20."""
    limits = [1e-12]
    while limits[-1] * 1.1 < 1e20:
        limits.append(limits[-1] * 1.1)
    return [*(-limit for limit in reversed(limits)), 0.0, *limits]
