"""What every executor does: what it asks of a graph and of arrays."""

import pytest

from thalweg.errors import ExecutorError
from thalweg.executors.executor import check_supported
from thalweg.executors.native.executor import NativeExecutor
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Kind, Op, apply, scope
from thalweg.ops import exp, input_node, relu


@dataclass(frozen=True)
class _Cube(Op, kind=Kind.ELEMENTWISE):
    """No executor but numpy knows it."""

    def infer(self, x):
        return x

    def reference(self, x):
        return x**3


def cube():
    with scope("dense_1"):
        y = apply(_Cube(), relu(input_node("x", (3,))))
    return Graph({"y": exp(y)})


def test_an_operation_without_a_lowering_is_named_with_its_layer_and_the_executor():
    with pytest.raises(ExecutorError) as caught:
        NativeExecutor().compile(cube(), gather=False)
    assert "the native executor has no code for the operation" in str(caught.value)
    assert "dense_1" in str(caught.value)
    assert "decompose" in caught.value.fix


def test_what_is_supported_raises_nothing():
    check_supported(cube(), lambda op: op.kind in (Kind.ELEMENTWISE, Kind.LEAF), "other")
    with pytest.raises(ExecutorError, match="'relu'"):
        check_supported(cube(), lambda op: op.name != "relu", "other")
