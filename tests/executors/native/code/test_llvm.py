"""Compiling: parts at the same time as one after the other, and what is no code."""

import pytest
from tests.executors import random_programs

from thalweg.executors.native.code.llvm import Part, compile_assembly, compile_object, compile_parts
from thalweg.executors.native.code.step import generate, target
from thalweg.executors.native.host import AVX2
from thalweg.executors.native.machine import this_host
from thalweg.executors.native.plan.plan import make_plan

PROGRAMS = range(6)


def parts_of(seed: int) -> list[Part]:
    plan = make_plan(random_programs.make(seed).graph, target(this_host()), gather=False)
    return list(generate(plan, this_host(), checked=False, part_characters=3000))


def test_parts_are_compiled_as_each_by_itself():
    for seed in PROGRAMS:
        parts = parts_of(seed)
        together = compile_parts(iter(parts), this_host())
        assert together == [compile_object(part, this_host()) for part in parts]


def test_parts_are_compiled_while_the_next_ones_are_written():
    written = []

    def slowly():
        for part in parts_of(2):
            written.append(part)
            yield part

    objects = compile_parts(slowly(), this_host())
    assert len(objects) == len(written)


def test_the_same_program_in_one_part_and_in_many():
    """The same functions, whatever part they stand in."""
    plan = make_plan(random_programs.make(3).graph, target(AVX2), gather=False)
    whole = list(generate(plan, AVX2, checked=False, part_characters=10**9))
    parts = list(generate(plan, AVX2, checked=False, part_characters=1))

    def functions(text: str) -> list[str]:
        return sorted("define" + function.split("\n}\n")[0] for function in text.split("define")[1:])

    assert [part.optimized for part in whole] == [True, False]
    in_many, in_one = (sorted(f for part in some for f in functions(part.text)) for some in (parts, whole))
    assert in_many == in_one


@pytest.mark.parametrize("text", ["no code", "define void @f() {\n  ret i32 0\n}\n"])
def test_what_is_no_code_is_refused(text):
    with pytest.raises(RuntimeError):
        compile_object(Part(text), this_host())
    with pytest.raises(RuntimeError):
        compile_parts([Part(text)], this_host())


def test_assembly_names_the_functions():
    assert "kernel.0" in compile_assembly(parts_of(0)[0], this_host())
