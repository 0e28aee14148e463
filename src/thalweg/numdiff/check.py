"""A model's gradients against central differences of its loss, for each trained parameter, in double precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import numpy as np

from thalweg.checks import Count, In, WholeNumber, check_value, checked
from thalweg.errors import GraphError, NonFiniteError
from thalweg.executors.numpy import evaluate
from thalweg.fields import dataclass
from thalweg.graph.node import Graph
from thalweg.graph.types import FLOATS
from thalweg.layers.symbols import Symbol
from thalweg.model import Model
from thalweg.optimizers import SGD
from thalweg.passes.precision import in_double
from thalweg.state.names import parameter_state
from thalweg.training.goals import Goal
from thalweg.training.inference import only
from thalweg.training.step import training_step

TRIED_STEPS = (1e-5, 1e-6, 1e-7)
"""Tried from the one that rounding disturbs least to the one that curvature and kinks disturb least."""

OPEN_PLACES = 32
"""The size of an open axis in random data."""

SAFETY = 10.0
"""By how much an error of rounding may exceed the noise that was measured."""

OK, KINK, WRONG, TINY = "ok", "kink", "WRONG", "too small"


@dataclass(frozen=True)
class TensorCheck:
    """What became of one parameter.

    Attributes:
        path, shape: of the parameter.
        norm: of its gradient (Euclidean).
        error: the largest distance between slope and difference, divided by the gradient's size.
        compared: how many directions, or entries, were compared.
        kinks: in how many of them the loss has a kink right here.
        verdict: "ok"; "kink": ok, as far as a loss with kinks can tell; "too small": slope and difference differ, but
            by no more than rounding; "WRONG".
    """

    path: str
    shape: tuple[int, ...]
    norm: float
    error: float
    compared: int
    kinks: int
    verdict: str


@dataclass(frozen=True)
class GradientCheck:
    """The result of :func:`check_gradients`; ``print`` shows it as a table with a verdict.

    Attributes:
        tensors: one TensorCheck for each trained parameter.
        loss: of the data, in float64.
        noise: how much the loss is off by rounding, as measured.
        passed: whether no gradient is wrong.
    """

    tensors: tuple[TensorCheck, ...]
    loss: float
    noise: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether no gradient is wrong."""
        return not self.wrong

    @property
    def wrong(self) -> list[str]:
        """The parameters whose gradients are wrong."""
        return [tensor.path for tensor in self.tensors if tensor.verdict == WRONG]

    def __str__(self) -> str:
        width = max(len("parameter"), *(len(t.path) for t in self.tensors))
        shapes = [str(t.shape) for t in self.tensors]
        wide = max(len("shape"), *map(len, shapes))
        lines = [
            f"loss {self.loss:.6g} in float64, known to {self.noise:.0e}; tolerance {self.tolerance:g}",
            f"{'parameter':<{width}}  {'shape':<{wide}}  {'|gradient|':>10}  {'rel. error':>10}  compared  verdict",
        ]
        for t, shape in zip(self.tensors, shapes, strict=True):
            numbers = f"{t.norm:>10.2e}  {t.error:>10.1e}  {t.compared:>8}"
            lines.append(f"{t.path:<{width}}  {shape:<{wide}}  {numbers}  {t.verdict}")
        return "\n".join([*lines, *self._verdict()])

    def _verdict(self) -> Iterator[str]:
        kinks = sum(t.kinks for t in self.tensors)
        if self.wrong:
            yield f"WRONG: {', '.join(self.wrong)} differ from the differences of the loss;"
            yield "the fault is in the vjp of an operation between there and the loss: look at the last of these first"
        elif all(t.verdict != TINY for t in self.tensors):
            yield f"right: all {len(self.tensors)} gradients agree with the differences of the loss"
        else:
            large = sum(t.verdict != TINY for t in self.tensors)
            yield f"nothing wrong found: {large} of {len(self.tensors)} gradients are large enough to tell, and agree"
        if kinks:
            yield f"{kinks} of the comparisons are at a kink (relu, abs, max): the slope is between those of both sides"
        if any(t.verdict == TINY for t in self.tensors):
            yield "gradients marked 'too small' cannot be told from rounding: they are 0, as of a bias before a"
            yield "normalisation, or belong to saturated units; then train a few steps, or scale the data"


@checked
def check_gradients(
    model: Model,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    directions: int = 3,
    per_entry: bool = False,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> GradientCheck:
    """Compare what back-propagation gives with central differences of the loss, parameter by parameter.

    The graph is that of a training step on all rows of ``x`` (a few are enough), in float64 through the numpy
    executor. Dropout and other noise draw the same numbers at every evaluation. The model does not change.

    A direction v is the gradient's own plus a random one, of length 1; compared are ``g . v`` and
    ``(L(w + h v) - L(w - h v)) / 2h``. They agree if they differ by at most ``tolerance * max(|g|, |difference|)`` for
    one of the steps h, or by no more than rounding.

    At a kink (relu at 0, a tie of a maximum) there is no derivative, and a difference across one is no test. Steps
    shrink to 1e-7, so that few kinks lie within. Where the slopes of both sides still differ, and by as much for a
    tenth of the step, the point is at a kink: there the gradient must lie between these slopes, and the table says so.

    Arguments:
        model: compiled.
        directions: how many for each parameter.
        per_entry: compare every entry of every parameter instead, each relative to its own size, or the mean size of
            its parameter's entries if that is larger. Two evaluations each: for small models.
        tolerance: relative.
        seed: of the directions.

    Raises: GraphError if the model is not compiled or trains nothing; NonFiniteError if the loss is not finite; what
        ``fit`` raises for data that do not fit.
    Source: Moré & Wild (2011), SIAM J. Sci. Comput. 33(3), section 3, for the noise.
    """
    count = check_value("check_gradients", "directions", Annotated[int, In("[1, inf)")], directions)
    limit = check_value("check_gradients", "tolerance", Annotated[float, In("(0, 1)")], tolerance)
    loss = _Loss.of(model, x, y, sample_weight)
    random = np.random.default_rng(seed)
    noise = loss.noise(random)
    tensors = []
    for path, gradient in loss.gradients.items():
        moves = _entries(gradient) if per_entry else _directions(gradient, count, random)
        # for an entry: the root mean square, so that entries that are 0 by chance are not measured by themselves
        scale = _norm(gradient) / (math.sqrt(gradient.size) if per_entry else 1.0)
        comparisons = [
            _compare(loss.along(path, move), float(np.sum(gradient * move)), loss.value, scale, noise, limit)
            for move in moves
        ]
        tensors.append(
            TensorCheck(
                path,
                gradient.shape,
                _norm(gradient),
                max((c.error for c in comparisons), default=0.0),
                len(comparisons),
                sum(c.verdict == KINK for c in comparisons),
                next((v for v in (WRONG, TINY, KINK) if any(c.verdict == v for c in comparisons)), OK),
            )
        )
    return GradientCheck(tuple(tensors), loss.value, noise, limit)


@checked
def random_data(model: Model, rows: Count, seed: WholeNumber = 0) -> tuple[Any, Any]:
    """Inputs and targets that fit a compiled model, for where no real ones are at hand.

    Inputs: normal numbers; 0 and 1 where integers are wanted; all bytes for uint8. Targets: class numbers where the
    loss wants those, else 0 and 1, with one 1 in each row of several, which every loss can take.

    Raises: GraphError if the model is not compiled or not built.
    """
    runner = model.runner
    runner.require_compiled("random_data")
    runner.require_built("random_data")
    random = np.random.default_rng(seed)

    def input_of(symbol: Symbol) -> np.ndarray:
        shape = (rows, *(OPEN_PLACES if n is None else n for n in symbol.shape[1:]))
        if symbol.dtype in FLOATS:
            return random.standard_normal(shape)
        return random.integers(0, 256 if symbol.dtype == "uint8" else 2, shape)

    def target_of(goal: Goal) -> np.ndarray:
        shape, units = (rows, *goal.target(rows).shape[1:]), goal.output.shape[-1]
        if goal.kind.sparse:
            return random.integers(0, units, shape)
        if shape[-1] == 1 or len(shape) == 1:
            return random.integers(0, 2, shape)
        return np.eye(shape[-1])[random.integers(0, shape[-1], shape[:-1])]

    x = [input_of(symbol) for symbol in model.inputs]
    goals = runner.goals(runner.rows(only(x))).outputs
    y = [target_of(goal) for goal in goals]
    return only(x), only(y)


@dataclass(frozen=True)
class _Loss:
    """The loss of some data as a function of the parameters, in float64, and its gradients at the model's own."""

    graph: Graph
    data: dict[str, np.ndarray]
    state: dict[str, np.ndarray]
    value: float
    gradients: dict[str, np.ndarray]

    @classmethod
    def of(cls, model: Model, x: Any, y: Any, sample_weight: Any) -> _Loss:
        runner = model.runner
        runner.require_compiled("check_gradients")
        model.build_for(x)
        if runner.trains_itself:
            raise GraphError(
                "check_gradients: the model says itself what a step does",
                expected="a model without train_step, compute_loss and metrics of its own",
                got=type(model).__name__,
                fix="check the layers in a plain Model(inputs, outputs); a loss of your own as thalweg.losses.Loss",
            )
        rows = runner.prepare(x, y, sample_weight)
        net = runner.net(rows)
        paths = [path for path in net.parameters if path in net.trainable]
        if not paths:
            raise GraphError(
                "check_gradients: the model trains nothing",
                expected="at least one trained parameter",
                got=f"{len(net.parameters)} parameters, none of them trained",
                fix="set trainable=True on a layer that has parameters",
            )
        # The optimizer comes after the gradients and does not matter.
        step = training_step(net, runner.goals(rows), SGD(), rows.count, rows.weights)
        assert step.loss is not None, "a training step has a loss"
        named = dict(zip(paths, step.gradients, strict=True))
        whole = in_double(Graph({"loss": step.loss, **{f"slope/{path}": node for path, node in named.items()}}))
        data, state = _doubled(rows.arrays), _doubled(model.state.snapshot())
        values = evaluate(whole, data, state)
        value = float(values[whole.outputs["loss"]])
        if not math.isfinite(value):
            raise NonFiniteError(
                "check_gradients: the loss is not finite",
                expected="a finite loss of these data",
                got=str(value),
                fix="check the data, and scale inputs to about -1 to 1",
            )
        slopes = {path: values[whole.outputs[f"slope/{path}"]] for path in paths}
        return cls(Graph({"loss": whole.outputs["loss"]}), data, state, value, slopes)

    def at(self, moved: dict[str, np.ndarray]) -> float:
        return float(evaluate(self.graph, self.data, self.state | moved)[self.graph.outputs["loss"]])

    def along(self, path: str, move: np.ndarray) -> Callable[[float], float]:
        """The loss by the distance from here."""
        name = parameter_state(path)
        return lambda t: self.at({name: self.state[name] + t * move})

    def noise(self, random: np.random.Generator) -> float:
        """How much rounding changes the loss: from the third differences of values so near that nothing else does."""
        moves = {parameter_state(path): random.standard_normal(g.shape) for path, g in self.gradients.items()}
        values = [self.at({name: self.state[name] + k * 1e-12 * v for name, v in moves.items()}) for k in range(8)]
        spread = float(np.sqrt(np.mean(np.diff(values, 3) ** 2) / 20))  # 20 = 1 + 9 + 9 + 1
        return max(spread, float(np.finfo(np.float64).eps) * abs(self.value))


def _doubled(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: a.astype(np.float64) if a.dtype == np.float32 else a for name, a in arrays.items()}


def _norm(array: np.ndarray) -> float:
    return float(np.sqrt(np.sum(np.square(array))))


def _directions(gradient: np.ndarray, count: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Half the gradient's direction, in which the loss changes most, and half one that any fault shows in."""
    norm = _norm(gradient)
    for _ in range(count):
        chance = random.standard_normal(gradient.shape)
        chance /= _norm(chance)
        if np.sum(chance * gradient) < 0:  # the two must not cancel out
            chance = -chance
        move = chance + gradient / norm if norm > 0 else chance
        yield move / _norm(move)


def _entries(gradient: np.ndarray) -> Iterator[np.ndarray]:
    for index in np.ndindex(gradient.shape):
        move = np.zeros_like(gradient)
        move[index] = 1.0
        yield move


@dataclass(frozen=True)
class _Comparison:
    error: float
    verdict: str


def _compare(
    at: Callable[[float], float], slope: float, here: float, scale: float, noise: float, tolerance: float
) -> _Comparison:
    """A slope against the differences along a line; ``scale`` is the size of the gradient that it is a part of."""
    best = math.inf
    sides: list[tuple[float, float]] = []
    for h in TRIED_STEPS:
        ahead, behind = at(h), at(-h)
        gap, rounding = abs((ahead - behind) / (2 * h) - slope), SAFETY * noise / h
        size = max(scale, abs((ahead - behind) / (2 * h)))
        best = min(best, gap / size if size else 0.0)
        if best <= tolerance:
            return _Comparison(best, OK)
        if h == TRIED_STEPS[0] and gap <= rounding:
            return _Comparison(best, TINY)
        sides.append(((here - behind) / h, (ahead - here) / h))
    (left, right), (left_before, right_before) = sides[-1], sides[-2]
    jump, jump_before = abs(right - left), abs(right_before - left_before)
    margin = 2 * rounding + tolerance * size
    # Where the loss is smooth both sides come together in proportion to h; at a kink they stay apart.
    if jump > max(0.3 * jump_before, margin) and min(left, right) - margin <= slope <= max(left, right) + margin:
        return _Comparison(best, KINK)
    return _Comparison(best, WRONG)
