"""Processes that are started and looked after: here small ones, which do not find each other."""

import os
import signal
import sys
import threading
import time

import pytest

from thalweg.processes import launcher
from thalweg.processes.coordinates import Coordinates, found
from thalweg.processes.launcher import Launcher, free_port, in_words


@pytest.fixture(autouse=True)
def _little_grace(monkeypatch):
    """These processes have nothing to notice."""
    monkeypatch.setattr(launcher, "GRACE_SECONDS", 0.3)


def launched(code, count=2, restarts=0):
    """The exit status of so many processes that run this code, and what was told."""
    told = []
    times = []

    def places():
        times.append(free_port())
        return [Coordinates(f"127.0.0.1:{times[-1]}", count, index, index, count) for index in range(count)]

    command = [sys.executable, "-c", f"import os, signal, sys, time\nme = int(os.environ['THALWEG_PROCESS'])\n{code}"]
    status = Launcher(command, places, restarts, os.environ, told.append).run()
    return status, told, len(times)


def test_each_process_knows_its_place(tmp_path):
    code = f"open(r'{tmp_path}/' + str(me), 'w').write(repr(dict(os.environ)))"
    assert launched(code, 3) == (0, [], 1)
    places = [found(eval(path.read_text())) for path in sorted(tmp_path.iterdir())]
    assert [(place.index, place.count, place.local_index, place.local_count) for place in places] == [
        (0, 3, 0, 3),
        (1, 3, 1, 3),
        (2, 3, 2, 3),
    ]
    assert len({place.address for place in places}) == 1


def test_only_the_first_is_heard(capfd):
    code = "print('out', me); print('err', me, file=sys.stderr)"
    assert launched(code)[0] == 0
    out, err = capfd.readouterr()
    assert (out, err) == ("out 0\n", "err 0\n")


def test_a_process_that_fails_ends_the_others_and_is_heard():
    began = time.monotonic()
    status, told, _ = launched("if me: sys.exit('I cannot')\ntime.sleep(600)")
    assert status == 1
    assert told == ["I cannot\nprocess 1 of 2 ended with exit status 1, and with it the job"]
    assert time.monotonic() - began < 60


def test_what_all_say_is_said_once(capfd):
    status, told, _ = launched("sys.exit('We cannot')")
    assert status == 1
    assert "".join([*told, capfd.readouterr().err]).count("We cannot") == 1


def test_one_that_was_killed_is_named_not_those_that_end_with_it(tmp_path):
    code = f"""
if me == 1:
    open(r'{tmp_path}/mark', 'w').close()
    os.kill(os.getpid(), signal.SIGKILL)
while not os.path.exists(r'{tmp_path}/mark'):
    time.sleep(0.001)
time.sleep(0.01)
os.kill(os.getpid(), signal.SIGABRT)
"""
    status, told, _ = launched(code, 3)
    assert (status, told) == (128 + signal.SIGKILL, ["process 1 of 3 was killed by SIGKILL, and with it the job"])


def test_one_that_does_not_want_to_end_is_killed():
    code = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nif me: time.sleep(1); sys.exit(3)\ntime.sleep(600)"
    assert launched(code)[0] == 3


def test_all_begin_again(tmp_path):
    mark = tmp_path / "mark"
    code = f"""
if me == 1 and not os.path.exists(r'{mark}'):
    open(r'{mark}', 'w').close()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    status, told, times = launched(code, restarts=2)
    assert (status, times) == (0, 2)
    assert told[-1] == "All begin again, from the last backup if there is one (restart 1 of 2)"


def test_not_for_ever():
    status, told, times = launched("sys.exit(7)", restarts=2)
    assert (status, times) == (7, 3)
    assert sum("restart" in line for line in told) == 2


@pytest.mark.parametrize("status", [2, 130])
def test_a_wrong_command_or_ctrl_c_begins_nothing_again(status):
    assert launched(f"sys.exit({status})", restarts=2)[::2] == (status, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_passed_on_and_nothing_begins_again(tmp_path, number):
    code = f"""
def end(number, frame):
    open(r'{tmp_path}/got-' + str(me), 'a').write(str(number))
    sys.exit(9)
signal.signal({int(number)}, end)
open(r'{tmp_path}/ready-' + str(me), 'w').close()
time.sleep(600)
"""

    def send():
        while len(list(tmp_path.glob("ready-*"))) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=send, daemon=True).start()
    assert launched(code, restarts=2)[::2] == (9, 1)
    assert [path.read_text() for path in sorted(tmp_path.glob("got-*"))] == 2 * [str(int(number))]


def test_noise_of_libraries_is_not_shown():
    noise = (
        "E1129 05:46:24.833509   16326 coordination_service.cc:1520] Shutdown barrier in coordination service failed"
    )
    _, told, _ = launched(f"if me: print({noise!r}, file=sys.stderr); sys.exit('mine')\ntime.sleep(600)")
    assert told == ["mine\nprocess 1 of 2 ended with exit status 1, and with it the job"]


def test_words_for_a_signal_without_a_name():
    assert in_words(-63) == "was killed by signal 63"
