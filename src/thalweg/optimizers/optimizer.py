"""The base of all optimizers: states, clipping, decay, accumulation, averages; a subclass adds one update rule."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Annotated, Any, Self

from thalweg import ops
from thalweg.checks import In, check_fields, check_value, checked
from thalweg.errors import ArgumentError, GraphError
from thalweg.fields import dataclass
from thalweg.graph.node import Node, exact_scope
from thalweg.graph.types import Shape, TensorType
from thalweg.optimizers.schedules import Called, InverseTimeDecay, Schedule
from thalweg.optimizers.stepper import PlainStepper, Stepper
from thalweg.registry import Registered, Registry
from thalweg.spelling import SpellingNotice
from thalweg.state.names import OPTIMIZER, parameter_state, slot_state

__all__ = ["Optimizer", "registry"]

ITERATIONS_STATE = f"{OPTIMIZER}/iterations"
LEARNING_RATE_STATE = f"{OPTIMIZER}/learning_rate"

AVERAGE = "average"
"""The slot of ``use_ema``."""
ACCUMULATED = "accumulated_gradient"
"""The slot of ``gradient_accumulation_steps``."""

Slots = dict[str, Node]
Read = Callable[[str, Shape, str], Node]
RateOrSchedule = Annotated[float, In("[0, inf)")] | Schedule


@dataclass(frozen=True, kw_only=True)
class Optimizer(Registered):
    """A rule that makes new parameters from old ones and gradients.

    A subclass names its ``slots`` and writes ``update``.

    Order, as in Keras: gradients are accumulated, then clipped; parameters decay,
    ``w -= learning_rate * weight_decay * w``; then the update rule; then the average.

    Arguments:
        learning_rate: the size of a step: a number, or a Schedule. It becomes a state of the model, so that changing
            it compiles nothing; with a schedule each step computes that of the next one.
        weight_decay: the decay's factor, or a Schedule of it; for all parameters, biases too, but those left out by
            ``exclude_from_weight_decay``.
        clipnorm: every gradient g with a norm above it becomes ``g * clipnorm / norm(g)``, each parameter for itself.
        clipvalue: every number of a gradient is held in [-clipvalue, clipvalue].
        global_clipnorm: as clipnorm, with the norm of all gradients together. At most one of the three may be set.
        use_ema: keep a moving average of every parameter, ``a = ema_momentum * a + (1 - ema_momentum) * w``, from the
            first step's w on. At the end of ``fit`` the averages become the parameters. Polyak & Juditsky (1992), SIAM
            J. Control Optim. 30, in the exponential form.
        ema_overwrite_frequency: the averages become the parameters after every so many steps, too.
        gradient_accumulation_steps: parameters change only after every so many batches, by the mean of the gradients
            of these.
        decay_exclusions: regular expressions; parameters in whose path ("dense_1/bias") one is found do not decay.
        learning_rate_factors: pairs of a regular expression and a factor; a parameter in whose path one is found learns
            so many times as fast, by the first that fits. Decay stays as it is.
        loss_scale_factor: accepted: gradients are float32 or float64, in which scaling by it changes nothing.
    """

    learning_rate: RateOrSchedule = field(default=0.001, kw_only=False)
    weight_decay: Annotated[float, In("[0, inf)")] | Schedule | None = None
    clipnorm: Annotated[float, In("(0, inf)")] | None = None
    clipvalue: Annotated[float, In("(0, inf)")] | None = None
    global_clipnorm: Annotated[float, In("(0, inf)")] | None = None
    use_ema: bool = False
    ema_momentum: Annotated[float, In("[0, 1]")] = 0.99
    ema_overwrite_frequency: Annotated[int, In("[1, inf)")] | None = None
    loss_scale_factor: Annotated[float, In("(0, inf)")] | None = None
    gradient_accumulation_steps: Annotated[int, In("[2, inf)")] | None = None
    decay_exclusions: tuple[str, ...] = ()
    learning_rate_factors: tuple[tuple[str, Annotated[float, In("[0, inf)")]], ...] = ()
    name: str | None = None

    @classmethod
    def older_arguments(cls, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """``decay=`` of Keras 1 and 2 as the schedule that it was: ``rate / (1 + decay * step)``."""
        if "decay" not in kwargs or "decay" in cls.__dataclass_fields__:
            return dict(kwargs)
        given = {key: value for key, value in kwargs.items() if key != "decay"}
        decay = check_value(cls.__name__, "decay", Annotated[float, In("[0, inf)")], kwargs["decay"])
        if not decay:
            return given
        if args:
            raise ArgumentError(
                f"{cls.__name__}: decay= beside a rate by its place",
                expected="learning_rate= by name",
                got=f"{cls.__name__}({args[0]!r}, decay={decay})",
                fix=f"pass learning_rate=schedules.InverseTimeDecay({args[0]!r}, 1, {decay})",
            )
        rate = given.pop("learning_rate", given.pop("lr", cls.__dataclass_fields__["learning_rate"].default))
        meant = f"learning_rate=InverseTimeDecay({rate}, 1, {decay})"
        warnings.warn(f"{cls.__name__}: decay={decay} is read as {meant}", SpellingNotice, stacklevel=3)
        return given | {"learning_rate": InverseTimeDecay(rate, 1, decay)}

    def __post_init__(self) -> None:
        if callable(self.learning_rate) and not isinstance(self.learning_rate, Schedule):
            object.__setattr__(self, "learning_rate", Called(self.learning_rate))
        check_fields(self)
        given = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ArgumentError(
                f"{type(self).__name__}: gradients can be clipped in one way only",
                expected="at most one of clipnorm, clipvalue and global_clipnorm",
                got=" and ".join(f"{name}={getattr(self, name)}" for name in given),
                fix=f"keep {given[0]} and drop the other",
            )
        for pattern in self.decay_exclusions:
            check_pattern(self, "decay_exclusions", pattern)
        for pattern, _ in self.learning_rate_factors:
            check_pattern(self, "learning_rate_factors", pattern)
        if self.name is None:
            object.__setattr__(self, "name", self._default_name())

    @checked
    def exclude_from_weight_decay(
        self, var_list: Sequence[Any] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        """Let the parameters not decay in whose path ("dense_1/bias") one of these regular expressions is found.

        To be called before ``compile``, as in Keras; the argument ``decay_exclusions`` says the same at once. Keras
        searches the last part of the path alone.

        Arguments:
            var_list: weights of the model that is compiled with this optimizer.
        """
        object.__setattr__(self, "_excluded", tuple(var_list or ()))
        names = check_value("exclude_from_weight_decay", "var_names", tuple[str, ...], tuple(var_names or ()))
        for pattern in names:
            check_pattern(self, "var_names", pattern)
        object.__setattr__(self, "decay_exclusions", names)  # frozen otherwise; this is Keras's way to say it

    def for_weights(self, weights: Mapping[str, Any]) -> Self:
        """The optimizer for a model with these weights, by their paths: those that were excluded by themselves too.

        Raises: ArgumentError if one of them is none of the model's.
        """
        excluded = vars(self).get("_excluded", ())
        if not excluded:
            return self
        paths = {id(weight): path for path, weight in weights.items()}
        for weight in excluded:
            if id(weight) not in paths:
                raise ArgumentError(
                    f"{type(self).__name__}: a weight that is excluded from weight decay is none of the model's",
                    expected="weights of the model, which is built before",
                    got=repr(weight)[:80],
                    fix="pass layer.bias and the like of a model that is built; or var_names=['bias']",
                )
        patterns = tuple(f"^{re.escape(paths[id(weight)])}$" for weight in excluded)
        return dataclasses.replace(self, decay_exclusions=(*self.decay_exclusions, *patterns))

    @property
    def lr(self) -> Any:
        """The older name of ``learning_rate``."""
        return self.learning_rate

    def refuse_assignment(self, name: str) -> None:
        """Raises ArgumentError: what has been handed to a model is a value, and the model would not see it change."""
        raise ArgumentError(
            f"{type(self).__name__}.{name} cannot be set",
            expected="its value as an argument, or model.optimizer.learning_rate, which may change at any time",
            got=f"{name} = ...",
            fix=f"pass {type(self).__name__}({name}=...), or set model.optimizer.{name} after compile",
        )

    # What a subclass writes.

    def slots(self, parameter: TensorType, path: str) -> tuple[str, ...]:
        """The arrays kept for this parameter: the names under which ``update`` gets and gives them."""
        return ()

    def slot_type(self, slot: str, parameter: TensorType) -> TensorType:
        """The type of a slot: that of its parameter, unless a subclass says otherwise."""
        return parameter

    def start(self, slot: str) -> float:
        """The number that fills a slot at first."""
        return 0.0

    def decay(self, parameter: TensorType, path: str) -> float | Schedule | None:
        """The factor of the parameter's decay, its exclusions aside."""
        return self.weight_decay

    def update(self, *arguments: Any, **slots: Any) -> tuple[Node, Slots]:
        """The new parameter and the new slots: ``update(self, w, g, t, rate, *, m, v)`` where m and v are the slots.

        Arguments:
            w, g: the parameter and its gradient.
            t: the number of this step, from 1; a float64 scalar. Compute what depends on it alone as scalars in
                float64 (``beta**t``) and cast the result: the simplifier computes them once for all parameters.
            rate: the learning rate; a scalar of w's dtype.
        """
        raise GraphError(
            f"{type(self).__name__} has no update()",
            expected="slots(self, parameter, path) and update(self, w, g, t, rate, *, ...) on nodes",
            got="update_step() of Keras, which changes variables" if hasattr(self, "update_step") else "neither",
            fix="see 'Your own optimizer' in docs/keras.md",
        )

    # What a subclass with a way of its own to run a step writes, too.

    def outputs(self, loss: Node, gradients: Mapping[str, Node]) -> dict[str, Node]:
        """What the compiled step has to tell the stepper, beside the new states; by default nothing.

        Arguments:
            gradients: by the paths of the trained parameters.
        """
        return {}

    def stepper(self, paths: Sequence[str]) -> Stepper:
        """What runs the compiled step for the trained parameters of these paths: by default nothing but that."""
        return PlainStepper()

    def check_fit(self, steps: int | None, constrained: Sequence[str]) -> None:
        """Raise ArgumentError for what this optimizer cannot train.

        Arguments:
            steps: of an epoch; None if their number is not known.
            constrained: the paths of parameters that have a constraint.
        """

    # What the training step uses.

    def states(self, parameters: Mapping[str, TensorType]) -> dict[str, tuple[TensorType, float | int]]:
        """What is kept for these parameters (path -> type): name of the state -> (type, number to fill it with)."""
        rate = self.learning_rate
        states: dict[str, tuple[TensorType, float | int]] = {
            ITERATIONS_STATE: (TensorType((), "int64"), 0),
            LEARNING_RATE_STATE: (TensorType((), "float32"), rate(0) if isinstance(rate, Schedule) else rate),
        }
        for path, kind in parameters.items():
            for slot in self.slots(kind, path):
                states[slot_state(path, slot)] = (self.slot_type(slot, kind), self.start(slot))
            kept = {ACCUMULATED: self.gradient_accumulation_steps is not None, AVERAGE: self.use_ema}
            states |= {slot_state(path, slot): (kind, 0.0) for slot, wanted in kept.items() if wanted}
        return states

    def updates(
        self, parameters: Mapping[str, Node], gradients: Mapping[str, Node], read: Read = ops.state_node
    ) -> dict[str, Node]:
        """The new values of the parameters, of their slots and of the batch counter, by the names of their states.

        Arguments:
            parameters, gradients: by the paths of the trained parameters.
            read: gives the node of a state by its name, shape and dtype.
        """
        iterations = read(ITERATIONS_STATE, (), "int64")
        batch = iterations + 1
        t = ops.cast(batch, "float64")
        rate = read(LEARNING_RATE_STATE, (), "float32")

        def kept(path: str, slot: str, kind: TensorType) -> Node:
            return read(slot_state(path, slot), kind.shape, kind.dtype)

        new: dict[str, Node] = {ITERATIONS_STATE: batch}
        if isinstance(self.learning_rate, Schedule):
            new[LEARNING_RATE_STATE] = ops.cast(self.learning_rate.rate(t), "float32")
        due: Node | None = None
        if self.gradient_accumulation_steps is not None:
            due = _divides(self.gradient_accumulation_steps, t)
            t = ops.floor((t - 1.0) / self.gradient_accumulation_steps) + 1.0
            gradients = {path: g + kept(path, ACCUMULATED, g.type) for path, g in gradients.items()}
            new |= {slot_state(path, ACCUMULATED): ops.select(due, 0.0, g) for path, g in gradients.items()}
            gradients = {path: g / float(self.gradient_accumulation_steps) for path, g in gradients.items()}
        for path, g in self._clipped(gradients).items():
            w = parameters[path]
            with exact_scope(w.layer):
                slots = {slot: kept(path, slot, self.slot_type(slot, w.type)) for slot in self.slots(w.type, path)}
                new |= self._moved(path, w, g, t, ops.cast(rate, w.dtype), due, slots)
                if self.use_ema:
                    new |= self._averaged(path, new[parameter_state(path)], t, kept(path, AVERAGE, w.type))
        return new

    def _moved(
        self, path: str, w: Node, g: Node, t: Node, rate: Node, due: Node | None, slots: Slots
    ) -> dict[str, Node]:
        """The parameter and its slots after the step; as they were, where the step is not ``due``."""
        decay = self._decay(w.type, path)
        if isinstance(decay, Schedule):
            decayed = w - w * (rate * ops.cast(decay.rate(t - 1.0), w.dtype))
        else:
            decayed = w if not decay else w - w * (rate * decay)
        factor = next((f for pattern, f in self.learning_rate_factors if re.search(pattern, path)), 1.0)
        moved, new_slots = self.update(decayed, g, t, rate if factor == 1.0 else rate * factor, **slots)
        assert new_slots.keys() == slots.keys(), f"{self}: update gives {set(new_slots)} for {set(slots)}"
        before = {parameter_state(path): w} | {slot_state(path, slot): node for slot, node in slots.items()}
        after = {parameter_state(path): moved} | {slot_state(path, slot): node for slot, node in new_slots.items()}
        return after if due is None else {name: ops.select(due, node, before[name]) for name, node in after.items()}

    def _decay(self, parameter: TensorType, path: str) -> float | Schedule | None:
        excluded = any(re.search(pattern, path) for pattern in self.decay_exclusions)
        return None if excluded else self.decay(parameter, path)

    def _averaged(self, path: str, w: Node, t: Node, before: Node) -> dict[str, Node]:
        """The moving average and, where it overwrites it, the parameter."""
        momentum = ops.select(ops.equal(t, 1.0), ops.constant(0.0, "float64"), self.ema_momentum)
        average = before * ops.cast(momentum, w.dtype) + w * ops.cast(1.0 - momentum, w.dtype)
        new = {slot_state(path, AVERAGE): average}
        if self.ema_overwrite_frequency is not None:
            new[parameter_state(path)] = ops.select(_divides(self.ema_overwrite_frequency, t), average, w)
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


def LossScaleOptimizer(
    inner_optimizer: Any, initial_scale: float = 32768.0, dynamic_growth_steps: int = 2000, **arguments: Any
) -> Optimizer:
    """The inner optimizer itself: gradients are float32 or float64 here, in which they do not underflow.

    In Keras it scales the loss for gradients of 16 bits; what is finite stays the same by that.
    """
    return registry.get(inner_optimizer)


def check_pattern(owner: Optimizer, argument: str, pattern: str) -> None:
    """Raise ArgumentError if this is no regular expression."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ArgumentError(
            f"{type(owner).__name__}: argument {argument!r} does not fit its rule",
            expected="regular expressions",
            got=f"{pattern!r}: {error}",
            fix="put a backslash before characters that stand for themselves",
        ) from error


def _divides(period: int, t: Node) -> Node:
    """Whether t, a whole number in float64, is a multiple of the period."""
    return ops.equal(ops.floor(t / float(period)) * float(period), t)


def _shrinkage(squared_norm: Node, limit: float) -> Node:
    """``limit / max(norm, limit)``: 1 while the norm is within the limit, NaN if the gradient is not finite."""
    norm = ops.sqrt(squared_norm)
    # norm - norm is NaN for an infinite norm: a gradient that overflowed must not pass for a small one.
    return limit / ops.maximum(norm, limit) + (norm - norm)
