"""Models: trained, evaluated, used and saved. How that is done stands in ``training`` and in the modules beside."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar

import numpy as np

from thalweg import config, executors, optimizers
from thalweg.absent import absent_attribute
from thalweg.checks import Count, FilePath, In, check_value, checked
from thalweg.doctor.doctor import Doctor
from thalweg.doctor.finding import Diagnosis
from thalweg.dtype_policies import DTypePolicy
from thalweg.errors import ArgumentError, GraphError, ThalwegError, did_you_mean
from thalweg.executors.executor import Executor
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.layers.layer import Layer, add_loss, refuse_add_metric
from thalweg.layers.masks import Masks
from thalweg.layers.nested import Nested, unwrapped
from thalweg.layers.operation import Operation
from thalweg.layers.signature import symbolic
from thalweg.layers.summary import table_lines, total_lines
from thalweg.layers.symbols import Input, Symbol, name_inputs
from thalweg.layers.tracing import Parameter, told_in_words, tracing_now
from thalweg.layers.variable import Variable
from thalweg.metrics import Mean
from thalweg.metrics.metric import Metric
from thalweg.model import description, own, preflight, restoring
from thalweg.model import weights as all_weights
from thalweg.model.compiled import Compiled, Trained
from thalweg.model.diagnosed import diagnosed, doctor_of, telling
from thalweg.model.given import Given, first, steps_over
from thalweg.model.recorded import recorded
from thalweg.model.restoring import registry
from thalweg.model.runner import Runner
from thalweg.model.structure import Parts, Structure, between
from thalweg.model.subclass import Body, OwnWeights, entries_of_shape, once_prepared
from thalweg.model.turns import in_turn
from thalweg.processes.job import current
from thalweg.record.history import History
from thalweg.record.run import Run
from thalweg.registry import describe, restore, sharing
from thalweg.state import Snapshot, State
from thalweg.state.names import OPTIMIZER, SEED_STATE, SLOTS
from thalweg.steps import gradients
from thalweg.training import checkpoint, data, session
from thalweg.training.callbacks import Callback, CallbackList
from thalweg.training.handle import OptimizerHandle
from thalweg.training.inference import BATCH, only
from thalweg.training.own import unpack
from thalweg.training.progress import check_verbose
from thalweg.training.session import FitOptions, params
from thalweg.trees import flatten, unflatten

if TYPE_CHECKING:
    from thalweg.executors.profile import Profile
    from thalweg.executors.xla.distribution import Distribution

M = TypeVar("M", bound="Model")

Callbacks = Callback | CallbackList | Sequence[Callback] | None


@registry.register("Model")
class Model:
    """A network from inputs to outputs, made by calling layers on ``Input``; or the base of a class of one's own.

    A class derived from it makes its layers in ``__init__``, after ``super().__init__()``, and says in
    ``call(self, inputs)`` or ``call(self, inputs, training)`` what they compute, with layers and ``thalweg.ops``. Such
    a model is built when it first sees data, or by ``build``.

    Arguments:
        inputs, outputs: a symbol, or lists and mappings of several, which may be nested. ``predict`` gives what is
            nested as the outputs are, and data, losses and metrics may be nested as inputs and outputs are.
            A class of one's own with a ``call`` passes neither.

    Attributes:
        history: the History of the last ``fit``.
        diagnosis: what the doctor says of the last ``compile`` or ``fit``, see ``thalweg.diagnosis``; None before.
        runner: how the layers are connected, what runs them, and with what state; see ``thalweg.model.runner``.
        has_own_name: whether it was given its name, and does not get another one among layers.
        class_names: what the classes are called whose probabilities it gives, in their order; files keep them. Set it.

    Raises: GraphError if an output does not come from the inputs.
    """

    base_name: ClassVar[str] = "functional"
    """Of models without a name."""

    _body: Body | None  # of a model that its class describes

    def __init__(
        self,
        inputs: Parts | None = None,
        outputs: Parts | None = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        self._begin(name, trainable)
        self.runner.seed = config.new_seed()
        if inputs is None or outputs is None:
            self._body = self._described_by_class()
        else:
            self._become(between(inputs, outputs))
            self.runner.give_values()

    def _begin(self, name: str | None, trainable: bool) -> None:
        """Be a model without layers. A method of its own, because models from files are made without ``__init__``."""
        owner = type(self).__name__
        self.name = check_value(owner, "name", str | None, name) or self.base_name
        self.runner = Runner(owner)
        self.runner.find_own = lambda: own.steps_of(self, Model)
        self.history: History | None = None
        self.diagnosis: Diagnosis | None = None
        self.has_own_name = name is not None
        self.class_names: Sequence[str] = ()
        self._trainable: bool = check_value(owner, "trainable", bool, trainable)
        self._nested: Nested | None = None  # what this model is in others
        self._body = None

    def _described_by_class(self) -> Body:
        """Raises ArgumentError if the class does not write ``call``."""
        cls = type(self)
        has_call = cls.call is not Model.call
        if not has_call and not own.overrides(cls, Model, ("train_step", "test_step", *own.OF_PREDICTION)):
            raise ArgumentError(
                f"{cls.__name__}: a model without inputs and outputs",
                expected="Model(inputs, outputs), or a class derived from Model with a method call(self, inputs)",
                got=f"{cls.__name__}() without a call",
                fix="pass the symbols, or write call, and make the layers in __init__ after super().__init__()",
            )
        if not self.has_own_name:
            self.name = "".join(f"_{c}" if c.isupper() else c for c in cls.__name__).strip("_").lower()
        known = _own_attributes(cls)  # type: ignore[arg-type]  # classes can be hashed
        return Body(model=self, own=known, has_call=has_call)

    def _become(self, structure: Structure) -> None:
        """Have this structure from now on."""
        if structure.built and not self._trainable:
            for layer in structure.layers:
                layer.trainable = False
        self.runner.connect(structure, self._trainable)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "compile" in vars(cls):
            cls.compile = own.remembered(cls.compile)  # type: ignore[method-assign]
        if "build" in vars(cls):
            cls.build = once_prepared(cls.build)  # type: ignore[method-assign]

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, own.handled(value))
        if "runner" in vars(self):
            if isinstance(value, Metric):
                self.runner.look_again()
            elif isinstance(value, Variable) and not value.is_kept and self._body is not None:
                self._own_weights().keep(value, name)

    def __getattr__(self, name: str) -> Any:
        if "runner" not in vars(self) and name in _own_attributes(Model):
            raise GraphError(
                f"{type(self).__name__} is used before it is a model",
                expected="super().__init__() in its __init__",
                got=f"no {name!r}, which that makes",
                fix="call super().__init__() first, then make the layers",
            )
        if name == "loss" and self.compiled:  # no property: a class of one's own may keep its loss under this name
            return self.runner.require_compiled("loss").loss
        raise absent_attribute(type(self).__name__, name)

    def __repr__(self) -> str:
        count = len(self.runner.structure.layers)
        return f"<{type(self).__name__} {self.name!r}, {count} layers{'' if self.built else ', not built'}>"

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The outputs for the inputs, nodes or lists or mappings of such as they come. A class of one's own writes it.

        Of a model made of layers it is the same as calling the model.
        """
        if self._body is not None:
            raise GraphError(
                f"{type(self).__name__}: the call that this asks for is not written",
                expected="a method call(self, inputs) that computes with layers",
                got="Model.call, perhaps by super().call",
                fix="call the layers instead",
            )
        return self(inputs, training)

    def __call__(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The model on arrays: predictions. On symbols: it becomes a layer of another model, weights shared.

        Arguments:
            training: on arrays, True for the layers as in training: dropout drops, others in every call, and
                BatchNormalization goes by the mean and variance of these rows, which its moving ones follow. On
                symbols, for good: True for a part that behaves so also in prediction; False for a part that is to
                behave as in prediction also while the rest is trained.
            mask: on symbols, which places of the input count; of several inputs a list.
        """
        training = told_in_words(type(self).__name__, training)
        if not self.built and self._body is not None:
            leaves = flatten(inputs)[0]
            if leaves and all(isinstance(leaf, Symbol) for leaf in leaves):
                self._become(self._body.structure_for(inputs))
        inputs = self.runner.structure.inputs_apart(inputs)
        several = isinstance(inputs, Mapping | list | tuple)
        given = list(inputs.values() if isinstance(inputs, Mapping) else inputs) if several else [inputs]
        if given and all(isinstance(part, Node) for part in given):
            trace = tracing_now()
            if trace is not None and trace.model is self:
                with trace.masking(dict(zip(given, Masks.of(given, mask).each, strict=True))):
                    return self._call_in_own_step(inputs, given, training)
        if given and all(isinstance(part, Symbol | Node) for part in given):
            return self._call_inside(inputs, given, training, mask)
        if mask is not None:
            raise ArgumentError(
                f"{type(self).__name__}: a mask for arrays",
                expected="a mask where the model is called on symbols, or inside of a step",
                got=f"{mask!r:.60} ({type(mask).__name__})",
                fix="make the mask an input of the model, or of its first layer: Masking(), Embedding(mask_zero=True)",
            )
        return self._on_one_batch(inputs, bool(training))

    # Structure

    def build(self, input_shape: Any = None) -> None:
        """Make the parameters of a model that a class describes, for inputs of a shape with the batch axis.

        Arguments:
            input_shape: ``(None, 784)``; for several inputs a list or mapping of such.
        """
        if self._body is None or not self._body.preparing:
            self.build_for_shape(input_shape)

    def build_for_shape(self, input_shape: Any) -> None:
        """What ``build`` does, where a class of one's own has not written another one."""
        if input_shape is not None and not self.built and self._body is not None:
            self._become(self._body.structure_for(entries_of_shape(input_shape)))
        self.runner.require_built("build")
        self.runner.give_values()

    def build_for(self, x: Any, seed: int | None = None) -> None:
        """Build a model that has no Input yet for data like these. Raises GraphError if there is nothing to build.

        Arguments:
            seed: of the weights.
        """
        if not self.built and self._body is not None:
            self.runner.seed = self.runner.seed if seed is None else seed
            self._become(self._body.structure_for(x))
        self.runner.require_built("running a model")
        self._open_for(x)

    def _open_for(self, x: Any) -> None:
        """Where the model was built by data, and not by an Input: open the axes on which these data differ.

        A model whose layers cannot take them stays as it is, and whoever prepares the data says so.
        """
        structure = self.runner.structure
        entries = data.opened(structure.inputs_apart(x), structure.inputs)
        if entries is not None:
            shapes = {layer: layer.output_shape for layer in structure.layers_by_path().values()}
            try:
                self.runner.open(self._connected(entries))
            except ThalwegError:
                for layer, shape in shapes.items():
                    layer.output_shape = shape

    def _connected(self, entries: Mapping[str, Symbol]) -> Structure:
        """The layers between other inputs."""
        assert self._body is not None, "other models have an Input"
        return self._body.structure(self._body.keys, entries, self._body.inputs_form)

    @property
    def built(self) -> bool:
        """Whether the type of the input is known, and with it all parameters."""
        return self.runner.structure.built

    @built.setter
    def built(self, value: bool) -> None:
        """Accepted, as Keras's guide sets it in models without a ``call``: here a model knows it by itself."""

    @property
    def trainable(self) -> bool:
        """Whether training changes the model; setting it sets it for all layers. ``compile`` goes by what it finds."""
        return self._trainable if self._nested is None else self._nested.trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value
        if self._nested is not None:  # what stands for the model in others
            self._nested.trainable = value
        for layer in self.runner.structure.layers:
            layer.trainable = value

    @property
    def layers(self) -> list[Any]:
        """The layers, and the models that are used as such, in Keras's order; the inputs are InputLayers among them.

        As in Keras operations between layers (``x + y``) are not here, but in ``operations``.
        """
        return [member for member in self.operations if not isinstance(member, Operation | OwnWeights)]

    @property
    def operations(self) -> list[Any]:
        """The layers, and the operations between them."""
        return unwrapped(self._members())

    def _members(self) -> list[Layer]:
        """All that a summary shows: layers, inputs, and what stands for operations and models."""
        structure = self.runner.structure
        entries = [member.entry for member in structure.members if isinstance(member, Symbol)]
        name_inputs(entries)
        return [m.entry if isinstance(m, Symbol) else m for m in structure.members or structure.layers]

    @checked
    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """A layer (or model used as one) by its name or its place.

        Raises: ArgumentError if there is no such layer.
        """
        names = [layer.label for layer in self._members()]
        count = len(self.layers)
        if index is not None and name is None and -count <= index < count:
            return self.layers[index]
        if name in names and index is None:
            return self.operations[names.index(name)]
        raise ArgumentError(
            "there is no such layer",
            expected=f"name= one of {', '.join(map(repr, names))}, or index= below {count}",
            got=f"name={name!r}, index={index!r}",
            fix=did_you_mean(str(name), names) if name is not None else "pass name= or index=",
        )

    @property
    def inputs(self) -> list[Symbol]:
        """The symbols that the model was built from; of a Sequential, its one input."""
        return list(self.runner.structure.inputs.values())

    @property
    def outputs(self) -> list[Symbol]:
        """The symbols that the model gives."""
        return list(self.runner.structure.outputs.values())

    @property
    def input(self) -> Any:
        """The symbol of the input; a list of several, nested if they were given so."""
        self.runner.require_built("input")
        form = self.runner.structure.inputs_form
        return only(self.inputs) if form is None else unflatten(form, iter(self.inputs))

    @property
    def output(self) -> Any:
        """The symbol of the output; a list of several, nested if they were given so."""
        self.runner.require_built("output")
        form = self.runner.structure.outputs_form
        return only(self.outputs) if form is None else unflatten(form, iter(self.outputs))

    @property
    def input_names(self) -> list[str]:
        """What the inputs are called: by mappings of data, if there are several or the only one has a name."""
        names = [label.removeprefix("x/") for label in self.runner.structure.inputs]
        return [self.inputs[0].entry.label] if names == ["x"] else names

    @property
    def output_names(self) -> list[str]:
        """What the outputs are called: by mappings of targets, losses and metrics."""
        structure = self.runner.structure
        makers = structure.makers_of_outputs()
        return list(makers.values()) if structure.outputs_form else [name or maker for name, maker in makers.items()]

    @property
    def input_shape(self) -> Any:
        """Of the input, the batch as None; a list if there are several."""
        return only([symbol.shape for symbol in self.inputs])

    @property
    def output_shape(self) -> Any:
        """Of the output, the batch as None; a list if there are several."""
        return only([symbol.shape for symbol in self.outputs])

    @checked
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
        show, structure = print_fn or print, self.runner.structure
        table = table_lines(self._members(), line_length, positions, show_trainable, layer_range, expand_nested)
        optimizer = [self.state[name].type for name in self.state.names(OPTIMIZER, SLOTS)]
        totals = total_lines(structure.parameters(), Trained.now(structure, self._trainable).paths, optimizer)
        for line in [f'Model: "{self.name}"', *table, *totals]:
            show(line)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for inputs of these shapes, batch axis included."""
        return self.as_layer().compute_output_shape(input_shape)

    @property
    def compute_dtype(self) -> str:
        """The dtype that layers work in unless they are given another one."""
        return config.floatx()

    @property
    def dtype_policy(self) -> DTypePolicy:
        """The policy of layers unless they are given another one."""
        return config.dtype_policy()

    # As a part of another model

    def as_layer(self) -> Nested:
        """What stands for this model among the layers of others: always the same."""
        if self._nested is None:
            Nested(model=self, name=self.name if self.has_own_name else None, trainable=self._trainable)
        assert self._nested is not None, "it made itself known by use_as"
        return self._nested

    def use_as(self, layer: Nested) -> None:
        """Be known by this layer in other models."""
        self._nested = layer

    def build_on(self, types: Sequence[TensorType]) -> None:
        """Get ready for inputs of these types, batch axis included, as a part of another model."""
        if not self.built and self._body is not None:
            symbols = [Input(shape=symbolic(kind.shape[1:]), dtype=kind.dtype) for kind in types]
            self._become(self._body.structure_for(only(symbols)))
        self.runner.require_built("calling a model on symbols")

    def _call_inside(
        self, inputs: Any, tensors: Sequence[Symbol | Node], training: bool | None, mask: Any = None
    ) -> Any:
        """This model as a layer of the one that ``tensors``, those in ``inputs``, belong to: its outputs there."""
        structure = self.runner.structure
        labels = list(structure.inputs) or ["x"]
        if len(tensors) != len(labels):
            raise ArgumentError(
                "a model is called on another number of symbols than it has inputs",
                expected=f"{len(labels)}",
                got=f"{len(tensors)}",
                fix="pass one symbol for each input",
            )
        parts = data.by_label(inputs if isinstance(inputs, Mapping) or len(tensors) > 1 else tensors[0], labels, "x")
        made = self.as_layer()(*parts.values(), training=training, mask=mask)
        structure = self.runner.structure  # calling it may have built it
        return structure.shown(dict(zip(structure.outputs, flatten(made)[0], strict=True)))

    def _call_in_own_step(self, inputs: Any, tensors: Sequence[Node], training: bool | None) -> Any:
        """The outputs on nodes of a step that this model says itself."""
        structure = self.runner.structure
        if structure.without_call:
            raise self._no_call("train_step or test_step")
        labels = list(structure.inputs)
        parts = data.by_label(inputs if isinstance(inputs, Mapping) or len(tensors) > 1 else tensors[0], labels, "x")
        return self._outputs(self.runner.call(parts, bool(training)))

    def _no_call(self, what: str) -> GraphError:
        cls = type(self).__name__
        return GraphError(
            f"{what}: {cls} does not say what it predicts",
            expected=f"a method call(self, inputs) of {cls}, or steps of its own that need none",
            got="a class with train_step alone",
            fix="write call; or test_step to evaluate, and predict_step to predict",
        )

    # Weights

    @checked
    def parameters(self, trainable_only: bool = False) -> dict[str, Parameter]:
        """Path, as ``"dense_1/kernel"``, -> parameter; of one that is reached by several ways the first path."""
        structure = self.runner.structure
        parameters = structure.parameters()
        if not trainable_only:
            return parameters
        return {path: parameters[path] for path in structure.trainable_paths() if self._trainable}

    def count_params(self) -> int:
        """How many numbers the parameters are."""
        self.runner.require_built("count_params")
        return sum(parameter.type.size for parameter in self.parameters().values())

    @property
    def weights(self) -> list[Parameter]:
        """All parameters, none while the model is not built; ``.numpy()`` gives the value of one, ``.assign(array)``
        changes it."""
        return [] if not self.built else list(all_weights.made(self.runner, "weights").values())

    def add_weight(self, *args: Any, **options: Any) -> Parameter:
        """A weight of the model itself, for a class that uses it in its ``call``; arguments as ``Layer.add_weight``.

        Raises: GraphError for a model of layers alone; what that raises.
        """
        if self._body is None:
            raise GraphError(
                "a model made of layers has no weights of its own",
                expected="a class derived from Model with a call that uses the weight",
                got=f"add_weight of a {type(self).__name__}",
                fix="write a layer with add_weight, and call it between the others",
            )
        weight: Parameter = self._own_weights().add_weight(*args, **options)
        return weight

    def _own_weights(self) -> OwnWeights:
        if "weights_of_its_own" not in vars(self):
            self.weights_of_its_own = OwnWeights(self)
        return self.weights_of_its_own

    @property
    def trainable_weights(self) -> list[Parameter]:
        """The parameters that training changes."""
        trained = self.parameters(trainable_only=True).values() if self.built else ()
        return [parameter for parameter in self.weights if parameter in trained]

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        """The others: frozen ones, and those that are kept rather than trained."""
        trained = self.trainable_weights
        return [parameter for parameter in self.weights if parameter not in trained]

    variables, trainable_variables, non_trainable_variables = weights, trainable_weights, non_trainable_weights
    """The same under the names that Keras has for them, too."""

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all parameters, layer by layer."""
        return list(all_weights.values(all_weights.made(self.runner, "get_weights")).values())

    @in_turn
    @checked
    def set_weights(self, weights: Iterable[Any]) -> None:
        """Put values into all parameters.

        Raises: ShapeError or DTypeError, before any is changed.
        """
        all_weights.put(self.runner, weights)

    @checked
    def save_weights(self, filepath: FilePath, overwrite: bool = True) -> None:
        """The parameters alone, by their names, in a safetensors file."""
        all_weights.save(self.runner, filepath, overwrite)

    @in_turn
    @checked
    def load_weights(self, filepath: FilePath, skip_mismatch: bool = False) -> None:
        """Parameters by their names from a file that ``save_weights`` or ``save`` wrote.

        Arguments:
            skip_mismatch: leave parameters as they are that the file lacks or has in another shape.

        Raises: FileFormatError, before any is changed.
        """
        all_weights.load(self.runner, filepath, skip_mismatch)

    # What training needs to know

    @in_turn
    @telling
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
            optimizer: a name, an optimizer, or ``model.optimizer``, which goes on as it is: with its rate, and, in the
                same model, its counters and moments.
            loss: a name, a Loss or a function of two nodes; for several outputs a list or a mapping by their names.
                ``"auto"``: chosen by the last layer and the first targets, see ``losses.automatic.choose``; what was
                chosen is printed, and stands in ``model.loss_choice``.
            run_eagerly, steps_per_execution, jit_compile, auto_scale_loss: accepted for Keras's sake; the whole step is
                always compiled, and runs as often in one call as fits into a tenth of a second.

        Raises: NameNotFoundError or ArgumentError for what is not known; ArgumentError or ShapeError for a loss or
            metric that does not fit the last layer (in ``fit``, if the model is not built yet). Nothing has changed
            then.
        """
        own.refuse_functions(type(self))
        given = optimizer if isinstance(optimizer, OptimizerHandle) else None
        rule = optimizers.get(optimizer) if given is None else given.current_rule()
        rule = rule.for_weights(self.runner.structure.parameters())
        trained = Trained.now(self.runner.structure, self._trainable)
        decided = Compiled(rule, loss, loss_weights, metrics, weighted_metrics, trained)
        self.runner.compile(decided, goes_on=given is not None and given is self.optimizer)
        self.runner.trackers = {"loss": Mean(name="loss")}
        if metrics or weighted_metrics:
            self.runner.trackers["compile_metrics"] = own.CompiledMetrics(self, name="compile_metrics")

    @property
    def optimizer(self) -> OptimizerHandle | None:
        """The optimizer, its rate and its counter; None before ``compile``."""
        return self.runner.optimizer

    @optimizer.setter
    def optimizer(self, value: OptimizerHandle) -> None:
        """For a ``compile`` of one's own: after ``super().compile()`` the model has another optimizer."""
        decided = self.runner.require_compiled("setting the optimizer")
        self.runner.compile(dataclasses.replace(decided, rule=value.current_rule()))

    @property
    def compiled(self) -> bool:
        """Whether ``compile`` was called."""
        return self.runner.compiled is not None

    @property
    def loss_choice(self) -> str | None:
        """What ``loss="auto"`` came to, in words."""
        return self.runner.loss_choice

    @property
    def stop_training(self) -> bool:
        """Set to True by a callback to end training."""
        return self.runner.stop_training

    @stop_training.setter
    def stop_training(self, value: bool) -> None:
        self.runner.stop_training = value

    @property
    def executor(self) -> Executor:
        """What runs the model: ``"native"``, ``"numpy"``, ``"xla"`` (as ``"xla:gpu"`` on such a device) or an executor.

        Unless set: as ``config.set_executor`` or ``THALWEG_EXECUTOR`` says at its first step, else
        ``thalweg.executors.default()``. A model may go on elsewhere at any time; files know nothing of it.
        """
        return self.runner.executor

    @executor.setter
    def executor(self, executor: Executor | str) -> None:
        self.runner.executor = executors.meant(executor)

    @property
    def state(self) -> State:
        """Parameters, counters, and what the optimizer keeps, by name."""
        return self.runner.state

    @property
    def metrics_names(self) -> list[str]:
        """The names of what ``evaluate`` returns, in its order."""
        self.runner.require_compiled("metrics_names")
        return own.names(self) if self.runner.trains_itself else self.runner.goals().names

    @checked
    def metric_rises(self, name: str) -> bool | None:
        """Whether larger values of a metric are better; None if that is not known."""
        return own.rises(self, name) if self.runner.trains_itself else self.runner.goals().rises(name)

    # Steps of a class's own

    def train_step(self, data: Any) -> Any:
        """What one step of training does, on nodes: to be overridden, as in Keras. It is compiled.

        Arguments:
            data: ``x``, ``(x, y)`` or ``(x, y, sample_weight)``; see ``utils.unpack_x_y_sample_weight``.

        Returns: the logs: name -> result of a metric, tensor of the step (whose last value is shown) or number.
        """
        x, y, sample_weight = unpack(data)
        y_pred = self(x, training=True)
        loss = own.loss_of_step(self, x, y, y_pred, sample_weight, training=True)
        self.runner.trackers["loss"].update_state(loss, sample_weight=float(own.rows_in(x)))
        weights, optimizer = self.trainable_weights, self.optimizer
        if weights and optimizer is not None:
            optimizer.apply(gradients(loss, weights), weights)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def test_step(self, data: Any) -> Any:
        """What one step of evaluation does, on nodes; data and result as in ``train_step``."""
        x, y, sample_weight = unpack(data)
        y_pred = self(x, training=False)
        loss = own.loss_of_step(self, x, y, y_pred, sample_weight, training=False)
        self.runner.trackers["loss"].update_state(loss, sample_weight=float(own.rows_in(x)))
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> Any:
        """What ``predict`` gives for a batch, on nodes."""
        x, _, _ = unpack(data)
        return self(x, training=False)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """In a step: the loss of a batch, that of ``compile`` and all of ``self.losses``. To be overridden.

        Raises: ArgumentError if there is neither.
        """
        return own.total_loss(self, y, y_pred, sample_weight)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """In a step: update the metrics of ``compile``; the logs, results of all ``self.metrics``. To be overridden."""
        compiled = self.runner.trackers.get("compile_metrics")
        if compiled is not None:
            compiled.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def compiled_loss(
        self, y: Any, y_pred: Any, sample_weight: Any = None, regularization_losses: Sequence[Any] | None = None
    ) -> Any:
        """In a step, as in Keras 2: the loss of ``compile`` with what is to be added; the metric "loss" is updated."""
        loss = own.summed([own.compiled_loss(self, y, y_pred, sample_weight), *(regularization_losses or ())])
        self.runner.trackers["loss"].update_state(loss, sample_weight=float(own.rows_in(y_pred)))
        return loss

    @property
    def compiled_metrics(self) -> Metric:
        """The metrics of ``compile`` as one, under the name of Keras 2."""
        known: Metric | None = self.runner.trackers.get("compile_metrics")
        return own.CompiledMetrics(self, name="compile_metrics") if known is None else known

    def add_metric(self, *arguments: Any, **options: Any) -> None:
        """Raises GraphError: Keras 3 has it no more, and says what to do instead."""
        refuse_add_metric(self.name)

    def get_metrics_result(self) -> dict[str, Any]:
        """The results of all ``self.metrics`` by name."""
        results: dict[str, Any] = {}
        for metric in self.metrics:
            result = metric.result()
            results |= result if isinstance(result, dict) else {str(metric.name): result}
        return results

    @property
    def metrics(self) -> list[Metric]:
        """The mean of the losses, the metrics of ``compile`` as one, and those among the attributes; as in Keras."""
        return own.metrics_of(self)

    def reset_metrics(self) -> None:
        """Let all ``self.metrics`` forget what they have added up; ``fit`` and ``evaluate`` begin so by themselves."""
        for metric in self.metrics:
            metric.reset_state()

    @property
    def losses(self) -> list[Any]:
        """What regularizers and ``add_loss`` add to the loss: in a step tensors of it, else numbers of the weights."""
        return own.added_losses(self)

    def add_loss(self, loss: Any) -> None:
        """In ``call`` of a class of one's own: add a tensor's numbers to the loss, as in Keras. Raises as a layer's."""
        add_loss(loss, self.name)

    # Training

    @in_turn
    @telling
    @checked
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | str | None = None,
        epochs: int = 1,
        verbose: bool | int | str = "auto",
        callbacks: Callbacks = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        *,
        threads: int | None = None,
        seed: int | None = None,
        run: str | Run | None = None,
        diagnose: bool | Doctor = True,
        executor: Executor | str | None = None,
        distribution: Distribution | None = None,
    ) -> History:
        """Train. Arguments as in Keras, and six more.

        Arguments:
            batch_size: 32 unless given; 1 for stochastic gradient descent, ``"full"`` for all rows in one step.
            epochs: the index after the last epoch: with ``initial_epoch=2``, ``epochs=5`` trains 3.
            validation_batch_size: ``batch_size`` unless given; matters only as in ``evaluate``.
            threads: exactly so many; unless given or set in ``THALWEG_THREADS``, as many as are quickest.
                Results do not depend on it.
            seed: of the shuffling and of dropout, and of the weights of a model that is not built yet.
            run: record the training in a run of this name, or in one that ``runs.start`` has begun: settings, what
                happens, and the model. Without, nothing is written.
            executor: what runs the model from now on, as ``model.executor = ...`` says it: ``"native"``, ``"numpy"``,
                ``"xla"``, ``"xla:gpu"``. Unless given the model stays on what it has; see ``config.set_executor``.
            distribution: over which devices the model is spread from now on, on the xla executor: a
                ``thalweg.distribution.DataParallel`` or ``ModelParallel``; see ``distribution.set_distribution``.
            diagnose: whether the doctor looks at the training when it is over, or a doctor of one's own making, see
                ``thalweg.diagnosis``. What it found is in ``history.diagnosis`` and ``model.diagnosis``, and printed
                (unless ``verbose=0``) where something is wrong. An error that ends the training has it, too.

        Ctrl-C finishes the step and returns what there is, with ``history.stopped_by == "user"``.

        Raises: ShapeError, DTypeError, DataError or ArgumentError before anything has changed; NonFiniteError if a
            loss is not finite, with the model as it was before that step.
        """
        self.runner.require_idle("fit")
        options = FitOptions(
            32 if batch_size is None else batch_size,
            epochs,
            initial_epoch,
            shuffle,
            steps_per_epoch,
            validation_freq if isinstance(validation_freq, int) else tuple(validation_freq),
            validation_batch_size,
            threads,
            verbose,
        )
        watchers = CallbackList(callbacks)
        if executor is not None:
            self.executor = executors.meant(executor)
        if options.verbose and not self.runner.executor_is_told and distribution is None:
            executors.tell_of_accelerator()
        seed = check_value("fit", "seed", Annotated[int, In("[0, 4294967296)")] | None, seed)
        given = Given.of("fit", x, y, sample_weight)
        runner = self._ready_for(given.x, given.y, "fit", verbose, seed)
        if distribution is not None:
            runner.spread(distribution)
        held = Given.held_out(validation_data, runner.trains_itself)
        if held is not None:
            self._open_for(held.x)
        rows, held_out = given.divided(runner, class_weight, validation_split, held)
        preflight.look(rows, runner.structure)
        validation = None
        if held_out is not None:
            size = options.validation_batch(held_out)
            held_out = first(held_out, validation_steps, size, "fit: of the validation")
            validation = runner.trainer("fit", held_out).evaluation(held_out, size)
        if seed is not None:
            self.state.write(SEED_STATE, seed)
        self.stop_training = False
        told = params(verbose, options.epochs, options.steps(rows))
        self.history = History(params=told, seed=self.state.number(SEED_STATE))
        further = {
            "validation_split": validation_split or None,
            "class_weight": class_weight,
            "callbacks": watchers.names,
        }
        with (
            runner.training(),
            recorded(run, self, rows, held_out, options, further) as recorders,
            diagnosed(doctor_of(diagnose), self, rows, held_out, options, class_weight) as watches,
        ):
            watchers = CallbackList([*watchers.callbacks, *watches, *recorders])
            watchers.attach(self, told)
            session.fit(runner.trainer("fit", rows), rows, validation, options, watchers, self.history)
        own.track_loss(self, {name: values[-1] for name, values in self.history.history.items() if values})
        return self.history

    @in_turn
    @checked
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: bool | int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Callbacks = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics over all rows: a list in the order of ``metrics_names``, a number if there is only a loss.

        Arguments:
            batch_size: 32 unless given. The results depend on it only where the rows of a batch matter to each other:
                a loss, metric or regularizer of one's own that looks at the whole batch is, as in Keras, computed of
                each batch.
        """
        verbose, watchers = check_verbose(verbose), CallbackList(callbacks)
        given = Given.of("evaluate", x, y, sample_weight)
        runner = self._ready_for(given.x, given.y, "evaluate", verbose)
        rows = first(given.prepared(runner), steps, batch_size, "evaluate")
        watchers.attach(self, params(verbose, 1, steps_over(rows, batch_size)))
        logs = runner.trainer("evaluate", rows).evaluate(rows, batch_size or BATCH, watchers, verbose)
        return self._as_keras(logs, return_dict)

    @in_turn
    @checked
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on all the rows given; loss and metrics of this batch as ``evaluate`` returns them."""
        self.runner.require_idle("train_on_batch")
        runner = self._ready_for(x, y, "train_on_batch", verbose=0)
        rows = runner.weigh_classes(runner.prepare(x, y, sample_weight), class_weight)
        return self._as_keras(runner.trainer("train_on_batch", rows).train_on_batch(rows), return_dict)

    @in_turn
    @checked
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of the rows given, all in one batch, without training."""
        runner = self._ready_for(x, y, "test_on_batch", verbose=0)
        rows = runner.prepare(x, y, sample_weight)
        logs = runner.trainer("test_on_batch", rows).evaluate(rows, rows.count, CallbackList(None), verbose=0)
        return self._as_keras(logs, return_dict)

    def _as_keras(self, logs: Mapping[str, Any], return_dict: bool) -> Any:
        """A list of the values, a number if there is one; or all by name."""
        own.track_loss(self, logs)
        if return_dict:
            return dict(logs)
        values = list((own.in_order(self, logs) if self.runner.trains_itself else logs).values())
        return values[0] if len(values) == 1 else values

    def _ready_for(self, x: Any, y: Any, what: str, verbose: int | str, seed: int | None = None) -> Runner:
        """The runner of the model built for these data, its loss chosen. Raises GraphError if it is not compiled."""
        self.runner.require_compiled(what)
        self.build_for(x, seed)
        self._build_what_steps_call(x, y)
        self.runner.choose_loss(x, y, verbose)
        return self.runner

    def _build_what_steps_call(self, x: Any, y: Any) -> None:
        """Let layers be built that no ``call`` of the model calls."""
        structure, runner = self.runner.structure, self.runner
        waiting = [one for one in structure.layers if not (one.model.built if isinstance(one, Nested) else one.built)]
        if structure.without_call and waiting and runner.own is not None and runner.own.train is not None:
            runner.own.build(runner.net(runner.rows(x)), runner.data_form(x, y))
            self._become(structure)

    def get_compile_config(self) -> dict[str, Any] | None:
        """What ``compile`` was told, in JSON types, for files. None if it is the class's own, and was told something
        that no file can name; such a class may override this and ``compile_from_config``, as in Keras.
        """
        if type(self).compile is not Model.compile:
            return own.described_call(self)
        compiled = self.runner.require_compiled("get_compile_config")
        return checkpoint.describe_compile(compiled.rule, compiled.arguments)

    @checked
    def compile_from_config(self, config: Mapping[str, Any] | None) -> None:
        """Compile as ``get_compile_config`` said. Where it gave None the model is left for the user to compile."""
        if config is None:
            warnings.warn(f"compile {type(self).__name__} again: no file can name what it was told", stacklevel=4)
        elif type(self).compile is not Model.compile:
            self.compile(**restore(config))
        else:
            self.compile(**checkpoint.restore_compile(config))

    # Use

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: bool | int | str = "auto",
        steps: int | None = None,
        callbacks: Callbacks = None,
    ) -> Any:
        """The outputs for all rows.

        Arguments:
            batch_size: 32 unless given. The results depend on it only where the rows of a batch matter to each other,
                as in BatchNormalization called with ``training=True``; otherwise no size compiles anything new.
        """
        one_row = self.runner.one_row
        if one_row is not None and one_row.takes(x) and callbacks is None:
            return one_row(x)
        with self.runner.turns.beside():
            return self._predict(x, batch_size, verbose, steps, callbacks)

    def _predict(
        self, x: Any, batch_size: int | None, verbose: bool | int | str, steps: int | None, callbacks: Callbacks
    ) -> Any:
        given = Given.of("predict", x)
        self.build_for(given.x)
        rows = first(given.inputs(self.runner), steps, batch_size, "predict")
        verbose, watchers = check_verbose(verbose), CallbackList(callbacks)
        watchers.attach(self, params(verbose, 1, steps_over(rows, batch_size)))
        if self.runner.structure.without_call and (self.runner.own is None or self.runner.own.predict is None):
            raise self._no_call("predict")
        if self.runner.own is not None and self.runner.own.predict is not None:
            return self.runner.predict_itself(given.x, rows, batch_size or BATCH, verbose, watchers)
        return self._outputs(self.runner.predict(rows, batch_size or BATCH, verbose, watchers))

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for all rows, which are one batch."""
        return self._on_one_batch(x, training=False)

    def _on_one_batch(self, x: Any, training: bool) -> Any:
        one_row = self.runner.one_row
        if one_row is not None and not training and one_row.takes(x):
            return one_row(x)
        with self.runner.turns.beside():
            self.build_for(x)
            rows = self.runner.rows(x)
            return self._outputs(self.runner.predict(rows, max(rows.count, 1), 0, CallbackList(None), training))

    def _outputs(self, named: dict[str, Any]) -> Any:
        return self.runner.structure.shown(named)

    # The engine

    def explain(self, stage: str = "graph", batch_size: int | None = None, what: str = "train") -> str:
        """What a step is compiled to, as text; docs/engine.md explains how to read it.

        Arguments:
            stage: "graph" as traced from the layers, "simplified", "kernels" (what is computed together), "plan" (tasks
                and their memory), "ir" (LLVM's), "assembly". On the xla executor after the first two "stablehlo" (what
                XLA gets) and "hlo" (what it has made of that).
            batch_size: rows of the step; unless given 32 to train, else as many as evaluate and predict take.
            what: the step to "train", "evaluate" or "predict".

        Raises: NameNotFoundError for an unknown stage; ExecutorError for one that the executor does not go through;
            GraphError if the model is not built, or not compiled for more than prediction.
        """
        from thalweg.model import engine  # takes 1 ms to load, a twentieth of all of thalweg

        return engine.explained(self.runner, stage, batch_size, what)

    @checked
    def profile(
        self,
        x: Any,
        y: Any = None,
        batch_size: Count | None = None,
        sample_weight: Any = None,
        *,
        what: str = "train",
        threads: int | None = None,
        seconds: float = 1.0,
        peak: float | None = None,
    ) -> Profile:
        """Where the time of a step goes: run on these data, task by task, by the step itself. The model stays as it is.

        Arguments:
            batch_size, what: as in :meth:`explain`.
            threads: exactly so many; unless given, as many as are quickest.
            seconds: to spend on it, beside the time to compile.
            peak: float32 operations that the processor can do in a second; measured unless given.

        Example: ``print(model.profile(x, y))``
        Raises: what :meth:`explain` and ``evaluate`` raise.
        """
        from thalweg.model import engine  # takes 1 ms to load, a twentieth of all of thalweg

        wanted = engine.step_rows("profile", what, batch_size)
        if what != engine.PREDICT:
            self.runner.require_compiled("profile")
        self.build_for(x)
        rows = engine.rows_for(self.runner, what, x, y, sample_weight)
        return engine.profiled(self.runner, rows, wanted, what, threads, seconds, peak)

    # Descriptions and files

    def get_config(self) -> dict[str, Any]:
        """The layers and how they are connected, in JSON types. A class of one's own gives the arguments of its
        ``__init__``, as in Keras; here it has none.
        """
        if self._body is not None:
            return {}
        self.runner.require_built("get_config")
        structure = description.describe_structure(self.runner.structure)
        return {"name": self.name, "trainable": self._trainable, **structure}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """A model, without values, from what ``get_config`` gave."""
        return _made(cls, config)

    def with_layers(self, replaced: Callable[[Any], Any]) -> Self:
        """A model, without values, of the same connections with other layers.

        Arguments:
            replaced: gives for each layer, or model inside of the model, the one in its place.

        Raises: ArgumentError for a class of one's own, or where ``replaced`` gives no layer.
        """
        if self._body is not None:
            raise ArgumentError(
                f"the layers of {type(self).__name__} cannot be replaced: its call says how they are connected",
                expected="a Sequential or functional model",
                got="a class of models with a call",
                fix="make another model of the class",
            )
        others = {}
        for layer in self.runner.structure.layers:
            other = replaced(unwrapped([layer])[0])
            others[layer.label] = other.as_layer() if isinstance(other, Model) else other
        bad = [label for label, other in others.items() if not isinstance(other, Layer)]
        if bad:
            raise ArgumentError(
                "what is to replace a layer is no layer",
                expected="a layer for each layer",
                got=f"{others[bad[0]]!r:.60} for {bad[0]!r}",
                fix="give the layer itself where it is to stay, or layer.from_config(layer.get_config())",
            )
        for label, other in others.items():
            other.name = other.name or label
        model = type(self).__new__(type(self))
        model._begin(self.name, self._trainable)
        model._become(description.restore_structure(self.get_config(), others))
        return model

    def file_config(self) -> dict[str, Any]:
        """What files say of the model, in JSON types.

        Raises: ArgumentError if a class of one's own does not say how to make it anew.
        """
        if self._body is None:
            return self.get_config()
        self.runner.require_built("save")
        restoring.require_arguments_known(type(self), Model.get_config)
        structure = self.runner.structure
        with sharing():
            arguments = describe(self.get_config(), f"{type(self).__name__}.get_config()")
        return {
            "name": self.name,
            "trainable": self._trainable,
            "arguments": arguments,
            "keys": self._body.keys,
            "layers": {path: layer.trainable for path, layer in structure.layers_by_path().items()},
            "inputs": description.describe_inputs(structure.inputs),
            **description.describe_forms(structure.inputs_form),
        }

    @classmethod
    def from_file_config(cls, settings: Mapping[str, Any]) -> Self:
        """The inverse of ``file_config``; without values. Raises as ``description.restore_structure``."""
        if "arguments" not in settings:
            return _made(cls, settings)
        whole = description.entry(description.ClassEntry, settings, f"the model of class {cls.__name__}")
        with sharing():
            arguments = restore(whole.arguments)
        model: Self = cls.from_config(arguments)
        model.name, model._trainable = whole.name, whole.trainable
        if model._body is None:
            raise description.bad_entry("a class describes the model", "a class with a call", cls.__name__)
        inputs = description.restore_inputs(whole.inputs)
        form = description.restore_form(whole.inputs_form, inputs, "inputs")
        model._become(model._body.structure(whole.keys, inputs, form))
        layers = model.runner.structure.layers_by_path()
        if layers.keys() != whole.layers.keys():
            raise description.bad_entry("the class has other layers", ", ".join(layers), list(whole.layers))
        for path, layer in layers.items():
            layer.trainable = whole.layers[path]
        return model

    @checked
    def save(self, filepath: FilePath, overwrite: bool = True) -> None:
        """The whole model in one file: layers, weights, and, if compiled, all that is needed to go on training.

        Training goes on from it to the same bits as without the file between.
        Raises: StorageError if it cannot be written (an older file then stays as it was); ArgumentError if something
            in the model cannot be described in a file.
        """
        self.runner.require_built("save")
        state = self.runner.kept_state()
        whole = restoring.whole_description(self)
        current().by_the_first("save", partial(checkpoint.save, filepath, state, whole, overwrite))

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[type[Model], dict[str, Any], Snapshot, int]]:
        """Copies and pickles hold what a file holds: compiled code and addresses must not be copied."""
        whole = restoring.whole_description(self)
        state = self.runner.kept_state()
        return restoring.revived, (type(self), whole, state, checkpoint.FORMAT)

    def described(self) -> dict[str, Any]:
        """Layers and what ``compile`` decided, in JSON types. Raises ArgumentError as ``save``."""
        return restoring.whole_description(self)

    def to_json(self, **kwargs: Any) -> str:
        """The layers and how they are connected, without weights; keywords go to ``json.dumps``."""
        whole = restoring.description(self)
        try:
            return json.dumps(whole, **kwargs)
        except (TypeError, ValueError, AttributeError) as error:  # of what the description holds nothing is refused
            raise ArgumentError(
                "to_json: these are no arguments of json.dumps",
                expected="keywords such as indent=2 or sort_keys=True",
                got=f"{', '.join(kwargs)}: {error}",
                fix="leave them out",
            ) from error


def _made(cls: type[M], settings: Mapping[str, Any]) -> M:
    """A model of layers and connections, or of the arguments of its class."""
    if not settings.keys() >= description.PARTS:
        try:
            return cls(**settings)
        except TypeError as error:
            problem = f"these are no arguments of {cls.__name__}, and no layers with their connections"
            expected = f"{', '.join(sorted(description.PARTS))}, or the arguments of its __init__"
            raise description.bad_entry(problem, expected, str(error)) from error
    whole = description.entry(description.StructureEntry, settings, "the model")
    model = cls.__new__(cls)
    model._begin(whole.name, whole.trainable)
    model._become(description.restore_structure(settings))
    return model


@cache
def _own_attributes(cls: Any) -> frozenset[str]:
    """The attributes that every model has, which hold none of the layers of one's own."""
    bare = cls.__new__(cls)
    bare._begin(None, trainable=True)
    return frozenset(vars(bare))
