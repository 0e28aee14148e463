"""data/pictures.py and data/picture_folders.py: pictures of every mode and size, the broken ones named."""

import os

import numpy as np
import pytest

from thalweg.data import picture_folders, pictures
from thalweg.data.pictures import Form
from thalweg.errors import DataError, InsufficientMemoryError, StorageError

pytestmark = pytest.mark.needs("PIL")

COLOURS = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
GREY = COLOURS[..., 0]


def save(path, array, **how):
    from PIL import Image

    Image.fromarray(array).save(path, **how)
    return path


def read(*paths, form=None):
    found = pictures.look(paths)
    return pictures.decode(found, form or found.form())


def test_grey_pictures_of_one_size_come_as_they_are(tmp_path):
    read_back = read(save(tmp_path / "a.png", GREY), save(tmp_path / "b.bmp", GREY[::-1]))
    np.testing.assert_array_equal(read_back.images, [GREY, GREY[::-1]])
    assert read_back.broken == {}


def test_large_ones_go_to_several_threads_with_the_same_result(tmp_path, monkeypatch):
    paths = [save(tmp_path / f"{number}.png", GREY + np.uint8(number)) for number in range(6)]
    alone = read(*paths)
    monkeypatch.setattr(pictures, "SMALL_SECONDS", 0)
    monkeypatch.setattr(pictures, "TOGETHER", 2)
    done = []
    together = pictures.decode(pictures.look(paths), Form(6, 8, 1), lambda *counts: done.append(counts))
    np.testing.assert_array_equal(together.images, alone.images)
    assert done == [(number, 6) for number in range(1, 7)]


def test_among_colours_grey_gets_three_channels_and_it_is_said(tmp_path):
    found = pictures.look([save(tmp_path / "a.png", COLOURS), save(tmp_path / "b.png", GREY)])
    form = found.form()
    assert form == Form(6, 8, 3)
    assert found.notes(form) == ["1 grey pictures get three equal channels, as the others have colour."]
    np.testing.assert_array_equal(pictures.decode(found, form).images, [COLOURS, np.stack([GREY] * 3, -1)])


def test_several_sizes_are_brought_to_the_middle_one_and_it_is_said(tmp_path):
    sizes = [(10, 20), (12, 24), (100, 30)]
    found = pictures.look([save(tmp_path / f"{h}.png", np.full((h, w), 7, np.uint8)) for h, w in sizes])
    form = found.form()
    assert (form.height, form.width) == (12, 24)
    assert found.notes(form) == ["2 of 3 pictures (10 x 20 to 100 x 30) are brought to 12 x 24."]
    assert (pictures.decode(found, form).images == 7).all()
    assert found.form((5, 4)) == Form(5, 4, 1)


@pytest.mark.parametrize(("side", "kept"), [(128, 128), (130, 64)])
def test_large_pictures_are_made_small(tmp_path, side, kept):
    found = pictures.look([save(tmp_path / "a.png", np.zeros((side, side // 2), np.uint8))])
    assert found.form() == Form(kept, kept // 2, 1)


def test_a_large_picture_becomes_the_mean_of_its_parts(tmp_path):
    """Also a JPEG, of which Pillow decodes an eighth only."""
    halves = np.zeros((256, 512), np.uint8)
    halves[:, 256:] = 200
    form = Form(2, 4, 1)
    for name in ("a.png", "a.jpg"):
        image = read(save(tmp_path / name, halves), form=form).images[0]
        np.testing.assert_allclose(image[:, [0, 3]], [[0, 200]] * 2, atol=2)


@pytest.mark.parametrize("how", ["crop", "pad"])
def test_the_ratio_of_the_sides_can_be_kept(tmp_path, how):
    wide = np.full((4, 12), 50, np.uint8)
    wide[:, 4:8] = 150
    image = read(save(tmp_path / "a.png", wide), form=Form(4, 4, 1, how, "nearest")).images[0]
    if how == "crop":
        assert (image == 150).all()
    else:
        assert (image[[0, 3]] == 0).all()
        assert image.max() == 150


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_photographs_are_turned_upright(tmp_path, name):
    """EXIF's 6: the camera was turned; what is stored at the left is the bottom."""
    from PIL import Image

    stored = np.zeros((16, 32), np.uint8)
    stored[:, 16:] = 255
    image = Image.fromarray(stored)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / name, exif=exif)
    upright = read(tmp_path / name, form=Form(32, 16, 1)).images[0]
    assert upright[:12].max() < 20
    assert upright[20:].min() > 235
    if name == "a.jpg":
        assert pictures.look([tmp_path / name]).sizes == ((32, 16),)


def test_sixteen_bits_become_eight(tmp_path):
    """Pillow's own conversion would cut off at 255."""
    deep = np.array([[0, 256, 65535]], np.uint16)
    np.testing.assert_array_equal(read(save(tmp_path / "a.png", deep)).images[0], [[0, 1, 255]])


def test_transparent_places_become_white(tmp_path):
    layered = np.zeros((1, 2, 4), np.uint8)
    layered[0, 0, 3] = 255
    np.testing.assert_array_equal(read(save(tmp_path / "a.png", layered)).images[0], [[[0, 0, 0], [255, 255, 255]]])


def test_broken_pictures_are_named_and_the_others_read(tmp_path):
    good = save(tmp_path / "good.png", COLOURS)
    content = save(
        tmp_path / "cut.png", np.random.default_rng(1).integers(0, 256, (90, 90)).astype(np.uint8)
    ).read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "none.jpg").write_bytes(b"no picture at all")
    (tmp_path / "empty.png").write_bytes(b"")
    save(tmp_path / "floats.tif", np.ones((3, 3), np.float32))
    names = ["cut.png", "good.png", "none.jpg", "empty.png", "floats.tif", "missing.png"]
    done = []
    found = pictures.look([tmp_path / name for name in names])
    result = pictures.decode(found, Form(6, 8, 3), lambda *counts: done.append(counts))
    assert result.files == (good,)
    assert result.kept.tolist() == [1]
    np.testing.assert_array_equal(result.images, [COLOURS])
    assert {os.path.basename(name) for name in result.broken} == set(names) - {"good.png"}
    told = pictures.told_of_broken(result.broken)
    assert told.startswith("Left out, as they cannot be read as pictures: 5, ")
    assert told.endswith("; and 2 more.")
    assert "no format that Pillow knows" in told
    assert done[-1] == (3, 3)  # what the head of the file gave away is not decoded


def test_giant_pictures_are_left_out(tmp_path):
    """Ten kilobytes that would be gigabytes; the head is believed."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for name, side in (("bomb.png", 100_000), ("large.png", 12_000)):
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)))
    found = pictures.look([tmp_path / "bomb.png", tmp_path / "large.png", save(tmp_path / "a.png", GREY)])
    assert len(found.files) == 1
    assert len(found.broken) == 2


def test_nothing_that_can_be_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"none")
    with pytest.raises(DataError, match=r"1 files that are none, the first .*a.png"):
        pictures.look([tmp_path / "a.png"])
    with pytest.raises(DataError, match="no files"):
        pictures.look([])


def test_more_pictures_than_there_is_memory(tmp_path):
    found = pictures.look([save(tmp_path / "a.png", GREY)])
    with pytest.raises(InsufficientMemoryError, match="1 pictures of 10000000 x 10000000, grey"):
        pictures.decode(found, Form(10**7, 10**7, 1))


def test_equal_images_are_found():
    assert pictures.equal_to(np.array([[1, 2], [3, 4], [1, 2], [3, 4]])).tolist() == [0, 1, 0, 1]


@pytest.fixture
def folder(tmp_path):
    for name in ("b", "a", "empty", ".hidden", "a/deeper"):
        (tmp_path / name).mkdir()
    for name in ("b/2.png", "b/1.JPG", "a/3.png", "a/deeper/0.png", ".hidden/x.png"):
        save(tmp_path / name, GREY, **({"format": "JPEG"} if "JPG" in name else {}))
    (tmp_path / "a/notes.txt").write_text("no picture")
    (tmp_path / "a/.DS_Store").write_text("no picture")
    return tmp_path


def test_a_folder_for_each_class(folder):
    found = picture_folders.labelled(folder)
    assert found.classes == ("a", "b", "empty")
    assert [str(file.relative_to(folder)) for file in found.files] == [
        "a/3.png",
        "a/deeper/0.png",
        "b/1.JPG",
        "b/2.png",
    ]
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert found.others == 1
    assert picture_folders.labelled(folder, ["b", "empty", "a"]).labels.tolist() == [0, 0, 2, 2]
    assert picture_folders.parts(folder) is None


def test_folders_of_parts(tmp_path):
    for name in ("Train/x", "test/x", "val/x"):
        (tmp_path / name).mkdir(parents=True)
    assert picture_folders.parts(tmp_path) == (tmp_path / "Train", tmp_path / "test")
    assert picture_folders.parts(tmp_path / "test") is None


@pytest.mark.parametrize(
    ("files", "part"), [([], "none"), (["a.png"], "pictures without folders"), (["x/a.txt"], "'x'")]
)
def test_folders_that_hold_no_classes(tmp_path, files, part):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match=part):
        picture_folders.labelled(tmp_path)


def test_no_folder_at_all(tmp_path):
    with pytest.raises(StorageError, match="No such file"):
        picture_folders.labelled(tmp_path / "none")
