"""Convolutions, pooling and resizing beside what tests/contracts and tests/oracles ask of every layer: bad input, ties,
and compiled code against the numpy executor over many shapes."""

from itertools import product

import numpy as np
import pytest
from tests.compute import compute, inputs
from tests.contracts.cases import LAYERS
from tests.layers.test_layers import run

from thalweg import Sequential, layers, ops
from thalweg.backprop import gradients
from thalweg.errors import ArgumentError, ShapeError
from thalweg.executors.numpy import NumpyExecutor
from thalweg.graph.node import Graph
from thalweg.layers.spatial import Spatial
from thalweg.layers.tracing import tracing
from thalweg.state.names import parameter_state

RANDOM = np.random.RandomState(3)


def test_a_convolution_by_hand():
    x = np.arange(12.0).reshape(1, 3, 4, 1)
    kernel = np.array([[1.0, 10.0], [100.0, 1000.0]])[..., None, None]
    y = run(layers.Conv2D(1, 2, dtype="float64"), x, kernel=kernel)
    assert y.shape == (1, 2, 3, 1)
    np.testing.assert_array_equal(y[0, 0, 0], 0 + 10 * 1 + 100 * 4 + 1000 * 5)
    np.testing.assert_array_equal(y[0, 1, 2], 6 + 10 * 7 + 100 * 10 + 1000 * 11)


def test_a_causal_convolution_does_not_see_the_future():
    x = RANDOM.standard_normal((1, 9, 2))
    later = x.copy()
    later[:, 5:] = 0
    layer = layers.Conv1D(3, 3, padding="causal", dilation_rate=2, dtype="float64")
    kernel = RANDOM.standard_normal((3, 2, 3))
    before, after = (run(layer, each, kernel=kernel) for each in (x, later))
    assert before.shape == (1, 9, 3)
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert (before[:, 5:] != after[:, 5:]).all()


def with_data_format():
    """Of tests/contracts: a layer of images of each kind that takes data_format, and a shape with the channels last."""
    for make, shape, _ in LAYERS.values():
        layer = make()
        if isinstance(layer, Spatial) and hasattr(layer, "data_format"):
            yield layer, (*shape[1:], shape[0]) if layer.data_format == "channels_first" else shape


@pytest.mark.parametrize(("layer", "shape"), list(with_data_format()), ids=lambda value: getattr(value, "label", ""))
def test_channels_first_is_the_same_with_the_axes_moved(layer, shape):
    x = RANDOM.standard_normal((2, *shape)).astype(np.float32)
    last, first = (
        run(type(layer).from_config(layer.get_config() | {"data_format": order}), images)
        for order, images in (("channels_last", x), ("channels_first", np.moveaxis(x, -1, 1)))
    )
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)


def test_every_layer_of_images_takes_channels_first():
    kinds = {type(layer).__name__ for layer, _ in with_data_format()}
    without = {"UpSampling1D", "Cropping1D", "SpatialDropout1D"}  # in Keras, too
    named = {name for name, entry in vars(layers).items() if isinstance(entry, type) and issubclass(entry, Spatial)}
    assert {getattr(layers, name).__name__ for name in named} - without == kinds


def test_equal_largest_numbers_share_the_gradient():
    x = np.array([[[1.0], [1.0], [0.0], [3.0]]])
    (node,) = inputs(x=x)
    slope = compute(gradients(ops.reduce_sum(ops.max_pool(node, (2,), (2,))), [node])[0], x=x)
    np.testing.assert_array_equal(slope[0, :, 0], [0.5, 0.5, 0.0, 1.0])


def test_pooling_keeps_whole_numbers_whole():
    x = RANDOM.randint(0, 200, (2, 5, 5, 2)).astype(np.uint8)
    y = run(layers.MaxPooling2D(2, padding="same"), x)
    assert y.dtype == np.uint8
    np.testing.assert_array_equal(y[:, 2, 2], x[:, 4, 4])
    assert run(layers.AveragePooling2D(2), x).dtype == np.float32


def test_negative_numbers_at_the_edge_stay_the_largest():
    y = run(layers.MaxPooling1D(3, 1, "same"), np.full((1, 4, 1), -5.0, np.float32))
    np.testing.assert_array_equal(y, np.full((1, 4, 1), -5.0))


# places, kernel, strides, dilation, padding, channels, filters, groups
SHAPES = [
    *(((7,), (3,), (2,), (1,), "causal", c, f, 1) for c, f in ((1, 3), (17, 2))),
    *(((9, 8), (3, 3), s, (1, 1), p, 3, 17, 1) for s, p in product(((1, 1), (2, 3)), ("valid", "same"))),
    *(((8, 9), (k, 2), (1, 1), (1, d), "same", 1, 5, 1) for k, d in ((1, 3), (2, 2), (5, 1), (7, 3))),
    *(((6, 7), (3, 2), (2, 1), (1, 2), "valid", c, c, g) for c, g in ((17, 17), (6, 3), (4, 2))),
    ((1, 9), (1, 3), (1, 1), (1, 1), "valid", 3, 2, 1),
    ((5, 1, 4), (2, 1, 3), (1, 1, 2), (1, 1, 1), "same", 3, 4, 1),
]


@pytest.mark.parametrize("case", SHAPES, ids=lambda case: "-".join(map(str, case)).replace(" ", ""))
@pytest.mark.parametrize("batch", [1, 3])
def test_compiled_convolutions(case, batch, compiled):
    """Values and gradients to the rounding of a sum of hundreds in float32, and the same bits on two threads."""
    places, kernel, strides, dilation, padding, channels, filters, groups = case
    make = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}[len(places)]
    layer = make(filters, kernel, strides, padding, dilation_rate=dilation, groups=groups, activation="tanh")
    x = RANDOM.standard_normal((batch, *places, channels)).astype(np.float32)
    layer.infer(*(node.type for node in inputs(x=x)))
    parameters = layer.named_parameters()
    state = {
        parameter_state(path): RANDOM.standard_normal(p.shape).astype(np.float32) * 0.3
        for path, p in parameters.items()
    }
    with tracing(parameters) as trace:
        (node,) = inputs(x=x)
        y = layer(node)
        wanted = [node, *map(trace.node, parameters.values())]
        slopes = gradients(ops.reduce_sum(ops.square(y)), wanted)
    outputs = {"y": y, **{f"slope {i}": slope for i, slope in enumerate(slopes)}}
    graph = Graph(outputs, {})
    results = []
    for executor, threads in ((NumpyExecutor(), 1), (compiled, 1), (compiled, 2)):
        out = {key: np.zeros(node.shape, node.dtype) for key, node in outputs.items()}
        executor.compile(graph, gather=False).run(state, {"x": x}, outputs=out, threads=threads)
        results.append(out)
    for key, expected in results[0].items():
        np.testing.assert_allclose(results[1][key], expected, rtol=2e-5, atol=2e-5, err_msg=key)
        np.testing.assert_array_equal(results[1][key], results[2][key], err_msg=key)


def refused(layer, shape, batch=4):
    """The message of the ShapeError that the layer raises for such a batch, inside a model."""
    with pytest.raises(ShapeError) as caught:
        Sequential([layers.Input(shape), layer]).predict(np.zeros((batch, *shape), np.float32), verbose=0)
    text = str(caught.value)
    assert layer.label in text
    assert all(part in text for part in ("expected:", "got:", "to fix:"))
    return text


def test_images_without_an_axis_of_channels():
    text = refused(layers.Conv2D(4, 3), (28, 28))
    assert "no axis of channels" in text
    assert "(batch, height, width, channels)" in text
    assert "Reshape((28, 28, 1))" in text
    assert "Reshape((1, 28, 28))" in refused(layers.Conv2D(4, 3, data_format="channels_first"), (28, 28))
    assert "another number of axes" in refused(layers.MaxPooling2D(), (5, 28, 28, 3))
    assert "another number of axes" in refused(layers.GlobalAveragePooling2D(), (28,))


@pytest.mark.parametrize("shape", [(3, 224, 224), (1, 28, 28)])
@pytest.mark.parametrize("make", [lambda: layers.Conv2D(4, 3), lambda: layers.MaxPooling2D(2, padding="same")])
def test_channels_that_come_first_are_seen(make, shape):
    text = refused(make(), shape)
    assert "channels first" in text
    assert f"expected: (batch, height, width, {shape[0]})" in text
    assert "x.transpose(0, 2, 3, 1)" in text
    assert 'data_format="channels_first"' in text


@pytest.mark.parametrize("shape", [(3, 48, 64), (1, 28, 20), (4, 32, 9)])
def test_data_of_any_shape_with_channels_that_come_first_are_seen(shape):
    for first in (layers.Conv2D(4, 3), layers.AveragePooling2D(2), layers.SeparableConv2D(4, 3)):
        text = refused(first, shape)
        assert "channels first" in text
        assert f"expected: (batch, height, width, {shape[0]})" in text
        assert "x.transpose(0, 2, 3, 1)" in text
    x = np.zeros((2, *shape), np.float32)
    unbuilt = Sequential([layers.Rescaling(1 / 255), layers.RandomFlip(), layers.Conv2D(4, 3), layers.Flatten()])
    unbuilt.compile("sgd", "mse")
    with pytest.raises(ShapeError, match="layer 'conv2d'"):
        unbuilt.fit(x, np.zeros((2, 4)), verbose=0)
    assert unbuilt.predict(x.transpose(0, 2, 3, 1), verbose=0).shape[0] == 2  # the same model takes them in order
    assert run(layers.Conv2D(4, 3, data_format="channels_first"), x).shape[1] == 4
    inside = layers.Conv2D(shape[-1], 1)(layers.Input((*shape[:2], 5)))
    assert layers.Conv2D(4, 3, padding="same")(inside).shape[-1] == 4  # made by a layer: low images of many channels


@pytest.mark.parametrize("shape", [(48, 64, 3), (28, 20, 1)])
def test_channels_that_come_last_are_seen(shape):
    text = refused(layers.Conv2D(4, 3, padding="same", data_format="channels_first"), shape)
    assert "channels last, and this layer takes them first" in text
    assert f"expected: (batch, {shape[-1]}, height, width)" in text
    assert "Permute((2, 3, 1))" in text
    few = layers.Conv2D(4, 3, padding="same", data_format="channels_first")
    assert Sequential([layers.Input((5, 20, 3)), few]).predict(np.zeros((1, 5, 20, 3)), verbose=0).shape == (
        1,
        4,
        20,
        3,
    )


def test_images_without_channels_in_a_model_that_is_not_built():
    model = Sequential([layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.zeros((5, 9, 8), np.float32), np.zeros(5)
    with pytest.raises(ShapeError, match=r"layer 'conv2d' .*no axis of channels") as caught:
        model.fit(x, y, verbose=0)
    assert caught.value.expected == "(batch, height, width, channels)"
    assert caught.value.got.startswith("(batch, 9, 8)")
    assert "Reshape((9, 8, 1))" in caught.value.fix
    model.fit(x[..., None], y, verbose=0)


def test_images_that_only_look_turned():
    """Low images with as many channels as columns: it is enough to say where the channels are."""
    x = np.zeros((2, 3, 16, 16), np.float32)
    assert run(layers.Conv2D(4, (1, 3)), x).shape == (2, 3, 14, 4)
    assert run(layers.Conv2D(4, 3, data_format="channels_last"), x).shape == (2, 1, 14, 4)


def test_a_kernel_larger_than_the_image():
    text = refused(layers.Conv2D(4, 5), (4, 9, 3))
    assert "larger than the image" in text
    assert "(5, 5)" in text
    refused(layers.AveragePooling1D(9), (8, 2))
    assert run(layers.Conv2D(4, 5, padding="same"), np.zeros((1, 4, 9, 3), np.float32)).shape == (1, 4, 9, 4)


def test_groups_that_do_not_divide():
    assert "groups" in refused(layers.Conv2D(4, 3, groups=2), (8, 8, 3))
    with pytest.raises(ArgumentError, match="filters=4, groups=3"):
        layers.Conv2D(4, 3, groups=3)


def test_another_number_of_channels_than_the_kernel_has():
    layer = layers.Conv2D(4, 3)
    run(layer, np.zeros((1, 8, 8, 3), np.float32))
    with pytest.raises(ShapeError, match=r"batch, height, width, 3"):
        run(layer, np.zeros((1, 8, 8, 5), np.float32))


def test_arguments():
    with pytest.raises(ArgumentError, match="did you mean 'same'"):
        layers.Conv2D(4, 3, padding="smae")
    with pytest.raises(ArgumentError, match="padding"):
        layers.Conv2D(4, 3, padding="causal")
    with pytest.raises(ArgumentError, match="one for each of height, width"):
        layers.Conv2D(4, (3, 3, 3))
    with pytest.raises(ArgumentError, match="output_padding"):
        layers.Conv2DTranspose(4, 3, 2, output_padding=2)
    with pytest.raises(ArgumentError, match="padding"):
        layers.ZeroPadding2D((1, 2, 3))
    assert layers.Conv2D(4, 3, padding="SAME").padding == "same"
    with pytest.raises(ShapeError, match="nothing is left"):
        run(layers.Cropping1D(2), np.zeros((1, 4, 1), np.float32))
    assert layers.MaxPooling2D([2, 3]).strides == (2, 3)
    assert layers.Conv2D(4, 3).kernel_size == (3, 3)


def message(make):
    """Of the ShapeError, which has its four parts."""
    with pytest.raises(ShapeError) as caught:
        make()
    text = str(caught.value)
    assert all(part in text for part in ("expected:", "got:", "to fix:"))
    return text


@pytest.mark.parametrize("merge", [layers.Add, layers.Multiply, layers.Concatenate])
def test_a_skip_connection_of_another_size(merge):
    image = layers.Input((8, 8, 3), name="photo")
    x = layers.Conv2D(3, 1)(image)
    y = layers.MaxPooling2D(2)(layers.Conv2D(3, 3, padding="same")(x))
    text = message(lambda: merge(name="around")([x, y]))
    assert text.startswith(f"layer 'around' ({merge.__name__}): ")
    assert "(batch, 8, 8, 3) and (batch, 4, 4, 3)" in text
    # both ways from where they part
    assert "input 1 came: conv2d (8, 8, 3)\n" in text
    assert "input 2 came: conv2d (8, 8, 3) -> conv2d (8, 8, 3) -> max_pooling2d (4, 4, 3)\n" in text
    assert 'padding="same"' in text


def test_a_skip_connection_of_other_channels():
    x = layers.Input((8, 8, 3))
    y = layers.Conv2D(16, 3, padding="same")(x)
    text = message(lambda: layers.Add()([x, y]))
    assert "filters=16, kernel_size=1" in text
    message(lambda: layers.Add()([x, layers.Flatten()(y)]))
    message(lambda: layers.Concatenate()([x, layers.Flatten()(y)]))
    other = layers.Conv2D(4, 3, padding="same")(layers.Input((8, 8, 1), name="other"))
    text = message(lambda: layers.Add()([y, other]))
    assert "input 2 came: other (8, 8, 1) -> conv2d (8, 8, 4)" in text


def test_the_way_to_a_kernel_that_has_become_too_large():
    """In a network with an Input, in one that is built by data, in one inside another; and a long one."""
    stack = [layers.Conv2D(4, 5), layers.MaxPooling2D(4), layers.MaxPooling2D(3), layers.Conv2D(4, 5)]
    way = "conv2d (24, 24, 4) -> max_pooling2d (6, 6, 4) -> max_pooling2d_1 (2, 2, 4)"
    text = message(lambda: Sequential([layers.Input((28, 28, 1)), *stack]))
    assert text.startswith("layer 'conv2d_1' (Conv2D): the window is larger than the image")
    assert f"the way there: input (28, 28, 1) -> {way}" in text
    unbuilt = Sequential([layers.Conv2D(4, 9), layers.MaxPooling2D(3), layers.Conv2D(4, 9)])
    text = message(lambda: unbuilt.predict(np.zeros((2, 28, 28, 1)), verbose=0))
    assert "input (28, 28, 1) -> conv2d (20, 20, 4) -> max_pooling2d (6, 6, 4)" in text
    inside = Sequential([layers.Conv2D(4, 5), layers.MaxPooling2D(4), layers.Conv2D(4, 5)], name="encoder")
    text = message(lambda: Sequential([layers.Input((20, 20, 1)), layers.Conv2D(2, 3), inside]))
    assert "input (18, 18, 2) -> conv2d (14, 14, 4) -> max_pooling2d (3, 3, 4)" in text
    assert "input (20, 20, 1) -> conv2d (18, 18, 2)" in text
    text = message(lambda: Sequential([layers.Input((28, 1)), *(layers.Conv1D(2, 4) for _ in range(12))]))
    assert "input (28, 1) -> ... -> conv1d_3 (16, 2) -> conv1d_4 (13, 2)" in text


def test_the_way_to_groups_that_do_not_divide():
    text = message(lambda: Sequential([layers.Input((9, 9, 2)), layers.Conv2D(4, 3), layers.Conv2D(6, 3, groups=3)]))
    assert "4 channels" in text
    assert "conv2d (7, 7, 4)" in text


def test_regularizers_and_constraints_are_the_kernels():
    layer = layers.SeparableConv2D(4, 3, depthwise_regularizer="l2", pointwise_constraint="non_neg")
    run(layer, np.zeros((1, 5, 5, 2), np.float32))
    assert layer.depthwise_kernel.regularizer is not None
    assert layer.pointwise_kernel.regularizer is None
    assert layer.pointwise_kernel.constraint is not None
