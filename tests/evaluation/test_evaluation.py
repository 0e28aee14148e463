"""Splitting, cross-validation and comparison."""

import sys

import numpy as np
import pytest
from tests import nets
from tests.evaluation.test_population import ctrl_c_after_three_epochs

import thalweg
from thalweg import layers, optimizers
from thalweg.callbacks import EarlyStopping
from thalweg.errors import ArgumentError, DataError, MissingPackageError, NameNotFoundError, ShapeError
from thalweg.evaluation import FoldNotice, compare, cross_validate, train_validation_test_split

X, Y = nets.points(150)


def build(optimizer="adam", metrics=("accuracy", "f1_score")):
    model = thalweg.Sequential([layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=list(metrics))
    return model


class TestSplit:
    def test_arrays_go_together(self):
        (x, y, number), validation, test = train_validation_test_split(X, Y, np.arange(150), stratify=Y)
        assert len(x) == 90
        for part in ((x, y, number), validation, test):
            np.testing.assert_array_equal(part[0], X[part[2]])
            np.testing.assert_array_equal(part[1], Y[part[2]])
            np.testing.assert_allclose(np.bincount(part[1]) / len(part[1]), np.bincount(Y) / 150, atol=0.04)

    def test_rows_and_sizes(self):
        split = train_validation_test_split({"a": X, "b": Y}, validation_size=0, test_size=30, seed=3)
        assert (len(split.train_rows), len(split.validation_rows), len(split.test_rows)) == (120, 0, 30)
        np.testing.assert_array_equal(split.test[0]["b"], Y[split.test_rows])

    def test_groups_and_time(self):
        groups = np.arange(150) // 10
        split = train_validation_test_split(X, groups=groups)
        assert not set(groups[split.train_rows]) & set(groups[split.test_rows])
        later = train_validation_test_split(X, time=-np.arange(150))
        assert later.test_rows.max() < later.validation_rows.min() < later.train_rows.min()

    def test_what_cannot_be(self):
        rare = np.array([0] * 9 + [1])
        for error, arrays, options in (
            (ArgumentError, (X,), {"stratify": Y, "groups": Y}),
            (ArgumentError, (X,), {"seed": -1}),
            (ShapeError, (X, Y[:3]), {}),
            (ShapeError, (X,), {"time": Y[:3]}),
            (DataError, (X,), {"stratify": X[:, 0]}),
            (DataError, ([],), {}),
            (DataError, (X,), {"test_size": 0.9}),
            (DataError, (rare,), {"stratify": np.arange(10)}),
        ):
            with pytest.raises(error) as caught:
                train_validation_test_split(*arrays, **options)
            assert all((caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))


class TestCrossValidation:
    def test_each_fold_is_a_fit_alone(self):
        found = cross_validate(build, X, Y, folds=4, seed=5, epochs=3, batch_size=16, verbose=0)
        thalweg.utils.set_random_seed(5)
        for number, (train, held) in enumerate(found.folds):
            alone = build()
            history = alone.fit(
                X[train], Y[train], validation_data=(X[held], Y[held]), epochs=3, batch_size=16, verbose=0
            )
            assert history.history["val_loss"] == found.histories[number].history["val_loss"]
            scores = alone.evaluate(X[held], Y[held], verbose=0, return_dict=True)
            assert scores["accuracy"] == found.scores["accuracy"][number]
            np.testing.assert_array_equal(scores["f1_score"], found.scores["f1_score"][number])
            np.testing.assert_array_equal(found.predictions[held], alone.predict(X[held], verbose=0))
        assert found.mean["accuracy"] == pytest.approx(np.mean(found.scores["accuracy"]))
        assert found.deviation["loss"] == pytest.approx(np.std(found.scores["loss"], ddof=1))
        assert found.mean["f1_score"].shape == (3,)

    def test_printed(self):
        lines = str(cross_validate(build, X, Y, folds=3, verbose=0)).splitlines()
        assert lines[0].split() == ["fold", "trained", "on", "held", "out", "loss", "accuracy"]
        assert lines[2].split()[:3] == ["1", "100", "50"]
        assert [line.split()[0] for line in lines[2:]] == ["1", "2", "3", "mean", "deviation"]

    def test_repeated(self):
        found = cross_validate(build, X, Y, folds=3, repeats=2, verbose=0)
        assert len(found.histories) == len(found.scores["loss"]) == 6
        assert not np.array_equal(found.folds[0][1], found.folds[3][1])
        np.testing.assert_allclose(found.predictions.sum(1), 1, rtol=1e-5)

    def test_stratified_when_the_targets_are_classes(self):
        found = cross_validate(build, X, Y, folds=5, verbose=0)
        for _, held in found.folds:
            assert np.abs(np.bincount(Y[held], minlength=3) - np.bincount(Y) / 5).max() < 1

    def test_regression_groups_weights_and_several_inputs(self):
        left, right = thalweg.Input((2,), name="left"), thalweg.Input((2,), name="right")

        def two_inputs():
            hidden = layers.Dense(1)
            model = thalweg.Model([left, right], [hidden(left), layers.Dense(1)(right)])
            model.compile("sgd", "mse")
            return model

        x, y = {"left": X[:, :2], "right": X[:, 2:]}, (X[:, 0], X[:, 1])
        groups = np.arange(150) // 7
        found = cross_validate(
            two_inputs, x, y, groups=groups, sample_weight=np.ones(150), verbose=0, callbacks=lambda: [EarlyStopping()]
        )
        assert [output.shape for output in found.predictions] == [(150, 1), (150, 1)]
        for train, held in found.folds:
            assert not set(groups[train]) & set(groups[held])

    def test_by_time(self):
        """Each fold is a fit alone on what came before; the first stretch is never judged."""
        time = np.random.default_rng(0).permutation(150)
        found = cross_validate(build, X, Y, folds=4, time=time, seed=5, epochs=2, verbose=0)
        assert [len(train) for train, _ in found.folds] == [30, 60, 90, 120]
        for train, held in found.folds:
            assert time[train].max() < time[held].min()
        thalweg.utils.set_random_seed(5)
        for number, (train, held) in enumerate(found.folds):
            alone = build()
            alone.fit(X[train], Y[train], epochs=2, verbose=0)
            assert alone.evaluate(X[held], Y[held], verbose=0)[1] == found.scores["accuracy"][number]
            np.testing.assert_array_equal(found.predictions[held], alone.predict(X[held], verbose=0))
        np.testing.assert_array_equal(np.isnan(found.predictions).any(1), time < 30)

    @pytest.mark.parametrize("missing", [np.nan, np.datetime64("NaT", "D")])
    def test_a_time_is_missing(self, missing):
        time = np.full(150, missing)
        time[1:] = 1
        with pytest.raises(DataError, match="a time is missing"):
            cross_validate(build, X, Y, time=time)

    def test_build_must_make_new_models(self):
        model = build()
        for mistake in (model, lambda: model, lambda: None):
            with pytest.raises(ArgumentError, match="cross_validate"):
                cross_validate(mistake, X, Y, verbose=0)
            if mistake is not model:
                with pytest.raises(ArgumentError, match="compare"):
                    compare(mistake, X, Y, learning_rates=[0.1, 0.2], verbose=0)

    @pytest.mark.parametrize("other", [{"groups": Y}, {"stratify": True}, {"repeats": 2}])
    def test_by_time_and_otherwise(self, other):
        with pytest.raises(ArgumentError, match=f"'time' and '{next(iter(other))}'"):
            cross_validate(build, X, Y, time=np.arange(150), **other)

    def test_by_time_without_a_class_at_first(self):
        with pytest.raises(DataError, match="fold 1 of 5 leaves no sample of a class"):
            cross_validate(build, X, np.sort(Y), time=np.arange(150), verbose=0)

    def test_a_class_that_cannot_be_trained_on(self):
        y = np.where(np.arange(150) == 7, 2, Y % 2)
        with pytest.raises(DataError, match="leaves no sample of a class") as caught:
            cross_validate(build, X, y, verbose=0)
        assert "class 2" in caught.value.got

    def test_a_class_that_is_not_judged(self):
        y = np.where(np.isin(np.arange(150), (7, 8, 9)), 2, Y % 2)
        with pytest.warns(FoldNotice, match="no sample of class 2, of which there are 3"):
            cross_validate(build, X, y, verbose=0)

    def test_what_cannot_be(self):
        for error, options in (
            (ArgumentError, {"folds": 1}),
            (DataError, {"folds": 151}),
            (ArgumentError, {"repeats": 0}),
            (ArgumentError, {"seed": -1}),
            (ArgumentError, {"validation_data": (X, Y)}),
            (ArgumentError, {"stratify": "yes"}),
            (ArgumentError, {"callbacks": [EarlyStopping()]}),
            (ShapeError, {"groups": Y[:5]}),
        ):
            with pytest.raises(error) as caught:
                cross_validate(build, X, Y, **options)
            assert all((caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))
        with pytest.raises(DataError, match="needs classes"):
            cross_validate(build, X, X[:, 0], stratify=True)

    def test_ctrl_c(self):
        with pytest.raises(KeyboardInterrupt, match="not trained to their end"):
            cross_validate(build, X, Y, epochs=10**6, callbacks=ctrl_c_after_three_epochs(), verbose=0)

    def test_other_rows_to_stop_by(self):
        found = cross_validate(build, X, Y, epochs=2, validation_split=0.25, verbose=0)
        thalweg.utils.set_random_seed(0)
        train, _ = found.folds[0]
        alone = build().fit(X[train], Y[train], epochs=2, validation_split=0.25, verbose=0)
        assert alone.history["val_loss"] == found.histories[0].history["val_loss"]

    def test_the_process_keeps_its_seed(self):
        thalweg.utils.set_random_seed(1)
        first = thalweg.config.new_seed()
        thalweg.utils.set_random_seed(1)
        cross_validate(build, X, Y, folds=2, verbose=0)
        assert thalweg.config.new_seed() == first


class TestComparison:
    def test_settings_are_fits_alone_from_the_same_start(self):
        found = compare(
            build, X, Y, optimizers=["sgd", "adam"], learning_rates=[0.1, 0.01], seed=2, epochs=3, verbose=0
        )
        assert list(found.histories) == ["sgd 0.1", "sgd 0.01", "adam 0.1", "adam 0.01"]
        thalweg.utils.set_random_seed(2)
        alone = build(optimizers.Adam(0.01))
        assert alone.fit(X, Y, epochs=3, verbose=0).history["loss"] == found.histories["adam 0.01"].history["loss"]
        assert nets.same_bits(alone, found.models["adam 0.01"])

    def test_ranking_and_table(self):
        rates = [1e-4, 1e-2, 1e35]
        with np.errstate(all="ignore"):
            found = compare(
                lambda: nets.regressor(metrics=["rmse"]),
                X[:, :2],
                X[:, 2],
                learning_rates=rates,
                validation_split=0.2,
                epochs=2,
                verbose=0,
            )
        assert found.ranking[-1] == "1e+35"
        assert found.histories["1e+35"].stopped_by == "non-finite loss"
        losses = [found.histories[name].history["val_loss"][-1] for name in found.ranking[:2]]
        assert losses == sorted(losses)
        assert found.best == found.ranking[0]
        lines = str(found).splitlines()
        assert lines[1].split()[:4] == ["setting", "epochs", "loss", "rmse"]
        assert lines[3].split()[:2] == [found.best, "2"]
        assert lines[-1].endswith("non-finite loss")

    def test_networks_and_optimizers_by_name(self):
        found = compare(
            {"one": build, "two": build}, X, Y, optimizers={"slow": optimizers.SGD(1e-4)}, callbacks=None, verbose=0
        )
        assert list(found.histories) == ["one slow", "two slow"]
        assert found.histories["one slow"].history["loss"] == found.histories["two slow"].history["loss"]
        assert list(compare(build, X, Y, verbose=0).histories) == ["model"]

    def test_what_cannot_be(self):
        for options in ({"optimizers": []}, {"optimizers": ["sgd", "sgd"]}, {"learning_rates": [-1.0]}):
            with pytest.raises(ArgumentError):
                compare(build, X, Y, **options)
        with pytest.raises(NameNotFoundError):
            compare(build, X, Y, optimizers=["adamm"])


class TestPlots:
    def test_curves(self, pyplot):
        found = compare(build, X, Y, learning_rates=[0.1, 0.01], epochs=3, validation_split=0.2, verbose=0)
        ax = found.plot("accuracy")
        assert len(ax.lines) == 4
        shown = {tuple(line.get_ydata()) for line in ax.lines}
        assert tuple(found.histories["0.1"].history["val_accuracy"]) in shown
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0.1", "0.01"]
        folds = cross_validate(build, X, Y, folds=2, epochs=2, verbose=0)
        assert folds.plot(ax=pyplot.subplots()[1]).get_yscale() == "log"

    def test_no_such_curve_and_no_matplotlib(self, monkeypatch):
        found = compare(build, X, Y, verbose=0)
        with pytest.raises(NameNotFoundError, match="did you mean 'accuracy'"):
            found.plot("acuracy")
        monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
        with pytest.raises(MissingPackageError):
            found.plot()
