"""MLflow and Weights & Biases are told of trainings: with the packages, offline, and with stand-ins for them."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import thalweg
from thalweg import Input, Sequential, callbacks, layers
from thalweg.errors import MissingPackageError, StorageError

X = np.linspace(-1, 1, 60, dtype=np.float32).reshape(20, 3)
Y = X.sum(1)


def fitted(callback, epochs=2):
    model = Sequential([Input((3,)), layers.Dense(1)], name="line")
    model.compile(thalweg.optimizers.SGD(0.1), "mse")
    return model.fit(X, Y, epochs=epochs, verbose=0, callbacks=[callback])


@pytest.mark.needs("mlflow")
def test_mlflow_gets_settings_numbers_and_the_model(tmp_path, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "mlruns").as_uri()
    history = fitted(callbacks.MLflow("lines", "first", uri, log_model=True))
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("lines").experiment_id])
    assert (run.info.run_name, run.info.status) == ("first", "FINISHED")
    assert (
        run.data.params.items() >= {"model": "line", "optimizer": "sgd", "learning_rate": "0.1", "epochs": "2"}.items()
    )
    assert [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")] == list(
        enumerate(history.history["loss"])
    )
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["model.thalweg"]


@pytest.mark.needs("wandb")
@pytest.mark.long
def test_wandb_writes_offline(tmp_path):
    fitted(callbacks.WandB("lines", "first", mode="offline", dir=tmp_path))
    (written,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert b"first" in written.read_bytes()


class Service(SimpleNamespace):
    """What ``wandb.init`` gives, as far as the callback uses it."""

    def log(self, values):
        if self.broken:
            raise ConnectionError("no line")
        self.logged.append(values)

    def finish(self, exit_code):
        self.status = exit_code


@pytest.fixture
def service(monkeypatch):
    found = Service(id="r1", logged=[], summary={}, asked=[], broken=False)

    def init(**arguments):
        found.asked.append(arguments)
        return found

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    return found


def test_wandb_is_told_of_each_epoch(service):
    history = fitted(callbacks.WandB("lines", "first", mode="offline", tags=["a"]))
    (asked,) = service.asked
    config = asked.pop("config")
    assert asked == {"project": "lines", "name": "first", "mode": "offline", "tags": ["a"], "reinit": "create_new"}
    assert config.items() >= {"model": "line", "optimizer": "sgd", "learning_rate": 0.1, "epochs": 2}.items()
    assert service.logged == [{"loss": loss, "epoch": n} for n, loss in enumerate(history.history["loss"])]
    assert (service.summary, service.status) == ({"stopped_by": None}, 0)


def test_a_training_that_goes_on_goes_on_in_its_run(service):
    class Restored(callbacks.WandB):
        def on_train_begin(self, logs=None):
            super().on_train_begin()
            self.set_state({"run": "r0"})

    fitted(Restored())
    assert service.asked[0]["id"] == "r0"
    assert service.asked[0]["resume"] == "allow"


def test_a_service_that_breaks_ends_no_training(service):
    service.broken = True
    with pytest.warns(UserWarning, match="no line"):
        history = fitted(callbacks.WandB(), epochs=3)
    assert history.epoch == [0, 1, 2]


def test_a_service_that_cannot_be_reached_is_said_before_training(service, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=lambda **arguments: 1 / 0))
    with pytest.raises(StorageError, match="begins no run"):
        fitted(callbacks.WandB())


@pytest.mark.parametrize(("name", "module"), [("MLflow", "mlflow"), ("WandB", "wandb")])
def test_a_missing_package_is_said(name, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=f"needs the package {module}"):
        getattr(callbacks, name)()
