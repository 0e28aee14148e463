"""Texts as lists of the numbers of words, the most frequent word first, as Keras prepares them."""

from __future__ import annotations

import json
from typing import Annotated, Any

import numpy as np

from thalweg.checks import In
from thalweg.data import keras_files
from thalweg.datasets import pickled
from thalweg.datasets.tables import ORIGIN
from thalweg.errors import DataError

Count = Annotated[int, In("[0, inf)")]
Texts = list[list[int]]


def begun(texts: Any, start_char: int | None, index_from: int) -> Texts:
    """The texts with the number of a beginning in front, and the others raised by ``index_from``."""
    first = [] if start_char is None else [start_char]
    return [[*first, *(word + index_from for word in text)] for text in texts]


def short_ones(texts: Texts, labels: np.ndarray, maxlen: int | None) -> tuple[Texts, np.ndarray]:
    """Those of less than ``maxlen`` words. Raises DataError if none is left."""
    if not maxlen:
        return texts, labels
    kept = [number for number, text in enumerate(texts) if len(text) < maxlen]
    if not kept:
        raise DataError(
            "no text is that short",
            expected=f"maxlen above {min(map(len, texts), default=0)}, the length of the shortest",
            got=f"maxlen={maxlen}",
            fix="pass a larger maxlen",
        )
    return [texts[number] for number in kept], labels[kept]


def frequent(texts: Texts, num_words: int | None, skip_top: int, oov_char: int | None) -> np.ndarray:
    """An array of lists; words from ``num_words`` on, and those below ``skip_top``, are ``oov_char`` or left out."""
    end = num_words or max((max(text, default=0) for text in texts), default=0)
    if oov_char is None:
        texts = [[word for word in text if skip_top <= word < end] for text in texts]
    else:
        texts = [[word if skip_top <= word < end else oov_char for word in text] for text in texts]
    array = np.empty(len(texts), object)
    array[:] = texts
    return array


def index(path: str, name: str) -> dict[str, int]:
    """Word -> number. Raises StorageError, FileFormatError."""
    file = keras_files.located(path, ORIGIN + name)
    with pickled.reading(file), open(file, encoding="utf-8") as opened:
        return {str(word): int(number) for word, number in json.load(opened).items()}
