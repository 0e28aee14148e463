"""What every layer, loss, metric and optimizer must do, run over everything that is registered."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from tests.compute import compute, inputs
from tests.contracts.cases import (
    LAYERS,
    LOSSES,
    METRICS,
    OF_THE_WHOLE_BATCH,
    OPTIMIZERS,
    SCHEDULES,
    SEARCHES,
    WITHOUT_GRADIENT,
)

import thalweg.layers
import thalweg.losses
import thalweg.metrics
import thalweg.optimizers
from thalweg import (
    Model,
    activations,
    config,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    ops,
    optimizers,
    regularizers,
)
from thalweg.backprop import gradients
from thalweg.checks import bad_values
from thalweg.errors import ArgumentError, ShapeError, ThalwegError
from thalweg.executors.numpy import NumpyExecutor
from thalweg.graph.node import Graph
from thalweg.graph.types import TensorType
from thalweg.layers.signature import SOME_BATCH
from thalweg.layers.tracing import tracing
from thalweg.losses import MeanSquaredError
from thalweg.optimizers import SGD
from thalweg.passes.rows import adds_up
from thalweg.registry import Registry
from thalweg.state import layout
from thalweg.state.names import parameter_state
from thalweg.training.step import prediction_rows

KINDS: dict[str, tuple[Any, Any]] = {
    "layer": (layers.registry, LAYERS),
    "loss": (losses.registry, LOSSES),
    "metric": (metrics.registry, METRICS),
    "optimizer": (optimizers.registry, OPTIMIZERS | SEARCHES),
    "schedule": (optimizers.schedules.registry, SCHEDULES),
}
PACKAGES = {
    "layer": thalweg.layers,
    "loss": thalweg.losses,
    "metric": thalweg.metrics,
    "optimizer": thalweg.optimizers,
    "schedule": thalweg.optimizers.schedules,
    "initializer": initializers,
    "regularizer": regularizers,
    "constraint": constraints,
    "activation": activations,
}
REGISTRIES: dict[str, Registry] = {kind: registry for kind, (registry, _) in KINDS.items()} | {
    "initializer": initializers.registry,
    "regularizer": regularizers.registry,
    "constraint": constraints.registry,
    "activation": activations.registry,
}
OURS = [
    (kind, name, entry)
    for kind, registry in REGISTRIES.items()
    for name, entry in registry.items()
    if entry.__module__.startswith("thalweg")  # other tests register things of their own
]


def ids(value):
    return value if isinstance(value, str) else ""


def examples(kind, name):
    case = KINDS[kind][1][name]
    return [make() for make in case] if kind in ("optimizer", "schedule") else [case[0]()]


@pytest.mark.parametrize(("kind", "name", "entry"), OURS, ids=ids)
class TestEverything:
    def test_is_public_under_its_name(self, kind, name, entry):
        shown = {value for key, value in vars(PACKAGES[kind]).items() if not key.startswith("_")}
        assert entry in shown

    def test_has_a_docstring(self, kind, name, entry):
        assert entry.__doc__, name

    def test_has_a_case(self, kind, name, entry):
        if kind in KINDS:
            assert name in KINDS[kind][1], f"add {name} to tests/contracts/cases.py"

    def test_description_is_json_and_gives_an_equal_one(self, kind, name, entry):
        for thing in examples(kind, name) if kind in KINDS else [REGISTRIES[kind].get(name)]:
            registry = REGISTRIES[kind]
            description = registry.config(thing)
            again = registry.from_config(json.loads(json.dumps(description)))
            assert type(again) is type(thing)
            assert registry.config(again) == description
            if kind != "activation":
                assert type(thing).from_config(thing.get_config()).get_config() == thing.get_config()

    def test_bad_arguments_are_refused(self, kind, name, entry):
        if not dataclasses.is_dataclass(entry):
            return
        good = examples(kind, name)[0].get_config() if kind in KINDS else {}
        for argument, values in bad_values(entry).items():
            for value in values:
                with pytest.raises(ArgumentError, match=argument) as caught:
                    entry(**{**good, argument: value})  # type: ignore[operator]
                assert four_parts(caught.value)

    def test_unknown_argument(self, kind, name, entry):
        if dataclasses.is_dataclass(entry):
            with pytest.raises(ArgumentError) as caught:
                entry(no_such_argument=1)  # type: ignore[operator, call-arg]
            assert four_parts(caught.value)


def four_parts(error):
    return all((error.problem, error.expected, error.got, error.fix)) and len(str(error).splitlines()) >= 4


def start(layer, shapes, dtype, batch=6):
    """A built layer, the state it starts from, and a batch for it: one array for each input, by name."""
    random = np.random.RandomState(1)
    several = shapes if isinstance(shapes, list) else [shapes]
    draw = random.standard_normal if dtype.startswith("float") else lambda shape: random.randint(0, 5, shape)
    x = {f"x{i}": draw((batch, *shape)).astype(dtype) for i, shape in enumerate(several)}
    (result,) = layer.infer(*(TensorType((SOME_BATCH, *shape), dtype) for shape in several))
    state = {parameter_state(path): p.initial(0, path) for path, p in layer.named_parameters("it/").items()}
    state |= {"random/seed": np.array(0, np.uint32), "random/step": np.array(0, np.uint32)}
    return state, x, result


@pytest.mark.parametrize("name", LAYERS)
class TestEveryLayer:
    def make(self, name):
        make, shape, dtype = LAYERS[name]
        return make(), shape, dtype

    def test_result_has_the_declared_type(self, name):
        layer, shape, dtype = self.make(name)
        state, x, result = start(layer, shape, dtype)
        for training in (False, True):
            with tracing(layer.named_parameters("it/")):
                y = layer(*inputs(**x), training=training)
            assert y.type == result.with_shape((6, *result.shape[1:]))
            assert compute(y, state, **x).shape == y.shape
            assert y.layer.split("/")[0] == layer.label or y.op.name == "input"

    def test_rows_do_not_matter_to_each_other_in_prediction(self, name):
        """What lets one program predict any number of rows."""
        layer, shape, dtype = self.make(name)
        entries = [layers.Input(size, dtype=dtype) for size in (shape if isinstance(shape, list) else [shape])]
        model = Model(entries, layer(*entries))
        assert prediction_rows(model.runner.net())

    def test_gradient_reaches_each_parameter_and_the_input(self, name):
        layer, shape, dtype = self.make(name)
        state, x, _ = start(layer, shape, dtype)
        with tracing(layer.named_parameters("it/")) as trace:
            nodes = dict(zip(x, inputs(**x), strict=True))
            y = layer(*nodes.values(), training=True)
            trained = layer.named_parameters("it/", trainable_only=True)
            wanted = {parameter_state(path): trace.node(p) for path, p in trained.items()}
            wanted |= {key: node for key, node in nodes.items() if node.type.is_float and y.type.is_float}
            wanted = {key: node for key, node in wanted.items() if name not in WITHOUT_GRADIENT}
            if not wanted:
                pytest.skip("nothing to differentiate by")
            weights = ops.cast(ops.iota(y.shape, y.rank - 1), y.dtype)  # a plain sum of a softmax has no gradient
            slopes = gradients(ops.reduce_sum(y * y * weights), list(wanted.values()))
        for path, slope in compute(dict(zip(wanted, slopes, strict=True)), state, **x).items():
            assert np.isfinite(slope).all(), path
            assert slope.any(), path

    def test_gradient_against_differences(self, name, monkeypatch):
        """In float64, along a random direction of all parameters and float inputs at once."""
        monkeypatch.setattr(config._settings, "floatx", "float64")
        layer, shape, dtype = self.make(name)
        if name in WITHOUT_GRADIENT:
            pytest.skip("it has steps only")
        state, x, _ = start(layer, shape, "float64" if dtype == "float32" else dtype)
        random = np.random.RandomState(2)
        with tracing(layer.named_parameters("it/")) as trace:
            nodes = dict(zip(x, inputs(**x), strict=True))
            y = layer(*nodes.values(), training=True)
            trained = layer.named_parameters("it/", trainable_only=True)
            wanted = {parameter_state(path): trace.node(p) for path, p in trained.items()}
            wanted |= {key: node for key, node in nodes.items() if node.type.is_float}
            weights = ops.cast(ops.iota(y.shape, y.rank - 1), y.dtype) + 0.5
            value = ops.reduce_sum(y * y * weights)
            slopes = gradients(value, list(wanted.values())) if wanted else []
        if not wanted:
            pytest.skip("nothing to differentiate by")
        names = [parameter_state(path) for path in trained]
        state |= {name: state[name] + 0.1 * random.standard_normal(state[name].shape) for name in names}
        direction = {key: random.standard_normal(node.shape) for key, node in wanted.items()}
        slope = compute(dict(zip(wanted, slopes, strict=True)), state, **x)
        expected = sum(float((slope[key] * direction[key]).sum()) for key in wanted)

        def at(step):
            moved = {key: ({**state, **x}[key]) + step * way for key, way in direction.items()}
            return float(
                compute(
                    value,
                    state | {k: v for k, v in moved.items() if k in state},
                    **(x | {k: v for k, v in moved.items() if k in x}),
                )
            )

        step = 1e-5
        # the error of the difference is of the order of step^2
        assert (at(step) - at(-step)) / (2 * step) == pytest.approx(expected, rel=1e-6)

    def test_every_executor_agrees(self, name, compiled):
        """Sums in another order."""
        self.agree(name, compiled, 2e-5)

    def test_engine_agrees_in_float64(self, name, engine, monkeypatch):
        monkeypatch.setattr(config._settings, "floatx", "float64")
        self.agree(name, engine, 1e-12)

    def agree(self, name, other, tolerance):
        """Results, slopes and updates, in training and not, as one program beside the numpy executor's."""
        layer, shape, dtype = self.make(name)
        state, x, _ = start(layer, shape, dtype.replace("float32", config.floatx()))
        nodes, outputs, updates = inputs(**x), {}, {}
        for phase in ("prediction", "training"):
            with tracing(layer.named_parameters("it/")) as trace:
                y = layer(*nodes, training=phase == "training")
                outputs[phase] = y
                if y.type.is_float and name not in WITHOUT_GRADIENT:
                    wanted = [*map(trace.node, layer.named_parameters("it/", trainable_only=True).values())]
                    wanted += [node for node in nodes if node.type.is_float]
                    slopes = gradients(ops.reduce_sum(ops.square(y)), wanted) if wanted else []
                    outputs |= {f"{phase}, slope {i}": slope for i, slope in enumerate(slopes)}
                updates = trace.updates
        graph, results = Graph(outputs, updates), []
        for executor in (NumpyExecutor(), other):
            own = {key: layout.empty(TensorType.of(value)) for key, value in state.items()}
            for key, value in state.items():
                own[key][...] = value
            out = {key: np.zeros(node.shape, node.dtype) for key, node in outputs.items()}
            executor.compile(graph, gather=False).run(own, x, outputs=out)
            results.append({**own, **out})
        for key, value in results[0].items():
            np.testing.assert_allclose(results[1][key], value, rtol=tolerance, atol=tolerance, err_msg=key)

    def test_one_step_lowers_the_loss(self, name):
        layer, shape, dtype = self.make(name)
        state, x, _ = start(layer, shape, dtype)
        trained = layer.named_parameters("it/", trainable_only=True)
        if not trained:
            pytest.skip("nothing to train")
        optimizer = SGD(0.05)
        state |= {n: np.full(t.shape, v, t.dtype) for n, (t, v) in optimizer.states({}).items()}
        with tracing(layer.named_parameters("it/")) as trace:
            y = layer(*inputs(**x), training=True)
            loss = MeanSquaredError()(ops.filled(y.shape, 0.5, y.dtype), y)
            nodes = {path: trace.node(p) for path, p in trained.items()}
            slopes = dict(zip(nodes, gradients(loss, list(nodes.values())), strict=True))
        graph = Graph({"loss": loss}, optimizer.updates(nodes, slopes))
        program = NumpyExecutor().compile(graph, gather=False)
        seen = []
        for _ in range(2):
            out = np.zeros((), np.float32)
            program.run(state, x, outputs={"loss": out})
            seen.append(float(out))
        assert seen[1] < seen[0]

    def test_one_object_serves_two_traces(self, name):
        layer, shape, dtype = self.make(name)
        state, x, _ = start(layer, shape, dtype)
        values = []
        for prefix in ("it/", "other/"):
            with tracing(layer.named_parameters(prefix)):
                y = layer(*inputs(**x))
            values.append(compute(y, {k.replace("it/", prefix): v for k, v in state.items()}, **x))
        np.testing.assert_array_equal(*values)

    def test_regularizers_and_constraints_reach_their_parameters(self, name):
        """Each field of that name, alone, does something to one parameter at least, or to what the layer gives."""
        make, shape, dtype = LAYERS[name]
        fields = [f.name for f in dataclasses.fields(type(make())) if f.name.endswith(("_regularizer", "_constraint"))]
        for field in fields:
            kind = field.rpartition("_")[2]
            options = {key: value for key, value in make().get_config().items() if not key.endswith(kind)}
            layer = type(make()).from_config({**options, field: {"regularizer": "l2", "constraint": "non_neg"}[kind]})
            start(layer, shape, dtype)
            if field == "activity_regularizer":
                with tracing(layer.named_parameters()) as trace:
                    layer(*(ops.input_node("x", (2, *shape), dtype),))
                assert len(trace.activities) == 1
                continue
            reached = [path for path, p in layer.named_parameters().items() if getattr(p, kind) is not None]
            assert len(reached) == 1, field
            prefix = field.removesuffix(f"_{kind}")
            known = {prefix, f"{prefix}_kernel"}
            if name.startswith("depthwise"):  # Keras calls the parameter kernel and the argument depthwise_regularizer
                known.add("kernel")
            assert reached[0] in known, field

    def test_parameters_are_made_once(self, name):
        layer, shape, dtype = self.make(name)
        _, x, _ = start(layer, shape, dtype)
        first = layer.named_parameters()
        layer.infer(*(TensorType((3, *array.shape[1:]), dtype) for array in x.values()))
        assert layer.named_parameters() == first

    @pytest.mark.parametrize("change", ["an axis more", "an axis less", "another size"])
    def test_input_of_another_shape(self, name, change):
        """An error in four parts that names the layer, or a result: never anything else."""
        layer, shape, dtype = self.make(name)
        start(layer, shape, dtype)
        several = shape if isinstance(shape, list) else [shape]
        wrong = {
            "an axis more": [(*s, 2) for s in several],
            "an axis less": [s[:-1] for s in several],
            "another size": [(*s[:-1], s[-1] + 1) for s in several],
        }
        try:
            layer.infer(*(TensorType((SOME_BATCH, *s), dtype) for s in wrong[change]))
        except ThalwegError as error:
            assert four_parts(error)  # noqa: PT017 - an error is not certain
            assert any(one.label in str(error) for one in (layer, *layer.sublayers()))  # noqa: PT017


@pytest.mark.parametrize("name", LOSSES)
class TestEveryLoss:
    def test_zero_weights_leave_samples_out(self, name):
        make, y_true, y_pred = LOSSES[name]
        weights = np.array([1.0, 0.0, 2.0])
        for dtype in (np.float32, np.float64):
            arrays = {"y_true": y_true, "y_pred": y_pred.astype(dtype), "weight": weights.astype(dtype)}
            per_sample = compute(make(reduction="none")(*inputs(**arrays)), **arrays)
            total = compute(make(reduction="sum")(*inputs(**arrays)), **arrays)
            assert total.dtype == dtype
            assert per_sample[1] == 0
            np.testing.assert_allclose(total, per_sample.sum(), rtol=1e-6)

    def test_gradient_against_differences(self, name):
        make, y_true, y_pred = LOSSES[name]
        direction = np.random.RandomState(2).standard_normal(y_pred.shape)
        step = 1e-6

        def value(p):
            arrays = {"y_true": y_true, "y_pred": p}
            return compute(make()(*inputs(**arrays)), **arrays)

        arrays = {"y_true": y_true, "y_pred": y_pred}
        nodes = inputs(**arrays)
        slope = compute(gradients(make()(*nodes), [nodes[1]])[0], **arrays)
        difference = (value(y_pred + step * direction) - value(y_pred - step * direction)) / (2 * step)
        assert (slope * direction).sum() == pytest.approx(difference, rel=1e-6)

    def test_engine_computes_the_same(self, name, engine):
        """Value and gradient, to the rounding of a few dozen operations; the same bits on two threads."""
        make, y_true, y_pred = LOSSES[name]
        arrays = {"y_true": np.asarray(y_true), "y_pred": y_pred}
        nodes = inputs(**arrays)
        loss = make()(*nodes)
        graph = Graph({"loss": loss, "slope": gradients(loss, [nodes[1]])[0]})
        results = []
        for executor, threads in ((NumpyExecutor(), 1), (engine, 1), (engine, 2)):
            out = {key: np.zeros(node.shape, node.dtype) for key, node in graph.outputs.items()}
            executor.compile(graph, gather=False).run({}, arrays, None, out, threads)
            results.append(out)
        for key, value in results[0].items():
            np.testing.assert_allclose(results[1][key], value, rtol=1e-12, atol=1e-13)
            assert results[1][key].tobytes() == results[2][key].tobytes()

    def test_targets_are_never_broadcast(self, name):
        make, y_true, y_pred = LOSSES[name]
        for wrong in (y_true[:1], np.repeat(y_true, 2, 0), np.stack([y_true, y_true], -1)):
            arrays = {"y_true": wrong, "y_pred": y_pred}
            with pytest.raises(ShapeError) as caught:
                make()(*inputs(**arrays))
            assert four_parts(caught.value)

    def test_prepare_gives_the_declared_type(self, name):
        make, y_true, y_pred = LOSSES[name]
        kind = TensorType(y_pred.shape, "float32")
        prepared = make().prepare(np.clip(y_true, 0, None), kind)
        assert TensorType.of(prepared) == make().target_type(kind)
        assert prepared.flags.c_contiguous

    def test_prepare_refuses_what_is_no_target(self, name):
        make, y_true, y_pred = LOSSES[name]
        kind = TensorType(y_pred.shape, "float32")
        broken = np.array(y_true, np.float64)
        broken.flat[-1] = np.nan
        for wrong in (broken, broken[..., None, None], np.full(y_true.shape, "cat")):
            with pytest.raises(ThalwegError) as caught:
                make().prepare(wrong, kind)
            assert four_parts(caught.value)

    def test_is_a_metric_and_a_function(self, name):
        make, y_true, y_pred = LOSSES[name]
        arrays = {"y_true": y_true, "y_pred": y_pred}
        assert metrics.get(name).name == name
        metric = metrics.get(make())
        sums = compute(metric.sums(*inputs(**arrays)), **arrays)
        assert metric.result(**sums) == pytest.approx(float(compute(make()(*inputs(**arrays)), **arrays)))
        options = {key: value for key, value in make().get_config().items() if key not in ("reduction", "name")}
        values = compute(getattr(losses, name)(*inputs(**arrays), **options), **arrays)
        np.testing.assert_array_equal(values, compute(make(reduction="none")(*inputs(**arrays)), **arrays))

    @pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight"])
    def test_evaluation_adds_up_rows(self, name, reduction):
        """What lets one program evaluate any number of rows: those that fill up the batch add nothing."""
        make, _, y_pred = LOSSES[name]
        loss = make(reduction=reduction)
        output = TensorType((127, *y_pred.shape[1:]), "float32")
        target = loss.target_type(output)
        y_true, y_pred = ops.input_node("y", target.shape, target.dtype), ops.input_node("p", output.shape)
        weight, valid = ops.input_node("w", (127,)), ops.input_node("valid", (127,))
        totals = loss.totals(y_true, y_pred, weight * valid, valid).values()
        assert adds_up(totals, 127, "valid") is (name not in OF_THE_WHOLE_BATCH)


@pytest.mark.parametrize("name", METRICS)
class TestEveryMetric:
    def test_evaluation_adds_up_rows(self, name):
        """What lets one program evaluate any number of rows: those that fill up the batch add nothing."""
        make, y_true, y_pred = METRICS[name]
        dtype = "int32" if y_true.dtype.kind == "i" else "float32"
        nodes = ops.input_node("y", (127, *y_true.shape[1:]), dtype), ops.input_node("p", (127, *y_pred.shape[1:]))
        assert adds_up(make().sums(*nodes, ops.input_node("valid", (127,))).values(), 127, "valid")

    def test_sums_over_batches_are_sums_over_all(self, name):
        make, y_true, y_pred = METRICS[name]
        metric = make()
        arrays = {"y_true": y_true, "y_pred": y_pred, "weight": np.array([1.0, 0.5, 2.0])}
        for names in (("y_true", "y_pred"), ("y_true", "y_pred", "weight")):
            given = {key: arrays[key] for key in names}
            whole = compute(metric.sums(*inputs(**given)), **given)
            parts = []
            for rows in (slice(0, 1), slice(1, 3)):
                batch = {key: array[rows] for key, array in given.items()}
                parts.append(compute(metric.sums(*inputs(**batch)), **batch))
            for key, total in whole.items():
                assert total.dtype == np.float64
                np.testing.assert_allclose(sum(part[key] for part in parts), total, rtol=1e-12)
            assert isinstance(metric.result(**whole), float | np.ndarray)

    def test_batches_of_arrays_add_up_as_in_keras(self, name):
        make, y_true, y_pred = METRICS[name]
        metric, whole = make(), make()
        rows = (y_pred,) if name in ("mean", "sum") else (y_true, y_pred)
        assert np.all(np.asarray(metric.result()) == 0)
        for part in (slice(0, 1), slice(1, 3)):
            metric.update_state(*(array[part] for array in rows))
        np.testing.assert_allclose(metric.result(), whole(*rows), rtol=1e-6)
        metric.reset_state()
        np.testing.assert_allclose(metric(*rows), whole.result(), rtol=1e-6)

    def test_engine_equals_numpy(self, name, engine):
        """In float32, as it runs in a step."""
        make, y_true, y_pred = METRICS[name]
        arrays = {"y_true": y_true, "y_pred": y_pred, "weight": np.array([1.0, 0.5, 2.0])}
        arrays = {key: x.astype(np.float32) if x.dtype == np.float64 else x for key, x in arrays.items()}
        sums = make().sums(*inputs(**arrays))
        found = {key: np.zeros(node.shape, node.dtype) for key, node in sums.items()}
        engine.compile(Graph(sums), gather=False).run({}, arrays, outputs=found)
        for key, expected in compute(sums, **arrays).items():
            np.testing.assert_allclose(found[key], expected, rtol=1e-6)


@pytest.mark.parametrize(("name", "make"), [(name, make) for name, several in OPTIMIZERS.items() for make in several])
class TestEveryOptimizer:
    def test_solves_a_quadratic(self, name, make):
        """``w0^2 / 2 + 10 * w1^2 / 2``, far from the middle: curvatures that differ by 10."""
        optimizer, kind = make(), TensorType((2,), "float64")
        state = {n: np.full(t.shape, v, t.dtype) for n, (t, v) in optimizer.states({"w": kind}).items()}
        state["parameters/w"] = np.array([1.5, -1.0])
        w = ops.state_node("parameters/w", (2,), "float64")
        curvature = ops.cast(ops.iota((2,), 0), "float64") * 9.0 + 1.0
        loss = ops.reduce_sum(ops.square(w) * curvature) * 0.5
        (slope,) = gradients(loss, [w])
        program = NumpyExecutor().compile(Graph({}, optimizer.updates({"w": w}, {"w": slope})), gather=False)
        for _ in range(400):
            program.run(state, {})
        assert np.abs(state["parameters/w"]).max() < 0.02
        assert state["optimizer/iterations"] == 400

    @pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
    def test_engine_takes_the_same_steps(self, name, make, engine, dtype, tolerance):
        """A matrix and a vector, ten steps down a bowl of random slopes; slots and counters, too."""
        optimizer, random = make(), np.random.RandomState(3)
        kinds = {"w": TensorType((4, 3), dtype), "b": TensorType((3,), dtype)}
        start = {n: np.full(t.shape, v, t.dtype) for n, (t, v) in optimizer.states(kinds).items()}
        start |= {parameter_state(n): random.standard_normal(t.shape).astype(dtype) for n, t in kinds.items()}
        nodes = {n: ops.state_node(parameter_state(n), t.shape, dtype) for n, t in kinds.items()}
        slopes = {n: node * ops.input_node(n, node.shape, dtype) for n, node in nodes.items()}
        bowl = {n: random.uniform(0.1, 2, t.shape).astype(dtype) for n, t in kinds.items()}
        graph, ends = Graph({}, optimizer.updates(nodes, slopes)), []
        for executor in (NumpyExecutor(), engine):
            state = {key: layout.empty(TensorType.of(value)) for key, value in start.items()}
            for key, value in start.items():
                state[key][...] = value
            program = executor.compile(graph, gather=False)
            for _ in range(10):
                program.run(state, bowl)
            ends.append(state)
        for key, value in ends[0].items():
            scale = float(np.abs(value).max(initial=0.0))
            np.testing.assert_allclose(ends[1][key], value, rtol=tolerance, atol=tolerance * scale, err_msg=key)

    def test_a_rate_of_zero_changes_nothing(self, name, make):
        optimizer = dataclasses.replace(make(), learning_rate=0.0, weight_decay=0.1)
        kind = TensorType((2,))
        state = {n: np.full(t.shape, v, t.dtype) for n, (t, v) in optimizer.states({"w": kind}).items()}
        state["parameters/w"] = np.array([1.5, -1.0], np.float32)
        graph = Graph({}, optimizer.updates({"w": ops.state_node("parameters/w", (2,))}, {"w": ops.filled((2,), 3.0)}))
        NumpyExecutor().compile(graph, gather=False).run(state, {})
        np.testing.assert_array_equal(state["parameters/w"], np.array([1.5, -1.0], np.float32))

    def test_parameters_do_not_mix(self, name, make):
        """Each moves as if it were alone (but for clipping by the common norm)."""
        optimizer, kind = make(), TensorType((2,))
        if optimizer.global_clipnorm is not None:
            pytest.skip("the norm is of all gradients together")
        ends = []
        for paths in (["a"], ["b"], ["a", "b"]):
            states = optimizer.states(dict.fromkeys(paths, kind))
            state = {n: np.full(t.shape, v, t.dtype) for n, (t, v) in states.items()}
            state |= {parameter_state(path): np.ones(2, np.float32) for path in paths}
            slopes = {path: ops.filled((2,), {"a": 1.0, "b": -3.0}[path]) for path in paths}
            graph = Graph({}, optimizer.updates({p: ops.state_node(parameter_state(p), (2,)) for p in paths}, slopes))
            program = NumpyExecutor().compile(graph, gather=False)
            for _ in range(3):
                program.run(state, {})
            ends.append({path: state[parameter_state(path)] for path in paths})
        for path, end in ends[2].items():
            np.testing.assert_array_equal(end, (ends[0] | ends[1])[path])


@pytest.mark.parametrize(("name", "make"), [(name, make) for name, several in SCHEDULES.items() for make in several])
class TestEverySchedule:
    def test_the_step_computes_the_same_rates(self, name, make, engine):
        """The state holds the rate of the step that comes next, whatever runs the steps."""
        schedule, kind = make(), TensorType((2,))
        optimizer = SGD(schedule)
        graph = Graph({}, optimizer.updates({"w": ops.state_node("parameters/w", (2,))}, {"w": ops.filled((2,), 1.0)}))
        for executor in (NumpyExecutor(), engine):
            state = {n: np.full(t.shape, v, t.dtype) for n, (t, v) in optimizer.states({"w": kind}).items()}
            state["parameters/w"] = np.zeros(2, np.float32)
            program = executor.compile(graph, gather=False)
            for step in range(25):
                rate = np.float32(schedule(step))
                np.testing.assert_allclose(state["optimizer/learning_rate"], rate, rtol=2e-7)
                before = state["parameters/w"].copy()
                program.run(state, {})
                np.testing.assert_allclose(before - state["parameters/w"], rate, rtol=1e-5, atol=1e-6)
