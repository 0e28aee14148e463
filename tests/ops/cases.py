"""For every primitive: inputs, attributes, edge values, and how far an executor may be from the definition.

``@cases(Op)`` registers a generator of Cases; an operation without one fails test_contracts.
"""

import itertools
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from tests.compute import label

from thalweg.graph.node import Graph, Node, Op, apply
from thalweg.graph.types import DTYPES, FLOATS, TensorType
from thalweg.ops import elementwise as e
from thalweg.ops import leaf, reduce
from thalweg.ops.bfloat16 import PairBfloat16, RoundToBfloat16
from thalweg.ops.broadcast import Broadcast, ReduceSum
from thalweg.ops.cast import Cast
from thalweg.ops.concatenate import Concatenate
from thalweg.ops.contraction import Contraction
from thalweg.ops.convolution import Convolution, Flip, KernelGradient, TransposedConvolution, Windows
from thalweg.ops.deviations import MomentAbout
from thalweg.ops.leaf import input_node
from thalweg.ops.lookup import AddRows, Take
from thalweg.ops.order import ArgSort
from thalweg.ops.random import RandomBits
from thalweg.ops.shape import Pad, Reshape, Slice, Transpose
from thalweg.ops.softmax import LogSumExp, Softmax
from thalweg.state.layout import empty

SHAPES = [(), (1,), (7,), (16,), (37,), (0,), (1, 1), (3, 5), (17, 31), (2, 0, 3), (2, 3, 5), (2, 3, 1, 7)]
"""Size 1, primes, a whole vector, more than one, nothing, and each rank from 0 to 4."""


@dataclass(frozen=True)
class Case:
    """An operation on given arrays.

    ``ulps``: the relative error that is allowed, in units of the last place; 0 for operations that IEEE 754 rounds
    exactly or that only move numbers. ``bound``: an absolute error allowed beside it, for sums. ``signed_zeros``:
    whether 0 and -0 must be told apart. ``defined``: where the definition says what comes out.
    ``smooth``: whether the definition can be differentiated numerically at these inputs (no kinks, no edge values).
    """

    op: Op
    arrays: tuple[np.ndarray, ...] = ()
    ulps: float = 0
    bound: np.ndarray | float = 0.0
    signed_zeros: bool = True
    defined: np.ndarray | bool = True
    smooth: bool = False
    note: str = ""

    def __str__(self) -> str:
        kinds = ", ".join(str(TensorType.of(x)) for x in self.arrays)
        return f"{self.op}({kinds}){' ' + self.note if self.note else ''}"

    def inputs(self, prefix: str = "x") -> tuple[Node, ...]:
        kinds = [TensorType.of(x) for x in self.arrays]
        return tuple(input_node(f"{prefix}{i}", k.shape, k.dtype) for i, k in enumerate(kinds))

    def expected(self) -> np.ndarray:
        if isinstance(self.op, leaf.Input | leaf.State):
            return self.arrays[0]
        with np.errstate(all="ignore"):
            return np.asarray(self.op.reference(*self.arrays))

    def agrees(self, got: np.ndarray, want: np.ndarray) -> np.ndarray:
        """Where ``got`` is ``want``, as closely as the case demands."""
        right = got == want
        if want.dtype.kind == "f":
            unit = np.finfo(want.dtype)
            with np.errstate(all="ignore"):
                size = np.abs(want.astype(np.float64))
                allowed = self.ulps * (unit.eps * size + float(unit.smallest_subnormal)) + self.bound
                close = np.isfinite(got) & np.isfinite(want) & (np.abs(got.astype(np.float64) - want) <= allowed)
            right = right | close | (np.isnan(got) & np.isnan(want))
            if self.signed_zeros:
                right &= (np.signbit(got) == np.signbit(want)) | (want != 0) | (got != 0)
        return right | ~np.broadcast_to(self.defined, want.shape)

    def check(self, got: np.ndarray, *wanted: np.ndarray) -> None:
        """``got`` is the definition's result, or at each place one of those ``wanted``, as the case demands."""
        want, *others = wanted or (self.expected(),)
        assert got.shape == want.shape, f"{self}: shape {got.shape}, not {want.shape}"
        assert got.dtype == want.dtype, f"{self}: dtype {got.dtype}, not {want.dtype}"
        right = self.agrees(got, want)
        for other in others:
            right |= self.agrees(got, other)
        wrong = np.argwhere(~right)
        if len(wrong):
            at = tuple(int(i) for i in wrong[0])
            given = [x[at].item() for x in self.arrays if x.shape == want.shape]
            raise AssertionError(
                f"{self}: {len(wrong)} of {want.size} differ; at {at}{f' of {given}' if given else ''} "
                f"{got[at].item()!r}, the definition says {want[at].item()!r}"
            )


@dataclass
class Suite:
    """One graph that computes several cases: compiling once for all of them saves most of the time."""

    cases: list[Case]
    outputs: dict[str, Node] = field(default_factory=dict)
    data: dict[str, np.ndarray] = field(default_factory=dict)
    state: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for i, case in enumerate(self.cases):
            if isinstance(case.op, leaf.State):
                self.state[case.op.label] = empty(case.op.infer())
                self.state[case.op.label][...] = case.arrays[0]
                self.outputs[f"y{i}"] = apply(case.op)
            elif isinstance(case.op, leaf.Input):
                self.data[case.op.label] = case.arrays[0].copy()
                self.outputs[f"y{i}"] = apply(case.op)
            else:
                nodes = case.inputs(f"x{i}_")
                self.data |= {label(x): array for x, array in zip(nodes, case.arrays, strict=True)}
                self.outputs[f"y{i}"] = apply(case.op, *nodes)
        self.graph = Graph(self.outputs)

    def run(self, executor, graph: Graph | None = None, threads: int = 1) -> dict[str, np.ndarray]:
        graph = graph or self.graph
        results = {name: np.full(y.shape, 77).astype(y.dtype) for name, y in graph.outputs.items()}
        executor.compile(graph, gather=False).run(self.state, self.data, None, results, threads)
        return results


Generator = Callable[[], Iterator[Case]]
CASES: dict[str, Generator] = {}


def cases(op: type[Op]) -> Callable[[Generator], Generator]:
    def register(make: Generator) -> Generator:
        CASES[op.name] = make
        return make

    return register


# --- numbers ------------------------------------------------------------------------------------------------------


def rng(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def away_from_zero(r: np.random.Generator, shape: tuple[int, ...], dtype: str = "float64") -> np.ndarray:
    """Either sign, size 0.1 to 3."""
    return np.asarray(r.uniform(0.1, 3, shape) * r.choice([-1, 1], shape)).astype(dtype)


def positive(r: np.random.Generator, shape: tuple[int, ...], dtype: str = "float64") -> np.ndarray:
    return np.asarray(r.uniform(0.1, 3, shape)).astype(dtype)


def integers(r: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if dtype == "bool":
        return np.asarray(r.integers(0, 2, shape)).astype(bool)
    low = 0 if dtype.startswith("u") else -100
    return np.asarray(r.integers(low, 100, shape)).astype(dtype)


def numbers(r: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return away_from_zero(r, shape, dtype) if dtype in FLOATS else integers(r, shape, dtype)


def edges(dtype: str) -> np.ndarray:
    """The numbers at which arithmetic goes wrong, if it does."""
    if dtype == "bool":
        return np.array([False, True])
    if dtype not in FLOATS:
        ends = np.iinfo(dtype)
        some = [0, 1, 2, 3, 7, 100, 127, 128, 255]
        return np.unique(np.array([ends.min, ends.min + 1, *some, ends.max - 1, ends.max], dtype))
    unit = np.finfo(dtype)
    largest = math.log(float(unit.max))
    sizes = [
        0.0,
        float(unit.smallest_subnormal),
        float(unit.tiny) / 3,
        float(unit.tiny),
        float(unit.eps) / 3,
        1e-5,
        1e-3,
        0.25,
        0.3465,  # half of log 2, where exp changes its range reduction
        0.5,
        math.sqrt(0.5),
        float(1 - unit.epsneg),
        1.0,
        float(1 + unit.eps),
        1.5,
        2.0,
        2.5,
        3.0,
        9.99,
        17.0,
        largest - 0.01,
        largest + 0.01,
        largest * 1.06,  # e to the minus this is a denormal
        1e4,
        float(2**31),
        float(unit.max) / 2,
        float(unit.max),
        math.inf,
    ]
    with np.errstate(all="ignore"):
        return np.array([*sizes, *(-x for x in sizes), math.nan]).astype(dtype)


def edge_pairs(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(edges(dtype), edges(dtype), indexing="ij")
    return x.ravel(), y.ravel()


def sum_error(terms: int, sizes: np.ndarray | float, dtype: str) -> np.ndarray | float:
    """What two orders of summation may differ by, with terms adding up to ``sizes`` in absolute value.

    The error of a sum of n terms grows as sqrt(n) with a small factor, almost surely
    (Higham & Mary 2019, SIAM J. Sci. Comput. 41, theorem 2.4); each of the two has one.
    """
    return (4 * math.sqrt(terms) + 4) * float(np.finfo(dtype).eps) * np.asarray(sizes, np.float64)


# --- elementwise --------------------------------------------------------------------------------------------------

# Where a function cannot be rounded exactly at a fair price, NumPy documents or shows up to 4 units of the last place,
# and so does engine.md for ours: 4 + 4.
FUNCTION_ULPS = 8


def unary(op: type[Op], dtypes, ulps: float = 0, smooth=away_from_zero, **options) -> Generator:
    def make() -> Iterator[Case]:
        r = rng(op.name)
        for dtype in dtypes:
            for shape in SHAPES:
                x = smooth(r, shape, dtype) if dtype in FLOATS else integers(r, shape, dtype)
                yield Case(op(), (x,), ulps, smooth=dtype in FLOATS, **options)
            yield Case(op(), (edges(dtype),), ulps, note="edges", **options)

    return make


def binary(op: type[Op], dtypes, ulps: float = 0, smooth=away_from_zero, **options) -> Generator:
    def make() -> Iterator[Case]:
        r = rng(op.name)
        for dtype in dtypes:
            for shape in SHAPES:
                values = [smooth(r, shape, dtype) if dtype in FLOATS else integers(r, shape, dtype) for _ in range(2)]
                if dtype in FLOATS and op in (e.Maximum, e.Minimum):
                    values[1] = (values[0] + away_from_zero(r, shape, dtype)).astype(dtype)  # never a tie
                yield Case(op(), tuple(values), ulps, smooth=dtype in FLOATS, **options)
            yield Case(op(), edge_pairs(dtype), ulps, note="edges", **options)

    return make


def between_integers(r, shape, dtype="float64"):
    return np.asarray(r.integers(-5, 5, shape) + r.uniform(0.2, 0.8, shape)).astype(dtype)


def above_minus_one(r, shape, dtype="float64"):
    return np.asarray(r.uniform(-0.9, 3, shape)).astype(dtype)


ARITHMETIC = e.Elementwise.dtypes
SIGNED = e.Absolute.dtypes
_op: type[Op]

for _op, _dtypes in ((e.Negate, ARITHMETIC), (e.Absolute, SIGNED), (e.Sqrt, FLOATS)):
    CASES[_op.name] = unary(_op, _dtypes, smooth=positive if _op is e.Sqrt else away_from_zero)
for _op in (e.Exp, e.Expm1, e.Tanh, e.Sigmoid, e.Softplus, e.Erf):
    CASES[_op.name] = unary(_op, FLOATS, FUNCTION_ULPS)


def angles(r, shape, dtype="float64"):
    """Of all sizes; many turns, too, but not so many that a difference quotient's step is lost."""
    return np.asarray(r.uniform(-8, 8, shape) * 10.0 ** r.integers(-3, 3, shape)).astype(dtype)


def near_quarter_turns(op: type[Op]) -> Iterator[Case]:
    """Where the range reduction cancels: the nearest numbers to multiples of pi / 2, and the largest angle."""
    turns = np.concatenate([np.arange(-40, 41), 2.0 ** np.arange(3, 49), -(3.0 ** np.arange(3, 31))]) * (math.pi / 2)
    ends = np.array([e.LARGEST_ANGLE, -e.LARGEST_ANGLE, 2 * e.LARGEST_ANGLE, 6381956970095103 * 2.0**-3])
    for dtype in FLOATS:
        yield Case(op(), (np.concatenate([turns, ends]).astype(dtype),), 4, note="quarter turns")


def trigonometric(op: type[Op]) -> Generator:
    return lambda: itertools.chain(unary(op, FLOATS, 2, smooth=angles)(), near_quarter_turns(op))


for _op in (e.Sin, e.Cos):
    CASES[_op.name] = trigonometric(_op)
CASES[e.Sign.name] = unary(e.Sign, SIGNED, signed_zeros=False)  # the sign of -0 may be 0 or -0
CASES[e.Floor.name] = unary(e.Floor, FLOATS, smooth=between_integers)
CASES[e.Log.name] = unary(e.Log, FLOATS, FUNCTION_ULPS, smooth=positive)
CASES[e.Log1p.name] = unary(e.Log1p, FLOATS, FUNCTION_ULPS, smooth=above_minus_one)
CASES[e.Relu.name] = unary(e.Relu, FLOATS)
for _op in (e.Add, e.Subtract, e.Multiply):
    CASES[_op.name] = binary(_op, ARITHMETIC)
CASES[e.Divide.name] = binary(e.Divide, FLOATS)
for _op in (e.Maximum, e.Minimum):  # which of 0 and -0 is the larger, IEEE 754-2008 leaves open, and so do NumPy and we
    CASES[_op.name] = binary(_op, ARITHMETIC, signed_zeros=False)
for _op in (e.Less, e.LessEqual, e.Equal):
    CASES[_op.name] = binary(_op, e._Comparison.dtypes)
for _op in (e.LogicalAnd, e.LogicalOr):
    CASES[_op.name] = binary(_op, ("bool",))
CASES[e.LogicalNot.name] = unary(e.LogicalNot, ("bool",))


@cases(e.Power)
def power_cases() -> Iterator[Case]:
    # e^(y log x): an error of the last place in y log x, which is at most 745, is 745 of them in the result; in
    # float32 the whole is worked out in double precision.
    ulps = {"float32": FUNCTION_ULPS, "float64": 1500}
    for case in binary(e.Power, FLOATS, smooth=positive)():
        yield replace(case, ulps=ulps[case.arrays[0].dtype.name])
    for dtype in FLOATS:
        x = np.array([-2.0, -2.0, -2.0, -0.0, -0.0, 0.0, -1.0, -8.0, 1.0, 3.0], dtype)
        y = np.array([2.0, 3.0, 0.5, 3.0, -1.0, 0.0, 1e9, 1 / 3, np.nan, -2.0], dtype)
        yield Case(e.Power(), (x, y), ulps[dtype], note="signs")


@cases(e.Select)
def select_cases() -> Iterator[Case]:
    r = rng("select")
    for dtype in DTYPES:
        for shape in SHAPES:
            condition = integers(r, shape, "bool")
            yield Case(
                e.Select(), (condition, numbers(r, shape, dtype), numbers(r, shape, dtype)), smooth=dtype in FLOATS
            )
        x, y = edge_pairs(dtype)
        yield Case(e.Select(), (np.arange(len(x)) % 2 == 0, x, y), note="edges")


@cases(Cast)
def cast_cases() -> Iterator[Case]:
    r = rng("cast")
    for old, new in itertools.product(DTYPES, DTYPES):
        for shape in ((), (37,), (0,), (3, 5)):
            x = numbers(r, shape, old)
            if old in FLOATS and new.startswith("u"):
                x = np.abs(x)  # a negative float has no unsigned integer
            yield Case(Cast(new), (x,), smooth=old in FLOATS and new in FLOATS)
        x, defined = edges(old), True
        if old in FLOATS and new not in FLOATS and new != "bool":
            ends = np.iinfo(new)
            with np.errstate(all="ignore"):
                defined = (np.trunc(x).astype(np.float64) >= float(ends.min)) & (x.astype(np.float64) < float(ends.max))
                defined &= x > -1 if new.startswith("u") else True
        yield Case(Cast(new), (x,), defined=defined, note="edges")


@cases(RoundToBfloat16)
def round_to_bfloat16_cases() -> Iterator[Case]:
    r = rng("round_to_bfloat16")
    for shape in SHAPES:
        yield Case(RoundToBfloat16(), (numbers(r, shape, "float32"),))
    yield Case(RoundToBfloat16(), (edges("float32"),), note="edges")
    yield Case(RoundToBfloat16(), (any_bits(r, 5000),), note="any bits")


@cases(PairBfloat16)
def pair_bfloat16_cases() -> Iterator[Case]:
    r = rng("pair_bfloat16")
    for shape in SHAPES:
        yield Case(PairBfloat16(), (any_bits(r, *shape), any_bits(r, *shape)))


def any_bits(r: np.random.Generator, *shape: int) -> np.ndarray:
    """float32 of all sizes, denormal numbers, infinities and NaN among them."""
    bits = r.integers(0, 2**32, shape, np.uint64).astype(np.uint32)
    bits[r.random(shape) < 0.2] &= 0x807FFFFF
    bits[r.random(shape) < 0.01] |= 0x7F800000
    return bits.view(np.float32)


# --- leaves -------------------------------------------------------------------------------------------------------


@cases(leaf.Input)
def input_cases() -> Iterator[Case]:
    yield from leaf_cases(leaf.Input)


@cases(leaf.State)
def state_cases() -> Iterator[Case]:
    yield from leaf_cases(leaf.State)


def leaf_cases(op: Callable[..., Op]) -> Iterator[Case]:
    r = rng("leaves")
    for i, (dtype, shape) in enumerate(itertools.product(DTYPES, SHAPES)):
        yield Case(op(f"leaf {i}", shape, dtype), (numbers(r, shape, dtype),))
    for dtype in DTYPES:
        yield Case(op(f"edges {dtype}", edges(dtype).shape, dtype), (edges(dtype),))


@cases(leaf.Constant)
def constant_cases() -> Iterator[Case]:
    for dtype in DTYPES:
        for value in edges(dtype):
            yield Case(leaf.Constant(value.item(), dtype))


@cases(leaf.Iota)
def iota_cases() -> Iterator[Case]:
    for dtype in (*FLOATS, "int32", "int64", "uint32", "uint8"):
        for shape in SHAPES:
            for axis in range(len(shape)):
                yield Case(leaf.Iota(shape, axis, dtype))


@cases(leaf.StopGradient)
def stop_gradient_cases() -> Iterator[Case]:
    r = rng("stop gradient")
    for dtype, shape in itertools.product(DTYPES, SHAPES):
        yield Case(leaf.StopGradient(), (numbers(r, shape, dtype),))


@cases(RandomBits)
def random_bits_cases() -> Iterator[Case]:
    for shape in (*SHAPES, (1000,)):
        for seed, step, stream in ((0, 0, 0), (1, 2, 3), (2**32 - 1, 2**32 - 1, 2**32 - 1)):
            yield Case(RandomBits(shape, stream), (np.array(seed, np.uint32), np.array(step, np.uint32)))


# --- reductions ---------------------------------------------------------------------------------------------------

REDUCED = [
    ((1,), (0,)),
    ((7,), (0,)),
    ((16,), (0,)),
    ((333,), (0,)),
    ((3, 5), (0,)),
    ((3, 5), (1,)),
    ((3, 5), (0, 1)),
    ((37, 33), (0,)),
    ((37, 33), (1,)),
    ((1, 19), (0,)),
    ((19, 1), (1,)),
    ((2, 3, 5), (1,)),
    ((2, 3, 5), (0, 2)),
    ((2, 3, 5), (0, 1, 2)),
    ((4, 3, 17), (1,)),
    ((4, 3, 17), (0, 1)),
    ((2, 3, 2, 7), (1, 3)),
    ((2, 3, 2, 7), (0, 2)),
    ((2, 3), ()),
]
"""Shapes and axes."""

EMPTY = [((0,), (0,)), ((0, 3), (0,)), ((3, 0), (0,)), ((3, 0), (1,)), ((2, 0, 3), (0, 1))]


@cases(ReduceSum)
def reduce_sum_cases() -> Iterator[Case]:
    r = rng("sum")
    for dtype in DTYPES[:-1]:
        for shape, axes in (*REDUCED, *EMPTY):
            x = numbers(r, shape, dtype)
            yield Case(
                ReduceSum(axes),
                (x,),
                bound=sum_bound(np.abs(x), axes) if dtype in FLOATS else 0.0,
                signed_zeros=False,  # what an empty or a padded sum starts from decides it
                smooth=dtype in FLOATS,
            )
        yield from edge_columns(ReduceSum, dtype, signed_zeros=False)


@cases(MomentAbout)
def moment_about_cases() -> Iterator[Case]:
    r = rng("moment_about")
    of_images = (((2, 3, 5), (0, 1)), ((4, 3, 3, 2), (0, 1, 2)), ((2, 17, 4, 5), (0, 2, 3)), ((3, 5), (0, 1)))
    for dtype in FLOATS:
        for (shape, axes), power in itertools.product((*of_images, ((2, 0, 3), (0, 1)), ((0, 2, 3), (0, 1))), (1, 2)):
            x = numbers(r, shape, dtype)
            centre = numbers(r, [n for a, n in enumerate(shape) if a not in axes], dtype)
            sizes = (np.abs(x) + np.abs(np.expand_dims(centre, axes))) ** power
            bound = sum_bound(sizes, axes) / max(math.prod(shape[a] for a in axes), 1)
            yield Case(MomentAbout(axes, power), (x, centre), bound=bound, signed_zeros=False, smooth=True)


def sum_bound(sizes: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    terms = math.prod(sizes.shape[a] for a in axes)
    return np.asarray(sum_error(terms, sizes.astype(np.float64).sum(axes), sizes.dtype.name))


def edge_columns(op: Any, dtype: str, **options) -> Iterator[Case]:
    """Each edge value among ordinary ones, along the first and along the last axis."""
    ends = edges(dtype)
    x = np.tile(np.array([1, 0, 1], dtype)[:, None], (1, len(ends)))
    x[1] = ends
    if dtype in FLOATS:  # the largest number plus 1 is itself, exactly; sums that overflow depend on the order
        bound = np.nan_to_num(sum_error(3, np.abs(x.astype(np.float64)).sum(0), dtype), posinf=0.0)
        options = {"bound": bound, **options} if op is ReduceSum else options
    yield Case(op((0,)), (x,), note="edges", **options)
    yield Case(op((1,)), (np.ascontiguousarray(x.T),), note="edges", **options)


def missing_among_many(r: np.random.Generator, dtype: str) -> np.ndarray:
    """(64, 64): in every other row, and in half of the columns, one number is NaN."""
    x = r.standard_normal((64, 64)).astype(dtype)
    x[np.arange(0, 64, 2), r.permutation(64)[:32]] = np.nan
    return x


def extreme_cases(op: Any) -> Generator:
    def make() -> Iterator[Case]:
        r = rng(op.name)
        for dtype in DTYPES:
            for shape, axes in (*REDUCED, *EMPTY):
                distinct = r.permutation(math.prod(shape)).reshape(shape)
                x = (distinct / 7 - 3).astype(dtype) if dtype in FLOATS else integers(r, shape, dtype)
                yield Case(op(axes), (x,), signed_zeros=False, smooth=dtype in FLOATS)
            yield from edge_columns(op, dtype, signed_zeros=False)
            yield Case(op((1,)), (np.tile(np.array([[0], [1]], dtype), (1, 21)),), note="ties")
        for dtype in FLOATS:
            for axes in ((0,), (1,), (0, 1)):
                yield Case(op(axes), (missing_among_many(r, dtype),), signed_zeros=False, note="NaN among many")

    return make


CASES[reduce.ReduceMax.name] = extreme_cases(reduce.ReduceMax)
CASES[reduce.ReduceMin.name] = extreme_cases(reduce.ReduceMin)


@cases(reduce.ArgMax)
def argmax_cases() -> Iterator[Case]:
    r = rng("argmax")
    for dtype in DTYPES:
        for shape in ((1,), (7,), (333,), (3, 5), (37, 10), (10, 37), (2, 3, 5), (0, 3)):
            for axis in range(len(shape)):
                if shape[axis]:
                    yield Case(reduce.ArgMax(axis), (numbers(r, shape, dtype),))
                    yield Case(reduce.ArgMax(axis), (np.ones(shape, dtype),), note="ties")
        for axis in (0, 1) if dtype in FLOATS else ():
            yield Case(reduce.ArgMax(axis), (missing_among_many(r, dtype),), note="NaN among many")
        ends = edges(dtype)
        yield Case(reduce.ArgMax(1), (np.stack([np.roll(ends, i) for i in range(len(ends))]),), note="edges")
        yield Case(reduce.ArgMax(0), (np.stack([np.roll(ends, i) for i in range(len(ends))]),), note="edges")


@cases(ArgSort)
def argsort_cases() -> Iterator[Case]:
    r = rng("argsort")
    for dtype in DTYPES:
        for shape in ((1,), (7,), (3, 5), (2, 3, 4), (0, 3)):
            for axis in range(len(shape)):
                yield Case(ArgSort(axis), (numbers(r, shape, dtype),))
                yield Case(ArgSort(axis), (np.ones(shape, dtype),), note="ties")
        ends = edges(dtype)
        yield Case(ArgSort(1), (np.stack([np.roll(ends, i) for i in range(3)]),), note="edges")


@cases(Softmax)
def softmax_cases() -> Iterator[Case]:
    r = rng("softmax")
    for dtype in FLOATS:
        for shape in ((1,), (10,), (33,), (5, 10), (33, 10), (4, 333), (2, 3, 5), (0, 3), (3, 0)):
            for axis in range(len(shape)):
                ulps = 2 * FUNCTION_ULPS + 4 * math.sqrt(shape[axis])
                yield Case(Softmax(axis), (numbers(r, shape, dtype),), ulps, smooth=True)
                large = (r.standard_normal(shape) * 1e4).astype(dtype)
                yield Case(Softmax(axis), (large,), ulps, note="large")
        yield Case(Softmax(1), (odd_rows(dtype),), 2 * FUNCTION_ULPS, note="edges")
        for axis in (0, 1):
            yield Case(Softmax(axis), (missing_among_many(r, dtype),), 6 * FUNCTION_ULPS, note="NaN among many")


def odd_rows(dtype: str) -> np.ndarray:
    """Rows with one odd number each, and ties."""
    unit = np.finfo(dtype)
    odd = [0.0, -0.0, np.nan, np.inf, -np.inf, float(unit.max), float(unit.min), float(unit.smallest_subnormal), 1.0]
    return np.array([[x, 1.0, -1.0, 1.0] for x in odd] + [[-np.inf] * 4, [np.inf] * 4, [5.0] * 4], dtype)


@cases(LogSumExp)
def log_sum_exp_cases() -> Iterator[Case]:
    r = rng("log_sum_exp")

    def allowed(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        """The sum's relative error, which the logarithm makes an absolute one, and the last addition's."""
        terms = math.prod(x.shape[a] for a in axes)
        top = np.nan_to_num(np.abs(x.max(axes, initial=-np.inf)), posinf=0.0)
        return np.asarray(sum_error(terms, 1 + math.log(max(terms, 1)) + top.astype(np.float64), x.dtype.name))

    for dtype in FLOATS:
        for shape, axes in (*REDUCED[:-1], *EMPTY):
            x = numbers(r, shape, dtype)
            yield Case(LogSumExp(axes), (x,), bound=allowed(x, axes), signed_zeros=False, smooth=True)
            x = (r.standard_normal(shape) * 1e4).astype(dtype)
            yield Case(LogSumExp(axes), (x,), bound=allowed(x, axes), signed_zeros=False, note="large")
        x = odd_rows(dtype)
        yield Case(LogSumExp((1,)), (x,), bound=allowed(x, (1,)), signed_zeros=False, note="edges")
        for axes in ((0,), (1,), (0, 1)):
            x = missing_among_many(r, dtype)
            yield Case(LogSumExp(axes), (x,), bound=allowed(x, axes), signed_zeros=False, note="NaN among many")


# --- shapes -------------------------------------------------------------------------------------------------------


def moved(op: Op, shape: tuple[int, ...], dtypes=DTYPES) -> Iterator[Case]:
    """Random numbers, and edge values, of every dtype."""
    r = rng(op, shape)
    for dtype in dtypes:
        yield Case(op, (numbers(r, shape, dtype),), smooth=dtype in FLOATS)
        yield Case(op, (np.resize(edges(dtype), shape),), note="edges")


@cases(Broadcast)
def broadcast_cases() -> Iterator[Case]:
    for shape, axes in (
        ((), ()),
        ((1,), ()),
        ((7,), ()),
        ((3, 37), (1,)),
        ((37, 3), (0,)),
        ((2, 3, 5), (1,)),
        ((2, 3, 5), (0, 2)),
        ((2, 3, 5), (0, 1, 2)),
        ((4, 2, 1, 17), (0, 3)),
        ((0, 3), (1,)),
        ((3, 0), (0,)),
        ((3, 0), (1,)),
    ):
        yield from moved(Broadcast(shape, axes), tuple(shape[a] for a in axes))


@cases(Reshape)
def reshape_cases() -> Iterator[Case]:
    for old, new in (
        ((), (1, 1)),
        ((1,), ()),
        ((6,), (2, 3)),
        ((2, 3), (3, 2)),
        ((2, 3, 35), (6, 5, 7)),
        ((4, 28, 28), (4, 784)),
        ((0, 3), (7, 0)),
        ((5, 7), (5, 1, 7, 1)),
    ):
        yield from moved(Reshape(new), old)


@cases(Transpose)
def transpose_cases() -> Iterator[Case]:
    for shape in ((), (5,), (1, 9), (17, 31), (64, 48), (2, 0, 3), (2, 3, 5), (2, 3, 5, 7)):
        orders = list(itertools.permutations(range(len(shape))))
        for axes in orders if len(orders) < 7 else orders[1::5]:
            yield from moved(Transpose(axes), shape, ("float32", "float64", "uint8", "bool"))


@cases(Slice)
def slice_cases() -> Iterator[Case]:
    for shape, starts, stops, steps in (
        ((), (), (), ()),
        ((7,), (0,), (7,), (1,)),
        ((7,), (2,), (6,), (1,)),
        ((7,), (1,), (7,), (3,)),
        ((7,), (1,), (6,), (3,)),
        ((7,), (3,), (3,), (2,)),
        ((37, 33), (5, 1), (30, 32), (1, 1)),
        ((37, 33), (5, 1), (30, 32), (7, 2)),
        ((2, 3, 5), (1, 0, 4), (2, 3, 5), (1, 2, 1)),
        ((0, 3), (0, 1), (0, 2), (1, 1)),
        ((2, 3, 4, 17), (0, 1, 0, 3), (2, 3, 4, 17), (1, 1, 3, 5)),
    ):
        yield from moved(Slice(starts, stops, steps), shape)


@cases(Pad)
def pad_cases() -> Iterator[Case]:
    for shape, low, high, inner in (
        ((), (), (), ()),
        ((5,), (0,), (0,), (0,)),
        ((5,), (1,), (0,), (0,)),
        ((5,), (2,), (3,), (2,)),
        ((0,), (2,), (3,), (2,)),
        ((1,), (0,), (0,), (3,)),
        ((3, 17), (1, 0), (0, 15), (0, 0)),
        ((3, 17), (0, 2), (1, 0), (2, 1)),
        ((2, 3, 5), (0, 1, 0), (1, 0, 0), (0, 1, 2)),
        ((2, 3, 2, 7), (0, 0, 1, 1), (0, 0, 1, 1), (0, 0, 0, 0)),
    ):
        yield from moved(Pad(low, high, inner), shape)


@cases(Concatenate)
def concatenate_cases() -> Iterator[Case]:
    r = rng("concatenate")
    for axis, shapes in (
        (0, [(3,)]),
        (0, [(3,), (1,), (0,), (20,)]),
        (0, [(2, 5), (3, 5)]),
        (1, [(3, 5), (3, 16), (3, 1)]),
        (1, [(2, 1, 3), (2, 4, 3)]),
        (3, [(2, 1, 3, 2), (2, 1, 3, 15)]),
    ):
        for dtype in DTYPES:
            several = tuple(numbers(r, shape, dtype) for shape in shapes)
            yield Case(Concatenate(axis), several, smooth=dtype in FLOATS)
            several = tuple(np.resize(edges(dtype), shape) for shape in shapes)
            # an executor may add up what is padded with zeros, and -0 + 0 is 0
            yield Case(Concatenate(axis), several, signed_zeros=False, note="edges")


# --- rows by number ---------------------------------------------------------------------------------------------------

ROWS = [(1, 1, 1), (5, 3, 7), (7, 16, 20), (3, 37, 100), (64, 5, 3), (10, 0, 4), (10, 4, 0), (0, 4, 3)]
"""Rows of the table, columns, numbers."""


@cases(Take)
def take_cases() -> Iterator[Case]:
    r = rng("take")
    for dtype in FLOATS:
        for n, width, k in ROWS:
            table, index = numbers(r, (n, width), dtype), r.integers(0, max(n, 1), k)
            yield Case(Take(), (table, index.astype(np.int32)), smooth=n > 0)
            yield Case(Take(), (np.resize(edges(dtype), (n, width)), index), note="edges")
        outside = np.array([-1, 3, 0, np.iinfo(np.int32).max, np.iinfo(np.int32).min, 2], np.int32)
        yield Case(Take(), (numbers(r, (3, 17), dtype), outside), note="outside")


@cases(AddRows)
def add_rows_cases() -> Iterator[Case]:
    r = rng("add_rows")
    for dtype in FLOATS:
        for n, width, k in ROWS:
            rows, index = numbers(r, (k, width), dtype), r.integers(0, max(n, 1), k)
            yield Case(AddRows(n), (rows, index.astype(np.int32)), smooth=n > 0)
            yield Case(AddRows(n), (rows, index), note="int64")
        outside = np.array([-1, 3, 0, np.iinfo(np.int64).max, np.iinfo(np.int64).min, 0], np.int64)
        yield Case(AddRows(3), (numbers(r, (6, 17), dtype), outside), note="outside")


# --- contractions -------------------------------------------------------------------------------------------------


def contraction(labels: str, r: np.random.Generator, dtype: str, **sizes: int) -> Case:
    """``"ij,jk->ik"`` with sizes by letter."""
    given, out = labels.split("->")
    x_labels, y_labels = given.split(",")
    letters = sorted(set(x_labels + y_labels))
    op = Contraction(*(tuple(map(letters.index, part)) for part in (x_labels, y_labels, out)))
    x, y = (numbers(r, tuple(sizes[c] for c in part), dtype) for part in (x_labels, y_labels))
    terms = math.prod(sizes[c] for c in letters if c not in out)
    bound = sum_error(terms, op.reference(np.abs(x), np.abs(y)), dtype)
    return Case(op, (x, y), bound=bound, signed_zeros=False, smooth=True)


@cases(Contraction)
def contraction_cases() -> Iterator[Case]:
    r = rng("contraction")
    for dtype in FLOATS:
        for i, j, k in (
            (1, 1, 1),
            (1, 7, 1),
            (3, 1, 5),
            (5, 7, 3),
            (1, 64, 10),
            (16, 16, 16),
            (33, 31, 17),
            (13, 100, 48),
            (8, 784, 32),
            (50, 3, 130),
            (2, 0, 3),
            (0, 2, 3),
            (2, 3, 0),
        ):
            yield contraction("ij,jk->ik", r, dtype, i=i, j=j, k=k)
            yield contraction("ji,jk->ik", r, dtype, i=i, j=j, k=k)  # the gradient of the weights
            yield contraction("ij,kj->ik", r, dtype, i=i, j=j, k=k)  # the gradient of the inputs
            yield contraction("ij,jk->ki", r, dtype, i=i, j=j, k=k)
        yield contraction("ji,jk->ik", r, dtype, i=7, j=20000, k=40)  # added up in several passes
        for n in (1, 7, 16, 37, 0):
            yield contraction("i,i->", r, dtype, i=n)
            yield contraction("i,i->i", r, dtype, i=n)
            yield contraction("i,j->ij", r, dtype, i=n, j=5)
            yield contraction("ij,j->i", r, dtype, i=n, j=19)
            yield contraction("i,ij->j", r, dtype, i=19, j=n)
            yield contraction(",i->i", r, dtype, i=n)
        yield contraction(",->", r, dtype)
        yield contraction("ij,ij->", r, dtype, i=5, j=17)
        yield contraction("ij,ji->", r, dtype, i=5, j=17)
        yield contraction("ij,ij->i", r, dtype, i=5, j=17)
        yield contraction("ij,i->ij", r, dtype, i=5, j=17)
        for n in (1, 3):
            yield contraction("bij,bjk->bik", r, dtype, b=n, i=5, j=17, k=19)
            yield contraction("bji,bjk->bik", r, dtype, b=n, i=5, j=17, k=19)
            yield contraction("bij,bkj->bki", r, dtype, b=n, i=16, j=3, k=33)
            yield contraction("bij,bjk->ik", r, dtype, b=n, i=5, j=17, k=19)
            yield contraction("bij,jk->bik", r, dtype, b=n, i=5, j=17, k=19)
            yield contraction("ibj,jbk->bik", r, dtype, b=n, i=5, j=7, k=11)
        yield contraction("bhid,bhjd->bhij", r, dtype, b=2, h=3, i=5, j=7, d=4)
        yield contraction("bhij,bhjd->bihd", r, dtype, b=2, h=3, i=5, j=7, d=4)
        yield contraction("abcd,cdef->abef", r, dtype, a=2, b=3, c=4, d=5, e=3, f=2)
        yield contraction("abc,dcb->ad", r, dtype, a=5, b=3, c=7, d=6)
        odd = np.array([[1, np.inf], [np.nan, 1], [-np.inf, 1], [0, -0.0], [1, 2]], dtype)
        weights = np.array([[0, 1, -1], [1, 0, -0.0]], dtype)
        yield Case(Contraction((0, 1), (1, 2), (0, 2)), (odd, weights), signed_zeros=False, note="edges")
    yield from products_in_bfloat16(r)


def products_in_bfloat16(r: np.random.Generator) -> Iterator[Case]:
    """The same bits everywhere, of numbers of ordinary size, of such as give denormal sums, and of any bits."""
    sizes = {"b": 3, "i": 5, "j": 7, "k": 19, "l": 2}
    for labels in ("ij,jk->ik", "ji,jk->ik", "ij,kj->ik", "ij,jk->ki", "bij,bjk->bik", "bij,bjk->ik", "ijl,ljk->ik"):
        for more in ({}, {"j": 1}, {"j": 16, "k": 33, "i": 12}):
            yield from in_bfloat16(labels, r, **sizes | more)
    yield from in_bfloat16("ij,jk->ik", r, i=13, j=784, k=48)
    yield from in_bfloat16("ji,jk->ik", r, i=7, j=20001, k=40)
    for labels in ("i,j->ij", "ij,jk->ik"):
        for i, j in ((0, 3), (3, 0), (2, 2)):
            yield from in_bfloat16(labels, r, i=i, j=j, k=3)
    for labels in ("i,i->", "ij,j->i", "ij,ij->i"):  # these are added up in any order
        made = contraction(labels, r, "float32", i=5, j=17)
        yield replace(made, op=rounding(made.op), bound=made.bound + 1e-30, smooth=False)


def rounding(op: Op) -> Contraction:
    assert isinstance(op, Contraction)
    return replace(op, precision="bfloat16")


def in_bfloat16(labels: str, r: np.random.Generator, **sizes: int) -> Iterator[Case]:
    ordinary = contraction(labels, r, "float32", **sizes)
    case = replace(ordinary, op=rounding(ordinary.op), bound=0.0, signed_zeros=True, smooth=False)
    yield case
    yield replace(case, arrays=tuple((x * np.float32(2.0**-62.5)) for x in case.arrays), note="denormal sums")
    yield replace(case, arrays=tuple(any_bits(r, *x.shape) for x in case.arrays), note="any bits")


# --- windows --------------------------------------------------------------------------------------------------------

PICTURES = [
    # places, size, strides, dilation, margins
    ((5,), (3,), (1,), (1,), ((0, 0),)),
    ((17,), (3,), (2,), (3,), ((0, 0),)),
    ((1,), (5,), (1,), (1,), ((2, 2),)),
    ((4,), (2,), (3,), (2,), ((0, 3),)),
    ((5,), (1,), (1,), (1,), ((2, 1),)),
    ((7, 6), (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0))),
    ((7, 6), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),
    ((30, 28), (3, 5), (1, 1), (1, 1), ((1, 1), (2, 2))),
    ((8, 9), (3, 2), (2, 3), (1, 1), ((0, 0), (0, 0))),
    ((8, 9), (3, 2), (2, 3), (1, 1), ((0, 1), (1, 1))),
    ((9, 7), (2, 3), (1, 1), (3, 2), ((0, 0), (0, 0))),
    ((9, 17), (2, 3), (1, 1), (3, 4), ((3, 0), (4, 4))),
    ((6, 6), (2, 2), (2, 2), (1, 1), ((0, 0), (0, 0))),
    ((5, 4), (5, 4), (1, 1), (1, 1), ((0, 0), (0, 0))),
    ((4, 5), (1, 1), (1, 1), (1, 1), ((0, 0), (0, 0))),
    ((4, 3, 5), (2, 3, 2), (1, 1, 2), (1, 1, 1), ((0, 1), (1, 1), (0, 0))),
]
CHANNELS = [(1, 1, 1, 1), (2, 3, 5, 1), (1, 16, 17, 1), (2, 6, 4, 2), (2, 5, 5, 5)]
"""The batch, channels, filters, groups."""


class Picture(NamedTuple):
    """What a convolution has, from x (``image``) by a kernel to its result."""

    dtype: str
    windows: Windows
    groups: int
    image: tuple[int, ...]
    kernel: tuple[int, ...]
    result: tuple[int, ...]


def pictures() -> Iterator[Picture]:
    for dtype in FLOATS:
        for places, *how in PICTURES:
            windows = Windows(*how)
            for batch, channels, filters, groups in CHANNELS:
                image = (batch, *places, channels)
                seen = windows.infer(TensorType(image, dtype)).shape[1 : len(places) + 1]
                kernel = (*windows.size, channels // groups, filters)
                yield Picture(dtype, windows, groups, image, kernel, (batch, *seen, filters))


@cases(Windows)
def windows_cases() -> Iterator[Case]:
    for batch, channels in ((1, 1), (2, 3), (3, 17)):
        for places, size, strides, dilation, margins in PICTURES:
            yield from moved(Windows(size, strides, dilation, margins), (batch, *places, channels))


@cases(Flip)
def flip_cases() -> Iterator[Case]:
    for shape, axes in (
        ((7,), (0,)),
        ((3, 17), (0,)),
        ((3, 17), (1,)),
        ((2, 3, 5, 7), (0, 1)),
        ((2, 3), ()),
        ((0,), (0,)),
    ):
        yield from moved(Flip(axes), shape)


@cases(Convolution)
def convolution_cases() -> Iterator[Case]:
    r = rng("convolution")
    for dtype, over, groups, image, shape, _ in pictures():
        op = Convolution(over.strides, over.dilation, over.margins, groups)
        x, kernel = numbers(r, image, dtype), numbers(r, shape, dtype)
        bound = sum_error(math.prod(shape[:-1]), op.reference(abs(x), abs(kernel)), dtype)
        yield Case(op, (x, kernel), bound=bound, signed_zeros=False, smooth=True)


@cases(TransposedConvolution)
def transposed_convolution_cases() -> Iterator[Case]:
    r = rng("transposed_convolution")
    for dtype, over, groups, _, shape, result in pictures():
        around = tuple((k - 1, k - 1 - low) for k, (low, _) in zip(over.size, over.margins, strict=True))
        op = TransposedConvolution(over.strides, over.dilation, around, groups)
        x, kernel = numbers(r, result, dtype), numbers(r, shape, dtype)
        bound = sum_error(math.prod(over.size) * shape[-1] // groups, op.reference(abs(x), abs(kernel)), dtype)
        yield Case(op, (x, kernel), bound=bound, signed_zeros=False, smooth=True)


@cases(KernelGradient)
def kernel_gradient_cases() -> Iterator[Case]:
    r = rng("kernel_gradient")
    for dtype, over, groups, image, _, result in pictures():
        op = KernelGradient(over.size, over.strides, over.dilation, over.margins, groups)
        x, g = numbers(r, image, dtype), numbers(r, result, dtype)
        bound = sum_error(math.prod(result[:-1]), op.reference(abs(x), abs(g)), dtype)
        yield Case(op, (x, g), bound=bound, signed_zeros=False, smooth=True)


# --- a suite for every operation ------------------------------------------------------------------------------------


def suite(name: str) -> Suite:
    return Suite(list(CASES[name]()))
