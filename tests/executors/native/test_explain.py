"""What becomes of a graph, as text: pure functions of the graph, the host and the stage."""

import pytest
from tests.executors import random_programs

from thalweg.executors.native.explain import explain
from thalweg.executors.native.host import AVX2, SSE2
from thalweg.graph.node import Graph, scope
from thalweg.graph.text import from_text
from thalweg.ops import input_node, relu, state_node

STAGES = ["simplified", "kernels", "plan", "ir"]


def layer():
    x, w = input_node("x", (8, 6)), state_node("w", (6, 10))
    with scope("dense"):
        y = relu(x @ w)
    return Graph({"y": y}, {"w": w * 0.5})


@pytest.mark.parametrize("stage", STAGES)
def test_the_text_is_the_same_every_time(stage):
    for seed in range(0, 40, 8):
        one, two = (explain(random_programs.make(seed).graph, AVX2, stage, gather=False) for _ in range(2))
        assert one == two


def test_the_simplified_graph_reads_back():
    text = explain(layer(), AVX2, "simplified", gather=False)
    assert list(from_text(text).outputs) == ["y"]


def test_kernels_tell_what_was_fused_and_for_which_layer():
    text = explain(layer(), AVX2, "kernels", gather=False)
    assert "2 kernels" in text
    assert "contraction over 8 x 10 @dense" in text
    assert "contraction %" not in text.split("2 kernels")[0]
    assert " relu" in text.split("2 kernels")[1]


def test_plans_tell_units_buffers_and_costs():
    text = explain(layer(), AVX2, "plan", gather=False)
    assert "2 tasks in 2 stages" in text
    assert "tiles of " in text
    assert "w: state float32[6,10]" in text
    assert "for avx2" in text
    assert explain(layer(), SSE2, "plan", gather=False) != text


def test_every_task_and_buffer_of_a_plan_is_named():
    for seed in range(0, 30, 6):
        text = explain(random_programs.make(seed).graph, AVX2, "plan", gather=False)
        tasks, _ = text.split("\nbuffers\n")
        count = int(tasks.split(" tasks")[0]) if " tasks" in tasks else 1
        assert tasks.count(" -> ") >= count
