"""One arena: values that live at the same time never overlap, and little room is wasted."""

from hypothesis import given
from hypothesis import strategies as st

from thalweg.passes.memory import ALIGNMENT, Lifetime, assign

LIVES = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 6), st.integers(0, 5000)).map(
        lambda t: Lifetime(t[0], t[0] + t[1], t[2])
    ),
    max_size=30,
)


@given(LIVES)
def test_values_that_live_together_do_not_overlap(lives):
    offsets, total = assign(lives)
    for i, a in enumerate(lives):
        assert offsets[i] % ALIGNMENT == 0
        assert offsets[i] + a.size <= total
        for j, b in enumerate(lives[:i]):
            together = a.first <= b.last and b.first <= a.last
            apart = offsets[i] + a.size <= offsets[j] or offsets[j] + b.size <= offsets[i]
            assert apart or not together or not a.size or not b.size


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=20))
def test_values_of_different_times_share_memory(sizes):
    lives = [Lifetime(2 * i, 2 * i + 1, n) for i, n in enumerate(sizes)]
    _, total = assign(lives)
    assert total == -(-max(sizes) // ALIGNMENT) * ALIGNMENT
