"""node.py and types.py: order, scopes, names."""

import numpy as np
import pytest

from thalweg.errors import ShapeError
from thalweg.graph.node import OPS, Graph, Kind, Op, exact_scope, scope, topological
from thalweg.graph.types import TensorType
from thalweg.ops import add, constant, input_node, relu


def test_inputs_come_before_what_uses_them():
    x = input_node("x", (3,))
    y = relu(x)
    z = add(y, x)
    assert topological([z, y]) == [x, y, z]


def test_a_deep_graph_does_not_exhaust_the_stack():
    y = input_node("x", ())
    for _ in range(20_000):
        y = relu(y)
    assert len(topological([y])) == 20_001


def test_scopes_nest_and_end():
    with scope("outer"):
        with scope("inner"):
            assert constant(1.0).layer == "outer/inner"
            with exact_scope("alone"):
                assert constant(1.0).layer == "alone"
        assert constant(1.0).layer == "outer"
    assert constant(1.0).layer == ""


def test_an_error_names_the_layer():
    with pytest.raises(ShapeError, match="layer 'dense_1'"), scope("dense_1"):
        add(input_node("x", (3,)), input_node("y", (4,)))


def test_bases_and_private_classes_are_no_operations():
    class _Private(Op, kind=Kind.ELEMENTWISE):
        pass

    class Base(Op, base=True, kind=Kind.VIEW):
        pass

    assert not {"_private", "base", "reduction"} & set(OPS)
    assert OPS["log_sum_exp"].name == "log_sum_exp"


def test_an_operation_says_its_kind_or_has_it_from_a_base():
    class _Base(Op, base=True, kind=Kind.VIEW):
        pass

    class _Derived(_Base):
        pass

    class _Other(_Base, kind=Kind.COMPOSITE):
        pass

    assert (_Derived.kind, _Other.kind) == (Kind.VIEW, Kind.COMPOSITE)
    with pytest.raises(AssertionError, match="_Silent does not say its kind"):

        class _Silent(Op):
            pass


def test_rebuilt_keeps_names():
    a, b = constant(1.0), constant(2.0)
    graph = Graph({"y": a}, {"s": a}).rebuilt({a: b})
    assert graph == Graph({"y": b}, {"s": b})


def test_tensor_type():
    kind = TensorType((2, 3), "float64")
    assert (kind.rank, kind.size, kind.nbytes, kind.is_float, str(kind)) == (2, 6, 48, True, "float64[2,3]")
    assert TensorType.of(np.zeros((2, 0), np.uint8)) == TensorType((2, 0), "uint8")
    with pytest.raises(AssertionError):
        TensorType((2,), "float16")
    with pytest.raises(AssertionError):
        TensorType((-1,))
