"""executors/forks.py: a forked child compiles, trains and predicts, whatever other threads of its parent were doing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

WHILE_OTHERS_COMPILE = """
import itertools, os, signal, sys, threading, time, warnings
import numpy as np
from tests import nets
from thalweg.executors.native.executor import NativeExecutor
from thalweg.graph.node import Graph
from thalweg.ops import input_node

warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads, from Python 3.12 on
x, y = nets.points(20)
sizes = itertools.count(5)
stop = False

def tripled(size):
    program = NativeExecutor().compile(Graph({"y": input_node("x", (size,)) * 3.0}), gather=False)
    result = np.zeros(size, np.float32)
    program.run({}, {"x": np.ones(size, np.float32)}, None, {"y": result})
    return bool((result == 3).all())

def work(task):
    while not stop:
        task()

model = nets.classifier()  # is trained by a thread at the moment of the fork, and by the child
model.executor = NativeExecutor()
tasks = [lambda: tripled(next(sizes)), lambda: tripled(next(sizes)), lambda: model.fit(x, y, verbose=0)]
threads = [threading.Thread(target=work, args=(task,), daemon=True) for task in tasks]
for thread in threads:
    thread.start()
time.sleep(0.2)
ended = []
for number in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # ends a child that hangs
        fine = tripled(10**5 + number) and np.isfinite(model.predict(x, verbose=0)).all()
        os._exit(0 if fine else 1)
    ended.append(os.waitpid(child, 0)[1])
stop = True
for thread in threads:
    thread.join()
assert ended == [0] * len(ended), ended
"""

POOL = """
import multiprocessing, os, warnings
from tests import nets
from thalweg.executors.native.executor import NativeExecutor

warnings.simplefilter("ignore", DeprecationWarning)
x, y = nets.points(200)

def trained(seed):
    model = nets.classifier(seed)
    model.executor = NativeExecutor()
    model.fit(x, y, batch_size=50, verbose=0, threads=2)
    return [w.tolist() for w in model.get_weights()]

before = [trained(seed) for seed in (1, 2)]
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map_async(trained, [1, 2]).get(60) == before
"""


def run(code, *arguments):
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("times", [5, pytest.param(100, marks=pytest.mark.long)])
def test_children_of_a_process_that_compiles_and_trains_on_other_threads(times):
    run(WHILE_OTHERS_COMPILE, str(times))


def test_children_train_what_their_parent_has_trained():
    run(POOL)
