"""The base of all optimizers: states, clipping and weight decay; a subclass adds one update rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any

from thalweg import ops
from thalweg.checks import In, Reserved, check_fields
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.graph.node import Node, exact_scope
from thalweg.graph.types import TensorType
from thalweg.registry import Registered, Registry

ITERATIONS_STATE = "optimizer/iterations"
LEARNING_RATE_STATE = "optimizer/learning_rate"

Slots = dict[str, Node]


@dataclass(frozen=True, kw_only=True)
class Optimizer(Registered):
    """A rule that makes new parameters from old ones and gradients.

    A subclass names its ``slots`` and writes ``update``.

    Order, as in Keras: gradients are clipped; parameters decay, ``w -= learning_rate * weight_decay * w``; then the
    update rule.

    Arguments:
        learning_rate: the size of a step. It becomes a state of the model, so that changing it compiles nothing.
        weight_decay: the decay's factor; applies to every parameter, biases too.
        clipnorm: every gradient g with a norm above it becomes ``g * clipnorm / norm(g)``, each parameter for itself.
        clipvalue: every number of a gradient is held in [-clipvalue, clipvalue].
        global_clipnorm: as clipnorm, with the norm of all gradients together. At most one of the three may be set.
        use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps: Keras's names,
            not there yet.
    """

    learning_rate: Annotated[float, In("[0, inf)")] = field(default=0.001, kw_only=False)
    weight_decay: Annotated[float, In("[0, inf)")] | None = None
    clipnorm: Annotated[float, In("(0, inf)")] | None = None
    clipvalue: Annotated[float, In("(0, inf)")] | None = None
    global_clipnorm: Annotated[float, In("(0, inf)")] | None = None
    use_ema: Annotated[object, Reserved(False)] = False
    ema_momentum: Annotated[object, Reserved(0.99)] = 0.99
    ema_overwrite_frequency: Annotated[object, Reserved(None)] = None
    loss_scale_factor: Annotated[object, Reserved(None)] = None
    gradient_accumulation_steps: Annotated[object, Reserved(None)] = None
    name: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        given = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ArgumentError(
                f"{type(self).__name__}: gradients can be clipped in one way only",
                expected="at most one of clipnorm, clipvalue and global_clipnorm",
                got=" and ".join(f"{name}={getattr(self, name)}" for name in given),
                fix=f"keep {given[0]} and drop the other",
            )
        if self.name is None:
            object.__setattr__(self, "name", self._default_name())

    # What a subclass writes.

    def slots(self, parameter: TensorType) -> tuple[str, ...]:
        """The arrays kept for a parameter of this type: the names under which ``update`` gets and gives them."""
        return ()

    def update(self, *arguments: Any, **slots: Any) -> tuple[Node, Slots]:
        """The new parameter and the new slots: ``update(self, w, g, t, rate, *, m, v)`` where m and v are the slots.

        Arguments:
            w, g: the parameter and its gradient.
            t: the number of this step, from 1; a float64 scalar. Compute what depends on it alone as scalars in
                float64 (``beta**t``) and cast the result: the simplifier computes them once for all parameters.
            rate: the learning rate; a scalar of w's dtype.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update()")

    # What the training step uses.

    def states(self, parameters: Mapping[str, TensorType]) -> dict[str, tuple[TensorType, float | int]]:
        """What is kept for these parameters (path -> type): name of the state -> (type, number to fill it with)."""
        slots: dict[str, tuple[TensorType, float | int]] = {
            slot_state(path, slot): (kind, 0.0) for path, kind in parameters.items() for slot in self.slots(kind)
        }
        scalars: dict[str, tuple[TensorType, float | int]] = {
            ITERATIONS_STATE: (TensorType((), "int64"), 0),
            LEARNING_RATE_STATE: (TensorType((), "float32"), self.learning_rate),
        }
        return scalars | slots

    def updates(self, parameters: Mapping[str, Node], gradients: Mapping[str, Node]) -> dict[str, Node]:
        """The new values of the parameters, of their slots and of the step counter, by the names of their states.

        Both arguments have the paths of the trained parameters as keys.
        """
        iterations = ops.state_node(ITERATIONS_STATE, (), "int64")
        learning_rate = ops.state_node(LEARNING_RATE_STATE, (), "float32")
        step = iterations + 1
        t = ops.cast(step, "float64")
        new: dict[str, Node] = {ITERATIONS_STATE: step}
        for path, g in self._clipped(gradients).items():
            w = parameters[path]
            with exact_scope(w.layer):
                rate = ops.cast(learning_rate, w.dtype)
                slots = {slot: ops.state_node(slot_state(path, slot), w.shape, w.dtype) for slot in self.slots(w.type)}
                decayed = w if not self.weight_decay else w - w * (rate * self.weight_decay)
                new[path], new_slots = self.update(decayed, g, t, rate, **slots)
                assert new_slots.keys() == slots.keys(), f"{self}: update gives {set(new_slots)} for {set(slots)}"
                new |= {slot_state(path, slot): node for slot, node in new_slots.items()}
        return new

    def _clipped(self, gradients: Mapping[str, Node]) -> Mapping[str, Node]:
        if self.clipvalue is not None:
            limit = self.clipvalue
            return {path: ops.clip(g, -limit, limit) for path, g in gradients.items()}
        if self.clipnorm is not None:
            return {path: g * _shrinkage(ops.reduce_sum(g * g), self.clipnorm) for path, g in gradients.items()}
        if self.global_clipnorm is not None and gradients:
            # In float64, where adding up the squares of some parameters loses nothing to speak of.
            squares = [ops.cast(ops.reduce_sum(g * g), "float64") for g in gradients.values()]
            shrinkage = _shrinkage(sum(squares[1:], squares[0]), self.global_clipnorm)
            return {path: g * ops.cast(shrinkage, g.dtype) for path, g in gradients.items()}
        return gradients


registry: Registry[Optimizer] = Registry("optimizer", Optimizer)


def slot_state(path: str, slot: str) -> str:
    """The name of the state that holds a slot of a parameter."""
    return f"optimizer/{path}/{slot}"


def _shrinkage(squared_norm: Node, limit: float) -> Node:
    """``limit / max(norm, limit)``: 1 while the norm is within the limit, NaN if the gradient is not finite."""
    norm = ops.sqrt(squared_norm)
    # norm - norm is NaN for an infinite norm: a gradient that overflowed must not pass for a small one.
    return limit / ops.maximum(norm, limit) + (norm - norm)
