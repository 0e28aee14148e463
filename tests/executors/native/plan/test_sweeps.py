"""The passes of sweeps."""

from thalweg.executors.native.code.operations import is_cheap, is_costly
from thalweg.executors.native.plan.sweeps import in_one_pass, passes, with_values_kept
from thalweg.graph.node import Graph
from thalweg.ops import broadcast, exp, input_node, reduce_max, reduce_sum
from thalweg.passes.fuse import fuse, stored_in


def softmax(rows, columns):
    """The largest, the sum of what is left, and the quotient: two sums, one after the other."""
    x = input_node("x", (rows, columns))
    top = reduce_max(x, (1,))
    e = exp(x - broadcast(top, x.shape, (0,)))
    total = reduce_sum(e, (1,))
    return top, e, total, e / broadcast(total, x.shape, (0,))


def kernel_of(y):
    kernels = fuse(Graph({"y": y}), (), lambda node: is_cheap(node.op))
    (kernel,) = [kernel for kernel in kernels if y in kernel.roots]
    return kernel, stored_in(kernels)


def test_a_value_waits_for_the_sums_below_it():
    top, e, total, y = softmax(4, 100)
    kernel, stored = kernel_of(y)
    done = passes(kernel, stored)
    assert [done[node] for node in (top, e, total, y)] == [1, 1, 2, 2]
    assert not in_one_pass(kernel, done)


def test_sums_alone_take_one_pass():
    x = input_node("x", (4, 100))
    kernel, stored = kernel_of(reduce_sum(x * x, (1,)))
    assert in_one_pass(kernel, passes(kernel, stored))


def test_costly_values_of_long_rows_are_kept_from_pass_to_pass():
    _, e, _, y = softmax(4, 1000)
    kernel, stored = kernel_of(y)
    assert with_values_kept(kernel, stored, 8, is_costly).roots == (e, y)


def test_short_rows_stay_in_registers():
    _, _, _, y = softmax(4, 20)
    kernel, stored = kernel_of(y)
    assert with_values_kept(kernel, stored, 8, is_costly) is kernel


def test_cheap_values_are_computed_again():
    x = input_node("x", (4, 1000))
    top = reduce_max(x, (1,))
    d = x - broadcast(top, x.shape, (0,))
    y = d / broadcast(reduce_sum(d, (1,)), x.shape, (0,))
    kernel, stored = kernel_of(y)
    assert with_values_kept(kernel, stored, 8, is_costly).roots == (y,)
