"""``MLPClassifier``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target, unique_labels

from thalweg.errors import ArgumentError, DataError
from thalweg.sklearn.estimator import MultilayerPerceptron
from thalweg.sklearn.parameters import check_solver, keep


class MLPClassifier(ClassifierMixin, MultilayerPerceptron):
    """A multilayer perceptron for classes: parameters, attributes and numbers as in ``sklearn.neural_network``.

    Arguments:
        activation: scikit-learn's names, any other of thalweg's, or a function; or one for each hidden layer.
        loss: "log_loss", or any loss of thalweg's, on probabilities and one-hot targets.
        dropout: the share of each hidden layer that training leaves out; or one for each.
        batch_normalization: between the sums of each hidden layer and its activation.
        class_weight: {class: weight}, or "balanced".
        callbacks: thalweg's.
        threads: how many to use; as many as pay unless given.
        dtype: of weights and arithmetic; that of the features unless given.

    All others, and all attributes, are scikit-learn's. See docs/sklearn.md.
    """

    score_name: ClassVar[str] = "accuracy"
    own_losses: ClassVar[tuple[str, ...]] = ("log_loss",)

    def __init__(
        self,
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
        loss: Any = "log_loss",
        dropout: Any = 0.0,
        batch_normalization: bool = False,
        class_weight: Any = None,
        callbacks: Any = None,
        threads: int | None = None,
        dtype: str | None = None,
    ) -> None:
        keep(self, locals())

    @available_if(check_solver)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """One epoch on these rows, going on from where the last call has ended.

        Arguments:
            classes: all that there will be; needed in the first call, and allowed in others if they are the same.
        """
        known = getattr(self, "classes_", None)
        if known is None and classes is None:
            raise ArgumentError(
                "classes must be passed on the first call to partial_fit.",
                expected="all classes that there will be",
                got="classes=None",
                fix="pass classes=np.unique(all targets)",
            )
        if classes is not None and known is not None and not np.array_equal(known, unique_labels(classes)):
            raise ArgumentError(
                "`classes` is not the same as on last call to partial_fit",
                expected=str(known),
                got=str(classes),
                fix="pass the same classes, or leave the argument out",
            )
        if known is None:
            multilabel = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if multilabel else unique_labels(classes))
            self.classes_ = self._label_binarizer.classes_
        return self._fit(X, y, sample_weight, None, incremental=True)

    def _targets(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
        X, y = self._checked_rows(X, y, reset)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._require_known(unique_labels(y))
        return X, self._of_known(y)

    def _of_known(self, y: Any) -> np.ndarray:
        """What ``_encoded`` gives for targets of which each is known to be among the classes; at once for one a row,
        where the binarizer would look at all of them again, six times.
        """
        count = len(self.classes_)
        if not isinstance(y, np.ndarray) or y.ndim != 1 or count < 2:
            return self._encoded(y)
        places = np.searchsorted(self.classes_, y)
        if count == 2:
            return places.reshape(-1, 1)
        targets = np.zeros((len(y), count), int)
        targets[np.arange(len(y)), places] = 1
        return targets

    def _require_known(self, classes: np.ndarray) -> None:
        """Raises DataError for classes that training cannot go on with."""
        if self.warm_start and set(classes) != set(self.classes_):
            raise DataError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {classes}",
                expected=f"the classes {self.classes_}",
                got=f"{classes}",
                fix="fit with warm_start=False, or use partial_fit",
            )
        if len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise DataError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}.",
                expected=f"classes among {self.classes_}",
                got=f"{classes}",
                fix="pass all classes in the first call: partial_fit(X, y, classes=...)",
            )

    def _encoded(self, y: Any) -> np.ndarray:
        targets: np.ndarray = self._label_binarizer.transform(y)
        return targets.reshape(-1, 1) if targets.ndim == 1 else targets

    def _out_activation(self) -> str:
        return "softmax" if self._label_binarizer.y_type_ == "multiclass" else "logistic"

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        return y if self.n_outputs_ == 1 else None

    def _judge(self, targets: np.ndarray, weights: np.ndarray | None) -> Callable[[np.ndarray], float]:
        """The share of rows of which all is right."""
        several = self._out_activation() == "softmax"
        right = targets.argmax(1) if several else targets > 0

        def judge(outputs: np.ndarray) -> float:
            hit = outputs.argmax(1) == right if several else ((outputs > 0.5) == right).all(1)
            return float(np.average(hit, weights=weights))

        return judge

    def _class_weights(self, y: Any, weights: np.ndarray | None, incremental: bool) -> np.ndarray | None:
        if self.class_weight is None:
            return weights
        if incremental and isinstance(self.class_weight, str):
            raise ArgumentError(
                f"class_weight={self.class_weight!r} does not go with partial_fit, which sees a part of the rows",
                expected="a weight for each class",
                got=f"class_weight={self.class_weight!r}",
                fix="pass compute_class_weight('balanced', classes=classes, y=y) of all rows, as a dict",
            )
        own = compute_sample_weight(self.class_weight, y)
        return own if weights is None else own * weights

    def _loss_for_model(self) -> Any:
        if self.loss not in self.own_losses:
            return self.loss
        return "categorical_crossentropy" if self.out_activation_ == "softmax" else "binary_crossentropy"

    def predict(self, X: Any) -> np.ndarray:
        """The class of each row, or for multilabel targets 0 and 1 of each, (rows, outputs)."""
        outputs = self._outputs(X)
        found: np.ndarray = self._label_binarizer.inverse_transform(
            outputs.ravel() if self.n_outputs_ == 1 else outputs
        )
        return found

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, in the order of ``classes_``; for multilabel targets of each output."""
        outputs = self._outputs(X)
        if self.n_outputs_ == 1:
            outputs = outputs.ravel()
        return np.vstack([1 - outputs, outputs]).T if outputs.ndim == 1 else outputs

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithms of ``predict_proba``."""
        found = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.log(found, out=found)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
