"""Pictures from files (PNG, JPEG ...) as arrays of one size: looked at first, then decoded, the broken ones named.

Pillow decodes; it is an extra, loaded when the first picture is. A photograph is turned upright as its EXIF says,
transparent places become white, 16 bits a pixel become 8. Files are read on several threads, in an order that does not
show in the result.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from statistics import median_low
from typing import Any, TypeVar

import numpy as np

from thalweg import cores, memory
from thalweg.data import opening
from thalweg.data.room import empty
from thalweg.errors import DataError
from thalweg.extras import needed
from thalweg.fields import dataclass

__all__ = [
    "ENDS",
    "RESAMPLING",
    "Form",
    "Look",
    "Pictures",
    "decode",
    "equal_to",
    "is_picture",
    "look",
    "middle",
    "pillow",
    "told_of_broken",
]

ENDS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")

MOST_PIXELS = 1 << 27
"""Of a picture: 134 million, more than cameras give; a small file can hold many times as many."""

LARGEST_KEPT = 128
"""Pictures that all have one size are left so if neither side is longer."""

LONGEST_SIDE = 64
"""Of pictures that are brought to one size: what a convolutional network learns from in minutes on a CPU."""

NAMED = 3
"""Broken files that a note names; the rest are counted."""

SMALL_SECONDS, TOGETHER = 0.0005, 64
"""A file that takes less time than that is read sooner than handed to another thread; looked at so many at a time."""

SIDEWAYS = (5, 6, 7, 8)
"""Values of EXIF's orientation that exchange width and height. Source: CIPA DC-008 (Exif 2.32), tag 0x0112."""

ORIENTATION = 0x0112

RESAMPLING = {
    "bilinear": "BILINEAR",
    "nearest": "NEAREST",
    "bicubic": "BICUBIC",
    "area": "BOX",
    "lanczos3": "LANCZOS",
}
"""Keras's names for ways to resize -> Pillow's. All but the nearest look at every pixel when they make smaller."""

Progress = Callable[[int, int], None]
"""Called with how many files are done, of how many."""

T = TypeVar("T")


@dataclass(frozen=True)
class Form:
    """What every picture is brought to.

    Attributes:
        channels: 1 for grey, without an axis of channels; 3 for colour; 4 with how opaque it is.
        how: to change the ratio of the sides: ``"stretch"``, ``"crop"`` the middle out, or ``"pad"`` with black.
        resampling: a key of ``RESAMPLING``.
    """

    height: int
    width: int
    channels: int
    how: str = "stretch"
    resampling: str = "bilinear"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one picture."""
        return (self.height, self.width) if self.channels == 1 else (self.height, self.width, self.channels)

    @property
    def mode(self) -> str:
        """Pillow's name for the channels."""
        return {1: "L", 3: "RGB", 4: "RGBA"}[self.channels]

    def __str__(self) -> str:
        return f"{self.height} x {self.width}, {'grey' if self.channels == 1 else 'colour'}"


@dataclass(frozen=True)
class Look:
    """What the heads of files say.

    Attributes:
        files: those that are pictures, in the order given.
        kept: their places among all that were given.
        sizes: (height, width) of each, upright.
        grey: of each, whether it has no colour.
        broken: name -> what is wrong, of those left out.
    """

    files: tuple[Path, ...]
    kept: np.ndarray
    sizes: tuple[tuple[int, int], ...]
    grey: tuple[bool, ...]
    broken: dict[str, str] = field(default_factory=dict)

    def form(self, size: tuple[int, int] | None = None) -> Form:
        """What to bring them to: their own size if it is one and small, else a middle one, small; grey if all are.

        Arguments:
            size: (height, width) instead.
        """
        return Form(*(size or self._size()), channels=1 if all(self.grey) else 3)

    def _size(self) -> tuple[int, int]:
        height, width = (median_low(sides) for sides in zip(*self.sizes, strict=True))
        most = LARGEST_KEPT if len(set(self.sizes)) == 1 else LONGEST_SIDE
        scale = min(1.0, (most if max(height, width) <= most else LONGEST_SIDE) / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def notes(self, form: Form) -> list[str]:
        """What bringing them to this form changes, in sentences."""
        told = []
        others = sum(size != (form.height, form.width) for size in self.sizes)
        if others:
            (low_h, low_w), (high_h, high_w) = (
                tuple(choose(sides) for sides in zip(*self.sizes, strict=True)) for choose in (min, max)
            )
            between = f"{low_h} x {low_w}" + (f" to {high_h} x {high_w}" if (low_h, low_w) != (high_h, high_w) else "")
            told.append(
                f"{others:,} of {len(self.sizes):,} pictures ({between}) are brought to {form.height} x {form.width}."
            )
        if form.channels == 3 and (grey := sum(self.grey)):
            told.append(f"{grey:,} grey pictures get three equal channels, as the others have colour.")
        return told


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures.

    Attributes:
        images: uint8 (n, height, width), or with an axis of channels.
        files: of each.
        kept: their places among the files that were given.
        broken: name -> what is wrong, of those left out.
    """

    images: np.ndarray
    files: tuple[Path, ...]
    kept: np.ndarray
    broken: dict[str, str] = field(default_factory=dict)


def is_picture(name: str) -> bool:
    """Whether a file of this name should be a picture."""
    return name.lower().endswith(ENDS) and not os.path.basename(name).startswith(".")


def told_of_broken(broken: dict[str, str]) -> str:
    """Which files are left out, in a sentence; empty if none is."""
    if not broken:
        return ""
    named = "; ".join(f"{name} ({why})" for name, why in list(broken.items())[:NAMED])
    more = f"; and {len(broken) - NAMED:,} more" if len(broken) > NAMED else ""
    return f"Left out, as they cannot be read as pictures: {len(broken):,}, {named}{more}."


def look(files: Iterable[str | os.PathLike[str]], progress: Progress | None = None) -> Look:
    """Size and colours of pictures, from the beginning of each file.

    Raises: DataError if none is a picture; MissingPackageError without Pillow.
    """
    module = pillow()
    paths = [Path(file) for file in files]
    results = _each(paths, lambda path: _look(module, path), progress)
    found = [(at, result) for at, result in enumerate(results) if not isinstance(result, str)]
    broken = {str(paths[at]): result for at, result in enumerate(results) if isinstance(result, str)}
    if not found:
        raise _none_left(broken)
    kept = np.array([at for at, _ in found])
    return Look(
        tuple(paths[at] for at in kept),
        kept,
        tuple(size for _, (size, _) in found),
        tuple(grey for _, (_, grey) in found),
        broken,
    )


def decode(found: Look, form: Form, progress: Progress | None = None) -> Pictures:
    """The pictures that were found, in this form.

    Raises: InsufficientMemoryError before memory is taken; DataError if none is left.
    """
    module = pillow()
    count = len(found.files)
    memory.require(
        count * int(np.prod(form.shape)),
        f"{count:,} pictures of {form}",
        lambda: "their pixels, a byte for each number",
    )
    images = empty((count, *form.shape), np.uint8)

    def fill(at: int) -> str | None:
        result = _decoded(module, found.files[at], form)
        if isinstance(result, str):
            return result
        images[at] = result
        return None

    results = _each(range(count), fill, progress)
    good = np.array([at for at, result in enumerate(results) if result is None], np.int64)
    broken = found.broken | {str(found.files[at]): result for at, result in enumerate(results) if result is not None}
    if not len(good):
        raise _none_left(broken)
    if len(good) < count:
        images = images[good]
    return Pictures(images, tuple(found.files[at] for at in good), found.kept[good], broken)


def pillow() -> Any:
    """The module ``PIL.Image``. Raises MissingPackageError."""
    return needed(
        "PIL.Image",
        "pictures need Pillow, which is not installed",
        expected="the package pillow; arrays in .npy, .npz and idx files are read without it",
        fix="pip install 'thalweg[images]'",
    )


def _none_left(broken: dict[str, str]) -> DataError:
    name, why = next(iter(broken.items()), ("", ""))
    return DataError(
        "there is no picture that can be read",
        expected=f"files of {', '.join(ENDS)}",
        got=f"{len(broken):,} files that are none, the first {name!r}: {why}" if broken else "no files",
        fix="check the folder, or that the files were copied as a whole",
    )


@contextmanager
def _quiet(module: Any) -> Iterator[None]:
    """Without Pillow's own warnings, which would name no file; of too many pixels it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", module.DecompressionBombWarning)
        yield


def _each(items: Sequence[Any], work: Callable[[Any], T], progress: Progress | None) -> list[T]:
    """``work`` of each item, from the first large one on as many threads as there are cores: Pillow decodes without
    Python's lock.
    """
    results: list[T] = []

    def take(several: Iterable[T]) -> None:
        for result in several:
            results.append(result)
            if progress is not None:
                progress(len(results), len(items))

    with _quiet(pillow()):
        seconds = 0.0
        while len(results) < len(items) and seconds < TOGETHER * SMALL_SECONDS:
            began = time.perf_counter()
            take(map(work, items[len(results) : len(results) + TOGETHER]))
            seconds = time.perf_counter() - began
        pool = ThreadPoolExecutor(cores.available())
        try:
            take(pool.map(work, items[len(results) :]))
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the rest
    return results


@contextmanager
def _opened(module: Any, path: Path) -> Iterator[Any]:
    """Pillow's image of a file, not decoded yet. Raises ValueError for too many pixels, and whatever Pillow raises."""
    with opening.plain(path) as stream, module.open(stream) as image:
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"{image.width:,} x {image.height:,} pixels, more than {MOST_PIXELS:,}")
        yield image


def _look(module: Any, path: Path) -> tuple[tuple[int, int], bool] | str:
    """(height, width) and whether it is grey; or what is wrong."""
    try:
        with _opened(module, path) as image:
            width, height = image.size
            # Of a PNG this would decode everything; what it says there is rare, and decoding turns it upright anyway.
            turned = image.format != "PNG" and image.getexif().get(ORIENTATION) in SIDEWAYS
            grey = image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")
            return ((width, height) if turned else (height, width)), grey
    except Exception as error:  # what decoders of other people's formats raise: SyntaxError, struct.error, KeyError ...
        return _reason(error)


def _decoded(module: Any, path: Path, form: Form) -> np.ndarray | str:
    """(height, width) or (height, width, channels); or what is wrong."""
    try:
        with _opened(module, path) as image:
            longest = 2 * max(form.height, form.width)
            image.draft(
                None, (longest, longest)
            )  # a JPEG far larger than that is decoded at a half, a fourth, an eighth
            image.load()
            return _fitted(module, _channels(module, _upright(image), form), form)
    except Exception as error:  # as above
        return _reason(error)


def _reason(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        return "no format that Pillow knows"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:80] or type(error).__name__


def _upright(image: Any) -> Any:
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _channels(module: Any, image: Any, form: Form) -> Any:
    """The image in the form's mode, of 8 bits."""
    if image.mode == "F":
        raise ValueError("floating-point pixels, whose brightest is not known")
    if image.mode.startswith("I"):  # 16 bits a pixel; to convert would cut off what is above 255
        image = module.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8))
    if form.mode != "RGBA" and ("A" in image.mode or "a" in image.mode or "transparency" in image.info):
        image = image.convert("RGBA")
        image = module.alpha_composite(module.new("RGBA", image.size, "white"), image)
    return image if image.mode == form.mode else image.convert(form.mode)


def _fitted(module: Any, image: Any, form: Form) -> np.ndarray:
    size = form.width, form.height
    how = getattr(module.Resampling, RESAMPLING[form.resampling])
    if image.size == size:
        pass
    elif form.how == "pad":
        from PIL import ImageOps

        image = ImageOps.pad(image, size, how)
    else:
        box = middle(image.width, image.height, *size) if form.how == "crop" else None
        image = image.resize(size, how, box=box, reducing_gap=None if form.resampling == "nearest" else 3.0)
    return np.asarray(image)


def middle(width: int, height: int, wanted_width: int, wanted_height: int) -> tuple[int, int, int, int]:
    """The largest box of the wanted ratio in the middle of a picture: left, top, right, bottom."""
    cut_width = min(width, height * wanted_width // wanted_height)
    cut_height = min(height, width * wanted_height // wanted_width)
    left, top = (width - cut_width) // 2, (height - cut_height) // 2
    return left, top, left + cut_width, top + cut_height


def equal_to(images: np.ndarray) -> np.ndarray:
    """For each image the place of the first that is equal to it: (n,)."""
    import hashlib

    first: dict[bytes, int] = {}
    return np.array(
        [first.setdefault(hashlib.blake2b(image.tobytes()).digest(), at) for at, image in enumerate(images)]
    )
