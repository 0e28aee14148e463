"""Threads of a team on cores of their own, in a system that is only simulated: it says where a thread is."""

import os

import pytest

from thalweg.executors.native.run.seats import Seats


class System:
    """One thread that takes seats for all: it is wherever it is put, or may be."""

    def __init__(self, cores: int) -> None:
        self.allowed, self.core = set(range(cores)), 0
        self.moves: list[set[int]] = []

    def affinity(self, _: int) -> set[int]:
        return set(self.allowed)

    def set_affinity(self, _: int, cores: set[int]) -> None:
        self.moves.append(set(cores))
        self.allowed = set(cores)
        self.core = self.core if self.core in cores else min(cores)

    def take(self, seats: Seats, core: int) -> int:
        """A thread that begins on this core: where it goes on."""
        self.core = core
        seats.take()
        return self.core


@pytest.fixture
def system(monkeypatch):
    system = System(4)
    monkeypatch.setattr(os, "sched_getaffinity", system.affinity, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", system.set_affinity, raising=False)
    return system


def test_threads_that_meet_on_a_core_part(system):
    seats = Seats(lambda: system.core)
    assert [system.take(seats, core) for core in (1, 1, 1, 0)] == [1, 0, 2, 3]
    assert system.allowed == {0, 1, 2, 3}  # nothing of it stays


def test_threads_on_cores_of_their_own_stay(system):
    seats = Seats(lambda: system.core)
    assert [system.take(seats, core) for core in (3, 1)] == [3, 1]
    assert not system.moves


def test_more_threads_than_cores_share(system):
    system.allowed = {2}
    seats = Seats(lambda: system.core)
    assert [system.take(seats, core) for core in (2, 2)] == [2, 2]
    assert not system.moves


def test_where_the_system_forbids_it_threads_stay(system, monkeypatch):
    def forbidden(_: int, cores: set[int]) -> None:
        raise PermissionError(cores)

    monkeypatch.setattr(os, "sched_setaffinity", forbidden, raising=False)
    seats = Seats(lambda: system.core)
    assert [system.take(seats, core) for core in (1, 1)] == [1, 1]


def test_where_nobody_tells_the_core_threads_stay(system):
    seats = Seats(None)
    seats.take()
    assert not system.moves
