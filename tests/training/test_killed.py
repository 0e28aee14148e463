"""A process that is killed at any moment goes on when it runs again, as if it had never been stopped."""

import os
import subprocess
import sys

import pytest
from tests.training import kills

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")


def outcome(folder, number, *names):
    command = [sys.executable, "-m", "tests.training.kills", str(folder), str(number), *names]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_killed_at_random_moments(tmp_path):
    """Three times each kind of run: 30 times and more in all."""
    told = outcome(tmp_path, 3).splitlines()
    assert told == [f"{kind.__name__}: 3 kills, as if never stopped" for kind in kills.KINDS]


@pytest.mark.long
@pytest.mark.parametrize("kind", [*kills.KINDS, *kills.LONGER])
def test_killed_hundreds_of_times(kind, tmp_path):
    assert outcome(tmp_path, 40, kind.__name__) == f"{kind.__name__}: 40 kills, as if never stopped\n"
