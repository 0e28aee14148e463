"""Which sums are added up side by side."""

import pytest

from thalweg.executors.native.code.builder import Module
from thalweg.executors.native.code.step import target
from thalweg.executors.native.code.sweep import Sweep
from thalweg.executors.native.host import AVX2, AVX512, Host
from thalweg.executors.native.plan.nest import Nest
from thalweg.executors.native.plan.plan import make_plan
from thalweg.executors.native.plan.taps import tap_axes, vectors_of
from thalweg.graph.node import Graph, Node
from thalweg.ops import broadcast, input_node, reduce_sum
from thalweg.ops.convolution import windows

IMAGES, PLACES, CHANNELS = 8, 20, 64


def kernel_gradient(size: int) -> Node:
    """Of a depthwise convolution: (size, size, channels)."""
    x = input_node("x", (IMAGES, PLACES + size - 1, PLACES + size - 1, CHANNELS))
    seen = windows(x, (size, size), (1, 1))
    g = broadcast(input_node("g", (IMAGES, PLACES, PLACES, CHANNELS)), seen.shape, (0, 1, 2, 5))
    return reduce_sum(seen * g, (0, 1, 2))


def nests(y: Node, host: Host) -> list[Nest]:
    return [nest for stage in make_plan(Graph({"y": y}), target(host), gather=False).stages for nest in stage]


@pytest.mark.parametrize(("host", "size", "sums"), [(AVX512, 3, 9), (AVX512, 5, 25), (AVX2, 3, 9), (AVX2, 5, 5)])
def test_a_kernel_gradient_s_sums_are_as_many_as_the_registers_hold(host, size, sums):
    (nest, *_) = nests(kernel_gradient(size), host)
    sweep = Sweep(nest, Module(host))
    assert len(sweep.taps) == sums
    vectors = vectors_of(nest, sums, host.registers)
    assert sums * vectors < host.registers
    groups = -(-CHANNELS // (host.lanes("float32") * vectors))
    assert sweep.units == IMAGES * groups * size * size // sums


def test_a_sum_of_its_own_numbers_is_by_itself():
    x = input_node("x", (IMAGES, 4, PLACES, CHANNELS))
    for nest in nests(reduce_sum(x, 2), AVX512):
        assert tap_axes(nest, AVX512.registers) == ()


def test_what_few_rows_share_stays_in_the_cache_anyhow():
    """The kernel in a depthwise convolution."""
    seen = windows(input_node("x", (IMAGES, PLACES, PLACES, CHANNELS)), (3, 3), (1, 1))
    kernel = broadcast(input_node("kernel", (3, 3, CHANNELS)), seen.shape, (3, 4, 5))
    for nest in nests(reduce_sum(seen * kernel, (3, 4)), AVX512):
        assert tap_axes(nest, AVX512.registers) == ()
