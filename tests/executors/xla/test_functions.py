"""The functions of ``ops`` and the activations, made of operations: XLA's numbers beside those of the numpy executor.

XLA rearranges what it compiles together: what an operation alone computes right, a function may not.
"""

import numpy as np
import pytest
from tests.compute import inputs
from tests.ops.test_names import CASES, OF_KERAS, OF_NUMPY, SMOOTH

from thalweg import activations, ops
from thalweg.backprop import gradients
from thalweg.executors.numpy import NumpyExecutor
from thalweg.executors.xla.executor import XlaExecutor
from thalweg.graph.node import Graph, Node

pytestmark = [pytest.mark.needs("jax"), pytest.mark.slow]

TOGETHER = 20
"""Functions compiled as one program, which takes less time than one after the other."""

CALLS = [case.values for case in CASES + OF_NUMPY + OF_KERAS]
EDGES = np.array(
    [0.0, -0.0, 1e-30, -1e-30, 1e-5, 0.5, 1.0, -1.0, 3.0, -3.0, 20.0, -20.0, 90.0, -90.0, 1e4, -1e4, np.inf]
)


def outputs_of(name, args, kwargs, prefix):
    """The results of a call whose arrays are inputs, by name, and these arrays."""
    arrays = {f"{prefix}/{i}": arg for i, arg in enumerate(args) if isinstance(arg, np.ndarray)}
    nodes = dict(zip(arrays, inputs(**arrays), strict=True))
    made = getattr(ops, name)(*(nodes.get(f"{prefix}/{i}", arg) for i, arg in enumerate(args)), **kwargs)
    several = made if isinstance(made, list | tuple) else [made]
    return {f"{prefix}/{name} {i}": y for i, y in enumerate(several) if isinstance(y, Node)}, arrays


def compare(outputs, arrays, tolerance):
    """Relative to each number, and to the largest of its array, as sums of both signs have it."""
    graph, results = Graph(outputs), []
    for executor in (NumpyExecutor(), XlaExecutor("cpu")):
        found = {name: np.zeros(node.shape, node.dtype) for name, node in outputs.items()}
        with np.errstate(all="ignore"):
            executor.compile(graph, gather=False).run({}, arrays, None, found)
        results.append(found)
    for name, want in results[0].items():
        finite = want[np.isfinite(want)].astype("float64")
        scale = float(np.abs(finite).max(initial=0.0))
        np.testing.assert_allclose(results[1][name], want, rtol=tolerance, atol=tolerance * scale, err_msg=name)


@pytest.mark.parametrize("first", range(0, len(CALLS), TOGETHER))
def test_functions(first):
    outputs, arrays = {}, {}
    for i, (name, args, kwargs, _) in enumerate(CALLS[first : first + TOGETHER]):
        made, given = outputs_of(name, args, kwargs, f"call {i}")
        outputs |= made
        arrays |= given if made else {}
    compare(outputs, arrays, 1e-12)


def test_slopes():
    outputs, arrays = {}, {}
    for name, args in SMOOTH.items():
        made, given = outputs_of(name, args, {}, name)
        (y,) = made.values()
        leaves = [x for x in Graph({"y": y}).nodes() if x.op.name == "input" and x.type.is_float]
        slopes = gradients(ops.reduce_sum(ops.sin(y + ops.cos(y))), leaves)
        outputs |= {f"{name}/slope {i}": slope for i, slope in enumerate(slopes)}
        arrays |= given
    compare(outputs, arrays, 1e-11)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
def test_activations_and_their_slopes(dtype, tolerance):
    """Of numbers of every size, at which they overflow if they do."""
    x = {"x": np.resize(EDGES, (3, 18)).astype(dtype)}
    (node,) = inputs(**x)
    outputs = {}
    for name in activations.registry.names():
        arguments = {"threshold": (0.5, -1.0)}.get(name, ())
        y = activations.get(name)(node, *arguments)
        weights = ops.cast(ops.iota(y.shape, 1), dtype)  # a plain sum of a softmax has no slope
        outputs |= {name: y, f"{name}'s slope": gradients(ops.reduce_sum(y * weights), [node])[0]}
    compare(outputs, x, tolerance)
