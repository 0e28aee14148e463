"""Views and moves that nobody planned for: they say where numbers lie, and that is all that the executor asks."""

import numpy as np

from thalweg.executors.native.executor import NativeExecutor
from thalweg.executors.numpy import NumpyExecutor
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, apply
from thalweg.ops import exp, input_node, reduce_sum, transpose
from thalweg.ops.views import Line, Move, View


@dataclass(frozen=True)
class _Diagonal(View):
    """The numbers with equal indices: x (n, n) -> (n,)."""

    def infer(self, x):
        return x.with_shape(x.shape[:1])

    def reference(self, x):
        return np.diagonal(x)

    def follow(self, line, shape, kept=None):
        return Line(line.start, (sum(line.steps),))

    def follow_axis(self, axis, shape):
        return None


@dataclass(frozen=True)
class _Blocks(Move):
    """A block-diagonal matrix; of what is ``spread`` every other place along the columns is 0."""

    spread: int = 1

    def infer(self, *xs):
        return xs[0].with_shape((sum(x.shape[0] for x in xs), self.spread * sum(x.shape[1] for x in xs)))

    def boxes(self, *inputs):
        found, row, column = [], 0, 0
        for x in inputs:
            end = column + self.spread * x.shape[1]
            found.append((slice(row, row + x.shape[0], 1), slice(column, end, self.spread)))
            row, column = row + x.shape[0], end
        return tuple(found)

    def reference(self, *xs):
        shape = (sum(x.shape[0] for x in xs), self.spread * sum(x.shape[1] for x in xs))
        result, row, column = np.zeros(shape, xs[0].dtype), 0, 0
        for x in xs:
            result[row : row + x.shape[0], column : column + self.spread * x.shape[1] : self.spread] = x
            row, column = row + x.shape[0], column + self.spread * x.shape[1]
        return result


def check(outputs, **arrays):
    """Both executors give the same, and not only zeros."""
    graph, results = Graph(outputs), []
    for executor in (NumpyExecutor(), NativeExecutor()):
        filled = {name: np.full(y.shape, 77, y.dtype) for name, y in graph.outputs.items()}
        executor.compile(graph, gather=False).run({}, arrays, None, filled)
        results.append(filled)
    for name in outputs:
        assert results[0][name].any()
        np.testing.assert_allclose(results[1][name], results[0][name], rtol=1e-5, err_msg=name)


def numbers(*shape):
    return np.random.default_rng(len(shape)).uniform(0.5, 1.5, shape).astype(np.float32)


def test_a_view_of_an_input_of_a_computed_value_and_of_another_view():
    x = input_node("x", (19, 19))
    looked_at = {"input": x, "computed": exp(x), "view": transpose(x * 2.0)}
    outputs = {name: apply(_Diagonal(), node) for name, node in looked_at.items()}
    check({**outputs, "sum": reduce_sum(outputs["computed"] + outputs["view"])}, x=numbers(19, 19))


def test_a_move_of_inputs_and_of_computed_values():
    x, y = input_node("x", (3, 17)), input_node("y", (5, 4))
    for spread in (1, 2):
        outputs = {
            "one": apply(_Blocks(spread), exp(x)),
            "inputs": apply(_Blocks(spread), x, y),
            "computed": apply(_Blocks(spread), exp(x), y, exp(y)),
        }
        check({**outputs, "used": outputs["computed"] * 3.0}, x=numbers(3, 17), y=numbers(5, 4))
