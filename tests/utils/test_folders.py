"""utils.image_dataset_from_directory."""

import numpy as np
import pytest

from thalweg import utils
from thalweg.errors import ArgumentError, ShapeError

pytestmark = pytest.mark.needs("PIL")


@pytest.fixture
def folder(tmp_path):
    from PIL import Image

    for name, brightness in (("cat", 40), ("dog", 200)):
        (tmp_path / name).mkdir()
        for number in range(5):
            Image.new("RGB", (6, 4), (brightness + number, 0, 0)).save(tmp_path / name / f"{number}.png")
    return tmp_path


def read(folder, **options):
    return utils.image_dataset_from_directory(folder, image_size=(4, 6), verbose=False, **options)


def test_arrays_with_the_names_of_the_classes(folder, capsys):
    dataset = utils.image_dataset_from_directory(str(folder), image_size=(4, 6), shuffle=False)
    assert capsys.readouterr().out == "Found 10 files belonging to 2 classes.\n"
    x, y = dataset
    assert x.shape == (10, 4, 6, 3)
    assert x[:, 0, 0, 0].tolist() == [40, 41, 42, 43, 44, 200, 201, 202, 203, 204]
    assert (y.dtype, y.tolist()) == (np.int32, [0] * 5 + [1] * 5)
    assert dataset.class_names == ["cat", "dog"]
    assert dataset.file_paths[7].endswith("2.png")


def test_parts_are_those_of_keras(folder):
    """keras.utils.dataset_utils: RandomState(seed).shuffle over the paths, and the last ones held out."""
    (x, y), (x_held, y_held) = read(folder, validation_split=0.3, subset="both", seed=3)
    order = np.arange(10)
    np.random.RandomState(3).shuffle(order)
    brightness = np.array([40, 41, 42, 43, 44, 200, 201, 202, 203, 204])[order]
    assert np.concatenate([x, x_held])[:, 0, 0, 0].tolist() == brightness.tolist()
    assert np.concatenate([y, y_held]).tolist() == (order > 4).tolist()
    assert len(x_held) == 3
    assert (read(folder, validation_split=0.3, subset="validation", seed=3)[0] == x_held).all()


def test_labels_of_other_kinds(folder):
    one_hot = read(folder, label_mode="categorical", shuffle=False)[1]
    np.testing.assert_array_equal(one_hot, np.eye(2, dtype=np.float32)[[0] * 5 + [1] * 5])
    assert read(folder, label_mode="binary", shuffle=False)[1].tolist() == [[0.0]] * 5 + [[1.0]] * 5
    assert read(folder, labels=None).shape == (10, 4, 6, 3)
    assert read(folder, labels=list(range(10)), shuffle=False)[1].tolist() == list(range(10))
    assert read(folder, class_names=["dog", "cat"], shuffle=False)[1].tolist() == [0] * 5 + [1] * 5


def test_colours_and_axes(folder):
    assert read(folder, color_mode="grayscale")[0].shape == (10, 4, 6, 1)
    assert read(folder, color_mode="rgba", data_format="channels_first")[0].shape == (10, 4, 4, 6)


def test_a_broken_picture_is_named(folder, capsys):
    (folder / "cat" / "2.png").write_bytes(b"")
    x, y = read(folder, shuffle=False)
    assert len(x) == len(y) == 9
    assert y.sum() == 5
    assert "2.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"validation_split": 0.2}, "belong together"),
        ({"validation_split": 0.2, "subset": "both"}, "seed="),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "both"),
        ({"labels": None, "class_names": ["a"]}, "class_names"),
        ({"class_names": ["cat"]}, "does not name the folders"),
        ({"label_mode": "binary", "labels": [0, 1, 2, 3, 4] * 2}, "two classes"),
        ({"interpolation": "linear"}, "interpolation"),
    ],
)
def test_arguments_that_do_not_fit(folder, options, part):
    with pytest.raises(ArgumentError, match=part):
        read(folder, **options)
    with pytest.raises(ShapeError, match="10 whole numbers"):
        read(folder, labels=[1, 2])
