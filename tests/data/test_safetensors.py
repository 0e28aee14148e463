"""data/safetensors.py: there and back, the reference implementation, and files made to do harm."""

import json
import os
import random
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thalweg.data import safetensors
from thalweg.errors import ArgumentError, DTypeError, FileFormatError, StorageError

DTYPES = ["?", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8"]


def assemble(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """A file by hand: the header as text, bytes, or an object for JSON; its true length unless told otherwise."""
    encoded = header if isinstance(header, bytes) else header.encode() if isinstance(header, str) else b""
    encoded = encoded or json.dumps(header).encode()
    return (len(encoded) if length is None else length).to_bytes(8, "little") + encoded + data


def entry(dtype: object = "U8", shape: object = (2,), offsets: object = (0, 2)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def read_bytes(path: Path, content: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    path.write_bytes(content)
    return safetensors.read(path)


def sample() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {f"array {dtype}": (rng.random((3, 5)) * 9).astype(dtype) for dtype in DTYPES}
    return arrays | {"scalar": np.array(2.5, np.float32), "empty": np.zeros((0, 4), np.int64), "wörter": np.arange(3)}


def assert_same(arrays: dict[str, np.ndarray], others: dict[str, np.ndarray]) -> None:
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name])
        assert (array.dtype, array.shape) == (others[name].dtype, others[name].shape)


def test_there_and_back(tmp_path):
    metadata = {"description": '{"layers": ["\\"", "\\n", "日本"]}', "": ""}
    safetensors.write(tmp_path / "a", sample(), metadata)
    arrays, read_metadata = safetensors.read(tmp_path / "a")
    assert_same({name: np.asarray(array) for name, array in sample().items()}, arrays)
    assert read_metadata == metadata


def test_arrays_that_are_not_contiguous_or_big_endian(tmp_path):
    array = np.arange(24, dtype=">f4").reshape(2, 3, 4)
    safetensors.write(tmp_path / "a", {"t": array.T, "s": array[:, ::2]}, {})
    arrays, _ = safetensors.read(tmp_path / "a")
    np.testing.assert_array_equal(arrays["t"], array.T)
    np.testing.assert_array_equal(arrays["s"], array[:, ::2])
    assert arrays["t"].dtype == np.dtype("<f4")


def test_nothing_at_all(tmp_path):
    safetensors.write(tmp_path / "a", {}, {})
    assert safetensors.read(tmp_path / "a") == ({}, {})


def test_values_are_kept_bit_by_bit(tmp_path):
    bits = np.array([0x7FC00001, 0x80000000, 0x7F800000, 0x00000001], np.uint32)  # a NaN with payload, -0.0, inf
    safetensors.write(tmp_path / "a", {"x": bits.view(np.float32)}, {})
    np.testing.assert_array_equal(safetensors.read(tmp_path / "a")[0]["x"].view(np.uint32), bits)


def test_the_bytes_are_those_of_the_format(tmp_path):
    safetensors.write(tmp_path / "a", {"b": np.array([1], "<u2"), "a": np.array([2.0], "<f4")}, {"k": "v"})
    sums = {
        "a": zlib.crc32(b"a\nF32\n[1]\n\x00\x00\x00\x40"),
        "b": zlib.crc32(b"b\nU16\n[1]\n\x01\x00"),
        "__metadata__": zlib.crc32(b'{"k": "v"}'),
    }
    checksums = json.dumps(json.dumps({name: f"{value:08x}" for name, value in sums.items()}, separators=(",", ":")))
    header = (
        f'{{"__metadata__":{{"crc32":{checksums},"k":"v"}},"a":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}},'
        '"b":{"dtype":"U16","shape":[1],"data_offsets":[4,6]}}'
    ).encode()
    header += b" " * (-len(header) % 8)
    assert (tmp_path / "a").read_bytes() == assemble(header, b"\x00\x00\x00\x40\x01\x00")


def test_the_same_content_gives_the_same_bytes(tmp_path):
    arrays = sample()
    safetensors.write(tmp_path / "a", arrays, {"x": "1", "y": "2"})
    safetensors.write(tmp_path / "b", dict(reversed(arrays.items())), {"y": "2", "x": "1"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_arrays_are_aligned_writable_and_their_own(tmp_path):
    safetensors.write(tmp_path / "a", sample(), {})
    for array in safetensors.read(tmp_path / "a")[0].values():
        assert array.flags.aligned
        assert array.flags.writeable
        assert array.flags.owndata


@pytest.mark.needs("safetensors")
def test_the_reference_implementation_reads_it_and_is_read(tmp_path):
    import safetensors as reference
    from safetensors.numpy import load_file, save_file

    arrays = {name: np.asarray(array) for name, array in sample().items()}
    safetensors.write(tmp_path / "ours", arrays, {"format": "np"})
    assert_same(arrays, load_file(tmp_path / "ours"))
    with reference.safe_open(tmp_path / "ours", framework="np") as file:
        assert file.metadata().keys() == {"format", "crc32"}
    save_file(arrays, tmp_path / "theirs", metadata={"format": "np"})
    read, metadata = safetensors.read(tmp_path / "theirs")
    assert_same(arrays, read)
    assert metadata == {"format": "np"}


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.array([object()]), DTypeError),
        (np.array(["a"]), DTypeError),
        (np.array([1j]), DTypeError),
        (np.zeros(1, [("a", "f4")]), DTypeError),
    ],
)
def test_a_dtype_without_a_name_in_the_format_is_refused(tmp_path, array, kind):
    with pytest.raises(kind, match="'x' cannot be stored"):
        safetensors.write(tmp_path / "a", {"x": array}, {})
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("arrays", "metadata"),
    [
        ({"__metadata__": np.zeros(1)}, {}),
        ({3: np.zeros(1)}, {}),
        ({}, {"epoch": 3}),
        ({}, {3: "epoch"}),
        ({}, {"crc32": "00"}),
    ],
)
def test_names_and_metadata_that_the_format_cannot_hold(tmp_path, arrays, metadata):
    with pytest.raises(ArgumentError):
        safetensors.write(tmp_path / "a", arrays, metadata)
    assert not (tmp_path / "a").exists()


def test_storage_errors(tmp_path):
    with pytest.raises(StorageError, match="cannot write"):
        safetensors.write(tmp_path / "missing" / "a", {"x": np.zeros(1)}, {})
    with pytest.raises(StorageError, match="cannot read"):
        safetensors.read(tmp_path / "missing")
    with pytest.raises(StorageError, match="cannot read"):
        safetensors.read(tmp_path)


def test_members_and_arrays_in_any_order_and_with_spaces(tmp_path):
    header = ' \n{"b":{"shape":[1], "data_offsets" : [2,3],"dtype":"U8"},\t"a":{"dtype":"U8","data_offsets":[0,2],'
    header = header.lstrip() + '"shape":[ 2 ]}}  '
    arrays, _ = read_bytes(tmp_path / "a", assemble(header, b"\x01\x02\x03"))
    assert {name: array.tolist() for name, array in arrays.items()} == {"a": [1, 2], "b": [3]}
    assert list(arrays) == ["a", "b"]


GOOD = json.dumps(entry())
MALFORMED = {
    "nothing": b"",
    "half a length": b"\x00\x00\x00",
    "no header": assemble(b" ", length=0)[:8],
    "a header longer than the file": assemble({}, length=100),
    "a header of 2**64 - 1 bytes": assemble({}, length=2**64 - 1),
    "a header above the format's limit": assemble({}, length=safetensors.MAX_HEADER_BYTES + 1),
    "no UTF-8": assemble(b'{"\xff": 1}'),
    "a list": assemble("[]"),
    "a number": assemble("1"),
    "a space first": assemble(" {}"),
    "two objects": assemble("{}{}"),
    "a zero byte after it": assemble(b"{}\x00"),
    "no closing brace": assemble('{"a":' + GOOD),
    "a comma too many": assemble('{"a":' + GOOD + ",}", b"ab"),
    "no comma": assemble('{"a":' + GOOD + '"b":' + GOOD + "}", b"ab"),
    "a name twice": assemble('{"a":' + GOOD + ',"a":' + GOOD + "}", b"ab"),
    "a key twice": assemble('{"a":{"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2]}}', b"ab"),
    "a key too many": assemble({"a": entry() | {"more": []}}, b"ab"),
    "no dtype": assemble({"a": {"shape": [2], "data_offsets": [0, 2]}}, b"ab"),
    "an unknown dtype": assemble({"a": entry(dtype="BF16", shape=[1])}, b"ab"),
    "a dtype that is NumPy's": assemble({"a": entry(dtype="O", shape=[1])}, b"ab"),
    "a dtype that is no string": assemble({"a": entry(dtype=3)}, b"ab"),
    "a negative size": assemble({"a": entry(shape=[-2])}, b"ab"),
    "two negative sizes": assemble({"a": entry(shape=[-2, -1])}, b"ab"),
    "a size that is a float": assemble({"a": entry(shape=[2.0])}, b"ab"),
    "a size with an exponent": assemble('{"a":{"dtype":"U8","shape":[2e0],"data_offsets":[0,2]}}', b"ab"),
    "a size with a leading 0": assemble('{"a":{"dtype":"U8","shape":[02],"data_offsets":[0,2]}}', b"ab"),
    "a size that is true": assemble({"a": entry(shape=[True, 2])}, b"ab"),
    "a size that is NaN": assemble({"a": entry(shape=[float("nan")])}, b"ab"),
    "a size of 10,000 digits": assemble('{"a":{"dtype":"U8","shape":[' + "9" * 10_000 + '],"data_offsets":[0,2]}}'),
    "sizes whose product is 2**64 + 2": assemble({"a": entry(shape=[2, 2**63 + 1])}, b"ab"),
    "sizes whose product is 0 in 64 bits": assemble({"a": entry(shape=[2**32, 2**32], offsets=[0, 0])}),
    "a size above 2**63 beside a 0": assemble({"a": entry(shape=[0, 2**63], offsets=[0, 0])}),
    "65 dimensions": assemble({"a": entry(shape=[1] * 64 + [2])}, b"ab"),
    "2,000 dimensions": assemble({"a": entry(shape=[1] * 2000 + [2])}, b"ab"),
    "one offset": assemble({"a": entry(offsets=[0])}, b"ab"),
    "three offsets": assemble({"a": entry(offsets=[0, 2, 2])}, b"ab"),
    "a negative offset": assemble({"a": entry(offsets=[-2, 0])}, b"ab"),
    "offsets in the wrong order": assemble({"a": entry(offsets=[2, 0])}, b"ab"),
    "too few bytes for the shape": assemble({"a": entry(offsets=[0, 1])}, b"a"),
    "too many bytes for the shape": assemble({"a": entry(offsets=[0, 3])}, b"abc"),
    "an array after the file's end": assemble({"a": entry(offsets=[0, 2])}, b"a"),
    "an array far after the file's end": assemble({"a": entry(shape=[2**40], offsets=[0, 2**40])}, b"a"),
    "a byte after the last array": assemble({"a": entry()}, b"abc"),
    "bytes without an array": assemble({}, b"a"),
    "a gap before": assemble({"a": entry(offsets=[1, 3])}, b"abc"),
    "a gap between": assemble({"a": entry(), "b": entry(offsets=[3, 5])}, b"abcde"),
    "arrays that overlap": assemble({"a": entry(), "b": entry(offsets=[1, 3])}, b"abc"),
    "arrays at one place": assemble({"a": entry(), "b": entry()}, b"ab"),
    "a bool that is 2": assemble({"a": entry(dtype="BOOL")}, b"\x01\x02"),
    "metadata that is no object": assemble({"__metadata__": []}),
    "metadata that is no string": assemble({"__metadata__": {"a": 1}}),
    "metadata that is nested": assemble({"__metadata__": {"a": {}}}),
    "metadata twice": assemble('{"__metadata__":{},"__metadata__":{}}'),
    "half a surrogate pair": assemble('{"__metadata__":{"a":"\\ud800"}}'),
    "a line break in a string": assemble('{"__metadata__":{"a":"\n"}}'),
    "a string without end": assemble('{"__metadata__":{"a":"'),
    "deep nesting of lists": assemble('{"a":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "deep nesting of objects": assemble('{"a":' * 100_000 + "1" + "}" * 100_000),
    "a pickle": b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "a zip": b"PK\x03\x04" + bytes(40),
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "hostile.safetensors"
    with pytest.raises(FileFormatError, match=r"hostile\.safetensors") as caught:
        read_bytes(path, content)
    assert len(str(caught.value)) < 1000, "an error must not print a hostile header"


@pytest.mark.parametrize(
    "name", ["an unknown dtype", "too few bytes for the shape", "a gap before", "a bool that is 2"]
)
def test_the_error_names_the_array(tmp_path, name):
    with pytest.raises(FileFormatError, match="array 'a'"):
        read_bytes(tmp_path / "f", MALFORMED[name])


BOMBS = {
    "an array of 2**40 bytes": assemble({"a": entry(shape=[2**40], offsets=[0, 2**40])}, b"a"),
    "a header of 100 MB": assemble({}, length=safetensors.MAX_HEADER_BYTES),
    "lists": assemble('{"a":[' + "[]," * 500_000 + "[]]}"),
    "objects": assemble('{"__metadata__":{' + ",".join(f'"{i}":{{}}' for i in range(100_000)) + "}}"),
    "sizes": assemble('{"a":{"dtype":"U8","shape":[' + "0," * 500_000 + '0],"data_offsets":[0,0]}}'),
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS.keys())
def test_no_file_makes_the_reader_take_more_than_its_own_size(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError):
            safetensors.read(tmp_path / "a")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(content) + 200_000  # the header's bytes, its text, and what was built until the refusal


def test_too_many_arrays_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(safetensors, "MAX_TENSORS", 3)
    arrays = {str(number): np.zeros(0) for number in range(4)}
    with pytest.raises(ArgumentError, match="too much to describe"):
        safetensors.write(tmp_path / "a", arrays, {})
    header = {name: entry(shape=[0], offsets=[0, 0]) for name in arrays}
    with pytest.raises(FileFormatError, match="at most 3 arrays"):
        read_bytes(tmp_path / "a", assemble(header))


def small_file(directory: Path) -> bytes:
    arrays = {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "mask": np.array([True, False])}
    safetensors.write(directory / "small", arrays, {"epoch": "3"})
    return (directory / "small").read_bytes()


def check_survives(path: Path, content: bytes) -> bool:
    """Whether the content is read; if not, it must have been refused as a malformed file."""
    try:
        arrays, metadata = read_bytes(path, content)
    except FileFormatError:
        return False
    assert sum(array.nbytes for array in arrays.values()) <= len(content)
    assert all(isinstance(text, str) for text in metadata.values())
    return True


def test_every_truncation_is_refused(tmp_path):
    content = small_file(tmp_path)
    assert check_survives(tmp_path / "f", content)
    for length in range(len(content)):
        assert not check_survives(tmp_path / "f", content[:length])


def test_no_flipped_bit_goes_unseen(tmp_path):
    content = small_file(tmp_path)
    generator = random.Random(0)
    (name,) = (range(at, at + len("crc32")) for at in [content.index(b"crc32")])
    for _ in range(1500):
        damaged = bytearray(content)
        for _ in range(generator.choice([1, 1, 1, 2, 5])):
            damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
        named = bytes(damaged[name.start : name.stop]) == b"crc32"  # else there are no checksums
        assert not check_survives(tmp_path / "f", bytes(damaged)) or not named or damaged == content


@pytest.mark.parametrize("name", ["kernel", "mask"])
def test_a_damaged_array_is_named(tmp_path, name):
    content = bytearray(small_file(tmp_path))
    content[-1 if name == "mask" else -3] ^= 1
    with pytest.raises(FileFormatError, match=f"the array '{name}' is damaged") as caught:
        read_bytes(tmp_path / "f", bytes(content))
    assert caught.value.fix


def test_damaged_strings_are_found(tmp_path):
    content = small_file(tmp_path)
    with pytest.raises(FileFormatError, match="description is damaged"):
        read_bytes(tmp_path / "f", content.replace(b'"epoch":"3"', b'"epoch":"4"'))


def test_files_without_checksums_are_read(tmp_path):
    content = small_file(tmp_path)
    arrays, metadata = read_bytes(tmp_path / "f", content.replace(b'"crc32"', b'"crc33"'))
    assert arrays.keys() == {"kernel", "mask"}
    assert metadata["epoch"] == "3"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="cannot read"):
        safetensors.read(tmp_path / "pipe")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(header=st.recursive(st.none() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x)))
def test_any_json_gives_a_file_or_a_format_error(tmp_path, header):
    check_survives(tmp_path / "f", assemble(header))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    tensors=st.dictionaries(
        st.text(max_size=3),
        st.builds(
            entry,
            st.sampled_from(["U8", "F32", "BOOL"]),
            st.lists(st.integers(-1, 3), max_size=3),
            st.lists(st.integers(-1, 8), min_size=2, max_size=2),
        ),
        max_size=3,
    ),
    data=st.binary(max_size=8),
)
def test_any_tensors_give_a_file_or_a_format_error(tmp_path, tensors, data):
    check_survives(tmp_path / "f", assemble(tensors, data))


def test_the_old_file_survives_when_writing_fails(tmp_path, monkeypatch):
    content = small_file(tmp_path)

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="No space left on device"):
        safetensors.write(tmp_path / "small", {"x": np.zeros(3)}, {})
    assert (tmp_path / "small").read_bytes() == content
    assert os.listdir(tmp_path) == ["small"]
