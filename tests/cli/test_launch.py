"""``thalweg launch``: what its options come to. The processes themselves are in ``tests/processes``."""

import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from thalweg.cli import app, launch
from thalweg.processes.coordinates import Coordinates
from thalweg.processes.joining import TIMEOUT_VARIABLE


class Started:
    """In place of a launcher: what it was told."""

    last: Any = None

    def __init__(self, command, places, restarts, environment, tell):
        self.command, self.places, self.restarts, self.environment = command, places, restarts, environment
        Started.last = self

    def run(self):
        return 7


@pytest.fixture
def started(monkeypatch):
    """Gives what ``thalweg launch`` with these words would start, or its output if that is an error."""
    monkeypatch.setattr(launch, "Launcher", Started)
    monkeypatch.setattr(launch, "accelerator", lambda: None)

    def invoke(*words):
        Started.last = None
        result = CliRunner().invoke(app.program(["launch"]), ["launch", *map(str, words)])
        if Started.last is None:
            assert result.exit_code == 2
            return result.output
        assert result.exit_code == 7
        return Started.last

    return invoke


def test_all_processes_of_this_machine(started):
    found = started("--processes", 3, "--port", 61500, "--", "train", "mnist", "--epochs", 2)
    assert found.command == [sys.executable, "-m", "thalweg.cli.member", "train", "mnist", "--epochs", "2"]
    assert found.places() == [Coordinates("127.0.0.1:61500", 3, index, index, 3) for index in range(3)]
    assert found.restarts == 0
    assert TIMEOUT_VARIABLE not in found.environment


def test_a_free_port_every_time(started):
    places = started("--processes", 2, "--", "train", "mnist").places
    first, second = places(), places()
    assert first[0].address == first[1].address != second[0].address


def test_one_of_several_machines(started):
    words = ("--processes", 2, "--process", 1, "--coordinator", "node1:61500", "--timeout", 30, "--", "train", "mnist")
    found = started(*words)
    assert found.places() == [Coordinates("node1:61500", 2, 1)]
    assert found.environment[TIMEOUT_VARIABLE] == "30.0"


def test_what_the_environment_says(started, monkeypatch):
    for name, value in {"MASTER_ADDR": "node1", "MASTER_PORT": "29500", "WORLD_SIZE": "4", "RANK": "2"}.items():
        monkeypatch.setenv(name, value)
    assert started("--", "train", "mnist").places() == [Coordinates("node1:29500", 4, 2)]
    assert started("--coordinator", "node9:1", "--", "train", "mnist").places() == [Coordinates("node9:1", 4, 2)]
    assert len(started("--processes", 2, "--", "train", "mnist").places()) == 2


@pytest.mark.parametrize(
    ("words", "run"),
    [
        (["python", "{script}", "--x"], ["{script}", "--x"]),
        (["/usr/bin/python3.11", "-m", "module", "x"], ["-m", "module", "x"]),
        (["thalweg", "predict", "m", "d"], ["predict", "m", "d"]),
        (["{script}"], ["{script}"]),
    ],
)
def test_what_is_run(started, tmp_path, words, run):
    script = tmp_path / "script.py"
    script.touch()
    found = started("--processes", 2, "--", *(word.format(script=script) for word in words))
    assert found.command[3:] == [word.format(script=script) for word in run]


@pytest.mark.parametrize(
    ("words", "resume"),
    [
        (["train", "mnist"], True),
        (["train", "mnist", "--no-resume"], False),
        (["train", "mnist", "--resume"], False),
        (["-m", "train"], False),
    ],
)
def test_a_training_that_may_begin_again_keeps_where_it_stands(started, words, resume):
    found = started("--processes", 2, "--restarts", 1, "--", *words)
    assert found.command[3:] == [*words, *(["--resume"] if resume else [])]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--", "train", "mnist"], "nobody says how many processes there are to be"),
        (["--processes", 2, "--", "trian", "mnist"], "this is nothing that could be run in several processes"),
        (["--processes", 2, "--", "-m"], "this is nothing that could be run in several processes"),
        (["--processes", 2, "--process", 1, "--", "train", "mnist"], "nobody says where the first is"),
        (
            ["--processes", 2, "--process", 2, "--coordinator", "a:1", "--", "train", "mnist"],
            "there is no process of this number",
        ),
        (
            ["--processes", 2, "--process", 1, "--coordinator", "node1", "--", "train", "mnist"],
            "this is no address of the first process",
        ),
    ],
)
def test_what_cannot_be_meant(started, words, problem):
    told = started(*words)
    assert problem in told
    assert "to fix:" in told


@pytest.mark.parametrize(("shown", "processes", "fits"), [(None, 2, True), (None, 3, False), ("1", 2, False)])
def test_processes_do_not_share_a_gpu(started, monkeypatch, tmp_path, shown, processes, fits):
    for name in ("nvidia0", "nvidia1", "nvidiactl"):
        (tmp_path / name).touch()
    monkeypatch.setattr(launch, "accelerator", lambda: ("GPU", "gpu"))
    monkeypatch.setattr(launch, "DEVICES", tmp_path)
    if shown is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    found = started("--processes", processes, "--", "train", "mnist")
    assert fits or "each process on this machine needs a GPU of its own" in found
    assert not fits or len(found.places()) == processes
