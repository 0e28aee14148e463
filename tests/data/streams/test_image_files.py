"""Pictures decoded when steps need them train as decoded ones do."""

import numpy as np
import pytest

import thalweg
from thalweg import Input, Sequential, errors, layers
from thalweg.streams import ImageFolder

pytestmark = pytest.mark.needs("PIL")


@pytest.fixture
def folder(tmp_path):
    from PIL import Image

    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(10):
            pixels = random.integers(0, 255, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    return tmp_path


def network():
    thalweg.utils.set_random_seed(1)
    model = Sequential([Input((6, 6, 3)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_a_folder_trains_as_its_pictures_in_memory_do(folder):
    x, y = thalweg.utils.image_dataset_from_directory(folder, image_size=(6, 6), shuffle=False, verbose=False)
    data = ImageFolder(folder, (6, 6))
    assert (data.count, data.class_names) == (20, ["cat", "dog"])
    one, other = network(), network()
    one.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    other.fit(data, batch_size=8, shuffle=False, verbose=0)
    assert all(map(np.array_equal, one.get_weights(), other.get_weights()))
    assert ImageFolder(folder, (4, 4), color_mode="grayscale").first()[0].shape == (20, 4, 4, 1)


def test_a_damaged_picture_is_named(folder):
    data = ImageFolder(folder, (6, 6))
    with open(folder / "dog" / "3.png", "r+b") as file:
        file.truncate(60)
    with pytest.raises(errors.DataError, match=r"dog/3\.png.* cannot be decoded"):
        network().fit(data, verbose=0)
