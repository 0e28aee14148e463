"""``MLPRegressor``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_array
from sklearn.utils.metaestimators import available_if

from thalweg.sklearn.estimator import MultilayerPerceptron
from thalweg.sklearn.parameters import check_solver, keep


class MLPRegressor(RegressorMixin, MultilayerPerceptron):
    """A multilayer perceptron for numbers: parameters, attributes and results as in ``sklearn.neural_network``.

    Arguments:
        loss: "squared_error", "poisson", or any loss of thalweg's.
        activation, dropout, batch_normalization, callbacks, threads, dtype: as in ``MLPClassifier``.

    All others, and all attributes, are scikit-learn's. See docs/sklearn.md.
    """

    score_name: ClassVar[str] = "r2_score"
    own_losses: ClassVar[tuple[str, ...]] = ("squared_error", "poisson")

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        batch_normalization: bool = False,
        callbacks: Any = None,
        threads: int | None = None,
        dtype: str | None = None,
    ) -> None:
        keep(self, locals())

    @available_if(check_solver)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch on these rows, going on from where the last call has ended."""
        return self._fit(X, y, sample_weight, None, incremental=True)

    def _targets(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
        X, y = self._checked_rows(X, y, reset, y_numeric=True)
        return X, y.reshape(len(y), -1)

    def _encoded(self, y: Any) -> np.ndarray:
        targets: np.ndarray = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        return targets.reshape(len(targets), -1)

    def _out_activation(self) -> str:
        return "exp" if isinstance(self.loss, str) and self.loss == "poisson" else "identity"

    def _judge(self, targets: np.ndarray, weights: np.ndarray | None) -> Callable[[np.ndarray], float]:
        return lambda outputs: float(r2_score(targets, outputs, sample_weight=weights))

    def _loss_for_model(self) -> Any:
        return {"squared_error": "mean_squared_error"}.get(self.loss, self.loss)

    def predict(self, X: Any) -> np.ndarray:
        """The number of each row, or of several targets (rows, targets)."""
        outputs = self._outputs(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs
