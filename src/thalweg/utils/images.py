"""Pictures in files and in arrays. Pillow is loaded when the first one is."""

from __future__ import annotations

import os
from typing import Annotated, Any

import numpy as np

from thalweg import config
from thalweg.checks import FilePath, In, OneOf, checked
from thalweg.data.arrays import as_array, converted
from thalweg.data.pictures import middle, pillow
from thalweg.errors import ShapeError, StorageError

MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
Image = Any
"""A ``PIL.Image.Image``."""
Size = Annotated[int, In("[1, inf)")]
Format = Annotated[str, OneOf("channels_last", "channels_first")] | None


@checked
def load_img(
    path: FilePath,
    color_mode: Annotated[str, OneOf("grayscale", "rgb", "rgba")] = "rgb",
    target_size: tuple[Size, Size] | None = None,
    interpolation: Annotated[str, OneOf("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos")] = "nearest",
    keep_aspect_ratio: bool = False,
) -> Image:
    """A picture from a file, as Pillow's image; ``img_to_array`` makes numbers of it.

    Arguments:
        color_mode: "rgb", "rgba" or "grayscale".
        target_size: (height, width) to bring it to.
        interpolation: how: "nearest", "bilinear", "bicubic", "box", "hamming" or "lanczos".
        keep_aspect_ratio: cut the middle out in the shape of ``target_size`` first.

    Raises: StorageError if the file cannot be read as a picture; MissingPackageError without Pillow.
    """
    module = pillow()
    mode = MODES[color_mode]
    try:
        with open(path, "rb") as file:
            image = module.open(file)
            image.load()
    except (OSError, ValueError, SyntaxError, module.DecompressionBombError) as error:
        raise StorageError(
            f"{os.fspath(path)!r} cannot be read as a picture",
            expected="a file of PNG, JPEG or another format that Pillow knows",
            got=f"{type(error).__name__}: {error}"[:200],
            fix="give the path of a picture",
        ) from error
    if image.mode != mode and not (mode == "L" and image.mode in ("I;16", "I")):
        image = image.convert(mode)
    if target_size is None:
        return image
    height, width = target_size
    if image.size == (width, height):
        return image
    box = middle(image.width, image.height, width, height) if keep_aspect_ratio else None
    return image.resize((width, height), getattr(module.Resampling, interpolation.upper()), box=box)


@checked
def img_to_array(img: Image, data_format: Format = None, dtype: str | None = None) -> np.ndarray:
    """The numbers of a picture, 0 to 255.

    Shapes: (height, width, channels); channels first with ``data_format="channels_first"``. A grey one has 1 channel.
    """
    if hasattr(img, "convert"):  # Pillow's
        img = np.asarray(img)
    array = converted(as_array(img, "img"), dtype or config.floatx(), "img")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3:
        raise _no_picture("img_to_array", array.shape)
    return array.transpose(2, 0, 1) if data_format == "channels_first" else array


@checked
def array_to_img(x: Any, data_format: Format = None, scale: bool = True, dtype: str | None = None) -> Image:
    """A picture of numbers.

    Shapes: x (height, width, channels), or channels first with ``data_format="channels_first"``; 1, 3 or 4 channels.

    Arguments:
        scale: bring the smallest number to 0 and the largest to 255; else the numbers are 0 to 255 already.

    Raises: ShapeError for another shape; MissingPackageError without Pillow.
    """
    module = pillow()
    array = as_array(x, "x").astype(dtype or config.floatx())
    if array.ndim != 3:
        raise _no_picture("array_to_img", array.shape)
    if data_format == "channels_first":
        array = array.transpose(1, 2, 0)
    if array.shape[2] not in (1, 3, 4):
        raise _no_picture("array_to_img", array.shape)
    if scale:
        array = array - array.min()
        largest = array.max()
        array = array / largest * 255 if largest else array
    if array.shape[2] > 1:
        return module.fromarray(array.astype("uint8"))
    flat = array[:, :, 0]
    return module.fromarray(flat.astype("int32" if flat.max(initial=0) > 255 else "uint8"))


@checked
def save_img(
    path: FilePath,
    x: Any,
    data_format: Format = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array as a picture; keywords go to Pillow's ``save``.

    Arguments:
        file_format: "png", "jpeg" ...; by the end of the path unless given.
        scale: as in ``array_to_img``.

    Raises: as ``array_to_img``; StorageError if the file cannot be written.
    """
    name = os.fspath(path)
    format = (file_format or os.path.splitext(name)[1].removeprefix(".")).lower()
    format = "jpeg" if format == "jpg" else format
    image = array_to_img(x, data_format, scale)
    image = image.convert("RGB") if image.mode == "RGBA" and format == "jpeg" else image  # which has no transparency
    try:
        image.save(name, format=format or None, **kwargs)
    except (OSError, KeyError, ValueError) as error:
        raise StorageError(
            f"the picture {name!r} cannot be written",
            expected="a path in a folder that is there, with an end such as .png",
            got=f"{type(error).__name__}: {error}"[:200],
            fix="check the path, or pass file_format=",
        ) from error


def _no_picture(owner: str, shape: tuple[int, ...]) -> ShapeError:
    return ShapeError(
        f"{owner}: this is no picture",
        expected="(height, width, channels) with 1, 3 or 4 channels",
        got=str(shape),
        fix="take one picture of a batch, x[0]; a grey one without channels is x[..., None]",
    )
