"""The pictures themselves: what is on them, and the files."""

import sys

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, layers, utils, visualization
from thalweg.errors import ArgumentError, GraphError, MissingPackageError, ShapeError, StorageError

RANDOM = np.random.default_rng(0)


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def two_inputs():
    photo, facts = Input((8, 8, 3), name="photo"), Input((3,), name="facts")
    encoder = Sequential([Input((8, 8, 3)), layers.Conv2D(4, 3, activation="relu"), layers.Flatten()], name="encoder")
    encoder.trainable = False
    both = layers.Concatenate()([encoder(photo), layers.Dense(2)(facts)])
    return Model([photo, facts], [layers.Dense(1, name="price")(both), layers.Dense(3, "softmax")(both)])


def test_plot_model_writes_what_was_asked_for(pyplot, tmp_path):
    model = two_inputs()
    plain = utils.plot_model(model, tmp_path / "plain.png")
    assert (tmp_path / "plain.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(texts(plain)) == ["Concatenate", "Dense", "Dense", "Dense", "Input", "Input", "Sequential"]
    full = utils.plot_model(
        model,
        tmp_path / "full.svg",
        show_shapes=True,
        show_dtype=True,
        show_layer_names=True,
        expand_nested=True,
        show_layer_activations=True,
        show_trainable=True,
    )
    assert (tmp_path / "full.svg").read_text(encoding="utf-8").startswith("<?xml")
    shown = texts(full)
    assert {"photo", "facts", "price", "conv2d", "Conv2D, relu", "Dense, softmax", "frozen", "trainable"} <= set(shown)
    assert {"8 × 8 × 3 → 6 × 6 × 4", "6 × 6 × 4 → 144", "146 → 3", "float32"} <= set(shown)
    assert any(text.startswith("encoder  Sequential") for text in shown)
    assert not pyplot.get_fignums()  # what was written is not kept


@pytest.mark.parametrize("direction", ["TB", "BT", "LR", "RL"])
def test_directions(pyplot, direction):
    figure = utils.plot_model(thalweg.models.small_cnn(), None, rankdir=direction, show_shapes=True)
    width, height = figure.get_size_inches()
    assert (height > 2 * width) == (direction in ("TB", "BT"))
    places = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    axis = 1 if direction in ("TB", "BT") else 0
    first, last = places["Input"][axis], places["MaxPooling2D"][axis]
    assert (first < last) == (direction in ("BT", "LR"))


@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_nothing_lies_outside_or_over_the_border_of_its_box(pyplot, direction):
    figure = utils.plot_model(
        two_inputs(), None, rankdir=direction, show_shapes=True, show_layer_names=True, expand_nested=True
    )
    figure.canvas.draw()
    whole = figure.bbox
    boxes = [patch.get_window_extent() for patch in figure.axes[0].patches if hasattr(patch, "get_boxstyle")]
    assert len(boxes) == 10
    for text in figure.axes[0].texts:
        extent = text.get_window_extent()
        assert whole.contains(extent.x0, extent.y0)
        assert whole.contains(extent.x1, extent.y1)
        around = [box for box in boxes if box.contains(extent.x0, extent.y0)]
        assert around, text.get_text()
        assert all(box.contains(extent.x1, extent.y1) for box in around)


def test_activations_of_any_kind_are_named(pyplot):
    model = Sequential([Input((4,)), layers.Dense(3, layers.PReLU()), layers.Dense(2, thalweg.activations.relu)])
    shown = texts(utils.plot_model(model, None, show_layer_activations=True))
    assert shown[1:] == ["Dense, PReLU", "Dense, relu"]


def test_deep_models_are_drawn(pyplot, tmp_path):
    for model in (thalweg.models.resnet(20), thalweg.models.unet((32, 32, 1))):
        figure = utils.plot_model(model, tmp_path / "deep.png", show_shapes=True, dpi=20)
        assert len(texts(figure)) >= 2 * len(model.layers)


def test_what_cannot_be_drawn(pyplot, tmp_path):
    with pytest.raises(GraphError, match="not built"):
        utils.plot_model(Sequential([layers.Dense(2)]), None)
    model = thalweg.models.small_cnn()
    with pytest.raises(ArgumentError, match="no such kind of picture"):
        utils.plot_model(model, tmp_path / "model.dotty")
    with pytest.raises(ArgumentError, match="rankdir"):
        utils.plot_model(model, None, rankdir="down")
    with pytest.raises(StorageError, match="cannot write"):
        utils.plot_model(model, tmp_path / "missing" / "model.png")
    with pytest.raises(ShapeError, match="no images"):
        visualization.plot_images(np.zeros((3, 4)))
    with pytest.raises(ShapeError, match="2 maps, one for each image"):
        visualization.plot_heatmaps(np.zeros((2, 4, 4)), np.zeros((3, 4, 4)))
    with pytest.raises(ShapeError, match="axes"):
        visualization.plot_filters(np.zeros((3, 4)))


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingPackageError, match="thalweg\\[plots\\]"):
        utils.plot_model(thalweg.models.small_cnn())


def test_filters_in_black_and_white_in_colour_and_by_channel(pyplot):
    def pictures(channels, **options):
        figure = visualization.plot_filters(RANDOM.normal(size=(6, 3, 3, channels)), **options)
        return [axes.images[0].get_array() for axes in figure.axes if axes.images]

    assert [np.shape(p) for p in pictures(1)] == [(3, 3)] * 6
    coloured = pictures(3)
    assert [np.shape(p) for p in coloured] == [(3, 3, 3)] * 6
    assert all(np.min(p) == 0 and np.max(p) == 1 for p in coloured)
    assert len(pictures(5)) == 30
    assert len(pictures(5, count=2)) == 4


def test_activations_share_one_scale(pyplot):
    maps = RANDOM.uniform(0, 1, (2, 4, 5, 3))
    figure = visualization.plot_activations(maps)
    drawn = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(drawn) == 6
    assert {image.get_clim() for image in drawn} == {(maps.min(), maps.max())}
    np.testing.assert_array_equal(drawn[4].get_array(), maps[1, :, :, 1])


def test_heat_lies_over_its_image(pyplot):
    images, heat = RANDOM.uniform(0, 1, (2, 8, 12, 1)), RANDOM.uniform(0, 3, (2, 4, 6))
    figure = visualization.plot_heatmaps(images, heat, ["one", "two"])
    upper, lower = figure.axes[0], figure.axes[2]
    assert upper.get_title() == "one"
    image, over = lower.images
    assert image.get_extent() == over.get_extent()
    np.testing.assert_allclose(over.get_array(), heat[0] / heat[0].max())


def test_mistakes_beside_the_matrix(pyplot):
    model = Sequential([Input((2, 2, 1)), layers.Flatten(), layers.Activation("softmax")])
    x = RANDOM.normal(size=(40, 2, 2, 1))
    found = visualization.worst_mistakes(model, x, RANDOM.integers(0, 4, 40), count=5, labels=list("abcd"))
    figure = found.plot()
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    names = found.confusion.labels
    assert len(titles) == 5
    assert titles[0].startswith(f"{names[found.targets[0]]}, said {names[found.answers[0]]}\n")
    none = visualization.worst_mistakes(model, x, model.predict(x, verbose=0).argmax(1))
    assert len(none.plot().axes) == 1


def test_colours_outside_of_the_range_are_brought_into_it(pyplot):
    figure = visualization.plot_images(np.array([-1.0, 0.0, 3.0] * 12).reshape(1, 3, 4, 3))
    (drawn,) = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert (np.min(drawn), np.max(drawn)) == (0, 1)
