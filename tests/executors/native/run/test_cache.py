"""executors/native/run/cache.py: what is damaged counts as absent, what cannot be written as a notice."""

import itertools
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from tests import nets
from tests.test_architecture import IMPORTS, MODULES

import thalweg
from thalweg.data import atomic
from thalweg.errors import StorageError
from thalweg.executors.native import executor as native
from thalweg.executors.native.run import cache
from thalweg.graph.node import Graph
from thalweg.ops import input_node

SOURCE = Path(thalweg.__file__).parents[1]
GRAPH = Graph({"y": input_node("x", (5,)) * 3.0})


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty cache for each test."""
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "cache"))
    cache._notice.cache_clear()
    return tmp_path / "cache"


@pytest.fixture
def compilations(monkeypatch):
    """The graphs that had to be compiled."""
    graphs = []
    original = native._compiled

    def record(graph, *others):
        graphs.append(graph)
        return original(graph, *others)

    monkeypatch.setattr(native, "_compiled", record)
    return graphs


def tripled():
    """The result of GRAPH's program, from the cache if that can be."""
    y = np.zeros(5, np.float32)
    native.NativeExecutor().compile(GRAPH, gather=False).run({}, {"x": np.arange(5, dtype=np.float32)}, None, {"y": y})
    return y.tolist()


def test_what_is_kept_comes_back_and_is_not_compiled_again(folder, compilations):
    cache.save("name", b"content")
    assert cache.load("name") == b"content"
    assert cache.load("other") is None
    assert tripled() == tripled() == [0, 3, 6, 9, 12]
    assert len(compilations) == 1
    assert len(os.listdir(folder)) == 2


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:10],
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: flipped(content, 0),
        lambda content: flipped(content, 20),  # in the hash
        lambda content: flipped(content, len(content) // 2),
        lambda content: flipped(content, len(content) - 1),
        lambda content: bytes(len(content)),
    ],
    ids=["empty", "cut in its head", "cut", "longer", "first byte", "hash", "middle", "last byte", "zeros"],
)
def test_a_damaged_file_is_replaced(damage, folder, compilations):
    assert tripled() == [0, 3, 6, 9, 12]
    (path,) = folder.iterdir()
    sound = path.read_bytes()
    path.write_bytes(damage(sound))
    assert cache.load(path.name) is None
    assert tripled() == [0, 3, 6, 9, 12]
    assert len(compilations) == 2
    assert path.read_bytes() == sound


def test_a_folder_in_a_files_place(folder):
    tripled()
    (path,) = folder.iterdir()
    path.unlink()
    path.mkdir()
    with pytest.warns(cache.CacheNotice):
        assert tripled() == [0, 3, 6, 9, 12]


def refuse(path, chunks, durable=True):
    raise StorageError("cannot write", expected="space", got="No space left on device", fix="make space")


def cannot_make(folder, monkeypatch):
    folder.write_bytes(b"a file where the folder should be")


def cannot_write(folder, monkeypatch):
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):  # the superuser may always write
        monkeypatch.setattr(atomic, "write", refuse)


def disk_full(folder, monkeypatch):
    monkeypatch.setattr(atomic, "write", refuse)


@pytest.mark.parametrize("obstacle", [cannot_make, cannot_write, disk_full])
def test_a_cache_that_cannot_be_written_gives_one_notice_and_trains_on(obstacle, folder, monkeypatch):
    obstacle(folder, monkeypatch)
    monkeypatch.setenv("THALWEG_EXECUTOR", "native")
    x, y = nets.points()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            model = nets.classifier()
            history = model.fit(x, y, epochs=2, verbose=0)
            model.predict(x, verbose=0)
    notices = [str(w.message) for w in caught if w.category is cache.CacheNotice]
    assert len(notices) == 1
    assert cache.ENVIRONMENT in notices[0]
    assert str(folder) in notices[0]
    assert history.history["loss"][1] < history.history["loss"][0]


def test_what_was_not_used_for_longest_goes_first(folder, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT_BYTES", 3500)
    monkeypatch.setattr(cache, "_saves", itertools.count(1))  # so that none of these saves prunes
    for i in range(5):
        cache.save(f"file {i}", bytes(900))
        os.utime(folder / f"file {i}", (i, i))
    cache.load("file 0")  # is the newest now
    cache.prune(folder)
    assert sorted(os.listdir(folder)) == ["file 0", "file 3", "file 4"]


def test_another_generator_has_other_names(monkeypatch):
    before = cache.key("graph", "options")
    assert cache.key("graph", "options") == before
    assert len({before, cache.key("grap", "hoptions"), cache.key("graph"), cache.key("graph", "option")}) == 4
    monkeypatch.setattr(cache, "generator_digest", lambda: b"another")
    assert cache.key("graph", "options") != before


GROUND = {"checks", "errors", "fields", "registry", "spelling"}
"""What the code generator imports, and what says nothing about the code that it makes."""


def test_the_key_covers_every_module_that_takes_part_in_making_code():
    """Read from the imports of whatever plans and writes code, of what they import, and so on."""
    waiting = [name for name in MODULES if name.startswith("thalweg.executors.native.")]
    reached = set()
    while waiting:
        module = waiting.pop()
        if module not in reached and module.split(".")[1] not in GROUND:
            reached.add(module)
            waiting += IMPORTS[module] - {"thalweg"}
    needed = {MODULES[module] for module in reached if module.split(".")[1] not in {"data"}}  # writes the files
    assert needed - set(cache.generator_sources(SOURCE / "thalweg")) == set()


def test_a_module_in_a_new_folder_changes_the_names(tmp_path):
    for name in ("executors/native/code/a.py", "ops/b.py", "passes/deep/er/c.py", "model/d.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    found = {path.relative_to(tmp_path).as_posix() for path in cache.generator_sources(tmp_path)}
    assert found == {"executors/native/code/a.py", "ops/b.py", "passes/deep/er/c.py"}


WRITER = """
import sys
from tests import nets
from tests.test_architecture import IMPORTS, MODULES
x, y = nets.points()
for hidden in range(3):
    model = nets.classifier(dropout=hidden / 10)
    model.fit(x, y, epochs=2, verbose=0)
    sys.stdout.write(" ".join(w.tobytes().hex() for w in model.get_weights()))
"""


def test_processes_that_write_the_same_files_at_once(folder):
    root = Path(__file__).parents[4]
    environment = {
        **os.environ,
        "THALWEG_EXECUTOR": "native",
        "PYTHONPATH": os.pathsep.join([str(SOURCE), str(root)]),
        "PYTHONWARNINGS": "error",
    }
    command = [sys.executable, "-c", WRITER]
    writers = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)
    ]
    results = [writer.communicate(timeout=600) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], results
    assert results[0][0] == results[1][0] == results[2][0]
    files = [path.name for path in folder.iterdir()]
    assert len(files) == 3
    assert all(cache.load(name) for name in files)
