"""What a task is said to do: operations counted by hand, and its name."""

import pytest

from thalweg import ops
from thalweg.executors.native.code.step import target
from thalweg.executors.native.host import AVX2
from thalweg.executors.native.plan.plan import make_plan
from thalweg.executors.native.plan.work import works
from thalweg.graph.node import Graph, scope
from thalweg.ops.leaf import state_node
from thalweg.ops.lookup import take


def works_of(outputs, updates=None):
    return works(make_plan(Graph(outputs, updates or {}), target(AVX2), False))


def inputs(**shapes):
    return [ops.input_node(name, shape) for name, shape in shapes.items()]


def test_a_product_with_what_follows_it_is_one_task():
    x, w = inputs(x=(16, 20), w=(20, 24))
    with scope("dense"):
        y = ops.relu(x @ w + 1.0)
    (work,) = works_of({"y": y})
    assert work.computes == "contraction 16x24 over 20, add, relu -> y"
    assert (work.layer, work.stage, work.dtype) == ("dense", 0, "float32")
    assert work.flops == 2 * 16 * 24 * 20 + 2 * 16 * 24
    assert work.read_bytes == 4 * (16 * 20 + 20 * 24)
    assert work.written_bytes == 4 * 16 * 24


def test_a_row_of_many_operations_is_counted_not_spelled_out():
    (x,) = inputs(x=(8, 10))
    (work,) = works_of({"y": ops.relu(x * 2.0 + 1.0) * 3.0 - x})
    assert work.computes == "8x10 multiply, add, relu, 2 more -> y"


def test_a_state_that_is_updated_is_named_and_a_number_has_no_size():
    count = state_node("count", (), "float32")
    (work,) = works_of({}, {"count": count + 1.0})
    assert work.computes == "add -> count"
    assert work.flops == 1


def test_whole_numbers_are_no_floating_point_operations():
    count = state_node("count", (), "int64")
    (work,) = works_of({}, {"count": count + 1})
    assert work.flops == 0
    assert work.read_bytes == work.written_bytes == 8


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_products_with_the_zeros_at_the_edge_of_an_image_do_not_count(size):
    images, kernel = inputs(images=(2, size, size, 8), kernel=(3, 3, 8, 16))
    found = works_of({"y": ops.convolve(images, kernel, padding=((1, 1), (1, 1)))})
    pairs = sum(0 <= place + tap < size for place in range(size) for tap in (-1, 0, 1))
    assert sum(work.flops for work in found if "contraction" in work.computes) == 2 * 2 * pairs**2 * 8 * 16


def test_a_table_is_read_where_it_is_looked_up():
    (table,) = inputs(table=(100, 8))
    (work,) = works_of({"y": take(table, ops.input_node("index", (5,), "int32"))})
    assert work.read_bytes == 5 * 8 * 4 + 5 * 4
    assert work.written_bytes == 5 * 8 * 4
    assert work.flops == 0
