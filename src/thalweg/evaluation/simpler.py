"""Is a network worth it? Simpler models on the same rows, by scikit-learn, and a paired comparison with each."""

from __future__ import annotations

import pickle
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.checks import checked
from thalweg.errors import ArgumentError, NameNotFoundError, did_you_mean
from thalweg.evaluation.answers import Answers, answers
from thalweg.evaluation.bootstrap import LEVEL, Score, drawn, draws, number
from thalweg.evaluation.scores import of_classes, of_numbers, scores
from thalweg.evaluation.section import Section, fitted, short
from thalweg.extras import needed
from thalweg.fields import dataclass
from thalweg.plotting import axes
from thalweg.table import Table

MOST_ROWS = 100_000
"""Of more rows a simpler model is trained on so many, drawn at random: it should not take longer than the network."""

MOST_CATEGORIES = 250
"""scikit-learn's gradient boosting takes at most 255 of a column; columns of more are numbers to it."""

FALLING = ("RMSE", "MAE", "log loss", "Brier score")
"""Scores of which less is better."""


@dataclass(frozen=True)
class Entrant:
    """One of the models compared.

    Attributes:
        scores: on the rows held out.
        seconds, size: to train it and in bytes; NaN where unknown.
        lead: by how much the network is better, in the score compared by, on the same rows; empty for the network.
    """

    name: str
    scores: Mapping[str, Score]
    seconds: float
    size: float
    lead: Score


@dataclass(frozen=True)
class Baselines(Section):
    """A network beside simpler models that were trained on the same rows.

    Attributes:
        score: what they are compared by.
        entrants: the network first, then from the simplest on.
        rows: how many rows they are compared on.
        trained_on: how many rows the simpler models were trained on.
        of: how many the network had.
    """

    key: ClassVar = "baselines"
    heading: ClassVar = "Is the network worth it?"

    score: str
    entrants: tuple[Entrant, ...]
    rows: int
    trained_on: int
    of: int

    def table(self) -> Table:
        rows = [
            [
                short(one.name, 20),
                number(one.scores[self.score].value),
                one.scores[self.score].interval,
                one.lead.interval,
                "-" if np.isnan(one.seconds) else f"{one.seconds:.0f}" if one.seconds >= 100 else f"{one.seconds:.3g}",
                "-" if np.isnan(one.size) else _bytes(one.size),
            ]
            for one in self.entrants
        ]
        head = ["model", self.score, "95 %", "network's lead", "seconds", "size"]
        if fitted(head, rows) < len(head):  # the interval of the lead is what decides
            head, rows = head[:2] + head[3:], [row[:2] + row[3:] for row in rows]
        return Table(f"on the same {self.rows} rows", head, rows)

    @property
    def as_good(self) -> list[Entrant]:
        """Those that the network is not shown to be better than, the simplest first."""
        return [one for one in self.entrants[1:] if not one.lead.low > 0]

    def sentences(self) -> list[str]:
        said = []
        if self.trained_on < self.of:
            said.append(f"The simpler models were trained on {self.trained_on} of the {self.of} rows.")
        if not self.as_good:
            said.append(f"The network is better than each simpler model here ({self.score}, paired, 95 %).")
        better = [one.name for one in self.entrants[1:] if one.lead.high < 0]
        if better:
            said.append(f"Better than the network: {' and '.join(better)} ({self.score}, paired, 95 %).")
        for one in [one for one in self.as_good if one.name not in better][:1]:
            said.append(
                f"A simpler model does as well, as far as {self.rows} rows can show: {one.name}. "
                f"The difference in {self.score}, {number(one.lead.value)} {one.lead.interval}, may be chance."
            )
        return said

    def plot(self, ax: Any = None) -> Any:
        """Draw the score of each with its interval; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        ax = axes(ax)
        own = [one.scores[self.score] for one in self.entrants]
        place = np.arange(len(own))[::-1]
        values = np.array([score.value for score in own])
        ends = np.nan_to_num([[score.value - score.low, score.high - score.value] for score in own]).T
        ax.errorbar(values, place, xerr=np.maximum(ends, 0), fmt="o", color="C0", capsize=3)
        ax.set_yticks(place, [short(one.name, 24) for one in self.entrants])
        ax.set_ylim(-0.5, len(own) - 0.5)
        ax.locator_params(axis="x", nbins=5)
        ax.set_xlabel(self.score)
        return ax


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


@dataclass(frozen=True)
class Features:
    """Inputs as simpler models take them.

    Attributes:
        numbers: (rows, k) float64, NaN where one is missing.
        codes: (rows, c): numbers of categories.
    """

    numbers: np.ndarray
    codes: np.ndarray

    @classmethod
    def of(cls, inputs: Any) -> Features:
        """From what ``TableModel.encode`` gives, or from an array of numbers (rows, k)."""
        arrays = inputs if isinstance(inputs, Mapping) else {"numbers": np.asarray(inputs)}
        rows = len(next(iter(arrays.values())))
        numbers, codes = [np.empty((rows, 0))], [np.empty((rows, 0), np.int64)]
        for array in arrays.values():
            flat = array.reshape(rows, -1)
            if flat.dtype == np.int64 and (flat == np.iinfo(np.int64).min).any():  # a moment that is missing
                flat = np.where(flat == np.iinfo(np.int64).min, np.nan, flat.astype(np.float64))
            (codes if flat.dtype.kind == "i" and flat.dtype.itemsize < 8 else numbers).append(flat)
        return cls(np.concatenate(numbers, 1).astype(np.float64), np.concatenate(codes, 1).astype(np.int64))

    @property
    def all(self) -> np.ndarray:
        """Both, the codes last. Shapes: (rows, k + c)."""
        return np.concatenate([self.numbers, self.codes], 1)

    def take(self, rows: np.ndarray) -> Features:
        """Some of the rows."""
        return Features(self.numbers[rows], self.codes[rows])


@checked
def baselines(
    train: tuple[Any, Any],
    test: tuple[Any, Any],
    predictions: Any,
    *,
    classes: Any = None,
    targets: Any = None,
    score: str | None = None,
    seconds: float | None = None,
    size: int | None = None,
    threads: int | None = None,
    seed: int = 0,
) -> Baselines:
    """Train linear or logistic regression, gradient boosting and a random forest, and set a network beside them.

    Whether a simpler model does as well is decided on the same rows: drawn anew, both models are judged by the rows
    drawn, and the difference of their scores has an interval of its own. It is much narrower than those of the scores.

    Arguments:
        train, test: (inputs, targets), inputs as numbers (rows, k) or as ``TableModel.encode`` gives them.
        predictions: what the network says of the test rows.
        classes, targets: as for ``judge_predictions``.
        score: to compare by; the area under the ROC curve of two classes, the accuracy of more, RMSE or mean R2 unless
            given.
        seconds, size: what the network took to train, and its bytes.
        threads: that the simpler models may use; all unless given.
        seed: of the models and of the bootstrap.

    Raises: MissingPackageError without scikit-learn; NameNotFoundError for a score that there is not; as
        ``judge_predictions`` for what does not fit.
    """
    require_sklearn()
    known = answers(test[1], predictions, classes=classes, targets=targets)
    taught = answers(train[1], _any_predictions(train[1], known), classes=known.classes, targets=known.targets)
    inputs, held = Features.of(train[0]), Features.of(test[0])
    rows = np.arange(len(taught.truth))
    if len(rows) != len(inputs.numbers) or known.rows != len(held.numbers):
        raise ArgumentError(
            "baselines: inputs and targets do not fit each other",
            expected="a target for each row",
            got=f"{len(inputs.numbers)} and {len(held.numbers)} rows, {len(rows)} and {known.rows} targets",
            fix="pass train=(x, y), test=(x_test, y_test)",
        )
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_ROWS, replace=False))
    names = (of_classes if known.classes else of_numbers)(known)[0]
    by = _score(score, names, known)
    nan = float("nan")
    network = Entrant("the network", scores(known, seed), seconds or nan, size or nan, Score(nan))
    entrants = [network]
    for name, model in models(inputs, known, threads, seed):
        begin = time.perf_counter()
        _fit(model, inputs.take(rows), taught.truth[rows], threads)
        took = time.perf_counter() - begin
        own = Answers(known.truth, _said(model, held, known), known.classes, known.targets)
        lead = _lead(known, own, names.index(by), -1 if by.startswith(FALLING) else 1, seed)
        entrants.append(Entrant(name, scores(own, seed), took, float(len(pickle.dumps(model))), lead))
    return Baselines(by, tuple(entrants), known.rows, len(rows), len(taught.truth))


def require_sklearn() -> None:
    """Raises: MissingPackageError without scikit-learn."""
    needed(
        "sklearn",
        "baselines need scikit-learn, which is not installed",
        expected="the package scikit-learn",
        fix="pip install 'thalweg[baselines]'",
    )


def models(inputs: Features, known: Answers, threads: int | None, seed: int) -> Iterator[tuple[str, Any]]:
    """Name and estimator, from the simplest on, as people use them: scikit-learn's defaults.

    Missing numbers become the median with a flag, and categories one-hot, for the linear model; the others take both
    as they are.
    """
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    k, c = inputs.numbers.shape[1], inputs.codes.shape[1]
    numeric = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    prepared = make_column_transformer(
        (numeric, list(range(k))), (OneHotEncoder(handle_unknown="ignore", sparse_output=False), list(range(k, k + c)))
    )
    few = [k + at for at in range(c) if inputs.codes[:, at].max(initial=0) < MOST_CATEGORIES]
    boosted = {"categorical_features": few or None, "random_state": seed}
    forest = {"n_jobs": threads or -1, "random_state": seed}
    if known.classes:
        yield "logistic regression", make_pipeline(prepared, LogisticRegression(max_iter=1000))
        yield "gradient boosting", HistGradientBoostingClassifier(**boosted)
        yield "random forest", RandomForestClassifier(**forest)
    else:
        boosting = HistGradientBoostingRegressor(**boosted)
        several = len(known.targets) > 1
        yield "linear regression", make_pipeline(prepared, Ridge())
        yield "gradient boosting", MultiOutputRegressor(boosting) if several else boosting
        yield "random forest", RandomForestRegressor(**forest)


def _fit(model: Any, inputs: Features, truth: np.ndarray, threads: int | None) -> None:
    from threadpoolctl import threadpool_limits  # scikit-learn brings it

    with warnings.catch_warnings(), threadpool_limits(threads):
        warnings.simplefilter("ignore")  # about convergence, or columns without a value: what comes out is judged
        model.fit(inputs.all, truth[:, 0] if truth.ndim == 2 and truth.shape[1] == 1 else truth)


def _said(model: Any, inputs: Features, known: Answers) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not known.classes:
            return np.asarray(model.predict(inputs.all), np.float64).reshape(known.truth.shape)
        chances = model.predict_proba(inputs.all)
    said = np.zeros_like(known.said)  # a class that was not there in training gets nothing
    said[:, model.classes_] = chances
    return said


def _any_predictions(truth: Any, known: Answers) -> np.ndarray:
    """Predictions of the right shape, for targets to be read beside."""
    rows = len(np.asarray(truth))
    return np.tile(known.said[0], (rows, 1))


def _score(asked: str | None, names: Sequence[str], known: Answers) -> str:
    if asked is None:
        usual = "mean R2" if len(known.targets) > 1 else "RMSE"
        return ("ROC AUC" if len(known.classes) == 2 else "accuracy") if known.classes else usual
    if asked not in names:
        raise NameNotFoundError(
            "there is no such score",
            expected=f"one of {', '.join(names)}",
            got=repr(asked),
            fix=did_you_mean(asked, names),
        )
    return asked


def _lead(network: Answers, other: Answers, at: int, sign: int, seed: int) -> Score:
    """By how much the network is better, on rows that are drawn anew for both together."""
    kind = of_classes if network.classes else of_numbers
    both: list[Callable[[np.ndarray], np.ndarray]] = [kind(one)[1] for one in (network, other)]

    def difference(weight: np.ndarray) -> float:
        own, others = (statistics(weight)[at] for statistics in both)
        return float(sign * (own - others))

    work = 2 * (len(network.classes) or len(network.targets))
    sample = np.array([difference(weight) for weight in drawn(network.rows, draws(network.rows, work), seed)])
    sample = sample[np.isfinite(sample)]
    ends = np.quantile(sample, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(sample) else [np.nan, np.nan]
    return Score(difference(np.ones(network.rows)), float(ends[0]), float(ends[1]))
