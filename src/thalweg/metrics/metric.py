"""The base of all metrics: sums over an epoch in the graph, one formula on the host at its end."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Annotated, Any, ClassVar

import numpy as np

from thalweg import config, initializers, ops
from thalweg.checks import OneOf, check_fields, checked
from thalweg.data.arrays import as_array, converted
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import DTYPES, Shape, TensorType
from thalweg.layers.tracing import Trace, mask_of, tracing_now
from thalweg.losses.loss import column, spread
from thalweg.metrics.kept import Cells, HostCells, Late, MetricVariable, StepCells, cells_on_host, on_host
from thalweg.ops.reference import reference_values
from thalweg.registry import Registered, Registry
from thalweg.state import State, Variable

__all__ = ["MeanMetric", "Metric", "registry"]

Value = float | np.ndarray
"""A metric's result: a number, or an array where there is one number for each class, threshold or output."""


@dataclass(frozen=True, kw_only=True)
class Metric(Registered):
    """A number about predictions, exact over an epoch however it is cut into batches.

    A subclass writes ``sums`` and ``result``, or, for a mean over samples, derives from ``MeanMetric``; or, as in
    Keras, it makes variables in ``__init__`` and writes ``update_state`` and ``result``.

    Arguments:
        name: in records, tables and ``History``; the registered name unless given.
        dtype: accepted, as Keras's metrics have it; sums are double precision.
    """

    name: str | None = None
    dtype: str | None = field(default=None, repr=False)

    rises: ClassVar[bool | None] = None
    """Whether more is better; None if that cannot be said."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, wrapped in (("update_state", _updating), ("result", _resulting)):
            if name in vars(cls):
                setattr(cls, name, wrapped(vars(cls)[name]))

    def __post_init__(self) -> None:
        check_fields(self)
        if self.name is None:
            object.__setattr__(self, "name", self._default_name())

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        """What one batch adds to each sum of the epoch: name -> node, kept as float64.

        Shapes: y_true and y_pred (batch, ...); weight (batch,) or None for 1 each. A sum is a scalar or an array, of
        a shape that does not depend on the size of the batch.
        """
        raise NotImplementedError(f"{type(self).__name__} has no sums()")

    def result(self, *arguments: Any, **sums: Any) -> Any:
        """The metric from the epoch's sums: a float for each scalar one, an array for each array.

        Without sums, as in Keras: from what ``update_state`` has added up since ``reset_state``. A class of Keras's
        kind writes it without arguments, from its variables; it may give a mapping of several numbers by name.
        """
        raise NotImplementedError(f"{type(self).__name__} has no result()")

    # As in Keras: sums are kept between calls, in a step in its state, on the host in variables.

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch, of arrays or lists at once; of nodes, in ``train_step`` and the like, at each step.

        A class of Keras's kind writes it anew, on nodes, with variables made by ``add_weight``.
        Raises: ShapeError, DTypeError or DataError if the arrays do not fit.
        """
        self.add(self.sums(y_true, y_pred, counting(sample_weight, y_pred)))

    def add(self, sums: Mapping[str, Node]) -> None:
        """Add to the sums; inside ``update_state``."""
        cells = self._cells()
        assert cells is not None, "update_state works on nodes"
        for name, node in sums.items():
            so_far = cells.read(name, TensorType(node.shape, "float64"))
            cells.write(name, so_far + ops.cast(node, "float64"))

    def reset_state(self) -> None:
        """Forget what was added up."""
        trace = tracing_now()
        if trace is not None and cells_on_host() is None:
            self._reset_in(trace)
            return
        starts = {variable.key: variable.start for variable in self.variables}
        for name, variable in self._kept().items():
            variable.write(starts.get(name, 0))
        for inner in self._inner():
            inner.reset_state()

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """As in Keras: ``update_state``, then ``result``; of arrays the metric of all that were given since the start.

        Raises: as ``update_state``.
        """
        self.update_state(*arguments, **options)
        return self.result()

    @checked
    def add_variable(
        self,
        shape: Shape = (),
        initializer: Any = "zeros",
        dtype: Annotated[str, OneOf(*DTYPES)] | None = None,
        aggregation: str | None = "sum",
        name: str | None = None,
    ) -> MetricVariable:
        """An array that lasts from batch to batch, to be changed by ``assign`` and ``assign_add`` in ``update_state``.

        Arguments:
            aggregation: Keras's, for several machines; without a meaning here.
        """
        made: list[MetricVariable] = vars(self).setdefault("_variables", [])
        name = name or f"variable_{len(made)}"
        kind = TensorType(tuple(shape), dtype or config.floatx())
        filling = initializers.get("zeros" if initializer is None else initializer)
        key = f"{len(made)}.{name}"  # no sum, which is a name of Python's, is called so
        start = filling(kind.shape, kind.dtype, seed=0, path=name)
        made.append(MetricVariable(name, key, kind, start, self._cells, lambda: self._variable(key, kind, start)))
        return made[-1]

    def add_weight(self, *given: Any, **options: Any) -> MetricVariable:
        """``add_variable`` under its older name, with shape, initializer, dtype and name; or the name in front, as in
        Keras 2."""
        if given and isinstance(given[0], str):
            options, given = {"name": given[0], **options}, given[1:]
        return self.add_variable(**dict(zip(("shape", "initializer", "dtype", "name"), given, strict=False)), **options)

    @property
    def variables(self) -> list[MetricVariable]:
        """Those that were made, and those of metrics among the attributes."""
        own: list[MetricVariable] = vars(self).get("_variables", [])
        return [*own, *(variable for inner in self._inner() for variable in inner.variables)]

    # What training uses.

    @property
    def is_formula(self) -> bool:
        """Whether the metric is a formula of ``sums``, and not a class of Keras's kind."""
        cls = type(self)
        return cls.update_state is Metric.update_state and takes_sums(cls.result)

    def attach(self, state: State, prefix: str) -> None:
        """Go on from the states whose names begin with ``prefix``: ``result`` says what they come to."""
        names = [name for name in state if name.rpartition("/")[0] == prefix]
        self.keep_in({name.rpartition("/")[2]: state[name] for name in names})

    def keep_in(self, variables: dict[str, Variable]) -> None:
        """Have these, by the names of sums and variables, for what was added up so far."""
        vars(self)["_variables_of_sums"] = variables

    def value_of(self, sums: Mapping[str, Any]) -> Any:
        """What ``result`` gives for these sums and values of variables."""
        kept = {name: Variable(TensorType.of(np.asarray(value)), value) for name, value in sums.items()}
        before = self._kept()
        self.keep_in(kept)
        try:
            return self.result()
        finally:
            self.keep_in(before)

    def _kept(self) -> dict[str, Variable]:
        kept: dict[str, Variable] = vars(self).setdefault("_variables_of_sums", {})
        return kept

    def _variable(self, key: str, kind: TensorType, start: Any) -> Variable:
        return self._kept().setdefault(key, Variable(kind, start))

    def _inner(self) -> list[Metric]:
        return [value for name, value in vars(self).items() if isinstance(value, Metric)]

    def _cells(self) -> Cells | None:
        """Where what is added up stands at the moment; None where nothing is being called."""
        host, trace = cells_on_host(), tracing_now()
        if host is not None:
            return host.setdefault(id(self), HostCells(self._kept()))
        if trace is None or trace.sums is None:
            return None
        return StepCells(trace, f"{trace.sums}/{trace.name_metric(self, str(self.name))}")

    def _reset_in(self, trace: Trace) -> None:
        """In a step: sums that were changed begin anew, and so do variables."""
        if trace.sums is None:
            return
        prefix = f"{trace.sums}/{trace.name_metric(self, str(self.name))}/"
        for name, node in [(n, node) for n, node in trace.updates.items() if n.startswith(prefix)]:
            trace.updates[name] = ops.broadcast(ops.constant(0, node.dtype), node.shape, ())
        for variable in self.variables:
            variable.assign(variable.start)


def _updating(update: Callable[..., None]) -> Callable[..., None]:
    """``update_state`` of nodes, for arrays too."""

    @functools.wraps(update)
    def update_state(self: Metric, *arguments: Any, **options: Any) -> None:
        trace = tracing_now()
        if cells_on_host() is not None or (trace is not None and trace.sums is not None):
            update(self, *arguments, **options)
        elif trace is None:  # in a prediction nobody asks for metrics
            _update_on_host(lambda *given, **named: update(self, *given, **named), arguments, options)

    return update_state


def _update_on_host(update: Callable[..., None], arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
    known: dict[Node, np.ndarray] = {}

    def as_input(value: Any, name: str) -> Any:
        if value is None or isinstance(value, Node):
            return value
        if isinstance(value, Mapping):
            return {key: as_input(part, f"{name}[{key!r}]") for key, part in value.items()}
        array = as_array(value, name)
        whole = array.dtype.kind in "iub" and name == "y_true"
        array = converted(array, "int32" if whole else config.floatx(), name)
        node = ops.input_node(f"x{len(known)}", array.shape, array.dtype.name)
        known[node] = array
        return node

    names = ("y_true", "y_pred", "sample_weight")
    given = [as_input(value, names[min(place, 2)]) for place, value in enumerate(arguments)]
    named = {name: as_input(value, name) for name, value in options.items()}
    with on_host() as cells:
        update(*given, **named)
        for own in cells.values():
            own.store(known)


def _resulting(compute: Callable[..., Any]) -> Callable[..., Any]:
    """``result`` of sums, or of variables as nodes, also for what was added up so far."""
    of_sums = takes_sums(compute)

    @functools.wraps(compute)
    def result(self: Metric, *arguments: Any, **sums: Any) -> Any:
        if arguments or sums:
            return compute(self, *arguments, **sums)
        host, trace = cells_on_host(), tracing_now()
        if host is None and trace is not None:
            name = trace.name_metric(self, str(self.name))
            return Late(lambda values: self.value_of(parts(values, name)))
        if of_sums:
            so_far = _numbers(self)
            return compute(self, **so_far) if so_far else 0.0  # Keras's answer for nothing
        if host is not None:
            return compute(self)
        with on_host() as cells:
            made = compute(self)
            known = {node: array for own in cells.values() for node, array in own.known.items()}
        return _values_of(made, known)

    return result


def _numbers(metric: Metric) -> dict[str, Any]:
    """The sums so far: floats, or arrays."""
    kept = {name: variable.read() for name, variable in metric._kept().items() if name.isidentifier()}
    return {name: value if value.ndim else value.item() for name, value in kept.items()}


def _values_of(made: Any, known: Mapping[Node, np.ndarray]) -> Any:
    """What ``result`` gave with numbers in place of nodes."""
    if isinstance(made, Mapping):
        return {name: _values_of(part, known) for name, part in made.items()}
    made = made.now() if isinstance(made, MetricVariable) else made
    if isinstance(made, Node):
        (made,) = reference_values([made], known)
    return number(made)


def takes_sums(result: Callable[..., Any]) -> bool:
    """Whether a method ``result`` wants the sums of ``sums``."""
    code = getattr(result, "__wrapped__", result).__code__
    return bool(code.co_argcount + code.co_kwonlyargcount > 1 or code.co_flags & 0b1100)  # *args or **kwargs


def parts(sums: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The sums of one loss or metric, by their own names, in which there is no slash."""
    return {key.rpartition("/")[2]: value for key, value in sums.items() if key.rpartition("/")[0] == name}


for _name, _wrapped in (("update_state", _updating), ("result", _resulting)):
    setattr(Metric, _name, _wrapped(vars(Metric)[_name]))


registry: Registry[Metric] = Registry("metric", Metric)


def counting(weight: Node | None, y_pred: Node) -> Node | None:
    """The weights of samples or places, 0 where a mask of the predictions leaves a place out."""
    mask = mask_of(y_pred)
    if mask is None:
        return weight
    counts = ops.cast(mask, y_pred.dtype if weight is None else weight.dtype)
    if weight is None:
        return counts
    return spread(weight, counts) * counts if weight.rank <= counts.rank else weight * spread(counts, weight)


@dataclass(frozen=True)
class MeanMetric(Metric):
    """A weighted mean over the samples of the epoch: sum(w * value) / sum(w). A subclass writes ``values``."""

    def values(self, y_true: Node, y_pred: Node) -> Node | tuple[Node, Node | None]:
        """(batch,) or (batch, ...), of which further axes are averaged; or that, and which of them count (bool).

        y_pred has at least two axes: one prediction for each sample is (batch, 1).
        """
        raise NotImplementedError(f"{type(self).__name__} has no values()")

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        values = self.values(y_true, column(y_pred))
        values, counted = values if isinstance(values, tuple) else (values, None)
        return mean_sums(values, weight, counted)

    def result(self, total: float, weight: float) -> float:
        return float(total / weight) if weight else 0.0  # Keras's answer for nothing


def mean_sums(values: Node, weight: Node | None, counted: Node | None = None) -> dict[str, Node]:
    """The sums of a weighted mean over all numbers of ``values``: of w * value, and of w.

    They are float64: float32 would stop counting at 2^24 samples.
    """
    if weight is None and counted is None:
        total = ops.cast(ops.reduce_sum(values), "float64")
        return {"total": total, "weight": ops.constant(float(values.type.size), "float64")}
    weights = ops.filled(values.shape, 1.0, values.dtype)
    weights = weights if weight is None else spread(ops.cast(weight, values.dtype), values)
    weights = weights if counted is None else weights * ops.cast(counted, values.dtype)
    return {
        "total": ops.cast(ops.reduce_sum(values * weights), "float64"),
        "weight": ops.cast(ops.reduce_sum(weights), "float64"),
    }


def total(values: Node, weight: Node | None, axes: tuple[int, ...] | None = None) -> Node:
    """The float64 sum of w * value over ``axes``, the samples' among them; over all axes unless given."""
    weighted = values if weight is None else values * spread(ops.cast(weight, values.dtype), values)
    return ops.cast(ops.reduce_sum(weighted, axes), "float64")


def divide(x: Any, y: Any) -> np.ndarray:
    """``x / y`` in float64, and 0 where y is 0."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    quotient: np.ndarray = np.divide(x, y, out=np.zeros(np.broadcast_shapes(x.shape, y.shape)), where=y != 0)
    return quotient


def number(values: Any) -> Value:
    """An array as it is; a float instead of an array of one number, as in Keras."""
    array = np.asarray(values, np.float64)
    return array.item() if array.size == 1 else array
