"""What a class of models says itself of its steps, and what it leaves to ``Model``: losses, metrics, optimizers."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from thalweg import config, ops
from thalweg.errors import ArgumentError, GraphError
from thalweg.fields import dataclass
from thalweg.graph.node import Node, scope
from thalweg.graph.types import TensorType
from thalweg.layers.layer import Layer
from thalweg.layers.nested import Nested
from thalweg.layers.tracing import Trace, as_node, tracing_now
from thalweg.metrics import Mean
from thalweg.metrics.metric import Metric
from thalweg.model.structure import Structure
from thalweg.ops.reference import on_arrays
from thalweg.optimizers.optimizer import Optimizer
from thalweg.registry import describe
from thalweg.state import Variable
from thalweg.training import data
from thalweg.training.goals import LOSS, Goal, Goals
from thalweg.training.handle import OptimizerHandle
from thalweg.training.own import OwnSteps
from thalweg.training.step import loss_of, penalties_of

Model = Any
"""A ``thalweg.Model``, which stands further down."""

OF_TRAINING = ("train_step", "test_step", "compute_loss", "compute_metrics", "metrics")
"""What a class overrides to train and evaluate in a way of its own."""
OF_PREDICTION = ("predict_step",)
NEVER_CALLED = ("make_train_function", "make_test_function", "make_predict_function")
"""Methods of Keras's models that would make what here is compiled."""


def overrides(cls: type, base: type, names: Iterable[str]) -> bool:
    """Whether a class has one of these in a way of its own."""
    return any(getattr(cls, name) is not getattr(base, name) for name in names)


def refuse_functions(cls: type) -> None:
    """Raise ArgumentError for a class of models with a method that nothing would call."""
    found = [name for name in NEVER_CALLED if hasattr(cls, name)]
    if found:
        raise ArgumentError(
            f"{cls.__name__}.{found[0]} would not be called",
            expected="a class of models that writes train_step, test_step or predict_step; they are compiled",
            got=f"{', '.join(found)} in {cls.__name__}",
            fix="write what one step does into train_step(self, data), and take it out",
        )


def steps_of(model: Model, base: type) -> OwnSteps | None:
    """What the model says itself; None if it says nothing."""
    cls = type(model)
    trains = overrides(cls, base, OF_TRAINING) or bool(attributes(model, Metric))
    predicts = overrides(cls, base, OF_PREDICTION)
    if not trains and not predicts:
        return None
    compiled = model.runner.compiled
    return OwnSteps(
        model,
        model.train_step if trains else None,
        model.test_step if trains else None,
        model.predict_step if predicts else None,
        None if compiled is None else compiled.trained.frozen,
        optimizers_of(model),
        [(str(metric.name), metric) for metric in model.runner.trackers.values()],
    )


def attributes(model: Model, kind: type) -> list[tuple[str, Any]]:
    """The model's attributes of a class, and those of its layers, with the names of attributes; each once.

    Models among the layers have steps and metrics of their own.
    """
    found: dict[int, tuple[str, Any]] = {}
    layers = [layer for layer in model.runner.structure.layers if not isinstance(layer, Nested)]
    inside = [one for layer in layers for one in _layers_in(layer)]
    for owner in (model, *inside):
        for name, value in vars(owner).items():
            for key, part in _parts(name, value):
                if isinstance(part, kind):
                    found.setdefault(id(part), (key, part))
    return list(found.values())


def _layers_in(layer: Layer) -> Iterator[Layer]:
    yield layer
    for inner in layer.sublayers():
        if not isinstance(inner, Nested):
            yield from _layers_in(inner)


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What an attribute holds, with the places in lists and mappings."""
    if isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _parts(f"{name}_{number}", part)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _parts(f"{name}_{key}", part)
    else:
        yield name, value


def optimizers_of(model: Model) -> dict[str, OptimizerHandle]:
    """The model's optimizers by the names of attributes; "" for that of ``compile``."""
    own = {} if model.optimizer is None else {"": model.optimizer}
    return own | {name: handle for name, handle in attributes(model, OptimizerHandle) if handle is not model.optimizer}


def handled(value: Any) -> Any:
    """An attribute of a model: optimizers become handles, whose rates live and whose steps are counted."""
    if isinstance(value, Optimizer):
        return OptimizerHandle(value)
    if isinstance(value, list | tuple) and any(isinstance(part, Optimizer) for part in value):
        return type(value)(map(handled, value))
    if isinstance(value, dict) and any(isinstance(part, Optimizer) for part in value.values()):
        return {key: handled(part) for key, part in value.items()}
    return value


def remembered(compile: Callable[..., Any]) -> Callable[..., Any]:
    """A ``compile`` of a class's own, whose arguments are kept for files."""

    @functools.wraps(compile)
    def remembering(self: Model, *arguments: Any, **options: Any) -> None:
        compile(self, *arguments, **options)
        bound = inspect.signature(compile).bind(self, *arguments, **options).arguments
        self.runner.compile_call = dict(list(bound.items())[1:])  # the outermost call is the last one here

    return remembering


def described_call(model: Model) -> dict[str, Any] | None:
    """The arguments of that call in JSON types; None if one of them has no name in a file."""
    try:
        return {name: describe(value, name) for name, value in model.runner.compile_call.items()}
    except ArgumentError:
        return None


# Losses


def compiled_loss(model: Model, y: Any, y_pred: Any, sample_weight: Any) -> Node | None:
    """What ``compile`` was told to make small, of a batch; None if it was told no loss. Raises as ``goals``."""
    runner = model.runner
    if runner.compiled is None or runner.compiled.loss is None:
        return None
    outputs = named(y_pred, runner.structure)
    goals = runner.goals_for({name: node.type for name, node in outputs.items()})
    targets = parts_of(runner.structure.outputs_apart(y), goals, "y")
    weights = parts_of(runner.structure.outputs_apart(sample_weight), goals, "sample_weight")
    mixing = _trace().mixing
    total = None
    for goal in goals.trained:
        with scope(goal.loss_name):
            loss = loss_of(goal.loss, targets[goal.name], outputs[goal.name], weights[goal.name], mixing)
        if goal in goals.parts:
            _add_part(model, goal, loss, outputs[goal.name].shape[0])
        loss = loss if goal.loss_weight == 1 else loss * goal.loss_weight
        total = loss if total is None else total + loss
    return total


def _add_part(model: Model, goal: Goal, loss: Node, batch: int) -> None:
    """The loss of one of several outputs, to that of the epoch."""
    trackers: dict[str, Any] = model.runner.trackers
    if goal.loss_name not in trackers:
        trackers[goal.loss_name] = Mean(name=goal.loss_name)
    trackers[goal.loss_name].update_state(loss, sample_weight=float(batch))


def added_losses(model: Model) -> list[Any]:
    """What regularizers and ``add_loss`` add: nodes in a step, numbers of the weights alone at any other time."""
    trace = tracing_now()
    if trace is not None:
        batch = next((y.shape[0] for _, y in trace.activities), 1)
        return penalties_of(model.runner.net(), trace, batch)
    weights = [p for p in model.trainable_weights if p.regularizer is not None]
    return [float(on_arrays(lambda w, p=p: {"penalty": p.regularizer(w)}, p.numpy())["penalty"]) for p in weights]


def total_loss(model: Model, y: Any, y_pred: Any, sample_weight: Any) -> Node:
    """``compute_loss`` of every model. Raises ArgumentError if there is no loss at all."""
    return summed([compiled_loss(model, y, y_pred, sample_weight), *model.losses])


def summed(losses: Iterable[Any]) -> Node:
    """The sum of these losses, as far as they are there. Raises ArgumentError if none is."""
    nodes = [loss for loss in losses if loss is not None]
    if not nodes:
        raise ArgumentError(
            "there is no loss to compute",
            expected="a loss, from compile, add_loss or a regularizer",
            got="compile without loss=",
            fix="pass loss= to compile; or write train_step and test_step, with a loss of your own",
        )
    total: Node = nodes[0]
    for node in nodes[1:]:
        total = total + ops.cast(node, total.dtype)
    return total


def loss_of_step(model: Model, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Node:
    """What ``compute_loss`` gives, which may not know of ``training``, as it did not before Keras 3.3."""
    code = type(model).compute_loss.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    options = {"training": training} if "training" in names or code.co_flags & 8 else {}
    loss: Any = model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **options)
    return loss if isinstance(loss, Node) else as_node(loss, config.floatx())


# Metrics


@dataclass(frozen=True, eq=False)
class CompiledMetrics(Metric):
    """The metrics of ``compile`` together, as one, in the manner of Keras 3: its result is a mapping.

    Arguments:
        model: whose they are.
    """

    model: Any

    @property
    def metrics(self) -> list[Metric]:
        """The metrics themselves, once the model knows its outputs."""
        goals = self.model.runner.latest_goals
        return [] if goals is None else [measure.metric for goal in goals.outputs for measure in goal.measures]

    @property
    def is_formula(self) -> bool:
        return False

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch to each; sample weights count for ``weighted_metrics`` alone."""
        runner = self.model.runner
        outputs = named(y_pred, runner.structure)
        goals = runner.goals_for({name: node.type for name, node in outputs.items()})
        targets = parts_of(runner.structure.outputs_apart(y_true), goals, "y")
        weights = parts_of(runner.structure.outputs_apart(sample_weight), goals, "sample_weight")
        for goal in goals.outputs:
            for measure in goal.measures:
                trace = tracing_now()
                if trace is not None:
                    trace.name_metric(measure.metric, measure.name)
                weight = weights[goal.name] if measure.weighted else None
                if isinstance(measure.metric, Mean):
                    measure.metric.update_state(outputs[goal.name], weight)
                else:
                    measure.metric.update_state(targets[goal.name], outputs[goal.name], sample_weight=weight)

    def result(self) -> dict[str, Any]:
        """Name -> value."""
        goals = self.model.runner.latest_goals
        measures = [] if goals is None else [measure for goal in goals.outputs for measure in goal.measures]
        return {measure.name: measure.metric.result() for measure in measures}

    def reset_state(self) -> None:
        """Forget what was added up."""
        for metric in self.metrics:
            metric.reset_state()


def metrics_of(model: Model) -> list[Metric]:
    """``metrics`` of every model, in Keras's order."""
    trackers: dict[str, Metric] = model.runner.trackers
    return [*trackers.values(), *(metric for _, metric in attributes(model, Metric))]


def track_loss(model: Model, logs: Mapping[str, Any]) -> None:
    """Let the metric of the loss say what the logs say, where the step keeps the loss's sums itself."""
    tracker = model.runner.trackers.get(LOSS)
    if tracker is not None and LOSS in logs and not model.runner.trains_itself:
        tracker.keep_in(
            {name: Variable(TensorType((), "float64"), v) for name, v in (("total", logs[LOSS]), ("weight", 1))}
        )


def named(y_pred: Any, structure: Structure) -> dict[str, Node]:
    """Predictions by the names of outputs, which the model gives if they are as many."""
    y_pred, outputs = structure.outputs_apart(y_pred), structure.outputs
    if isinstance(y_pred, Mapping):
        return dict(y_pred)
    if isinstance(y_pred, list | tuple):
        names = list(outputs) if len(outputs) == len(y_pred) else [f"output_{i}" for i in range(len(y_pred))]
        return dict(zip(names, y_pred, strict=True)) if len(y_pred) > 1 else {"": y_pred[0]}
    return {"": y_pred}


def parts_of(value: Any, goals: Goals, what: str) -> dict[str, Any]:
    """Targets or weights by the name of the output; one array of weights is for all. None for each if there are none.

    Raises: ArgumentError if they name or number other outputs; GraphError if they are missing.
    """
    names = list(goals.names_of_outputs)
    if value is None:
        if what == "y" and goals.trained:
            raise GraphError(
                "the loss of compile is asked for without targets",
                expected="targets, compute_loss(y=y, y_pred=y_pred)",
                got="y=None",
                fix="pass y to fit; or compute a loss of your own in train_step",
            )
        return dict.fromkeys(names)
    if what == "sample_weight" and isinstance(value, Node):
        return dict.fromkeys(names, value)
    if isinstance(value, list | tuple) and len(value) == 1 == len(names):
        (value,) = value
    parts = data.by_label(value, [f"{what}/{name}" if name else what for name in names], what)
    return dict(zip(names, parts.values(), strict=True))


def _trace() -> Trace:
    trace = tracing_now()
    if trace is None:
        raise GraphError(
            "a loss is computed outside of a compiled step",
            expected="compute_loss called in train_step or test_step",
            got="a call where no step is being made",
            fix="call evaluate(), or the loss itself on arrays: thalweg.losses.MeanSquaredError()(y, y_pred)",
        )
    return trace


def rows_in(x: Any) -> int:
    """How many rows the batch has."""
    for part in x.values() if isinstance(x, Mapping) else x if isinstance(x, list | tuple) else (x,):
        if isinstance(part, Node | np.ndarray):
            return int(part.shape[0])
    raise AssertionError("a batch has at least one tensor")


def names(model: Model) -> list[str]:
    """The names of the logs, in the order of ``evaluate``, as far as metrics give them."""
    found: list[str] = []
    for metric in model.metrics:
        found += [str(m.name) for m in (metric.metrics if isinstance(metric, CompiledMetrics) else [metric])]
    return found


def in_order(model: Model, logs: Mapping[str, Any]) -> dict[str, Any]:
    """The logs as Keras gives them in a list: those of metrics first, then the others by name."""
    known = [name for name in names(model) if name in logs]
    return {name: logs[name] for name in [*known, *sorted(logs.keys() - set(known))]}


def rises(model: Model, name: str) -> bool | None:
    """Whether larger values under this name in the logs are better; None if that is not known."""
    metrics = [part for m in model.metrics for part in (m.metrics if isinstance(m, CompiledMetrics) else [m])]
    found = next((metric for metric in metrics if metric.name == name), None)
    if found is not None and found.rises is not None:
        return found.rises
    return False if LOSS in name else None
