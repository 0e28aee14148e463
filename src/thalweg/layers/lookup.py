"""Texts and categories as numbers: layers that work on arrays, before a model sees the data.

A compiled step computes with numbers, so none of these stands in a model: ``vectorize = TextVectorization(...)``,
``vectorize.adapt(texts)``, and ``model.fit(vectorize(texts), y)``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from thalweg.checks import Count, OneOf, Reserved, WholeNumber
from thalweg.errors import ArgumentError, DataError, GraphError, StorageError
from thalweg.fields import dataclass
from thalweg.layers.hashes import crossed, farmhash, siphash
from thalweg.layers.layer import Layer

__all__ = ["HashedCrossing", "Hashing", "IntegerLookup", "StringLookup", "TextVectorization"]

Mode = Annotated[str, OneOf("int", "one_hot", "multi_hot", "count")]
ModeWithWeights = Annotated[str, OneOf("int", "one_hot", "multi_hot", "count", "tf_idf")]
Salt = WholeNumber | tuple[WholeNumber, WholeNumber]
WORD = r"[^ \t\n\v\f\r]+"
PUNCTUATION = str.maketrans("", "", r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~""")
LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


@dataclass(eq=False)
class OnArrays(Layer):
    """A layer that is called on arrays (or lists) alone. A subclass writes ``numbers_of``."""

    multiplies: ClassVar[bool] = False

    def __call__(self, *inputs: Any, training: bool | None = None, **options: Any) -> np.ndarray:
        """The numbers of these. Raises GraphError for symbols, and what the data do not fit."""
        given = inputs[0] if len(inputs) == 1 else list(inputs)
        parts = given if isinstance(given, list | tuple) else [given]
        if any(hasattr(part, "type") for part in parts):
            raise GraphError(
                f"{type(self).__name__} does not stand in a model",
                expected="arrays or lists of texts or numbers: a compiled step computes with numbers",
                got="what Input or a layer gave",
                fix="call it on the data, before fit, evaluate and predict: x = layer(texts)",
                layer=str(self),
            )
        return self.numbers_of(given)

    def numbers_of(self, data: Any) -> np.ndarray:
        """What becomes of an array or list."""
        raise NotImplementedError(f"{type(self).__name__} has no numbers_of()")

    def encoded(self, numbers: np.ndarray, columns: int, mode: str) -> np.ndarray:
        """Numbers of categories as columns, as ``CategoryEncoding`` makes them; ``"int"`` leaves them as they are."""
        if mode == "int":
            return numbers
        if numbers.ndim == 0 or (mode == "one_hot" and numbers.shape[-1:] != (1,)):
            numbers = numbers[..., None]
        if mode != "one_hot" and numbers.ndim == 1:
            numbers = numbers[:, None]
        hot = np.zeros((*numbers.shape[:-1], columns), self.compute_dtype)
        places = np.indices(numbers.shape)[:-1]
        known = numbers >= 0
        if mode == "count":
            np.add.at(hot, (*(place[known] for place in places), numbers[known]), 1)
        else:
            hot[(*(place[known] for place in places), numbers[known])] = 1
        return hot


def tokens_of(data: Any) -> np.ndarray:
    """An array of texts, bytes among them read as UTF-8."""
    array = np.asarray(data, object) if not isinstance(data, np.ndarray) else data
    if array.dtype.kind == "S" or (array.dtype == object and any(isinstance(token, bytes) for token in array.flat)):
        array = np.array([t.decode() if isinstance(t, bytes) else t for t in array.flat], object).reshape(array.shape)
    wrong = next((token for token in array.flat if not isinstance(token, str)), None)
    if wrong is not None:
        raise DataError(
            "this is no text",
            expected="an array or list of texts",
            got=f"{wrong!r:.60} ({type(wrong).__name__})",
            fix="turn the numbers into texts, or use IntegerLookup",
        )
    return array.astype(str)


def hashed(value: Any, salt: Any) -> int:
    """The hash of a text, or of a number's digits: FarmHash64, or SipHash under a key of one number or two."""
    text = str(value).encode()
    key = (salt, salt) if isinstance(salt, int) else salt
    return farmhash(text) if key is None else siphash(text, key)


@dataclass(eq=False)
class Lookup(OnArrays):
    """Numbers for the entries of a vocabulary: that of the mask first, those of unknown ones next."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.known: list[Any] | None = None
        self.weights_of_tokens: np.ndarray | None = None
        self.numbers: dict[Any, int] = {}
        given: Any = getattr(self, "vocabulary", None)
        if isinstance(given, str):
            given = self.read(given)
        if given is not None:
            self.set_vocabulary(given, getattr(self, "idf_weights", None))

    def entries(self, data: Any) -> np.ndarray:
        """An array of entries."""
        raise NotImplementedError(f"{type(self).__name__} has no entries()")

    def read(self, path: str) -> list[Any]:
        """A vocabulary from a file with one entry on each line. Raises StorageError."""
        try:
            return Path(path).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise StorageError(
                f"the vocabulary {path!r} cannot be read",
                expected="a file of one entry on each line, or a list",
                got=str(error),
                fix="check the path",
            ) from error

    @property
    def specials(self) -> list[Any]:
        """The entries in front of the vocabulary."""
        settings: Any = self
        mask = [settings.mask_token] if settings.mask_token is not None and settings.output_mode == "int" else []
        return [*mask, *[settings.oov_token] * settings.num_oov_indices]

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary: the most frequent entries first, of equally frequent ones the last of the alphabet,
        as in Keras. What was learned before is forgotten.

        Arguments:
            batch_size, steps: accepted; the data are arrays.
        """
        array = self.entries(data)
        rows = array.reshape(len(array), -1) if array.ndim else array.reshape(1, 1)
        self.learn([list(row) for row in rows.tolist()])

    def learn(self, rows: Sequence[Sequence[Any]]) -> None:
        """``adapt`` for rows of entries, which may have different lengths."""
        settings: Any = self
        counts = Counter(token for row in rows for token in row)
        for special in (settings.mask_token, settings.oov_token):
            counts.pop(special, None)
        order = sorted(counts, key=lambda token: (counts[token], self._rank(token)), reverse=True)
        if settings.max_tokens is not None:
            order = order[: settings.max_tokens - len(self.specials)]
        idf = None
        if settings.output_mode == "tf_idf":
            documents = Counter(token for row in rows for token in set(row))
            idf = [math.log(1 + len(rows) / (1 + documents[token])) for token in order]
        self.set_vocabulary(order, idf)

    def _rank(self, token: Any) -> Any:
        """What entries are sorted by: texts by their bytes in UTF-8."""
        return token.encode() if isinstance(token, str) else token

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Have these entries, with or without the special ones in front.

        Raises: ArgumentError for an entry that stands there twice, or more of them than ``max_tokens``.
        """
        settings: Any = self
        entries = [token.item() if isinstance(token, np.generic) else token for token in vocabulary]
        front = self.specials
        if front and entries[: len(front)] == front:
            entries = entries[len(front) :]
        twice = next((token for token, count in Counter(entries).items() if count > 1), None)
        if twice is not None:
            raise ArgumentError(
                f"{type(self).__name__}: the vocabulary has an entry twice",
                expected="each entry once",
                got=f"{twice!r:.60}",
                fix="leave out repetitions",
            )
        if settings.max_tokens is not None and len(entries) + len(front) > settings.max_tokens:
            raise ArgumentError(
                f"{type(self).__name__}: the vocabulary has more entries than max_tokens",
                expected=f"at most {settings.max_tokens}, of which {len(front)} are special",
                got=f"{len(entries) + len(front)}",
                fix="pass a larger max_tokens, or a shorter vocabulary",
            )
        self.known = entries
        self.numbers = {token: number + len(front) for number, token in enumerate(entries)}
        if idf_weights is not None:
            mean = float(np.mean(idf_weights)) if len(entries) else 0.0
            given = np.asarray(idf_weights, float)
            whole = given if len(given) == len(entries) + len(front) and front else [*[mean] * len(front), *given]
            self.weights_of_tokens = np.asarray(whole, self.compute_dtype)

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The entries, each at the place of its number."""
        return [*(self.specials if include_special_tokens else []), *(self.known or [])]

    def vocabulary_size(self) -> int:
        """How many numbers there are, the special ones included."""
        return len(self.specials) + len(self.known or [])

    def numbers_of(self, data: Any) -> np.ndarray:
        settings: Any = self
        if settings.invert:
            listed = self.get_vocabulary()
            numbers = np.asarray(data)
            found = [listed[n] if 0 <= n < len(listed) else settings.oov_token for n in numbers.reshape(-1).tolist()]
            return np.array(found).reshape(numbers.shape)
        array = self.entries(data)
        flat = [self._number(token) for token in array.reshape(-1).tolist()]
        numbers = np.array(flat, np.int64).reshape(array.shape)
        mode = settings.output_mode
        columns = self.vocabulary_size()
        if settings.pad_to_max_tokens and settings.max_tokens is not None:
            columns = settings.max_tokens
        hot = self.encoded(numbers, columns, "count" if mode == "tf_idf" else mode)
        return hot if mode != "tf_idf" else self._weighed(hot)

    def _weighed(self, hot: np.ndarray) -> np.ndarray:
        if self.weights_of_tokens is None:
            raise GraphError(
                f"{type(self).__name__}: tf_idf without weights",
                expected="adapt(data), or idf_weights= beside vocabulary=",
                got="neither",
                fix="call adapt with the training data",
                layer=str(self),
            )
        missing = hot.shape[-1] - len(self.weights_of_tokens)
        product: np.ndarray = hot * np.pad(self.weights_of_tokens, (0, missing))
        return product

    def _number(self, token: Any) -> int:
        settings: Any = self
        if settings.mask_token is not None and token == settings.mask_token:
            return 0 if settings.output_mode == "int" else self.numbers.get(token, -1)
        number = self.numbers.get(token)
        if number is not None:
            return number
        if settings.num_oov_indices == 0:
            raise DataError(
                f"{type(self).__name__}: an entry is not in the vocabulary",
                expected="known entries, as num_oov_indices=0 says",
                got=f"{token!r:.60}",
                fix="pass num_oov_indices=1, or adapt to data that have it",
                layer=str(self),
            )
        first = len(self.specials) - settings.num_oov_indices
        return int(first) + (self._bucket(token) if settings.num_oov_indices > 1 else 0)

    def _bucket(self, token: Any) -> int:
        """Which of the numbers of unknown entries it gets."""
        settings: Any = self
        whole = token if settings.oov_method == "floormod" else hashed(token, settings.salt)
        return int(whole % settings.num_oov_indices)


@dataclass(eq=False)
class StringLookup(Lookup):
    """The numbers of texts in a vocabulary, or the other way (``invert``).

    Shapes: an array or list of texts (...) -> int64 (...); the other modes as in ``CategoryEncoding``.

    Arguments:
        max_tokens: how many numbers there are at most, special ones included.
        num_oov_indices: how many numbers there are for what is not in the vocabulary; FarmHash64 says which, as in
            Keras, or, with a ``salt`` of one number or two, SipHash. With 0 it is an error.
        mask_token: a text whose number is 0.
        vocabulary: a list, or a file of one entry on each line, in place of ``adapt``.
        output_mode: "int", "one_hot", "multi_hot", "count" or "tf_idf".
        pad_to_max_tokens: make ``max_tokens`` columns also of a smaller vocabulary.
        encoding, sparse: Keras's; texts are Python's, and arrays dense.
    """

    oov_method: ClassVar[str] = "farmhash"

    max_tokens: Count | None = None
    num_oov_indices: WholeNumber = 1
    mask_token: str | None = None
    oov_token: str = "[UNK]"
    vocabulary: Any = None
    idf_weights: Any = None
    invert: bool = False
    output_mode: ModeWithWeights = "int"
    pad_to_max_tokens: bool = False
    sparse: Annotated[bool, Reserved(False)] = False
    encoding: Annotated[str, Reserved("utf-8")] = "utf-8"
    salt: Salt | None = None

    def entries(self, data: Any) -> np.ndarray:
        return tokens_of(data)


@dataclass(eq=False)
class IntegerLookup(Lookup):
    """The places of whole numbers in a vocabulary, or the other way (``invert``).

    Shapes: whole numbers (...) -> int64 (...); the other modes as in ``CategoryEncoding``.

    Arguments: as of ``StringLookup``; of several ``num_oov_indices`` the remainder says which, or a hash of its digits.
    """

    max_tokens: Count | None = None
    num_oov_indices: WholeNumber = 1
    mask_token: int | None = None
    oov_token: int = -1
    vocabulary: Any = None
    vocabulary_dtype: Annotated[str, OneOf("int64", "int32")] = "int64"
    idf_weights: Any = None
    invert: bool = False
    output_mode: ModeWithWeights = "int"
    sparse: Annotated[bool, Reserved(False)] = False
    pad_to_max_tokens: bool = False
    oov_method: Annotated[str, OneOf("floormod", "farmhash")] = "floormod"
    salt: Salt | None = None

    def entries(self, data: Any) -> np.ndarray:
        array = np.asarray(data)
        if array.dtype.kind not in "iu":
            raise DataError(
                "IntegerLookup: these are no whole numbers",
                expected="an array or list of integers",
                got=f"dtype {array.dtype}",
                fix="use StringLookup for texts, Discretization for numbers with fractions",
                layer=str(self),
            )
        return array

    def read(self, path: str) -> list[Any]:
        return [int(line) for line in super().read(path)]


@dataclass(eq=False)
class TextVectorization(OnArrays):
    """Texts as rows of the numbers of their words.

    Shapes: texts (batch,) or (batch, 1) -> int64 (batch, output_sequence_length or the words of the longest); the other
    modes (batch, vocabulary). 0 fills up, 1 is an unknown word.

    Arguments:
        standardize: "lower_and_strip_punctuation", "lower", "strip_punctuation", None, or a function from array to
            array. Lower case is that of a to z, as in Keras.
        split: "whitespace", "character", None, or a function from array to lists of words.
        ngrams: the words and all sequences of up to so many; or which lengths.
        vocabulary: a list, or a file of one word on each line, in place of ``adapt``.
        output_mode, max_tokens, pad_to_max_tokens, idf_weights: as of ``StringLookup``.
        sparse, ragged, encoding: Keras's; rows are filled up.
    """

    max_tokens: Count | None = None
    standardize: (
        Annotated[str, OneOf("lower_and_strip_punctuation", "lower", "strip_punctuation")] | Callable[..., Any] | None
    ) = "lower_and_strip_punctuation"
    split: Annotated[str, OneOf("whitespace", "character")] | Callable[..., Any] | None = "whitespace"
    ngrams: Count | tuple[Count, ...] | None = None
    output_mode: ModeWithWeights = "int"
    output_sequence_length: Count | None = None
    pad_to_max_tokens: bool = False
    vocabulary: Any = None
    idf_weights: Any = None
    sparse: Annotated[bool, Reserved(False)] = False
    ragged: Annotated[bool, Reserved(False)] = False
    encoding: Annotated[str, Reserved("utf-8")] = "utf-8"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.lookup = StringLookup(
            self.max_tokens,
            mask_token="",
            vocabulary=self.vocabulary,
            idf_weights=self.idf_weights,
            output_mode=self.output_mode,
            pad_to_max_tokens=self.pad_to_max_tokens,
            dtype=self.dtype,
        )

    def words_of(self, data: Any) -> list[list[str]]:
        """The words of each text, and, where wanted, their sequences."""
        texts = np.atleast_1d(tokens_of(data))
        if callable(self.standardize):
            texts = tokens_of(self.standardize(texts))
        elif self.standardize is not None:
            texts = np.array([self._standard(text) for text in texts.flat], str).reshape(texts.shape)
        if self.split is not None and texts.ndim > 1:
            if texts.shape[-1] != 1:
                raise DataError(
                    "TextVectorization: a row has several texts",
                    expected="one text for each row: (rows,) or (rows, 1)",
                    got=str(texts.shape),
                    fix="join them, or pass split=None for texts that are words already",
                    layer=str(self),
                )
            texts = texts[..., 0]
        if callable(self.split):
            rows = [list(row) for row in self.split(texts)]
        elif self.split is None:
            rows = [list(row) for row in texts.reshape(len(texts), -1).tolist()]
        else:
            rows = [list(text) if self.split == "character" else re.findall(WORD, text) for text in texts.tolist()]
        if self.ngrams is None:
            return rows
        lengths = range(1, self.ngrams + 1) if isinstance(self.ngrams, int) else self.ngrams
        return [[" ".join(row[at : at + n]) for n in lengths for at in range(len(row) - n + 1)] for row in rows]

    def _standard(self, text: str) -> str:
        if self.standardize != "strip_punctuation":
            text = text.translate(LOWER)
        return text if self.standardize == "lower" else text.translate(PUNCTUATION)

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary; as ``StringLookup.adapt``."""
        self.lookup.learn(self.words_of(data))

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Have these words; as ``StringLookup.set_vocabulary``."""
        self.lookup.set_vocabulary(vocabulary, idf_weights)

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The words, each at the place of its number."""
        return self.lookup.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """How many numbers there are."""
        return self.lookup.vocabulary_size()

    def numbers_of(self, data: Any) -> np.ndarray:
        rows = self.words_of(data)
        if self.output_mode == "int" and self.output_sequence_length is not None:
            rows = [row[: self.output_sequence_length] for row in rows]
        longest = max((len(row) for row in rows), default=0)
        width = self.output_sequence_length or longest
        if self.output_mode != "int":
            lists = [self.lookup.numbers_of(np.array([row], object).reshape(1, -1)) for row in rows]
            return np.concatenate(lists) if lists else np.zeros((0, self.vocabulary_size()), self.compute_dtype)
        filled = np.full((len(rows), width), "", object)
        for number, row in enumerate(rows):
            filled[number, : len(row)] = row
        return self.lookup.numbers_of(filled)


@dataclass(eq=False)
class Hashing(OnArrays):
    """Texts or whole numbers as one of a few numbers each, which a hash says: FarmHash64, or SipHash under a key.

    Shapes: (...) -> int64 (...); the other modes as in ``CategoryEncoding``.

    Arguments:
        mask_value: what becomes 0; others begin at 1 then.
        salt: the key, one number or two.
    """

    num_bins: Count
    mask_value: Any = None
    salt: Salt | None = None
    output_mode: Mode = "int"
    sparse: Annotated[bool, Reserved(False)] = False

    def numbers_of(self, data: Any) -> np.ndarray:
        array = np.asarray(data)
        array = array if array.dtype.kind in "iu" else tokens_of(data)
        flat = [self._bin(value) for value in array.reshape(-1).tolist()]
        return self.encoded(np.array(flat, np.int64).reshape(array.shape), self.num_bins, self.output_mode)

    def _bin(self, value: Any) -> int:
        masked = self.mask_value is not None
        if masked and value == self.mask_value:
            return 0
        return hashed(value, self.salt) % max(self.num_bins - masked, 1) + masked


@dataclass(eq=False)
class HashedCrossing(OnArrays):
    """Several columns of categories as one: a number for each combination, which a hash says.

    Shapes: a list of columns, each (batch,) or (batch, 1), of texts or whole numbers -> int64 of that shape.
    """

    num_bins: Count
    output_mode: Annotated[str, OneOf("int", "one_hot")] = "int"
    sparse: Annotated[bool, Reserved(False)] = False

    def numbers_of(self, data: Any) -> np.ndarray:
        columns = [np.asarray(column) for column in data]
        if len(columns) < 2 or len({column.shape for column in columns}) > 1:
            raise DataError(
                "HashedCrossing: the columns do not fit together",
                expected="a list of at least two columns of one shape",
                got=", ".join(str(column.shape) for column in columns) or "nothing",
                fix="pass [first, second], one value for each row in both",
                layer=str(self),
            )
        flat = [
            column.reshape(-1).tolist() if column.dtype.kind in "iu" else tokens_of(column).reshape(-1).tolist()
            for column in columns
        ]
        numbers = [crossed(row) % self.num_bins for row in zip(*flat, strict=True)]
        return self.encoded(np.array(numbers, np.int64).reshape(columns[0].shape), self.num_bins, self.output_mode)
