"""What runs a model: its state and its programs.

Whoever looks inside a model (``numdiff``, ``visualization``, ``evaluation``) asks ``model.runner``, and finds there how
the layers are connected (``structure``), what ``compile`` decided (``compiled``), the layers as a function of nodes
(``net``, ``call``), data as the graph takes them (``rows``, ``prepare``) and programs. ``model.build_for(data)`` comes
first for models without an Input.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from thalweg import config, cores, executors, memory
from thalweg.checks import check_value
from thalweg.data.source import Arrays, Rows, Source
from thalweg.data.streams.parts import Parts
from thalweg.data.streams.stream import Stream
from thalweg.errors import GraphError, InsufficientMemoryError
from thalweg.executors.executor import Executor
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.layers.signature import SOME_BATCH
from thalweg.layers.tracing import Parameter, freezing
from thalweg.model.compiled import Compiled, Trained, named
from thalweg.model.forms import Form, Forms, Shapes
from thalweg.model.structure import Structure
from thalweg.model.turns import Turns
from thalweg.processes.job import say
from thalweg.state import Snapshot, State
from thalweg.state.names import (
    EPOCH_STATE,
    EVALUATION,
    METRICS,
    OPTIMIZER,
    OPTIMIZERS,
    PARAMETERS,
    SEED_STATE,
    SLOTS,
    STATISTICS,
    STEP_STATE,
    level,
    parameter_state,
)
from thalweg.training import data
from thalweg.training.alike import require_same_data
from thalweg.training.callbacks import CallbackList
from thalweg.training.goals import Goals
from thalweg.training.handle import OptimizerHandle
from thalweg.training.inference import BatchHooks, OneRow, Prediction
from thalweg.training.own import DataForm, OwnPrediction, OwnSteps, form_of, further_data, unpack
from thalweg.training.position import kept_names
from thalweg.training.programs import Programs
from thalweg.training.progress import Counter
from thalweg.training.step import Net, evaluation_step, prediction_label, prediction_step
from thalweg.training.trainer import Trainer
from thalweg.trees import TreeForm, parts_at, unflatten

COUNTERS = {
    name: TensorType((), dtype)
    for name, dtype in ((SEED_STATE, "uint32"), (STEP_STATE, "uint32"), (EPOCH_STATE, "int64"))
}
"""The states that every model has besides its parameters."""

INITIAL_COPIES = 3
"""An initial value is computed in float64, and then copied."""


class Runner:
    """The state of one model, and its programs, each made when it is first needed.

    Attributes:
        kind: the model's class, for messages.
        turns: who may change it.
        structure: how the layers are connected.
        compiled: what ``compile`` decided; None before.
        optimizer: the same rule with its rate and counters, as users see it.
        state: parameters, counters, and what the optimizer keeps.
        seed: of the weights, as long as they have no values.
        stop_training: whether somebody wants training to end.
        loss_choice: what ``loss="auto"`` came to, in words.
        one_row: the short way for a single row; None before the first one.
        find_own: gives what the model says itself of its steps, None for nothing.
        trackers: the metrics of ``compile`` as users see them, by name.
        latest_goals: what was trained for last, whose metrics ``model.metrics`` shows.
        compile_call: the arguments of a ``compile`` of the class's own.
        executor_is_told: whether somebody has said what runs this model.
    """

    def __init__(self, kind: str, seed: int = 0) -> None:
        self.kind = kind
        self.turns = Turns()
        self.structure = Structure()
        self.compiled: Compiled | None = None
        self.optimizer: OptimizerHandle | None = None
        self.state = State()
        self.seed = seed
        self.stop_training = False
        self.loss_choice: str | None = None
        self.one_row: OneRow | None = None
        self.find_own: Callable[[], OwnSteps | None] = lambda: None
        self.trackers: dict[str, Any] = {}
        self.latest_goals: Goals | None = None
        self.compile_call: dict[str, Any] = {}
        self.executor_is_told = False
        self._executor: Executor | None = None
        self._goals_fit = False  # the goals have been tried on the structure
        self._has_values = False
        self._is_training = False
        self._forget_programs()

    def _forget_programs(self) -> None:
        self._forms = Forms(self._form_for)
        self.look_again()
        self._own_goals: dict[tuple[Any, ...], Goals] = {}
        self._drawn: dict[Hashable, Any] = {}
        self.latest_goals = None
        self.one_row = None

    def draw_with(self, other: Runner) -> None:
        """Draw the graphs of steps together with another model: each is drawn by the one that needs it first.

        Right only if both were made by the same lines of code, with the same settings, and differ in their seeds alone;
        until one is compiled or changed again. Nothing is shared by models with open axes, or that say themselves what
        a step does.
        """
        self._drawn = other._drawn

    def look_again(self) -> None:
        """What the model says itself of its steps may have changed."""
        self._own: OwnSteps | None = None
        self._own_is_known = False

    # What is run

    def connect(self, structure: Structure, trainable: bool) -> None:
        """Run this structure from now on. Layers keep their parameters' values; the optimizer starts anew.

        Arguments:
            trainable: what the model says of itself.
        """
        if self.state.names(PARAMETERS) and self.optimizer is not None:
            self.optimizer = OptimizerHandle(self.optimizer.rule, self.state)
        self.state.drop(PARAMETERS, OPTIMIZER, SLOTS, OPTIMIZERS, METRICS, EVALUATION, STATISTICS)
        self.structure = structure
        self._has_values = self._goals_fit = False
        self._forget_programs()
        if self.compiled is not None:
            self.settle(Trained.now(structure, trainable))

    def open(self, structure: Structure) -> None:
        """Run a structure of the same layers whose inputs have more open axes. Everything else stays."""
        self.structure = structure
        self._forget_programs()

    def settle(self, trained: Trained) -> None:
        """Train this from now on. Raises GraphError if the model is not compiled."""
        self.compiled = dataclasses.replace(self.require_compiled("settle"), trained=trained)
        self._forget_programs()

    def compile(self, compiled: Compiled, goes_on: bool = False) -> None:
        """Train for this from now on. Raises what does not fit, before anything has changed.

        Arguments:
            goes_on: whether the optimizer is the one that there is, with all that it keeps.
        """
        self.require_idle("compile")
        self._goals_fit = self._check(compiled)
        self.compiled = compiled
        self.loss_choice = None
        self.state.drop(METRICS, EVALUATION, STATISTICS)
        if not goes_on:
            self.optimizer = OptimizerHandle(compiled.rule, self.state)
            self.state.drop(OPTIMIZER, SLOTS, OPTIMIZERS)
        self._forget_programs()

    def _check(self, compiled: Compiled) -> bool:
        """Raise if a loss or metric does not fit; whether all could be checked that there is."""
        if not self.structure.built or compiled.is_open or self.trains_itself:
            compiled.check_names()
            return False
        net = self._form_for(None).net
        goals = compiled.goals(self.structure, net.outputs)
        evaluation_step(net, goals, SOME_BATCH)  # draws the graph of a step, which takes a millisecond
        return True

    @property
    def executor(self) -> Executor:
        """What steps are compiled by; another one compiles them anew, and takes the states as they are."""
        if self._executor is None:
            self._executor = executors.default()
        return self._executor

    @executor.setter
    def executor(self, executor: Executor) -> None:
        self.executor_is_told = True
        if executor != self._executor:
            self._executor = executor
            self._forget_programs()

    def spread(self, distribution: Any) -> None:
        """Run over these devices from now on.

        Raises: ArgumentError for what is no distribution, or a rule of it that fits no parameter; ShapeError for one
            that cannot be kept.
        """
        from thalweg.executors.xla.distribution import Distribution  # not needed where nothing is spread

        distribution = check_value("fit", "distribution", Distribution, distribution)
        executor = executors.over(distribution, self.executor if self.executor_is_told else config.executor())
        distribution.check({path: parameter.type for path, parameter in self.structure.parameters().items()})
        self.executor = executor

    @contextmanager
    def training(self) -> Iterator[None]:
        """While this lasts, nothing may compile the model or train it: the steps that run would be about another."""
        self.require_idle("fit")
        self._is_training = True
        try:
            yield
        finally:
            self._is_training = False

    def require_idle(self, what: str) -> None:
        """Raise GraphError while the model is being trained, for ``what``."""
        if self._is_training:
            raise GraphError(
                f"{what} is called while fit runs",
                expected="one fit at a time; a callback may evaluate, predict, set weights and the learning rate",
                got=f"{what} in a callback, or in another thread",
                fix=f"set self.model.stop_training = True in the callback, and call {what} when fit has returned",
            )

    def require_built(self, what: str) -> None:
        """Raise GraphError if the structure is not built; ``what`` is wanted of it."""
        if not self.structure.built:
            raise GraphError(
                f"{what}: the model is not built",
                expected="a model that knows the shape of its input",
                got=f"a {self.kind} " + ("without an Input" if self.structure.layers else "that has seen no data"),
                fix="put Input(shape=...) first, call build(input_shape), or fit the model to data",
            )

    def require_shape(self, what: str) -> None:
        """Raise GraphError if the model has open axes and has seen no data; ``what`` is wanted of it."""
        if self.structure.is_open and not self._forms.any_met:
            shapes = ", ".join(str(symbol.shape) for symbol in self.structure.inputs.values())
            raise GraphError(
                f"{what}: a step is compiled for one shape, and the model has open axes",
                expected="data before, whose shape is taken",
                got=f"inputs {shapes}, and no data so far",
                fix="call predict or fit with data of the shape that is meant first",
            )

    def require_compiled(self, what: str) -> Compiled:
        """What ``compile`` decided. Raises GraphError before that; ``what`` is wanted of it."""
        if self.compiled is None:
            raise GraphError(
                f"{what}: the model is not compiled",
                expected="compile(optimizer, loss) before",
                got="a model without a loss",
                fix="call model.compile(optimizer='adam', loss=...) first",
            )
        return self.compiled

    # The layers as functions

    def form(self, rows: Source | None = None) -> Form:
        """The model for inputs of the shape of these rows; without rows, of those that came last.

        A model without open axes has one form. Raises ShapeError if a layer cannot take this shape.
        """
        if rows is None or not self.structure.is_open:
            return self._forms.latest()
        shapes = rows.shapes
        return self._forms.of({label: shapes[label] for label in self.structure.inputs})

    def _form_for(self, shapes: Shapes | None) -> Form:
        return Form(
            Net(
                inputs=self.structure.input_types(shapes),
                outputs=self.structure.output_types(shapes),
                parameters=self.structure.parameters(),
                trainable=frozenset() if self.compiled is None else self.compiled.trained.paths,
                call=self.call,
            )
        )

    def net(self, rows: Source | None = None) -> Net:
        """What the graphs of steps need to know of the model; ``rows`` as in ``form``."""
        return self.form(rows).net

    def call(self, inputs: Mapping[str, Node], training: bool) -> dict[str, Node]:
        """The outputs by name, made by calling the layers on a node for each input; inside ``tracing`` only."""
        with freezing(None if self.compiled is None else self.compiled.trained.frozen):
            results = self.structure.call([inputs[label] for label in self.structure.inputs], training)
        return dict(zip(self.structure.outputs, results, strict=True))

    @property
    def own(self) -> OwnSteps | None:
        """What the model says itself of its steps."""
        if not self._own_is_known:
            self._own = self.find_own()
            self._own_is_known = True
        return self._own

    @property
    def trains_itself(self) -> bool:
        """Whether the model says itself what a step of training or evaluation does."""
        return self.own is not None and self.own.train is not None

    def goals_for(self, outputs: Mapping[str, TensorType]) -> Goals:
        """What predictions of these types in a step of the model's own are trained for; for equal ones the same."""
        compiled = self.require_compiled("compute_loss")
        key = tuple((name, kind.dtype, kind.shape[1:]) for name, kind in outputs.items())
        if key not in self._own_goals:
            self._own_goals[key] = compiled.goals_for(self.structure, outputs)
        self.latest_goals = self._own_goals[key]
        return self.latest_goals

    def goals(self, rows: Source | None = None) -> Goals:
        """What each output is trained for and measured by; ``rows`` as in ``form``.

        Raises: GraphError if the model is not compiled.
        """
        compiled, trainer = self.require_compiled("goals"), self.form(rows).trainer
        if trainer is not None and trainer.goals is not None:
            return trainer.goals
        return compiled.goals(self.structure, self.net(rows).outputs)

    def choose_loss(self, x: Any, y: Any, verbose: int | str) -> None:
        """Put in place of ``loss="auto"`` what it means for these targets, and say what that is."""
        compiled = self.require_compiled("choose_loss")
        if compiled.is_open:
            rows = self.rows(x) if self.structure.is_open else None
            nodes = prediction_step(self.net(rows), SOME_BATCH).graph.outputs
            predictions = {name: nodes[prediction_label(name)] for name in self.structure.outputs}
            self.compiled, self.loss_choice = compiled.choose(y, self.structure, predictions)
            if verbose:
                say(self.loss_choice)

    # State

    def give_values(self, seed: int | None = None) -> None:
        """Put every parameter, and the counters, into the state; new parameters get their initial values."""
        if self._has_values:
            return
        if SEED_STATE not in self.state:
            for name, kind in COUNTERS.items():
                self.state.add(name, kind)
            self.state.write(SEED_STATE, self.seed if seed is None else seed)
        parameters = self.structure.parameters()
        self._require_memory(parameters)
        for path, parameter in parameters.items():
            try:
                self.state.put(parameter_state(path), parameter.make(self.state.number(SEED_STATE), path))
            except MemoryError as error:
                raise InsufficientMemoryError.found(f"making the parameter {path!r}", error) from error
        self._has_values = True

    def _require_memory(self, parameters: Mapping[str, Parameter]) -> None:
        """Raises InsufficientMemoryError if the parameters that have no values yet do not fit into memory."""
        new = {path: p.type.nbytes for path, p in parameters.items() if p.variable is None}
        made = most = 0
        for size in new.values():
            most = max(most, made + INITIAL_COPIES * size)
            made += size
        memory.require(most, "the model's parameters", lambda: memory.most_of(new))

    def complete(self, seed: int | None = None) -> State:
        """The state with all that a file holds of it: values, and, if compiled, what the optimizer keeps."""
        self.give_values(seed)
        if self.optimizer is not None and self.compiled is not None:
            for name, variable in self.optimizer.scalars.items():
                self.state.put(name, variable)
            if self.trains_itself:  # which weights its optimizers move the first step shows
                return self.state
            slots = self.compiled.slots(self.structure)
            new = {name: kind.nbytes for name, (kind, _) in slots.items() if name not in self.state}
            memory.require_parts(new, "what the optimizer keeps of each parameter")
            for name, (kind, start) in slots.items():
                self.state.add(name, kind, start)
        return self.state

    def state_types(self) -> dict[str, TensorType]:
        """The states that a file of this model must have: parameters, counters and, if compiled, the optimizer's."""
        types = COUNTERS | {parameter_state(path): p.type for path, p in self.structure.parameters().items()}
        slots = {} if self.compiled is None else self.compiled.slots(self.structure)
        if self.trains_itself:
            slots = {name: slot for name, slot in slots.items() if level(name) != SLOTS}
        return types | {name: kind for name, (kind, _) in slots.items()}

    def kept_state(self, into: Snapshot | None = None) -> Snapshot:
        """Copies of all that a file holds: what it must, and where training stands.

        Arguments:
            into: an older one, whose memory is used again.
        """
        state = self.complete()
        return state.snapshot(dict.fromkeys([*self.state_types(), *kept_names(state)]), into)

    def take_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Put what ``checkpoint.fitting`` found in a file into the state."""
        state = self.complete(seed=0)
        for name, array in arrays.items():
            state.add(name, TensorType.of(array))
            state.write(name, array)

    # Data

    def rows(self, x: Any) -> Rows:
        """Inputs as the model takes them. Raises ShapeError, DTypeError or DataError."""
        self.require_built("running a model")
        return data.prepare_inputs(self.structure.inputs_apart(x), self.structure.inputs)

    def prepare(self, x: Any, y: Any, sample_weight: Any = None) -> Rows:
        """Inputs, targets and weights as a step of training takes them. Raises as ``data.prepare``."""
        self.require_compiled("training")
        inputs = self.rows(x)
        return self._complete(inputs, x, y, sample_weight, self.trainer("training", inputs).goals)

    def stream(self, parts: Parts, first: Any, class_weight: Any = None) -> Stream:
        """A stream whose parts are prepared as ``prepare`` and ``weigh_classes`` do it, when they come.

        Arguments:
            first: what ``first_part`` gave.
        """
        self.require_compiled("training")
        goals = self.trainer("training", self.rows(unpack(first)[0])).goals

        def ready(part: Any) -> Rows:
            x, y, sample_weight = unpack(part)
            rows = self._complete(self.rows(x), x, y, sample_weight, goals)
            return data.weigh_classes(rows, class_weight, goals, whole=False)

        return Stream(parts, first, ready)

    def input_stream(self, parts: Parts, first: Any) -> Stream:
        """A stream of inputs, what else its parts have being left out."""
        return Stream(parts, first, lambda part: self.rows(unpack(part)[0]))

    def _complete(self, inputs: Rows, x: Any, y: Any, sample_weight: Any, goals: Goals | None) -> Rows:
        """The inputs with targets and weights."""
        if goals is not None:
            y, sample_weight = (named(given, self.structure) for given in (y, sample_weight))
            return data.prepare(inputs, x, y, sample_weight, goals, self.structure.with_gaps)
        data.require_rows(inputs)
        data.check_inputs(inputs, x, self.structure.with_gaps)
        arrays, form = further_data(self._given(x), y, sample_weight)
        return inputs.beside(arrays, form)

    def data_form(self, x: Any, y: Any) -> DataForm:
        """How a step of the model's own gets data like these."""
        return further_data(self._given(x), y, None)[1]

    def _given(self, x: Any) -> tuple[str, ...] | TreeForm | None:
        """In what form the inputs come, with their names in the model's order."""
        if self.structure.inputs_form is not None and parts_at(self.structure.inputs_form, x) is not None:
            return self.structure.inputs_form
        form = form_of(x) if len(self.structure.inputs) > 1 or isinstance(x, Mapping) else None
        return tuple(label.removeprefix("x/") for label in self.structure.inputs) if form else form

    def weigh_classes(self, rows: Rows, class_weight: Any) -> Rows:
        """The rows with the weights of their classes. Raises as ``data.weigh_classes``."""
        return data.weigh_classes(rows, class_weight, None if self.trains_itself else self.goals(rows))

    # Programs

    def programs(self, rows: Source | None = None) -> Programs:
        """All that have been compiled so far, on state that has values; ``rows`` as in ``form``."""
        form = self.form(rows)
        if form.programs is None:
            self.require_built("running a model")
            self.give_values()
            for layer in self.structure.layers_by_path().values():
                layer.require_ready()
            alone = self.structure.is_open or self.own is not None
            form.programs = Programs(self.executor, self.state, drawn={} if alone else self._drawn)
        return form.programs

    def trainer(self, what: str, rows: Source | None = None) -> Trainer:
        """What trains and evaluates; made anew after ``compile`` or a change of the layers.

        Arguments:
            what: it is wanted for.
            rows: as in ``form``.
        """
        form = self.form(rows)
        if form.trainer is None:
            compiled = self.require_compiled(what)
            programs, own = self.programs(rows), self.own
            goals = None if self.trains_itself else self.goals(rows)
            if not self._goals_fit:
                self._goals_fit = self._check(compiled)
            self.complete()
            self.latest_goals = self.latest_goals or goals
            form.trainer = Trainer(form.net, goals, compiled.rule, programs, own)
        return form.trainer

    def _prediction(self, rows: Source | None, training: bool) -> Prediction:
        form = self.form(rows)
        if training not in form.predictions:
            form.predictions[training] = Prediction(form.net, self.programs(rows), training)
        return form.predictions[training]

    def single(self) -> OneRow:
        """The short way for a single row of a model of one output without open axes; made when first asked for."""
        if self.one_row is None:
            self.one_row = OneRow(self._prediction(None, training=False))
        return self.one_row

    def predict_itself(self, x: Any, rows: Source, batch: int, verbose: int | str, watchers: CallbackList) -> Any:
        """What ``predict_step`` of the model gives."""
        assert self.own is not None, "asked of a model with a predict_step of its own"
        form, given = self.form(rows), self._given(x)
        if given not in form.own_predictions:
            form.own_predictions[given] = OwnPrediction(form.net, self.programs(rows), self.own, given)
        prediction = form.own_predictions[given]

        def shown(arrays: Arrays) -> Any:
            return unflatten(prediction.tree, iter(arrays.values()))

        return shown(self._predicted(prediction, rows, batch, verbose, watchers, shown))

    def predict(
        self, rows: Source, batch: int, verbose: int | str, watchers: CallbackList, training: bool = False
    ) -> dict[str, np.ndarray]:
        """The outputs by name.

        Arguments:
            batch: rows of a batch, where they matter to each other.
            training: whether the layers behave as in a step of training.
        """
        prediction = self._prediction(rows, training)
        if rows.count == 1 and not training and self.structure.is_one_to_one:
            self.one_row = OneRow(prediction)

        def named(arrays: Arrays) -> dict[str, np.ndarray]:
            return {name: arrays[prediction_label(name)] for name in self.structure.outputs}

        return named(
            self._predicted(prediction, rows, batch, verbose, watchers, lambda a: self.structure.shown(named(a)))
        )

    def _predicted(
        self,
        prediction: Prediction,
        rows: Source,
        batch: int,
        verbose: int | str,
        watchers: CallbackList,
        shown: Callable[[Arrays], Any],
    ) -> Arrays:
        """Arguments:
        shown: what users get for arrays by the label of the output.
        """
        require_same_data(rows)
        single = watchers.watches_batches("predict")
        steps = None
        if rows.count is not None:
            size = batch if single or rows.count < 2 else prediction.size(batch, rows.count)
            steps = -(-rows.count // size)
        counter = Counter(verbose, "Predict", steps)

        def watch(done: int) -> bool:
            counter.update(done)
            return True

        hooks = BatchHooks(
            before=lambda number: watchers.call("on_predict_batch_begin", number, {}),
            after=lambda number, arrays: watchers.call("on_predict_batch_end", number, {"outputs": shown(arrays)}),
        )
        watchers.call("on_predict_begin", {})
        results = prediction.run(rows, batch, cores.wanted(None), watch, hooks if single else None)
        watchers.call("on_predict_end", {})
        counter.finish()
        return results
