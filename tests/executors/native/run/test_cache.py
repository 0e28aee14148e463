"""executors/native/run/cache.py: what is damaged counts as absent, what cannot be written as a notice.

The table in docs/files.md, "Compiled code", names the test for each of its lines.
"""

import itertools
import os
import re
import stat
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
    monkeypatch.setattr(cache, "_user_folder", lambda: tmp_path / "home")
    cache._notice.cache_clear()
    return tmp_path / "cache/thalweg/compiled"


def name(number):
    """What an entry might be called."""
    return f"{number:064x}"


def path(folder, number):
    return folder / f"{number:064x}.code"


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
    cache.save(name(1), b"content")
    assert cache.load(name(1)) == b"content"
    assert cache.load(name(2)) is None
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
    (entry,) = folder.iterdir()
    sound = entry.read_bytes()
    entry.write_bytes(damage(sound))
    assert cache.load(entry.stem) is None
    assert tripled() == [0, 3, 6, 9, 12]
    assert len(compilations) == 2
    assert entry.read_bytes() == sound


@pytest.mark.parametrize("content", [b"", b"short", bytes(24), bytes(24) + b"\xff" * 8 + b"code"])
def test_a_sealed_entry_that_holds_no_program_is_replaced(content, folder, compilations):
    tripled()
    (entry,) = folder.iterdir()
    cache.save(entry.stem, content)
    assert tripled() == [0, 3, 6, 9, 12]
    assert len(compilations) == 2


def test_an_entry_that_is_too_large_is_not_read(folder, monkeypatch):
    cache.save(name(1), bytes(1000))
    monkeypatch.setattr(cache, "LIMIT_BYTES", 500)
    assert cache.load(name(1)) is None


def test_a_folder_in_a_files_place(folder):
    tripled()
    (entry,) = folder.iterdir()
    entry.unlink()
    entry.mkdir()
    with pytest.warns(cache.CacheNotice):
        assert tripled() == [0, 3, 6, 9, 12]


def refuse(path, chunks):
    raise StorageError("cannot write", expected="space", got="No space left on device", fix="make space")


def cannot_make(folder, monkeypatch):
    folder.parent.mkdir(parents=True)
    folder.write_bytes(b"a file where the folder should be")


def cannot_write(folder, monkeypatch):
    folder.mkdir(mode=0o500, parents=True)
    if os.access(folder, os.W_OK):  # the superuser may always write
        monkeypatch.setattr(atomic, "write_own", refuse)


def disk_full(folder, monkeypatch):
    monkeypatch.setattr(atomic, "write_own", refuse)


def no_home(folder, monkeypatch):
    monkeypatch.delenv(cache.ENVIRONMENT)
    monkeypatch.setattr(cache, "_user_folder", lambda: None)


@pytest.mark.parametrize("obstacle", [cannot_make, cannot_write, disk_full, no_home])
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
    (notice,) = (str(w.message) for w in caught if w.category is cache.CacheNotice)
    assert cache.ENVIRONMENT in notice
    assert (str(folder) in notice) is (obstacle is not no_home)
    assert history.history["loss"][1] < history.history["loss"][0]


def test_a_folder_that_may_only_be_read_is_read(folder, monkeypatch):
    cache.save(name(1), b"content")
    folder.chmod(0o500)
    monkeypatch.setattr(atomic, "write_own", refuse)
    assert cache.load(name(1)) == b"content"


def test_what_was_not_used_for_longest_goes_first(folder, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT_BYTES", 3500)
    monkeypatch.setattr(cache, "_saves", itertools.count(1))  # so that none of these saves prunes
    for i in range(5):
        cache.save(name(i), bytes(900))
        os.utime(path(folder, i), (i, i))
    cache.load(name(0))  # is the newest now
    cache.prune(folder)
    assert set(folder.iterdir()) == {path(folder, i) for i in (0, 3, 4)}


def test_only_entries_are_ever_removed(tmp_path, folder, monkeypatch):
    """Other people's files: in the folder that was named, and should they get there, in the one inside of it."""
    cache.save(name(1), b"content")
    others = ["photos.tar", "notes.txt", name(2), f"{name(3)}.CODE", f".{name(3)}.tmp"]
    for place in (folder, tmp_path / "cache"):
        for other in others:
            (place / other).write_bytes(bytes(1000))
    (folder / "inner").mkdir()
    path(folder, 4).symlink_to(tmp_path / "cache/photos.tar")
    monkeypatch.setattr(cache, "LIMIT_BYTES", 0)
    cache.prune(folder)
    assert {entry.name for entry in folder.iterdir()} == {*others, "inner", path(folder, 4).name}
    assert {entry.name for entry in (tmp_path / "cache").iterdir()} == {*others, "thalweg"}


def test_what_a_killed_process_left_is_removed(folder):
    cache.save(name(1), b"content")
    left = folder / f".{name(2)[:50]}.0123456789ab.tmp"
    left.write_bytes(b"half of")
    cache.prune(folder)
    assert not left.exists()


# --- who may write ---------------------------------------------------------------------------------------------------

posix = pytest.mark.skipif(os.name == "nt", reason="owners, modes, links and FIFOs as on POSIX")


def distrusted():
    """What is said when an entry is to be kept, and only once; nothing is read."""
    assert cache.load(name(1)) is None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            cache.save(name(1), b"new")
    (notice,) = caught
    assert notice.category is cache.CacheNotice
    return str(notice.message)


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_folder_that_others_may_write_is_not_used(mode, folder):
    cache.save(name(1), b"content")
    folder.chmod(mode)
    assert "other users may write to it" in distrusted()
    assert len(list(folder.iterdir())) == 1


@posix
def test_a_folder_of_another_user_is_not_used(folder, monkeypatch):
    cache.save(name(1), b"content")
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    assert "belongs to another user" in distrusted()


@posix
def test_a_link_in_the_folders_place_is_not_followed(folder, tmp_path):
    cache.save(name(1), b"content")
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert "link" in distrusted()


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_an_entry_that_others_may_write_is_not_read(mode, folder):
    cache.save(name(1), b"content")
    path(folder, 1).chmod(mode)
    assert cache.load(name(1)) is None
    cache.save(name(1), b"content")
    assert cache.load(name(1)) == b"content"
    assert stat.S_IMODE(path(folder, 1).stat().st_mode) == 0o600


@posix
def test_an_entry_that_is_a_link_is_neither_read_nor_written_through(folder, tmp_path):
    cache.save(name(1), b"content")
    path(folder, 1).rename(tmp_path / "target")
    path(folder, 1).symlink_to(tmp_path / "target")
    assert cache.load(name(1)) is None
    before = (tmp_path / "target").read_bytes()
    cache.save(name(1), b"new")
    assert cache.load(name(1)) == b"new"
    assert (tmp_path / "target").read_bytes() == before


@posix
def test_an_entry_that_is_a_pipe_is_not_waited_for(folder):
    cache.save(name(2), b"other")
    os.mkfifo(path(folder, 1), 0o600)
    assert cache.load(name(1)) is None
    cache.save(name(1), b"content")
    assert cache.load(name(1)) == b"content"


def test_an_entry_counts_only_under_its_own_name(folder, compilations):
    cache.save(name(1), b"one")
    cache.save(name(2), b"two")
    path(folder, 1).rename(folder / "third")
    path(folder, 2).rename(path(folder, 1))
    (folder / "third").rename(path(folder, 2))
    assert cache.load(name(1)) is None
    assert cache.load(name(2)) is None


def test_an_entry_that_another_user_has_sealed_does_not_count(folder, tmp_path, monkeypatch):
    """As in an archive that was unpacked, with all of its owners and modes right."""
    cache.save(name(1), b"content")
    monkeypatch.setattr(cache, "_user_folder", lambda: tmp_path / "another home")
    assert cache.load(name(1)) is None


def test_the_secret_is_the_users_alone_and_not_beside_the_entries(folder, tmp_path):
    cache.save(name(1), b"content")
    secret = tmp_path / "home/thalweg/secret"
    assert len(secret.read_bytes()) == 32
    assert os.name == "nt" or stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert os.listdir(secret.parent) == ["secret"]
    assert set(folder.iterdir()) == {path(folder, 1)}


def known(secret):
    secret.chmod(0o644)


def short(secret):
    secret.write_bytes(b"short")


@posix
@pytest.mark.parametrize("harm", [known, short])
def test_a_secret_that_others_may_know_is_made_anew(harm, folder, tmp_path):
    cache.save(name(1), b"content")
    secret = tmp_path / "home/thalweg/secret"
    before = secret.read_bytes()
    harm(secret)
    cache._secret.cache_clear()  # as in another process
    assert cache.load(name(1)) is None
    assert len(secret.read_bytes()) == 32
    assert secret.read_bytes() != before
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


@posix
@pytest.mark.parametrize("home", ["none", "file", "link"])
def test_who_has_no_place_for_a_secret_keeps_it_in_the_folder(home, folder, tmp_path, monkeypatch):
    if home == "none":
        monkeypatch.setattr(cache, "_user_folder", lambda: None)
    elif home == "file":
        (tmp_path / "home").write_bytes(b"")
    else:
        (tmp_path / "home/thalweg").mkdir(parents=True)
        (tmp_path / "others").write_bytes(bytes(32))
        (tmp_path / "home/thalweg/secret").symlink_to(tmp_path / "others")
    cache.save(name(1), b"content")
    assert cache.load(name(1)) == b"content"
    assert {entry.name for entry in folder.iterdir()} == {path(folder, 1).name, "secret"}


def test_a_user_without_a_home_has_no_cache_folder(monkeypatch):
    monkeypatch.undo()

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv(cache.ENVIRONMENT)
    assert cache.directory() is None
    monkeypatch.setenv(cache.ENVIRONMENT, "~nobody-of-this-name/cache")
    assert cache.directory() is None


def test_a_program_that_changes_its_folder_keeps_its_cache(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(cache.ENVIRONMENT, "relative")
    cache.save(name(1), b"content")
    monkeypatch.chdir("other")
    assert cache.load(name(1)) == b"content"
    assert os.listdir(".") == []


def test_every_line_of_the_threat_model_has_a_test():
    page = (Path(__file__).parents[4] / "docs/files.md").read_text()
    section = page[page.index("## Compiled code") :]
    lines = re.findall(r"^\|.*\| `(\w+)` \|$", section, re.MULTILINE)
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| what")]
    assert len(lines) == len(rows) >= 10
    assert set(lines) <= {test for test in globals() if test.startswith("test_")}


def test_another_generator_has_other_names(monkeypatch):
    before = cache.key("graph", "options")
    assert cache.key("graph", "options") == before
    assert len({before, cache.key("grap", "hoptions"), cache.key("graph"), cache.key("graph", "option")}) == 4
    monkeypatch.setattr(cache, "generator_digest", lambda: b"another")
    assert cache.key("graph", "options") != before


GROUND = {"absent", "checks", "config", "cores", "errors", "fields", "memory", "processes", "registry", "spelling"}
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
x, y = nets.points()
for hidden in range(2):
    model = nets.classifier(dropout=hidden / 10)
    model.fit(x, y, epochs=2, verbose=0)
    sys.stdout.write(" ".join(w.tobytes().hex() for w in model.get_weights()))
"""


def test_processes_that_write_the_same_files_at_once(folder, tmp_path):
    root = Path(__file__).parents[4]
    environment = {
        **os.environ,
        "THALWEG_EXECUTOR": "native",
        "PYTHONPATH": os.pathsep.join([str(SOURCE), str(root)]),
        "PYTHONWARNINGS": "error",
        "XDG_CACHE_HOME": str(tmp_path / "home"),
    }
    command = [sys.executable, "-c", WRITER]
    writers = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)
    ]
    results = [writer.communicate(timeout=600) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], results
    assert results[0][0] == results[1][0] == results[2][0]
    files = [path.name for path in folder.iterdir()]
    assert len(files) == 2
    assert all(cache.load(name.removesuffix(".code")) for name in files)
