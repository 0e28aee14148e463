"""What a step takes on the xla executor, instruction by instruction, and what these are."""

import numpy as np
import pytest

from thalweg import Sequential, layers, ops
from thalweg.executors.profile import measured
from thalweg.executors.work import flops
from thalweg.executors.xla.executor import XlaExecutor
from thalweg.executors.xla.instructions import instructions, works
from thalweg.graph.node import Graph
from thalweg.graph.types import TensorType
from thalweg.ops.leaf import state_node
from thalweg.state import layout

pytestmark = pytest.mark.needs("jax")

TEXT = """\
HloModule jit_run, is_scheduled=true

%inside (param_0: f32[4,5], param_1: f32[5,2]) -> f32[4,2] {
  %param_0 = f32[4,5]{1,0} parameter(0)
  %param_1 = f32[5,2]{1,0} parameter(1)
  ROOT %dot.0 = f32[4,2]{1,0} dot(%param_0, %param_1), metadata={op_name="jit(run)/dense[12]/dot_general"}
}

%region_0.1 (arg: (s32[], f32[5,2], f32[4,5])) -> (s32[], f32[5,2], f32[4,5]) {
  %arg = (s32[], f32[5,2]{1,0}, f32[4,5]{1,0}) parameter(0)
  %w = f32[5,2]{1,0} get-tuple-element(%arg), index=1
  %x = f32[4,5]{1,0} get-tuple-element(%arg), index=2
  %my_fusion = f32[4,2]{1,0} fusion(%x, %w), calls=%inside, metadata={op_name="jit(run)/dense[12]/dot_general"}
  %all-reduce.2 = f32[5,2]{1,0} all-reduce(%w), to_apply=%add, metadata={op_name="jit(run)/dense[12]/dot_general"}
  %cast.7 = bf16[4,2]{1,0} convert(%my_fusion), metadata={op_name="jit(run)/a layer [1]/b[13]/convert"}
  ROOT %tuple.3 = (s32[], f32[5,2]{1,0}, f32[4,5]{1,0}) tuple(%w)
}

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

ENTRY %main.3 (w.1: f32[5,2]) -> f32[5,2] {
  ROOT %while.5 = (s32[], f32[5,2]{1,0}, f32[4,5]{1,0}) while(%tuple), condition=%region_1.2, body=%region_0.1
}
"""


def test_what_runs_by_itself_is_read_with_the_operations_that_it_does():
    found = instructions(TEXT)
    assert list(found) == ["my_fusion", "all-reduce.2", "cast.7", "while.5"]
    product, exchange, cast, loop = found.values()
    assert (product.numbers, product.opcodes, product.sizes) == ((12,), ("dot",), (4, 2))
    assert (product.read_bytes, product.written_bytes) == (4 * (20 + 10), 4 * 8)
    assert (cast.numbers, cast.written_bytes) == ((13,), 2 * 8)
    assert exchange.opcodes == ("all-reduce",)
    assert loop.is_enclosing
    assert not product.is_enclosing


def test_what_devices_tell_each_other_is_named_and_computes_nothing():
    nodes = [
        *[ops.constant(0.0, "float32")] * 12,
        ops.input_node("x", (4, 5)) @ ops.input_node("w", (5, 2)),
        ops.input_node("y", (4, 2)),
    ]
    found = works(instructions(TEXT).values(), nodes)
    assert found["all-reduce.2"].computes == "all-reduce between devices"
    assert (found["all-reduce.2"].layer, found["all-reduce.2"].flops) == ("", 0)
    assert found["my_fusion"].flops == 2 * 4 * 2 * 5


def descent(batch=8):
    """A step of gradient descent on a linear model of a layer."""
    x, y = ops.input_node("x", (batch, 5)), ops.input_node("y", (batch, 2))
    w = state_node("w", (5, 2), "float32")
    loss = ops.reduce_mean(ops.square(ops.tanh(x @ w) - y))
    return Graph({"loss": loss}, {"w": w - 0.1 * loss})


def numbers(rows=40):
    random = np.random.default_rng(0)
    return {"x": random.normal(size=(rows, 5)).astype("float32"), "y": random.normal(size=(rows, 2)).astype("float32")}


def weights():
    w = layout.empty(TensorType((5, 2)))
    w[...] = np.arange(10).reshape(5, 2) / 10
    return {"w": w}


@pytest.mark.parametrize("steps", [1, 30])
def test_a_program_that_is_measured_computes_the_same_bits(steps):
    index = np.random.default_rng(1).integers(0, 40, (steps, 8))
    plain, looked_at = weights(), weights()
    XlaExecutor().compile(descent(), gather=True).run(plain, numbers(), index)
    program = XlaExecutor().profiled(descent(), gather=True)
    timing = program.measure(looked_at, numbers(), index, 1)
    assert plain["w"].tobytes() == looked_at["w"].tobytes()
    assert len(timing.tasks) == len(program.works)
    assert min(timing.tasks) >= 0
    assert sum(timing.tasks[1:]) > 0


def test_without_an_index_it_is_one_step():
    state = weights()
    timing = XlaExecutor().profiled(descent(), gather=False).measure(state, numbers(8), None, 1)
    assert timing.step > 0
    assert not np.array_equal(state["w"], weights()["w"])


def test_every_operation_is_counted_once():
    executor = XlaExecutor()
    program = executor.compile(descent(), gather=True)
    program.run(weights(), numbers(), np.zeros((1, 8), np.int64))
    found = works(instructions(program.optimized()[0]).values(), program.graph.nodes()).values()
    assert sum(work.flops for work in found) == sum(map(flops, program.graph.nodes()))
    (product,) = [work for work in found if work.computes.startswith("contraction 8x2 over 5")]
    assert product.flops >= 2 * 8 * 2 * 5


def test_a_profile_names_layers_and_its_rows_add_up():
    model = Sequential([layers.Input((20,)), layers.Dense(30, "relu", name="wide"), layers.Dense(2, name="last")])
    model.compile("adam", "mse")
    model.executor = "xla"
    before = model.get_weights()
    profile = model.profile(np.ones((64, 20), "f4"), np.ones((64, 2), "f4"), 32, seconds=0.05)
    assert {"wide", "last"} <= {layer.layer for layer in profile.layers}
    assert sum(task.seconds for task in profile.tasks) == pytest.approx(profile.seconds)
    assert "contraction 32x30 over 20" in str(profile)
    assert all(map(np.array_equal, before, model.get_weights()))


def test_who_traces_already_gets_the_whole(tmp_path):
    import jax

    jax.profiler.start_trace(str(tmp_path))
    try:
        profile = measured(XlaExecutor(), descent(), weights(), numbers(), 8, what="train", seconds=0.01)
    finally:
        jax.profiler.stop_trace()
    assert profile.seconds > 0
    assert profile.tasks[0].seconds == pytest.approx(profile.seconds)


def test_the_stages_of_xla_are_shown():
    model = Sequential([layers.Input((20,)), layers.Dense(30, "relu", name="wide")])
    model.compile("adam", "mse")
    model.executor = "xla"
    assert "stablehlo.dot_general" in model.explain("stablehlo")
    assert "HloModule" in model.explain("hlo")
    assert "/wide[" in model.explain("hlo")
    assert "HloModule" in model.explain("hlo", what="predict", batch_size=1)
