"""Transposes meet and vanish: by rule, and in a whole network of channels_first layers."""

from collections import Counter

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, layers
from thalweg.executors.executor import leaf_types
from thalweg.executors.native.plan import plan
from thalweg.executors.numpy import evaluate
from thalweg.graph.node import Graph
from thalweg.graph.verify import verify
from thalweg.ops import broadcast, cast, input_node, less, reduce_max, reduce_sum, relu, select, transpose
from thalweg.ops.shape import Transpose
from thalweg.passes.simplify import simplify

X, Y = input_node("x", (2, 3, 4, 5)), input_node("y", (2, 3, 4, 5))
LAST = (0, 2, 3, 1)
XT, YT = transpose(X, LAST), transpose(Y, LAST)
CHANNELS, ROWS = input_node("channels", (3,)), input_node("rows", (2, 3))
OTHER = input_node("z", (2, 4, 5, 3))
MASK = less(OTHER, 0.5)


@pytest.mark.parametrize(
    ("y", "left"),
    [
        (relu(XT), 1),
        (transpose(relu(XT), (0, 3, 1, 2)), 0),
        (transpose(XT * YT + 2.0, (0, 3, 1, 2)), 0),
        (transpose(XT - broadcast(CHANNELS, XT.shape, (3,)), (0, 3, 1, 2)), 0),
        (transpose(XT * broadcast(ROWS, XT.shape, (0, 3)), (0, 3, 1, 2)), 0),
        (XT * YT, 1),
        (transpose(cast(select(less(XT, YT), XT, 0.0), "float64"), (0, 3, 1, 2)), 0),
        (transpose(select(MASK, XT, 0.0), (0, 3, 1, 2)), 1),  # of the mask
        (reduce_sum(XT, (1, 2)), 0),
        (reduce_sum(XT, (0, 1, 2)), 0),
        (reduce_max(XT, (0, 2)), 1),
        (transpose(broadcast(ROWS, XT.shape, (0, 3)), (0, 3, 1, 2)), 0),
        (XT + OTHER, 1),  # nothing to gain
        (XT + transpose(input_node("w", (2, 5, 4, 3)), (0, 2, 1, 3)), 2),
    ],
)
def test_the_same_with_fewer(y, left):
    before = Graph({"y": y})
    after = simplify(before, lambda op: True)
    verify(after)
    r = np.random.default_rng(0)
    inputs, _ = leaf_types(before)
    data = {name: r.standard_normal(kind.shape).astype(np.float32) for name, kind in inputs.items()}
    was, now = evaluate(before, data, {})[y], evaluate(after, data, {})[after.outputs["y"]]
    np.testing.assert_allclose(now, was, rtol=1e-6, strict=True)  # sums may be in another order
    assert sum(isinstance(node.op, Transpose) for node in after.nodes()) == left


def network(order):
    first = order == "channels_first"
    axis = 1 if first else -1
    thalweg.utils.set_random_seed(1)

    def convolved(x, filters, strides=1):
        x = layers.Conv2D(filters, 3, strides, "same", use_bias=False, data_format=order)(x)
        return layers.BatchNormalization(axis)(x)

    image = Input((3, 12, 14) if first else (12, 14, 3))
    x = layers.ReLU()(convolved(image, 6))
    x = layers.Add()([x, convolved(layers.LeakyReLU()(convolved(x, 6)), 6)])
    x = layers.MaxPooling2D(2, data_format=order)(layers.ELU()(x))
    x = layers.SpatialDropout2D(0.3, order)(x)
    x = layers.ReLU()(convolved(x, 8, 2))
    model = Model(image, layers.Dense(4, "softmax")(layers.GlobalAveragePooling2D(order)(x)))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_channels_first_costs_one_transpose(monkeypatch, tmp_path):
    """At the border of the model; then it trains as the same network with the channels last, to the bit."""
    monkeypatch.setenv("THALWEG_EXECUTOR", "native")
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path))
    found = []

    def counted(graph, supported):
        better = simplify(graph, supported)
        orders = Counter(node.op.axes for node in better.nodes() if isinstance(node.op, Transpose))
        found.append(orders[LAST] + orders[(0, 3, 1, 2)])
        return better

    monkeypatch.setattr(plan, "simplify", counted)
    x = np.random.default_rng(0).normal(size=(48, 12, 14, 3)).astype(np.float32)
    histories = []
    for order, images in (("channels_last", x), ("channels_first", x.transpose(0, 3, 1, 2))):
        model = network(order)
        histories.append(model.fit(images, np.arange(48) % 4, batch_size=16, epochs=2, verbose=0).history["loss"])
        model.predict(images, verbose=0)
    assert found == [0, 0, 1, 1]
    np.testing.assert_array_equal(*histories)
