"""Asks the installed libraries every case and writes their answers into small files, versions included.

``python -m tests.oracles.record [LIBRARY ...] [--into FOLDER]``, from the root of the repository. The tests compare
thalweg with the recorded answers always, and with fresh ones where the libraries are installed.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
from pathlib import Path

import numpy as np
from tests.oracles import cases
from tests.oracles.cases import CASES, Case

RECORDED = Path(__file__).parent / "recorded"


def ask_keras(case: Case) -> dict[str, np.ndarray] | None:
    """Keras 3 on JAX, in float64."""
    os.environ["KERAS_BACKEND"] = "jax"
    import jax
    import keras
    from keras.src.backend.common import dtypes

    jax.config.update("jax_enable_x64", True)
    # Here and there Keras falls back to float32; answers that are to be compared to 1e-9 must not.
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    keras.config.set_floatx("float64")
    x = case.inputs
    if case.kind == "activation":
        function = getattr(keras.activations, case.name)
        value, pull = jax.vjp(lambda x: function(x, **case.options), x["x"])
        gradient = pull(jax.numpy.cos(x["x"]))[0]
        return {"value": value, "gradient": gradient}
    if case.kind == "loss":
        loss = getattr(keras.losses, case.name)(**case.options)

        def total(y_pred):
            return loss(x["y_true"], y_pred, x.get("sample_weight")).sum()

        value = loss(x["y_true"], x["y_pred"], x.get("sample_weight"))
        return {"value": value, "gradient": jax.grad(total)(x["y_pred"])}
    if case.kind == "metric":
        if not hasattr(keras.metrics, case.name):
            return None
        metric = getattr(keras.metrics, case.name)(**case.options)
        for rows in np.array_split(np.arange(len(x["y_pred"])), 3):
            batch = {name: array[rows] for name, array in x.items()}
            if case.name == "Mean":
                batch["values"] = batch.pop("y_pred")
                del batch["y_true"]
            metric.update_state(**batch)
        return {"value": metric.result()}
    if case.kind == "optimizer":
        optimizer = getattr(keras.optimizers, case.name)(**case.options)
        optimizer.learning_rate = np.float32(optimizer.learning_rate)  # thalweg keeps it in float32
        variables = {name: keras.Variable(x[f"{name}_start"]) for name in ("kernel", "bias")}
        steps = []
        for step in range(cases.STEPS):
            optimizer.apply([x[name][step] for name in variables], list(variables.values()))
            steps.append({name: np.asarray(variable.value) for name, variable in variables.items()})
        return {name: np.stack([steps[i][name] for i in cases.KEPT_STEPS]) for name in variables}
    values = np.asarray(getattr(keras.initializers, case.name)(**case.options)(tuple(x["shape"].tolist())))
    return {"statistics": np.array([values.mean(), values.std(), values.min(), values.max()])}


def ask_torch(case: Case) -> dict[str, np.ndarray] | None:
    """PyTorch in float64, where it defines the same thing."""
    import torch

    x = {name: torch.tensor(array) for name, array in case.inputs.items()}
    if case.kind == "activation" and not case.options and case.name != "linear":
        function = (lambda x: torch.softmax(x, -1)) if case.name == "softmax" else getattr(torch, case.name)
        point = x["x"].requires_grad_()
        value = function(point)
        value.backward(torch.cos(x["x"].detach()))
        return {"value": value.detach().numpy(), "gradient": point.grad.numpy()}
    plain = case.kind == "loss" and case.options.keys() <= {"from_logits", "label_smoothing"}
    if plain and "sample_weight" not in x and x["y_pred"].ndim == x["y_true"].ndim + (case.name[:6] == "Sparse"):
        losses = torch.nn.functional
        smoothing = case.options.get("label_smoothing", 0.0)
        point = x["y_pred"].requires_grad_()
        if case.name == "MeanSquaredError":
            value = losses.mse_loss(point, x["y_true"])
        elif not case.options["from_logits"]:
            return None
        elif case.name == "BinaryCrossentropy":
            target = x["y_true"] * (1 - smoothing) + smoothing / 2
            value = losses.binary_cross_entropy_with_logits(point, target)
        else:
            target = x["y_true"].long() if case.name[:6] == "Sparse" else x["y_true"]
            flat = (point.reshape(-1, 4), target.reshape(-1) if case.name[:6] == "Sparse" else target)
            value = losses.cross_entropy(*flat, label_smoothing=smoothing)
        value.backward()
        return {"value": value.detach().numpy(), "gradient": point.grad.numpy()}
    if (
        case.kind == "optimizer"
        and case.name == "SGD"
        and case.options.keys()
        <= {
            "learning_rate",
            "momentum",
            "nesterov",
        }
    ):
        variables = {name: x[f"{name}_start"].clone().requires_grad_() for name in ("kernel", "bias")}
        # The same float32 number as the learning rate that thalweg and Keras keep.
        options = {"lr": float(np.float32(case.options.get("learning_rate", 0.01)))}
        options |= {name: case.options[name] for name in ("momentum", "nesterov") if name in case.options}
        optimizer = torch.optim.SGD(variables.values(), **options)
        steps = []
        for step in range(cases.STEPS):
            for name, variable in variables.items():
                variable.grad = x[name][step].clone()
            optimizer.step()
            steps.append({name: variable.detach().numpy().copy() for name, variable in variables.items()})
        return {name: np.stack([steps[i][name] for i in cases.KEPT_STEPS]) for name in variables}
    return None


def ask_sklearn(case: Case) -> dict[str, np.ndarray] | None:
    """scikit-learn's metrics, where they ask the same question."""
    from sklearn import metrics

    if case.kind != "metric":
        return None
    y_true, y_pred, weight = (case.inputs.get(name) for name in ("y_true", "y_pred", "sample_weight"))
    value = sklearn_score(metrics, case.name, case.options, y_true, y_pred, weight)
    if value is not None:
        return {"value": np.array(value)}
    if case.options:
        return None
    if case.name == "MeanSquaredError":
        return {"value": np.array(metrics.mean_squared_error(y_true, y_pred, sample_weight=weight))}
    if case.name == "BinaryAccuracy":
        return {"value": np.array(metrics.accuracy_score(y_true, y_pred > 0.5, sample_weight=weight))}
    if "Categorical" in case.name:
        classes = y_true if case.name.startswith("Sparse") else y_true.argmax(-1)
        if case.name.endswith("Accuracy"):
            value = metrics.accuracy_score(classes, y_pred.argmax(-1), sample_weight=weight)
        else:
            value = metrics.log_loss(classes, y_pred, sample_weight=weight, labels=range(4))
        return {"value": np.array(value)}
    return None


def sklearn_score(metrics, name, options, y_true, y_pred, weight):
    """What scikit-learn has another name or form for; None if it has not."""
    single = y_pred.shape[1:] == (1,)
    yes = y_pred > (options.get("threshold") or 0.5)
    said = (y_pred > 0.5)[:, 0].astype(int) if single else y_pred.argmax(-1) if y_pred.ndim == 2 else y_pred
    classes = y_true.reshape(-1).astype(int) if single else y_true.argmax(-1) if y_true.ndim == 2 else y_true
    of_matrix = {
        "ConfusionMatrix": metrics.confusion_matrix,
        "MatthewsCorrelationCoefficient": metrics.matthews_corrcoef,
        "BalancedAccuracy": metrics.balanced_accuracy_score,
    }
    if name in of_matrix:
        return of_matrix[name](classes, said, sample_weight=weight)
    if name == "BrierScore":
        probabilities = y_pred[:, 0] if single else y_pred
        return metrics.brier_score_loss(classes, probabilities, sample_weight=weight)
    if name in ("F1Score", "FBetaScore"):
        yes = np.eye(y_pred.shape[1])[said] if options.get("threshold") is None else yes
        options = {"beta": options.get("beta", 1.0), "average": options.get("average"), "zero_division": 0}
        if single:
            options["average"] = "binary"
        return metrics.fbeta_score(y_true, yes, sample_weight=weight, **options)
    if name == "DiceCoefficient":
        average = options.get("average", "micro")
        return metrics.f1_score(y_true, yes, average=average, sample_weight=weight)
    if name in ("Precision", "Recall") and not options:
        score = {"Precision": metrics.precision_score, "Recall": metrics.recall_score}[name]
        return score(y_true, yes, average="binary" if single else "micro", sample_weight=weight)
    if name == "RootMeanSquaredError":
        return np.sqrt(metrics.mean_squared_error(y_true, y_pred, sample_weight=weight))
    if name == "R2Score" and "num_regressors" not in options:
        words = {None: "raw_values", "variance_weighted_average": "variance_weighted"}
        aggregation = options["class_aggregation"]
        return metrics.r2_score(y_true, y_pred, sample_weight=weight, multioutput=words.get(aggregation, aggregation))
    if name == "MeanIoU" and y_pred.ndim == 2:
        return metrics.jaccard_score(classes, said, average="macro", sample_weight=weight)
    return None


LIBRARIES = {
    "keras": (ask_keras, ("keras", "jax")),
    "torch": (ask_torch, ("torch",)),
    "sklearn": (ask_sklearn, ("scikit-learn",)),
}


def installed(library: str) -> bool:
    """Whether the library (and what it runs on) can be imported here."""
    return all(importlib.util.find_spec(module) for module in {"keras": ("keras", "jax")}.get(library, (library,)))


def record(library: str, folder: Path) -> None:
    """Ask a library every case; write ``<library>.npz`` (answers) and ``<library>.json`` (versions)."""
    ask, distributions = LIBRARIES[library]
    answers = {}
    for case in CASES:
        for what, value in (ask(case) or {}).items():
            answers[f"{case.key}/{what}"] = np.asarray(value)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{library}.npz", **answers)
    versions = {name: importlib.metadata.version(name) for name in (*distributions, "numpy")}
    (folder / f"{library}.json").write_text(
        json.dumps({"versions": versions, "answers": len(answers)}, indent=2) + "\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "libraries", nargs="*", help=f"out of {', '.join(LIBRARIES)}; all that are installed by default"
    )
    parser.add_argument("--into", type=Path, default=RECORDED)
    arguments = parser.parse_args()
    for library in arguments.libraries or [name for name in LIBRARIES if installed(name)]:
        record(library, arguments.into)


if __name__ == "__main__":
    main()
