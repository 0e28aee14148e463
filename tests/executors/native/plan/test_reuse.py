"""Which values take the place of others: from nests made by hand."""

from thalweg.executors.native.plan.buffer import Buffer
from thalweg.executors.native.plan.nest import Access, Dim, Nest
from thalweg.executors.native.plan.reuse import WORTH_REUSING, written_over
from thalweg.graph.types import TensorType
from thalweg.ops import input_node
from thalweg.passes.fuse import Kernel

LARGE, SMALL = WORTH_REUSING // 4, 16


def temporary(label: str, count: int = LARGE, dtype: str = "float32") -> Buffer:
    return Buffer(label, "temporary", TensorType((count,), dtype), (1,))


def nest(reads: dict[Buffer, int], writes: Buffer, swept: bool = False) -> Nest:
    """A task over as many elements; of each buffer that it reads the first element."""
    (count,) = writes.type.shape
    node = input_node("x", (count,))
    loads = {(input_node(b.label, (count,)), (0,)): Access(b, at, (1,)) for b, at in reads.items()}
    kernel = Kernel((count,), (0,) if swept else (), None, (node,), (node,))
    done = {node: 1} if swept else {node: 0}
    return Nest(kernel, (Dim(count, swept),), loads, {node: Access(writes, 0, (1,))}, done=done)


def test_a_value_goes_over_the_one_that_it_is_computed_from():
    a, b, c = map(temporary, "abc")
    assert written_over([nest({}, a), nest({a: 0}, b), nest({b: 0}, c)], [0, 1, 2]) == {b: a, c: a}


def test_not_over_what_is_read_later():
    a, b, c = map(temporary, "abc")
    assert written_over([nest({}, a), nest({a: 0}, b), nest({a: 0, b: 0}, c)], [0, 1, 2]) == {c: a}


def test_not_over_what_another_task_of_the_stage_reads():
    a, b, c = map(temporary, "abc")
    assert written_over([nest({}, a), nest({a: 0}, b), nest({a: 0}, c)], [0, 1, 1]) == {}


def test_not_over_what_is_read_at_other_places():
    a, b = map(temporary, "ab")
    assert written_over([nest({}, a), nest({a: 1}, b)], [0, 1]) == {}


def test_not_over_what_has_to_be_read_again():
    a, b = map(temporary, "ab")
    assert written_over([nest({}, a), nest({a: 0}, b, swept=True)], [0, 1]) == {}


def test_only_large_values_of_one_kind():
    a, b = temporary("a", SMALL), temporary("b", SMALL)
    assert written_over([nest({}, a), nest({a: 0}, b)], [0, 1]) == {}
    a, b = temporary("a"), temporary("b", dtype="int32")
    assert written_over([nest({}, a), nest({a: 0}, b)], [0, 1]) == {}
    a = Buffer("a", "state", TensorType((LARGE,)), (1,))
    b = temporary("b")
    assert written_over([nest({a: 0}, b)], [0]) == {}
