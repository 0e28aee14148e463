"""The text that is written: numbers to the bit, integers that are known, functions in parts."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.executors.native.code.builder import Builder, Module, Value, literal
from thalweg.executors.native.host import AVX2, AVX512, NEON, SSE2


def float_of(text: str) -> float:
    """The double whose bits LLVM's hexadecimal numbers are."""
    number: float = struct.unpack("d", struct.pack("Q", int(text, 16)))[0]
    return number


@given(st.floats(width=32))
def test_float32_numbers_are_exact(value):
    assert struct.pack("f", float_of(literal(value, "float32"))) == struct.pack("f", value)


@given(st.floats())
def test_float64_numbers_are_exact(value):
    assert struct.pack("d", float_of(literal(value, "float64"))) == struct.pack("d", value)


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (True, "bool", "true"),
        (255, "uint8", "-1"),
        (2**32 - 1, "uint32", "-1"),
        (-(2**31), "int32", "-2147483648"),
        (7, "int64", "7"),
        (-0.0, "float32", "0x8000000000000000"),
    ],
)
def test_numbers_as_llvm_writes_them(value, dtype, text):
    assert literal(value, dtype) == text


def builder(host=AVX2, checked=False) -> Builder:
    return Builder(Module(host, checked), ["b0"], ["begin"])


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 1000))
def test_what_is_known_is_computed_now(x, y, by):
    build = builder()
    assert build.i_add(build.index(x), build.index(y)) == build.index(x + y)
    assert build.i_multiply(build.index(x), by) == build.index(x * by)
    assert build.i_divide(build.index(x), by) == (build.index(x // by), build.index(x % by))
    assert "add" not in build.text()


def test_what_changes_nothing_is_not_written():
    build = builder()
    begin = Value("%begin", "int64")
    assert build.i_add(begin, build.index(0)) == begin
    assert build.i_add(build.index(0), begin) == begin
    assert build.i_multiply(begin, 1) == begin
    assert build.i_multiply(begin, 0) == build.index(0)
    assert build.i_divide(begin, 1) == (begin, build.index(0))
    assert build.offset(build.parameter("b0"), 0, "float32") == build.parameter("b0")
    assert build.text().splitlines()[1:] == ["entry:", "  ret void", "}"]


def test_parameters_say_that_buffers_do_not_overlap_or_where_they_end():
    assert builder().text().startswith("(ptr noalias %b0, i64 %begin) ")
    assert builder(checked=True).text().startswith("(ptr %b0, ptr %b0.end, i64 %begin) ")
    table = Builder(Module(AVX2, True), ["table"], ["thread"], buffers=False)
    assert table.text().startswith("(ptr %table, i64 %thread) ")


@pytest.mark.parametrize(("host", "masked"), [(AVX512, True), (AVX2, True), (SSE2, False), (NEON, False)])
def test_part_of_a_vector_is_loaded_with_a_mask_or_as_a_shorter_one(host, masked):
    build = builder(host)
    lanes = host.lanes("float32")
    x = build.load(build.parameter("b0"), "float32", lanes, lanes - 1)
    assert x.lanes == lanes
    assert ("masked.load" in build.text()) is masked
    assert (f"<{lanes - 1} x float>" in build.text()) is not masked


def test_functions_with_the_same_text_are_one():
    module = Module(AVX2)
    names = {module.add("kernel", Builder(module, ["b0"])) for _ in range(3)}
    assert len(names) == 1
    assert module.add("kernel", Builder(module, ["b0", "b1"])) not in names
    assert module.part().text.count("define") == 2


def test_a_part_declares_what_stands_in_another():
    module = Module(AVX2)
    name = module.add("tile", Builder(module, ["b0"], ["row"]))
    first = module.part().text
    assert len(module) == 0
    caller = Builder(module, ["b0"])
    caller.call(name, [("%b0", "%b0.end")], [caller.index(3)])
    module.add("kernel", caller)
    second = module.part().text
    assert f"define hidden void {name}(ptr noalias %b0, i64 %row)" in first
    assert f"declare hidden void {name}(ptr, i64)" in second
    assert f"call void {name}(ptr %b0, i64 3)" in second
    assert "declare" not in first


def test_a_loop_carries_its_values():
    build = builder()
    (total,) = build.loop(
        build.index(0), build.index(5), 1, [build.index(0)], lambda i, carried: [build.i_add(carried[0], i)]
    )
    text = build.text()
    assert text.count("phi i64") == 2
    assert total.text in text
