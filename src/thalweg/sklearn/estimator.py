"""What the multilayer perceptrons for scikit-learn have in common."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from numbers import Number
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, validate_data

from thalweg import cores, losses
from thalweg.errors import ArgumentError, DataError
from thalweg.graph.types import TensorType
from thalweg.losses.loss import Loss
from thalweg.optimizers import SGD, Adam
from thalweg.optimizers.optimizer import Optimizer
from thalweg.processes.job import current
from thalweg.sklearn.design import Design
from thalweg.sklearn.objective import Objective
from thalweg.sklearn.parameters import check_parameters, described_by
from thalweg.sklearn.rows import rows_of
from thalweg.sklearn.steps import ALPHA, RATE, Kit, kit
from thalweg.sklearn.stochastic import Descent, Held
from thalweg.sklearn.training import EVALUATION_ROWS, Passes, Valley, descend
from thalweg.sklearn.watchers import Watchers
from thalweg.state import State, Variable
from thalweg.state.names import OPTIMIZER, SLOTS, parameter_state
from thalweg.training.interrupt import interruptible

AUTOMATIC_BATCH = 200


class MultilayerPerceptron(BaseEstimator):
    """Takes what ``sklearn.neural_network`` takes, and computes what that computes; see docs/sklearn.md.

    A subclass says how targets become numbers, and how outputs become predictions.
    """

    score_name: ClassVar[str]
    """Of the score in the logs of callbacks."""
    own_losses: ClassVar[tuple[str, ...]]
    """scikit-learn's."""

    # What a subclass writes.

    def _targets(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
        """Features and targets as they are trained on, (rows, outputs)."""
        raise NotImplementedError(f"{type(self).__name__} has no _targets()")

    def _encoded(self, y: Any) -> np.ndarray:
        """Further targets in the same way."""
        raise NotImplementedError(f"{type(self).__name__} has no _encoded()")

    def _out_activation(self) -> str:
        raise NotImplementedError(f"{type(self).__name__} has no _out_activation()")

    def _judge(self, targets: np.ndarray, weights: np.ndarray | None) -> Callable[[np.ndarray], float]:
        """What gives the score of outputs for these targets."""
        raise NotImplementedError(f"{type(self).__name__} has no _judge()")

    def _class_weights(self, y: Any, weights: np.ndarray | None, incremental: bool) -> np.ndarray | None:
        """The weights of samples with those of their classes."""
        return weights

    def _loss_for_model(self) -> Any:
        """What a model of this network is compiled with."""
        raise NotImplementedError(f"{type(self).__name__} has no _loss_for_model()")

    # Fitting

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, eval_set: Any = None) -> Self:
        """Train on rows of features and their targets.

        Arguments:
            sample_weight: of each row.
            eval_set: rows to look at after every epoch, ``(X, y)``; with ``early_stopping`` in place of a part of
                the rows. ``validation_scores_`` and ``validation_loss_curve_`` tell of them.

        Raises: ArgumentError for a parameter that does not fit; ValueError for data that cannot be used, and for
            weights that are not finite in the end.
        """
        return self._fit(X, y, sample_weight, eval_set, incremental=False)

    def _fit(self, X: Any, y: Any, sample_weight: Any, eval_set: Any, incremental: bool) -> Self:
        check_parameters(self, incremental)
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        given = y
        X, y = self._targets(X, y, incremental, first)
        weights = self._class_weights(given, _sample_weight(sample_weight, X), incremental)
        random = check_random_state(self.random_state)
        self.n_outputs_ = y.shape[1]
        dtype = self.dtype or (str(X.dtype) if first else self._design.policy)
        described = described_by(self, X.shape[1], y.shape[1], self._out_activation(), dtype)
        if first:
            self._begin(described, random)
        elif described != self._design:
            raise self._changed(described)
        self._fresh_optimizer(first or not incremental)
        try:
            with interruptible() as interrupt:
                self._train(
                    *(X, y, weights, eval_set, random, incremental),
                    lambda: current().agreed("Ctrl-C", interrupt.requested),
                )
        finally:
            self._show_arrays()  # they may have been kept where an executor computes
        if not all(np.isfinite(array).all() for array in (*self.coefs_, *self.intercepts_)):
            raise DataError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
                "preprocessed.",
                expected="finite weights",
                got=f"NaN or infinity after {self.n_iter_} iterations, learning_rate_init={self.learning_rate_init}",
                fix="put StandardScaler in front, or use a smaller learning_rate_init",
            )
        return self

    def _checked_rows(self, X: Any, y: Any, reset: bool, **further: Any) -> tuple[Any, np.ndarray]:
        """Features and targets as scikit-learn checks them; one column of targets as (rows,)."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=(np.float64, np.float32),
            reset=reset,
            **further,
        )
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _begin(self, described: Design, random: np.random.RandomState) -> None:
        """Weights to start from, and the attributes of a fit that has seen nothing."""
        self._design = described
        self._state = described.first_state(random)
        self._show_arrays()
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = len(described.units)
        self.out_activation_ = described.out_activation
        self.validation_scores_: list[float] | None = None
        self.validation_loss_curve_: list[float] | None = None
        self.best_validation_score_: float | None = None
        if self.solver != "lbfgs":
            self.loss_curve_: list[float] = []
            self.no_improvement_count_ = 0
            self.best_loss_ = None if self.early_stopping else np.inf
            if self.early_stopping:
                self.validation_scores_, self.best_validation_score_ = [], -np.inf

    def _changed(self, described: Design) -> ArgumentError:
        return ArgumentError(
            f"{type(self).__name__}: the network to go on with is another one",
            expected=f"units {self._design.units}, as before",
            got=f"units {described.units}, or other activations",
            fix="leave the parameters as they were, or fit with warm_start=False",
        )

    def _fresh_optimizer(self, fresh: bool) -> None:
        """Moments and rate as at the beginning, unless training goes on with those of the last ``partial_fit``."""
        self._take_arrays()
        if fresh or RATE not in self._state:
            self._state.drop(SLOTS, OPTIMIZER)
            self._state.add(RATE, TensorType((), "float64"))
            self._state.write(RATE, self.learning_rate_init)
        self._state.add(ALPHA, TensorType((), "float64"))
        self._state.write(ALPHA, self.alpha)

    def _rule(self) -> Optimizer:
        if self.solver == "sgd":
            return SGD(momentum=self.momentum, nesterov=self.nesterovs_momentum)
        return Adam(beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon)

    def _objective(self) -> Objective:
        """Raises NameNotFoundError for a loss that neither has."""
        several = self._out_activation() == "softmax"
        if isinstance(self.loss, str) and self.loss in self.own_losses:
            return Objective(self.loss, several)
        return Objective(losses.get(self.loss), several)

    def _train(
        self,
        X: Any,
        y: np.ndarray,
        weights: np.ndarray | None,
        eval_set: Any,
        random: np.random.RandomState,
        incremental: bool,
        interrupted: Callable[[], bool],
    ) -> None:
        objective, threads = self._objective(), cores.wanted(self.threads)
        made = kit(self._design, objective, self._rule())
        watchers = Watchers(self.callbacks, self._watched_model() if self.callbacks else None)
        on_state = made.on(self._state)
        if self.solver == "lbfgs":
            passes = Passes(on_state, self._rows(X, y, weights, objective), threads, interrupted)
            self._descend(passes, y.shape[0] if weights is None else float(weights.sum()))
            return
        held = None
        if eval_set is not None:
            held = self._held(on_state, *self._evaluated(eval_set), None, threads, interrupted)
            self._look_at_loss()
        elif self.early_stopping:
            X, y, weights, held = self._split(on_state, X, y, weights, random, threads, interrupted)
        if held is not None and watchers.model is not None:
            self._look_at_loss()
        around = watchers.batch if watchers.watch_batches else None
        passes = Passes(on_state, self._rows(X, y, weights, objective), threads, interrupted, around)
        batch, exact = self._batch(len(y))
        descent = Descent(self, passes, batch, exact, held, watchers)
        descent.run(random, 1 if incremental else self.max_iter, incremental)

    def _look_at_loss(self) -> None:
        """Keep the losses of the held rows, too."""
        self.validation_scores_ = [] if self.validation_scores_ is None else self.validation_scores_
        self.validation_loss_curve_ = [] if self.validation_loss_curve_ is None else self.validation_loss_curve_

    def _rows(self, X: Any, y: np.ndarray, weights: np.ndarray | None, objective: Objective) -> Any:
        """What the programs get."""
        dtype = self._design.dtype
        if isinstance(objective.loss, Loss):
            sparse = objective.loss.sparse and y.shape[1] > 1
            output = TensorType((len(y), y.shape[1]), dtype)
            y = objective.loss.prepare(y.argmax(1) if sparse else y, output)
        else:
            y = np.ascontiguousarray(y, dtype)
        return rows_of(X, dtype, y=y, w=None if weights is None else np.ascontiguousarray(weights, dtype))

    def _batch(self, rows: int) -> tuple[int, bool]:
        """Rows of a batch, and whether that was asked for."""
        if self.batch_size == "auto":
            return min(AUTOMATIC_BATCH, rows), rows >= AUTOMATIC_BATCH
        if self.batch_size > rows:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=5
            )
            return rows, False
        return int(self.batch_size), True

    def _split(
        self,
        on_state: Kit,
        X: Any,
        y: np.ndarray,
        weights: np.ndarray | None,
        random: np.random.RandomState,
        threads: int,
        interrupted: Callable[[], bool],
    ) -> tuple[Any, np.ndarray, np.ndarray | None, Held]:
        """Rows to train on, and rows that decide when to stop."""
        arrays = [X, y] if weights is None else [X, y, weights]
        parts = train_test_split(
            *arrays, random_state=random, test_size=self.validation_fraction, stratify=self._strata(y)
        )
        if parts[1].shape[0] < 2:
            raise DataError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset.",
                expected="at least 2 rows to validate on",
                got=f"{parts[1].shape[0]} of {X.shape[0]} with validation_fraction={self.validation_fraction}",
                fix="increase validation_fraction, or pass eval_set=(X, y) to fit",
            )
        w, w_held = (None, None) if weights is None else (parts[4], parts[5])
        return parts[0], parts[2], w, self._held(on_state, parts[1], parts[3], w_held, threads, interrupted)

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        return None

    def _held(
        self,
        on_state: Kit,
        X: Any,
        y: np.ndarray,
        weights: np.ndarray | None,
        threads: int,
        interrupted: Callable[[], bool],
    ) -> Held:
        assert on_state.objective is not None, "it is for training"
        passes = Passes(on_state, self._rows(X, y, weights, on_state.objective), threads, interrupted)
        return Held(passes, rows_of(X, self._design.dtype), self._judge(y, weights), self.score_name)

    def _evaluated(self, eval_set: Any) -> tuple[Any, np.ndarray]:
        """The features and targets of an eval_set, checked. Raises as ``evaluation_pair``."""
        X, y = evaluation_pair(self, eval_set)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=(np.float64, np.float32), reset=False)
        check_consistent_length(X, y)
        return X, self._encoded(y)

    def _descend(self, passes: Passes, weight: float) -> None:
        """L-BFGS. Ctrl-C ends it with a warning, and the weights of the last iteration stay."""
        result = descend(Valley(passes, self.alpha, weight), self.max_iter, self.max_fun, self.tol, bool(self.verbose))
        if result is None:
            warnings.warn("Training interrupted by user.", stacklevel=5)
            return
        self.loss_ = float(result.fun)
        self.n_iter_ = min(result.nit, self.max_iter)
        if result.status != 0:
            warnings.warn(
                f"lbfgs failed to converge after {self.n_iter_} iteration(s) (status={result.status}):\n"
                f"{result.message}\n\nIncrease the number of iterations to improve the convergence "
                f"(max_iter={self.max_iter}).",
                ConvergenceWarning,
                stacklevel=5,
            )

    # Using

    def _outputs(self, X: Any, check: bool = True) -> np.ndarray:
        """What the network gives, (rows, outputs)."""
        check_is_fitted(self)
        if check:
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        self._take_arrays()
        prediction = kit(self._design).on(self._state).prediction
        rows = rows_of(X, self._design.dtype)
        return prediction.run(rows, EVALUATION_ROWS, cores.wanted(self.threads), lambda done: True)["prediction"]

    def to_model(self) -> Any:
        """The network as a thalweg Model with weights of its own: to save, export, plot or train in other ways."""
        check_is_fitted(self)
        self._take_arrays()
        model = self._design.model()
        for path, parameter in model.parameters().items():
            parameter.assign(self._state.read(parameter_state(path)))
        model.compile(self._rule(), self._loss_for_model(), metrics=[self.score_name])
        return model

    def _watched_model(self) -> Any:
        """A model that shares the weights that are trained, for callbacks."""
        model = self.to_model()
        for path in model.parameters():
            self._state.put(parameter_state(path), model.state[parameter_state(path)])
        self._show_arrays()
        return model

    def _show_arrays(self) -> None:
        """Let ``coefs_`` and ``intercepts_`` be the memory of the state."""
        self.coefs_ = self._design.arrays(self._state, "kernel")
        self.intercepts_ = self._design.arrays(self._state, "bias")

    def _take_arrays(self) -> None:
        """Put into the state what somebody has put into ``coefs_`` and ``intercepts_``."""
        for kind, given in (("kernel", self.coefs_), ("bias", self.intercepts_)):
            for kept, array in zip(self._design.arrays(self._state, kind), given, strict=True):
                if kept is not array:
                    kept[...] = array

    # Keeping

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        kept: State | None = state.pop("_state", None)
        if kept is not None:
            own = {parameter_state(f"{name}/{kind}") for name in self._design.dense for kind in ("kernel", "bias")}
            state["kept_arrays"] = {name: kept.read(name) for name in kept if name not in own}
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        given = dict(state)
        arrays = given.pop("kept_arrays", None)
        super().__setstate__(given)
        if arrays is None:
            return
        kept, names = State(), self._design.dense
        named = {f"{name}/kernel": array for name, array in zip(names, self.coefs_, strict=True)}
        named |= {f"{name}/bias": array for name, array in zip(names, self.intercepts_, strict=True)}
        for path, array in named.items():
            kept.put(parameter_state(path), Variable(self._design.parameters[path].type, array))
        for name, array in arrays.items():
            kept.put(name, Variable(TensorType.of(array), array))
        self._state = kept
        self._show_arrays()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def evaluation_pair(estimator: Any, eval_set: Any) -> tuple[Any, Any]:
    """Features and targets of an ``eval_set``. Raises ArgumentError for what is no such pair."""
    pair = eval_set[0] if isinstance(eval_set, list) and len(eval_set) == 1 else eval_set
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise ArgumentError(
            f"{type(estimator).__name__}.fit: argument 'eval_set' does not fit its rule",
            expected="(X, y), or a list of one such pair",
            got=f"{eval_set!r:.80} ({type(eval_set).__name__})",
            fix="pass eval_set=(X_valid, y_valid)",
        )
    return pair


def _sample_weight(given: Any, X: Any) -> np.ndarray | None:
    """A weight for each row; None for none. Raises ValueError."""
    if given is None:
        return None
    if isinstance(given, Number):
        given = np.full(X.shape[0], given, np.float64)
    weights = check_array(given, ensure_2d=False, dtype=(np.float64, np.float32), input_name="sample_weight")
    if weights.shape != (X.shape[0],):
        raise DataError(
            "sample_weight does not fit the rows",
            expected=f"shape {(X.shape[0],)}",
            got=f"shape {weights.shape}",
            fix="pass one weight for each row",
        )
    if not weights.any():
        raise DataError(
            "Sample weights must contain at least one non-zero number.",
            expected="a row that counts",
            got="only zeros",
            fix="leave sample_weight out, or give some rows a weight",
        )
    return weights
