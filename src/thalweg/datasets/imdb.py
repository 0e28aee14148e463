"""IMDB: 50,000 reviews of films as numbers of words, and whether they are favourable. From Keras's own file.

Source: Maas et al. (2011), ACL, Learning Word Vectors for Sentiment Analysis.
"""

from __future__ import annotations

import numpy as np

from thalweg.checks import checked
from thalweg.data import keras_files
from thalweg.datasets import pickled, words
from thalweg.datasets.tables import ORIGIN, Parts, Seed, shuffled
from thalweg.datasets.words import Count

__all__ = ["get_word_index", "load_data"]

NAME, INDEX = "imdb.npz", "imdb_word_index.json"


@checked
def load_data(
    path: str = NAME,
    num_words: Count | None = None,
    skip_top: Count = 0,
    maxlen: Count | None = None,
    seed: Seed = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> Parts:
    """The training and the test set, ``(x_train, y_train), (x_test, y_test)``: the arrays that Keras gives.

    Shapes: x (25000,) lists of numbers, y (25000,), 0 or 1, of each; ``utils.pad_sequences(x)`` makes rows of them.

    Arguments:
        path: of the file; a name is looked for in ``~/.keras/datasets``, or in ``datasets`` of ``$KERAS_HOME``.
        num_words, skip_top: words of larger or smaller numbers become ``oov_char``, or are left out where it is None.
        maxlen: leave out what is that long or longer.
        start_char: in front of each text; None for nothing.
        index_from: added to the numbers of ``get_word_index``.

    Raises: StorageError, which says where to get the file, if it is not there; FileFormatError if it is another one;
        DataError if no text is shorter than ``maxlen``.
    """
    file = keras_files.located(path, ORIGIN + NAME)
    x_train, y_train, x_test, y_test = pickled.load_npz(file, ("x_train", "y_train", "x_test", "y_test"))
    random = np.random.RandomState(seed)
    x_train, y_train = shuffled(x_train, y_train, random)
    x_test, y_test = shuffled(x_test, y_test, random)
    train, y_train = words.short_ones(words.begun(x_train, start_char, index_from), y_train, maxlen)
    test, y_test = words.short_ones(words.begun(x_test, start_char, index_from), y_test, maxlen)
    texts = words.frequent([*train, *test], num_words, skip_top, oov_char)
    return (texts[: len(train)], y_train), (texts[len(train) :], y_test)


@checked
def get_word_index(path: str = INDEX) -> dict[str, int]:
    """Word -> number, from 1 on; in the texts it is larger by ``index_from``. Raises as ``load_data``."""
    return words.index(path, INDEX)
