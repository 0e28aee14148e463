"""``TableClassifier`` and ``TableRegressor``: networks for mixed frames, with their preprocessing inside."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from thalweg.errors import DataError
from thalweg.sklearn.estimator import evaluation_pair
from thalweg.sklearn.parameters import keep
from thalweg.tables import TableModel, train


class TableEstimator(BaseEstimator):
    """``thalweg.tables.train`` as an estimator; see docs/sklearn.md."""

    task: ClassVar[str]

    def __init__(
        self,
        *,
        categorical: Any = (),
        numeric: Any = (),
        dates: Any = (),
        ignore: Any = (),
        validation: float = 0.2,
        epochs: int | None = None,
        time_limit: float | None = None,
        members: int | None = None,
        settings: Any = None,
        random_state: Any = None,
        threads: int | None = None,
        callbacks: Any = None,
        verbose: bool | int = False,
    ) -> None:
        keep(self, locals())

    # What a subclass writes.

    def _targets(self, y: Any) -> np.ndarray:
        """Targets as they are trained on: (rows,), or (rows, targets)."""
        raise NotImplementedError(f"{type(self).__name__} has no _targets()")

    def _further_targets(self, y: Any) -> np.ndarray:
        """Those of ``eval_set``."""
        return self._targets(y)

    def fit(self, X: Any, y: Any, *, eval_set: Any = None) -> Self:
        """Understand the columns, and train on them.

        Arguments:
            X: a frame of pandas, Polars or Arrow, whose columns may be of any kind and have gaps; or an array.
            eval_set: rows to find the best epoch by, ``(X, y)``, in place of a part of the rows.

        Raises: what ``thalweg.tables.train`` raises; ValueError for data of the wrong shape.
        """
        X = self._features(X, reset=True)
        if y is None:
            raise DataError(
                f"{type(self).__name__}.fit requires y to be passed, but the target y is None",
                expected="a target for each row",
                got="y=None",
                fix="call fit(X, y)",
            )
        y = self._targets(y)
        check_consistent_length(X, y)
        random = check_random_state(self.random_state)
        names = self._target_names(X, y)
        validation = self.validation
        if eval_set is not None:
            own_X, own_y = evaluation_pair(self, eval_set)
            validation = _joined(self._features(own_X, reset=False), names, self._further_targets(own_y))
        self.model_: TableModel = train(
            _joined(X, names, y),
            names[0] if len(names) == 1 else names,
            categorical=self.categorical,
            numeric=self.numeric,
            dates=self.dates,
            ignore=self.ignore,
            task=self.task,
            validation=validation,
            epochs=self.epochs,
            time_limit=self.time_limit,
            members=self.members,
            settings=self.settings,
            seed=int(random.randint(2**31 - 1)),
            threads=self.threads,
            callbacks=self.callbacks,
            verbose=int(self.verbose),
        )
        self.n_iter_ = max(len(history.epoch) for history in self.model_.histories)
        return self

    def _features(self, X: Any, reset: bool) -> Any:
        """A frame as it is; anything else as an array. Raises ValueError for what does not fit."""
        if not _is_frame(X):
            fewest = 2 if reset else 1
            X = check_array(X, dtype=None, ensure_all_finite=False, ensure_min_samples=fewest, estimator=self)
        validate_data(self, X, skip_check_array=True, reset=reset)
        return X

    def _target_names(self, X: Any, y: np.ndarray) -> list[str]:
        """Names that no column has."""
        columns = set(map(str, X.columns)) if _is_frame(X) else set()
        base = "target"
        while any(name.startswith(base) for name in columns):
            base = f"_{base}"
        return [base] if y.ndim == 1 else [f"{base}_{i}" for i in range(y.shape[1])]

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        found: np.ndarray = self.model_.predict(_joined(self._features(X, reset=False), [], None), verbose=0)
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


class TableClassifier(ClassifierMixin, TableEstimator):
    """Classes from the columns of a frame: ``thalweg.tables.train``, whose arguments these are.

    Attributes:
        model_: the TableModel, which can be saved, judged and asked for predictions by itself.
        classes_: in the order of ``predict_proba``.
        n_iter_: epochs, of the network that had most.
    """

    task: ClassVar[str] = "classification"

    def _targets(self, y: Any) -> np.ndarray:
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self._encoder = LabelEncoder().fit(y)
        self.classes_ = self._encoder.classes_
        if len(self.classes_) < 2:
            raise DataError(
                "y has one class only",
                expected="rows of two classes at least",
                got=f"class {self.classes_.tolist()[0]!r} in every row",
                fix="pass rows of other classes, too",
            )
        return self._further_targets(y)

    def _further_targets(self, y: Any) -> np.ndarray:
        return self._encoder.transform(column_or_1d(y)).astype(np.int64)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, in the order of ``classes_``."""
        outputs = self._outputs(X)
        found = np.zeros((len(outputs), len(self.classes_)), outputs.dtype)
        found[:, [int(number) for number in self.model_.schema.classes]] = outputs
        return found

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithms of ``predict_proba``."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """The class of each row."""
        places = self.predict_proba(X).argmax(1)
        found: np.ndarray = self.classes_[places]
        return found


class TableRegressor(RegressorMixin, TableEstimator):
    """Numbers from the columns of a frame: ``thalweg.tables.train``, whose arguments these are.

    Attributes: as of ``TableClassifier``.
    """

    task: ClassVar[str] = "regression"

    def _targets(self, y: Any) -> np.ndarray:
        targets: np.ndarray = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        return column_or_1d(targets, warn=True) if targets.ndim == 2 and targets.shape[1] == 1 else targets

    def predict(self, X: Any) -> np.ndarray:
        """The number of each row, or of several targets (rows, targets); float64."""
        outputs = self._outputs(X).astype(np.float64)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _is_frame(X: Any) -> bool:
    """Of pandas, Polars, Arrow or another library that narwhals knows."""
    import narwhals.stable.v2 as nw

    return isinstance(nw.from_native(X, eager_only=True, pass_through=True), nw.DataFrame)


def _joined(X: Any, names: list[str], y: np.ndarray | None) -> Any:
    """Columns by name with those of the targets, where they are there."""
    targets = {} if y is None else dict(zip(names, y.reshape(len(y), -1).T, strict=True))
    if not _is_frame(X):
        return {f"x{i}": column for i, column in enumerate(X.T)} | targets
    import narwhals.stable.v2 as nw

    frame = nw.from_native(X, eager_only=True)
    if not all(isinstance(name, str) for name in frame.columns):
        frame = frame.rename({name: str(name) for name in frame.columns})
    made = [nw.new_series(name, column, backend=frame.implementation) for name, column in targets.items()]
    return (frame.with_columns(*made) if made else frame).to_native()
