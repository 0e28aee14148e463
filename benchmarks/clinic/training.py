"""One case trained, as a user of Keras would do it, and what the doctor named."""

from __future__ import annotations

import time
import warnings
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

import thalweg
from benchmarks.clinic.networks import Case, compiled, targets
from thalweg.diagnosis import Doctor
from thalweg.doctor.record import Record
from thalweg.doctor.rules import judge
from thalweg.errors import ThalwegError

Data = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of one case and seed.

    ``scores`` are accuracies (mean recalls where the case says ``balanced``) or R2 on the rows ``train``, ``val`` and
    ``test``. ``error`` is the problem that ended the training.
    """

    case: str
    seed: int
    labels: list[str]  # of diagnosed findings, roots first
    suspected: list[str]
    findings: list[str]  # each in words
    scores: dict[str, float]
    seconds: float  # of build, compile and fit
    error: str | None = None
    curves: dict[str, list[float]] = field(default_factory=dict, repr=False)
    record: dict[str, Any] | None = field(default=None, repr=False)  # what the doctor judged by

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def train(case: Case, data: Data, seed: int) -> Outcome:
    """Build, compile and fit with ``seed``, and ask for the diagnosis, wherever it comes from."""
    thalweg.utils.set_random_seed(seed)
    began = time.perf_counter()
    model: thalweg.Model | None = None
    diagnosis, error, curves = None, None, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = compiled(case, data["x_train"].shape[1:])
            history = model.fit(**arguments(case, data), diagnose=Doctor(task=case["task"]), seed=seed, verbose=0)
            diagnosis, curves = history.diagnosis, history.history
        except ThalwegError as stopped:
            error = stopped.problem
            diagnosis = stopped.diagnosis or (None if model is None else model.diagnosis)
        seconds = time.perf_counter() - began
        scores = judged(model, case, data) if model is not None and model.built else {}
    if diagnosis is not None and "all" in diagnosis.unknown:
        error = f"no diagnosis: {diagnosis.unknown['all']}"
    labels, suspected, findings = words(diagnosis)
    record = getattr(diagnosis, "record", None)
    plain = None if record is None else record.to_dict()
    return Outcome(case["name"], seed, labels, suspected, findings, scores, seconds, error, curves, plain)


def again(outcome: Outcome) -> Outcome:
    """What the doctor of today says of a record that was kept."""
    if outcome.record is None:
        return outcome
    labels, suspected, findings = words(judge(Record.from_dict(outcome.record)))
    return replace(outcome, labels=labels, suspected=suspected, findings=findings)


def words(diagnosis: Any) -> tuple[list[str], list[str], list[str]]:
    """The codes that are diagnosed, those that are suspected, and each finding in words; consequences after roots."""
    roots = diagnosis.findings if diagnosis is not None else ()
    found = [finding for root in roots for finding in (root, *root.consequences)]
    spoken = [f"{f.certainty} {f.code} {f.layer or ''}: {f.cause} {dict(f.numbers)}" for f in found]
    return codes(found, "diagnosed"), codes(found, "suspected"), spoken


def codes(findings: list[Any], certainty: str) -> list[str]:
    """Each code once, in their order."""
    return list(dict.fromkeys(f.code for f in findings if f.certainty == certainty))


def arguments(case: Case, data: Data) -> dict[str, Any]:
    """What ``fit`` is given."""
    classes = data["n_classes"]
    given: dict[str, Any] = {
        "x": data["x_train"],
        "y": targets(case, data["y_train"], classes),
        "validation_data": (data["x_val"], targets(case, data["y_val"], classes)),
        "batch_size": case["batch_size"],
        "epochs": case["epochs"],
    }
    if case.get("class_weight"):
        given["class_weight"] = case["class_weight"]
    if case.get("early_stopping"):
        stop = thalweg.callbacks.EarlyStopping(patience=case["early_stopping"], restore_best_weights=True)
        given["callbacks"] = [stop]
    return given


def judged(model: thalweg.Model, case: Case, data: Data) -> dict[str, float]:
    """The score on each part; NaN where a prediction is no number."""
    parts = [part for part in ("train", "val", "test") if f"x_{part}" in data]
    return {part: score(model, case, data[f"x_{part}"], data[f"y_{part}"], data["n_classes"]) for part in parts}


def score(model: thalweg.Model, case: Case, x: Any, y: Any, classes: int) -> float:
    """R2, accuracy, or with ``balanced`` the mean of the classes' recalls."""
    try:
        predicted = np.asarray(model.predict(x, verbose=0), np.float64)
    except ThalwegError:
        return float("nan")
    if case["task"] == "regression":
        return 1 - float(np.mean((predicted[:, 0] - y) ** 2) / np.var(y))
    right = named(predicted, case, classes) == y
    if case.get("balanced"):
        return float(np.mean([right[y == k].mean() for k in np.unique(y)]))
    return float(right.mean())


def named(predicted: Any, case: Case, classes: int) -> Any:
    """The class that is meant by each row of an output.

    Shapes: predicted (rows, units) -> (rows,).
    """
    if predicted.shape[1] > 1:
        return predicted.argmax(-1)
    if classes > 2:
        return predicted[:, 0].round()
    return (predicted[:, 0] > (0 if case.get("from_logits") else 0.5)).astype(int)
