"""utils: pictures from files to arrays and back."""

import sys

import numpy as np
import pytest

from thalweg import utils
from thalweg.errors import ArgumentError, MissingPackageError, ShapeError, StorageError

COLOURS = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.float32)


@pytest.mark.needs("PIL")
class TestPictures:
    def test_there_and_back(self, tmp_path):
        utils.save_img(tmp_path / "a.png", COLOURS, scale=False)
        array = utils.img_to_array(utils.load_img(tmp_path / "a.png"))
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, COLOURS)
        first = utils.img_to_array(utils.load_img(str(tmp_path / "a.png")), data_format="channels_first")
        np.testing.assert_array_equal(first, COLOURS.transpose(2, 0, 1))
        np.testing.assert_array_equal(utils.array_to_img(first, "channels_first", scale=False), COLOURS)

    def test_modes_and_sizes(self, tmp_path):
        utils.save_img(tmp_path / "a.png", COLOURS, scale=False)
        assert utils.img_to_array(utils.load_img(tmp_path / "a.png", "grayscale")).shape == (6, 8, 1)
        assert utils.img_to_array(utils.load_img(tmp_path / "a.png", "rgba", (3, 2))).shape == (3, 2, 4)
        wide = utils.load_img(tmp_path / "a.png", target_size=(4, 4), keep_aspect_ratio=True, interpolation="bilinear")
        assert wide.size == (4, 4)
        np.testing.assert_array_equal(
            utils.load_img(tmp_path / "a.png", target_size=(6, 6), keep_aspect_ratio=True), COLOURS[:, 1:7]
        )

    def test_scaling(self):
        grey = utils.array_to_img(np.array([[[-1.0], [0.0], [1.0]]]))
        assert grey.mode == "L"
        np.testing.assert_array_equal(grey, [[0, 127, 255]])
        assert utils.array_to_img(np.full((1, 1, 1), 300.0), scale=False).mode == "I"
        assert not np.asarray(utils.array_to_img(np.zeros((2, 2, 3)))).any()

    def test_transparent_pictures_as_jpeg(self, tmp_path):
        utils.save_img(tmp_path / "a.jpg", np.ones((2, 2, 4)))
        assert utils.load_img(tmp_path / "a.jpg").mode == "RGB"

    def test_what_is_no_picture(self, tmp_path):
        (tmp_path / "a.png").write_bytes(b"no picture")
        for path in ("a.png", "missing.png"):
            with pytest.raises(StorageError, match="cannot be read"):
                utils.load_img(tmp_path / path)
        for shape in ((2, 2), (2, 2, 2), (1, 2, 2, 3)):
            with pytest.raises(ShapeError, match="no picture"):
                utils.array_to_img(np.zeros(shape))
        with pytest.raises(ShapeError, match="no picture"):
            utils.img_to_array(np.zeros(3))
        with pytest.raises(StorageError, match="cannot be written"):
            utils.save_img(tmp_path / "missing" / "a.png", COLOURS)
        with pytest.raises(ArgumentError, match="color_mode"):
            utils.load_img(tmp_path / "a.png", "bgr")
        with pytest.raises(ArgumentError, match="interpolation"):
            utils.load_img(tmp_path / "a.png", interpolation="best")

    @pytest.mark.needs("keras")
    def test_keras_gives_the_same(self, tmp_path):
        import keras

        utils.save_img(tmp_path / "a.png", COLOURS)
        for options in ({}, {"color_mode": "grayscale"}, {"target_size": (3, 5), "keep_aspect_ratio": True}):
            ours, theirs = (u.load_img(tmp_path / "a.png", **options) for u in (utils, keras.utils))
            np.testing.assert_array_equal(utils.img_to_array(ours), keras.utils.img_to_array(theirs))
        np.testing.assert_array_equal(utils.array_to_img(COLOURS), keras.utils.array_to_img(COLOURS))


def test_without_pillow(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingPackageError, match="Pillow"):
        utils.load_img(tmp_path / "a.png")
