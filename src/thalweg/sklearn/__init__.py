"""Estimators for scikit-learn: its multilayer perceptrons under their own names, and networks for mixed frames.

scikit-learn is an extra. What is named here is loaded when it is first used, so that the package can be looked at
without it.
"""

import importlib
from typing import TYPE_CHECKING, Any

from thalweg.absent import answers
from thalweg.extras import needed

if TYPE_CHECKING:
    from thalweg.sklearn.classifier import MLPClassifier as MLPClassifier
    from thalweg.sklearn.regressor import MLPRegressor as MLPRegressor
    from thalweg.sklearn.tables import TableClassifier as TableClassifier
    from thalweg.sklearn.tables import TableRegressor as TableRegressor

_HOMES = {
    "MLPClassifier": "classifier",
    "MLPRegressor": "regressor",
    "TableClassifier": "tables",
    "TableRegressor": "tables",
}

__all__ = ["MLPClassifier", "MLPRegressor", "TableClassifier", "TableRegressor"]


def __getattr__(name: str) -> Any:
    """Raises MissingPackageError without scikit-learn."""
    if name not in _HOMES:
        return answers(__name__)(name)
    needed(
        "sklearn",
        f"thalweg.sklearn.{name} needs the package scikit-learn",
        expected="scikit-learn 1.6 or later",
        fix="pip install 'thalweg[sklearn]'",
    )
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
