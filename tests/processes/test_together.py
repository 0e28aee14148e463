"""Real processes, which find each other over the loopback and compute together."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from thalweg.data import safetensors
from thalweg.processes.launcher import free_port

pytestmark = [pytest.mark.needs("jax"), pytest.mark.slow]

HERE = Path(__file__).parent
TRAINING = str(HERE / "training.py")


def run(*words, variables=None, folder=None):
    """The status and what was said of ``python`` with these words."""
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        env={**os.environ, "JAX_PLATFORMS": "cpu", **(variables or {})},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


def launch(processes, *words, restarts=0, **options):
    return run("-m", "thalweg.cli", "launch", "--processes", processes, "--restarts", restarts, "--", *words, **options)


def found(folder):
    return json.loads((folder / "found.json").read_text())


def assert_close(one, other):
    """To rounding: sums over the devices' parts of a batch have another order."""
    assert one.keys() == other.keys()
    for history in ("history", "streamed"):
        for name in one[history]:
            np.testing.assert_allclose(one[history][name], other[history][name], rtol=1e-5)
    for name in ("evaluation", "predictions", "one batch"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-6)
    for mine, theirs in zip(one["weights"], other["weights"], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The training in one process."""
    folder = tmp_path_factory.mktemp("alone")
    status, _, said = run(TRAINING, folder)
    assert status == 0, said
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The training in two processes."""
    folder = tmp_path_factory.mktemp("two")
    status, shown, said = launch(2, TRAINING, folder)
    assert status == 0, said
    (folder / "shown.txt").write_text(shown)
    return folder


def test_two_processes_train_as_one_does(alone, two):
    assert_close(found(two), found(alone))


def test_three_processes_whose_parts_of_a_batch_are_unequal_train_as_one_does(alone, tmp_path):
    status, _, said = launch(3, TRAINING, tmp_path)
    assert status == 0, said
    assert_close(found(tmp_path), found(alone))


def test_only_one_process_writes_and_speaks(alone, two):
    lines = (two / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", *map(str, range(6))]
    shown = (two / "shown.txt").read_text()
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("Epoch")] == [
        f"{n}/6" for n in range(1, 7)
    ]
    assert "Gloo" not in shown


@pytest.mark.parametrize("who", [0, 1])
def test_a_killed_process_and_a_restart_end_as_if_nothing_had_been(two, tmp_path, who):
    status, _, said = launch(2, TRAINING, tmp_path, who, restarts=1)
    assert status == 0, said
    assert f"process {who} of 2 was killed by SIGKILL, and with it the job" in said
    assert (tmp_path / "died").exists()
    assert found(tmp_path) == found(two)
    assert (tmp_path / "log.csv").read_text() == (two / "log.csv").read_text()


@pytest.mark.parametrize("processes", [1, 3])
def test_a_backup_goes_on_on_another_number_of_processes(alone, tmp_path, processes):
    status, _, said = launch(2, TRAINING, tmp_path, 1)
    assert status == 137, said
    status, shown, said = launch(processes, TRAINING, tmp_path, 1)
    assert status == 0, said
    assert "Going on from the backup" in shown
    assert_close(found(tmp_path), found(alone))


SPLIT = """
import sys
import numpy as np
import thalweg
from thalweg import callbacks, layers
from thalweg.distribution import DeviceMesh, LayoutMap, ModelParallel, list_devices

folder = sys.argv[1]
random = np.random.default_rng(0)
x = random.normal(size=(90, 8)).astype("float32")
thalweg.config.set_random_seed(1)
model = thalweg.Sequential([thalweg.Input((8,)), layers.Dense(32, "relu", name="wide"), layers.Dense(1)])
model.compile("adam", "mse")
layouts = LayoutMap(DeviceMesh((1, len(list_devices())), ("batch", "model")))
layouts["wide/kernel"] = (None, "model")
watchers = [
    callbacks.BackupAndRestore(f"{folder}/backup", delete_checkpoint=False),
    callbacks.EarlyStopping("loss", restore_best_weights=True),
    callbacks.ModelCheckpoint(f"{folder}/best.thalweg", "loss", save_best_only=True),
]
fitted = {"verbose": 0, "diagnose": False, "distribution": ModelParallel(layout_map=layouts), "callbacks": watchers}
model.fit(x, x[:, :1], batch_size=30, epochs=3, **fitted)
"""


def test_weights_that_are_split_over_processes_are_put_together_for_files(tmp_path):
    script = tmp_path / "split.py"
    script.write_text(SPLIT)
    files = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        status, _, said = launch(processes, script, folder)
        assert status == 0, said
        files.append([safetensors.read(folder / name)[0] for name in ("best.thalweg", "backup/latest.thalweg")])
    for one, two in zip(*files, strict=True):
        assert one.keys() == two.keys()
        for name, array in one.items():
            np.testing.assert_allclose(two[name], array, rtol=1e-5, atol=1e-7, err_msg=name)


DIFFERENT = """
import numpy as np
import thalweg
from thalweg.processes.job import current

me = current().index

def fit(seed=0, units=3, data=0, rate=0.01, epochs=1, executor=None):
    x = np.random.default_rng(data).normal(size=(20, 4)).astype("float32")
    thalweg.config.set_random_seed(seed)
    model = thalweg.Sequential([thalweg.Input((4,)), thalweg.layers.Dense(units), thalweg.layers.Dense(1)])
    model.compile(thalweg.optimizers.SGD(rate), "mse")
    try:
        model.fit(x, x[:, :1], verbose=0, epochs=epochs, executor=executor)
        said = "fitted"
    except thalweg.errors.ThalwegError as error:
        said = f"{type(error).__name__}: {error}"
    print(said.replace("\\n", "|"))

fit(seed=me)
fit(units=3 + me)
fit(data=me)
fit(rate=0.01 + me)
fit(executor="native")
fit()
x = np.full((3, 4), me, "float32")
model = thalweg.Sequential([thalweg.Input((4,)), thalweg.layers.Dense(1)])
model.compile("sgd", "mse")
for use in (lambda: model.evaluate(x, x[:, :1], verbose=0), lambda: model.predict(x, verbose=0)):
    try:
        print(use())
    except thalweg.errors.ProcessError as error:
        print(error.got)
"""


def test_processes_that_would_do_different_things_are_refused(tmp_path):
    script = tmp_path / "different.py"
    script.write_text(DIFFERENT)
    status, shown, said = launch(2, script)
    assert status == 0, said
    seed, units, data, rate, native, alike, evaluated, predicted = shown.splitlines()
    for line in (seed, units, data, rate):
        assert line.startswith("ProcessError: the processes of this job are not about to do the same|  expected:")
        assert "process 1 of 2 differs from process 0" in line
        assert "to fix:" in line
    assert "state.random/seed: " in seed
    assert "graph: " in units
    assert "data.x: float32[4]" in data
    assert re.search(r"got: .* process 0: state\.optimizer/learning_rate: \S+ \w+, in process 0 ", rate)
    assert native.startswith("ArgumentError: the native executor computes in one process|")
    assert alike == "fitted"
    assert evaluated.startswith("process 1 of 2 differs from process 0: data.x: ")
    assert predicted.startswith("process 1 of 2 differs from process 0: data.x: ")


def test_a_script_that_differs_is_refused(tmp_path):
    for name in "ab":
        folder = tmp_path / name
        folder.mkdir()
        (folder / "script.py").write_text(f"{DIFFERENT}\n# {name}\n")
    port = free_port()
    words = ["-m", "thalweg.cli", "launch", "--processes", "2", "--coordinator", f"127.0.0.1:{port}"]
    several = [
        subprocess.Popen(
            [sys.executable, *words, "--process", str(index), "--", "script.py"],
            cwd=tmp_path / name,
            env={**os.environ, "JAX_PLATFORMS": "cpu"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for index, name in enumerate("ab")
    ]
    shown = [process.communicate(timeout=300)[0] for process in several]
    assert shown[1] == ""
    assert "script: " in shown[0].splitlines()[5]


ENDLESS = """
import numpy as np
import thalweg

x = np.ones((20, 4), "float32")
model = thalweg.Sequential([thalweg.Input((4,)), thalweg.layers.Dense(1)])
model.compile("sgd", "mse")


class Begun(thalweg.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if not epoch:
            print("begun", flush=True)


history = model.fit(x, x[:, :1], epochs=10**9, verbose=0, callbacks=[Begun()])
print(history.stopped_by)
"""


def test_ctrl_c_ends_training_in_all(tmp_path):
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    words = [sys.executable, "-m", "thalweg.cli", "launch", "--processes", "2", "--restarts", "3", "--", str(script)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        shown, said = process.communicate(timeout=300)
    assert process.returncode == 0
    assert shown == "user\n"
    assert said.startswith("Stopped by Ctrl-C in epoch ")
    assert said.count("Stopped") == 1


JOIN = "from thalweg.distribution import initialize; initialize({}, timeout={})"


def test_a_coordinator_that_does_not_answer():
    port = free_port()
    status, _, said = run("-c", JOIN.format(f"'127.0.0.1:{port}', 2, 1", 2))
    assert status == 1
    assert f"ProcessError: the first process does not answer at 127.0.0.1:{port}" in said
    assert "an answer within 2 s, in which this process, number 1 of 2, tried" in said
    assert "ConnectionRefusedError" in said


def test_a_coordinator_on_a_machine_that_nobody_knows():
    status, _, said = run("-c", JOIN.format("'nowhere.invalid:61500', 2, 1", 2))
    assert status == 1
    assert "the first process does not answer at nowhere.invalid:61500" in said
    assert "gaierror" in said


def test_others_that_do_not_come():
    status, _, said = run("-c", JOIN.format(f"'127.0.0.1:{free_port()}', 2, 0", 2))
    assert status == 1
    assert "ProcessError: not all processes of this job have come in 2 s" in said


def test_a_port_that_is_in_use():
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        status, _, said = run("-c", JOIN.format(f"'127.0.0.1:{port}', 2, 0", 60))
    assert status == 1
    assert f"ProcessError: the first process cannot answer at the port {port}" in said
    assert "Address already in use" in said


def test_joining_after_jax_has_computed():
    code = f"import jax; jax.numpy.ones(3); {JOIN.format(repr(f'127.0.0.1:{free_port()}') + ', 2, 1', 60)}"
    status, _, said = run("-c", code)
    assert status == 1
    assert "ProcessError: process 1 of 2 cannot join the job" in said
    assert "call thalweg.distribution.initialize() first of all" in said


def test_the_command_trains_a_table(tmp_path):
    random = np.random.default_rng(0)
    rows = random.normal(size=(200, 3))
    table = tmp_path / "table.csv"
    np.savetxt(table, rows, delimiter=",", header="a,b,price", comments="", fmt="%.5f")
    options = ["train", "table.csv", "--target", "price", "--epochs", "3", "--members", "2"]
    status, shown, said = launch(2, *options, "-o", "two.thalweg", folder=tmp_path, variables={"THALWEG_RUNS": "runs"})
    assert status == 0, said
    assert shown.count("two.thalweg") == 1
    assert len(list((tmp_path / "runs").glob("*/model.thalweg"))) == 1
    variables = {"THALWEG_RUNS": "others", "THALWEG_EXECUTOR": "xla"}
    status, _, said = run("-m", "thalweg.cli", *options, "-o", "one.thalweg", folder=tmp_path, variables=variables)
    assert status == 0, said
    values = []
    for name in ("one", "two"):
        words = ["-m", "thalweg.cli", "predict", f"{name}.thalweg", "table.csv", "-o", f"{name}.csv"]
        status, _, said = run(*words, folder=tmp_path)
        assert status == 0, said
        values.append(np.loadtxt(tmp_path / f"{name}.csv", delimiter=",", skiprows=1, ndmin=2))
    np.testing.assert_allclose(values[1], values[0], rtol=1e-4, atol=1e-5)
