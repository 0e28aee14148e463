"""Trainings told to TensorBoard, in its files of events."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from thalweg.checks import FilePath, In, OneOf, Reserved, WholeNumber
from thalweg.processes.job import current
from thalweg.state.names import STEP_STATE
from thalweg.training.callbacks import Callback, Logs
from thalweg.training.event_files import EventFile, require_tensorboard
from thalweg.training.goals import VALIDATION


class TensorBoard(Callback):
    """Writes losses and metrics where TensorBoard reads them: ``tensorboard --logdir logs``; arguments as in Keras.

    In ``log_dir/train`` stand ``epoch_loss`` and the like, with batches ``batch_loss``; in ``log_dir/validation`` what
    the validation gives, also over all steps, as ``evaluation_loss_vs_iterations``. Where training goes on from a
    backup each step is there once: what was told after the backup goes.

    Arguments:
        histogram_freq: epochs from one histogram of each weight to the next; 0 for none.
        write_graph: whether the summary of the model is written, as text.
        write_steps_per_second: whether the speed of training is.
        update_freq: ``"epoch"``, ``"batch"``, or batches from one value of the batches' losses to the next.
        write_images, profile_batch, embeddings_freq, embeddings_metadata: Keras's, not there: ``thalweg.visualization``
            draws weights, ``model.profile`` says where the time of a step goes.

    Raises: MissingPackageError without tensorboardX.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: int = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: None = None,
    ) -> None:
        self.log_dir: str = os.fspath(self.checked("log_dir", FilePath, log_dir))
        self.histogram_freq: int = self.checked("histogram_freq", WholeNumber, histogram_freq)
        self.write_graph = self.checked("write_graph", bool, write_graph)
        self.write_steps_per_second = self.checked("write_steps_per_second", bool, write_steps_per_second)
        rule = Annotated[str, OneOf("epoch", "batch")] | Annotated[int, In("[1, inf)")]
        self.update_freq: str | int = self.checked("update_freq", rule, update_freq)
        self.checked("write_images", Annotated[object, Reserved(False)], write_images)
        self.checked("profile_batch", Annotated[object, Reserved(0)], profile_batch)
        self.checked("embeddings_freq", Annotated[object, Reserved(0)], embeddings_freq)
        self.checked("embeddings_metadata", Annotated[object, Reserved(None)], embeddings_metadata)
        require_tensorboard()
        self._files: dict[str, EventFile] = {}  # of this training, by the folder below log_dir
        self._token, self._opened = "", 0
        self._begun = (0.0, 0)

    def watches_batches(self, phase: str) -> bool:
        return phase == "train" and self.update_freq != "epoch"

    def get_state(self) -> Mapping[str, Any]:
        sizes = {os.fspath(path.relative_to(self.log_dir)): path.stat().st_size for path in self._written()}
        return {"token": self._token, "opened": self._opened, "bytes": sizes}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """What was told after the backup comes again. May be called again when the epoch has begun."""
        if self._token != state["token"]:  # this program has begun as if nothing had been before
            for path in self._written():
                path.unlink()
        self._files = {}
        self._token, self._opened = state["token"], state["opened"]
        for path in self._written():
            size = state["bytes"].get(os.fspath(path.relative_to(self.log_dir)))
            if size is None:
                path.unlink()
            elif path.stat().st_size > size:
                os.truncate(path, size)

    def _written(self) -> list[Path]:
        """The files of this training, which all have its token, whichever program has written them."""
        if not self._token or not current().is_first:
            return []
        return sorted(Path(self.log_dir).glob(f"*/events.out.tfevents.*.{self._token}-*"))

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._files = {}
        self._token, self._opened = secrets.token_hex(4), 0
        if self.write_graph:
            lines: list[str] = []
            self.model.summary(print_fn=lines.append)
            text = "\n".join(f"    {line}" for line in "\n".join(lines).split("\n"))  # as code, which keeps the columns
            self._file("train").text("model", text, 0)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._begun = (time.perf_counter(), self._steps())

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        step = self._steps()
        if step % (1 if self.update_freq == "batch" else int(self.update_freq)) == 0:
            self._write("train", "batch_", logs or {}, step)

    def on_test_end(self, logs: Logs | None = None) -> None:
        for name, value in (logs or {}).items():
            self._scalar("validation", f"evaluation_{name}_vs_iterations", value, self._steps())

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        given = logs or {}
        trained = {name: value for name, value in given.items() if not name.startswith(VALIDATION)}
        if "learning_rate" not in trained and self.model.optimizer is not None:
            trained["learning_rate"] = float(self.model.optimizer.learning_rate)
        self._write("train", "epoch_", trained, epoch)
        validated = {name.removeprefix(VALIDATION): given[name] for name in given.keys() - trained.keys()}
        self._write("validation", "epoch_", validated, epoch)
        if self.write_steps_per_second:
            began, steps = self._begun
            speed = (self._steps() - steps) / max(time.perf_counter() - began, 1e-9)
            self._scalar("train", "epoch_steps_per_second", speed, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for path, parameter in self.model.parameters().items():
                self._file("train").histogram(f"{path}/histogram", parameter.numpy(), epoch)

    def _steps(self) -> int:
        """That the model has ever made."""
        return int(self.model.state.number(STEP_STATE))

    def _write(self, where: str, front: str, logs: Logs, step: int) -> None:
        for name, value in logs.items():
            self._scalar(where, front + name, value, step)

    def _scalar(self, where: str, tag: str, value: Any, step: int) -> None:
        """One number; of an array of them each with its place."""
        for place, number in np.ndenumerate(np.asarray(value)):
            self._file(where).scalar("_".join((tag, *map(str, place))), float(number), step)

    def _file(self, where: str) -> EventFile:
        if where not in self._files:
            self._opened += 1
            self._files[where] = EventFile(os.path.join(self.log_dir, where), f"{self._token}-{self._opened}")
        return self._files[where]
