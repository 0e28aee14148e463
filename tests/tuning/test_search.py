"""search: Optuna chooses, thalweg trains, nothing is lost and nothing done twice."""

import collections
import threading
import warnings

import numpy as np
import pytest

import thalweg
from thalweg import layers
from thalweg.errors import (
    ArgumentError,
    DataError,
    MissingPackageError,
    NameNotFoundError,
    ProcessError,
    StorageError,
)
from thalweg.processes import job
from thalweg.tuning import Float, search
from thalweg.tuning import claims as claims_module
from thalweg.tuning.claims import Claims, counted, origin
from thalweg.tuning.studies import open_study, storage_at

pytestmark = pytest.mark.needs("optuna")


def data(rows=160):
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 4)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] ** 2 > 0.5).astype(np.int32)


X, Y = data()


def build(units=4, rate=0.01):
    model = thalweg.Sequential([layers.Input((4,)), layers.Dense(units, "relu"), layers.Dense(2, "softmax")])
    model.compile(thalweg.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def quick(space=None, **given):
    space = {"rate": Float(1e-3, 0.3, log=True)} if space is None else space
    return search(build, X, Y, space, **{"trials": 3, "epochs": 2, "verbose": 0, **given})


class TestWhatComesBack:
    def test_the_model_is_the_best_trials_with_the_weights_of_its_best_epoch(self):
        found = quick(trials=4, epochs=3, pruner=None)
        values = [trial.value for trial in found.trials]
        assert len(values) == 4
        assert found.best.value == min(values)
        held = thalweg.evaluation.cross_validation.dealt(Y, len(X), 5, "auto", None, 1, 0)[0][1]
        assert found.model.evaluate(X[held], Y[held], verbose=0)[0] == pytest.approx(found.best.value, rel=1e-5)
        assert found.values.keys() == {"rate"}

    def test_a_trial_alone_gives_the_same_bits(self):
        found = quick(trials=2, epochs=2, pruner=None, sampler="random")
        again = quick(trials=2, epochs=2, pruner=None, sampler="random", threads=1)
        assert [trial.value for trial in found.trials] == [trial.value for trial in again.trials]
        assert all(
            np.array_equal(a, b) for a, b in zip(found.model.get_weights(), again.model.get_weights(), strict=True)
        )

    def test_larger_is_better_where_the_metric_says_so(self):
        found = quick(metric="val_accuracy", pruner=None)
        assert found.rises
        assert found.best.value == max(trial.value for trial in found.trials)

    def test_folds_are_averaged_and_the_model_sees_all_rows(self):
        found = quick(cv=2, trials=2, epochs=1)
        assert [trial.epochs for trial in found.trials] == [2, 2]
        assert found.model.history.epoch == [0]

    def test_it_is_told_as_a_table_and_as_values(self):
        found = quick(trials=2)
        assert "val_loss" in str(found)
        assert "2 trials" in str(found)
        values = found.to_dict()
        assert values["best"] == found.best.number
        assert len(values["trials"]) == 2
        assert found.trial_seconds > 0

    def test_what_matters_is_known_and_drawn(self, pyplot):
        found = quick(trials=4, space={"rate": Float(1e-3, 0.3, log=True), "units": [2, 8]}, pruner=None, epochs=1)
        assert sum(found.importance().values()) == pytest.approx(1)
        for plot in (found.plot_importance, found.plot_slices, found.plot_history):
            assert plot() is not None


class TestItsRun:
    """search(run=...): what is tried is recorded, and the best model kept."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("THALWEG_RUNS", str(tmp_path))

    def test_trials_are_recorded_as_they_end_and_the_model_is_kept(self):
        found = quick(trials=3, pruner=None, run="rates")
        (run,) = thalweg.runs.find()
        assert (run.name, run.kind, run.status, run.parts) == ("rates", "search", "finished", [])
        assert run.trials == list(found.trials)
        assert run.results == {"best_val_loss": found.best.value, "trials": 3}
        assert (run.settings["best_trial"], run.settings["best.rate"]) == (found.best.number, found.values["rate"])
        assert (run.settings["metric"], run.settings["mode"], run.settings["sampler"]) == ("val_loss", "min", "tpe")
        kept = thalweg.runs.load_model_of(run.number)
        assert np.array_equal(kept.predict(X, verbose=0), found.model.predict(X, verbose=0))

    def test_a_failure_is_recorded_and_the_last_training_is_a_part_of_the_run(self):
        with pytest.raises(ArgumentError):
            quick({"rate": [-1.0]}, trials=2, run="bad")
        with thalweg.runs.start("folds") as owner:
            quick(cv=2, trials=1, epochs=1, run=owner)
        folds, bad = thalweg.runs.find()
        assert (bad.status, [trial.ended[:6] for trial in bad.trials]) == ("failed", ["failed"] * 2)
        assert (folds.parts, len(folds.trials)) == ([0], 1)


class TestWhatIsTried:
    def test_a_grid_is_tried_whole_and_each_place_once(self):
        found = quick({"units": [2, 4], "batch_size": [32, 64]}, sampler="grid", trials=None, epochs=1, pruner=None)
        places = collections.Counter(tuple(sorted(trial.values.items())) for trial in found.trials)
        assert len(places) == 4
        assert set(places.values()) == {1}

    @pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes"])
    def test_samplers_begin_alike_with_the_same_seed(self, sampler):
        if sampler == "cmaes":
            pytest.importorskip("cmaes")
        first, second = (
            quick({"rate": Float(1e-3, 0.3, log=True)}, sampler=sampler, trials=2, epochs=1, pruner=None, seed=5)
            for _ in "ab"
        )
        assert [one.values for one in first.trials] == [one.values for one in second.trials]

    @pytest.mark.parametrize("pruner", ["halving", "hyperband", "median"])
    def test_a_hopeless_trial_ends_early(self, pruner):
        rates = iter([0.05] * 6 + [1e-7] * 6)
        lock = threading.Lock()

        def uneven(units=4):
            with lock:
                return build(4, next(rates))

        found = search(uneven, X, Y, {"units": [4]}, trials=12, epochs=9, pruner=pruner, threads=1, verbose=0)
        late = found.trials[6:]
        assert sum(trial.ended == "stopped early" for trial in late) >= 3
        assert all(trial.epochs < 9 for trial in late if trial.ended)

    def test_the_time_limit_ends_it(self):
        found = quick(trials=None, time_limit=0.3, epochs=1)
        assert found.trials
        assert found.seconds < 30


class TestBadInput:
    @pytest.mark.parametrize(
        ("given", "error", "words"),
        [
            ({"trials": None}, ArgumentError, "when it ends"),
            ({"space": {"unit": [1]}}, NameNotFoundError, "nobody takes"),
            ({"metric": "val_nothing"}, ArgumentError, "more or less"),
            ({"metric": "val_nothing", "mode": "max"}, ArgumentError, "not measured"),
            ({"mode": "up"}, ArgumentError, "mode"),
            ({"sampler": "dice"}, ArgumentError, "sampler"),
            ({"pruner": "shears"}, ArgumentError, "pruner"),
            ({"storage": "place"}, ArgumentError, "neither a file nor a database"),
            ({"storage": "/nowhere/there.db"}, StorageError, "cannot be opened"),
            ({"storage": "/nowhere/there.log"}, StorageError, "cannot be opened"),
            ({"space": {"rate": Float(0.1, 0.2)}, "sampler": "grid"}, ArgumentError, "no end of values"),
            ({"validation_split": 0.2}, ArgumentError, "validation"),
            ({"epoch": 3}, NameNotFoundError, "did you mean 'epochs'"),
            ({"cv": 2, "validation_data": (X, Y)}, ArgumentError, "both"),
            ({"validation": 1.5}, ArgumentError, "validation"),
            ({"callbacks": [thalweg.callbacks.EarlyStopping()]}, ArgumentError, "callbacks"),
        ],
    )
    def test_it_is_refused(self, given, error, words):
        with pytest.raises(error, match=words):
            quick(**given)

    def test_too_few_rows(self):
        with pytest.raises(DataError):
            search(build, X[:1], Y[:1], {"units": [2]}, trials=1)

    def test_where_every_trial_fails_the_reason_is_said(self):
        def broken(units):
            raise ValueError("no such network")

        with pytest.raises(ArgumentError, match="every trial failed") as raised:
            search(broken, X, Y, {"units": [1, 2]}, trials=20, verbose=0)
        assert "no such network" in raised.value.got

    def test_one_that_fails_or_diverges_is_part_of_the_result(self):
        def sometimes(units):
            if units == 2:
                raise ValueError("not two")
            return build(4, 1e30 if units == 3 else 0.01)

        space = {"units": [1, 2, 3]}
        found = search(sometimes, X, Y, space, sampler="grid", epochs=2, pruner=None, verbose=0)
        ended = {trial.values["units"]: trial.ended for trial in found.trials}
        assert ended[1] == ""
        assert ended[2] == "failed: ValueError: not two"
        assert ended[3] == "diverged"


class Nothing(thalweg.callbacks.Callback):
    """Takes the loss of the validation away."""

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = float("nan")


def test_a_metric_that_is_no_number_ends_the_trial_and_not_the_search():
    with pytest.raises(ArgumentError, match="no trial has come to its end"):
        quick(callbacks=lambda: [Nothing()], trials=2)


class TestStorage:
    @pytest.mark.parametrize("name", ["kept.log", "kept.db"])
    def test_a_search_goes_on_where_it_ended(self, tmp_path, name):
        place = tmp_path / name
        first = quick(storage=place, trials=2, pruner=None)
        second = quick(storage=place, trials=4, pruner=None)
        assert len(second.trials) == 4
        assert [one.values for one in second.trials[:2]] == [one.values for one in first.trials]

    def test_the_best_of_an_earlier_call_comes_back_with_the_same_bits(self, tmp_path):
        place = tmp_path / "kept.log"
        first = quick(storage=place, pruner=None)
        second = quick(storage=place, pruner=None)
        assert all(
            np.array_equal(a, b) for a, b in zip(first.model.get_weights(), second.model.get_weights(), strict=True)
        )

    def test_another_search_of_the_same_name_is_refused(self, tmp_path):
        place = tmp_path / "kept.log"
        quick(storage=place, trials=1)
        with pytest.raises(ArgumentError, match="already, for something else"):
            quick({"units": [2, 4]}, storage=place, trials=1)
        assert len(quick({"units": [2, 4]}, storage=place, trials=1, name="other").trials) == 1

    def test_a_storage_that_fills_up_is_said_and_the_search_goes_on_later(self, tmp_path, monkeypatch):
        place = tmp_path / "kept.log"
        quick(storage=place, trials=1)
        journal = pytest.importorskip("optuna.storages.journal").JournalFileBackend
        append = journal.append_logs
        left = iter(range(8))

        def full(self, logs):
            if next(left, None) is None:
                raise OSError(28, "No space left on device")
            append(self, logs)

        monkeypatch.setattr(journal, "append_logs", full)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "trials could not be given back")  # if some were running just then
            with pytest.raises(StorageError, match="cannot be written"):
                quick(storage=place, trials=4)
        monkeypatch.setattr(journal, "append_logs", append)
        assert len(quick(storage=place, trials=2).trials) >= 2

    def test_a_damaged_file_is_no_traceback(self, tmp_path):
        place = tmp_path / "kept.db"
        place.write_bytes(b"no database" * 100)
        with pytest.raises(StorageError, match="cannot be opened"):
            quick(storage=place)


class TestClaims:
    """Trials of a process that is gone."""

    @pytest.fixture
    def study(self, storage):
        return open_study(storage, "search", False, {"space": ""})

    @pytest.fixture
    def storage(self, tmp_path):
        return storage_at(str(tmp_path / "kept.log"))

    @pytest.fixture
    def dead(self, study, storage, monkeypatch):
        """A trial of a process of this machine that is gone, with one of its values chosen."""
        monkeypatch.setattr(claims_module, "_this_process", lambda: "here 999999999:1")
        trial = Claims(study, storage, True).next()
        trial.suggest_float("rate", 0.1, 0.2)
        monkeypatch.setattr(claims_module, "_this_process", lambda: "here 1:2")
        return trial

    def test_it_is_repeated_with_its_values_and_counts_once(self, study, storage, dead):
        mine = Claims(study, storage, True)
        mine.recover()
        again = mine.next()
        assert origin(again) == dead.number
        assert again.number != dead.number
        assert again.suggest_float("rate", 0.1, 0.2) == dead.params["rate"]
        assert [counted(trial) for trial in study.get_trials()] == [False, True]
        mine.recover()
        assert len(study.get_trials()) == 2

    def test_what_is_given_back_waits_for_the_next(self, study, storage):
        mine = Claims(study, storage, True)
        trial = mine.next()
        mine.give_back(trial)
        assert origin(mine.next()) == trial.number

    def test_another_machine_is_trusted_while_it_says_something(self, study, storage, monkeypatch):
        monkeypatch.setattr(claims_module, "_this_process", lambda: "there 7:1")
        other = Claims(study, storage, True)
        trial = other.next()
        monkeypatch.setattr(claims_module, "_this_process", lambda: "here 1:2")
        mine = Claims(study, storage, True)
        assert not mine.recover(now=0.0)  # not known yet
        trial.set_user_attr("beat", 1)
        assert mine.recover(now=50.0)
        assert not mine.recover(now=100.0)
        mine.recover(now=111.0)  # silent for more than a minute
        assert not counted(study.get_trials()[0])

    def test_a_process_is_alive_until_it_ends(self):
        process = claims_module._this_process().rpartition(" ")[2]
        assert claims_module._lives(process)
        assert not claims_module._lives(process.split(":")[0] + ":0")
        assert not claims_module._lives("999999999:1")


def test_a_search_without_optuna_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(MissingPackageError, match="Optuna"):
        quick()


TABLE = {
    "size": list(np.round(X[:60, 0].astype(float), 3)),
    "kind": ["a" if one > 0 else "b" for one in X[:60, 1]],
    "y": ["yes" if one else "no" for one in Y[:60]],
}


class TestTables:
    """tune_table: the same search over the settings of a table's network."""

    def test_the_usual_settings_are_tried_first_and_to_their_end(self):
        found = thalweg.tune_table(
            TABLE,
            "y",
            {"units": [(4,), (128, 128)], "dropout": [0.0, 0.15]},
            trials=3,
            epochs=2,
            members=1,
            verbose=0,
        )
        assert found.trials[0].values == {"units": (128, 128), "dropout": 0.15}
        assert found.trials[0].ended == ""
        assert isinstance(found.model, thalweg.TableModel)
        assert len(found.model.predict(TABLE, verbose=0)) == 60

    def test_a_space_without_them_is_fine(self):
        space = {"units": [(3,)], "waves": [0]}
        found = thalweg.tune_table(TABLE, "y", space, trials=1, epochs=1, members=1, verbose=0)
        assert found.values == {"units": (3,), "waves": 0}

    def test_bad_input_is_refused(self):
        with pytest.raises(NameNotFoundError, match="nobody takes"):
            thalweg.tune_table(TABLE, "y", {"unit": [1]}, trials=1)
        with pytest.raises(ArgumentError, match="when it ends"):
            thalweg.tune_table(TABLE, "y")
        with pytest.raises(NameNotFoundError):
            thalweg.tune_table(TABLE, "z", trials=1)


def test_several_processes_that_train_together_search_nothing(monkeypatch):
    class Board:
        def put(self, name, note):
            """The first process waits for nobody."""

    monkeypatch.setattr(job, "_current", job.Job(0, 2, Board()))
    with pytest.raises(ProcessError, match="a search makes each trial in one process"):
        quick()
