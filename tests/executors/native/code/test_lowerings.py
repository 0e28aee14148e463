"""The table of lowerings: what is in it, and what follows from it."""

import pytest

from thalweg.executors.native.code import lookup
from thalweg.executors.native.code.lowerings import Lowerings
from thalweg.executors.native.code.operations import LOWERINGS, is_cheap, is_costly
from thalweg.executors.native.code.step import supported
from thalweg.graph.node import OPS, Kind
from thalweg.ops.broadcast import Broadcast, ReduceSum
from thalweg.ops.elementwise import Add, Exp, Sin
from thalweg.ops.lookup import Take
from thalweg.ops.random import RandomBits
from thalweg.ops.softmax import Softmax

COMPUTED = (Kind.ELEMENTWISE, Kind.REDUCTION, Kind.RANDOM)


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_what_is_computed_number_by_number_is_in_the_table_and_nothing_else(op):
    assert (op in LOWERINGS) is (op.kind in COMPUTED)
    assert (op in lookup.LOWERINGS) is (op.kind is Kind.LOOKUP)


def test_supported_follows_from_the_tables(monkeypatch):
    assert [supported(op) for op in (Exp, Take, Broadcast, Softmax)] == [True, True, True, False]
    monkeypatch.delitem(LOWERINGS, Exp)
    monkeypatch.delitem(lookup.LOWERINGS, Take)
    assert [supported(op) for op in (Exp, Take, Broadcast)] == [False, False, True]


def test_an_operation_has_one_lowering():
    table = Lowerings()
    table.lowers(Exp, cheap=False)(lambda op, build, x: x)
    assert not table[Exp].cheap
    with pytest.raises(AssertionError, match="exp has a lowering"):
        table.lowers(Exp)(lambda op, build, x: x)


def test_what_is_kept_rather_than_computed_again():
    assert (is_cheap(Add()), is_costly(Add())) == (True, False)
    for costly in (Exp(), Sin(), RandomBits((3,), 0)):
        assert (is_cheap(costly), is_costly(costly)) == (False, True)
    for neither in (ReduceSum((0,)), Broadcast((3,), ())):
        assert (is_cheap(neither), is_costly(neither)) == (False, False)
