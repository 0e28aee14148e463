"""How many cores nobody uses, read from a file like Linux's."""

import time

import pytest

from thalweg.executors.native.run import idle
from thalweg.executors.native.run.idle import IdleCores


@pytest.fixture
def counts(tmp_path, monkeypatch):
    """Says how far the clock goes on, and what the cores have done until then, in ticks."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(idle, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(idle, "TOO_LONG_SECONDS", 10.0)  # however busy the machine is

    def write(seconds: float, idle: int, waiting: int = 0) -> IdleCores:
        now[0] += seconds
        (tmp_path / "stat").write_text(f"cpu  900 1 20 {idle} {waiting} 0 3 0 0 0\ncpu0 450 1 10 7 0 0 3 0 0 0\n")
        return cores

    cores = IdleCores(tmp_path / "stat")
    return write


def test_it_is_the_average_since_the_last_time(counts):
    assert counts(0, 5000).since(0.1) is None  # since when?
    assert counts(0.1, 5015, 5).since(0.1) == pytest.approx(2)
    assert counts(0.2, 5025, 5).since(0.2) == pytest.approx(0.5)


def test_time_that_was_not_spent_running_says_nothing(counts):
    counts(0, 5000).since(0.1)
    assert counts(3, 5500).since(0.1) is None
    assert counts(0.1, 5510).since(0.1) == pytest.approx(1)


@pytest.mark.parametrize("text", ["", "cpu 1 2 3", "cpu a b c d e f\n"])
def test_another_file_says_nothing(tmp_path, text):
    (tmp_path / "stat").write_text(text)
    cores = IdleCores(tmp_path / "stat")
    assert [cores.since(1.0), cores.since(1.0)] == [None, None]


def test_a_system_without_the_file_says_nothing(tmp_path):
    assert IdleCores(tmp_path / "stat").since(1.0) is None
