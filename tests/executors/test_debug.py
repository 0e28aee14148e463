"""THALWEG_DEBUG: what is printed when a step is compiled, and what is not a level."""

import numpy as np
import pytest
from tests import nets

from thalweg import compile_function, executors, ops
from thalweg.errors import OUR_FAULT, ArgumentError, GraphError, NameNotFoundError
from thalweg.executors import debug
from thalweg.graph.node import Graph, Node
from thalweg.graph.types import TensorType
from thalweg.graph.verify import verify

X, Y = nets.points(32)


def printed(monkeypatch, capsys, level, executor):
    monkeypatch.setenv("THALWEG_DEBUG", str(level))
    model = nets.classifier()
    model.executor = executor
    model.fit(X, Y, verbose=0)
    output = capsys.readouterr()
    assert output.out == ""
    return output.err


def test_nothing_is_printed_unless_asked_for(executor, monkeypatch, capsys):
    monkeypatch.delenv("THALWEG_DEBUG", raising=False)
    model = nets.classifier()
    model.executor = executor
    model.fit(X, Y, verbose=0)
    assert capsys.readouterr() == ("", "")
    assert printed(monkeypatch, capsys, 0, executor) == ""


def test_level_1_is_a_line_for_each_program(executor, monkeypatch, capsys):
    (line,) = printed(monkeypatch, capsys, 1, executor).splitlines()
    assert line.startswith(f"thalweg {executor.name}: ")
    assert "x float32[32,4], y int32[32] -> " in line
    assert " ms" in line


def test_each_level_adds_a_stage(executor, monkeypatch, capsys):
    stages = [stage for stage in debug.PRINTED if stage in executor.stages]
    for level in (2, 3, 4, 5):
        text = printed(monkeypatch, capsys, level, executor)
        wanted = [stage for stage, least in debug.PRINTED.items() if least <= level and stage in executor.stages]
        assert [stage for stage in stages if f"--- {stage} ---" in text] == wanted


def test_a_cached_program_says_so(native, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path))
    assert "compiled by LLVM" in printed(monkeypatch, capsys, 1, native)
    again = printed(monkeypatch, capsys, 1, native)
    assert "loaded" in again
    assert "compiled" not in again


@pytest.mark.parametrize("value", ["abc", "-1", "6", "2.0", " 1"])
def test_what_is_no_level_is_an_error_before_anything_runs(value, monkeypatch):
    monkeypatch.setenv("THALWEG_DEBUG", value)
    for ask in (executors.default, lambda: nets.classifier().fit(X, Y, verbose=0)):
        with pytest.raises(ArgumentError, match="THALWEG_DEBUG") as caught:
            ask()
        assert repr(value) in str(caught.value)


def test_a_fault_of_ours_says_how_to_print_the_graph():
    wrong = Node(ops.exp(ops.input_node("x", (2,))).op, (ops.input_node("x", (2,)),), TensorType((3,)))
    with pytest.raises(GraphError) as caught:
        verify(Graph({"y": wrong}))
    assert caught.value.fix == OUR_FAULT
    assert "model.explain('graph')" in OUR_FAULT


def test_a_function_explains_what_it_was_compiled_to():
    doubled = compile_function(lambda x: x + x)
    with pytest.raises(GraphError, match="not compiled yet"):
        doubled.explain()
    with pytest.raises(NameNotFoundError, match="no stage"):
        doubled.explain("graf")
    doubled(np.ones((2, 3), np.float32))
    assert "float32[2,3] = add(%0, %0)" in doubled.explain()
    doubled(np.ones(5, np.float32))
    assert "float32[5] = add(%0, %0)" in doubled.explain("simplified")


def test_without_a_standard_error_nothing_is_printed(native, monkeypatch):
    monkeypatch.setenv("THALWEG_DEBUG", "5")
    monkeypatch.setattr("sys.stderr", None)
    model = nets.classifier()
    model.executor = native
    assert model.fit(X, Y, verbose=0).history["loss"]


def test_a_line_names_what_goes_in_and_what_comes_out():
    x = ops.input_node("x", (2, 3))
    assert debug.signature(Graph({"y": ops.exp(x)}, {"n": ops.state_node("n", (), "int64") + 1})) == (
        "x float32[2,3] -> y float32[2,3] and 1 state"
    )
    assert debug.signature(Graph({}, {"n": ops.state_node("n", (), "int64") + 1})) == "states alone -> 1 state"
