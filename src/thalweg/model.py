"""The front door: models are built, compiled, trained, used and saved here. What they do stands in ``training``."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg import config, executors, optimizers
from thalweg.checks import SpellingNotice as SpellingNotice
from thalweg.checks import check_value
from thalweg.data.arrays import as_array, converted
from thalweg.errors import ArgumentError, GraphError, ShapeError, did_you_mean
from thalweg.executors import layout
from thalweg.executors import threads as cores
from thalweg.executors.executor import Executor
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.layers.layer import (
    SEED_STATE,
    STEP_STATE,
    TOKEN_BATCH,
    Call,
    Input,
    Layer,
    Parameter,
    Symbol,
    freezing,
    name_layers,
)
from thalweg.layers.nested import Nested, unwrapped
from thalweg.layers.summary import table_lines, total_lines
from thalweg.record.history import History
from thalweg.registry import Registry
from thalweg.training import checkpoint, data
from thalweg.training.callbacks import Callback, CallbackList
from thalweg.training.data import Rows
from thalweg.training.goals import Goals, check_names, chosen, is_open, resolve
from thalweg.training.handle import OptimizerHandle
from thalweg.training.inference import OneRow, Prediction, only
from thalweg.training.programs import Programs
from thalweg.training.progress import Counter, check_verbose
from thalweg.training.step import Net, evaluation_step, prediction_label, prediction_step
from thalweg.training.trainer import Count, Schedule, Trainer, params

EPOCH_STATE = "random/epoch"
"""Epochs ever begun: with the seed it gives the next epoch's order, so 5 epochs are 2 and 3 more, to the bit."""

Callbacks = Callback | CallbackList | Sequence[Callback] | None
Parts = Symbol | Sequence[Symbol] | Mapping[str, Symbol]


class Model:
    """A network from inputs to outputs, made by calling layers on ``Input``.

    Arguments:
        inputs, outputs: a symbol, or a list or mapping of several. With a mapping of outputs ``predict`` gives one too.

    Attributes:
        history: the History of the last ``fit``.
        stop_training: set to True by a callback to end training.
        executor: what runs the model; set it before the first use, or leave it to ``thalweg.executors.default()``.

    Raises: GraphError if an output does not come from the inputs.
    """

    def __init__(self, inputs: Parts, outputs: Parts, name: str | None = None) -> None:
        self.begin(name, trainable=True)
        self._seed = config.new_seed()
        entries = _parts(inputs, "inputs")
        name_layers(call.layer for call in _calls(entries, _parts(outputs, "outputs")))  # outputs are named after them
        self._named_outputs = isinstance(outputs, Mapping)
        self.connect(entries, _parts(outputs, "outputs"))
        self._give_values()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, {len(self._layers)} layers{'' if self.built else ', not built'}>"

    def begin(self, name: str | None, trainable: bool) -> None:
        """Be a model without layers. A method of its own, because models from files are made without ``__init__``."""
        self.name = name or ("sequential" if isinstance(self, Sequential) else "functional")
        self._has_own_name = name is not None
        self._trainable = trainable
        self._trained: frozenset[str] = frozenset()  # paths, and layers, as compile found them
        self._frozen: frozenset[Layer] = frozenset()
        self._nested: Nested | None = None  # what this model is in others
        self._named_outputs = False
        self.stop_training = False
        self.loss_choice: str | None = None
        self.history: History | None = None
        self.optimizer: OptimizerHandle | None = None
        self.state: dict[str, np.ndarray] = {}
        self._executor: Executor | None = None
        self._layers: list[Layer] = []
        self._inputs: dict[str, Symbol] = {}  # by their labels in the graph: "x", or "x/<name>" if there are several
        self._outputs: dict[str, Symbol] = {}  # by their names; the only output of a model is called ""
        self._calls: list[Call] = []  # the uses of the layers, each after those that it needs
        self._compiled: dict[str, Any] | None = None
        self._seed = 0
        self._has_values = False
        self._goals_fit = False
        self._forget_programs()

    # Structure

    def connect(self, inputs: dict[str, Symbol], outputs: dict[str, Symbol]) -> None:
        """Make these the model's inputs and outputs, name its layers and give them values."""
        self._inputs, self._outputs = inputs, outputs
        self._calls = _calls(inputs, outputs)
        self._layers = list(dict.fromkeys(call.layer for call in self._calls))
        self._has_values = self._goals_fit = False
        name_layers(self._layers)
        if not self._trainable:
            self.trainable = False
        if self._compiled is not None:
            self._fix_trainable()
        self._forget_programs()

    def _fix_trainable(self) -> None:
        """What is trained is settled when the model is compiled, as in Keras: later changes wait for the next time."""
        self._trained = frozenset(self.parameters(trainable_only=True))
        self._frozen = frozenset(layer for layer in _with_inner(self._layers) if not layer.trainable)

    def _trained_types(self) -> dict[str, TensorType]:
        return {path: p.type for path, p in self.parameters().items() if path in self._trained}

    def _give_values(self, seed: int | None = None) -> None:
        """Put every parameter, and the counters, into the state; new parameters get their initial values."""
        if self._has_values:
            return
        if SEED_STATE not in self.state:
            for state, dtype in ((SEED_STATE, "uint32"), (STEP_STATE, "uint32"), (EPOCH_STATE, "int64")):
                self.state[state] = layout.empty(TensorType((), dtype))
            self.state[SEED_STATE][...] = self._seed if seed is None else seed
        for path, parameter in self.parameters().items():
            if parameter.value is None:
                parameter.value = layout.empty(parameter.type)
                parameter.value[...] = parameter.initial(int(self.state[SEED_STATE]), path)
            self.state[path] = parameter.value
        self._has_values = True

    def _forget_programs(self) -> None:
        self._programs: Programs | None = None
        self._prediction: Prediction | None = None
        self._one_row: OneRow | None = None
        self._trainer: Trainer | None = None

    @property
    def built(self) -> bool:
        """Whether the type of the input is known, and with it all parameters."""
        return bool(self._calls)

    @property
    def trainable(self) -> bool:
        """Whether training changes the model; setting it sets it for all layers. ``compile`` goes by what it finds."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value
        for layer in self._layers:
            layer.trainable = value

    @property
    def layers(self) -> list[Any]:
        """The layers, and the models that are used as such."""
        return unwrapped(self._layers)

    def own_layers(self) -> list[Layer]:
        """The layers, with a ``Nested`` in place of each model among them."""
        return list(self._layers)

    @property
    def inputs(self) -> list[Symbol]:
        return list(self._inputs.values())

    @property
    def outputs(self) -> list[Symbol]:
        return list(self._outputs.values())

    @property
    def input_shape(self) -> Any:
        return only([symbol.shape for symbol in self._inputs.values()])

    @property
    def output_shape(self) -> Any:
        return only([symbol.shape for symbol in self._outputs.values()])

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """A layer (or model used as one) by its name or its place.

        Raises: ArgumentError if there is no such layer.
        """
        names = [layer.label for layer in self._layers]
        if index is not None and name is None and -len(names) <= index < len(names):
            return self.layers[index]
        if name in names and index is None:
            return self.layers[names.index(name)]
        raise ArgumentError(
            "there is no such layer",
            expected=f"name= one of {', '.join(map(repr, names))}, or index= below {len(names)}",
            got=f"name={name!r}, index={index!r}",
            fix=did_you_mean(str(name), names) if name is not None else "pass name= or index=",
        )

    def parameters(self, trainable_only: bool = False) -> dict[str, Parameter]:
        """Path, as ``"dense_1/kernel"``, -> parameter."""
        if trainable_only and not self.trainable:
            return {}
        found: dict[str, Parameter] = {}
        for layer in self._layers:
            found |= layer.named_parameters(f"{layer.label}/", trainable_only=trainable_only)
        return found

    def count_params(self) -> int:
        """How many numbers the parameters are."""
        self._require_built("count_params")
        return sum(parameter.type.size for parameter in self.parameters().values())

    def _net(self) -> Net:
        """What the steps need to know of the model."""
        return Net(
            inputs={label: symbol.type(TOKEN_BATCH) for label, symbol in self._inputs.items()},
            outputs={name: symbol.type(TOKEN_BATCH) for name, symbol in self._outputs.items()},
            parameters=self.parameters(),
            trainable=self._trained,
            call=self._call,
        )

    def _call(self, inputs: Mapping[str, Node], training: bool) -> dict[str, Node]:
        """The layers on nodes."""
        with freezing(self._frozen if self._compiled is not None else None):
            results = self.call_on([inputs[label] for label in self._inputs], training)
        return dict(zip(self._outputs, results, strict=True))

    def call_on(self, inputs: Sequence[Node], training: bool) -> tuple[Node, ...]:
        """The outputs in their order, made by calling the layers on a node for each input."""
        known = dict(zip(self._inputs.values(), inputs, strict=True))
        values: dict[tuple[Call | None, int], Node] = {}

        def value(symbol: Symbol) -> Node:
            return known[symbol] if symbol in known else values[symbol.call, symbol.index]

        for call in self._calls:
            told = training if call.training is None else call.training
            results = call.layer(*map(value, call.inputs), training=told)
            for index, node in enumerate(results if isinstance(results, tuple) else (results,)):
                values[call, index] = node
        return tuple(value(symbol) for symbol in self._outputs.values())

    def __call__(self, inputs: Any, training: bool | None = None) -> Any:
        """The model on arrays: predictions. On symbols: it becomes a layer of another model, weights shared.

        Arguments:
            training: on symbols, False for a part that is to behave as in prediction also while the rest is trained.
        """
        several = isinstance(inputs, Mapping | list | tuple)
        given = list(inputs.values() if isinstance(inputs, Mapping) else inputs) if several else [inputs]
        if not given or not all(isinstance(part, Symbol) for part in given):
            return self.predict(inputs, verbose=0)
        labels = list(self._inputs) or ["x"]
        if len(given) != len(labels):
            raise ArgumentError(
                "a model is called on another number of symbols than it has inputs",
                expected=f"{len(labels)}",
                got=f"{len(given)}",
                fix="pass one symbol for each input",
            )
        parts = data.by_label(inputs if isinstance(inputs, Mapping) or len(given) > 1 else given[0], labels, "x")
        made = self.as_layer()(*parts.values(), training=training)
        if not self._named_outputs:
            return only(list(made)) if isinstance(made, tuple) else made
        return dict(zip(self._outputs, made if isinstance(made, tuple) else (made,), strict=True))

    def as_layer(self) -> Nested:
        """What stands for this model among the layers of others: always the same."""
        if self._nested is None:
            Nested(model=self, name=self.name if self._has_own_name else None, trainable=self._trainable)
        assert self._nested is not None, "it made itself known by use_as"
        return self._nested

    def use_as(self, layer: Nested) -> None:
        """Be known by this layer in other models."""
        self._nested = layer

    def build_on(self, types: Sequence[TensorType]) -> None:
        """Get ready for inputs of these types, batch axis included, as a part of another model."""
        self._require_built("calling a model on symbols")

    # Compiling

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
        chosen = optimizer.rule if isinstance(optimizer, OptimizerHandle) else optimizers.get(optimizer)
        compiled = {
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        open_loss = is_open(loss)
        if self.built and not open_loss:
            self._check_goals(self._goals(compiled))
        else:
            check_names(compiled)
        self._goals_fit = self.built and not open_loss
        self.loss_choice = None
        self._compiled = compiled
        if self.built:
            self._fix_trainable()
        self.optimizer = OptimizerHandle(chosen)
        for name in [name for name in self.state if name.startswith(("optimizer/", "metrics/", "evaluation/"))]:
            del self.state[name]
        self._forget_programs()

    def _goals(self, compiled: Mapping[str, Any] | None = None) -> Goals:
        given = compiled or self._compiled
        assert given is not None, "asked for compiled models only"
        outputs = {name: symbol.type(TOKEN_BATCH) for name, symbol in self._outputs.items()}
        if self._outputs.keys() == {""}:
            given = {what: self._of_only_output(value) for what, value in given.items()}
        return resolve(outputs, given["loss"], given["loss_weights"], given["metrics"], given["weighted_metrics"])

    def _choose_loss(self, y: Any, verbose: int | str) -> None:
        """Put in place of ``loss="auto"`` what it means for these targets, and say what that is."""
        assert self._compiled is not None, "asked for compiled models only"
        if is_open(self._compiled["loss"]):
            outputs = prediction_step(self._net(), TOKEN_BATCH).graph.outputs
            nodes = {name: outputs[prediction_label(name)] for name in self._outputs}
            given = self._compiled["loss"]
            given = self._of_only_output(given) if self._outputs.keys() == {""} else given
            loss, self.loss_choice = chosen(given, nodes, data.targets(y, nodes))
            self._compiled = {**self._compiled, "loss": loss}
            if verbose:
                print(self.loss_choice)

    def _of_only_output(self, value: Any) -> Any:
        """Of a mapping that names the only output after its layer, as Keras allows, what it maps to."""
        call = self._outputs[""].call
        if isinstance(value, Mapping) and call is not None and set(value) == {call.layer.label}:
            return value[call.layer.label]
        return value

    def _check_goals(self, goals: Goals) -> None:
        """Raise if a loss or metric does not fit the layers: draws the graph of a step, which takes a millisecond."""
        evaluation_step(self._net(), goals, 32)

    @property
    def metrics_names(self) -> list[str]:
        """The names of what ``evaluate`` returns, in its order."""
        self._require_compiled("metrics_names")
        return self._goals().names

    def metric_rises(self, name: str) -> bool | None:
        """Whether larger values of a metric are better; None if that is not known."""
        goals = self._goals()
        if name == "loss" or any(name == goal.loss_name for goal in goals.outputs):
            return False
        metric = next((m.metric for goal in goals.outputs for m in goal.measures if m.name == name), None)
        return None if metric is None else getattr(metric, "rises", "loss" not in type(metric).__name__.lower())

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
            self._trainer = Trainer(net, goals, optimizer.rule, programs, lambda: self.stop_training)
        return self._trainer

    def _give_slots(self, optimizer: OptimizerHandle) -> None:
        """Put the optimizer's counters and, for each parameter that it trains, its slots into the state."""
        self.state |= optimizer.scalars
        for name, (kind, start) in optimizer.rule.states(self._trained_types()).items():
            if name not in self.state:
                self.state[name] = layout.empty(kind)
                self.state[name][...] = start

    def _require_built(self, what: str) -> None:
        if not self.built:
            raise GraphError(
                f"{what}: the model is not built",
                expected="a model that knows the shape of its input",
                got="a Sequential without layers" if not self.layers else "a Sequential without an Input",
                fix="put Input(shape=...) first, call build(input_shape), or fit the model to data",
            )

    def _require_compiled(self, what: str) -> OptimizerHandle:
        if self.optimizer is None:
            raise GraphError(
                f"{what}: the model is not compiled",
                expected="compile(optimizer, loss) before",
                got="a model without a loss",
                fix="call model.compile(optimizer='adam', loss=...) first",
            )
        return self.optimizer

    def _build_for(self, x: Any, seed: int | None = None) -> None:
        """Build a model that has no Input yet for data like these."""
        self._require_built("running a model")

    # Training and use

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | str | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Callbacks = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | str | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        *,
        threads: int | None = None,
        seed: int | None = None,
    ) -> History:
        """Train. Arguments as in Keras, and two more.

        Arguments:
            batch_size: 32 unless given; 1 for stochastic gradient descent, ``"full"`` for all rows in one step.
            epochs: the index after the last epoch: with ``initial_epoch=2``, ``epochs=5`` trains 3.
            validation_batch_size: accepted; the results do not depend on it.
            threads: at most so many; all cores unless given or set in ``THALWEG_THREADS``. Results do not depend on it.
            seed: of the shuffling and of dropout, and of the weights of a model that is not built yet.

        Ctrl-C finishes the step and returns what there is, with ``history.stopped_by == "user"``.

        Raises: ShapeError, DTypeError, DataError or ArgumentError before anything has changed; NonFiniteError if a
            loss is not finite, with the model as it was before that step.
        """
        schedule = Schedule(
            32 if batch_size is None else batch_size,
            epochs,
            initial_epoch,
            shuffle,
            steps_per_epoch,
            validation_freq if isinstance(validation_freq, int) else tuple(validation_freq),
            threads,
            verbose,
        )
        watchers = CallbackList(callbacks)
        self._require_compiled("fit")
        self._build_for(x, seed)
        self._choose_loss(y, verbose)
        trainer = self._ready_to_train("fit")
        rows = self._prepare(x, y, sample_weight, class_weight)
        rows, held_out = self._hold_out(rows, validation_split, validation_data)
        if held_out is not None:
            size = schedule.batch(rows.count) if validation_batch_size is None else validation_batch_size
            held_out = _first(held_out, validation_steps, size, "fit: of the validation")
        if seed is not None:
            self.state[SEED_STATE][...] = seed
        self.stop_training = False
        told = params(verbose, schedule.epochs, schedule.steps(rows.count))
        self.history = History(params=told, seed=int(self.state[SEED_STATE]))
        watchers.attach(self, told)
        trainer.fit(rows, held_out, schedule, watchers, self.history)
        return self.history

    def _prepare(self, x: Any, y: Any, sample_weight: Any, class_weight: Any = None) -> Rows:
        types = _sample_types(self._inputs)
        return data.prepare(x, y, sample_weight, class_weight, types, self._ready_to_train("training").goals.outputs)

    def _hold_out(self, rows: Rows, share: float, given: Any) -> tuple[Rows, Rows | None]:
        """The rows to train on and those to validate on: ``validation_data`` wins over ``validation_split``."""
        if given is not None:
            return rows, self._prepare(*data.unpack_validation(given))
        return data.split_tail(rows, share) if share else (rows, None)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Callbacks = None,
        return_dict: bool = False,
    ) -> float | list[Any] | dict[str, Any]:
        """Loss and metrics over all rows: a list in the order of ``metrics_names``, a number if there is only a loss.

        The results do not depend on ``batch_size``.
        """
        verbose, watchers = check_verbose(verbose), CallbackList(callbacks)
        self._require_compiled("evaluate")
        self._build_for(x)
        self._choose_loss(y, verbose)
        trainer = self._ready_to_train("evaluate")
        rows = _first(self._prepare(x, y, sample_weight), steps, batch_size, "evaluate")
        watchers.attach(self, {"verbose": verbose, "steps": rows.count})
        logs = trainer.evaluate(rows, watchers, verbose)
        return logs if return_dict else _flat(logs)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Callbacks = None,
    ) -> Any:
        """The outputs for all rows. The results do not depend on ``batch_size``, and no size compiles anything new."""
        one_row = self._one_row
        if one_row is not None and one_row.takes(x) and callbacks is None:
            return one_row(x)
        self._build_for(x)
        rows = _first(data.prepare_inputs(x, _sample_types(self._inputs)), steps, batch_size, "predict")
        return self._predict(rows, check_verbose(verbose), CallbackList(callbacks))

    def _predict(self, rows: Rows, verbose: int | str, watchers: CallbackList) -> Any:
        if self._prediction is None:
            self._prediction = Prediction(self._net(), self._ready())
        threads = cores.wanted(None)
        if len(self._inputs) == len(self._outputs) == 1 and rows.count == 1:
            self._one_row = self._one_row or OneRow(self._prediction)
        watchers.attach(self, {"verbose": verbose, "steps": rows.count})
        single = watchers.watches_batches("predict")
        counter = Counter(verbose, "Predict", -(-rows.count // 128))

        def watch(done: int) -> bool:
            counter.update(done)
            if single:
                watchers.call("on_predict_batch_begin", done - 1)
                watchers.call("on_predict_batch_end", done - 1)
            return True

        watchers.call("on_predict_begin")
        results = self._prediction.run(rows, threads, watch, single)
        watchers.call("on_predict_end")
        counter.finish()
        named = {name: results[prediction_label(name)] for name in self._outputs}
        return named if self._named_outputs else only(list(named.values()))

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for all rows."""
        return self.predict(x, verbose=0)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | str | None = None,
        return_dict: bool = False,
    ) -> float | list[Any] | dict[str, Any]:
        """One step on all the rows given; loss and metrics of this batch as ``evaluate`` returns them."""
        self._require_compiled("train_on_batch")
        self._build_for(x)
        self._choose_loss(y, verbose=0)
        trainer = self._ready_to_train("train_on_batch")
        logs = trainer.train_on_batch(self._prepare(x, y, sample_weight, class_weight))
        return logs if return_dict else _flat(logs)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> float | list[Any] | dict[str, Any]:
        """Loss and metrics of the rows given, without training."""
        return self.evaluate(x, y, verbose=0, sample_weight=sample_weight, return_dict=return_dict)

    # Weights and files

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all parameters, layer by layer."""
        self._require_built("get_weights")
        self._give_values()
        return [self.state[path].copy() for path in self.parameters()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Put values into all parameters.

        Raises: ShapeError or DTypeError, before any is changed.
        """
        self._require_built("set_weights")
        self._give_values()
        arrays = [as_array(array, f"weights[{number}]") for number, array in enumerate(weights)]
        wanted = {path: parameter.shape for path, parameter in self.parameters().items()}
        if [array.shape for array in arrays] != list(wanted.values()):
            raise ShapeError(
                "the arrays do not fit the model's weights",
                expected=", ".join(f"{path} {shape}" for path, shape in wanted.items()),
                got=", ".join(str(array.shape) for array in arrays) or "no arrays",
                fix="pass what get_weights() of an equal model gives",
            )
        for path, array in zip(wanted, arrays, strict=True):
            self.state[path][...] = converted(array, str(self.state[path].dtype), path)

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """The whole model in one file: layers, weights, and, if compiled, all that is needed to go on training.

        Training goes on from it to the same bits as without the file between.
        Raises: StorageError if it cannot be written (an older file then stays as it was); ArgumentError if something
            in the model cannot be described in a file.
        """
        self._require_built("save")
        self._give_values()
        if self.optimizer is not None:
            self._give_slots(self.optimizer)
        checkpoint.save(filepath, self.state, self._description(with_compile=True), overwrite)

    def state_types(self) -> dict[str, TensorType]:
        """The states that a file of this model must have: parameters, counters and, if compiled, the optimizer's."""
        counters = {SEED_STATE: "uint32", STEP_STATE: "uint32", EPOCH_STATE: "int64"}
        types = {name: TensorType((), dtype) for name, dtype in counters.items()}
        types |= {path: parameter.type for path, parameter in self.parameters().items()}
        if self.optimizer is not None:
            types |= {name: kind for name, (kind, _) in self.optimizer.rule.states(self._trained_types()).items()}
        return types

    def take_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Put the arrays of a file into the state; they have been checked against :meth:`state_types`."""
        self._give_values(seed=0)
        if self.optimizer is not None:
            self._give_slots(self.optimizer)
        for name in self.state_types():
            self.state[name][...] = arrays[name]

    def save_weights(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """The parameters alone, by their names, in a safetensors file."""
        self._require_built("save_weights")
        self._give_values()
        checkpoint.save_weights(filepath, {path: self.state[path] for path in self.parameters()}, overwrite)

    def load_weights(self, filepath: str | os.PathLike[str], skip_mismatch: bool = False) -> None:
        """Parameters by their names from a file that ``save_weights`` or ``save`` wrote.

        Arguments:
            skip_mismatch: leave parameters as they are that the file lacks or has in another shape.

        Raises: FileFormatError, before any is changed.
        """
        self._require_built("load_weights")
        self._give_values()
        wanted = {path: self.state[path] for path in self.parameters()}
        checkpoint.load_weights(filepath, wanted, skip_mismatch)

    def get_config(self) -> dict[str, Any]:
        """The layers and how they are connected, in JSON types."""
        self._require_built("get_config")
        structure = checkpoint.Structure(
            self.name, self.trainable, self._inputs, self._outputs, self._layers, self._calls, self._named_outputs
        )
        return checkpoint.describe_structure(structure)

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[dict[str, Any], dict[str, np.ndarray]]]:
        """Copies and pickles hold what a file holds: compiled code and addresses must not be copied."""
        description = self._description(with_compile=True)
        self._give_values()
        if self.optimizer is not None:
            self._give_slots(self.optimizer)
        return _revived, (description, {name: self.state[name].copy() for name in self.state_types()})

    def _description(self, with_compile: bool) -> dict[str, Any]:
        description = {"class_name": type(self).__name__, "config": self.get_config()}
        if with_compile and self.optimizer is not None and self._compiled is not None:
            description["compile"] = checkpoint.describe_compile(self.optimizer.rule, self._compiled)
        return description

    def to_json(self, **kwargs: Any) -> str:
        """The layers and how they are connected, without weights; keywords go to ``json.dumps``."""
        return json.dumps(self._description(with_compile=False), **kwargs)

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print the layers, the shapes of their outputs and how many parameters they have.

        Arguments:
            expand_nested: whether the layers of models among them are shown too.
        """
        show = print_fn or print
        table = table_lines(self._layers, line_length, positions, show_trainable, layer_range, expand_nested)
        optimizer = [array for name, array in self.state.items() if name.startswith("optimizer/")]
        totals = total_lines(self.parameters(), list(self.parameters(trainable_only=True)), optimizer)
        for line in [f'Model: "{self.name}"', *table, *totals]:
            show(line)


class Sequential(Model):
    """Layers one after the other. Without an Input in front the model is built when it first sees data.

    Raises: ArgumentError for what is no layer.
    """

    def __init__(
        self, layers: Sequence[Layer | Model | Symbol] | None = None, trainable: bool = True, name: str | None = None
    ) -> None:
        self.begin(name, trainable)
        self._seed = config.new_seed()
        self._input: Symbol | None = None
        for layer in layers or ():
            self._append(layer)
        self._rebuild()

    def add(self, layer: Layer | Model | Symbol, rebuild: bool = True) -> None:
        """Put a layer behind the last one."""
        self._append(layer)
        if rebuild:
            self._rebuild()

    def pop(self, rebuild: bool = True) -> Layer | Model:
        """Take the last layer away and return it."""
        if not self._layers:
            raise ArgumentError(
                "there is no layer to take away", expected="at least one layer", got="none", fix="add layers first"
            )
        layer = self._layers.pop()
        if rebuild:
            self._rebuild()
        (taken,) = unwrapped([layer])
        return taken  # type: ignore[no-any-return]

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Fix the shape of the input, batch axis included as in Keras: ``build((None, 784))``."""
        if input_shape is not None:
            self._input = Input(batch_shape=input_shape)
            self._rebuild()
        self._require_built("build")
        self._give_values()

    def _append(self, layer: Any) -> None:
        if isinstance(layer, Model):
            if layer.built and not self._layers and self._input is None:
                entry = only(layer.inputs)
                self._input = Input(shape=entry.shape[1:], dtype=entry.dtype) if isinstance(entry, Symbol) else None
            layer = layer.as_layer()
        if isinstance(layer, Symbol) and layer.call is None and not self._layers:
            self._input = layer
            return
        if not isinstance(layer, Layer) or layer in self._layers:
            problem = "is in the model already" if isinstance(layer, Layer) else "is no layer"
            raise ArgumentError(
                f"what is added to a Sequential {problem}",
                expected="layers, each once, and an Input in front",
                got=f"{layer!r:.80} ({type(layer).__name__}) at place {len(self._layers)}",
                fix="use layers such as thalweg.layers.Dense(10); a layer used twice needs Model(inputs, outputs)",
            )
        if layer.input_shape is not None and not self._layers and self._input is None:
            kind = type(layer).__name__
            warnings.warn(f"{kind}: input_shape= is read as a first Input(shape=...)", SpellingNotice, stacklevel=4)
            self._input = Input(shape=layer.input_shape)
        self._layers.append(layer)

    def _rebuild(self) -> None:
        """Connect the layers, if the input is known. Values that parameters have stay."""
        name_layers(self._layers)
        if self._input is None or not self._layers:
            self._calls, self._inputs, self._outputs = [], {}, {}
            self._forget_programs()
            return
        self._connect_layers()
        self._give_values()

    def _connect_layers(self) -> None:
        name_layers(self._layers)
        assert self._input is not None, "asked for models with an input"
        layers, symbol = list(self._layers), self._input
        for layer in layers:
            symbol = layer(symbol)
        self._forget_state()
        self.connect({"x": self._input}, {"": symbol})

    def build_on(self, types: Sequence[TensorType]) -> None:
        if not self.built and self._layers and len(types) == 1:
            self._input = Input(shape=types[0].shape[1:], dtype=types[0].dtype)
            self._connect_layers()
        super().build_on(types)

    def _forget_state(self) -> None:
        """Drop what depends on the layers; they keep their parameters' values themselves. The optimizer starts anew."""
        kept = {name: array for name, array in self.state.items() if name.startswith("random/")}
        if self.state and self.optimizer is not None:
            self.optimizer = OptimizerHandle(self.optimizer.rule)
        self.state = kept

    def _build_for(self, x: Any, seed: int | None = None) -> None:
        if not self.built and self._layers:
            kind = data.input_type(x)
            if seed is not None:
                self._seed = seed
            self._input = Input(shape=kind.shape, dtype=kind.dtype)
            self._rebuild()
        self._require_built("running a model")


def _parts(given: Any, what: str) -> dict[str, Symbol]:
    """Symbols by label: "x" or "x/<name>" for inputs, "" or the name for outputs."""
    if isinstance(given, Symbol):
        return {"x" if what == "inputs" else "": given}
    named = dict(given) if isinstance(given, Mapping) else None
    symbols = list(named.values()) if named is not None else list(given) if isinstance(given, Sequence) else []
    if not symbols or not all(isinstance(symbol, Symbol) for symbol in symbols):
        raise ArgumentError(
            f"Model: argument {what!r} does not fit its rule",
            expected="what Input(...) or a layer called on it gave, or a list or mapping of these",
            got=f"{given!r:.80} ({type(given).__name__})",
            fix="call layers on Input(shape=...) and pass the results",
        )
    if len(symbols) == 1 and named is None:
        return _parts(symbols[0], what)
    names = list(named) if named is not None else _names(symbols, what)
    return {f"x/{name}" if what == "inputs" else name: s for name, s in zip(names, symbols, strict=True)}


def _names(symbols: Sequence[Symbol], what: str) -> list[str]:
    """The symbols' own names, those of the layers that made them, or numbers."""
    names: list[str] = []
    for number, symbol in enumerate(symbols):
        base = symbol.name or (symbol.call.layer.label if symbol.call else f"{what[:-1]}_{number}")
        names.append(base if base not in names else f"{base}_{number}")
    return names


def _calls(inputs: Mapping[str, Symbol], outputs: Mapping[str, Symbol]) -> list[Call]:
    """The layer calls between inputs and outputs, each after those that it needs."""
    given = set(inputs.values())
    order: dict[Call, None] = {}
    stack = [(symbol, False) for symbol in reversed(list(outputs.values()))]
    while stack:
        symbol, ready = stack.pop()
        if symbol in given or symbol.call in order:
            continue
        if symbol.call is None:
            raise GraphError(
                "an output needs an Input that is none of the model's",
                expected="outputs that come from the inputs alone",
                got=f"Input of shape {symbol.shape}" + (f" called {symbol.name!r}" if symbol.name else ""),
                fix="add it to inputs=",
            )
        if ready:
            order[symbol.call] = None
        else:
            stack.append((symbol, True))
            stack.extend((x, False) for x in reversed(symbol.call.inputs))
    return list(order)


def _with_inner(layers: Sequence[Layer]) -> Iterator[Layer]:
    """The layers and all inside them."""
    for layer in layers:
        yield layer
        yield from _with_inner(layer.sublayers())


def _sample_types(inputs: Mapping[str, Symbol]) -> dict[str, TensorType]:
    return {label: TensorType(symbol.type(1).shape[1:], symbol.dtype) for label, symbol in inputs.items()}


def _first(rows: Rows, steps: int | None, batch_size: int | None, owner: str) -> Rows:
    """The rows of the first ``steps`` batches; all without ``steps``. Raises ArgumentError for a bad number."""
    batch_size = check_value(owner, "batch_size", Count | None, batch_size)
    steps = check_value(owner, "steps", Count | None, steps)
    return rows if steps is None else rows.take(slice(steps * (batch_size or 32)))


def _flat(logs: Mapping[str, Any]) -> float | list[Any]:
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Model:
    """The model that ``save`` wrote; training goes on from it as if it had never stopped.

    Arguments:
        custom_objects: name -> class, for layers, losses, metrics and optimizers that are not registered.
        compile: whether to restore optimizer, loss and metrics too.
        safe_mode: accepted; a file never runs anything.

    Raises: FileFormatError for a file that is damaged or no model, StorageError if it cannot be read.
    """
    arrays, description = checkpoint.read(filepath)
    checkpoint.register_custom(custom_objects or {})
    with checkpoint.reading(filepath):
        model = _from_description(description, compile)
    checkpoint.check_arrays(filepath, model.state_types(), arrays)
    model.take_state(arrays)
    return model


def clone_model(model: Model) -> Model:
    """A model of the same layers with new initial weights, not compiled."""
    clone = _from_description({"class_name": type(model).__name__, "config": model.get_config()}, compile=False)
    clone._seed = config.new_seed()
    clone._give_values()
    return clone


def _revived(description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Model:
    """The model of a copy or a pickle."""
    model = _from_description(description, compile=True)
    model.take_state(arrays)
    return model


def _from_description(description: Mapping[str, Any], compile: bool) -> Model:
    settings = description["config"]
    inputs, outputs = checkpoint.restore_structure(settings)
    model: Model
    if description["class_name"] == "Sequential":
        model = Sequential.__new__(Sequential)
        model._input = inputs["x"]
    else:
        model = Model.__new__(Model)
    model.begin(str(settings["name"]), trainable=bool(settings["trainable"]))
    model._named_outputs = bool(settings.get("named_outputs", False))
    model.connect(inputs, outputs)
    if compile and "compile" in description:
        model.compile(**checkpoint.restore_compile(description["compile"]))
    return model


class _Models(Registry[Model]):
    """Lets the description of a layer hold a whole model, as that of ``Nested`` does."""

    def config(self, instance: Model) -> dict[str, Any]:
        return {"kind": self.kind, "class_name": type(instance).__name__, "config": instance.get_config()}

    def from_config(self, description: Mapping[str, Any]) -> Model:
        return _from_description(description, compile=False)


_models = _Models("model")
_models.register("Model")(Model)
_models.register("Sequential")(Sequential)
