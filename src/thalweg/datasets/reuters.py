"""Reuters: 11,228 news as numbers of words, in 46 topics. From Keras's own file."""

from __future__ import annotations

import numpy as np

from thalweg.checks import checked
from thalweg.data import keras_files
from thalweg.datasets import pickled, words
from thalweg.datasets.tables import ORIGIN, Parts, Seed, Share, divided, shuffled
from thalweg.datasets.words import Count

__all__ = ["get_label_names", "get_word_index", "load_data"]

NAME, INDEX = "reuters.npz", "reuters_word_index.json"

_TOPICS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass "
    "crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi "
    "iron-steel rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog lead"
)


@checked
def load_data(
    path: str = NAME,
    num_words: Count | None = None,
    skip_top: Count = 0,
    maxlen: Count | None = None,
    test_split: Share = 0.2,
    seed: Seed = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> Parts:
    """The training and the test set, ``(x_train, y_train), (x_test, y_test)``: the arrays that Keras gives.

    Shapes: x (8982,) and (2246,) lists of numbers, y (8982,) and (2246,), 0 to 45, of each.

    Arguments, and what is raised: those of ``imdb.load_data``, and ``test_split``, the share that is for testing.
    """
    file = keras_files.located(path, ORIGIN + NAME)
    x, y = pickled.load_npz(file, ("x", "y"))
    x, y = shuffled(x, y, np.random.RandomState(seed))
    texts, y = words.short_ones(words.begun(x, start_char, index_from), y, maxlen)
    return divided(words.frequent(texts, num_words, skip_top, oov_char), y, test_split)


@checked
def get_word_index(path: str = INDEX) -> dict[str, int]:
    """Word -> number, from 1 on; in the texts it is larger by ``index_from``. Raises as ``load_data``."""
    return words.index(path, INDEX)


def get_label_names() -> tuple[str, ...]:
    """The topics by their numbers."""
    return tuple(_TOPICS.split())
