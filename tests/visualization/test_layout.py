"""Drawings of graphs: no box on another, no line through a box, and a straight spine."""

from itertools import pairwise

import numpy as np
import pytest

from thalweg.visualization.layout import arrange


def unet(depth, length=3):
    """A chain down and up, with a skip connection at each size."""
    count = 2 * depth * length
    chain = [(i, i + 1) for i in range(count)]
    return count + 1, chain + [(length * (d + 1), count - length * d) for d in range(depth)]


def residual(blocks):
    """A chain of blocks of four, around every second of which a box stands beside the chain."""
    edges, here, box = [], 0, 1
    for block in range(blocks):
        start = here
        for _ in range(4):
            edges.append((here, box))
            here, box = box, box + 1
        if block % 2:
            edges.append((start, here))
        else:  # the box beside must come before what adds it up
            edges[-1] = (here - 1, here + 1)
            edges += [(start, here), (here, here + 1)]
            here, box = here + 1, box + 1
    return box, edges


def dense_block(count):
    """Everything connected with everything after it."""
    return count, [(i, j) for i in range(count) for j in range(i + 1, count)]


def random_graph(seed):
    random = np.random.default_rng(seed)
    count = int(random.integers(3, 20))
    return count, [(int(u), v) for v in range(1, count) for u in random.choice(v, min(v, random.integers(0, 3)), False)]


GRAPHS = {
    "one box": (1, []),
    "two apart": (2, []),
    "chain": (5, [(i, i + 1) for i in range(4)]),
    "U-Net": unet(3),
    "residual": residual(4),
    "four branches": (
        10,
        [(0, 1), (0, 2), (0, 3), (3, 4), (0, 5), (5, 6), (6, 7), *((i, 8) for i in (1, 2, 4, 7)), (8, 9)],
    ),
    "a late second input": (6, [(0, 1), (1, 2), (2, 3), (3, 5), (4, 5)]),
    "two outputs": (4, [(0, 1), (1, 2), (1, 3)]),
    "dense": dense_block(6),
}


def boxes(sizes, found):
    return [
        (along - high / 2, along + high / 2, across - wide / 2, across + wide / 2)
        for (high, wide), (along, across) in zip(sizes, found.middles, strict=True)
    ]


def meet(one, other, margin=1e-9):
    """Whether two rectangles have more in common than a border."""
    return (
        one[0] < other[1] - margin
        and other[0] < one[1] - margin
        and one[2] < other[3] - margin
        and other[2] < one[3] - margin
    )


def crossed(line, rectangles):
    """The boxes that the inner part of a line meets."""
    found = set()
    for (a, b), (c, d) in pairwise(line):
        assert a == c or b == d, "lines are level or upright"
        thin = (min(a, c) - 1e-6, max(a, c) + 1e-6, min(b, d) - 1e-6, max(b, d) + 1e-6)
        found |= {number for number, rectangle in enumerate(rectangles) if meet(thin, rectangle, 1e-5)}
    return found


@pytest.mark.parametrize("name", GRAPHS)
def test_boxes_and_lines_keep_apart(name):
    count, edges = GRAPHS[name]
    random = np.random.default_rng(0)
    sizes = [(float(random.uniform(0.3, 1)), 2.0) for _ in range(count)]
    found = arrange(sizes, edges)
    placed = boxes(sizes, found)
    assert not [(i, j) for i in range(count) for j in range(i) if meet(placed[i], placed[j])]
    assert set(found.lines) == set(edges)
    for edge, line in found.lines.items():
        assert not crossed(line, placed), (edge, line)


@pytest.mark.parametrize("seed", range(30))
def test_any_graph_is_drawn_with_its_boxes_apart(seed):
    count, edges = random_graph(seed)
    sizes = [(0.5, 2.0)] * count
    found = arrange(sizes, edges)
    placed = boxes(sizes, found)
    assert not [(i, j) for i in range(count) for j in range(i) if meet(placed[i], placed[j])]
    for u, w in edges:  # the data flow one way
        assert found.middles[u][0] < found.middles[w][0]
        start, *_, end = found.lines[u, w]
        assert placed[u][0] - 1e-9 <= start[0] <= placed[u][1] + 1e-9
        assert placed[w][0] - 1e-9 <= end[0] <= placed[w][1] + 1e-9


def test_a_unet_is_a_straight_line_with_lanes_beside_it():
    count, edges = unet(3)
    found = arrange([(0.5, 2.0)] * count, edges)
    assert {across for _, across in found.middles} == {0.0}
    lanes = [found.lines[edge][1][1] for edge in edges if edge[1] != edge[0] + 1]
    assert lanes == sorted(lanes, reverse=True)  # from the outermost connection to the innermost
    assert min(lanes) > 1.0


def test_everything_is_within_the_corners():
    count, edges = GRAPHS["four branches"]
    sizes = [(0.5, 2.0)] * count
    found = arrange(sizes, edges)
    for box in boxes(sizes, found):
        assert found.low[0] <= box[0] <= box[1] <= found.high[0]
        assert found.low[1] <= box[2] <= box[3] <= found.high[1]
