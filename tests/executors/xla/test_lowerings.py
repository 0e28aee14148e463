"""Every operation in XLA's terms: all its cases, with the rules that hold for XLA's code."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tests.compute import inputs
from tests.ops.cases import CASES, Case, Suite, sum_error

from thalweg import ops
from thalweg.executors.xla.executor import XlaExecutor
from thalweg.graph.node import OPS, Graph
from thalweg.ops.bfloat16 import rounded
from thalweg.ops.contraction import Contraction, products_in
from thalweg.ops.elementwise import Power

pytestmark = [pytest.mark.needs("jax"), pytest.mark.slow]


def flushed(x: np.ndarray, *, result: bool = False) -> np.ndarray:
    """Denormal numbers as zeros, which XLA's code for CPUs takes them for.

    Arguments:
        result: also what only rounding made the smallest number that is not denormal.
    """
    if x.dtype.kind != "f":
        return x
    smallest = np.finfo(x.dtype).tiny
    small = np.abs(x) <= smallest if result else np.abs(x) < smallest
    return np.where(small, np.copysign(x.dtype.type(0), x), x)


def for_xla(case: Case) -> Case:
    """The same case where XLA promises less."""
    if isinstance(case.op, Power):  # a denormal number is not zero to its logarithm, but the smallest of the others
        x, _ = case.arrays
        return replace(case, defined=case.defined & ((flushed(x) == x) | np.isnan(x)))
    if isinstance(case.op, Contraction) and case.op.precision == "bfloat16":
        return in_any_order(case)
    return case


def in_any_order(case: Case) -> Case:
    """Products in bfloat16 are added up as any sum; where the order makes it overflow, there is no result."""
    assert isinstance(case.op, Contraction)
    with np.errstate(all="ignore"):  # of NaN
        sizes = replace(case.op, precision=None).reference(*(np.abs(x).astype(np.float64) for x in case.arrays))
        sizes = sizes * 1.01  # of the factors as they are, not rounded to bfloat16
    terms = math.prod(case.arrays[0].shape)
    smallest = float(np.finfo(np.float32).tiny)  # of each term, what is denormal of it
    return replace(
        case,
        bound=sum_error(terms, np.nan_to_num(sizes, posinf=0.0), "float32") + 2 * terms * smallest,
        defined=~(sizes > np.finfo(np.float32).max),
        signed_zeros=False,
    )


@cache
def results(name: str) -> tuple[list[Case], dict[str, np.ndarray]]:
    suite = Suite(list(CASES[name]()))
    return suite.cases, suite.run(XlaExecutor("cpu"))


@pytest.mark.parametrize("name", sorted(OPS))
def test_it_is_the_definition(name):
    """Or what that is where denormal numbers are zeros."""
    cases, found = results(name)
    wrong = []
    for i, case in enumerate(cases):
        zeros = replace(case, arrays=tuple(map(flushed, case.arrays)))
        try:
            for_xla(case).check(found[f"y{i}"], case.expected(), flushed(zeros.expected(), result=True))
        except AssertionError as error:
            wrong.append(str(error))
    assert not wrong, "\n".join([f"{len(wrong)} of {len(cases)} cases", *wrong[:20]])


@pytest.mark.parametrize(("n", "k", "m"), [(1, 7, 1), (3, 5, 2), (8, 64, 16), (64, 200, 100)])
def test_factors_that_xla_makes_itself_are_rounded_to_bfloat16_too(n, k, m):
    """XLA puts what makes a factor and the product together, and is free to leave out a cast there and back."""
    r = np.random.default_rng(n)
    data = {name: r.standard_normal(shape).astype("float32") for name, shape in (("x", (n, k)), ("w", (k, m)))}
    x, w = inputs(**data)
    with products_in("bfloat16"):
        image, kernel = ops.reshape(ops.negate(x), (1, n, k)), ops.reshape(w * 0.5, (1, k, m))
        outputs = {
            "product": ops.negate(x) @ (w * 0.5),
            "sum": ops.reduce_sum(ops.transpose(w * 0.5) @ ops.transpose(ops.negate(x))),
            "convolution": ops.convolve(image, kernel, (1,), ((0, 0),), (1,)),
        }
    found = {name: np.zeros(node.shape, "float32") for name, node in outputs.items()}
    XlaExecutor("cpu").compile(Graph(outputs), gather=False).run({}, data, None, found)
    a, b = rounded(-data["x"]).astype("float64"), rounded(data["w"] * np.float32(0.5)).astype("float64")
    sizes = np.abs(a) @ np.abs(b)
    for name, terms, want, size in (
        ("product", k, a @ b, sizes),
        ("sum", n * k * m, (a @ b).sum(), sizes.sum()),
        ("convolution", k, (a @ b)[None], sizes[None]),
    ):
        assert (np.abs(found[name] - want) <= sum_error(terms, size, "float32")).all(), name
