"""How contractions are cut: pure numbers."""

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from thalweg.executors.native.code.step import target
from thalweg.executors.native.host import AVX2, AVX512, NEON, SSE2
from thalweg.executors.native.plan.plan import make_plan
from thalweg.executors.native.plan.tiles import (
    BLOCK_BYTES,
    BLOCK_TURNS,
    WIDEST,
    Clip,
    Split,
    TileShape,
    Turns,
    best_tile,
    block_length,
    stands_alone,
    tiling_of,
)
from thalweg.graph.node import Graph
from thalweg.ops import convolve, input_node, state_node, transpose

HOSTS = [AVX512, AVX2, SSE2, NEON]
SIZES = st.integers(1, 3000)


@given(SIZES, SIZES)
def test_the_parts_of_a_split_are_the_axis(total, limit):
    split = Split.at_most(total, limit)
    assert [i for part in range(split.count) for i in split.part(part)] == list(range(total))
    lengths = {len(split.part(part)) for part in range(split.count)}
    assert max(lengths) <= limit
    assert max(lengths) - min(lengths) <= 1


@given(SIZES, st.integers(1, 64), st.sampled_from(HOSTS))
def test_a_tile_fits_the_registers(rows, vectors, host):
    tall, wide = best_tile(rows, vectors, host)
    assert 1 <= tall <= rows
    assert 1 <= wide <= min(vectors, WIDEST)
    assert tall * wide + wide + host.spare <= host.registers  # the sums, a row of y, and numbers of x


def test_tiles_are_what_the_core_is_quickest_with():
    assert best_tile(784, 32, AVX512) == (6, 4)
    assert best_tile(784, 64, AVX2) == (6, 2)
    slow = replace(AVX2, core=replace(AVX2.core, vector_loads=0.5, number_loads=4))
    assert best_tile(784, 64, slow) == (14, 1)  # vectors of y are dear
    quick = replace(NEON, core=replace(NEON.core, multiply_adds=4, vector_loads=3, number_loads=3))
    tall, wide = best_tile(784, 128, quick)
    assert tall * wide >= 4 * 4  # a sum for every product on its way


@given(
    st.integers(-5, 5), st.integers(0, 3), st.integers(1, 3), st.integers(1, 12), st.integers(0, 11), st.integers(1, 7)
)
def test_a_clip_leaves_out_what_lies_beyond_the_border(start, step, tap, size, i, count):
    turns = Clip(0, start, step, tap, size).turns(i, count)
    assert list(turns) == [t for t in range(count) if 0 <= start + i * step + t * tap < size]


@given(st.lists(st.integers(2, 5000), min_size=1, max_size=3), st.integers(1, 1000), st.sampled_from([4, 8]))
def test_what_stands_alone_is_added_up_in_blocks_that_fit_the_cache(summed, lane, itemsize):
    """Also where the planner merges the summed axes, which it does when they run on evenly."""
    assume(stands_alone(summed))
    for axes in (summed, [math.prod(summed)], [summed[0], math.prod(summed[1:])]):
        length = block_length([n for n in axes if n > 1], lane, itemsize)
        assert 0 < 2 * length <= axes[0]
        of_one = math.prod(axes[1:])
        assert length == 1 or length * of_one <= max(BLOCK_BYTES / (lane * itemsize), BLOCK_TURNS)


def test_small_sums_are_added_up_in_one_go():
    assert block_length([128], 512, 4) == 0
    assert block_length([], 512, 4) == 0
    assert not stands_alone([128])


def tilings(graph: Graph, host):
    plan = make_plan(graph, target(host), gather=False)
    return [tiling_of(n, host) for stage in plan.stages for n in stage if n.kernel.contraction is not None]


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
@pytest.mark.parametrize(("rows", "inner", "columns"), [(128, 784, 512), (2, 7, 5), (33, 2, 100)])
def test_the_tiles_cover_the_product(host, rows, inner, columns):
    (cut,) = tilings(Graph({"y": input_node("x", (rows, inner)) @ state_node("w", (inner, columns))}), host)
    assert cut.units == cut.rows.count * cut.panels.count
    assert cut.nest.dims[cut.row].size == rows
    assert cut.panels.total == math.ceil(cut.nest.dims[cut.lane].size / cut.width)
    assert [cut.nest.dims[d].swept for d in cut.summed] == [True]


def test_only_the_tiles_at_the_edge_leave_something_out():
    x, kernel = input_node("x", (2, 40, 40, 8)), state_node("kernel", (3, 3, 8, 16))
    (cut,) = tilings(Graph({"y": convolve(x, kernel, padding=[(1, 1)] * 2)}), AVX512)
    assert cut.clipped_by_row is not None
    first, *middle, last = [cut.shape(i) for i in range(cut.rows.count)]
    size = cut.nest.dims[cut.clipped_by_row].size
    assert size == 3
    assert all(shape.turns == (Turns(0, 3, 0, shape.height),) for shape in middle)
    assert first.turns == (Turns(0, 1, 1, first.height), Turns(1, 3, 0, first.height))
    assert last.turns == (Turns(0, 2, 0, last.height), Turns(2, 3, 0, last.height - 1))


def momentum(batch: int, units: int) -> Graph:
    """A layer's weights and their velocity, moved by the gradient."""
    x, g = input_node("x", (batch, units)), input_node("g", (batch, units))
    weights, velocity = state_node("weights", (units, units)), state_node("velocity", (units, units))
    moved = velocity * 0.9 - transpose(x) @ g
    return Graph({}, {"velocity": moved, "weights": weights + moved})


def test_what_follows_the_sums_is_fetched_where_it_is_more_than_the_first_cache_holds():
    (large,), (small,) = (tilings(momentum(64, units), AVX512) for units in (128, 48))
    labels = {access.buffer.label for access in large.fetched if access.buffer is not None}
    assert labels == {"weights", "velocity"}
    assert small.fetched == ()


def test_short_sums_fetch_several_rows_at_a_time():
    few, many, small = (tilings(momentum(*sizes), AVX512)[0] for sizes in ((3, 128), (64, 128), (64, 48)))
    assert [cut.fetching_parts(4) for cut in (few, many, small)] == [3, 4, 0]


def test_operands_of_which_a_tile_takes_a_part_are_fetched_a_block_ahead():
    """Of 128 columns a tile takes some and leaves out the others; of 16 it takes all."""

    def gradient(channels: int) -> Graph:
        x, g = input_node("x", (8192, channels)), input_node("g", (8192, channels))
        return Graph({"y": transpose(x) @ g})

    (wide,), (narrow,) = (tilings(gradient(channels), AVX512) for channels in (128, 16))
    assert wide.block
    assert narrow.block
    assert wide.ahead(6, 4) == [(wide.x, 6), (wide.y, 64)]
    assert narrow.ahead(16, 1) == []
    (short,) = tilings(Graph({"y": input_node("x", (30, 8)) @ state_node("w", (8, 512))}), AVX512)
    assert short.ahead(6, 4) == []


def test_without_borders_a_shape_is_a_height():
    (cut,) = tilings(Graph({"y": input_node("x", (30, 8)) @ state_node("w", (8, 512))}), AVX512)
    assert {cut.shape(i) for i in range(cut.rows.count)} <= {
        TileShape(cut.rows.size),
        TileShape(cut.rows.size + 1),
    }


def test_rows_a_multiple_of_four_kilobytes_apart_are_few():
    """So 8 places of an image, side by side, are as good as many images, which push each other out of the cache."""
    kernel = state_node("kernel", (3, 3, 64, 32))
    for places, by_image in ((8, True), (9, False)):
        x = input_node("x", (64, places, places, 64))
        (tiling,) = tilings(Graph({"y": convolve(x, kernel, padding=[(1, 1)] * 2)}), AVX512)
        assert (tiling.row == 0) != by_image
