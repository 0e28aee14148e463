"""The passes of sweeps."""

from thalweg.executors.native.code.operations import is_cheap, is_costly
from thalweg.executors.native.code.step import generate, target
from thalweg.executors.native.host import AVX512
from thalweg.executors.native.plan.plan import make_plan
from thalweg.executors.native.plan.sweeps import in_one_pass, passes, stored_in_pass, with_values_kept
from thalweg.graph.node import Graph
from thalweg.ops import broadcast, exp, input_node, random_bits, reduce_max, reduce_sum, select, state_node
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


def test_a_root_is_stored_where_its_value_is_first_used():
    x = input_node("x", (4, 1000))
    seed, step = (state_node(name, (), "uint32") for name in ("seed", "step"))
    mask = random_bits(x.shape, 1, seed, step) >= 2**31
    centred = x - broadcast(reduce_sum(x, (1,)), x.shape, (0,))
    y, alone = select(mask, centred, 0.0), exp(x)
    kernels = fuse(Graph({"y": y, "mask": mask, "alone": alone}), (), lambda node: is_cheap(node.op))
    (kernel,) = [kernel for kernel in kernels if y in kernel.roots]
    at = stored_in_pass(kernel, passes(kernel, stored_in(kernels)))
    assert at == {y: 1, mask: 1} | ({alone: 0} if alone in kernel.roots else {})


def test_a_kept_value_is_computed_once():
    x = input_node("x", (4, 1000))
    e = exp(x - broadcast(reduce_max(x, (1,)), x.shape, (0,)))
    graph = Graph({"y": e / broadcast(reduce_sum(e, (1,)), x.shape, (0,))})
    plan = make_plan(graph, target(AVX512), gather=False)
    text = "".join(part.text for part in generate(plan, AVX512, checked=False))
    of_exp = text.count("call <16 x float> @llvm.fma") / 9  # its multiply-adds
    assert of_exp == 4 + 3  # a whole group of vectors, and the last one


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
