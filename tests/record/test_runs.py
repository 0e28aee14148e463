"""Runs are written as they happen, found again, and outlive what happens to their file."""

import contextlib
import os
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

import thalweg
from thalweg import Input, Sequential, layers, runs
from thalweg.callbacks import Callback
from thalweg.errors import ArgumentError, NameNotFoundError, NonFiniteError, StorageError
from thalweg.record.events import EpochEnded, Found, Interval, Measured, TrainingEnded
from thalweg.record.mending import MendedNotice
from thalweg.record.store import Store
from thalweg.record.trials import Trial, ranking
from thalweg.record.writer import RunNotice, flush_all

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # from Python 3.12 on, of fork beside threads
]

X = np.linspace(-1, 1, 60, dtype=np.float32).reshape(20, 3)
Y = X.sum(1)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("THALWEG_RUNS", str(tmp_path / "runs"))
    yield tmp_path / "runs"
    flush_all()


def network():
    model = Sequential([Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    model.compile(thalweg.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


def fitted(**arguments):
    model = network()
    history = model.fit(X, Y, **{"epochs": 3, "batch_size": 10, "verbose": 0, "seed": 1, **arguments})
    return model, history


def test_without_run_nothing_is_written(folder):
    fitted()
    assert not folder.exists()
    assert runs.find() == []


def test_a_fit_is_found_again_with_all_that_belongs_to_it(folder):
    model, history = fitted(run="first try", validation_split=0.2)
    (run,) = runs.find()
    assert (run.number, run.name, run.status, run.kind) == (1, "first try", "finished", "fit")
    assert run.history().history == history.history
    assert run.history().epoch == [0, 1, 2]
    assert run.metrics == {name: values[-1] for name, values in history.history.items()}
    assert run.lowest["loss"] == min(history.history["loss"])
    assert run.highest["val_mae"] == max(history.history["val_mae"])
    told = {"optimizer": "sgd", "learning_rate": 0.1, "loss_function": "mse", "batch_size": 10, "epochs": 3, "seed": 1}
    assert run.settings.items() >= {**told, "rows": 16, "parameters": 21, "thalweg": thalweg.__version__}.items()
    assert [event["kind"] for event in run.events()] == ["training begun", "training ended", "weights"]
    again = runs.load_model_of(1)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    assert again.fit(X, Y, epochs=1, verbose=0).history["loss"] == model.fit(X, Y, epochs=1, verbose=0).history["loss"]


def test_metrics_with_several_numbers_and_nan_come_back(folder):
    with runs.start("own loop") as run:
        run.log(loss=1.5, recall=np.array([0.25, 1.0]))
        run.log(loss=float("nan"), recall=np.array([0.5, 1.0]))
        run.log(7, loss=0.5)
        run.result(test_loss=0.25, verdict="good")
    found = runs.load(1)
    assert found.history().epoch == [0, 1, 7]
    np.testing.assert_array_equal(found.history().history["loss"], [1.5, np.nan, 0.5])
    np.testing.assert_array_equal(found.history().history["recall"], [[0.25, 1], [0.5, 1]])
    assert found.metrics == {"loss": 0.5}
    assert found.results == {"test_loss": 0.25, "verdict": "good"}


def test_several_fits_are_parts_of_one_run(folder):
    with runs.start("two", settings={"idea": {"depth": 2}}, tags=["best"], notes="tried at night") as run:
        first, second = fitted(run=run)[1], fitted(run=run, seed=2, epochs=2)[1]
        histories = thalweg.fit_many([network(), network()], X, Y, epochs=1, run=run, verbose=0)
    found = runs.load(1)
    assert found.parts == [0, 1, 2, 3]
    assert found.history(0).history == first.history
    assert found.history(1).history == second.history
    assert sorted(found.history(part).history["loss"] for part in (2, 3)) == sorted(
        h.history["loss"] for h in histories
    )
    assert found.settings["idea.depth"] == 2
    assert (found.tags, found.notes) == (("best",), "tried at night")
    assert {path.name for path in found.files()} >= {"model.thalweg", "model-1.thalweg", "run.json"}


def test_settings_in_which_fits_of_a_run_differ_are_said_to(folder):
    with runs.start("pair") as run:
        for seed in (1, 2):
            fitted(epochs=1, seed=seed, run=run)
    settings = runs.load(run.number).settings
    assert settings["seed"] == "several"
    assert settings["epochs"] == 1


def test_events_that_are_told_are_kept(folder):
    with runs.start("told") as run:
        part = run.part({})
        part.hear(Interval(0, 1, {"loss": 2.0}))
        part.hear(Measured(0, 5, {"dense": {"zeros": 0.5}}))
        part.hear(Found(0, "dead", "half of it is dead", "dense"))
        part.hear(EpochEnded(0, {"loss": 1.0}, 0.5))
        part.hear(TrainingEnded("callback", 0.1))
    found = runs.load(1)
    assert found.intervals() == [(0, 1, "loss", 2.0)]
    assert found.layers() == {"dense": {"zeros": {5: 0.5}}}
    assert found.stopped_by == "callback"
    (finding,) = (event["told"] for event in found.events() if event["kind"] == "finding")
    assert finding["message"] == "half of it is dead"


def test_trials_are_told_and_told_again(folder):
    trials = [Trial(1, {"units": (2, 3)}, float("inf"), 1, 0.5, "diverged"), Trial(0, {"units": 4}, 0.5, 2, 1.0, "")]
    with runs.start("search") as run:
        run.trial(Trial(0, {"units": 4}, None, 0, 0.0, "runs"))
        for trial in trials:
            run.trial(trial)
    (found,) = runs.find()
    assert found.trials == [trials[1], Trial(1, {"units": [2, 3]}, None, 1, 0.5, "diverged")]
    assert found.parts == []
    assert ranking(found.trials, rises=False)[0] == trials[1]


def test_a_run_that_goes_on_is_readable(folder):
    class Look(Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.seen = runs.load(1)
                self.history = self.seen.history()

    look = Look()
    fitted(run="now", callbacks=[look])
    assert look.seen.status == "running"
    assert (look.seen.epoch, look.seen.epochs, look.seen.steps) == (1, 3, 2)
    assert look.history.epoch == [0]


def test_errors_are_kept_with_the_model(folder):
    model = network()
    model.compile(thalweg.optimizers.SGD(1e30), "mse")
    with pytest.raises(NonFiniteError):
        model.fit(X, Y, epochs=5, verbose=0, run="too fast")
    run = runs.load(1)
    assert run.status == "failed"
    assert "loss" in str(run.error)
    assert (run.folder / "model.thalweg").exists()
    assert "finding" in [event["kind"] for event in run.events()]


def test_a_process_that_ends_without_a_word_is_noticed(folder):
    child = os.fork()
    if not child:
        run = runs.start("killed")
        run.log(loss=1.0)
        run.flush()
        os._exit(1)
    os.waitpid(child, 0)
    (dead,) = runs.find()
    assert dead.status == "died"
    assert dead.history().history == {"loss": [1.0]}


def test_a_forked_process_writes_into_the_run_of_its_parent(folder):
    with runs.start("shared") as run:
        run.log(loss=1.0)
        child = os.fork()
        if not child:
            run.log(7, loss=2.0)
            os._exit(not run.flush())
        assert os.waitpid(child, 0)[1] == 0
    assert runs.load(1).status == "finished"
    assert runs.load(1).history().history == {"loss": [1.0, 2.0]}


@pytest.mark.parametrize(("last", "status"), [("", "finished"), ("1 / 0", "failed")])
def test_a_run_that_nobody_ends_ends_with_the_program(folder, last, status):
    lines = ["from thalweg import runs", "runs.start('open').log(loss=1.0)", last]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False, capture_output=True)
    assert (runs.load(1).status, runs.load(1).error) == (status, "division by zero" if last else None)


def test_processes_that_write_at_once_lose_nothing(folder):
    children = []
    for number in range(8):
        children.append(os.fork())
        if not children[-1]:
            with runs.start(f"child {number}") as run:
                for _ in range(20):
                    run.log(loss=float(number))
            os._exit(not run.flush())
    assert {os.waitpid(child, 0)[1] for child in children} == {0}
    found = runs.find()
    assert sorted(run.name for run in found) == sorted(f"child {number}" for number in range(8))
    assert {run.status for run in found} == {"finished"}
    for each in found:
        assert each.history().history == {"loss": [float(each.name.split()[1])] * 20}


@pytest.mark.parametrize("statement", [2, 3])
def test_tables_that_another_process_makes_just_now_are_no_others(folder, statement):
    folder.mkdir()
    store, seen = Store(folder), []

    def makes(text):
        seen.append(text)
        if len(seen) == statement:
            store.connect().close()

    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")  # in which nobody waits for who reads
        connection.set_trace_callback(makes)
        assert not store._check(connection)
        connection.set_trace_callback(None)
        assert len(seen) == 3
        assert store._check(connection)


def test_runs_are_found_by_conditions_and_sorted(folder):
    for rate, loss in ((0.1, 0.5), (0.01, 0.25), (0.001, 0.75)):
        with runs.start(f"rate {rate}", settings={"rate": rate, "kind of net": "mlp"}, tags=["a"]) as run:
            run.log(loss=loss + 1)
            run.log(loss=loss)
            run.result(test_loss=loss * 2)
    with runs.start("other"):
        pass

    def numbers(*where, **how):
        return [run.number for run in runs.find(*where, **how)]

    assert numbers() == [4, 3, 2, 1]
    assert numbers("loss < 0.6") == [2, 1]
    assert numbers("loss<0.6", "rate >= 0.1") == [1]
    assert numbers("kind of net = mlp", "name ~ 0.01") == [2]
    assert numbers("max(loss) > 1.7") == [3]
    assert numbers("tag = a", sort="loss") == [2, 1, 3]
    assert numbers(sort="-test_loss") == [3, 1, 2, 4]
    assert numbers(sort="rate", limit=2) == [3, 2]
    assert numbers("status = finished", "number != 2") == [4, 3, 1]
    assert [run.value("rate") for run in runs.find("loss < 0.6")] == [0.01, 0.1]  # also what no condition names
    assert str(runs.compare(1, 2)).splitlines()[0].split("  ")[-1].strip() == "2 rate 0.01"
    assert runs.compare(1, 2).differences == {"rate": [0.1, 0.01]}
    with pytest.raises(ArgumentError, match="is no condition"):
        runs.find("loss")
    with pytest.raises(NameNotFoundError, match="no run 9"):
        runs.load(9)


def test_runs_are_deleted_with_their_files_but_not_while_they_go_on(folder):
    fitted(run="a")
    fitted(run="b")
    with runs.start("c"):
        flush_all()
        with pytest.raises(ArgumentError, match="goes on"):
            runs.delete(1, 3)
    runs.delete(1)
    assert [run.number for run in runs.find()] == [3, 2]
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["2-b", "3-c"]
    with runs.start("d") as run:
        assert run.number == 4  # numbers are never given twice


def test_a_fit_that_goes_on_after_a_kill_goes_on_in_its_run(folder):
    """As BackupAndRestore does it: state from an earlier process, and a history with what was not written."""
    child = os.fork()
    if not child:
        part = runs.start("long", tags=["kept"]).part({"first": True})
        for epoch in range(3):
            part.hear(EpochEnded(epoch, {"loss": 9.0 - epoch}, 0.1))
        part.run.flush()
        os._exit(0)
    os.waitpid(child, 0)
    (dead,) = runs.find()

    class Restored(Callback):
        def on_train_begin(self, logs=None):
            self.model.history.append(0, {"loss": 5.0})
            self.model.history.append(1, {"loss": 4.0})
            self.together[-1].set_state({"run": dead.key, "part": 0})

        def on_epoch_begin(self, epoch, logs=None):
            self.together[-1].set_state({"run": dead.key, "part": 0})  # once more, as where an epoch goes on

    fitted(run="long", callbacks=[Restored()], initial_epoch=2, epochs=4)
    (run,) = runs.find()
    assert (run.number, run.key, run.status, run.tags) == (1, dead.key, "finished", ("kept",))
    history = run.history()
    assert history.epoch == [0, 1, 2, 3]
    assert history.history["loss"][:2] == [5.0, 4.0]
    assert history.history["loss"][2] != 7.0  # what the killed process had told of an epoch that was made again
    assert [event["kind"] for event in run.events()].count("resumed") == 1
    with runs.start("next") as following:
        assert following.number == 2


@pytest.mark.parametrize("damage", ["garbage", "emptied", "deleted", "torn"])
def test_a_damaged_file_is_set_aside_and_its_runs_are_saved(folder, damage):
    _, history = fitted(run="kept")
    with runs.start("other") as run:
        run.result(test_loss=0.5)
    flush_all()
    path = folder / "runs.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    size = path.stat().st_size
    if damage == "garbage":
        path.write_bytes(b"no database" * 1000)
    elif damage == "emptied":
        path.write_bytes(b"")
    elif damage == "deleted":
        path.unlink()
    else:
        with open(path, "r+b") as file:
            file.seek(size // 3)
            file.write(os.urandom(size // 2))
    with pytest.warns(MendedNotice):
        runs.find()[-1].history()
    found = runs.find()
    assert [(run.number, run.name) for run in found] == [(2, "other"), (1, "kept")]
    assert runs.load(1).history().history == history.history
    assert runs.load(2).results == {"test_loss": 0.5}
    assert bool(list(folder.glob("damaged-*.sqlite"))) == (damage in ("garbage", "torn"))
    fitted(run="afterwards")
    assert runs.load(3).status == "finished"


def test_a_file_that_is_damaged_during_training_costs_nothing(folder):
    class Damage(Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                flush_all()
                for name in ("runs.sqlite-wal", "runs.sqlite-shm"):
                    (folder / name).unlink(missing_ok=True)
                (folder / "runs.sqlite").write_bytes(b"no database" * 1000)

    def damaged():
        return fitted(run="brave", callbacks=[Damage()])[1], runs.load(1)

    with pytest.warns(MendedNotice):
        history, run = damaged()
    assert run.status == "finished"
    assert run.history().history["loss"][1:] == history.history["loss"][1:]


def test_a_store_that_cannot_be_written_is_said_before_training(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("THALWEG_RUNS", str(tmp_path / "file" / "runs"))
    with pytest.raises(StorageError, match="cannot be"):
        fitted(run="a")


def test_a_store_that_can_no_longer_be_written_stops_no_training(folder, monkeypatch):
    class Full(Callback):
        def on_epoch_end(self, epoch, logs=None):
            monkeypatch.setattr(Store, "connect", refused)

    def refused(self):
        raise sqlite3.OperationalError("database or disk is full")

    with runs.start("full") as run:
        flush_all()
        run._writer._disconnect()
        with pytest.warns(RunNotice, match="full"):
            assert [fitted(run=run, callbacks=[Full()]), run.flush()][-1] is False
        monkeypatch.undo()
        monkeypatch.setenv("THALWEG_RUNS", str(folder))
    assert runs.load(1).history().epoch == [0, 1, 2]  # all of it came when there was space again


def test_other_databases_are_left_alone(folder):
    folder.mkdir()
    with sqlite3.connect(folder / "runs.sqlite") as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(StorageError, match="no store of runs"):
        fitted(run="a")
    with sqlite3.connect(folder / "runs.sqlite") as connection:
        connection.execute("DROP TABLE recipes")
        connection.execute(f"PRAGMA application_id={0x7468616C}")
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StorageError, match="later thalweg"):
        fitted(run="a")


def test_a_run_that_somebody_deletes_meanwhile_is_recorded_no_more(folder):
    with runs.start("gone") as run:
        run.log(loss=1.0)
        flush_all()
        Store().change(lambda connection: connection.execute("DELETE FROM runs"))
        run.log(loss=2.0)
    assert runs.find() == []
    count = Store().read(lambda connection: connection.execute("SELECT count(*) FROM epochs").fetchone()[0])
    assert count == 1


def test_a_run_needs_a_name(folder):
    with pytest.raises(ArgumentError, match="needs a name"):
        fitted(run=" ")
    with pytest.raises(ArgumentError):
        fitted(run=3)
    assert runs.find() == []
