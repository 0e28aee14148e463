"""data/atomic.py: the new file complete, or the old one untouched."""

import os
import signal
import stat
import subprocess
import sys

import pytest

from thalweg.data import atomic
from thalweg.errors import StorageError


def chunks_that_fail(error):
    yield b"half of it"
    raise error


def test_writes_all_chunks_and_leaves_nothing_else(tmp_path):
    atomic.write(tmp_path / "a", [b"one", bytearray(b"two"), memoryview(b"three")])
    assert (tmp_path / "a").read_bytes() == b"onetwothree"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), MemoryError()])
def test_the_old_file_survives_a_failure(tmp_path, error):
    target = tmp_path / "a"
    target.write_bytes(b"old")
    expected = StorageError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        atomic.write(target, chunks_that_fail(error))
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_failure_to_rename_leaves_the_old_file(tmp_path, monkeypatch):
    def refuse(source, target):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StorageError, match="Permission denied"):
        atomic.write(tmp_path / "a", [b"new"])
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("name", ["missing/a", "file/a", "."])
def test_an_unwritable_path_is_an_error_in_four_parts(tmp_path, name):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot write") as caught:
        atomic.write(tmp_path / name, [b"new"])
    assert caught.value.fix
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="devices, modes and links as on POSIX")
class TestPosix:
    def test_a_device_is_never_replaced(self):
        with pytest.raises(StorageError, match="device"):
            atomic.write("/dev/null", [b"new"])
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)

    def test_a_new_file_follows_the_umask_and_an_old_one_keeps_its_mode(self, tmp_path):
        umask = os.umask(0o027)
        try:
            atomic.write(tmp_path / "a", [b"new"])
        finally:
            os.umask(umask)
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
        (tmp_path / "a").chmod(0o604)
        atomic.write(tmp_path / "a", [b"newer"])
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o604

    def test_a_link_stays_a_link(self, tmp_path):
        (tmp_path / "a").write_bytes(b"old")
        (tmp_path / "link").symlink_to("a")
        atomic.write(tmp_path / "link", [b"new"])
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "a").read_bytes() == b"new"

    def test_a_long_name_is_written(self, tmp_path):
        atomic.write(tmp_path / ("a" * 250), [b"new"])
        assert os.listdir(tmp_path) == ["a" * 250]

    def test_nobody_else_can_read_a_private_file_for_a_moment(self, tmp_path):
        (tmp_path / "a").write_bytes(b"old")
        (tmp_path / "a").chmod(0o600)
        modes = set()

        def chunks():
            for _ in range(2):
                modes.update(stat.S_IMODE(entry.stat().st_mode) for entry in os.scandir(tmp_path))
                yield b"secret"

        atomic.write(tmp_path / "a", chunks())
        assert modes == {0o600}

    def test_a_link_is_replaced_in_an_own_folder(self, tmp_path):
        (tmp_path / "a").write_bytes(b"old")
        (tmp_path / "link").symlink_to("a")
        atomic.write_own(tmp_path / "link", [b"new"])
        assert (tmp_path / "a").read_bytes() == b"old"
        assert (tmp_path / "link").read_bytes() == b"new"
        assert stat.S_IMODE((tmp_path / "link").lstat().st_mode) == 0o600

    def test_what_a_killed_process_left_is_removed_by_the_next_that_writes(self, tmp_path):
        """One that is still being written stays, and so does what only looks alike."""
        others = {".a.0123456789a.tmp", ".b.0123456789ab.tmp", "a.0123456789ab.tmp"}
        for other in others:
            (tmp_path / other).write_bytes(b"")
        (tmp_path / ".a.0123456789ab.tmp").symlink_to("elsewhere")
        writer = subprocess.Popen([sys.executable, "-c", STUCK, str(tmp_path / "a")], stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b"writing\n"
        atomic.write(tmp_path / "a", [b"new"])
        (half,) = {entry.name for entry in tmp_path.iterdir()} - others - {"a", ".a.0123456789ab.tmp"}
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        assert half in os.listdir(tmp_path)
        atomic.write(tmp_path / "a", [b"newer"])
        assert set(os.listdir(tmp_path)) == {*others, "a", ".a.0123456789ab.tmp"}


STUCK = """
import sys, time
from thalweg.data import atomic

def chunks():
    yield b"half"
    print("writing", flush=True)
    time.sleep(600)

atomic.write(sys.argv[1], chunks())
"""
