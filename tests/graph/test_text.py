"""text.py: graphs print, read back, and bad lines are named."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.errors import GraphError
from thalweg.graph.node import Graph, exact_scope, scope
from thalweg.graph.text import from_text, to_text
from thalweg.ops import broadcast, constant, input_node, leaf, reduce_sum, relu, state_node

TEXT = """\
%0: float32[4,3] = input() {label='x', shape=(4, 3), dtype='float32'}
%1: float32[3,2] = state() {label='dense/kernel', shape=(3, 2), dtype='float32'} @dense
%2: float32[4,2] = contraction(%0, %1) {x=(0, 1), y=(1, 2), out=(0, 2)} @dense
%3: float32[4,2] = relu(%2) @dense
%4: float32[] = reduce_sum(%3) {axes=(0, 1)}
output loss = %4
update dense/kernel = %1
"""


def dense() -> Graph:
    x = input_node("x", (4, 3))
    with scope("dense"):
        w = state_node("dense/kernel", (3, 2))
        y = relu(x @ w)
    return Graph({"loss": reduce_sum(y)}, {"dense/kernel": w})


def test_printed():
    assert to_text(dense()) == TEXT


def test_printed_without_layers():
    assert to_text(dense(), layers=False) == TEXT.replace(" @dense", "")


def test_read_back():
    assert to_text(from_text(TEXT)) == TEXT
    assert from_text(TEXT).outputs["loss"].inputs[0].layer == "dense"


def test_blank_lines_do_not_matter():
    assert to_text(from_text("\n" + TEXT.replace("\n", "\n\n"))) == TEXT


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, -0.0, 0.1, 1e-45, -1.5e308])
def test_a_number_keeps_all_its_digits(value):
    text = to_text(Graph({"y": constant(value, "float64")}))
    (node,) = from_text(text).nodes()
    assert isinstance(node.op, leaf.Constant)
    assert repr(node.op.value) == repr(value)


@pytest.mark.parametrize("label", ["a'b", 'a"b', "a} @b", "a = %3", "a\nb", "ä, {x=(1,)}", "\\"])
def test_labels_with_signs_of_the_language(label):
    graph = Graph({"y": input_node(label, (2,))})
    (node,) = from_text(to_text(graph)).nodes()
    assert isinstance(node.op, leaf.Input)
    assert node.op.label == label


@pytest.mark.parametrize("name", ["a = %3", "metrics/loss total", "é"])
def test_results_with_odd_names(name):
    assert set(from_text(to_text(Graph({name: constant(1.0)}))).outputs) == {name}


NAMES = st.text(alphabet="ab _/.-@%={}()[],:'\"\\\n\r\t\u2028é1", max_size=12)


@given(label=NAMES, layer=NAMES, output=NAMES, update=NAMES)
@settings(max_examples=500, deadline=None)
def test_any_names_read_back(label, layer, output, update):
    with exact_scope(layer):
        x = input_node(label, (2,))
        graph = Graph({output: relu(x)}, {update: x})
    text = to_text(graph)
    again = from_text(text)
    assert to_text(again) == text
    assert [(n.op, n.layer) for n in again.nodes()] == [(n.op, n.layer) for n in graph.nodes()]
    assert (list(again.outputs), list(again.updates)) == ([output], [update])


def test_a_plain_name_needs_no_quotes():
    with scope("conv2d_1/relu"):
        text = to_text(Graph({"loss of a": relu(input_node("x", (2,)))}))
    assert "@conv2d_1/relu\n" in text
    assert "output loss of a = %1" in text


def test_the_text_depends_on_the_graph_alone():
    """Whatever the order in which its nodes came to be."""
    x, y = input_node("x", (2,)), input_node("y", (2,))
    early, late = relu(x), relu(y)
    again_late, again_early = relu(y), relu(x)
    assert to_text(Graph({"z": early + late})) == to_text(Graph({"z": again_early + again_late}))


def test_shared_nodes_are_printed_once():
    x = broadcast(constant(2.0), (3,), ())
    assert to_text(Graph({"a": x, "b": x + x})).count("broadcast") == 1


@pytest.mark.parametrize(
    "bad",
    [
        "rubbish",
        "%0: float32[4] = relu(%0)",  # itself, before it exists
        "%7: float32[] = constant() {value=1.0, dtype='float32'}",  # not the next number
        "%0: float99[] = constant() {value=1.0, dtype='float32'}",
        "%0: float32[] = no_such_operation()",
        "%0: float32[] = reduction() {axes=()}",  # a base, no operation
        "%0: float32[] = constant() {value=1.0}",
        "%0: float32[] = constant() {value=1.0, dtype='float32', more=1}",
        "%0: float32[] = constant() {value=__import__('os'), dtype='float32'}",
        "%0: float32[] = constant() {value=print, dtype='float32'}",
        "%0: float32[] = constant() {value=1.0, dtype='float32'",
        "%0: float32[] = constant() {value=1.0), dtype=('float32'}",
        "%0: float32[] = constant() {**{'value': 1}}",
        "%0: float32[-1] = constant() {value=1.0, dtype='float32'}",
        "output y = %0",
        "update y = %5",
    ],
)
def test_bad_line(bad):
    with pytest.raises(GraphError, match="line 2") as caught:
        from_text("\n" + bad + "\n")
    assert caught.value.got == bad
