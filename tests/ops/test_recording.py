"""What may stand for a tensor, and which functions take one."""

from thalweg import ops
from thalweg.ops import alone, control, creation
from thalweg.ops.recording import recordable, takes_tensors


def test_functions_that_make_tensors_of_nothing_are_not_recorded():
    without = {
        "constant",
        "filled",
        "input_node",
        "iota",
        "random_bits",
        "random_normal",
        "random_uniform",
        "state_node",
    }
    without |= {"literal", *alone.__all__, *control.__all__, *creation.__all__}
    without -= {"zeros_like", "ones_like", "full_like", "empty_like"}
    known = {entry.__name__ for _, entry in ops.registry.items()}
    assert set(ops.__all__) - known == without | {"registry"}


def test_takes_tensors():
    def several(xs: "tuple[ops.Node, ...]", axis: int): ...  # type: ignore[name-defined]
    def none(shape: tuple[int, ...], seed: "ops.Node"): ...  # type: ignore[name-defined]
    def nothing(): ...

    assert takes_tensors(several)
    assert not takes_tensors(none)
    assert not takes_tensors(nothing)


def test_a_function_is_recorded_by_one_function():
    assert recordable(takes_tensors) is recordable(takes_tensors)
