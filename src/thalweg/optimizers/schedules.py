"""Learning rates that change with the step. Given as ``learning_rate``, they are computed in the compiled step."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from thalweg import absent, ops
from thalweg.checks import In, OneOf, check_fields
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.ops.reference import reference_values
from thalweg.registry import Registered, Registry

Rate = Annotated[float, In("[0, inf)")]
Steps = Annotated[float, In("(0, inf)")]


@dataclass(frozen=True)
class Schedule(Registered):
    """The learning rate as a function of the number of batches so far. A subclass writes ``rate``.

    Or, as in Keras, ``__call__``, made of ``+ - * /`` and ``thalweg.ops``: it gets numbers and nodes.

    Example:
        >>> [InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)(step) for step in (0, 10)]
        [0.1, 0.05]
    """

    def __post_init__(self) -> None:
        check_fields(self)

    def rate(self, step: Node) -> Node:
        """The rate of the update that follows on ``step`` batches; both float64 scalars."""
        if type(self).__call__ is Schedule.__call__:
            raise NotImplementedError(f"{type(self).__name__} has neither rate() nor __call__()")
        rate = self(step)
        return rate if isinstance(rate, Node) else ops.constant(rate, "float64")

    def __call__(self, step: Any) -> Any:
        """The rate after so many steps: a number for a number, a node for a node (float64)."""
        if isinstance(step, Node):
            return self.rate(step)
        (value,) = reference_values([self.rate(ops.constant(float(step), "float64"))], {})
        return float(value)


@dataclass(frozen=True)
class Called(Schedule):
    """A user's function as a schedule: of the step, or, as in Keras, without arguments.

    Without arguments it is called when the step is compiled. A file cannot hold it.
    """

    function: Callable[..., Any]

    def rate(self, step: Node) -> Node:
        rate = self.function(step) if _takes_an_argument(self.function) else self.function()
        return rate if isinstance(rate, Node) else ops.constant(float(rate), "float64")


def _takes_an_argument(function: Callable[..., Any]) -> bool:
    required = (p for p in inspect.signature(function).parameters.values() if p.default is p.empty)
    return any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in required)


LearningRateSchedule = Schedule  # Keras's name
registry: Registry[Schedule] = Registry("schedule", Schedule)
get, serialize, deserialize = registry.get, registry.config, registry.deserialize
if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__, registry.attribute)


@registry.register("constant_rate")
@dataclass(frozen=True)
class ConstantRate(Schedule):
    """The same rate always; a number as ``learning_rate`` is the same, and can be set between steps."""

    learning_rate: Rate

    def rate(self, step: Node) -> Node:
        return ops.constant(self.learning_rate, "float64")


@registry.register("exponential_decay")
@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """``initial_learning_rate * decay_rate^(step / decay_steps)``; with ``staircase`` the exponent is rounded down."""

    initial_learning_rate: Rate
    decay_steps: Steps
    decay_rate: Annotated[float, In("(0, inf)")]
    staircase: bool = False

    def rate(self, step: Node) -> Node:
        turns = _turns(step, self.decay_steps, self.staircase)
        return self.decay_rate**turns * self.initial_learning_rate


@registry.register("inverse_time_decay")
@dataclass(frozen=True)
class InverseTimeDecay(Schedule):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``; ``staircase`` rounds step / decay_steps down.

    Source: Robbins & Monro (1951), Ann. Math. Stat. 22, for rates that fall as 1 / step.
    """

    initial_learning_rate: Rate
    decay_steps: Steps
    decay_rate: Annotated[float, In("[0, inf)")]
    staircase: bool = False

    def rate(self, step: Node) -> Node:
        return self.initial_learning_rate / (_turns(step, self.decay_steps, self.staircase) * self.decay_rate + 1.0)


@registry.register("piecewise_constant_decay")
@dataclass(frozen=True)
class PiecewiseConstantDecay(Schedule):
    """``values[0]`` up to and with the step ``boundaries[0]``, then ``values[1]`` up to and with the next ...

    Arguments:
        boundaries: steps, ascending; one fewer than ``values``.

    Raises: ArgumentError if the numbers of values and boundaries do not fit, or boundaries do not ascend.
    """

    boundaries: tuple[Annotated[float, In("[0, inf)")], ...]
    values: tuple[Rate, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.values) != len(self.boundaries) + 1 or list(self.boundaries) != sorted(set(self.boundaries)):
            raise ArgumentError(
                "PiecewiseConstantDecay: boundaries and values do not fit together",
                expected="ascending boundaries, one fewer than values",
                got=f"boundaries={self.boundaries}, values={self.values}",
                fix="give one value before, between and after the boundaries",
            )

    def rate(self, step: Node) -> Node:
        rate = ops.constant(self.values[-1], "float64")
        for boundary, value in zip(self.boundaries[::-1], self.values[-2::-1], strict=True):
            rate = ops.select(step <= boundary, value, rate)
        return rate


@registry.register("polynomial_decay")
@dataclass(frozen=True)
class PolynomialDecay(Schedule):
    """``(initial - end) * (1 - step / decay_steps)^power + end``: from the one rate to the other over ``decay_steps``.

    Arguments:
        cycle: afterwards, instead of staying at the end, jump up again and fall over twice as many steps from the
            beginning, then three times as many ...
    """

    initial_learning_rate: Rate
    decay_steps: Steps
    end_learning_rate: Rate = 0.0001
    power: Annotated[float, In("[0, inf)")] = 1.0
    cycle: bool = False

    def rate(self, step: Node) -> Node:
        share = step / self.decay_steps
        if self.cycle:
            share = share / ops.maximum(-ops.floor(-share), 1.0)
        rest = 1.0 - ops.minimum(share, 1.0)
        return rest**self.power * (self.initial_learning_rate - self.end_learning_rate) + self.end_learning_rate


@registry.register("cosine_decay")
@dataclass(frozen=True)
class CosineDecay(Schedule):
    """Half a wave from the initial rate down to ``alpha`` times it, over ``decay_steps``; a line up to there before.

    Arguments:
        alpha: the rate at the end, as a share of the highest one.
        warmup_target: with it the rate first goes from the initial one to this one, in ``warmup_steps`` steps of equal
            size, and then down from it over ``decay_steps`` more.

    Source: Loshchilov & Hutter (2017), arXiv:1608.03983, equation 5, without restarts; warm-up: Goyal et al. (2017),
    arXiv:1706.02677, section 2.2.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("initial_learning_rate", "decay_steps", "alpha")
    initial_learning_rate: Rate
    decay_steps: Steps
    alpha: Annotated[float, In("[0, 1]")] = 0.0
    warmup_target: Rate | None = None
    warmup_steps: Annotated[float, In("[0, inf)")] = 0.0

    def rate(self, step: Node) -> Node:
        if self.warmup_target is None:
            return self._falling(step, self.initial_learning_rate)
        falling = self._falling(step - self.warmup_steps, self.warmup_target)
        if not self.warmup_steps:
            return falling
        rise = (self.warmup_target - self.initial_learning_rate) / self.warmup_steps
        return ops.select(step < self.warmup_steps, step * rise + self.initial_learning_rate, falling)

    def _falling(self, step: Node, top: float) -> Node:
        share = ops.minimum(step / self.decay_steps, 1.0)
        return (_half_wave(share) * (1.0 - self.alpha) + self.alpha) * top


@registry.register("cosine_decay_restarts")
@dataclass(frozen=True)
class CosineDecayRestarts(Schedule):
    """Half waves down one after the other, each ``t_mul`` times as long and ``m_mul`` times as high as the last.

    Arguments:
        first_decay_steps: length of the first.
        alpha: the lowest rate, as a share of the initial one.

    Source: Loshchilov & Hutter (2017), arXiv:1608.03983, equation 5 (SGDR).
    """

    initial_learning_rate: Rate
    first_decay_steps: Steps
    t_mul: Annotated[float, In("[1, inf)")] = 2.0
    m_mul: Annotated[float, In("[0, inf)")] = 1.0
    alpha: Annotated[float, In("[0, 1]")] = 0.0

    def rate(self, step: Node) -> Node:
        share = step / self.first_decay_steps
        if self.t_mul == 1.0:
            restart = ops.floor(share)
            share = share - restart
        else:
            # The first n waves are (1 - t_mul^n) / (1 - t_mul) first ones long. log may be off by its last digit just
            # where a wave begins: the wave found by it is corrected by what its beginning and length say.
            guess = ops.floor(ops.log(share * (self.t_mul - 1.0) + 1.0) / math.log(self.t_mul) + 0.5)
            restart = ops.select(self._begin(guess) <= share, guess, guess - 1.0)
            share = (share - self._begin(restart)) / self.t_mul**restart
        height = 1.0 if self.m_mul == 1.0 else self.m_mul**restart
        return (_half_wave(share) * height * (1.0 - self.alpha) + self.alpha) * self.initial_learning_rate

    def _begin(self, restart: Node) -> Node:
        return (self.t_mul**restart - 1.0) / (self.t_mul - 1.0)


@registry.register("log_cosine_cycles")
@dataclass(frozen=True)
class LogCosineCycles(Schedule):
    """Whole waves from 0 up to the rate and down to 0 again, each twice as long as the one before.

    ``learning_rate * (1 - cos(2 pi log2(1 + (2^cycles - 1) * share))) / 2`` with ``share = step / total_steps``. It
    comes to rest several times on the way, and last at the end: good places for the best epoch by validation.

    Source: Holzmüller, Grinsztajn & Steinwart (2024), arXiv:2407.04491, equation 2 ("coslog4" for 4 cycles).
    """

    learning_rate: Rate
    total_steps: Steps
    cycles: Annotated[int, In("[1, 30]")] = 4

    def rate(self, step: Node) -> Node:
        share = ops.minimum(step / self.total_steps, 1.0)
        turns = ops.log(share * (2.0**self.cycles - 1.0) + 1.0) / math.log(2.0)
        return (1.0 - ops.cos(turns * (2.0 * math.pi))) * (0.5 * self.learning_rate)


@registry.register("flat_cosine")
@dataclass(frozen=True)
class FlatCosine(Schedule):
    """The same rate for a share of the steps, then half a wave down to 0 at ``total_steps``.

    Arguments:
        flat: that share.

    Source: Holzmüller, Grinsztajn & Steinwart (2024), arXiv:2407.04491, section 3 ("flat_cos", there for dropout and
    weight decay), after Wright's flat and cosine annealing of fastai.
    """

    learning_rate: Rate
    total_steps: Steps
    flat: Annotated[float, In("[0, 1)")] = 0.5

    def rate(self, step: Node) -> Node:
        share = (step / self.total_steps - self.flat) / (1.0 - self.flat)
        return _half_wave(ops.clip(share, 0.0, 1.0)) * self.learning_rate


@registry.register("linear_warmup")
@dataclass(frozen=True)
class LinearWarmup(Schedule):
    """In equal steps from ``start`` to the first rate of another schedule, which then goes on from its beginning.

    Arguments:
        then: a schedule, or a rate that stays.

    Source: Goyal et al. (2017), arXiv:1706.02677, section 2.2.
    """

    then: Rate | Schedule
    warmup_steps: Steps
    start: Rate = 0.0

    def rate(self, step: Node) -> Node:
        then = self.then if isinstance(self.then, Schedule) else ConstantRate(self.then)
        rise = (then(0) - self.start) / self.warmup_steps
        rest = ops.maximum(step - self.warmup_steps, 0.0)
        return ops.select(step < self.warmup_steps, step * rise + self.start, then.rate(rest))


@registry.register("one_cycle")
@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up from ``max_learning_rate / div_factor`` to the maximum, then down far below, over ``total_steps`` in all.

    Arguments:
        pct_start: the share of the steps in which the rate rises.
        anneal_strategy: ``"cos"``, half waves, or ``"linear"``.
        div_factor: the maximum over the first rate.
        final_div_factor: the first rate over the last one, which comes with the last of ``total_steps`` and stays.
        three_phase: fall to the first rate in as many steps as it rose, then to the last rate.

    Source: Smith & Topin (2019), arXiv:1708.07120, section 3; arguments, defaults and numbers are those of PyTorch's
    OneCycleLR, the momentum aside, which stays as the optimizer has it.
    """

    max_learning_rate: Rate
    total_steps: Annotated[int, In("[2, inf)")]
    pct_start: Annotated[float, In("[0, 1]")] = 0.3
    anneal_strategy: Annotated[str, OneOf("cos", "linear")] = "cos"
    div_factor: Annotated[float, In("(0, inf)")] = 25.0
    final_div_factor: Annotated[float, In("(0, inf)")] = 1e4
    three_phase: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.three_phase and self.pct_start > 0.5:
            raise ArgumentError(
                "OneCycle: rising and falling take longer than the whole",
                expected="pct_start in [0, 0.5] with three_phase=True",
                got=f"pct_start={self.pct_start}",
                fix="pass a smaller pct_start",
            )

    def rate(self, step: Node) -> Node:
        first = self.max_learning_rate / self.div_factor
        last = first / self.final_div_factor
        rates = [first, self.max_learning_rate, *([first] if self.three_phase else []), last]
        peak = self.pct_start * self.total_steps - 1.0
        valley = [2.0 * peak] if self.three_phase else []
        ends = [0.0, peak, *valley, self.total_steps - 1.0]
        rate = ops.constant(last, "float64")
        phases = list(zip(ends, ends[1:], rates, rates[1:], strict=False))
        for begin, end, high, low in phases[::-1]:
            if end > begin:
                share = ops.clip((step - begin) / (end - begin), 0.0, 1.0)
                rate = ops.select(step <= end, self._between(high, low, share), rate)
        return rate

    def _between(self, begin: float, end: float, share: Node) -> Node:
        if self.anneal_strategy == "linear":
            return share * (end - begin) + begin
        return _half_wave(share) * (begin - end) + end


def _turns(step: Node, decay_steps: float, staircase: bool) -> Node:
    turns = step / decay_steps
    return ops.floor(turns) if staircase else turns


def _half_wave(share: Node) -> Node:
    """From 1 at 0 to 0 at 1 along a cosine."""
    return (ops.cos(share * math.pi) + 1.0) * 0.5
