"""Products in bfloat16: the same bits on every executor, with and without the instruction, on one thread and on two."""

import pytest
from tests.executors import random_bfloat16

PROGRAMS = 40


def test_products_in_bfloat16_have_the_same_bits(native_build):
    for seed in range(PROGRAMS):
        text = random_bfloat16.fault(native_build, seed)
        if text:
            pytest.fail(text, pytrace=False)
