"""verify.py: each rule fires, and names the layer."""

import pytest

from thalweg.errors import GraphError
from thalweg.graph.node import Graph, Node, scope
from thalweg.graph.types import TensorType
from thalweg.graph.verify import verify
from thalweg.ops import add, constant, input_node, relu, state_node
from thalweg.ops.contraction import Contraction
from thalweg.ops.elementwise import Add, Relu
from thalweg.ops.random import RandomBits
from thalweg.ops.shape import Pad


def test_a_sound_graph_passes():
    w, x = state_node("w", (3, 2)), input_node("x", (4, 3))
    verify(Graph({"y": relu(x @ w)}, {"w": w * 0.5, "unread": constant(1.0)}))
    verify(Graph())


def test_an_input_and_a_state_may_share_a_name():
    verify(Graph({"y": add(input_node("a", (3,)), state_node("a", (2, 3))[0])}))


def test_two_nodes_of_one_leaf_are_one():
    verify(Graph({"y": input_node("x", (3,)) + input_node("x", (3,))}))


@pytest.mark.parametrize("leaf", [input_node, state_node])
@pytest.mark.parametrize("other", [((4,), "float32"), ((3,), "float64")])
def test_a_name_of_two_types(leaf, other):
    with scope("dense_1"):
        second = leaf("x", *other)
    with pytest.raises(GraphError, match="called 'x'") as caught:
        verify(Graph({"a": leaf("x", (3,)), "b": second}))
    assert "float32[3]" in caught.value.expected
    assert str(second.type) in caught.value.got
    assert "dense_1" in str(caught.value)


@pytest.mark.parametrize("wrong", [TensorType((4,)), TensorType((3,), "float64"), TensorType(())])
def test_a_type_that_the_inputs_do_not_give(wrong):
    x = input_node("x", (3,))
    with pytest.raises(GraphError, match="type of a relu") as caught:
        verify(Graph({"y": Node(Relu(), (x,), wrong, "dense_2")}))
    assert (caught.value.expected, caught.value.got, caught.value.layer) == ("float32[3]", str(wrong), "dense_2")


@pytest.mark.parametrize(
    ("op", "kinds"),
    [
        (Add(), [TensorType((3,)), TensorType((4,))]),
        (Add(), [TensorType((3,)), TensorType((3,), "float64")]),
        (Add(), [TensorType((3,))]),
        (Relu(), [TensorType((3,), "int32")]),
        (Relu(), [TensorType((3,)), TensorType((3,))]),
        (Contraction((0, 1), (1, 2), (0, 2)), [TensorType((3, 4)), TensorType((5, 6))]),
        (Contraction((0, 1), (1, 2), (0, 2)), [TensorType((3,)), TensorType((5, 6))]),
        (Contraction((0, 0), (0, 1), (0, 1)), [TensorType((3, 3)), TensorType((3, 4))]),
        (Contraction((0, 1), (0,), (0,)), [TensorType((3, 4)), TensorType((3,))]),
        (Contraction((0,), (0,), (0, 0)), [TensorType((3,)), TensorType((3,))]),
        (Pad((-1,), (0,), (0,)), [TensorType((3,))]),
        (RandomBits((3,), -1), [TensorType((), "uint32")] * 2),
        (RandomBits((3,), 0), [TensorType((), "int32")] * 2),
    ],
)
def test_inputs_that_do_not_fit_the_operation(op, kinds):
    inputs = tuple(input_node(f"x{i}", kind.shape, kind.dtype) for i, kind in enumerate(kinds))
    with pytest.raises(GraphError) as caught:
        verify(Graph({"y": Node(op, inputs, TensorType((3,)), "odd")}))
    assert caught.value.layer == "odd"
    assert str(kinds[0]) in caught.value.got


@pytest.mark.parametrize("new", [constant(1.0), input_node("x", (3,), "float64"), input_node("x", (2,))])
def test_an_update_that_does_not_fit_its_state(new):
    with pytest.raises(GraphError, match="state 'w'") as caught:
        verify(Graph({"y": state_node("w", (3,))}, {"w": new}))
    assert (caught.value.expected, caught.value.got) == ("float32[3]", str(new.type))
