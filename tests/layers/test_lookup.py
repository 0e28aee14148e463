"""Texts and categories as numbers: the examples of Keras's documentation, whose layers need TensorFlow."""

import numpy as np
import pytest

from thalweg import Input, layers
from thalweg.errors import ArgumentError, DataError, GraphError, StorageError, ThalwegError
from thalweg.layers.hashes import farmhash

LETTERS = ["a", "b", "c", "d"]
ROWS = [["a", "c", "d", "d"], ["d", "z", "b", "z"]]


def test_a_vocabulary_is_learned():
    lookup = layers.StringLookup()
    lookup.adapt([["a", "c", "d"], ["d", "z", "b"]])
    assert lookup.get_vocabulary() == ["[UNK]", "d", "z", "c", "b", "a"]
    assert lookup.get_vocabulary(include_special_tokens=False) == ["d", "z", "c", "b", "a"]
    assert lookup.vocabulary_size() == 6
    np.testing.assert_array_equal(lookup([["a", "c", "d"], ["m", "z", "b"]]), [[5, 3, 1], [0, 2, 4]])
    numbers = layers.IntegerLookup(max_tokens=4, mask_token=0)
    numbers.adapt(np.array([[12, 1138, 42], [42, 1000, 0]]))
    assert numbers.get_vocabulary() == [0, -1, 42, 1138]
    np.testing.assert_array_equal(numbers(np.array([42, 0, 7])), [2, 0, 1])


@pytest.mark.parametrize(
    ("options", "data", "expected"),
    [
        ({"num_oov_indices": 2}, [["a", "c", "d"], ["m", "z", "b"]], [[2, 4, 5], [0, 1, 3]]),
        ({"output_mode": "multi_hot"}, ROWS, [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]]),
        ({"output_mode": "count"}, ROWS, [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]]),
        ({"output_mode": "one_hot"}, ["b", "z"], [[0, 0, 1, 0, 0], [1, 0, 0, 0, 0]]),
        (
            {"output_mode": "tf_idf", "idf_weights": [0.25, 0.75, 0.6, 0.4]},
            ROWS,
            [[0, 0.25, 0, 0.6, 0.8], [1.0, 0, 0.75, 0, 0.4]],
        ),
        ({"output_mode": "count", "max_tokens": 6, "pad_to_max_tokens": True}, [["a"]], [[0, 1, 0, 0, 0, 0]]),
        ({"mask_token": "-"}, ["-", "b", "?"], [0, 3, 1]),
    ],
)
def test_examples_of_string_lookup(options, data, expected):
    np.testing.assert_allclose(layers.StringLookup(vocabulary=LETTERS, **options)(data), expected, rtol=1e-6)


def test_the_other_way():
    back = layers.StringLookup(vocabulary=LETTERS, invert=True)
    assert back([[1, 3, 4], [4, 0, 2]]).tolist() == [["a", "c", "d"], ["d", "[UNK]", "b"]]
    numbers = layers.IntegerLookup(vocabulary=[12, 36, 1138, 42], num_oov_indices=2)
    np.testing.assert_array_equal(numbers([[12, 1138, 42], [37, 1000, 36]]), [[2, 4, 5], [1, 0, 3]])


def test_tf_idf_is_learned():
    """By hand: log(1 + 2 / (1 + documents))."""
    lookup = layers.StringLookup(output_mode="tf_idf")
    lookup.adapt([["a", "a"], ["a", "b"]])
    both, one = np.log(1 + 2 / 3), np.log(1 + 2 / 2)
    np.testing.assert_allclose(
        lookup([["a", "a"], ["b", "?"]]), [[0, 2 * both, 0], [(both + one) / 2, 0, one]], rtol=1e-6
    )


class TestTextVectorization:
    def test_examples(self):
        vectorize = layers.TextVectorization(max_tokens=5000, output_sequence_length=4)
        vectorize.adapt(["foo bar", "bar baz", "baz bada boom"])
        assert vectorize.get_vocabulary() == ["", "[UNK]", "baz", "bar", "foo", "boom", "bada"]
        np.testing.assert_array_equal(vectorize([["foo qux bar"], ["qux baz"]]), [[4, 1, 3, 0], [1, 2, 0, 0]])
        given = layers.TextVectorization(vocabulary=["earth", "wind", "and", "fire"])
        assert given.get_vocabulary() == ["", "[UNK]", "earth", "wind", "and", "fire"]
        np.testing.assert_array_equal(given(["Fire, WIND!", "earth"]), [[5, 3], [2, 0]])

    def test_ways_to_split(self):
        letters = layers.TextVectorization(standardize=None, split="character", vocabulary=["a", "b"])
        np.testing.assert_array_equal(letters(["abA"]), [[2, 3, 1]])
        pairs = layers.TextVectorization(ngrams=2, output_mode="count", vocabulary=["the", "the cat"])
        np.testing.assert_array_equal(pairs(["The cat. The cat!"]), [[3, 2, 2]])
        own = layers.TextVectorization(
            standardize=lambda texts: np.char.replace(texts, "-", " "),
            split=lambda texts: [text.split("/") for text in texts],
            vocabulary=["x y", "z"],
        )
        np.testing.assert_array_equal(own(["x-y/z"]), [[2, 3]])
        words = layers.TextVectorization(split=None, vocabulary=["a"])
        np.testing.assert_array_equal(words([["a", "b"]]), [[2, 1]])

    def test_rows_of_several_texts(self):
        with pytest.raises(DataError, match="a row has several texts"):
            layers.TextVectorization(vocabulary=["a"])([["a", "b"]])


class TestHashes:
    def test_examples_of_hashing(self):
        rows = [["A"], ["B"], ["C"], ["D"], ["E"]]
        np.testing.assert_array_equal(layers.Hashing(3)(rows).T, [[1, 0, 1, 1, 2]])
        np.testing.assert_array_equal(layers.Hashing(3, salt=(133, 137))(rows).T, [[1, 2, 1, 0, 2]])
        np.testing.assert_array_equal(layers.Hashing(3, salt=133)(rows).T, [[0, 0, 2, 1, 0]])
        masked = layers.Hashing(3, mask_value="")([["A"], ["B"], [""], ["C"], ["D"]])
        np.testing.assert_array_equal(masked.T, [[1, 1, 0, 2, 2]])
        assert layers.Hashing(3, output_mode="one_hot")([["A"]]).tolist() == [[0, 1, 0]]

    def test_examples_of_crossing(self):
        letters, numbers = np.array(list("ABABA")), np.array([101, 101, 101, 102, 102])
        np.testing.assert_array_equal(layers.HashedCrossing(5)([letters, numbers]), [1, 4, 1, 1, 3])
        hot = layers.HashedCrossing(5, output_mode="one_hot")([letters, numbers])
        np.testing.assert_array_equal(hot, np.eye(5)[[1, 4, 1, 1, 3]])
        with pytest.raises(DataError, match="do not fit together"):
            layers.HashedCrossing(5)([letters])

    def test_fingerprints_of_bigquery_s_documentation(self):
        expected = {
            b"1footrue": -1541654101129638711,
            b"2applefalse": 2794438866806483259,
            b"3true": -4880158226897771312,
        }
        assert {text: farmhash(text) for text in expected} == {t: n % 2**64 for t, n in expected.items()}

    def test_every_length_has_its_own(self):
        assert len({farmhash(b"x" * length) for length in range(300)}) == 300


@pytest.mark.parametrize(
    ("wrong", "kind", "says"),
    [
        (lambda: layers.StringLookup(vocabulary=["a", "a"]), ArgumentError, "an entry twice"),
        (lambda: layers.StringLookup(2, vocabulary=LETTERS), ArgumentError, "more entries than max_tokens"),
        (lambda: layers.StringLookup(vocabulary="no such file"), StorageError, "cannot be read"),
        (lambda: layers.StringLookup(vocabulary=LETTERS)([1, 2]), DataError, "this is no text"),
        (lambda: layers.IntegerLookup(vocabulary=[1])([1.5]), DataError, "no whole numbers"),
        (lambda: layers.StringLookup(vocabulary=LETTERS, num_oov_indices=0)(["z"]), DataError, "not in the vocabulary"),
        (lambda: layers.StringLookup(vocabulary=LETTERS, output_mode="tf_idf")(["a"]), GraphError, "without weights"),
        (lambda: layers.TextVectorization(vocabulary=["a"])(Input((1,))), GraphError, "does not stand in a model"),
    ],
)
def test_what_is_refused(wrong, kind, says):
    with pytest.raises(kind, match=says) as caught:
        wrong()
    assert isinstance(caught.value, ThalwegError)


def test_a_vocabulary_in_a_file(tmp_path):
    (tmp_path / "words.txt").write_text("x\ny\n", encoding="utf-8")
    np.testing.assert_array_equal(layers.StringLookup(vocabulary=str(tmp_path / "words.txt"))(["y", "?"]), [2, 0])
    (tmp_path / "numbers.txt").write_text("5\n7\n", encoding="utf-8")
    np.testing.assert_array_equal(layers.IntegerLookup(vocabulary=str(tmp_path / "numbers.txt"))([7, 5]), [2, 1])
