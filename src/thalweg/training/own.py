"""Steps that a class of models writes itself: ``train_step``, ``test_step`` and ``predict_step``, on nodes.

The step is called once, when it is compiled, with nodes in place of the data. What it says becomes the graph:
optimizers that it applies change the weights that layers called afterwards see, metrics that it updates add up in the
state, and what it returns is what the logs say. Metrics' results are worked out from their sums; of any other tensor
the logs have the value of the last step, as in Keras.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg import config, ops
from thalweg.data.arrays import as_array, converted, require_finite
from thalweg.data.source import WEIGHT, Arrays
from thalweg.errors import ArgumentError, GraphError, ShapeError
from thalweg.executors.executor import Program
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Node
from thalweg.graph.types import TensorType
from thalweg.layers.signature import SOME_BATCH
from thalweg.layers.tracing import Lasting, Trace, freezing, tracing
from thalweg.metrics.kept import Late
from thalweg.metrics.metric import Metric
from thalweg.state.names import DRAW_STATE, EVALUATION, METRICS, STEP_STATE, owned
from thalweg.training.inference import Prediction
from thalweg.training.programs import Programs
from thalweg.training.step import Net, Step, draws, inputs_of, prediction_label, successor
from thalweg.trees import TreeForm, flatten, paths, unflatten

StepFunction = Callable[[Any], Any]
"""``train_step`` of a model, and its like: of ``x``, ``(x, y)`` or ``(x, y, sample_weight)``."""

OBJECTIVE = "objective"
"""The name among the sums of the losses whose gradients are taken, which must be finite."""


def pack(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The data of a step as it gets them, as Keras packs them."""
    if y is None:
        return (x,) if isinstance(x, list | tuple) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack(data: Any) -> tuple[Any, Any, Any]:
    """The inverse: x, y and sample_weight, None for what is not there. Raises ArgumentError for more parts."""
    parts = tuple(data) if isinstance(data, list | tuple) else (data,)
    if 1 <= len(parts) <= 3:
        x, y, sample_weight = (*parts, None, None)[:3]
        return x, y, sample_weight
    raise ArgumentError(
        "the data of a step have another number of parts",
        expected="x, (x,), (x, y) or (x, y, sample_weight)",
        got=f"{len(parts)} parts",
        fix="pass on the data that train_step got",
    )


@dataclass(frozen=True)
class DataForm:
    """What the data of a step look like, apart from how many rows there are.

    Arguments:
        x: how the inputs are given: None for one array, the keys of a mapping, nothing for a list; how they are nested.
        further: of targets and sample weights: label -> type of one row.
        y, sample_weight: trees whose leaves these are, in their order; None where there are none.
    """

    x: tuple[str, ...] | TreeForm | None
    further: tuple[tuple[str, TensorType], ...] = ()
    y: TreeForm | None = None
    sample_weight: TreeForm | None = None

    def data(self, inputs: Mapping[str, Node], batch: int) -> Any:
        """Nodes for a batch of this size as the step gets them."""
        leaves = iter([ops.input_node(label, (batch, *kind.shape), kind.dtype) for label, kind in self.further])
        y = None if self.y is None else unflatten(self.y, leaves)
        weight = None if self.sample_weight is None else unflatten(self.sample_weight, leaves)
        return pack(in_form(self.x, list(inputs.values())), y, weight)


def form_of(x: Any) -> tuple[str, ...] | None:
    """How inputs are given, as ``DataForm.x``."""
    if isinstance(x, Mapping) and not hasattr(x, "columns"):
        return tuple(map(str, x))
    several = isinstance(x, list | tuple) and len(x) > 0 and all(isinstance(part, np.ndarray | Node) for part in x)
    return () if several else None


def in_form(form: tuple[str, ...] | TreeForm | None, parts: Sequence[Any]) -> Any:
    """Inputs in their order as they were given."""
    if isinstance(form, TreeForm):
        return unflatten(form, iter(parts))
    if form is None and len(parts) == 1:
        return parts[0]
    return dict(zip(form, parts, strict=True)) if form else list(parts)


def further_data(form: tuple[str, ...] | TreeForm | None, y: Any, sample_weight: Any) -> tuple[Arrays, DataForm]:
    """Targets and sample weights as arrays by label, and the form of it all.

    Raises: DTypeError or DataError for what is no finite number.
    """
    arrays: Arrays = {}
    trees: list[TreeForm | None] = []
    for label, value in (("y", y), (WEIGHT, sample_weight)):
        leaves, tree = flatten(_containers_only(value))
        for place, leaf in zip(paths(tree, label), leaves, strict=True):
            arrays[_slashed(place)] = _ready(leaf, place)
        trees.append(None if value is None else tree)
    kinds = {label: TensorType(array.shape[1:], array.dtype.name) for label, array in arrays.items()}
    return arrays, DataForm(form, tuple(kinds.items()), *trees)


def _containers_only(value: Any) -> Any:
    """Lists of numbers are arrays; lists and mappings of arrays stay what they are."""
    if isinstance(value, Mapping) and not hasattr(value, "columns"):
        return {str(key): _containers_only(part) for key, part in value.items()}
    if isinstance(value, list | tuple) and value and all(isinstance(part, np.ndarray) for part in flatten(value)[0]):
        return [_containers_only(part) for part in value]
    return None if value is None else as_array(value, "y")


def _slashed(place: str) -> str:
    """A place in a tree as a label of the graph: ``y['a'][0]`` -> ``y/a/0``."""
    return place.replace("][", "/").replace("[", "/").replace("]", "").replace("'", "")


def _ready(array: np.ndarray, what: str) -> np.ndarray:
    """Floats in floatx; whole numbers as int32, uint8 and truth values as they are."""
    require_finite(array, what)
    if not array.ndim:
        raise ShapeError(
            f"{what} is one number", expected="one entry for each sample", got="()", fix="pass an array of samples"
        )
    if array.dtype.kind == "f" or what.startswith(WEIGHT):
        return converted(array, config.floatx(), what)
    return np.ascontiguousarray(array) if array.dtype.name in ("uint8", "bool") else converted(array, "int32", what)


@dataclass(eq=False)
class OwnSteps:
    """What a model says itself of its steps.

    Arguments:
        model: for the trace, which tells layers and optimizers whose step it is.
        train, test, predict: None where the model leaves it to thalweg.
        frozen: the layers that behave as in prediction.
        optimizers: those among the model's attributes, by their names; "" for that of ``compile``.
        metrics: by their names among the sums.
    """

    model: Any
    train: StepFunction | None
    test: StepFunction | None
    predict: StepFunction | None
    frozen: Any
    optimizers: Mapping[str, Any]
    metrics: Sequence[tuple[str, Metric]]

    def begin(self, trace: Trace, sums: str | None) -> None:
        """Let the trace know whose step it is."""
        trace.model, trace.sums = self.model, sums
        trace.owners = {id(optimizer): name for name, optimizer in self.optimizers.items()}
        for name, metric in self.metrics:
            trace.name_metric(metric, name)

    def build(self, net: Net, form: DataForm) -> None:
        """Let the layers make their parameters which only the step calls."""
        assert self.train is not None, "asked of a model with a train_step of its own"
        with tracing() as trace:
            self.begin(trace, METRICS)
            self.train(form.data(inputs_of(net, SOME_BATCH), SOME_BATCH))

    def training_step(self, net: Net, form: DataForm, batch: int) -> Step:
        """``train_step`` for a batch of this size."""
        assert self.train is not None, "asked of a model with a train_step of its own"
        with tracing(net.parameters) as trace, freezing(self.frozen):
            self.begin(trace, METRICS)
            returned = self.train(form.data(inputs_of(net, batch), batch))
            name = trace.name_metric(self, OBJECTIVE)
            total = sum(trace.objectives[1:], trace.objectives[0]) if trace.objectives else ops.constant(0.0)
            sum_name = f"{METRICS}/{name}/total"
            trace.updates[sum_name] = trace.latest(sum_name, TensorType((), "float64")) + ops.cast(total, "float64")
            results = _results(trace, returned, "train_step")
        trace.updates[STEP_STATE] = successor(STEP_STATE)
        return Step(
            Graph({}, trace.updates),
            loss=total,
            gradients=tuple(trace.slopes),
            results=results,
            losses=(sum_name,),
            starts=trace.starts,
            variables=_scalars(trace),
            metrics=_metrics(trace),
        )

    def evaluation_step(self, net: Net, form: DataForm, batch: int) -> Step:
        """``test_step`` for a batch of this size."""
        assert self.test is not None, "asked of a model with a test_step of its own"
        with tracing(net.parameters, DRAW_STATE) as trace, freezing(self.frozen):
            self.begin(trace, EVALUATION)
            returned = self.test(form.data(inputs_of(net, batch), batch))
            results = _results(trace, returned, "test_step")
        graph = Graph({}, trace.updates | draws(trace))
        return Step(graph, results=results, starts=trace.starts, variables=_scalars(trace), metrics=_metrics(trace))

    def prediction_step(self, net: Net, form: tuple[str, ...] | TreeForm | None, batch: int) -> tuple[Step, TreeForm]:
        """``predict_step`` for a batch of this size, and what it gives; its leaves are the step's outputs."""
        assert self.predict is not None, "asked of a model with a predict_step of its own"
        with tracing(net.parameters, DRAW_STATE) as trace, freezing(self.frozen):
            self.begin(trace, None)
            leaves, tree = flatten(self.predict(pack(in_form(form, list(inputs_of(net, batch).values())))))
        for node in leaves:
            if not isinstance(node, Node) or node.shape[:1] != (batch,):
                raise GraphError(
                    "predict_step gives something that has no row for each sample",
                    expected="tensors of the step whose first axis is the batch, or lists and mappings of such",
                    got=f"{node!r:.80}",
                    fix="return what layers and thalweg.ops make of the data",
                )
        outputs = {prediction_label(str(number) if number else ""): node for number, node in enumerate(leaves)}
        return Step(Graph(outputs, draws(trace))), tree


def _metrics(trace: Trace) -> dict[str, Metric]:
    """Those that were called, by their names among the sums."""
    return {name: metric for name, metric in trace.measured.items() if isinstance(metric, Metric)}


def _scalars(trace: Trace) -> dict[str, Any]:
    """The numbers of the optimizers that were used, which their owners may read and set at any time."""
    return {
        owned(name, owner): variable
        for owner, optimizer in trace.optimizers.items()
        for name, variable in optimizer.scalars.items()
    }


def _results(trace: Trace, returned: Any, what: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """What gives the logs for the sums of the step; tensors that were returned become states of it.

    Raises: GraphError if it is no mapping of names to numbers.
    """
    if not isinstance(returned, Mapping):
        raise GraphError(
            f"{what} gives no logs",
            expected="a mapping from names to results of metrics or tensors: {'loss': loss}",
            got=f"{returned!r:.80} ({type(returned).__name__})",
            fix="return {metric.name: metric.result() for metric in self.metrics}",
        )
    level = trace.sums
    name = trace.name_metric(returned, "returned")
    logs: dict[str, Any] = {}
    for key, value in _flat(returned):
        value = value.now() if isinstance(value, Lasting) else value
        if isinstance(value, Node):
            state = f"{name}/{len(logs)}"
            trace.latest(f"{level}/{state}", TensorType(value.shape, "float64"))
            trace.updates[f"{level}/{state}"] = ops.cast(value, "float64")
            value = Late(operator.itemgetter(state))
        elif not isinstance(value, Late | int | float | np.number):
            raise GraphError(
                f"{what} gives something that is no number in its logs",
                expected="results of metrics, tensors of the step, or numbers",
                got=f"{key!r}: {value!r:.60} ({type(value).__name__})",
                fix="return what metric.result(), a loss or thalweg.ops gives",
            )
        logs[key] = value

    def results(sums: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in logs.items():
            number = value.compute(sums) if isinstance(value, Late) else value
            number = number.item() if isinstance(number, np.generic) else number
            found |= {str(k): v for k, v in number.items()} if isinstance(number, Mapping) else {key: number}
        return found

    return results


def _flat(logs: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Nested mappings laid out, as in Keras."""
    found: list[tuple[str, Any]] = []
    for key, value in logs.items():
        found += _flat(value) if isinstance(value, Mapping) else [(str(key), value)]
    return found


class OwnPrediction(Prediction):
    """What ``predict_step`` of a model gives, in batches of the size that the user asks for.

    Arguments:
        form: how the inputs were given.
    """

    piece = None

    def __init__(self, net: Net, programs: Programs, own: OwnSteps, form: tuple[str, ...] | TreeForm | None) -> None:
        super().__init__(net, programs)
        self.own = own
        self.form = form
        self.step, self.tree = own.prediction_step(net, form, 1)

    def program(self, batch: int, gather: bool = True) -> Program:
        return self.programs.program(
            ("own prediction", batch, self.form),
            lambda: self.own.prediction_step(self.net, self.form, batch)[0],
            gather=gather,
        )

    def empty(self, rows: int) -> Arrays:
        outputs = self.step.graph.outputs
        return {label: np.empty((rows, *node.shape[1:]), node.dtype) for label, node in outputs.items()}
