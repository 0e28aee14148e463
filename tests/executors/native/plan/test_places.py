"""Values at unusual places, and other things that random programs rarely do."""

import numpy as np
import pytest
from tests.executors.random_programs import Program, fault

from thalweg.backprop import gradients
from thalweg.executors.executor import leaf_types
from thalweg.graph.node import Graph
from thalweg.ops import (
    concatenate,
    convolve,
    convolve_transposed,
    input_node,
    iota,
    reduce_sum,
    reshape,
    state_node,
    tanh,
    transpose,
)
from thalweg.ops.lookup import take
from thalweg.ops.shape import pad


def columns_apart(*xs):
    """Joined so that each lies with its neighbouring columns apart."""
    return concatenate(tuple(reshape(x, (*x.shape, 1)) for x in xs), xs[0].rank)


def long_products():
    """Added up in several passes, because the weights do not fit the cache."""
    x, w = input_node("x", (8, 3000)), state_node("w", (3000, 200))
    y = x @ w
    return [columns_apart(y, tanh(state_node("z", (8, 200))))]


def one_channel_out():
    """The columns of an image, which vectors run along, get their turns from different products."""
    x, kernel = input_node("x", (1, 1, 300, 128)), state_node("kernel", (9, 9, 1, 128))
    return [convolve_transposed(x, kernel, (3, 3), ((8, 8), (8, 8)))]


def tables():
    table, index = tanh(state_node("table", (7, 6))), state_node("index", (5,), "int32")
    return [take(table, index, 0), columns_apart(table, table * 2.0)]


def rows_added_up():
    table, index = state_node("table", (7, 6)), state_node("index", (5,), "int32")
    g = tanh(state_node("g", (5, 6)))
    (slope,) = gradients(reduce_sum(take(table, index, 0) * g), [table])
    return [slope, columns_apart(g, g * 2.0)]


def nothing():
    """No number in a batch of rows, under another shape."""
    x, y = input_node("x", (2, 0, 3)), tanh(state_node("y", (0, 3)))
    reshaped = reshape(y, (3, 0))
    return [reshape(x, (2, 3, 0)), pad(reshaped, (1, 1), (0, 2)), concatenate((reshaped, state_node("z", (3, 2))), 1)]


def beside_the_image():
    """Windows that see nothing of it."""
    x, kernel = input_node("x", (2, 3, 4)), state_node("kernel", (2, 4, 5))
    y = convolve(x, kernel, padding=[(-3, 4)])
    return [y, *gradients(reduce_sum(y * y), [x, kernel])]


def many_taps():
    """Of windows with margins: more than tiles leave out, which would be a piece of code for every place."""
    x, kernel = input_node("x", (1, 400, 2)), state_node("kernel", (301, 2, 9))
    y = convolve(x, kernel, padding=[(150, 150)])
    return [y, *gradients(reduce_sum(y), [kernel])]


def counters():
    """Views of a counter."""
    ladder = iota((12,), 0, "float32")
    column = iota((3, 4), 0, "float32")
    return [
        reshape(ladder, (3, 4)) + state_node("x", (3, 4)),
        transpose(column) * 2.0,
        ladder[2:9:3],
        concatenate((reshape(ladder, (3, 4)), column), 0),
        pad(reshape(ladder, (4, 3)), (1, 0), (0, 1)),
    ]


def chains():
    """Longer than Python calls may be nested."""
    x = total = state_node("x", (3, 4))
    for _ in range(1500):
        total = total * 0.5 + x
    return [total]


def parts_in_turn():
    """One half of a long value is made in the place of what it is computed from, the other half later."""
    w = state_node("w", (16, 64)) * 0.1
    early, late = (input_node("x", (2048, 16)) @ w for _ in range(2))
    square = state_node("square", (64, 64)) * 0.1
    y = concatenate((tanh(early)[:, :32], tanh(tanh(late @ square) @ square)[:, :32]), 1)
    return [y @ square]


@pytest.mark.parametrize("gather", [False, True], ids=["batch", "gathered"])
@pytest.mark.parametrize(
    "make",
    [
        *(long_products, one_channel_out, tables, rows_added_up, nothing, beside_the_image),
        *(many_taps, counters, chains, parts_in_turn),
    ],
    ids=lambda make: make.__name__,
)
def test_as_numpy_has_it(make, gather, native_build):
    graph = Graph({f"y{i}": y for i, y in enumerate(make())})
    inputs, states = leaf_types(graph)
    r = np.random.default_rng(0)

    def array(kind):
        whole = kind.dtype == "int32"
        return r.integers(0, 5, kind.shape, np.int32) if whole else r.standard_normal(kind.shape).astype(kind.dtype)

    batch = next((kind.shape[0] for kind in inputs.values()), 0)
    if gather and not batch:
        pytest.skip("without data")
    rows = batch + 3
    data = {name: array(kind.with_shape((rows, *kind.shape[1:])) if gather else kind) for name, kind in inputs.items()}
    index = r.integers(0, rows, (2, batch)) if gather else None
    program = Program(0, graph, {name: array(kind) for name, kind in states.items()}, data, index)
    assert not fault(native_build, program, (1, 2))
