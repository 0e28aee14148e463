"""Joining a job, as far as that needs no others; with them it is in ``test_together``."""

import os

import pytest

from thalweg.errors import ArgumentError
from thalweg.processes import job, joining
from thalweg.processes.coordinates import Coordinates
from thalweg.processes.joining import initialize


def test_somebody_must_say_where_the_others_are():
    with pytest.raises(ArgumentError, match="nobody says where the other processes are") as caught:
        initialize(num_processes=2, process_id=0)
    assert "thalweg launch --processes 2" in caught.value.fix


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("node1", 2, 2), "there is no process of this number"),
        (("node1:http", 2, 1), "no address of the first process"),
        (("node1", 0, 0), "num_processes"),
        (("node1", 2, -1), "process_id"),
    ],
)
def test_bad_arguments(arguments, problem):
    with pytest.raises(ArgumentError, match=problem):
        initialize(*arguments)


def test_a_job_of_one_is_none(monkeypatch):
    for name, value in Coordinates("node1:61500", 1, 0).environment().items():
        monkeypatch.setenv(name, value)
    initialize()
    assert job.current() is job.ALONE
    assert "THALWEG_PROCESSES" not in os.environ, "processes that are started from here are none of the job"


@pytest.mark.parametrize("seconds", ["soon", "-5", "nan", "inf"])
def test_bad_seconds(monkeypatch, seconds):
    monkeypatch.setenv(joining.TIMEOUT_VARIABLE, seconds)
    with pytest.raises(ArgumentError, match="THALWEG_JOIN_SECONDS does not fit its rule"):
        initialize("node1", 2, 1)


@pytest.mark.parametrize(
    ("index", "count", "shown", "own"),
    [
        (0, 1, None, None),
        (1, 2, None, [1]),
        (1, 2, "4,6", [1]),
        (0, 2, "5", [0]),
        (3, 4, "5", None),
    ],
)
def test_each_process_of_a_machine_has_a_gpu(index, count, shown, own):
    where = Coordinates("node1:61500", 8, 4 + index, index, count)
    variables = {} if shown is None else {"CUDA_VISIBLE_DEVICES": shown}
    assert joining._own_device(where, variables) == own
