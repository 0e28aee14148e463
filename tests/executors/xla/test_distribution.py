"""Trainings on many devices, and what cannot be one."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from thalweg import Input, Sequential, config, distribution, layers
from thalweg.distribution import DataParallel, DeviceMesh, LayoutMap, ModelParallel, TensorLayout
from thalweg.errors import ArgumentError, ExecutorError, ShapeError
from thalweg.executors.xla.executor import XlaExecutor

pytestmark = pytest.mark.needs("jax")

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.parametrize("tests", ["on_devices.py", pytest.param("catalogue_on_devices.py", marks=pytest.mark.long)])
def test_on_eight_devices_of_a_cpu(tests):
    """JAX is told before it is loaded, so these tests have a process of their own."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/executors/xla/{tests}"]
    result = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "XLA_FLAGS": flags}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-10000:] + result.stderr[-2000:]


def mesh():
    return DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"])


def layouts(**rules):
    made = LayoutMap(mesh())
    for key, layout in rules.items():
        made[key.replace("__", "/")] = layout
    return made


def model():
    made = Sequential([Input((3,)), layers.Dense(4, name="wide"), layers.Dense(1, name="narrow")])
    made.compile("sgd", "mse")
    return made


DATA = np.ones((8, 3), np.float32), np.ones((8, 1), np.float32)


def fit(made, **options):
    return made.fit(*DATA, epochs=1, verbose=0, diagnose=False, **options)


@pytest.fixture
def settings(monkeypatch):
    """What holds for the process is as it was afterwards."""
    monkeypatch.delenv("THALWEG_EXECUTOR", raising=False)
    yield
    config.set_executor(None)
    distribution.set_distribution(None)


def test_devices_have_names():
    assert distribution.list_devices() == distribution.list_devices("cpu")
    assert distribution.list_devices()[0] == "cpu:0"
    assert distribution.get_device_count("cpu") == len(distribution.list_devices())


def test_a_mesh_is_as_in_keras():
    made = mesh()
    assert made.shape == (1, 1)
    assert made.axis_names == ("batch", "model")
    np.testing.assert_array_equal(made.devices, [["cpu:0"]])
    assert made == mesh()
    assert made != DeviceMesh((1,), ["batch"], ["cpu:0"])
    assert repr(made) == "DeviceMesh(shape=(1, 1), axis_names=('batch', 'model'), devices=['cpu:0'])"


def test_devices_can_be_those_of_jax():
    import jax

    assert DataParallel(devices=jax.devices("cpu")[:1]) == DataParallel(devices=["cpu:0"])


def test_a_map_of_layouts_is_a_mapping_with_patterns():
    made = layouts(wide__kernel=(None, "model"))
    made[".*bias"] = TensorLayout(["model"])
    assert made["wide/kernel"].axes == (None, "model")
    assert made["wide/bias"].axes == made.get("narrow/bias").axes == ("model",)
    assert made["narrow/kernel"] is None
    assert made["a/wide/kernel"] is None, "a path is a pattern for itself alone"
    assert list(made) == ["wide/kernel", ".*bias"]
    assert ".*bias" in made
    assert "wide/bias" not in made
    del made[".*bias"]
    assert len(made) == 1
    assert made["wide/bias"] is None


def test_equal_distributions_are_one():
    one, other = (ModelParallel(layout_map=layouts(wide__kernel=(None, "model"))) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one != ModelParallel(layout_map=layouts(wide__kernel=("model", None)))
    assert one != DataParallel(devices=["cpu:0"])


def test_rules_are_those_that_it_was_made_with():
    rules = layouts(wide__kernel=(None, "model"))
    made = ModelParallel(layout_map=rules)
    rules["wide/bias"] = ("model",)
    assert made == ModelParallel(layout_map=layouts(wide__kernel=(None, "model")))


def test_fit_moves_a_model_and_it_stays_there(settings):
    made = model()
    fit(made, distribution=DataParallel(devices=["cpu:0"]))
    assert made.executor == XlaExecutor(distribution=DataParallel(devices=["cpu:0"]))
    programs = made.runner.programs()
    fit(made, distribution=DataParallel(devices=["cpu:0"]))
    assert made.runner.programs() is programs, "for the same devices nothing is compiled anew"


def test_what_is_set_holds_for_models_that_run_then(settings):
    before, inside, after, told = model(), model(), model(), model()
    before.predict(DATA[0], verbose=0)
    told.executor = "numpy"
    spread = ModelParallel(layout_map=layouts())
    with spread.scope():
        assert distribution.distribution() is spread
        for each in (before, inside, told):
            each.predict(DATA[0], verbose=0)
    assert distribution.distribution() is None
    after.predict(DATA[0], verbose=0)
    assert inside.executor == XlaExecutor(distribution=spread)
    assert [each.executor.name for each in (before, after, told)] == ["native", "native", "numpy"]


def test_the_name_of_the_executor_means_what_is_set(settings):
    distribution.set_distribution(DataParallel())
    made = model()
    made.executor = "xla:cpu"
    assert made.executor == XlaExecutor("cpu", DataParallel())


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: DeviceMesh((2, 8), ["a", "b"], ["cpu:0"]), ArgumentError, "16 devices"),
        (lambda: DeviceMesh((1,), ["a"], ["cpu:0", "cpu:0"]), ArgumentError, "different devices"),
        (lambda: DeviceMesh((1,), ["a", "b"], ["cpu:0"]), ArgumentError, "1 different axis_names"),
        (lambda: DeviceMesh((1, 1), ["a", "a"], ["cpu:0"]), ArgumentError, "2 different axis_names"),
        (lambda: DeviceMesh((0,), ["a"], ["cpu:0"]), ArgumentError, "argument 'shape'"),
        (lambda: DeviceMesh((1,), ["a"], ["cpu:7777"]), ArgumentError, "list_devices"),
        (lambda: DeviceMesh((1,), ["a"], ["cpuu:0"]), ArgumentError, "no such device"),
        (lambda: DeviceMesh((1,), ["a"], [3]), ArgumentError, "argument 'devices'"),
        (lambda: DeviceMesh((1,), ["a"], ["tpu:0"]), ExecutorError, "no device of the kind 'tpu'"),
        (lambda: DataParallel(devices=[]), ArgumentError, "at least one"),
        (lambda: DataParallel(mesh()), ArgumentError, "ModelParallel"),
        (lambda: DataParallel(DeviceMesh((1,), ["a"], ["cpu:0"]), ["cpu:0"]), ArgumentError, "both"),
        (lambda: DataParallel(auto_shard_dataset=False), ArgumentError, "auto_shard_dataset"),
        (lambda: TensorLayout(["model", "model"]), ArgumentError, "only one axis"),
        (lambda: TensorLayout(["modell"], mesh()), ArgumentError, "did you mean 'model'"),
        (lambda: layouts(wide__kernel=(None, "modell")), ArgumentError, "did you mean 'model'"),
        (lambda: layouts(wide__kernel="model"), ArgumentError, "argument 'axes'"),
        (lambda: layouts(**{"(": ("model",)}), ArgumentError, "no pattern"),
        (lambda: layouts().__setitem__(3, ("model",)), ArgumentError, "argument 'key'"),
        (lambda: layouts(**{"a.*": (), ".*b": ()})["ab"], ArgumentError, "two rules"),
        (lambda: layouts(a=()).__setitem__("a", ()), ArgumentError, "del layout_map"),
        (
            lambda: layouts(a=TensorLayout([None], DeviceMesh((1,), ["batch"], ["cpu:0"]))),
            ArgumentError,
            "another mesh",
        ),
        (lambda: ModelParallel(), ArgumentError, "layout_map"),
        (lambda: ModelParallel(layout_map=layouts(), batch_dim_name="modle"), ArgumentError, "did you mean 'model'"),
        (
            lambda: ModelParallel(layout_map=layouts(), device_mesh=DeviceMesh((1,), ["batch"], ["cpu:0"])),
            ArgumentError,
            "LayoutMap",
        ),
        (lambda: distribution.set_distribution("all"), ArgumentError, "argument 'value'"),
        (lambda: distribution.list_devices("gpus"), ArgumentError, "did you mean 'gpu'"),
    ],
)
def test_what_is_no_distribution(make, error, says):
    with pytest.raises(error) as caught:
        make()
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("spread", "error", "says"),
    [
        (lambda: "all", ArgumentError, "argument 'distribution'"),
        (lambda: ModelParallel(layout_map=layouts(wide__kernal=(None, "model"))), ArgumentError, "'wide/kernel'"),
        (lambda: ModelParallel(layout_map=layouts(wide__kernel=("model",))), ShapeError, "2 axes"),
        (lambda: ModelParallel(layout_map=layouts(**{"wide.*": (), ".*kernel": ()})), ArgumentError, "two rules"),
    ],
)
def test_a_model_that_cannot_be_spread_stays_as_it_is(settings, spread, error, says):
    made = model()
    before = made.get_weights()
    with pytest.raises(error) as caught:
        fit(made, distribution=spread())
    assert says in str(caught.value)
    assert all(np.array_equal(a, b) for a, b in zip(made.get_weights(), before, strict=True))
    assert made.executor.name == "native"


def test_other_executors_have_one_device(settings, monkeypatch):
    spread = DataParallel()
    with pytest.raises(ArgumentError, match="cannot be spread"):
        fit(model(), executor="native", distribution=spread)
    made = model()
    made.executor = "numpy"
    with pytest.raises(ArgumentError, match="the numpy executor"):
        fit(made, distribution=spread)
    monkeypatch.setenv("THALWEG_EXECUTOR", "native")
    for ask in (lambda: fit(model(), distribution=spread), lambda: fit(model())):
        distribution.set_distribution(spread)
        with pytest.raises(ArgumentError, match="set_distribution"):
            ask()
    monkeypatch.setenv("THALWEG_EXECUTOR", "xla")
    made = model()
    fit(made)
    assert made.executor == XlaExecutor(distribution=spread)


def test_devices_of_another_kind(settings, monkeypatch):
    from thalweg.executors.xla import devices

    class Gpu:
        platform, id = "gpu", 0

    spread = DataParallel(devices=["cpu:0"])
    monkeypatch.setattr(devices, "devices", lambda kind=None: [Gpu()])
    with pytest.raises(ArgumentError, match="of another kind"):
        fit(model(), executor=XlaExecutor("gpu"), distribution=spread)
