"""What of a step is negligible."""

from collections.abc import Hashable

from hypothesis import given
from hypothesis import strategies as st

from thalweg.executors.native.plan.cost import NEGLIGIBLE, negligible


def test_the_cheapest_are_negligible():
    assert negligible({"a": 1.0, "b": 4e-4, "c": 5e-4, "d": 2e-4}) == {"b", "d"}
    assert negligible({"a": 1.0, "b": 1.0}) == frozenset()
    assert negligible({}) == frozenset()


@given(st.lists(st.floats(1e-9, 1e-2)))
def test_they_take_no_more_than_their_share(costs):
    seconds: dict[Hashable, float] = dict(enumerate(costs))
    some = negligible(seconds)
    assert sum(seconds[key] for key in some) <= NEGLIGIBLE * sum(costs) * (1 + 1e-9)
    assert all(seconds[key] <= seconds[other] for key in some for other in seconds if other not in some)
