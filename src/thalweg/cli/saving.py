"""Keeping a model that took long to train, also where its file cannot be written after all."""

from __future__ import annotations

import tempfile
from pathlib import Path

from thalweg.errors import StorageError
from thalweg.model import Model


def save(model: Model, path: Path) -> None:
    """Save it. Raises StorageError, which says where it is instead: a full disk must not cost the training."""
    try:
        model.save(path)
    except StorageError as error:
        rescue = Path(tempfile.mkdtemp(prefix="thalweg-")) / path.name
        try:
            model.save(rescue)
        except StorageError:
            raise error from None
        raise StorageError(
            error.problem,
            expected=error.expected,
            got=error.got,
            fix=f"the model is in {str(rescue)!r}: make room, and move it to where it shall be",
        ) from None
