"""model.explain and model.profile: what a step is compiled to, and where its time goes."""

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import errors, layers
from thalweg.executors.numpy import NumpyExecutor
from thalweg.graph.text import from_text, to_text

X, Y = nets.points(96)


def profiled(model, **options):
    return model.profile(X, Y, seconds=0.01, **options)


def test_the_graph_of_a_step_reads_back():
    text = nets.classifier().explain()
    assert to_text(from_text(text)) == text
    assert "contraction" in text
    assert "update parameters/dense/kernel = " in text


@pytest.mark.parametrize(("what", "rows"), [("train", 32), ("evaluate", 128), ("predict", 128)])
def test_a_step_has_the_rows_that_it_really_has_unless_told(what, rows):
    model = nets.classifier()
    assert f"float32[{rows},4] = input()" in model.explain(what=what)
    assert "float32[7,4] = input()" in model.explain(batch_size=7, what=what)


def test_a_prediction_needs_no_loss():
    model = thalweg.Sequential([layers.Input((4,)), layers.Dense(3)])
    assert "output prediction = " in model.explain(what="predict")
    assert model.profile(X, what="predict", seconds=0.01).what == "predict"


def test_every_stage_of_the_executor_gives_text(executor):
    model = nets.classifier()
    model.executor = executor
    for stage in executor.stages:
        assert model.explain(stage, batch_size=4).strip()


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda m: m.explain("kernel"), errors.NameNotFoundError, "did you mean 'kernels'?"),
        (lambda m: m.explain(None), errors.NameNotFoundError, "stage='plan'"),
        (lambda m: m.explain(batch_size=0), errors.ArgumentError, "an integer in [1, inf)"),
        (lambda m: m.explain(batch_size=2.5), errors.ArgumentError, "an integer in [1, inf)"),
        (lambda m: m.explain(what="eval"), errors.ArgumentError, "did you mean 'evaluate'?"),
        (lambda m: profiled(m, batch_size=0), errors.ArgumentError, "an integer in [1, inf)"),
        (lambda m: profiled(m, what="fit"), errors.ArgumentError, "'train', 'evaluate', 'predict'"),
        (lambda m: profiled(m, threads=0), errors.ArgumentError, "an integer in [1, 4096]"),
        (lambda m: m.profile(X, Y, seconds=0), errors.ArgumentError, "(0, inf)"),
        (lambda m: profiled(m, peak=-1.0), errors.ArgumentError, "(0, inf)"),
        (lambda m: m.profile(X[:, :3], Y), errors.ShapeError, "(samples, 4)"),
        (lambda m: m.profile(X, None), errors.DataError, "pass y"),
        (lambda m: m.profile(X[:0], what="predict"), errors.DataError, "at least 1 row"),
    ],
)
def test_bad_input_is_a_four_part_error(call, kind, said):
    with pytest.raises(kind) as caught:
        call(nets.classifier())
    assert said in str(caught.value)


@pytest.mark.parametrize("ask", [lambda m: m.explain(), lambda m: m.profile(X, Y)], ids=["explain", "profile"])
def test_a_model_that_is_not_compiled_is_an_error_that_says_so(ask):
    with pytest.raises(errors.GraphError, match="not compiled") as caught:
        ask(thalweg.Sequential([layers.Input((4,)), layers.Dense(3)]))
    assert "model.compile" in caught.value.fix


def test_a_model_that_is_not_built_is_an_error_that_says_so():
    model = thalweg.Sequential([layers.Dense(3)])
    model.compile("sgd", "mse")
    for what in ("train", "evaluate", "predict"):
        with pytest.raises(errors.GraphError, match="not built"):
            model.explain(what=what)


def test_a_stage_that_the_numpy_executor_has_not_says_whose_it_is():
    model = nets.classifier()
    model.executor = NumpyExecutor()
    with pytest.raises(errors.ExecutorError) as caught:
        model.explain("plan")
    assert "'graph' or 'simplified'" in str(caught.value)
    assert "native" in caught.value.fix


@pytest.mark.parametrize("what", ["train", "evaluate", "predict"])
def test_the_parts_of_a_profile_make_up_the_step(executor, what):
    model = nets.classifier(dropout=0.5)
    model.executor = executor
    profile = profiled(model, what=what, batch_size=16)
    assert profile.seconds > 0
    assert sum(t.seconds for t in profile.tasks) + profile.barrier_seconds == pytest.approx(profile.seconds)
    assert sum(t.share for t in profile.tasks) <= 1 + 1e-9
    assert sum(x.seconds for x in profile.layers) == pytest.approx(sum(t.seconds for t in profile.tasks))
    assert sum(x.tasks for x in profile.layers) == len(profile.tasks)
    assert {"dense", "dense_1"} <= {x.layer for x in profile.layers}


def test_a_profile_counts_operations_and_bytes(native):
    model = thalweg.Sequential([layers.Input((40,)), layers.Dense(30, use_bias=False)])
    model.executor = native
    x = np.ones((64, 40), np.float32)
    rows, task = model.profile(x, batch_size=64, what="predict", seconds=0.01, threads=1, peak=1e9).tasks
    assert rows.computes == "64x40 rows of x"
    assert rows.flops == 0
    assert rows.read_bytes == rows.written_bytes == 4 * 64 * 40
    assert task.flops == 2 * 64 * 40 * 30
    assert task.read_bytes == 4 * (64 * 40 + 40 * 30)
    assert task.written_bytes == 4 * 64 * 30
    assert task.peak_share == pytest.approx(task.flops / (1e9 * task.seconds))
    assert task.computes == "contraction 64x30 over 40 -> prediction"
    assert task.layer == "dense"


def test_a_profile_changes_nothing(executor):
    plain, looked_at = nets.classifier(dropout=0.5), nets.classifier(dropout=0.5)
    for model in (plain, looked_at):
        model.executor = executor
        model.fit(X, Y, epochs=1, verbose=0)
    for what in ("train", "evaluate", "predict"):
        profiled(looked_at, what=what)
        looked_at.explain(what=what)
    assert nets.same_bits(plain, looked_at)
    for model in (plain, looked_at):
        model.fit(X, Y, epochs=2, verbose=0)
    assert nets.same_bits(plain, looked_at)
    assert plain.evaluate(X, Y, verbose=0) == looked_at.evaluate(X, Y, verbose=0)


def test_on_several_threads_the_wait_at_barriers_is_measured_too(native):
    model = nets.classifier()
    model.executor = native
    assert profiled(model, threads=1).barriers == ()
    both = profiled(model, threads=2)
    assert both.threads == 2
    assert len(both.barriers) == 1 + max(t.stage for t in both.tasks)
    assert both.barrier_seconds > 0
    assert "waiting at" in str(both)


def test_fewer_rows_than_a_batch_make_a_smaller_step():
    assert profiled(nets.classifier(), batch_size=500).batch_size == len(X)


def test_weights_of_samples_are_profiled_as_they_are_trained():
    model = nets.classifier()
    assert profiled(model, sample_weight=np.ones(len(X))).seconds > 0


def test_a_line_search_is_profiled_by_its_loss_and_gradient():
    model = nets.classifier(optimizer="lbfgs")
    assert any("gradient" in t.computes for t in profiled(model, batch_size=96).tasks)


def test_a_profile_prints_as_tables_and_long_ones_are_cut():
    model = nets.classifier()
    model.executor = NumpyExecutor()
    text = str(profiled(model, batch_size=16))
    lines = text.splitlines()
    assert lines[0].startswith("train, numpy, batch size 16, ")
    assert lines[1].split() == ["task", "layer", "stage", "µs", "step", "MFLOP", "GFLOP/s", "peak", "read", "written"]
    first, second = (float(line.split("%")[0].split()[-1]) for line in lines[3:5])
    assert first >= second
    tasks, by_layer = text.split("\n\n")
    assert len(tasks.splitlines()) == 3 + 30
    assert "more tasks" in tasks.splitlines()[-1]
    assert by_layer.startswith("layer")


def test_two_inputs_and_two_outputs(executor):
    a, b = thalweg.Input((3,), name="a"), thalweg.Input((2,), name="b")
    joined = layers.Concatenate()([a, b])
    outputs = {"u": layers.Dense(2, name="u")(joined), "v": layers.Dense(1, name="v")(joined)}
    model = thalweg.Model([a, b], outputs)
    model.compile("sgd", {"u": "mse", "v": "mae"})
    model.executor = executor
    x = [np.ones((20, 3), np.float32), np.ones((20, 2), np.float32)]
    y = {"u": np.ones((20, 2), np.float32), "v": np.ones((20, 1), np.float32)}
    assert {"u", "v"} <= {t.layer for t in model.profile(x, y, seconds=0.01).tasks}
    assert "output prediction/u" in model.explain(what="predict")


def test_a_profile_shows_both_tables(capsys):
    profile = profiled(nets.classifier())
    profile.show()
    assert capsys.readouterr().out.split() == str(profile).split()


def test_a_profile_with_a_given_peak_measures_none(native, monkeypatch):
    monkeypatch.setattr(type(native), "peak_flops", lambda self, threads: pytest.fail("measured"))
    model = nets.classifier()
    model.executor = native
    profile = profiled(model, peak=1e9, threads=1)
    assert profile.peak == 1e9
    assert profile.peak_share == pytest.approx(profile.flops / (1e9 * profile.seconds))
