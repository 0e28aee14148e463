"""Short trainings beside the model, step by step, without ``fit``: no callbacks, no history, and back at will."""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from thalweg import optimizers
from thalweg.data.source import Rows
from thalweg.diagnosis.examining.subject import Subject
from thalweg.errors import GraphError, NonFiniteError, ThalwegError
from thalweg.graph.types import TensorType
from thalweg.model import Model
from thalweg.state import State
from thalweg.state.names import OPTIMIZER, SEED_STATE, SLOTS, level, parameter_state
from thalweg.training.callbacks import CallbackList
from thalweg.training.goals import LOSS, Goals
from thalweg.training.inference import Prediction
from thalweg.training.programs import Programs
from thalweg.training.step import prediction_label
from thalweg.training.trainer import Trainer

__all__ = ["Trial", "step_seconds"]

MEASURED_STEPS = 5
"""From which the time of a step is told."""


class Trial:
    """The model's steps on a state of their own, which begins as the model's.

    A model that says itself what a step does has variables in its attributes, and is copied for that.

    Arguments:
        batch: rows of a step.
        rows: to train on; the subject's unless given.
        optimizer, rate: others than the model's own, not for a model with a step of its own.

    Raises: GraphError if nothing is trained; ArgumentError if the optimizer cannot train this.
    """

    def __init__(
        self,
        subject: Subject,
        batch: int,
        rows: Rows | None = None,
        optimizer: str | None = None,
        rate: float | None = None,
    ) -> None:
        subject.require_trained()
        self.subject = subject
        self.rows = subject.rows if rows is None else rows
        runner = subject.model.runner
        rule = runner.require_compiled(subject.owner).rule
        if optimizer is not None:
            rule = optimizers.get(optimizer)
            rule = rule if rate is None else dataclasses.replace(rule, learning_rate=rate)
        if runner.trains_itself:
            self.trainer = _copied(subject).runner.trainer(subject.owner, self.rows)
        else:
            net, state = runner.net(self.rows), State()
            types = {path: p.type for path, p in net.parameters.items() if path in net.trainable}
            new = rule.states(types) if optimizer is not None else {}
            for name, value in runner.kept_state().items():
                if not new or level(name) not in (OPTIMIZER, SLOTS):
                    state.add(name, TensorType.of(value), value)
            for name, (kind, start) in new.items():
                state.add(name, kind, start)
            programs = subject.programs.setdefault(optimizer, Programs(runner.executor, State()))
            self.trainer = Trainer(net, _without_metrics(subject.goals), rule, programs.on(state))
        self.state = self.trainer.state
        self.trainer.check(steps=1)
        self.trainer.take_form(self.rows)
        self.trainer.prepare(batch, self.rows.weights)
        self._slots = rule.states(
            {path: p.type for path, p in self.trainer.net.parameters.items() if path in self.trainer.net.trainable}
        )
        self._start = self.state.snapshot()

    def back(self) -> None:
        """Be as at the start again."""
        self.state.restore(self._start)

    def anew(self, seed: int) -> None:
        """Have new initial weights in every layer that is trained, and an optimizer that has made no step."""
        self.back()
        net = self.trainer.net
        layers = {path.rpartition("/")[0] for path in net.trainable}
        for path, parameter in net.parameters.items():
            if path.rpartition("/")[0] in layers:
                self.state.write(parameter_state(path), parameter.initial(seed, path))
        for name, (_, start) in self._slots.items():
            if name in self.state:
                self.state.write(name, start)
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Draw other random numbers in the steps."""
        self.state.write(SEED_STATE, seed)

    def run(self, index: np.ndarray) -> float:
        """Steps on the rows of each row of ``index``: their mean loss; infinite where one is not finite.

        Raises: GraphError for a step of the model's own that reports no loss.
        """
        self.trainer.clear()
        self.trainer.run(self.rows.arrays, index, self.subject.threads)
        if not self.trainer.loss_is_finite():
            return math.inf
        return self._loss(self.trainer.logs())

    def curve(self, index: np.ndarray, every: int) -> np.ndarray:
        """The mean losses of so many steps each; ends with infinity where one is not finite."""
        losses: list[float] = []
        for start in range(0, len(index), every):
            losses.append(self.run(index[start : start + every]))
            if not math.isfinite(losses[-1]):
                break
        return np.array(losses)

    def loss(self, rows: Rows) -> float:
        """Of these rows now, as in prediction; infinite if it is not finite."""
        try:
            loss = self._loss(self.trainer.evaluate(rows, self.subject.batch, CallbackList(None), 0))
        except NonFiniteError:
            return math.inf
        return loss if math.isfinite(loss) else math.inf

    def predicted(self, rows: Rows) -> dict[str, np.ndarray]:
        """The outputs by name."""
        prediction = Prediction(self.trainer.net, self.trainer.programs)
        arrays = prediction.run(rows, self.subject.batch, self.subject.threads, lambda _: True)
        return {name: arrays[prediction_label(name)] for name in self.trainer.net.outputs}

    def loss_alike(self, rows: Rows) -> float:
        """What the loss of outputs would be if every row got the mean of the predictions: the level of chance. NaN for
        steps of the model's own.
        """
        if self.trainer.goals is None:
            return math.nan
        predicted, total = self.predicted(rows), 0.0
        for goal in self.trainer.goals.trained:
            assert goal.loss is not None, "it is trained"
            y_pred = predicted[goal.name]
            mean = np.broadcast_to(y_pred.mean(0, keepdims=True), y_pred.shape)
            values = goal.loss(rows.arrays[goal.label], mean, rows.arrays.get(goal.weight_label))
            total += goal.loss_weight * float(np.mean(values))
        return total

    def _loss(self, logs: Mapping[str, Any]) -> float:
        value = logs.get(LOSS)
        if not isinstance(value, int | float | np.number):
            raise GraphError(
                "the step that the model says itself reports no loss",
                expected=f"an entry {LOSS!r} in what train_step and test_step return",
                got=f"{', '.join(map(repr, logs)) or 'nothing'}",
                fix=f"return {{{LOSS!r}: loss}} from them",
            )
        return float(value)


def step_seconds(subject: Subject) -> float:
    """How long a step of training takes, when it is compiled."""
    trial = Trial(subject, subject.batch)
    index = subject.order(MEASURED_STEPS, subject.batch)
    trial.run(index[:1])
    began = time.perf_counter()
    trial.run(index)
    return (time.perf_counter() - began) / MEASURED_STEPS


def _without_metrics(goals: Goals) -> Goals:
    """The same losses: metrics are objects of the user's, which would remember these steps."""
    return dataclasses.replace(goals, outputs=tuple(dataclasses.replace(goal, measures=()) for goal in goals.outputs))


def _copied(subject: Subject) -> Model:
    try:
        return copy.deepcopy(subject.model)
    except ThalwegError:
        raise
    except Exception as error:  # whatever a class of the user's own keeps and cannot be copied
        raise GraphError(
            "the model cannot be copied, and it is a copy that is trained",
            expected="a model that copy.deepcopy copies",
            got=f"{type(error).__name__}: {error}",
            fix="keep files, locks and generators out of the attributes of layers and model",
        ) from error
