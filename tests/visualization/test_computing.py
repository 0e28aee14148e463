"""What pictures are made of: filters, activations, saliency and Grad-CAM against PyTorch and central differences."""

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, layers, visualization
from thalweg.errors import ArgumentError, DataError, DTypeError, GraphError, ShapeError

RANDOM = np.random.default_rng(5)
IMAGES = RANDOM.normal(size=(11, 9, 10, 3))


def classifier(dtype="float32", classes=4):
    thalweg.utils.set_random_seed(3)
    return Sequential(
        [
            Input((9, 10, 3), dtype=dtype),
            layers.Conv2D(5, 3, activation="tanh", name="first", dtype=dtype),
            layers.Conv2D(6, 2, name="second", dtype=dtype),
            layers.BatchNormalization(dtype=dtype),
            layers.ReLU(name="last", dtype=dtype),
            layers.MaxPooling2D(2, dtype=dtype),
            layers.Flatten(dtype=dtype),
            layers.Dense(classes, name="scores", dtype=dtype),
            layers.Activation("softmax" if classes > 1 else "sigmoid", dtype=dtype),
        ]
    )


def head(model, after):
    """The layers behind one, up to the scores, as a model of its result."""
    names = [layer.name for layer in model.layers]
    start, end = names.index(after) + 1, names.index("scores") + 1
    entry = Input(model.get_layer(after).output.shape[1:], dtype=model.inputs[0].dtype)
    x = entry
    for layer in model.layers[start:end]:
        x = layer(x)
    return Model(entry, x)


@pytest.mark.parametrize("layer", ["first", "second", "last"])
def test_grad_cam_by_differences(layer):
    """alpha_k times the number of places is the derivative along a change of the whole map k."""
    model = classifier("float64")
    classes = RANDOM.integers(0, 4, len(IMAGES))
    maps = visualization.activations(model, IMAGES, layer)
    rest = head(model, layer)
    alpha = np.zeros((len(IMAGES), maps.shape[-1]))
    h = 1e-6
    for k in range(maps.shape[-1]):
        change = np.zeros(maps.shape[-1])
        change[k] = h
        ahead, behind = (rest.predict(maps + sign * change, verbose=0) for sign in (1, -1))
        alpha[:, k] = ((ahead - behind) / (2 * h))[np.arange(len(IMAGES)), classes]
    expected = np.maximum(np.einsum("nijk,nk->nij", maps, alpha / np.prod(maps.shape[1:3])), 0)
    found = visualization.grad_cam(model, IMAGES, layer, classes)
    assert found.dtype == np.float64
    assert found.max() > 0
    np.testing.assert_allclose(found, expected, atol=1e-8 * np.abs(maps).max())


def test_saliency_by_differences():
    model = classifier("float64")
    scores = Model(model.inputs, model.get_layer("scores").output)
    found = visualization.saliency(model, IMAGES[:2], 1)
    h = 1e-6
    for row, column in [(0, 0), (4, 5), (8, 9)]:
        slopes = np.zeros((2, 3))
        for channel in range(3):
            change = np.zeros((9, 10, 3))
            change[row, column, channel] = h
            ahead, behind = (scores.predict(IMAGES[:2] + sign * change, verbose=0)[:, 1] for sign in (1, -1))
            slopes[:, channel] = (ahead - behind) / (2 * h)
        np.testing.assert_allclose(found[:, row, column], np.abs(slopes).max(1), atol=1e-8)


@pytest.mark.needs("torch")
def test_as_pytorch():
    import torch

    model = classifier()
    images = IMAGES.astype(np.float32)
    kernel, bias, second, second_bias, gamma, beta, mean, variance, dense, dense_bias = map(
        torch.tensor, model.get_weights()
    )
    functions = torch.nn.functional
    x = torch.tensor(images).movedim(-1, 1).requires_grad_()
    z = torch.tanh(functions.conv2d(x, kernel.movedim((-1, -2), (0, 1)), bias))
    z = functions.conv2d(z, second.movedim((-1, -2), (0, 1)), second_bias)
    maps = functions.relu(functions.batch_norm(z, mean, variance, gamma, beta, eps=1e-3))
    maps.retain_grad()
    scores = functions.max_pool2d(maps, 2).movedim(1, -1).flatten(1) @ dense + dense_bias
    scores.max(1).values.sum().backward()
    alpha = maps.grad.mean((2, 3), keepdim=True)
    cam = functions.relu((alpha * maps).sum(1)).detach().numpy()
    np.testing.assert_allclose(visualization.grad_cam(model, images), cam, atol=2e-6 * cam.max())
    expected = x.grad.abs().amax(1).numpy()
    np.testing.assert_allclose(visualization.saliency(model, images), expected, atol=1e-5 * expected.max())


def test_the_layer_of_grad_cam_is_the_last_of_the_last_convolutions_size():
    model = classifier()
    images = IMAGES.astype(np.float32)
    np.testing.assert_array_equal(visualization.grad_cam(model, images), visualization.grad_cam(model, images, "last"))
    residual = thalweg.models.resnet(8, (16, 16, 3))
    pictures = RANDOM.normal(size=(2, 16, 16, 3)).astype(np.float32)
    last = [layer for layer in residual.layers if isinstance(layer, layers.ReLU)][-1]
    np.testing.assert_array_equal(
        visualization.grad_cam(residual, pictures), visualization.grad_cam(residual, pictures, last)
    )


def test_classes():
    model = classifier()
    images = IMAGES.astype(np.float32)
    answers = model.predict(images, verbose=0).argmax(1)
    for explain in (visualization.saliency, visualization.grad_cam):
        np.testing.assert_array_equal(explain(model, images), explain(model, images, classes=answers))
        one_by_one = [explain(model, images[i : i + 1], classes=2)[0] for i in range(3)]
        np.testing.assert_allclose(explain(model, images, classes=2)[:3], one_by_one, rtol=1e-5, atol=1e-6)


def test_a_single_unit_speaks_for_either_class():
    model = classifier(classes=1)
    images = IMAGES.astype(np.float32)
    for_one, for_none = (visualization.grad_cam(model, images, classes=c) for c in (1, 0))
    assert for_one.max() > 0
    assert for_none.max() > 0
    assert not np.any((for_one > 0) & (for_none > 0))  # what speaks for one speaks against the other
    said = model.predict(images, verbose=0)[:, 0] > 0.5
    expected = np.where(said[:, None, None], for_one, for_none)
    np.testing.assert_array_equal(visualization.grad_cam(model, images), expected)


def test_bytes_are_taken_as_floats():
    model = thalweg.models.small_cnn((12, 12), 3, dtype="uint8")
    images = RANDOM.integers(0, 256, (3, 12, 12)).astype(np.uint8)
    found = visualization.saliency(model, images, 1)
    assert found.shape == (3, 12, 12)
    scores = thalweg.models.small_cnn((12, 12), 3)
    scores.set_weights(model.get_weights())
    np.testing.assert_allclose(found, visualization.saliency(scores, images / 255, 1) / 255, rtol=1e-4, atol=1e-8)


def test_inside_a_model_inside_a_model():
    thalweg.utils.set_random_seed(0)
    encoder = Sequential(
        [Input((9, 10, 3)), layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D()], name="encoder"
    )
    model = Sequential([encoder, layers.Dense(3, "softmax")])
    images = IMAGES.astype(np.float32)
    maps = visualization.activations(model, images, "encoder/conv2d")
    part = Model(encoder.inputs, encoder.get_layer("conv2d").output)
    np.testing.assert_array_equal(maps, part.predict(images, verbose=0))
    # With a mean over the places Grad-CAM is the weights' sum over the maps (Zhou et al. 2016), divided by the places.
    weights = model.get_weights()[2]
    expected = np.maximum(np.einsum("nijk,k->nij", maps, weights[:, 1]) / maps[0, :, :, 0].size, 0)
    np.testing.assert_allclose(visualization.grad_cam(model, images, classes=1), expected, rtol=1e-4, atol=1e-6)
    found = visualization.filters(model)
    np.testing.assert_array_equal(found, np.moveaxis(model.get_weights()[0], -1, 0))


def test_channels_first():
    thalweg.utils.set_random_seed(0)
    turned = Sequential([Input((3, 9, 10)), layers.Conv2D(4, 3, data_format="channels_first"), layers.Flatten()])
    turned.add(layers.Dense(2))
    plain = Sequential([Input((9, 10, 3)), layers.Conv2D(4, 3), layers.Permute((3, 1, 2)), layers.Flatten()])
    plain.add(layers.Dense(2))
    plain.set_weights(turned.get_weights())
    images = IMAGES.astype(np.float32)
    np.testing.assert_allclose(
        visualization.grad_cam(turned, np.moveaxis(images, -1, 1), classes=0),
        visualization.grad_cam(plain, images, "conv2d", classes=0),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Conv2D(6, (3, 2), groups=3), (6, 3, 2, 1)),
        (layers.DepthwiseConv2D(3, depth_multiplier=2), (6, 3, 3, 1)),
        (layers.SeparableConv2D(5, 3), (3, 3, 3, 1)),
        (layers.Conv2DTranspose(5, 3), (5, 3, 3, 3)),
    ],
)
def test_filters(layer, shape):
    model = Sequential([Input((9, 10, 3)), layer])
    found = visualization.filters(model, layer)
    assert found.shape == shape
    kernel = model.get_weights()[0]
    if shape == (5, 3, 3, 3):
        np.testing.assert_array_equal(found[2, 1, 0], kernel[1, 0, 2])
    elif shape[-1] == 1 and shape[0] != 3 and kernel.shape[-1] == 2:
        np.testing.assert_array_equal(found[3, :, :, 0], kernel[:, :, 1, 1])


def test_activations_are_those_of_prediction():
    model = classifier()
    images = IMAGES.astype(np.float32)
    names = [layer.name for layer in model.layers]
    whole = Model(model.inputs, [model.get_layer(name).output for name in names]).predict(images, verbose=0)
    for name, expected in zip(names, whole, strict=True):
        np.testing.assert_array_equal(visualization.activations(model, images, name), expected)
    np.testing.assert_array_equal(whole[-1], model.predict(images, verbose=0))


def test_what_cannot_be_shown():
    model, images = classifier(), IMAGES.astype(np.float32)
    with pytest.raises(ArgumentError, match="did you mean 'second'"):
        visualization.activations(model, images, "secnd")
    with pytest.raises(ShapeError, match=r"layer 'scores' .*gives no feature maps"):
        visualization.grad_cam(model, images, "scores")
    with pytest.raises(DataError, match="from 0 to 3"):
        visualization.grad_cam(model, images, classes=4)
    with pytest.raises(ShapeError, match=r"one class, or \(11,\)"):
        visualization.saliency(model, images, [1, 2])
    with pytest.raises(ShapeError, match="tell classes apart"):
        visualization.saliency(thalweg.models.unet((8, 8, 1), filters=(2, 4)), np.zeros((1, 8, 8, 1)))
    with pytest.raises(ArgumentError, match="no convolution"):
        visualization.filters(model, "scores")
    dense = Sequential([Input((4,)), layers.Dense(2)])
    with pytest.raises(ArgumentError, match="no convolution"):
        visualization.grad_cam(dense, np.zeros((1, 4)))
    words = Sequential([Input((4,), dtype="int32"), layers.Embedding(5, 3), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(DTypeError, match="no derivative"):
        visualization.saliency(words, np.zeros((1, 4), np.int32))
    with pytest.raises(GraphError, match="not built"):
        visualization.filters(Sequential([layers.Conv2D(2, 3)]))
    twice = Input((4,))
    shared = layers.Dense(4, name="shared")
    with pytest.raises(ArgumentError, match="2 calls"):
        visualization.activations(Model(twice, shared(shared(twice))), np.zeros((1, 4)), "shared")


def test_mistakes_by_hand():
    model = Sequential([Input((3,)), layers.Activation("softmax")])
    chances = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.05, 0.05, 0.9], [0.2, 0.6, 0.2]])
    y = np.array([0, 2, 2, 1, 0])
    found = visualization.worst_mistakes(model, np.log(chances), y, labels=["a", "b", "c"])
    assert found.rows.tolist() == [3, 1, 4]
    assert found.targets.tolist() == [1, 2, 0]
    assert found.answers.tolist() == [2, 1, 1]
    np.testing.assert_allclose(found.confidence, [0.9, 0.8, 0.6], rtol=1e-6)
    np.testing.assert_array_equal(found.confusion.matrix, [[1, 1, 0], [0, 0, 1], [0, 1, 1]])
    np.testing.assert_array_equal(found.x, np.log(chances)[[3, 1, 4]])
    assert str(found).splitlines()[3].split() == ["3", "b", "c", "0.9000"]
    one_hot = visualization.worst_mistakes(model, np.log(chances), np.eye(3)[y], count=2)
    assert one_hot.rows.tolist() == [3, 1]


def test_mistakes_of_logits_and_of_a_single_unit():
    logits = Sequential([Input((2,)), layers.Activation("linear")])
    found = visualization.worst_mistakes(logits, [[3.0, 1.0], [0.0, 5.0]], [1, 1])
    np.testing.assert_allclose(found.confidence, [1 / (1 + np.exp(-2))])
    yes = Sequential([Input((1,)), layers.Activation("sigmoid")])
    found = visualization.worst_mistakes(yes, [[2.0], [-1.0], [1.0]], [[0], [1], [1]])
    assert found.rows.tolist() == [0, 1]
    np.testing.assert_allclose(found.confidence, 1 / (1 + np.exp([-2.0, -1.0])), rtol=1e-6)
    assert not len(visualization.worst_mistakes(yes, [[2.0]], [1]))


def test_mistakes_are_of_classes():
    model = Sequential([layers.Input((2, 2, 1)), layers.Conv2D(3, 1)])
    with pytest.raises(ShapeError, match="tell classes apart"):
        visualization.worst_mistakes(model, np.zeros((4, 2, 2, 1)), np.zeros(4, int))
