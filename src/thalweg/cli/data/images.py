"""Images and their classes, however they were stored, cut into a part to train on and one to judge by."""

from __future__ import annotations

import hashlib

import numpy as np

from thalweg.data import pictures, splits
from thalweg.errors import DataError, ShapeError
from thalweg.fields import dataclass

Part = tuple[np.ndarray, np.ndarray]
"""Images and class numbers."""

TEST_SHARE = 0.2
"""Of images without a part to judge by."""

SEED = 0
"""Of the cut: the same images are held out whatever ``--seed`` says, so that models can be compared by them."""


@dataclass(frozen=True)
class Images:
    """Images and their classes in two parts.

    Attributes:
        name: how the user calls them.
        train, test: the parts.
        class_names: of the class numbers.
        test_names: of the images in the test part, for messages; empty if they have none.
        notes: what there is to say about them, in sentences.
        digest: of the pile that was cut; empty where the parts came as they are.
    """

    name: str
    train: Part
    test: Part
    class_names: tuple[str, ...]
    test_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    digest: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image: (height, width), or with a last axis of channels."""
        return self.train[0].shape[1:]

    @property
    def dtype(self) -> str | None:
        """Of a network's input: bytes stay bytes."""
        return "uint8" if self.train[0].dtype == np.uint8 else None

    def told(self) -> list[str]:
        """Their numbers and what else there is to say, in sentences."""
        held = " (a fifth)" if self.digest else ""
        sizes = " x ".join(map(str, self.shape))
        counts = f"{len(self.train[0]):,} images of {sizes} to train on, {len(self.test[0]):,}{held} to judge by"
        return [f"{counts}; {len(self.class_names)} classes", *self.notes]

    def cut(self) -> Images:
        """In two parts, as they are."""
        return self


@dataclass(frozen=True)
class Pile:
    """Images and their classes in one piece.

    Attributes:
        names: of each image, for messages; empty if they have none.
        notes: what there is to say about them, in sentences.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    class_names: tuple[str, ...]
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def cut(self) -> Images:
        """A fifth is held out, of each class its share. Copies of an image stay on one side.

        Raises: DataError if there is one class only, or too few images.
        """
        _require_classes(self.name, self.y)
        y, first = self.y, pictures.equal_to(self.x)
        originals = np.flatnonzero(first == np.arange(len(y)))
        counts = np.bincount(y[originals])
        single = originals[counts[y[originals]] < 2]
        several = np.setdiff1d(originals, single)
        held = round(TEST_SHARE * len(several))
        if not held:
            raise DataError(
                f"{self.name!r}: there are too few images to hold some out",
                expected="at least 3 different ones, of classes that have two or more",
                got=f"{len(originals)} different images, {len(several)} of them in classes of two or more",
                fix="add images, or make a part to judge by yourself: folders train/ and test/",
            )
        at = splits.parts(len(several), [len(several) - held, held], classes=y[several], seed=SEED)[1]
        in_test = np.isin(first, several[at])
        train, test = np.flatnonzero(~in_test), np.flatnonzero(in_test)
        return Images(
            self.name,
            (self.x[train], y[train]),
            (self.x[test], y[test]),
            self.class_names,
            tuple(self.names[row] for row in test) if self.names else (),
            (*self.notes, *_copies(first, y, self.names), *_alone(y, single, self.class_names)),
            self.digest(),
        )

    def digest(self) -> str:
        """A few letters that tell these images and classes from others."""
        found = hashlib.blake2b(digest_size=8)
        for array in (self.x, self.y.astype(np.int64)):
            found.update(f"{array.shape} {array.dtype}".encode())
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()


def given(
    name: str,
    train: Part,
    test: Part,
    class_names: tuple[str, ...],
    test_names: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> Images:
    """Both parts as they came. Images that are in both are said.

    Raises: ShapeError or DataError if they do not fit each other, or there is one class only.
    """
    if test[0].shape[1:] != train[0].shape[1:] or test[0].dtype != train[0].dtype:
        raise ShapeError(
            f"{name!r}: the images to judge by are of another kind than those to train on",
            expected=f"images of shape {train[0].shape[1:]} and {train[0].dtype}, as in x_train",
            got=f"shape {test[0].shape[1:]} and {test[0].dtype} in x_test",
            fix="make both in the same way",
        )
    _require_classes(name, train[1])
    first = pictures.equal_to(np.concatenate([train[0], test[0]]))[len(train[0]) :]
    both = int((first < len(train[0])).sum())
    copies = (f"{both:,} of the images to judge by are among those to train on too: the judgement flatters.",)
    return Images(name, train, test, class_names, test_names, (*notes, *(copies if both else ())))


def numbered(classes: int) -> tuple[str, ...]:
    """Names of classes that have none."""
    return tuple(map(str, range(classes)))


def _require_classes(name: str, y: np.ndarray) -> None:
    if len(np.unique(y)) < 2:
        raise DataError(
            f"{name!r}: there is one class only, and nothing to tell apart",
            expected="images of at least two classes",
            got=f"{len(y):,} images of one class",
            fix="add images of another class",
        )


def _copies(first: np.ndarray, y: np.ndarray, names: tuple[str, ...]) -> list[str]:
    """What there is to say about images that are there more than once."""
    copies = np.flatnonzero(first != np.arange(len(first)))
    if not len(copies):
        return []
    told = [f"Copies of other images: {len(copies):,}; they stay on one side."]
    odd = copies[y[copies] != y[first[copies]]]
    if len(odd):
        pair = f": {names[first[odd[0]]]} and {names[odd[0]]}" if names else ""
        told.append(f"{len(odd):,} of them are in another class than what they are copies of{pair}.")
    return told


def _alone(y: np.ndarray, single: np.ndarray, class_names: tuple[str, ...]) -> list[str]:
    if not len(single):
        return []
    named = ", ".join(class_names[y[row]] for row in single[:3]) + (" ..." if len(single) > 3 else "")
    return [f"Classes of a single image, which is trained on and not judged: {len(single)}, {named}."]
