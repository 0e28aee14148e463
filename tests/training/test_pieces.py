"""How many rows make a piece, where they do not matter to each other; no step of them changes anything."""

import numpy as np
import pytest

import thalweg
from thalweg import layers
from thalweg.executors.native.executor import NativeProgram
from thalweg.graph.node import Graph
from thalweg.ops import constant, input_node, reduce_sum
from thalweg.training.pace import RETURN_SECONDS, Pace
from thalweg.training.pieces import FEWEST_ROWS, MOST_ROWS, NEAR_BYTES
from thalweg.training.step import evaluation_rows, evaluation_step, prediction_rows


def piece(*parts):
    """Of a network of these layers, in prediction and in evaluation."""
    model = thalweg.Sequential(parts)
    model.compile("sgd", "mse")
    net, goals = model.runner.net(), model.runner.goals()
    predicted = prediction_rows(net)
    assert evaluation_rows(net, goals) == predicted
    return predicted


def test_narrow_layers_get_the_most_rows():
    assert piece(layers.Input((784,)), layers.Dense(512), layers.Dense(10)) == MOST_ROWS


def test_what_a_layer_reads_and_makes_fits_a_core():
    image = 4 * 32 * 32 * 16  # bytes of a row
    assert piece(layers.Input((32, 32, 16)), layers.Conv2D(16, 3, padding="same")) == NEAR_BYTES // (2 * image)


def test_there_are_some_rows_however_large_they_are():
    assert piece(layers.Input((64, 64, 64)), layers.Conv2D(64, 3, padding="same")) == FEWEST_ROWS


def test_weights_that_no_cache_holds_are_read_for_many_rows():
    wide = layers.Input((32, 32, 16)), layers.Conv2D(16, 3, padding="same"), layers.Flatten()
    assert piece(*wide, layers.Dense(16)) < MOST_ROWS
    assert piece(*wide, layers.Dense(260)) == MOST_ROWS


def test_weights_are_not_read_again_after_few_products():
    wide = layers.Input((784,)), layers.Dense(4096)  # the results of more than 32 rows leave a core's cache
    assert piece(*wide) == MOST_ROWS
    assert piece(layers.Input((28, 28, 1)), layers.Conv2D(32, 3), layers.Conv2D(64, 3)) == FEWEST_ROWS
    convolutions = layers.Conv2D(32, 3), layers.Conv2D(64, 3), layers.MaxPooling2D(2), layers.Flatten()
    assert piece(layers.Input((28, 28, 1)), *convolutions, layers.Dense(128), layers.Dense(10)) == 2 * FEWEST_ROWS


def test_rows_that_matter_to_each_other_have_no_piece():
    class Centred(layers.Layer):
        def call(self, x):
            return x - thalweg.ops.reduce_mean(x, 0, keepdims=True)

    assert piece(layers.Input((4,)), Centred()) is None


def test_an_evaluation_gives_out_what_is_to_be_added_unless_that_is_large():
    model = thalweg.Sequential([layers.Input((4,)), layers.Dense(300, "softmax")])
    for metrics, independent in ((["accuracy"], True), ([thalweg.metrics.ConfusionMatrix(300)], False)):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=metrics)
        step = evaluation_step(model.runner.net(), model.runner.goals(), 8)
        assert bool(step.graph.updates) is not independent
        assert bool(step.added) is independent


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_take_steps_that_change_nothing(executor, threads):
    x = input_node("x", (3, 5))
    program = executor.compile(Graph({"sum": reduce_sum(x * x, 1), "twice": x * constant(2.0, "float32")}), gather=True)
    data = np.random.default_rng(0).random((40, 5), np.float32)
    index = np.random.default_rng(1).integers(0, 40, (501, 3))
    outputs = {"sum": np.empty((501, 3), np.float32), "twice": np.empty((501, 3, 5), np.float32)}
    program.run({}, {"x": data}, index, outputs, threads)
    np.testing.assert_array_equal(outputs["twice"], 2 * data[index])
    np.testing.assert_allclose(outputs["sum"], (data[index] ** 2).sum(2), rtol=1e-6)


def test_the_pace_of_a_short_last_batch_is_not_that_of_the_others():
    pace = Pace(single=False)
    assert pace.steps(1000) == 1
    pace.measured(np.zeros((2, 1000), np.int64), RETURN_SECONDS)
    pace.measured(np.zeros((1, 3), np.int64), RETURN_SECONDS / 500)
    assert (pace.steps(1000), pace.steps(3), pace.steps(7)) == (2, 500, 1)


def test_a_validation_probes_the_pace_once(monkeypatch):
    calls = []
    run = NativeProgram.run

    def counted(self, state, data, index=None, outputs=None, threads=1):
        calls.append(len(index))
        run(self, state, data, index, outputs, threads)

    monkeypatch.setattr(NativeProgram, "run", counted)
    monkeypatch.setattr(Pace, "measured", lambda self, index, seconds: self._steps.update({index.shape[1]: 100}))
    model = thalweg.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).random((3 * MOST_ROWS + 5, 2), np.float32)
    evaluation = model.runner.trainer("fit").evaluation(model.runner.prepare(x, x[:, :1]), 32)
    first, second = (evaluation.run(1, lambda done: True) for _ in range(2))
    assert first == second
    assert calls == [1, 2, 1, 3, 1]  # a probe, what is left of the full pieces, the filled one; then without the probe
