"""What ``compile`` does: from an optimizer, losses and metrics to the programs of a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thalweg import executors, optimizers
from thalweg.errors import GraphError
from thalweg.executors.executor import Executor
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.layers.layer import Layer
from thalweg.layers.symbols import SOME_BATCH, Symbol
from thalweg.layers.tracing import freezing
from thalweg.model.network import COUNTERS, Network
from thalweg.state import Snapshot
from thalweg.state.names import EVALUATION, METRICS, OPTIMIZER, SLOTS, parameter_state
from thalweg.training import data
from thalweg.training.goals import Goals, check_names, chosen, is_open, resolve
from thalweg.training.handle import OptimizerHandle
from thalweg.training.inference import OneRow, Prediction
from thalweg.training.position import kept_names
from thalweg.training.programs import Programs
from thalweg.training.step import Net, evaluation_step, prediction_label, prediction_step
from thalweg.training.trainer import Trainer


@dataclass(frozen=True)
class Compiled:
    """The arguments of ``compile`` as they were given; they become goals where the model's outputs are known."""

    loss: Any
    loss_weights: Any
    metrics: Any
    weighted_metrics: Any

    @property
    def arguments(self) -> dict[str, Any]:
        """By their names in ``compile``."""
        return dict(vars(self))

    @property
    def is_open(self) -> bool:
        """Whether a loss is yet to be chosen by the targets, ``"auto"``."""
        return is_open(self.loss)

    def check_names(self) -> None:
        """What can be said before there are outputs. Raises NameNotFoundError for what does not exist."""
        check_names(self.arguments)

    def goals(self, outputs: Mapping[str, Symbol]) -> Goals:
        """The goals for these outputs. Raises ArgumentError or NameNotFoundError, naming the argument."""
        types = {name: symbol.type() for name, symbol in outputs.items()}
        given = {what: _named(value, outputs) for what, value in self.arguments.items()}
        return resolve(types, given["loss"], given["loss_weights"], given["metrics"], given["weighted_metrics"])

    def choose(self, y: Any, outputs: Mapping[str, Symbol], predictions: Mapping[str, Node]) -> tuple[Compiled, str]:
        """The same with what ``"auto"`` means for the targets ``y`` in its place, and what to tell the user of it."""
        loss, told = chosen(_named(self.loss, outputs), predictions, data.targets(y, predictions))
        return dataclasses.replace(self, loss=loss), told


def _named(value: Any, outputs: Mapping[str, Symbol]) -> Any:
    """Of a mapping that names the only output after its layer, as Keras allows, what it maps to."""
    call = outputs[""].call if outputs.keys() == {""} else None
    if isinstance(value, Mapping) and call is not None and set(value) == {call.layer.label}:
        return value[call.layer.label]
    return value


class Compilable(Network):
    """A network that can be told what to be trained for, and gets its programs ready when they are needed."""

    def begin(self, name: str | None, trainable: bool) -> None:
        super().begin(name, trainable)
        self._trained: frozenset[str] = frozenset()  # paths, and layers, as compile found them
        self._frozen: frozenset[Layer] = frozenset()
        self.stop_training = False
        self.loss_choice: str | None = None
        self.optimizer: OptimizerHandle | None = None
        self._executor: Executor | None = None
        self._compiled: Compiled | None = None
        self._goals_fit = False
        self._forget_programs()

    def connect(self, inputs: dict[str, Symbol], outputs: dict[str, Symbol]) -> None:
        super().connect(inputs, outputs)
        self._goals_fit = False
        if self._compiled is not None:
            self._fix_trainable()
        self._forget_programs()

    def _forget_programs(self) -> None:
        self._programs: Programs | None = None
        self._prediction: Prediction | None = None
        self._one_row: OneRow | None = None
        self._trainer: Trainer | None = None

    @property
    def executor(self) -> Executor:
        if self._executor is None:
            self._executor = executors.default()
        return self._executor

    @executor.setter
    def executor(self, executor: Executor) -> None:
        self._executor = executor
        self._forget_programs()

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how to train: the optimizer starts anew, the weights stay.

        Arguments:
            loss: a name, a Loss or a function of two nodes; for several outputs a list or a mapping by their names.
                ``"auto"``: chosen by the last layer and the first targets, see ``losses.automatic.choose``; what was
                chosen is printed, and stands in ``model.loss_choice``.
            run_eagerly, steps_per_execution, jit_compile, auto_scale_loss: accepted for Keras's sake; the whole step is
                always compiled, and runs as often in one call as fits into a tenth of a second.

        Raises: NameNotFoundError or ArgumentError for what is not known; ArgumentError or ShapeError for a loss or
            metric that does not fit the last layer (in ``fit``, if the model is not built yet). Nothing has changed
            then.
        """
        rule = optimizer.rule if isinstance(optimizer, OptimizerHandle) else optimizers.get(optimizer)
        compiled = Compiled(loss, loss_weights, metrics, weighted_metrics)
        checked = self.built and not compiled.is_open
        if checked:
            self._check_goals(compiled.goals(self._outputs))
        else:
            compiled.check_names()
        self._goals_fit = checked
        self.loss_choice = None
        self._compiled = compiled
        if self.built:
            self._fix_trainable()
        self.optimizer = OptimizerHandle(rule)
        self.state.drop(OPTIMIZER, SLOTS, METRICS, EVALUATION)
        self._forget_programs()

    def _fix_trainable(self) -> None:
        """What is trained is settled when the model is compiled, as in Keras: later changes wait for the next time."""
        self._trained = frozenset(self.parameters(trainable_only=True))
        self._frozen = frozenset(layer for layer in self.layers_by_path().values() if not layer.trainable)

    def fixed_trainable(self) -> dict[str, list[str]] | None:
        """What compile found, by path, where layers say something else by now; for files."""
        frozen = [path for path, layer in self.layers_by_path().items() if layer in self._frozen]
        found = self._trained, self._frozen
        self._fix_trainable()
        differs = found != (self._trained, self._frozen)
        self._trained, self._frozen = found
        return {"trained": sorted(found[0]), "frozen": frozen} if differs else None

    def fix_trainable_as(self, paths: Mapping[str, Sequence[str]]) -> None:
        """Take what ``fixed_trainable`` gave. Raises KeyError for a layer that is not there."""
        layers = self.layers_by_path()
        self._trained = frozenset(paths["trained"]) & self.parameters().keys()
        self._frozen = frozenset(layers[path] for path in paths["frozen"])

    def _trained_types(self) -> dict[str, TensorType]:
        return {path: p.type for path, p in self.parameters().items() if path in self._trained}

    def _net(self) -> Net:
        """What the steps need to know of the model."""
        return Net(
            inputs={label: symbol.type() for label, symbol in self._inputs.items()},
            outputs={name: symbol.type() for name, symbol in self._outputs.items()},
            parameters=self.parameters(),
            trainable=self._trained,
            call=self._call,
        )

    def _call(self, inputs: Mapping[str, Node], training: bool) -> dict[str, Node]:
        """The layers on nodes."""
        with freezing(self._frozen if self._compiled is not None else None):
            results = self.call_on([inputs[label] for label in self._inputs], training)
        return dict(zip(self._outputs, results, strict=True))

    def _goals(self) -> Goals:
        assert self._compiled is not None, "asked for compiled models only"
        return self._compiled.goals(self._outputs)

    def _check_goals(self, goals: Goals) -> None:
        """Raise if a loss or metric does not fit the layers: draws the graph of a step, which takes a millisecond."""
        evaluation_step(self._net(), goals, 32)

    def _choose_loss(self, y: Any, verbose: int | str) -> None:
        """Put in place of ``loss="auto"`` what it means for these targets, and say what that is."""
        assert self._compiled is not None, "asked for compiled models only"
        if self._compiled.is_open:
            nodes = prediction_step(self._net(), SOME_BATCH).graph.outputs
            predictions = {name: nodes[prediction_label(name)] for name in self._outputs}
            self._compiled, self.loss_choice = self._compiled.choose(y, self._outputs, predictions)
            if verbose:
                print(self.loss_choice)

    @property
    def metrics_names(self) -> list[str]:
        """The names of what ``evaluate`` returns, in its order."""
        self._require_compiled("metrics_names")
        return self._goals().names

    def metric_rises(self, name: str) -> bool | None:
        """Whether larger values of a metric are better; None if that is not known."""
        return self._goals().rises(name)

    def _require_compiled(self, what: str) -> OptimizerHandle:
        if self.optimizer is None:
            raise GraphError(
                f"{what}: the model is not compiled",
                expected="compile(optimizer, loss) before",
                got="a model without a loss",
                fix="call model.compile(optimizer='adam', loss=...) first",
            )
        return self.optimizer

    def _ready(self) -> Programs:
        if self._programs is None:
            self._require_built("running a model")
            self._give_values()
            self._programs = Programs(self.executor, self.state)
        return self._programs

    def _ready_to_train(self, what: str) -> Trainer:
        """The trainer, made anew after ``compile`` or a change of the layers."""
        if self._trainer is None:
            optimizer = self._require_compiled(what)
            programs, net, goals = self._ready(), self._net(), self._goals()
            if not self._goals_fit:
                self._check_goals(goals)
                self._goals_fit = True
            self._give_slots(optimizer)
            self._trainer = Trainer(net, goals, optimizer.rule, programs)
        return self._trainer

    def _give_slots(self, optimizer: OptimizerHandle) -> None:
        """Put the optimizer's counters and, for each parameter that it trains, its slots into the state."""
        for name, variable in optimizer.scalars.items():
            self.state.put(name, variable)
        for name, (kind, start) in optimizer.rule.states(self._trained_types()).items():
            self.state.add(name, kind, start)

    def state_types(self) -> dict[str, TensorType]:
        """The states that a file of this model must have: parameters, counters and, if compiled, the optimizer's."""
        types = COUNTERS | {parameter_state(path): p.type for path, p in self.parameters().items()}
        if self.optimizer is not None:
            types |= {name: kind for name, (kind, _) in self.optimizer.rule.states(self._trained_types()).items()}
        return types

    def kept_state(self) -> Snapshot:
        """Copies of all that a file holds: what it must, and where training stands."""
        return self.state.snapshot(dict.fromkeys([*self.state_types(), *kept_names(self.state)]))

    def take_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Put what ``checkpoint.fitting`` found in a file into the state."""
        self._give_values(seed=0)
        if self.optimizer is not None:
            self._give_slots(self.optimizer)
        for name, array in arrays.items():
            self.state.add(name, TensorType.of(array))
            self.state.write(name, array)
