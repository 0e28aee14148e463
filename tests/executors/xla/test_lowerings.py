"""Every operation in XLA's terms: all its cases, with the rules that hold for XLA's code."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.ops.cases import CASES, Case, Suite, sum_error

from thalweg.executors.xla.executor import XlaExecutor
from thalweg.graph.node import OPS
from thalweg.ops.contraction import Contraction
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


def results(name: str) -> tuple[list[Case], dict[str, np.ndarray]]:
    cases = list(CASES[name]())
    if name == "windows":  # hundreds of slices each: of what only moves numbers, two types stand for all
        cases = [case for case in cases if case.arrays[0].dtype.name in ("float32", "bool")]
    suite = Suite(cases)
    return suite.cases, suite.run(XlaExecutor("cpu"))


@pytest.mark.parametrize("name", sorted(OPS))
def test_it_is_the_definition(name):
    """Or what that is where denormal numbers are zeros."""
    cases, found = results(name)
    wrong = []
    for i, case in enumerate(cases):
        zeros = replace(case, arrays=tuple(map(flushed, case.arrays))).expected()
        try:
            for_xla(case).check(found[f"y{i}"], case.expected(), flushed(zeros), flushed(zeros, result=True))
        except AssertionError as error:
            wrong.append(str(error))
    assert not wrong, "\n".join([f"{len(wrong)} of {len(cases)} cases", *wrong[:20]])
