"""What every primitive promises, over all cases in cases.py."""

import math
from typing import Any

import numpy as np
import pytest
from tests.compute import label
from tests.ops.cases import CASES, Case, Suite, suite

from thalweg.backprop import gradients
from thalweg.executors.native.code.step import supported
from thalweg.executors.numpy import NumpyExecutor, evaluate
from thalweg.graph.node import OPS, Graph, Kind, apply
from thalweg.graph.text import from_text, to_text
from thalweg.graph.types import FLOATS, TensorType
from thalweg.graph.verify import verify
from thalweg.ops import input_node, leaf, reduce_sum
from thalweg.ops.views import Line, Move, View
from thalweg.passes.simplify import simplify

NAMES = sorted(OPS)


@pytest.fixture(scope="module")
def suites():
    """Each made once: suites["relu"]."""
    made: dict[str, Suite] = {}

    class Suites:
        def __getitem__(self, name: str) -> Suite:
            if name not in made:
                made[name] = suite(name)
            return made[name]

    return Suites()


def check(suite: Suite, results: dict[str, np.ndarray]) -> None:
    """All cases, so that a fault's extent shows at once."""
    wrong = []
    for i, case in enumerate(suite.cases):
        try:
            case.check(results[f"y{i}"])
        except AssertionError as error:
            wrong.append(str(error))
    assert not wrong, "\n".join([f"{len(wrong)} of {len(suite.cases)} cases", *wrong[:20]])


def test_every_operation_has_cases():
    assert set(CASES) == set(OPS)


def test_every_operation_says_what_it_computes_and_what_its_result_is():
    for op in OPS.values():
        assert hasattr(op, "infer"), op
        assert hasattr(op, "reference") is not issubclass(op, leaf.Input | leaf.State), op
        assert vars(op)["__dataclass_params__"].frozen, op


def test_composites_are_what_has_to_be_taken_apart():
    """Every other operation has code of its own in every executor that compiles."""
    for op in OPS.values():
        assert op.kind is not Kind.COMPOSITE or "decompose" in vars(op), op
        assert supported(op) is (op.kind is not Kind.COMPOSITE), op


def numbers_of(line, shape):
    """The numbers of a line at all places."""
    steps = zip(np.indices(shape), line.steps, strict=True)
    return sum((index * step for index, step in steps), np.full(shape, line.start))


@pytest.mark.parametrize("name", [name for name in NAMES if OPS[name].kind in (Kind.VIEW, Kind.WINDOW)])
def test_a_view_follows_a_line_to_where_its_numbers_are(name):
    """Of a line whose numbers are all different, as the reference moves them; 0 is only in margins."""
    for case in CASES[name]():
        (x,) = case.arrays
        op: Any = case.op
        assert isinstance(op, View)
        line = Line(1, tuple(3 * math.prod(x.shape[a + 1 :]) for a in range(x.ndim)))
        want = op.reference(numbers_of(line, x.shape))
        found = op.follow(line, x.shape)
        assert found is not None, f"{case}: dense numbers can be followed"
        inside = want != 0
        np.testing.assert_array_equal(numbers_of(found, want.shape)[inside], want[inside], err_msg=str(case))
        assert inside.all() or op.bordered_axes(), str(case)


@pytest.mark.parametrize("name", [name for name in NAMES if OPS[name].kind in (Kind.VIEW, Kind.WINDOW)])
def test_an_axis_that_a_view_keeps_counts_as_before(name):
    for case in CASES[name]():
        (x,) = case.arrays
        op: Any = case.op
        shape = op.infer(TensorType.of(x)).shape
        for axis in range(x.ndim):
            after = op.follow_axis(axis, x.shape)
            if after is not None and x.size:
                along = op.follow(Line(0, tuple(int(a == axis) for a in range(x.ndim))), x.shape, axis)
                np.testing.assert_array_equal(numbers_of(along, shape), np.indices(shape)[after], err_msg=str(case))
                assert shape[after] == x.shape[axis], f"{case}: axis {axis}"


@pytest.mark.parametrize("name", [name for name in NAMES if OPS[name].kind is Kind.MOVE])
def test_a_move_has_its_inputs_in_the_boxes_that_it_says_and_zeros_elsewhere(name):
    for case in CASES[name]():
        assert isinstance(case.op, Move)
        want = case.expected()
        made = np.zeros_like(want)
        for x, box in zip(case.arrays, case.op.boxes(*map(TensorType.of, case.arrays)), strict=True):
            assert not made[box].any(), f"{case}: boxes overlap"
            made[box] = x
        np.testing.assert_array_equal(made, want, err_msg=str(case))


@pytest.mark.parametrize("name", NAMES)
def test_infer_is_the_type_of_the_reference(name, suites):
    for case in suites[name].cases:
        kinds = [] if isinstance(case.op, leaf.Input | leaf.State) else [TensorType.of(x) for x in case.arrays]
        assert case.op.infer(*kinds) == TensorType.of(case.expected()), str(case)


@pytest.mark.parametrize("name", NAMES)
def test_executor_computes_the_definition(name, suites, native_build):
    """To XLA other rules apply: ``tests/executors/xla/test_lowerings.py``."""
    check(suites[name], suites[name].run(native_build))


@pytest.mark.parametrize("name", NAMES)
def test_two_threads_give_the_same_bits(name, suites, native):
    one, two = (suites[name].run(native, threads=n) for n in (1, 2))
    for key, array in one.items():
        assert array.tobytes() == two[key].tobytes(), f"{key}: {suites[name].cases[int(key[1:])]}"


@pytest.mark.parametrize("name", [name for name in NAMES if "decompose" in vars(OPS[name])])
def test_decompose_is_the_same_function(name, suites):
    outputs = {}
    for i, case in enumerate(suites[name].cases):
        node = case.op.decompose(*case.inputs(f"x{i}_"))
        outputs[f"y{i}"] = node
        assert node.type == case.op.infer(*(TensorType.of(x) for x in case.arrays)), str(case)
        assert all(n.op != case.op for n in Graph({"y": node}).nodes()), f"{case} decomposes into itself"
    check(suites[name], suites[name].run(NumpyExecutor(), Graph(outputs)))


@pytest.mark.parametrize("name", NAMES)
def test_text_round_trip(name, suites):
    graph = suites[name].graph
    text = to_text(graph)
    again = from_text(text)
    verify(again)
    assert to_text(again) == text
    assert [repr(n.op) for n in again.nodes()] == [repr(n.op) for n in graph.nodes()]


@pytest.mark.parametrize("name", NAMES)
def test_simplify_keeps_the_values(name, suites):
    able = {other for other in OPS if other != name or "decompose" not in vars(OPS[name])}
    better = simplify(suites[name].graph, lambda op: op.name in able)
    verify(better)
    assert {n.op.name for n in better.nodes()} <= able
    check(suites[name], suites[name].run(NumpyExecutor(), better))


def smooth_cases(name: str) -> list[Case]:
    """The differentiable ones in double precision whose results are finite numbers."""
    found = [c for c in CASES[name]() if c.smooth and all(x.dtype.name not in ("float32", "uint8") for x in c.arrays)]
    results = [(c, c.expected()) for c in found]
    return [c for c, y in results if y.dtype.name in FLOATS and np.isfinite(y).all()]


def weighted_sum(case: Case):
    """A scalar made of all of the result's elements, its derivatives by the inputs, and the weights."""
    xs = case.inputs()
    y = apply(case.op, *xs)
    loss = reduce_sum(y * input_node("w", y.shape, y.dtype))
    return loss, gradients(loss, [x for x in xs if x.type.is_float])


DIFFERENTIABLE = [name for name in NAMES if smooth_cases(name)]


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(DIFFERENTIABLE)))
def test_what_is_not_differentiated_has_no_gradient(name):
    """An operation whose cases nobody marked as smooth would escape the test below."""
    for case in CASES[name]():
        if OPS[name].kind is not Kind.LEAF and any(x.dtype.name in FLOATS for x in case.arrays):
            xs = case.inputs()
            y = apply(case.op, *xs)
            assert case.op.vjp(input_node("g", y.shape, y.dtype), xs, y) == (None,) * len(xs)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_vjp_is_the_central_difference_in_a_random_direction(name):
    r = np.random.default_rng(len(name))
    for case in smooth_cases(name):
        if case.expected().dtype != np.float64:  # a cast to float32: too coarse for differences
            continue
        loss, slopes = weighted_sum(case)
        arrays = {f"x{i}": x for i, x in enumerate(case.arrays)}
        arrays["w"] = r.standard_normal(case.expected().shape)
        moves = {key: r.standard_normal(x.shape) for key, x in arrays.items() if key != "w" and x.dtype == np.float64}
        values = evaluate(Graph({"loss": loss, **{f"g{i}": g for i, g in enumerate(slopes)}}), arrays, {})
        parts = [values[g] * move for g, move in zip(slopes, moves.values(), strict=True)]
        slope, size = sum(p.sum() for p in parts), sum(np.abs(p).sum() for p in parts)

        def at(t, arrays=arrays, moves=moves, loss=loss):
            there = {k: x + t * moves[k] if k in moves else x for k, x in arrays.items()}
            return float(evaluate(Graph({"loss": loss}), there, {})[loss])

        h = 1e-5  # cube root of the precision: the formula's error, h^2 f''', and rounding's, eps f / h, are then alike
        difference = (at(h) - at(-h)) / (2 * h)
        rounding = np.abs(case.expected()).sum() * 2e-16 / h
        assert slope == pytest.approx(difference, rel=1e-6, abs=1e-8 + 2e-8 * size + 10 * rounding), str(case)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_executor_computes_the_derivatives(name, engine):
    """The gradients' graphs, against the numpy executor. In double precision: float32 has the cases themselves."""
    r = np.random.default_rng(len(name))
    outputs, data = {}, {}
    for i, case in enumerate(smooth_cases(name)):
        xs = case.inputs(f"x{i}_")
        y = apply(case.op, *xs)
        w = input_node(f"w{i}", y.shape, y.dtype)
        data |= {label(x): array for x, array in zip(xs, case.arrays, strict=True)}
        data[f"w{i}"] = r.standard_normal(y.shape).astype(y.dtype)
        floats = [x for x in xs if x.type.is_float]
        for j, g in enumerate(gradients(reduce_sum(y * w), floats)):
            outputs[f"g{i}_{j}"] = g
    graph = Graph(outputs)
    results = []
    for executor in (NumpyExecutor(), engine):
        filled = {k: np.full(n.shape, 77, n.dtype) for k, n in outputs.items()}
        executor.compile(graph, gather=False).run({}, data, None, filled)
        results.append(filled)
    for key in outputs:
        want = results[0][key]
        coarse = 1e-5 if any(n.dtype == "float32" for n in Graph({key: outputs[key]}).nodes()) else 1e-11
        scale = float(np.abs(want).max(initial=0.0))
        np.testing.assert_allclose(results[1][key], want, rtol=coarse, atol=coarse * scale, err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_whole_numbers_have_no_gradient(name):
    """vjp answers None, it does not raise, for every input of a result that is no floating point number."""
    for case in CASES[name]():
        if OPS[name].kind is Kind.LEAF:
            continue
        xs = case.inputs()
        y = apply(case.op, *xs)
        if y.dtype not in FLOATS and any(x.type.is_float for x in xs):
            assert case.op.vjp(input_node("g", y.shape, y.dtype), xs, y) == (None,) * len(xs)
