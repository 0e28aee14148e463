"""The graphs of a step of training, of evaluation and of prediction. Everything a step does is in its graph.

Besides parameters, optimizer slots and counters, the state holds running sums: ``metrics/<name>/<sum>`` while
training, ``evaluation/<name>/<sum>`` in evaluation (see ``state.names``), from which the logs are computed
(``Goals.results``). They are float64, so that adding one sample to millions still counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from thalweg import ops, statistics
from thalweg.backprop import gradients
from thalweg.data.source import Weights
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Node, exact_scope, scope
from thalweg.graph.types import Shape, TensorType
from thalweg.layers.mixing import rolled
from thalweg.layers.tracing import Parameter, Trace, current_trace, tracing
from thalweg.losses.loss import Loss, spread
from thalweg.metrics.metric import Metric, counting
from thalweg.ops.leaf import Constant
from thalweg.optimizers.optimizer import Optimizer
from thalweg.passes.rows import adds_up, row_by_row, same_numbers
from thalweg.state import Variable
from thalweg.state.names import DRAW_STATE, EVALUATION, METRICS, STATISTICS_STATE, STEP_STATE, level, parameter_state
from thalweg.training.goals import PENALTY, Goal, Goals
from thalweg.training.pieces import piece_rows

NodesByName = Mapping[str, Node]
LayersFunction = Callable[[NodesByName, bool], dict[str, Node]]


@dataclass(frozen=True)
class Net:
    """What a step needs of a model: input types, parameters by path, and its layers as one function on nodes.

    Attributes:
        inputs: label ("x", "x/left") -> type for some batch size.
        outputs: name ("" if there is one) -> type.
        call: (label -> node, training) -> (output's name -> node); inside ``tracing`` only.
    """

    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType]
    parameters: Mapping[str, Parameter]
    trainable: frozenset[str]
    call: LayersFunction


@dataclass(frozen=True)
class Step:
    """A graph and the nodes of it that a message may want to name.

    Attributes:
        totals: what an evaluation adds to its sums.
        added: of the states to which outputs of the same names are to be added after the step; see ``ADDED_BYTES``.
        results: of a step that a model says itself: what gives the logs for the sums.
        losses: of such a step the states that are sums of losses, which must be finite.
        starts: what states are before the first step, where that is not 0.
        variables: states that have values elsewhere already.
        metrics: those of such a step, by their names among the sums.
        measured: the names of the sums of the layers' statistics, in the order of ``STATISTICS_STATE``; and those that
            are the same in every step.
    """

    graph: Graph
    predictions: tuple[Node, ...] = ()
    loss: Node | None = None
    gradients: tuple[Node, ...] = ()
    totals: tuple[Node, ...] = ()
    added: Mapping[str, TensorType] = field(default_factory=dict)
    results: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None
    losses: tuple[str, ...] = ()
    starts: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Variable] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    measured: tuple[tuple[str, ...], Mapping[str, float]] = ((), {})


def training_step(
    net: Net, goals: Goals, optimizer: Optimizer, batch: int, weights: Weights = (), measured: bool = False
) -> Step:
    """Forward, loss, back-propagation, update rule and sums, for one batch of this size.

    Arguments:
        weights: the sample weights that there are.
        measured: whether the statistics of the layers are found, too.
    """
    with tracing(net.parameters) as trace:
        trace.sums, trace.measured = METRICS, dict.fromkeys((*goals.names, PENALTY))
        forward = forward_of(net, goals, batch, weights, trace)
    loss, sums, wrt = forward.loss, forward.sums, forward.wrt
    slopes = dict(zip(wrt, gradients(loss, list(wrt.values())), strict=True))
    moved = _constrained(net, optimizer.updates(wrt, slopes))
    found = statistics_of(trace, forward, slopes, moved) if measured else {}
    known = {name: float(node.op.value) for name, node in found.items() if isinstance(node.op, Constant)}
    unknown = {name: ops.reshape(node, (1,)) for name, node in found.items() if name not in known}
    updates = {
        **moved,
        **trace.updates,
        **_running(METRICS, sums),
        **({STATISTICS_STATE: ops.concatenate(tuple(unknown.values()), 0)} if unknown else {}),
        STEP_STATE: successor(STEP_STATE),
    }
    return Step(
        Graph(optimizer.outputs(loss, slopes), updates),
        tuple(forward.predictions.values()),
        loss,
        tuple(slopes.values()),
        starts=trace.starts,
        measured=(tuple(unknown), known),
    )


@dataclass(frozen=True)
class Forward:
    """What a step of training computes before it looks back.

    Attributes:
        predictions: output's name -> node.
        loss: of the batch, with what regularizers add.
        sums: what the batch adds to the sums of losses and metrics.
        wrt: the trained parameters by path.
    """

    predictions: NodesByName
    loss: Node
    sums: dict[str, Node]
    wrt: NodesByName


def forward_of(net: Net, goals: Goals, batch: int, weights: Weights, trace: Trace, training: bool = True) -> Forward:
    """The model and its loss, inside ``tracing``. Arguments as of ``training_step``."""
    predictions = net.call(inputs_of(net, batch), training)
    parts = [_training_loss(goal, predictions[goal.name], batch, weights, trace.mixing) for goal in goals.outputs]
    wrt = {path: trace.node(p) for path, p in net.parameters.items() if path in net.trainable}
    penalties = penalties_of(net, trace, batch)
    with scope("loss"):
        loss = _total(goals, [part.loss for part in parts if part.loss is not None])
    sums = {name: node for part in parts for name, node in part.sums.items()}
    if penalties:
        penalty = _sum([ops.cast(penalty, loss.dtype) for penalty in penalties])
        loss = loss + penalty
        sums |= _batch_sums(PENALTY, penalty, batch)
    return Forward(predictions, loss, sums, wrt)


def evaluation_step(net: Net, goals: Goals, batch: int, filled: bool = True, weights: Weights = ()) -> Step:
    """Forward, loss and sums.

    Arguments:
        filled: whether some of the rows may only fill up the batch: those of weight 0 in the input "valid", which then
            count for nothing. Right only where rows do not matter to each other, see ``evaluation_rows``.
        weights: the sample weights that are not one number a sample.
    """
    with tracing(net.parameters, DRAW_STATE) as trace:
        trace.sums, trace.measured = EVALUATION, dict.fromkeys((*goals.names, PENALTY))
        predictions = net.call(inputs_of(net, batch), False)
        valid = ops.input_node(VALID, (batch,)) if filled else None
        sums: dict[str, Node] = {}
        for goal in goals.outputs:
            shape = dict(weights).get(goal.weight_label, ())
            sums |= _evaluation_sums(goal, predictions[goal.name], valid, batch, _weight(goal, batch, shape))
        rows = ops.constant(float(batch), "float64") if valid is None else ops.reduce_sum(ops.cast(valid, "float64"))
        penalties = [ops.cast(penalty, "float64") * rows for penalty in _penalties(net, trace)]
        penalties += [ops.cast(penalty(_only(valid, y)), "float64") for penalty, y in trace.activities]
        penalties += [ops.cast(added, "float64") * rows for added in trace.losses]
        if penalties:
            sums |= {f"{PENALTY}/total": _sum(penalties), f"{PENALTY}/samples": rows}
    kept = {name: node for name, node in trace.updates.items() if level(name) == EVALUATION}  # by metrics themselves
    totals, shown = (*sums.values(), *kept.values()), tuple(predictions.values())
    changes = kept | draws(trace)
    if changes or sum(node.type.nbytes for node in sums.values()) > ADDED_BYTES:
        graph = Graph({}, _running(EVALUATION, sums) | changes)
        return Step(graph, shown, totals=totals, starts=trace.starts)
    added = {f"{EVALUATION}/{name}": node for name, node in sums.items()}
    kinds = {name: node.type for name, node in added.items()}
    return Step(Graph(added), shown, totals=totals, added=kinds, starts=trace.starts)


def prediction_step(net: Net, batch: int, training: bool = False) -> Step:
    """Forward only; the outputs are called "prediction", or "prediction/<name>" where there are several.

    Arguments:
        training: for ``model(x, training=True)``: as in a step of training, with what layers update themselves.
    """
    with tracing(net.parameters, DRAW_STATE) as trace:
        predictions = net.call(inputs_of(net, batch), training)
    outputs = {prediction_label(name): node for name, node in predictions.items()}
    return Step(Graph(outputs, (trace.updates if training else {}) | draws(trace)))


def draws(trace: Trace) -> dict[str, Node]:
    """Another step of those that drew random numbers, if this one does."""
    return {DRAW_STATE: successor(DRAW_STATE)} if trace.drawn else {}


ADDED_BYTES = 1 << 16
"""What a step of evaluation adds to its sums is given out if it is not more than that: then no step changes anything,
they do not depend on each other, and threads may take whole ones."""


def evaluation_rows(
    net: Net, goals: Goals, weights: Weights = (), make: Callable[[int], Step] | None = None
) -> int | None:
    """Rows of a piece if losses and metrics over all rows are sums over the rows, so that any pieces will do.

    None where a loss, a metric or a regularizer of a user's own looks at the whole batch, or a layer does.

    Arguments:
        make: keeps the step that it makes for a piece, which is needed anyway.
    """
    step = evaluation_step(net, goals, _SIZE, weights=weights)
    if not adds_up(step.totals, _SIZE, VALID):
        return None
    rows = piece_rows(step.graph, _SIZE)
    other = evaluation_step(net, goals, rows, weights=weights) if make is None else make(rows)
    return rows if same_numbers(step.graph, other.graph) else None


def prediction_rows(net: Net, training: bool = False, make: Callable[[int], Step] | None = None) -> int | None:
    """Rows of a piece if every row of the predictions is made of the same row of the inputs alone; else None.

    ``make`` as in ``evaluation_rows``.
    """
    step = prediction_step(net, _SIZE, training).graph
    if step.updates.keys() - {DRAW_STATE} or not row_by_row(step, _SIZE):
        return None
    rows = piece_rows(step, _SIZE)
    other = prediction_step(net, rows, training) if make is None else make(rows)
    return rows if same_numbers(step, other.graph) else None


_SIZE = 127
"""Of the batch in a graph that is only looked at: no layer has a size like this by chance, and no piece is so large."""

KINDS = ("train", "evaluate", "predict")
"""What a step can be for."""


def graph_of(
    what: str, net: Net, goals: Goals | None, optimizer: Optimizer | None, batch: int, weights: Weights
) -> Graph:
    """The graph of a step of one of the ``KINDS``; goals are needed for all but prediction, the optimizer to train."""
    if what == "predict":
        return prediction_step(net, batch).graph
    assert goals is not None, "an evaluation has goals"
    if what == "evaluate":
        return evaluation_step(net, goals, batch, evaluation_rows(net, goals, weights) is not None, weights).graph
    assert optimizer is not None, "training has an optimizer"
    return training_step(net, goals, optimizer, batch, weights).graph


VALID = "valid"
"""The evaluation's input that says which rows are there: 1, and 0 for those that fill up the last batch."""


def prediction_label(output: str) -> str:
    """The name of an output among those of the step."""
    return f"prediction/{output}" if output else "prediction"


def successor(counter: str) -> Node:
    """What a counter is after the step."""
    return ops.cast(ops.cast(ops.state_node(counter, (), "uint32"), "int64") + 1, "uint32")


def inputs_of(net: Net, batch: int) -> dict[str, Node]:
    """The model's inputs for a batch of this size, by label."""
    return {label: ops.input_node(label, (batch, *kind.shape[1:]), kind.dtype) for label, kind in net.inputs.items()}


@dataclass(frozen=True)
class _Part:
    """One output's share of a training step."""

    loss: Node | None
    sums: dict[str, Node]


def _training_loss(goal: Goal, y_pred: Node, batch: int, weights: Weights, mixing: Node | None) -> _Part:
    kind = goal.target(batch)
    y_true = ops.input_node(goal.label, kind.shape, kind.dtype)
    given = dict(weights)
    weight = _weight(goal, batch, given[goal.weight_label]) if goal.weight_label in given else None
    if goal.loss is None:
        return _Part(None, _measure(goal, y_true, y_pred, None, weight))
    with scope(goal.loss_name):
        loss = loss_of(goal.loss, y_true, y_pred, weight, mixing)
        sums = _batch_sums(goal.loss_name, loss, batch)
    return _Part(loss, sums | _measure(goal, y_true, y_pred, None, weight))


def loss_of(loss: Loss, y_true: Node, y_pred: Node, weight: Node | None, mixing: Node | None) -> Node:
    """The loss of a batch; ``mixing`` as in ``Trace``."""
    return loss(y_true, y_pred, weight) if mixing is None else _mixed(loss, y_true, y_pred, weight, mixing)


def _mixed(loss: Loss, y_true: Node, y_pred: Node, weight: Node | None, mixing: Node) -> Node:
    """Each sample's own target counts for ``mixing``, the next one's for the rest; each brings its own weight."""
    if loss.reduction == "mean_with_sample_weight":
        raise ArgumentError(
            f"loss {loss.name!r} cannot be mixed",
            expected="another reduction in a model with MixUp, whose shares are weights",
            got=f"reduction={loss.reduction!r}",
            fix="leave the argument reduction out",
        )
    other = 1.0 - mixing
    if weight is None:
        return loss(y_true, y_pred, mixing) + loss(rolled(y_true), y_pred, other)
    own, others = spread(mixing, weight) * weight, spread(other, weight) * rolled(weight)
    return loss(y_true, y_pred, own) + loss(rolled(y_true), y_pred, others)


def _batch_sums(name: str, loss: Node, batch: int) -> dict[str, Node]:
    """Keras's epoch loss: the mean of the batches' losses, each counted as often as it has samples."""
    return {
        f"{name}/total": ops.cast(loss, "float64") * float(batch),
        f"{name}/samples": ops.constant(float(batch), "float64"),
    }


def _weight(goal: Goal, batch: int, shape: Shape) -> Node:
    """The input of an output's sample weights; ``shape`` is that of a row."""
    return ops.input_node(goal.weight_label, (batch, *shape))


def _evaluation_sums(goal: Goal, y_pred: Node, valid: Node | None, batch: int, weight: Node) -> dict[str, Node]:
    kind = goal.target(batch)
    y_true = ops.input_node(goal.label, kind.shape, kind.dtype)
    with scope(goal.loss_name):
        counted = ops.filled((batch,), 1.0) if valid is None else valid
        weight = weight if valid is None else weight * spread(valid, weight)
        sums = {} if goal.loss is None else goal.loss.totals(y_true, y_pred, weight, counted)
    named = {f"{goal.loss_name}/{name}": node for name, node in sums.items()}
    return named | _measure(goal, y_true, y_pred, valid, weight)


def _measure(
    goal: Goal, y_true: Node, y_pred: Node, weight: Node | None, sample_weight: Node | None
) -> dict[str, Node]:
    """What the batch adds to the sums of the metrics; ``weight`` is for all, ``sample_weight`` for weighted ones."""
    sums: dict[str, Node] = {}
    for measure in goal.measures:
        with scope(measure.name):
            weights = sample_weight if measure.weighted else weight
            if not measure.metric.is_formula:
                current_trace().measured[measure.name] = measure.metric
                measure.metric.update_state(y_true, y_pred, sample_weight=weights)
                continue
            own = measure.metric.sums(y_true, y_pred, counting(weights, y_pred))
        sums |= {f"{measure.name}/{name}": ops.cast(node, "float64") for name, node in own.items()}
    return sums


def penalties_of(net: Net, trace: Trace, batch: int) -> list[Node]:
    """What the regularizers and the layers that were called add to the loss of a batch."""
    activities = (penalty(y) / float(batch) for penalty, y in trace.activities)
    return [*_penalties(net, trace), *activities, *trace.losses]


def _penalties(net: Net, trace: Trace) -> list[Node]:
    """What the regularizers of the trained parameters give."""
    trained = (parameter for path, parameter in net.parameters.items() if path in net.trainable)
    return [p.regularizer(trace.node(p)) for p in trained if p.regularizer is not None]


def _only(valid: Node | None, y: Node) -> Node:
    """Rows that only fill up the batch made 0."""
    if valid is None:
        return y
    return ops.select(ops.broadcast(valid > 0.0, y.shape, (0,)), y, 0.0)


def _constrained(net: Net, updates: dict[str, Node]) -> dict[str, Node]:
    """The optimizer's updates, with the parameters projected onto their constraints."""
    new = dict(updates)
    for path, parameter in net.parameters.items():
        if path in net.trainable and parameter.constraint is not None:
            name = parameter_state(path)
            with exact_scope(updates[name].layer):
                new[name] = parameter.constraint(updates[name])
    return new


def statistics_of(trace: Trace, forward: Forward, slopes: NodesByName, moved: NodesByName) -> dict[str, Node]:
    """What the batch adds to the sums of the layers' statistics.

    Arguments:
        slopes: the gradient of each trained parameter, by path.
        moved: what the step makes of states, by name; nothing where there is no update.
    """
    uses = [result for results in trace.results.values() for result in results]
    given = [node for use in uses for node in (use if isinstance(use, tuple) else (use,))]
    fans = statistics.kernels(forward.wrt, forward.loss)
    parameters = [
        statistics.parameter_sums(path, w, slopes[path], moved.get(parameter_state(path)), fans.get(path))
        for path, w in forward.wrt.items()
    ]
    return statistics.together([statistics.result_sums(given, trace.activated), *parameters])


def _sum(nodes: Sequence[Node]) -> Node:
    return sum(nodes[1:], nodes[0])


def _total(goals: Goals, parts: list[Node]) -> Node:
    weighted = [
        part if goal.loss_weight == 1 else part * goal.loss_weight
        for goal, part in zip(goals.trained, parts, strict=True)
    ]
    return _sum(weighted)


def _running(prefix: str, sums: Mapping[str, Node]) -> dict[str, Node]:
    """The sums so far plus the batch's, which stand on the level ``prefix``: state's name -> node."""
    return {
        f"{prefix}/{name}": ops.state_node(f"{prefix}/{name}", node.shape, node.dtype) + node
        for name, node in sums.items()
    }
