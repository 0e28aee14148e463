"""The others: pytabkit's RealMLP, scikit-learn's network, forest and boosting, each with its defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Question(NamedTuple):
    """Frames of columns to train on and to predict, text where values are names; classes as places."""

    train: Any
    target: np.ndarray
    test: Any
    text: list[str]
    classes: int  # 0: numbers
    seed: int
    threads: int


def realmlp(asked: Question, suffix: str) -> np.ndarray:
    """pytabkit, which refuses missing numbers: they get the median and a column that says so."""
    from pytabkit.models.sklearn import sklearn_interfaces

    kind = "Classifier" if asked.classes else "Regressor"
    make = getattr(sklearn_interfaces, f"RealMLP_{suffix}_{kind}")
    model = make(device="cpu", random_state=asked.seed, n_threads=asked.threads, verbosity=0)
    train, test = _filled(asked)
    model.fit(train, asked.target, cat_col_names=asked.text)
    return np.asarray(model.predict_proba(test) if asked.classes else model.predict(test))


def sklearn_mlp(asked: Question) -> np.ndarray:
    """scikit-learn's network on standardised numbers and one-hot names; the target standardised, too."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import StandardScaler

    if asked.classes:
        return _with_columns(asked, MLPClassifier(random_state=asked.seed), scaled=True)
    network = TransformedTargetRegressor(MLPRegressor(random_state=asked.seed), transformer=StandardScaler())
    return _with_columns(asked, network, scaled=True)


def forest(asked: Question) -> np.ndarray:
    """Random forest on medians for missing numbers and one-hot names."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    make = RandomForestClassifier if asked.classes else RandomForestRegressor
    return _with_columns(asked, make(random_state=asked.seed, n_jobs=asked.threads), scaled=False)


def boosting(asked: Question) -> np.ndarray:
    """Histogram gradient boosting, which takes missing numbers and names as they are."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    make = HistGradientBoostingClassifier if asked.classes else HistGradientBoostingRegressor
    train, test = asked.train.copy(), asked.test.copy()
    for column in asked.text:
        kinds = train[column].astype("category").cat.categories
        few = kinds[train[column].value_counts().reindex(kinds).rank(ascending=False, method="first") <= 254]
        for frame in (train, test):
            frame[column] = frame[column].astype("category").cat.set_categories(few)
    model = make(random_state=asked.seed, categorical_features="from_dtype").fit(train, asked.target)
    return np.asarray(model.predict_proba(test) if asked.classes else model.predict(test))


RIVALS: dict[str, Callable[[Question], np.ndarray]] = {
    "boosting": boosting,
    "forest": forest,
    "sklearn_mlp": sklearn_mlp,
    "realmlp_td_s": lambda asked: realmlp(asked, "TD_S"),
    "realmlp_td": lambda asked: realmlp(asked, "TD"),
}


def _with_columns(asked: Question, model: Any, scaled: bool) -> np.ndarray:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [column for column in asked.train.columns if column not in asked.text]
    fill = SimpleImputer(strategy="median", add_indicator=True)
    columns = make_column_transformer(
        (make_pipeline(fill, StandardScaler()) if scaled else fill, numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), asked.text),
    )
    whole = make_pipeline(columns, model).fit(asked.train, asked.target)
    return np.asarray(whole.predict_proba(asked.test) if asked.classes else whole.predict(asked.test))


def _filled(asked: Question) -> tuple[Any, Any]:
    train, test = asked.train.copy(), asked.test.copy()
    for column in asked.train.columns:
        if column in asked.text:
            for frame in (train, test):
                frame[column] = frame[column].fillna("missing").astype("category")
        elif asked.train[column].isna().any() or asked.test[column].isna().any():
            median = asked.train[column].median()
            for frame in (train, test):
                frame[f"{column} missing"] = frame[column].isna().astype(float)
                frame[column] = frame[column].fillna(median)
    return train, test
