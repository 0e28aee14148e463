"""What is found of the rows of a batch in graphs written by hand."""

import pytest

from thalweg import ops
from thalweg.graph.node import Graph
from thalweg.ops.lookup import take
from thalweg.ops.shape import pad
from thalweg.passes.rows import Findings, Part, Rows, adds_up, row_by_row

BATCH = 6
X = ops.input_node("x", (BATCH, 4))
VALID = ops.input_node("valid", (BATCH,))
W = ops.state_node("w", (4, 3))


def alone(node):
    return row_by_row(Graph({"y": node}), BATCH)


def masked(values):
    return values * ops.broadcast(VALID, values.shape, (0,))


class TestRowByRow:
    @pytest.mark.parametrize(
        "node",
        [
            ops.matmul(X, W),
            ops.softmax(X, -1),
            ops.reshape(ops.reshape(X, (BATCH * 4,)), (BATCH, 2, 2)),  # as a lookup of several numbers a row does
            ops.reshape(take(W, ops.cast(ops.reshape(X, (BATCH * 4,)), "int32")), (BATCH, 4, 3)),
            ops.transpose(ops.transpose(X, (1, 0)), (1, 0)),
            ops.concatenate((X, ops.filled(X.shape, 1.0)), -1),
            X - ops.reduce_mean(X, 1, keepdims=True),
            X + ops.cast(ops.iota(X.shape, 1), "float32"),
            pad(X, (0, 1), (0, 1)),
            ops.broadcast(ops.state_node("b", (4,)), X.shape, (1,)),
        ],
        ids=lambda node: node.op.name,
    )
    def test_each_row_stands_for_itself(self, node):
        assert alone(node)

    @pytest.mark.parametrize(
        "node",
        [
            X - ops.reduce_mean(X, 0, keepdims=True),
            ops.softmax(X, 0),
            ops.flip(X, (0,)),
            ops.matmul(X, ops.transpose(X, (1, 0))),
            ops.reshape(ops.transpose(X, (1, 0)), X.shape),
            ops.concatenate((X[1:], X[:1]), 0),
            pad(X[1:], (1, 0), (0, 0)),
            X + ops.cast(ops.iota(X.shape, 0), "float32"),
            X * ops.state_node("w", X.shape),  # a weight of its own for each place in the batch
            take(X, ops.filled((BATCH,), 0, "int32")),
            ops.reduce_sum(X),
            ops.state_node("w", X.shape),
        ],
        ids=lambda node: node.op.name,
    )
    def test_rows_that_meet_are_found(self, node):
        assert not alone(node)

    def test_several_numbers_of_one_row_stay_together(self):
        joined = ops.reshape(X, (BATCH * 2, 2))
        assert Findings(BATCH).of(joined) == Rows(0, 2)
        assert Findings(BATCH).of(ops.reshape(X, (4, BATCH))) is Part.MIXED


class TestAddsUp:
    @pytest.mark.parametrize(
        "node",
        [
            ops.reduce_sum(masked(X)),
            ops.reduce_sum(ops.cast(VALID, "float64")),
            ops.cast(ops.reduce_sum(masked(ops.square(X))), "float64") / 4.0,
            ops.reduce_sum(ops.select(ops.broadcast(VALID > 0.0, X.shape, (0,)), ops.exp(X), 0.0)),
            ops.matmul(ops.transpose(masked(X), (1, 0)), X),  # as a confusion matrix
            ops.reduce_sum(VALID) * ops.reduce_sum(ops.square(W)),
            ops.reduce_sum(ops.sqrt(ops.absolute(-masked(X)))),
        ],
        ids=lambda node: node.op.name,
    )
    def test_sums_of_rows_that_count(self, node):
        assert adds_up([node], BATCH, "valid")

    @pytest.mark.parametrize(
        "node",
        [
            ops.reduce_sum(X),  # those that fill up the batch too
            ops.reduce_sum(masked(X) + 1.0),
            ops.reduce_sum(ops.exp(masked(X))),
            ops.reduce_max(masked(X)),
            ops.square(ops.reduce_sum(masked(X))),
            ops.reduce_sum(masked(X)) + 1.0,
            ops.reduce_sum(masked(X)) / ops.reduce_sum(VALID),
            ops.constant(6.0),  # how many rows there are
            ops.reduce_sum(masked(X - ops.reduce_mean(X, 0, keepdims=True))),
        ],
        ids=lambda node: node.op.name,
    )
    def test_others_are_found(self, node):
        assert not adds_up([node], BATCH, "valid")
