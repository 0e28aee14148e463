"""Every layer, loss and metric on batches that lie in parts on devices; ``test_distribution`` starts it."""

import numpy as np
import pytest
from tests.compute import inputs
from tests.contracts.cases import LAYERS, LOSSES, METRICS, WITHOUT_GRADIENT
from tests.contracts.test_blocks import start

from thalweg import config, ops
from thalweg.backprop import gradients
from thalweg.distribution import DataParallel
from thalweg.executors.numpy import NumpyExecutor
from thalweg.executors.xla.executor import XlaExecutor
from thalweg.graph.node import Graph
from thalweg.graph.types import TensorType
from thalweg.layers.tracing import tracing
from thalweg.state import layout

ROWS = 13
"""Of a batch, on devices that do not divide them."""

OF_FLOAT32 = ("gaussian_dropout", "gaussian_noise")
"""Their normal numbers are computed in float32, whatever they are added to."""

SPREAD = XlaExecutor(distribution=DataParallel(devices=[f"cpu:{i}" for i in range(4)]))


def compare(graph, state, data, rtol=1e-11):
    """Two steps on the rows of the data in another order, by the definition and on the devices."""
    rows = min(map(len, data.values()))
    index = np.random.default_rng(0).integers(0, rows, (2, ROWS))
    found = []
    for executor in (NumpyExecutor(), SPREAD):
        own = {name: layout.empty(TensorType.of(value)) for name, value in state.items()}
        for name, value in state.items():
            own[name][...] = value
        out = {name: np.zeros((2, *node.shape), node.dtype) for name, node in graph.outputs.items()}
        executor.compile(graph, gather=True).run(own, data, index, out)
        found.append(own | out)
    for name, value in found[0].items():
        np.testing.assert_allclose(found[1][name], value, rtol, 1e-12, err_msg=name)


@pytest.fixture(autouse=True)
def in_float64(monkeypatch):
    monkeypatch.setattr(config._settings, "floatx", "float64")


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    make, shape, dtype = LAYERS[name]
    layer = make()
    state, x, _ = start(layer, shape, "float64" if dtype == "float32" else dtype, ROWS)
    with tracing(layer.named_parameters("it/")) as trace:
        nodes = inputs(**x)
        y = layer(*nodes, training=True)
        outputs = {"y": y}
        if y.type.is_float and name not in WITHOUT_GRADIENT:
            wanted = [*map(trace.node, layer.named_parameters("it/", trainable_only=True).values())]
            wanted += [node for node in nodes if node.type.is_float]
            slopes = gradients(ops.reduce_sum(ops.square(y)), wanted) if wanted else []
            outputs |= {f"slope {i}": slope for i, slope in enumerate(slopes)}
        compare(Graph(outputs, trace.updates), state, x, 1e-6 if name in OF_FLOAT32 else 1e-11)


def of_pairs(case):
    """Rows of targets, predictions and weights; and nodes for a batch of them."""
    _, y_true, y_pred = case
    data = {"t": y_true, "p": y_pred, "w": np.array([0.5, 2.0, 1.0])}
    data = {name: value.astype("float64") if value.dtype.kind == "f" else value for name, value in data.items()}
    return data, [ops.input_node(name, (ROWS, *value.shape[1:]), value.dtype.name) for name, value in data.items()]


@pytest.mark.parametrize("name", LOSSES)
def test_loss(name):
    data, (t, p, w) = of_pairs(LOSSES[name])
    value = LOSSES[name][0]()(t, p, w)
    compare(Graph({"loss": value, "slope": gradients(value, [p])[0]}), {}, data)


@pytest.mark.parametrize("name", METRICS)
def test_metric(name):
    data, (t, p, w) = of_pairs(METRICS[name])
    compare(Graph(METRICS[name][0]().sums(t, p, w)), {}, data)
