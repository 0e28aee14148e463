"""The optimizer as users of a model see it: its arguments, and its rate and step counter, which live in the state."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, check_value
from thalweg.errors import ArgumentError, GraphError, did_you_mean
from thalweg.graph.node import Node, exact_scope
from thalweg.graph.types import Shape, TensorType
from thalweg.layers.tracing import Trace, tracing_now
from thalweg.optimizers.optimizer import ITERATIONS_STATE, LEARNING_RATE_STATE, Optimizer
from thalweg.optimizers.schedules import Schedule
from thalweg.spelling import SpellingNotice
from thalweg.state import State, Variable
from thalweg.state.names import SLOTS, owned, parameter_state


class NoGradient(UserWarning):
    """A loss does not depend on a weight that is to be trained by it."""


class AssignableRate(float):
    """A learning rate that was read: a float, with the methods that Keras's variable has."""

    def __new__(cls, value: float, assign: Callable[[float], None]) -> AssignableRate:
        self = super().__new__(cls, value)
        self.assign = assign
        return self

    assign: Callable[[float], None]
    """``model.optimizer.learning_rate.assign(0.01)`` sets the rate, as in Keras."""

    def numpy(self) -> np.float32:
        """The rate as a NumPy number."""
        return np.float32(self)


class StepCount(int):
    """How many steps were made: a number, with the method that Keras's variable has."""

    def numpy(self) -> np.int64:
        """The number as NumPy's."""
        return np.int64(self)


@dataclasses.dataclass(frozen=True)
class OptimizerVariable:
    """One of the arrays that an optimizer keeps, as in ``optimizer.variables``.

    Arguments:
        path: the name of its state: ``"optimizer/iterations"``, ``"slots/dense/kernel/m"``.
    """

    path: str
    variable: Variable

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def shape(self) -> Shape:
        """Its sizes."""
        return self.variable.type.shape

    @property
    def dtype(self) -> str:
        """The kind of its numbers."""
        return self.variable.type.dtype

    def numpy(self) -> np.ndarray:
        """A copy of the value."""
        return self.variable.read()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.numpy(), dtype)


class OptimizerHandle:
    """``model.optimizer``. ``learning_rate``, if no schedule, may be set at any time; nothing is compiled again.

    Optimizers themselves are values that never change, so that two models may share one.
    """

    def __init__(self, optimizer: Optimizer, state: State | None = None) -> None:
        self.rule = optimizer
        self.state = state
        self.scalars = {name: Variable(kind, start) for name, (kind, start) in optimizer.states({}).items()}

    def current_rule(self) -> Optimizer:
        """The rule with the rate that has been set since."""
        if isinstance(self.rule.learning_rate, Schedule):
            return self.rule
        return dataclasses.replace(self.rule, learning_rate=float(self.learning_rate))

    # In a step that a user writes

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """In ``train_step``: move the weights by their gradients; layers called afterwards have the new ones.

        A weight whose gradient is None stays as it is, with a notice.

        Arguments:
            trainable_variables: all that the model trains unless given.

        Raises: GraphError outside of a step; ArgumentError if there are not as many of both, or for an optimizer that
            searches along a line.
        """
        trace = self._step()
        weights = list(trace.model.trainable_weights if trainable_variables is None else trainable_variables)
        slopes = list(grads)
        if len(slopes) != len(weights):
            raise ArgumentError(
                "an optimizer gets another number of gradients than of weights",
                expected="one gradient for each weight",
                got=f"{len(slopes)} gradients for {len(weights)} weights",
                fix="pass optimizer.apply(gradients, weights) with the weights that the gradients were taken by",
            )
        without = [weight.name for g, weight in zip(slopes, weights, strict=True) if g is None]
        if without and len(without) == len(slopes):
            raise ArgumentError(
                "no weight has a gradient",
                expected="a loss that depends on at least one of the weights",
                got=f"None for {', '.join(without[:5])}",
                fix="compute the loss from what the layers give for these weights",
            )
        if without:
            warnings.warn(f"no gradients for {', '.join(without[:5])}: they stay as they are", NoGradient, stacklevel=3)
        given = {trace.path(w): (w, g) for g, w in zip(slopes, weights, strict=True) if g is not None}
        owner = self._owner(trace)

        def read(name: str, shape: Shape, dtype: str) -> Node:
            kind = TensorType(shape, dtype)
            return trace.latest(owned(name, owner), kind, starts.get(name, (kind, 0))[1])

        starts = self.rule.states({path: weight.type for path, (weight, _) in given.items()})
        nodes = {path: trace.node(weight) for path, (weight, _) in given.items()}
        moved = self.rule.updates(nodes, {path: g for path, (_, g) in given.items()}, read)
        states = {parameter_state(path): weight for path, (weight, _) in given.items()}
        for name, node in moved.items():
            if name not in states:
                trace.updates[owned(name, owner)] = node
                continue
            weight = states[name]
            with exact_scope(node.layer):
                trace.assign(weight, node if weight.constraint is None else weight.constraint(node))

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]]) -> None:
        """``apply`` of pairs of a gradient and its weight: ``zip(gradients, weights)``."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [weight for _, weight in pairs])

    def _step(self) -> Trace:
        """The step that is being made. Raises GraphError if there is none."""
        trace = tracing_now()
        if trace is None or trace.model is None:
            raise GraphError(
                "an optimizer is applied outside of a compiled step",
                expected="optimizer.apply(gradients, weights) in train_step(self, data) of a model",
                got=f"a call of {type(self.rule).__name__}.apply where no step is being made",
                fix="write the lines into train_step of a class derived from Model, and call fit or train_on_batch",
            )
        if type(self.rule).stepper is not Optimizer.stepper:
            raise ArgumentError(
                f"{type(self.rule).__name__} makes steps of its own, and cannot be applied in train_step",
                expected="an optimizer that moves weights by one gradient, as Adam",
                got=type(self.rule).__name__,
                fix="compile with another optimizer, or leave train_step and compute_loss to Model",
            )
        return trace

    def _owner(self, trace: Trace) -> str:
        """What the optimizer is called among the states: "" for that of ``compile``."""
        owner = trace.owners.setdefault(id(self), f"optimizer_{len(trace.owners)}")
        trace.optimizers[owner] = self
        return owner

    @property
    def learning_rate(self) -> AssignableRate:
        """The rate of the next step."""
        return AssignableRate(self.scalars[LEARNING_RATE_STATE].number(), self._set_rate)

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._set_rate(value)

    def _set_rate(self, value: float) -> None:
        if isinstance(self.rule.learning_rate, Schedule):
            raise ArgumentError(
                "the learning rate cannot be set: the optimizer has a schedule",
                expected="an optimizer with a number as its learning_rate",
                got=f"{type(self.rule.learning_rate).__name__}, which would set the rate again in the next step",
                fix=f"compile with {type(self.rule).__name__}(learning_rate={value!r})",
            )
        rate = check_value(type(self.rule).__name__, "learning_rate", Annotated[float, In("[0, inf)")], value)
        self.scalars[LEARNING_RATE_STATE].write(rate)

    @property
    def lr(self) -> AssignableRate:
        """The older spelling of ``learning_rate``."""
        return self.learning_rate

    @lr.setter
    def lr(self, value: float) -> None:
        warnings.warn("optimizer.lr is read as optimizer.learning_rate", SpellingNotice, stacklevel=2)
        self._set_rate(value)

    @property
    def iterations(self) -> StepCount:
        """How many steps it has made; with ``gradient_accumulation_steps`` a step takes so many batches."""
        steps: int = self.scalars[ITERATIONS_STATE].number()
        return StepCount(steps // (self.rule.gradient_accumulation_steps or 1))

    @property
    def variables(self) -> list[OptimizerVariable]:
        """What it keeps: its counter and rate, and, from the first step on, its arrays for each weight."""
        slots = {} if self.state is None else {name: self.state[name] for name in self.state.names(SLOTS)}
        return [OptimizerVariable(name, variable) for name, variable in (self.scalars | slots).items()]

    def exclude_from_weight_decay(self, *arguments: Any, **named: Any) -> None:
        """Raises ArgumentError: after ``compile`` it is too late for that, as in Keras."""
        raise ArgumentError(
            "exclude_from_weight_decay comes too late",
            expected="a call before compile",
            got="a call on the optimizer of a compiled model",
            fix=f"compile with {type(self.rule).__name__}(..., decay_exclusions=('bias',))",
        )

    def __setattr__(self, name: str, value: Any) -> None:
        """Only the rate changes. Anything else would look as if it had an effect, and have none."""
        if name not in ("rule", "state", "scalars", "learning_rate", "lr"):
            raise ArgumentError(
                f"optimizer.{name} cannot be set",
                expected="learning_rate, which may change at any time",
                got=f"{name} = {value!r:.80}",
                fix=f"compile with a new {type(self.rule).__name__}({name}=...)"
                if hasattr(self.rule, name)
                else did_you_mean(name, ["learning_rate"]),
            )
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        """The optimizer's arguments."""
        return getattr(self.rule, name)

    def __repr__(self) -> str:
        return repr(self.rule)
