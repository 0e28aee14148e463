"""Tasks that go through a batch of images together: as the numpy executor computes them, whatever the threads."""

import numpy as np
import pytest
from tests.executors.native.plan.memory import assert_tasks_do_not_meet

import thalweg
from thalweg import layers
from thalweg.executors.executor import leaf_types
from thalweg.executors.native.code.step import target
from thalweg.executors.native.host import AVX2
from thalweg.executors.native.plan.plan import make_plan
from thalweg.executors.numpy import NumpyExecutor
from thalweg.graph.node import Graph
from thalweg.graph.text import from_text
from thalweg.state.layout import empty

BATCH = 16


def normalized(x, layer):
    return layers.ReLU()(layers.BatchNormalization()(layer(x)))


def depthwise_separable():
    """With an odd number of channels, and windows over margins, strides and all."""
    x = image = layers.Input((12, 12, 3))
    x = normalized(x, layers.Conv2D(21, 3, padding="same", use_bias=False))
    x = normalized(x, layers.DepthwiseConv2D(3, 2, "same", use_bias=False))
    x = normalized(x, layers.Conv2D(40, 1, use_bias=False))
    x = normalized(x, layers.DepthwiseConv2D(3, padding="same", use_bias=False))
    return image, layers.GlobalAveragePooling2D()(x)


def residual():
    """Both ways from an image to another, and what a pooling leaves."""
    x = image = layers.Input((24, 24, 4))
    y = normalized(x, layers.Conv2D(32, 3, 2, "same", use_bias=False))
    y = layers.BatchNormalization()(layers.Conv2D(32, 3, padding="same", use_bias=False)(y))
    x = layers.ReLU()(layers.Add()([y, layers.Conv2D(32, 1, 2)(x)]))
    x = layers.MaxPooling2D(2)(layers.Conv2D(33, 3, padding="same", activation="relu")(x))
    return image, layers.Flatten()(layers.Dropout(0.3)(x))


NETS = {"depthwise separable": depthwise_separable, "residual": residual}


@pytest.fixture(scope="module", params=NETS)
def graph(request) -> Graph:
    """A step of training."""
    image, features = NETS[request.param]()
    model = thalweg.Model(image, layers.Dense(5, "softmax")(features))
    model.compile(thalweg.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy")
    return from_text(model.explain("graph", batch_size=BATCH))


def after_a_step(executor, graph: Graph, threads: int) -> dict[str, np.ndarray]:
    """The states; before, all of them are small random numbers, or 0 where they count something."""
    r = np.random.default_rng(5)
    inputs, states = leaf_types(graph)
    data = {n: (r.integers(0, 5, t.shape) if n == "y" else r.standard_normal(t.shape)) for n, t in inputs.items()}
    state = {name: empty(kind) for name, kind in states.items()}
    for name, array in state.items():
        array[...] = np.abs(0.2 * r.standard_normal(array.shape)) if name.startswith("parameters") else 0
    program = executor.compile(graph, gather=False)
    results = {name: np.empty(x.shape, x.dtype) for name, x in graph.outputs.items()}
    program.run(state, {n: np.asarray(a, inputs[n].dtype) for n, a in data.items()}, None, results, threads)
    return state


@pytest.fixture(scope="module")
def definition(graph) -> dict[str, np.ndarray]:
    return after_a_step(NumpyExecutor(), graph, 1)


def test_a_step_is_what_numpy_computes(compiled, graph, definition):
    one, *others = (after_a_step(compiled, graph, threads) for threads in (1, 2, 5))
    for name, want in definition.items():
        np.testing.assert_allclose(one[name], want, rtol=1e-4, atol=1e-4 * np.abs(want).max(initial=0), err_msg=name)
        assert all(other[name].tobytes() == one[name].tobytes() for other in others), name


def test_images_do_not_meet_in_memory(graph):
    assert_tasks_do_not_meet(make_plan(graph, target(AVX2), gather=False))


def test_what_goes_image_by_image(graph):
    """A convolution with what makes its input, and with the sums of each image that it makes, back and forth."""
    stages = make_plan(graph, target(AVX2), gather=False).stages
    chains = [[nest for nest in stage if nest.images] for stage in stages]
    for stage, chain in zip(stages, chains, strict=True):
        assert list(stage[: len(chain)]) == chain
        assert len(chain) != 1
        assert all(nest.images == nest.dims[0].size == BATCH for nest in chain)
    assert sum(len(chain) > 1 for chain in chains) >= 3
    together = [{type(node.op).__name__ for nest in chain for node in nest.kernel.nodes} for chain in chains]
    assert any({"Contraction", "ReduceSum"} <= names for names in together)


def test_a_few_images_go_by_themselves():
    model = thalweg.Sequential([layers.Input((16, 16, 8)), layers.Conv2D(24, 3), layers.Conv2D(24, 3)])
    model.compile("sgd", "mse")
    for batch, chained in ((15, False), (16, True)):
        graph = from_text(model.explain("graph", batch_size=batch))
        stages = make_plan(graph, target(AVX2), gather=False).stages
        assert any(nest.images for stage in stages for nest in stage) == chained
