"""Trainings told to MLflow and to Weights & Biases; each package is loaded when its callback is made."""

from __future__ import annotations

import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from thalweg.checks import FilePath
from thalweg.errors import StorageError
from thalweg.extras import needed
from thalweg.processes.job import current
from thalweg.record.events import EpochEnded, Event, TrainingEnded
from thalweg.record.settings import compiled_settings, flat
from thalweg.training.callbacks import Callback, Logs
from thalweg.training.session import NON_FINITE, USER

MOST_LETTERS = 500
"""Of a parameter in MLflow, which takes no longer ones."""


class Tracker(Callback):
    """The base of both: what is told, and that nothing which goes wrong on the way ends a training.

    A subclass writes ``begin``, ``numbers`` and ``finish``. A training that goes on from a backup goes on in its run.
    """

    name: str
    """Of the service, in messages."""

    _known: str | None = None
    _running = False
    _complained = False

    def begin(self, settings: Mapping[str, Any], known: str | None) -> str:
        """Begin a run, or go on with the known one; gives its id."""
        raise NotImplementedError

    def numbers(self, values: Mapping[str, float], epoch: int) -> None:
        """Tell the numbers of an epoch."""
        raise NotImplementedError

    def finish(self, status: str | None, model: Any) -> None:
        """The run is over; ``status`` as in ``History.stopped_by``."""
        raise NotImplementedError

    def get_state(self) -> Mapping[str, Any]:
        return {"run": self._known}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._known = state["run"]

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._known, self._running, self._complained = None, False, False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Only now it is certain which run it is: a backup may have brought back an earlier one."""
        if not self._running and current().is_first:
            try:
                self._known = self.begin(self._settings(), self._known)
            except Exception as error:
                raise StorageError(
                    f"callbacks.{type(self).__name__}: {self.name} begins no run",
                    expected="a service that can be reached, or one that writes to a folder",
                    got=f"{type(error).__name__}: {error}"[:300],
                    fix="mend that, or train without the callback",
                ) from error
            self._running = True

    def hear(self, event: Event) -> None:
        if not self._running:
            return
        if isinstance(event, EpochEnded):
            self._told(self.numbers, dict(_numbers(event.logs)), event.epoch)
        elif isinstance(event, TrainingEnded):
            self._running = False
            self._told(self.finish, event.stopped_by, self.model)

    def _settings(self) -> dict[str, Any]:
        described = self.model.get_compile_config() if self.model.compiled else None
        told = {"model": self.model.name, "parameters": self.model.count_params(), **compiled_settings(described)}
        return {**dict(flat(told)), **{name: value for name, value in self.params.items() if name != "verbose"}}

    def _told(self, what: Callable[..., Any], *values: Any) -> None:
        """Tell the service something. What goes wrong there ends no training: it is said once."""
        try:
            what(*values)
        except Exception as error:
            if not self._complained:
                self._complained = True
                told = f"{type(error).__name__}: {error}"[:300]
                warnings.warn(f"{self.name} does not take what it is told, training goes on: {told}", stacklevel=2)


def _numbers(logs: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """A metric of several numbers as several metrics, each with its place."""
    for name, value in logs.items():
        for place, number in np.ndenumerate(np.asarray(value)):
            yield "_".join((name, *map(str, place))), float(number)


class MLflow(Tracker):
    """Tells each training to MLflow: settings, metrics of each epoch, how it ended, and the model's file if wanted.

    Arguments:
        experiment: the name of the experiment, which is made if it is not there.
        run_name: of the run; MLflow makes one up unless given.
        tracking_uri: where to; as ``MLFLOW_TRACKING_URI`` and MLflow's own settings say unless given.
        log_model: whether the model's file is kept with the run, as the artifact ``model.thalweg``.

    Raises: MissingPackageError without mlflow; StorageError from ``fit`` if it cannot be reached.
    """

    name = "MLflow"

    def __init__(
        self,
        experiment: str = "Default",
        run_name: str | None = None,
        tracking_uri: str | None = None,
        log_model: bool = False,
    ) -> None:
        self.experiment = self.checked("experiment", str, experiment)
        self.run_name = self.checked("run_name", str | None, run_name)
        self.tracking_uri = self.checked("tracking_uri", str | None, tracking_uri)
        self.log_model = self.checked("log_model", bool, log_model)
        self._package = _package("mlflow", "MLflow", "mlflow")
        self._client: Any = None

    def begin(self, settings: Mapping[str, Any], known: str | None) -> str:
        self._client = client = self._package.MlflowClient(self.tracking_uri)
        if known is not None:
            client.update_run(known, status="RUNNING")
            return known
        found = client.get_experiment_by_name(self.experiment)
        experiment = client.create_experiment(self.experiment) if found is None else found.experiment_id
        run: str = client.create_run(experiment, run_name=self.run_name).info.run_id
        param = self._package.entities.Param
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()}
        client.log_batch(run, params=[param(name, text[:MOST_LETTERS]) for name, text in texts.items()])
        return run

    def numbers(self, values: Mapping[str, float], epoch: int) -> None:
        metric, now = self._package.entities.Metric, int(1000 * time.time())
        self._client.log_batch(self._known, metrics=[metric(name, value, now, epoch) for name, value in values.items()])

    def finish(self, status: str | None, model: Any) -> None:
        if self.log_model:
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "model.thalweg")
                model.save(path)
                self._client.log_artifact(self._known, path)
        ended = "FAILED" if status == NON_FINITE else "KILLED" if status == USER else "FINISHED"
        self._client.set_terminated(self._known, ended)


class WandB(Tracker):
    """Tells each training to Weights & Biases: settings, metrics of each epoch, and the model's file if wanted.

    Arguments:
        project: the name of the project.
        name: of the run; made up unless given.
        mode: ``"online"``, or ``"offline"``: written to a folder, for ``wandb sync`` later; as ``WANDB_MODE`` says
            unless given.
        dir: the folder that files are written below.
        log_model: whether the model's file is kept with the run.
        options: further ones of ``wandb.init``, as ``group="a"`` or ``tags=["b"]``.

    Raises: MissingPackageError without wandb; StorageError from ``fit`` if it cannot be reached.
    """

    name = "Weights & Biases"

    def __init__(
        self,
        project: str | None = None,
        name: str | None = None,
        mode: str | None = None,
        dir: str | os.PathLike[str] | None = None,
        log_model: bool = False,
        **options: Any,
    ) -> None:
        self.project = self.checked("project", str | None, project)
        self.run_name = self.checked("name", str | None, name)
        self.mode = self.checked("mode", str | None, mode)
        self.dir = self.checked("dir", FilePath | None, dir)
        self.log_model = self.checked("log_model", bool, log_model)
        self.options = options
        self._package = _package("wandb", "WandB", "wandb")
        self._run: Any = None

    def begin(self, settings: Mapping[str, Any], known: str | None) -> str:
        named = {"project": self.project, "name": self.run_name, "mode": self.mode, "dir": self.dir}
        given = {name: value for name, value in named.items() if value is not None}
        going_on = {} if known is None else {"id": known, "resume": "allow"}
        # Of its own beside others: several networks may be trained at once.
        self._run = self._package.init(
            config=dict(settings), **{"reinit": "create_new", **given, **going_on, **self.options}
        )
        found: str = self._run.id
        return found

    def numbers(self, values: Mapping[str, float], epoch: int) -> None:
        self._run.log({**values, "epoch": epoch})

    def finish(self, status: str | None, model: Any) -> None:
        if self.log_model:
            path = os.path.join(self._run.dir, "model.thalweg")
            model.save(path)
            self._run.save(path, base_path=self._run.dir, policy="now")
        self._run.summary["stopped_by"] = status
        self._run.finish(exit_code=int(status == NON_FINITE))
        self._run = None


def _package(module: str, callback: str, extra: str) -> Any:
    return needed(
        module,
        f"callbacks.{callback} needs the package {module}, which is not installed",
        expected=f"the package {module}",
        fix=f"pip install 'thalweg[{extra}]'; or record trainings here: fit(..., run=\"name\")",
    )
