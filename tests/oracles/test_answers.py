"""thalweg against the recorded answers of other libraries, and against fresh ones where they are installed."""

import dataclasses
import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.compute import compute, inputs
from tests.oracles import trainings
from tests.oracles.cases import CASES, KEPT_STEPS, STEPS, STEPWISE, Case, layer_weights
from tests.oracles.record import LIBRARIES, NEEDS, RECORDED

from thalweg import (
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
from thalweg.executors.numpy import NumpyExecutor
from thalweg.graph.node import Graph
from thalweg.graph.types import TensorType
from thalweg.initializers import Given
from thalweg.layers.tracing import tracing
from thalweg.registry import Registry
from thalweg.state.names import parameter_state


def answer(case: Case) -> dict[str, np.ndarray]:
    return {
        "activation": answer_activation,
        "loss": answer_loss,
        "metric": answer_metric,
        "optimizer": answer_optimizer,
        "schedule": answer_schedule,
        "regularizer": answer_regularizer,
        "constraint": answer_constraint,
        "initializer": answer_initializer,
        "layer": answer_layer,
        "training": answer_training,
    }[case.kind](case)


def answer_activation(case):
    (x,) = inputs(x=case.inputs["x"])
    value = activations.get(case.name)(x, **case.options)
    cosine = ops.input_node("cosine", value.shape, x.dtype)
    (gradient,) = gradients(ops.reduce_sum(value * cosine), [x])
    cosines = np.cos(case.inputs["x"][..., : value.shape[-1]])
    return compute({"value": value, "gradient": gradient}, x=case.inputs["x"], cosine=cosines)


def answer_loss(case):
    nodes = dict(zip(case.inputs, inputs(**case.inputs), strict=True))
    value = losses.registry.find(case.name)(**case.options)(**nodes)
    (gradient,) = gradients(ops.reduce_sum(value), [nodes["y_pred"]])
    return compute({"value": value, "gradient": gradient}, **case.inputs)


def answer_metric(case):
    if metric_class := losses_as_metrics().get(case.name):
        metric = metrics.MeanLoss(metric_class(**case.options))
    else:
        metric = metrics.registry.find(case.name)(**case.options)
    totals = {}
    for rows in np.array_split(np.arange(len(case.inputs["y_pred"])), 3):
        batch = {name: array[rows] for name, array in case.inputs.items()}
        y_true, y_pred, *weight = inputs(**batch)
        for name, value in compute(metric.sums(y_true, y_pred, *weight), **batch).items():
            totals[name] = totals.get(name, 0.0) + value
    return {"value": np.array(metric.result(**totals))}


def losses_as_metrics():
    """Those that are no metric of their own under the same name, with the other sign or the root taken last."""
    own = {entry.__name__ for _, entry in metrics.registry.items()}
    return {entry.__name__: entry for _, entry in losses.registry.items() if entry.__name__ not in own}


def answer_optimizer(case):
    optimizer = optimizers.registry.find(case.name)(**case.options)
    kinds = {name: TensorType.of(case.inputs[f"{name}_start"]) for name in ("kernel", "bias")}
    state = {name: np.full(t.shape, number, t.dtype) for name, (t, number) in optimizer.states(kinds).items()}
    state |= {parameter_state(name): case.inputs[f"{name}_start"].copy() for name in kinds}
    parameters = {name: ops.state_node(parameter_state(name), kind.shape, kind.dtype) for name, kind in kinds.items()}
    slopes = {name: ops.input_node(f"d_{name}", kind.shape, kind.dtype) for name, kind in kinds.items()}
    program = NumpyExecutor().compile(Graph({}, optimizer.updates(parameters, slopes)), gather=False)
    kept = []
    for step in range(STEPS):
        program.run(state, {f"d_{name}": case.inputs[name][step] for name in kinds})
        if step in KEPT_STEPS:
            kept.append({name: state[parameter_state(name)].copy() for name in kinds})
    assert state["optimizer/iterations"] == STEPS
    return {name: np.stack([values[name] for values in kept]) for name in kinds}


def answer_schedule(case):
    schedule = optimizers.schedules.registry.find(case.name)(**case.options)
    return {"value": np.array([schedule(step) for step in case.inputs["steps"]])}


def answer_regularizer(case):
    (x,) = inputs(x=case.inputs["x"])
    value = regularizers.registry.find(case.name)(**case.options)(x)
    (gradient,) = gradients(value, [x])
    return compute({"value": value, "gradient": gradient}, x=case.inputs["x"])


def answer_constraint(case):
    (x,) = inputs(x=case.inputs["x"])
    return {"value": compute(constraints.registry.find(case.name)(**case.options)(x), x=case.inputs["x"])}


def answer_initializer(case):
    make = initializers.registry.find(case.name)(**case.options)
    values = make(tuple(case.inputs["shape"].tolist()), "float64", seed=1, path="dense/kernel")
    return {"statistics": np.array([values.mean(), values.std(), values.min(), values.max()])}


def answer_layer(case):
    layer = layers.registry.find(case.name)(**case.options, dtype="float64")
    layer.infer(*map(TensorType.of, case.inputs.values()))
    trained = layer.named_parameters(trainable_only=True)
    kept = {path: p for path, p in layer.named_parameters().items() if path not in trained}
    weights = dict(zip(trained, layer_weights([p.shape for p in trained.values()]), strict=True))
    weights |= dict(zip(kept, layer_weights([p.shape for p in kept.values()], positive=True), strict=True))
    weights |= {path: p.initial(0, path) for path, p in kept.items() if isinstance(p.initializer, Given)}
    weights = {parameter_state(path): value for path, value in weights.items()}
    with tracing(layer.named_parameters()):
        inference = layer(*inputs(**case.inputs), training=False)
    answers = {"inference": compute(inference, weights, **case.inputs)}
    if any(x.dtype.kind != "f" for x in case.inputs.values()) or case.name in STEPWISE:
        return answers
    with tracing(layer.named_parameters()) as trace:
        nodes = inputs(**case.inputs)
        value = layer(*nodes, training=True)
        slopes_from = ops.input_node("cosine", value.shape, value.dtype)
        wrt = [*map(trace.node, trained.values()), *nodes]
        slopes = gradients(ops.reduce_sum(value * slopes_from), wrt)
        state = {f"state{i}": node for i, node in enumerate(trace.updates.values())}
    answers["value"] = compute(value, weights, **case.inputs)
    names = [*(f"gradient_parameter{i}" for i in range(len(trained))), *(f"gradient_{name}" for name in case.inputs)]
    asked = {**dict(zip(names, slopes, strict=True)), **state}
    return answers | compute(asked, weights, **case.inputs, cosine=np.cos(answers["value"]))


def answer_training(case):
    """By the executor that is the default, in float64."""
    before = config.floatx()
    config.set_floatx("float64")
    try:
        model, losses = trainings.train(case.name)
    finally:
        config.set_floatx(before)
    return {"losses": losses} | {f"weight{i}": w for i, w in enumerate(trainings.trained(model))}


def compare(case: Case, library: str, recorded: dict[str, np.ndarray]) -> int:
    """Compare with what the library has answered to the case; gives how much that is."""
    expected = {key.rpartition("/")[2]: value for key, value in recorded.items() if key.startswith(f"{case.key}/")}
    if not expected:
        return 0
    ours = answer(case)
    for what, value in expected.items():
        if case.kind == "initializer":
            compare_statistics(ours[what], value, case)
            continue
        if case.kind == "training":
            np.testing.assert_allclose(ours[what], value, rtol=0, atol=case.rtol * np.abs(value).max(), err_msg=what)
            continue
        # scikit-learn adds nothing to denominators, so what is compared with it can be asked for more.
        rtol = case.rtol if library == "keras" else min(case.rtol, 1e-9)
        np.testing.assert_allclose(ours[what], value, rtol=rtol, atol=1e-12, err_msg=what)
    return len(expected)


def compare_statistics(ours, theirs, case):
    """Mean and deviation within five standard errors, extremes about the same."""
    n = np.prod(case.inputs["shape"])
    spread = theirs[1]
    assert abs(ours[0] - theirs[0]) <= 5 * spread * np.sqrt(2 / n) + 1e-7
    assert abs(ours[1] - theirs[1]) <= 5 * spread * np.sqrt(2 / n) + 1e-7
    bounded = (
        case.name not in ("RandomNormal", "Orthogonal") and case.options.get("distribution") != "untruncated_normal"
    )
    np.testing.assert_allclose(ours[2:], theirs[2:], atol=(0.02 if bounded else 1.2) * spread + 1e-7)


# No two libraries draw the same numbers: tests/layers looks at what these do on average, and exactly where they can.
# A model inside another (tests/model/test_nested.py) is no layer of Keras's.
OTHERWISE_PROVED = {
    *(
        "nested",
        "lambda",
        *("resizing", "centercrop"),
        "mixup",
        "swapnoise",
        "dropout",
        "spatialdropout1d",
        "spatialdropout2d",
        "spatialdropout3d",
        "alphadropout",
    ),
    *("gaussiandropout", "gaussiannoise", "randomflip", "randomtranslation", "randomzoom", "randomcontrast"),
    *("randombrightness", "randomerasing", "randomrotation", "timedistributed"),
    *("autocontrast", "randomgrayscale", "solarization"),  # against Keras, in tests/layers/test_augmentation.py
    "activityregularization",  # its penalty: tests/training/test_penalties.py
    "operation",  # against NumPy, in tests/layers/test_operation.py
    *("fillmissing", "missingflags", "robustscaling", "columnlimits"),  # against NumPy, in tests/layers/test_missing.py
    *("datecycles", "dayssince", "onehotcolumns", "columnembedding"),  # in test_dates.py and test_categories.py there
    # against NumPy, in tests/layers/test_columns.py
    *("scale", "smoothclipping", "periodicembedding", "parametricactivation"),
}


def load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


RECORDINGS = {library: load(RECORDED / f"{library}.npz") for library in LIBRARIES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_recorded(case):
    assert sum(compare(case, *recorded) for recorded in RECORDINGS.items()), "no library has answered this case"


@pytest.mark.parametrize("library", LIBRARIES)
def test_recordings_are_of_these_cases(library):
    known = {case.key for case in CASES}
    assert RECORDINGS[library], "recorded by python -m tests.oracles.record"
    assert {key.rpartition("/")[0] for key in RECORDINGS[library]} <= known


def test_every_registered_name_has_a_case():
    asked = {kind: {case.name.lower() for case in CASES if case.kind == kind} for kind in {c.kind for c in CASES}}
    registries: dict[str, Registry] = {
        "activation": activations.registry,
        "loss": losses.registry,
        "metric": metrics.registry,
        "optimizer": optimizers.registry,
        "schedule": optimizers.schedules.registry,
        "regularizer": regularizers.registry,
        "constraint": constraints.registry,
        "initializer": initializers.registry,
    }
    for kind, registry in registries.items():
        # Asked through the losses; in tests/training/test_search.py; in tests/ops: Keras's does not sum to 1.
        elsewhere = {"meanloss", "lbfgs", "sparsemax"}
        elsewhere |= {"logcosinecycles", "flatcosine"}  # in tests/optimizers/test_schedules.py: no library has them
        names = {entry.__name__.lower() for _, entry in registry.items()} - elsewhere
        assert names <= asked[kind], kind
    ours = {entry.__name__.lower() for _, entry in layers.registry.items() if entry.__module__.startswith("thalweg")}
    assert ours - asked["layer"] <= OTHERWISE_PROVED, "add a case, or a test of what it draws"


LEFT = {"name", "trainable", "dtype", "lora_rank", "lora_alpha", "quantization_config", "weights"}
"""What every layer takes by name; and what only Keras has (here the weights of an Embedding are its initializer)."""

OTHERWISE = {"CategoryEncoding": {"num_tokens": "required"}, "PReLU": {"alpha_initializer": "zeros"}}
AUGMENTATION = ("MixUp", "Random")  # images are channels last there, and a seed is given by name


def test_arguments_and_defaults_of_layers_are_keras_s():
    """In Keras's order. One number for all axes is the same as one for each."""

    def plain(value):
        value = json.loads(json.dumps(value, default=repr))
        return 1 if value in ([1, 1], [1, 1, 1]) else value

    def described(layer):
        arguments = [a for a in inspect.signature(layer).parameters.values() if a.kind is a.POSITIONAL_OR_KEYWORD]
        return [(a.name, "required" if a.default is a.empty else plain(a.default)) for a in arguments]

    compared = []
    for name, theirs in json.loads((RECORDED / "keras_signatures.json").read_text()).items():
        layer = getattr(layers, name, None)
        if not dataclasses.is_dataclass(layer) or name.startswith(AUGMENTATION):
            continue
        theirs |= OTHERWISE.get(name, {})
        expected = [(argument, plain(default)) for argument, default in theirs.items()]
        assert [a for a in described(layer) if a[0] not in LEFT] == [a for a in expected if a[0] not in LEFT], name
        compared.append(layer)
    assert len(set(compared)) > 60


@pytest.mark.slow
@pytest.mark.parametrize("library", [pytest.param(name, marks=pytest.mark.needs(*NEEDS[name])) for name in LIBRARIES])
def test_live(library, tmp_path):
    """Of the cases every fourth: JAX compiles each anew, and all of them take minutes. Recording asks all."""
    # A process of its own: Keras's float format and JAX's precision are settings of the whole process.
    command = [sys.executable, "-m", "tests.oracles.record", library, "--into", str(tmp_path), "--every", "4"]
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr
    live = load(tmp_path / f"{library}.npz")
    asked = {case.key for case in CASES[::4]}
    assert live.keys() == {key for key in RECORDINGS[library] if key.rpartition("/")[0] in asked}
    for case in CASES[::4]:
        compare(case, library, live)
