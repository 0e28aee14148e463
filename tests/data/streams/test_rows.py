"""Rows of files: orders that are of the seed and the pass alone, and go on from any place."""

import io

import numpy as np
import pytest
from tests import nets

from thalweg import errors, streams
from thalweg.data.source import Place, Rows, Turn
from thalweg.data.streams.blocks import BlockRows, Column, Raw
from thalweg.data.streams.reading import Reader

X, Y = nets.points(90)
Y = Y.astype(np.int32)


class Numbers(Raw):
    """A file of which row i is the number i."""

    def __init__(self):
        super().__init__(io.BytesIO(), 0, 1000, (), np.dtype(np.int64))

    def read(self, first, into):
        into[:] = np.arange(first, first + len(into))


def rows_of(run=1, block=1000, shuffle="full"):
    rows = BlockRows("test", Column([Numbers()]), 1000, shuffle)
    rows.run = run
    rows.block = block if shuffle == "full" else shuffle
    return rows


def order(rows, turn, start=0, batch=7):
    """As steps get the rows."""
    reader = Reader(rows.read(turn, Place(start), batch), 0, batch, None, lambda x: Rows({"x": x}), "test")
    got = [chunk.arrays["x"][chunk.index] for chunk in reader.chunks()]
    assert all(len(x) % batch == 0 for x in got[:-1])
    return np.concatenate([np.zeros(0, int), *got]).tolist()


KINDS = [
    {},
    {"run": 10, "block": 100},
    {"run": 10, "block": 10},
    {"run": 33, "block": 64},
    {"run": 3, "block": 5},
    {"shuffle": 50},
    {"shuffle": 3},
]


@pytest.mark.parametrize("options", KINDS)
def test_every_row_comes_once_and_the_order_is_of_seed_and_pass(options):
    rows = rows_of(**options)
    one = order(rows, Turn(1, 0, 5, True))
    assert sorted(one) == list(range(1000))
    assert one == order(rows_of(**options), Turn(1, 3, 5, True), batch=64)
    assert one != order(rows, Turn(2, 0, 5, True))
    assert one != order(rows, Turn(1, 0, 6, True))
    assert order(rows, Turn(1, 0, 5, False)) == list(range(1000))


@pytest.mark.parametrize("options", KINDS)
@pytest.mark.parametrize("start", [1, 99, 100, 640, 999, 1000])
def test_a_pass_goes_on_from_any_place(options, start):
    turn = Turn(1, 0, 5, True)
    assert order(rows_of(**options), turn, start) == order(rows_of(**options), turn)[start:]


def test_a_full_shuffle_by_chunks_mixes_all():
    rows = np.array(order(rows_of(run=10, block=100), Turn(0, 0, 1, True)))
    neighbours = np.abs(np.diff(rows)) < 10
    assert neighbours.mean() < 0.2
    assert rows[:100].std() > 200


def test_a_buffer_mixes_rows_that_follow_each_other():
    rows = np.array(order(rows_of(shuffle=50), Turn(0, 0, 1, True)))
    assert (rows[:50] < 50).all()
    assert rows[:50].tolist() != list(range(50))


def test_no_more_rows_than_wanted():
    rows = rows_of(run=10, block=100)
    reader = Reader(rows.read(Turn(), Place(), 7), 0, 7, 210, lambda x: Rows({"x": x}), "test")
    got = np.concatenate([chunk.arrays["x"][chunk.index] for chunk in reader.chunks()])
    assert got.tolist() == list(range(210))


@pytest.fixture
def shards(tmp_path):
    for part, first in enumerate(range(0, 90, 40)):
        np.save(tmp_path / f"x-{part}.npy", X[first : first + 40])
        np.save(tmp_path / f"y-{part}.npy", Y[first : first + 40])
    return tmp_path


@pytest.mark.parametrize("shuffle", ["full", 30])
def test_numpy_files_train_as_arrays_do(shards, shuffle):
    data = streams.NumpyFiles(shards / "x-*.npy", shards / "y-*.npy", shuffle=shuffle)
    one, other, mixed, again = (nets.classifier(dropout=0.2) for _ in range(4))
    options = {"batch_size": 16, "epochs": 2, "verbose": 0}
    one.fit(X, Y, shuffle=False, **options)
    other.fit(data, shuffle=False, **options)
    assert nets.same_bits(one, other)
    mixed.fit(data, **options)
    again.fit(data, **options)
    assert nets.same_bits(mixed, again)
    assert not nets.same_bits(mixed, one)
    assert one.evaluate(data, verbose=0) == one.evaluate(X, Y, verbose=0)
    np.testing.assert_array_equal(one.predict(data, verbose=0), one.predict(X, verbose=0))
    assert data.fingerprint()["rows"] == 90


def test_steps_count_batches_of_files_too(shards):
    data = streams.NumpyFiles(shards / "x-*.npy", shards / "y-*.npy")
    model = nets.classifier()
    some = {"steps": 2, "batch_size": 16, "verbose": 0}
    assert model.evaluate(data, **some) == model.evaluate(X[:32], Y[:32], verbose=0)
    np.testing.assert_array_equal(model.predict(data, **some), model.predict(X[:32], verbose=0))
    assert len(model.predict(data, steps=2, verbose=0)) == 64
    assert len(model.predict(data, steps=9, verbose=0)) == 90
    held = {"validation_batch_size": 16, "validation_steps": 2, "verbose": 0}
    history = model.fit(X, Y, validation_data=data, **held).history
    assert history["val_loss"] == [model.evaluate(X[:32], Y[:32], verbose=0)[0]]


def test_weights_are_not_taken_for_targets(shards):
    """As of arrays, whose targets are missing."""
    np.save(shards / "weights.npy", np.ones(90, np.int32))
    data = streams.NumpyFiles(shards / "x-*.npy", sample_weight=shards / "weights.npy")
    model = nets.classifier()
    with pytest.raises(errors.DataError, match="no targets"):
        model.evaluate(data, verbose=0)
    np.testing.assert_array_equal(model.predict(data, verbose=0), model.predict(X, verbose=0))
    table = streams.TableFile(made_table(shards / "t.csv"), columns=["a", "b", "c", "d"], sample_weight="d")
    with pytest.raises(errors.DataError, match="no targets"):
        model.evaluate(table, verbose=0)
    with pytest.raises(errors.DataError, match=r"no column of 't\.csv' is left"):
        streams.TableFile(shards / "t.csv", "a", columns=[])


def test_numpy_files_that_do_not_fit(shards, tmp_path):
    with pytest.raises(errors.StorageError):
        streams.NumpyFiles(shards / "z-*.npy")
    with pytest.raises(errors.StorageError):
        streams.NumpyFiles(shards / "z.npy")
    np.save(shards / "x-9.npy", X[:, :2])
    with pytest.raises(errors.ShapeError, match="rows of one kind"):
        streams.NumpyFiles(shards / "x-*.npy")
    with pytest.raises(errors.ShapeError, match="equally many rows") as caught:
        streams.NumpyFiles(shards / "x-0.npy", shards / "y-*.npy")
    assert caught.value.got == "x: 40, y: 90"
    (shards / "bad.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(errors.FileFormatError, match="cannot be read"):
        streams.NumpyFiles(shards / "bad.npy")
    np.save(shards / "objects.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(errors.FileFormatError, match="cannot be read"):
        streams.NumpyFiles(shards / "objects.npy")
    np.save(shards / "columns.npy", np.asfortranarray(X))
    with pytest.raises(errors.FileFormatError, match="one after the other"):
        streams.NumpyFiles(shards / "columns.npy")
    data = streams.NumpyFiles(shards / "x-0.npy")
    with open(shards / "x-0.npy", "r+b") as file:
        file.truncate(200)
    with pytest.raises(errors.DataError, match="has become shorter"):
        nets.classifier().predict(data, verbose=0)


def made_table(path, missing=False):
    rows = [[*map(repr, x.tolist()), "yn"[int(y == 0)]] for x, y in zip(X.astype(np.float64), Y, strict=True)]
    if missing:
        rows[40][1] = ""
    path.write_text("\n".join(["a,b,c,d,kind", *map(",".join, rows)]) + "\n")
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_trains_as_arrays_do(tmp_path, kind):
    import duckdb

    file = made_table(tmp_path / "t.csv")
    if kind == "parquet":
        duckdb.sql(f"copy (from '{file}') to '{tmp_path}/t.parquet' (row_group_size 2048)")
        file = tmp_path / "t.parquet"
    data = streams.TableFile(file, "kind", classes=["n", "y"])
    one, other = (nets.classifier(dropout=0.2) for _ in range(2))
    options = {"batch_size": 16, "epochs": 2, "verbose": 0, "shuffle": False}
    one.fit(X, (Y == 0).astype(int) ^ 1, **options)
    other.fit(data, **options)
    assert nets.same_bits(one, other)
    only = streams.TableFile(file, columns=["a", "c"])
    assert only.count == 90
    np.testing.assert_array_equal(only.first()[0], X[:32, [0, 2]])


def test_tables_that_do_not_fit(tmp_path):
    file = made_table(tmp_path / "t.csv", missing=True)
    with pytest.raises(errors.NameNotFoundError):
        streams.TableFile(file, "kinds")
    with pytest.raises(errors.ThalwegError, match="kind"):
        streams.TableFile(file, "kind")
    with pytest.raises(errors.DTypeError, match="is no number"):
        streams.TableFile(file, "a")
    data = streams.TableFile(file, "kind", classes=["n", "y"])
    with pytest.raises(errors.DataError, match="not finite"):
        nets.classifier().fit(data, verbose=0)
    unknown = streams.TableFile(file, "kind", columns=["a", "c", "d", "a"], classes=["n"])
    with pytest.raises(errors.DataError, match="not what the loss is defined for"):
        nets.classifier().fit(unknown, verbose=0)
