"""Where the boxes of a graph of layers go, and the lines between them.

Networks are long chains with something beside them: skip connections, branches, second inputs. So the longest path is
drawn straight, as a spine; other paths become columns beside it, and connections that pass layers by run in lanes still
further out, the short ones nearest. Nothing is optimised: what stands where follows from the graph alone.

Distances are of any unit. *Along* is the direction of the data, *across* the other one, 0 at the middle of the spine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field

from thalweg.fields import dataclass

Point = tuple[float, float]
"""(along, across)."""

Edge = tuple[int, int]


@dataclass(frozen=True)
class Arrangement:
    """Boxes by their middles, and for each edge the corners of its line, from one box's border to the other's.

    Attributes:
        low, high: the corners of everything together.
    """

    middles: list[Point]
    lines: dict[Edge, list[Point]]
    low: Point
    high: Point


def arrange(sizes: Sequence[Point], edges: Iterable[Edge], gap: Point = (0.25, 0.25)) -> Arrangement:
    """The boxes of a graph in rows, sources first.

    Arguments:
        sizes: of each box, at least one; the boxes are numbered so that edges go from smaller to larger numbers.
        gap: between rows, and between columns.
    """
    return _Drawing(list(sizes), sorted(set(edges)), gap).arrangement()


@dataclass
class _Drawing:
    sizes: list[Point]
    edges: list[Edge]
    gap: Point
    column: list[float] = field(default_factory=list)  # of each box: the middle
    lane: dict[Edge, float] = field(default_factory=dict)  # of each edge that passes boxes by

    def __post_init__(self) -> None:
        count = len(self.sizes)
        self.before: list[list[int]] = [[u for u, w in self.edges if w == v] for v in range(count)]
        self.after: list[list[int]] = [[w for u, w in self.edges if u == v] for v in range(count)]
        self.paths: list[list[int]] = []
        left = set(range(count))
        while left:
            self.paths.append(self._longest(left))
            left -= set(self.paths[-1])
        self.place = {box: (number, i) for number, path in enumerate(self.paths) for i, box in enumerate(path)}
        self.rank = self._ranks()
        self.column = [0.0] * count

    def _longest(self, boxes: set[int]) -> list[int]:
        """The longest path through these boxes, the first of several."""
        best: dict[int, list[int]] = {}
        for v in sorted(boxes):
            paths: list[list[int]] = [best[u] for u in self.before[v] if u in boxes]
            best[v] = [*(max(paths, key=len) if paths else []), v]
        return max(best.values(), key=len)

    def _ranks(self) -> list[int]:
        """The row of each box: right after what it needs; second inputs, and what hangs on them, late."""
        rank: list[int] = []
        for v in range(len(self.sizes)):
            rank.append(1 + max((rank[u] for u in self.before[v]), default=-1))
        loose = set[int]()
        for v in range(len(self.sizes)):
            if self.place[v][0] and loose.issuperset(self.before[v]):
                loose.add(v)
        for v in sorted(loose, reverse=True):
            if self.after[v]:
                rank[v] = min(rank[w] for w in self.after[v]) - 1
        return rank

    def arrangement(self) -> Arrangement:
        self._columns()
        heights = [0.0] * (max(self.rank) + 1)
        for v, (along, _) in enumerate(self.sizes):
            heights[self.rank[v]] = max(heights[self.rank[v]], along)
        starts = [sum(heights[:row]) + row * self.gap[0] for row in range(len(heights))]
        middles = [(starts[row] + heights[row] / 2, across) for row, across in zip(self.rank, self.column, strict=True)]
        lines = self._lines(middles)
        corners = [point for line in lines.values() for point in line]
        for (along, across), (high, wide) in zip(middles, self.sizes, strict=True):
            corners += [(along + sign * high / 2, across + sign * wide / 2) for sign in (-1, 1)]
        alongs, acrosses = zip(*corners, strict=True)
        return Arrangement(middles, lines, (min(alongs), min(acrosses)), (max(alongs), max(acrosses)))

    def _columns(self) -> None:
        """Columns for the paths and lanes for the edges that pass boxes by, the short ones nearest to the spine."""
        taken = {side: [0.0] * (max(self.rank) + 1) for side in (1, -1)}
        for v in self.paths[0]:
            for side in taken:
                taken[side][self.rank[v]] = self.sizes[v][1] / 2
        items: list[tuple[int, int, int, list[int] | Edge]] = []
        for number, path in enumerate(self.paths[1:], 1):
            low = min([self.rank[path[0]], *(self.rank[u] for u in self.before[path[0]])])
            high = max([self.rank[path[-1]], *(self.rank[w] for w in self.after[path[-1]])])
            items.append((high - low, 1 + number, low, path))
        for u, w in self.edges:
            if self._passes_by(u, w):
                items.append((self.rank[w] - self.rank[u], 0, self.rank[u], (u, w)))
        for length, _, low, item in sorted(items, key=lambda item: item[:3]):
            rows = range(low, low + length + 1)
            wide = max(self.sizes[v][1] for v in item) if isinstance(item, list) else 0.0
            near = {side: max(taken[side][row] for row in rows) + self.gap[1] for side in taken}
            side = -1 if isinstance(item, list) and near[-1] < near[1] else 1
            across = side * (near[side] + wide / 2)
            inner = range(low + 1, low + length) if length > 1 else rows
            occupied = {*inner, *(self.rank[v] for v in item)} if isinstance(item, list) else inner
            for row in occupied:
                taken[side][row] = near[side] + wide
            if isinstance(item, list):
                for v in item:
                    self.column[v] = across
            else:
                self.lane[item] = across

    def _passes_by(self, u: int, w: int) -> bool:
        """Whether an edge needs a lane: it can neither go straight on nor turn into the other column."""
        (from_path, i), (to_path, j) = self.place[u], self.place[w]
        if from_path == to_path:
            return j != i + 1
        return j > 0 and i < len(self.paths[from_path]) - 1

    def _lines(self, middles: Sequence[Point]) -> dict[Edge, list[Point]]:
        ports = self._ports(middles)
        lines: dict[Edge, list[Point]] = {}
        for u, w in self.edges:
            (a, across_u), (b, across_w) = middles[u], middles[w]
            bottom, top = a + self.sizes[u][0] / 2, b - self.sizes[w][0] / 2
            leaving, entering = ports.get((u, w, 0)), ports.get((u, w, 1))
            if leaving is not None and entering is not None:
                lane = self.lane[u, w]
                lines[u, w] = [leaving, (leaving[0], lane), (entering[0], lane), entering]
            elif leaving is not None:
                lines[u, w] = [leaving, (leaving[0], across_w), (top, across_w)]
            elif entering is not None:
                lines[u, w] = [(bottom, across_u), (entering[0], across_u), entering]
            else:
                lines[u, w] = [(bottom, across_u), (top, across_w)]
        return lines

    def _ports(self, middles: Sequence[Point]) -> dict[tuple[int, int, int], Point]:
        """Where edges touch the sides of boxes: (u, w, 0) leaving u, (u, w, 1) entering w.

        Those that enter are above those that leave, and both in an order in which they need not cross.
        """
        sides: dict[tuple[int, int], list[tuple[int, float, tuple[int, int, int]]]] = {}
        for u, w in self.edges:
            (from_path, _), (to_path, j) = self.place[u], self.place[w]
            if (u, w) in self.lane:
                ends = [(u, self.lane[u, w], 0), (w, self.lane[u, w], 1)]
            elif from_path == to_path:
                ends = []
            elif j == 0:
                ends = [(u, self.column[w], 0)]
            else:
                ends = [(w, self.column[u], 1)]
            for box, towards, end in ends:
                side = 1 if towards > self.column[box] else -1
                distance = abs(towards - self.column[box])
                order = (0, distance) if end else (1, -distance)
                sides.setdefault((box, side), []).append((*order, (u, w, end)))
        ports = {}
        for (box, side), touching in sides.items():
            high, wide = self.sizes[box]
            for number, (_, _, port) in enumerate(sorted(touching)):
                along = middles[box][0] + high * ((number + 1) / (len(touching) + 1) - 0.5)
                ports[port] = (along, self.column[box] + side * wide / 2)
        return ports
