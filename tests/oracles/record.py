"""Asks the installed libraries every case and writes their answers into small files, versions included.

``python -m tests.oracles.record [LIBRARY ...] [--into FOLDER] [--new]``, from the root of the repository. The
tests compare thalweg with the recorded answers always, and with fresh ones where the libraries are installed.
"""

import argparse
import importlib.metadata
import importlib.util
import inspect
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from tests.oracles import cases, trainings
from tests.oracles.cases import CASES, Case

RECORDED = Path(__file__).parent / "recorded"


def keras_losses(case: Case) -> list:
    """(weight, Keras's loss) whose sum is the loss that is asked for; none if Keras has nothing like it."""
    import keras

    if case.name == "WeightedSum":
        names = case.options.get("losses", ("dice", "binary_crossentropy"))
        classes = [getattr(keras.losses, "".join(map(str.title, name.split("_")))) for name in names]
        return list(zip(case.options.get("weights", (1, 1)), [kind() for kind in classes], strict=True))
    name = case.name.removeprefix("Sparse") if case.name.startswith("SparseCategoricalFocal") else case.name
    found = getattr(keras.losses, name, None)
    return [(1, found(**case.options))] if found else []


def ask_keras(case: Case) -> dict[str, np.ndarray] | None:
    """Keras 3 on JAX, in float64."""
    os.environ["KERAS_BACKEND"] = "jax"
    # Most of the time goes into compiling what runs once.
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
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
        gradient = pull(jax.numpy.cos(x["x"][..., : value.shape[-1]]))[0]
        return {"value": value, "gradient": gradient}
    if case.kind == "loss":
        parts = keras_losses(case)
        if not parts:
            return None
        y_true = np.eye(4)[x["y_true"]] if case.name == "SparseCategoricalFocalCrossentropy" else x["y_true"]

        def asked(y_pred):
            return sum(weight * loss(y_true, y_pred, x.get("sample_weight")) for weight, loss in parts)

        def total(y_pred):
            return asked(y_pred).sum()

        value = asked(x["y_pred"])
        return {"value": value, "gradient": jax.grad(total)(x["y_pred"])}
    if case.kind == "metric":
        if not hasattr(keras.metrics, case.name):
            return None
        metric = getattr(keras.metrics, case.name)(**case.options)
        for rows in np.array_split(np.arange(len(x["y_pred"])), 3):
            batch = {name: array[rows] for name, array in x.items()}
            if case.name in ("Mean", "Sum"):
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
    if case.kind == "training" or (case.kind == "layer" and case.label == cases.BEYOND_KERAS):
        return None
    if case.kind == "layer":
        return ask_keras_layer(getattr(keras.layers, case.name)(**case.options), list(x.values()))
    keras.utils.set_random_seed(1)  # extremes of random numbers are compared: not by luck
    if case.kind == "regularizer":
        value, gradient = jax.value_and_grad(getattr(keras.regularizers, case.name)(**case.options))(x["x"])
        return {"value": value, "gradient": gradient}
    if case.kind == "constraint":
        return {"value": getattr(keras.constraints, case.name)(**case.options)(x["x"])}
    if case.kind == "schedule":
        schedule = getattr(keras.optimizers.schedules, case.name, None)
        return schedule and {"value": np.array([schedule(**case.options)(int(step)) for step in x["steps"]])}
    values = np.asarray(getattr(keras.initializers, case.name)(**case.options)(tuple(x["shape"].tolist())))
    return {"statistics": np.array([values.mean(), values.std(), values.min(), values.max()])}


def torch_gaussian(y_true, y_pred, weight, variance="softplus", full=False, epsilon=1e-6):
    import torch

    mean, spread = y_pred.chunk(2, -1)
    spread = {"softplus": torch.nn.functional.softplus, "exponential": torch.exp}.get(variance, lambda v: v)(spread)
    loss = torch.nn.functional.gaussian_nll_loss(mean, y_true, spread, full=full, eps=epsilon, reduction="none")
    return loss.mean(-1) * weight


def torch_quantiles(y_true, y_pred, weight, quantiles):
    import torch

    y_true = y_true[:, None] if y_true.ndim < y_pred.ndim else y_true
    q, error = torch.tensor(quantiles, dtype=torch.float64), y_true - y_pred
    return torch.maximum(q * error, (q - 1) * error).mean(-1) * weight


def torch_hard(y_true, y_pred, weight, loss="bce", keep=0.25, ratio=None):
    """By sorting, where thalweg counts; the mean of the chosen ones, so it is one number."""
    import torch

    functions = torch.nn.functional
    function = functions.mse_loss if loss == "mse" else functions.binary_cross_entropy
    values = function(y_pred, y_true, reduction="none").mean(-1)
    weight = weight.expand(values.shape)
    if ratio is None:
        chosen = values.argsort(descending=True)[: math.ceil(keep * len(values))]
    else:
        positive, negative = (torch.nonzero(y_true[:, 0] == answer)[:, 0] for answer in (1, 0))
        hardest = negative[values[negative].argsort(descending=True)]
        chosen = torch.cat([positive, hardest[: int(ratio * len(positive))]])
    return (values * weight)[chosen]


def torch_root(y_true, y_pred, weight):
    return ((y_pred - y_true).square().mean(-1) * weight).mean().sqrt()


TORCH_LOSSES: dict[str, Any] = {
    "GaussianNegativeLogLikelihood": torch_gaussian,
    "OnlineHardExamples": torch_hard,
    "QuantileLoss": torch_quantiles,
    "RootMeanSquaredError": torch_root,
}


def ask_keras_layer(layer, inputs: list[np.ndarray]) -> dict[str, np.ndarray]:
    """What the layer gives in inference and in training, its gradients and what it keeps of the batch."""
    import jax

    def given(xs):
        return xs if len(xs) > 1 else xs[0]

    layer(given(inputs))  # which builds it
    trained = cases.layer_weights([v.shape for v in layer.trainable_variables])
    kept = cases.layer_weights([v.shape for v in layer.non_trainable_variables], positive=True)

    asks = "training" in inspect.signature(layer.call).parameters

    def run(trained, xs, training=True):
        return layer.stateless_call(trained, kept, given(xs), **({"training": training} if asks else {}))

    answer = {"inference": run(trained, inputs, training=False)[0]}
    if any(x.dtype.kind != "f" for x in inputs) or type(layer).__name__ in cases.STEPWISE:
        return answer
    value, pull, state = jax.vjp(run, trained, inputs, has_aux=True)
    by_trained, by_inputs = pull(jax.numpy.cos(value))
    answer |= {"value": value}
    answer |= {f"state{i}": array for i, array in enumerate(state)}
    answer |= {f"gradient_parameter{i}": array for i, array in enumerate(by_trained)}
    return answer | {f"gradient_x{i}": array for i, array in enumerate(by_inputs)}


def ask_torch(case: Case) -> dict[str, np.ndarray] | None:
    """PyTorch in float64, where it defines the same thing."""
    import torch

    x = {name: torch.tensor(array) for name, array in case.inputs.items()}
    if case.kind == "activation" and case.name != "linear":
        functions = torch.nn.functional
        known = {
            "exponential": torch.exp,
            "gelu": lambda x, approximate=False: functions.gelu(x, approximate="tanh" if approximate else "none"),
            "hard_sigmoid": lambda x: functions.relu6(x + 3) / 6,  # hardsigmoid's own gradient has a float32 1/6
            "leaky_relu": lambda x, negative_slope=0.2: functions.leaky_relu(x, negative_slope),
            "log_softmax": lambda x: torch.log_softmax(x, -1),
            "softmax": lambda x: torch.softmax(x, -1),
            "threshold": lambda x, threshold, default_value: functions.threshold(x, threshold, default_value),
        }
        function = known.get(case.name) or getattr(functions, case.name, None)
        if function is None or (case.name == "relu" and case.options):
            return None
        point = x["x"].requires_grad_()
        value = function(point, **case.options)
        value.backward(torch.cos(x["x"].detach()[..., : value.shape[-1]]))
        return {"value": value.detach().numpy(), "gradient": point.grad.numpy()}
    if case.kind == "loss" and case.name in TORCH_LOSSES:
        options = {key: value for key, value in case.options.items() if key != "reduction"}
        point = x["y_pred"].requires_grad_()
        weight = x.get("sample_weight", torch.ones(()))
        value = TORCH_LOSSES[case.name](x["y_true"], point, weight, **options)
        value = value.sum() if case.options.get("reduction") == "sum" else value.mean()
        value.backward()
        return {"value": value.detach().numpy(), "gradient": point.grad.numpy()}
    crossentropies = ("BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy")
    comparable = case.kind == "loss" and case.name in ("MeanSquaredError", *crossentropies)
    plain = comparable and case.options.keys() <= {"from_logits", "label_smoothing"}
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
    if case.kind == "layer":
        return ask_torch_layer(case)
    if case.kind == "schedule":
        return ask_torch_schedule(case)
    if case.kind == "training":
        weights, losses = trainings.Torch().train(case.name)
        return {"losses": losses, **{f"weight{i}": weight for i, weight in enumerate(weights)}}
    return ask_torch_optimizer(case) if case.kind == "optimizer" else None


def ask_torch_schedule(case: Case) -> dict[str, np.ndarray] | None:
    import torch
    from torch.optim import lr_scheduler

    options = dict(case.options)
    if case.name == "OneCycle":
        options["max_lr"] = options.pop("max_learning_rate")
        start, make = 1.0, lambda optimizer: lr_scheduler.OneCycleLR(optimizer, **options)
    elif case.name == "LinearWarmup":
        top, first, steps = options["then"], options["start"], options["warmup_steps"]
        start, make = top, lambda optimizer: lr_scheduler.LinearLR(optimizer, first / top, total_iters=steps)
    elif case.name == "ConstantRate":
        start, make = options["learning_rate"], lambda optimizer: lr_scheduler.ConstantLR(optimizer, 1.0)
    else:
        return None
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=start, momentum=0.5)
    scheduler = make(optimizer)
    rates = []
    for _ in range(max(case.inputs["steps"]) + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(rates) <= max(case.inputs["steps"]):
            scheduler.step()
    return {"value": np.array(rates)[case.inputs["steps"]]}


def torch_options(case: Case) -> dict | None:
    """The arguments that make PyTorch's optimizer of this name do the same; None if none do."""
    given = dict(case.options)
    same_everywhere = {"learning_rate": "lr", "momentum": "momentum", "nesterov": "nesterov", "amsgrad": "amsgrad"}
    options = {same_everywhere[name]: given.pop(name) for name in list(given) if name in same_everywhere}
    options.setdefault("lr", 0.01 if case.name == "SGD" else 0.001)
    options["lr"] = float(np.float32(options["lr"]))  # the same float32 number that thalweg and Keras keep
    if case.name in ("Adam", "AdamW", "Adamax", "Nadam"):
        options["betas"] = (given.pop("beta_1", 0.9), given.pop("beta_2", 0.999))
    renamed = {
        "Adagrad": {"initial_accumulator_value": 0.1},
        "Adadelta": {"rho": 0.95},
        "RMSprop": {"rho": 0.9, "centered": False},
        "AdamW": {"weight_decay": 0.004},
    }.get(case.name, {})
    for name, default in renamed.items():
        options["alpha" if (case.name, name) == ("RMSprop", "rho") else name] = given.pop(name, default)
    if case.name != "SGD":
        options["eps"] = given.pop("epsilon", 1e-7)
    if case.name == "Nadam":
        options["momentum_decay"] = 1.0  # its decay is this times Keras's
    # Elsewhere PyTorch adds epsilon somewhere else than Keras does.
    same_place = case.name in ("SGD", "Adadelta", "Nadam") or options.get("eps", 1.0) <= cases.TINY
    known = case.name in ("SGD", "Adam", "AdamW", "Adamax", "Nadam", "Adagrad", "Adadelta", "RMSprop")
    return options if known and same_place and not given else None


def ask_torch_optimizer(case: Case) -> dict[str, np.ndarray] | None:
    import torch

    options = torch_options(case)
    if options is None:
        return None
    torch.set_default_dtype(torch.float64)  # in which it then keeps the scalars of its state, too
    x = {name: torch.tensor(array) for name, array in case.inputs.items()}
    variables = {name: x[f"{name}_start"].clone().requires_grad_() for name in ("kernel", "bias")}
    optimizer = getattr(torch.optim, {"Nadam": "NAdam"}.get(case.name, case.name))(variables.values(), **options)
    steps = []
    for step in range(cases.STEPS):
        for name, variable in variables.items():
            variable.grad = x[name][step].clone()
        optimizer.step()
        steps.append({name: variable.detach().numpy().copy() for name, variable in variables.items()})
    return {name: np.stack([steps[i][name] for i in cases.KEPT_STEPS]) for name in variables}


def ask_torch_layer(case: Case) -> dict[str, np.ndarray] | None:
    """PyTorch's normalizations in training, over the last axis of a table or of images; its convolutions, pools."""
    import torch

    if "Conv" in case.name:
        return ask_torch_convolution(case)
    if "Pooling" in case.name or case.name == "UpSampling2D":
        return ask_torch_pooling(case)
    if not case.name.endswith("Normalization") or case.name == "Normalization":
        return None
    functions = torch.nn.functional
    point = torch.tensor(case.inputs["x0"]).requires_grad_()
    shape = (point.shape[-1],)
    if case.name == "BatchNormalization" and case.options == {} and point.ndim == 2:
        gamma, beta = (torch.tensor(w).requires_grad_() for w in cases.layer_weights([shape, shape]))
        value = functions.batch_norm(point, None, None, gamma, beta, training=True, eps=1e-3)
    elif case.name == "LayerNormalization" and case.options == {}:
        gamma, beta = (torch.tensor(w).requires_grad_() for w in cases.layer_weights([shape, shape]))
        value = functions.layer_norm(point, shape, gamma, beta, eps=1e-3)
    elif case.name == "GroupNormalization" and case.options == {"groups": 2}:
        gamma, beta = (torch.tensor(w).requires_grad_() for w in cases.layer_weights([shape, shape]))
        value = functions.group_norm(point.movedim(-1, 1), 2, gamma, beta, eps=1e-3).movedim(1, -1)
    else:
        return None
    value.backward(torch.cos(value.detach()))
    slopes = {f"gradient_parameter{i}": p.grad.numpy() for i, p in enumerate((gamma, beta))}
    return {"value": value.detach().numpy(), "gradient_x0": point.grad.numpy(), **slopes}


def ask_torch_convolution(case: Case) -> dict[str, np.ndarray] | None:
    """PyTorch's convolutions and their transposes without padding, which at the edges it does another way."""
    import torch

    options = {"padding": "valid", "strides": 1, "dilation_rate": 1, "groups": 1} | case.options
    known = options.keys() <= {"filters", "kernel_size", "padding", "strides", "dilation_rate", "groups"}
    transposed = case.name.endswith("Transpose")
    if not known or options["padding"] != "valid" or case.name[:4] != "Conv":
        return None
    rank = case.inputs["x0"].ndim - 2
    size = options["kernel_size"] if isinstance(options["kernel_size"], tuple) else (options["kernel_size"],) * rank
    if transposed and options["strides"] > (min(size) - 1) * options["dilation_rate"] + 1:
        return None  # Keras adds places that no window reaches
    channels, filters = case.inputs["x0"].shape[-1] // options["groups"], options["filters"]
    last = (filters, channels) if transposed else (channels, filters)
    weights = [torch.tensor(w).requires_grad_() for w in cases.layer_weights([(*size, *last), (filters,)])]
    point = torch.tensor(case.inputs["x0"]).requires_grad_()
    convolve = getattr(torch.nn.functional, f"conv{'_transpose' * transposed}{rank}d")
    kernel = weights[0].movedim((-1, -2), (0, 1))
    more = {"stride": options["strides"], "dilation": options["dilation_rate"], "groups": options["groups"]}
    return torch_answer(convolve(point.movedim(-1, 1), kernel, weights[1], **more).movedim(1, -1), point, weights)


def ask_torch_pooling(case: Case) -> dict[str, np.ndarray] | None:
    """PyTorch's pooling without padding, and its bilinear upsampling."""
    import torch

    functions, options = torch.nn.functional, case.options
    point = torch.tensor(case.inputs["x0"]).requires_grad_()
    x, rank = point.movedim(-1, 1), point.ndim - 2
    if options.get("interpolation") == "bilinear":
        y = functions.interpolate(x, scale_factor=tuple(map(float, options["size"])), mode="bilinear")
    elif options.get("padding") == "valid" and "data_format" not in options:
        pool = getattr(functions, f"{'max' if case.name[:3] == 'Max' else 'avg'}_pool{rank}d")
        y = pool(x, options["pool_size"], options.get("strides"))
    else:
        return None
    return torch_answer(y.movedim(1, -1), point, [])


def torch_answer(value, point, weights) -> dict[str, np.ndarray]:
    """What a layer without states gave, and its gradients."""
    value.backward(value.detach().cos())
    slopes = {f"gradient_parameter{i}": p.grad.numpy() for i, p in enumerate(weights)}
    return {"value": value.detach().numpy(), "gradient_x0": point.grad.numpy(), **slopes}


def ask_sklearn(case: Case) -> dict[str, np.ndarray] | None:
    """scikit-learn's metrics, where they ask the same question."""
    from sklearn import metrics

    if case.kind != "metric":
        return None
    y_true: Any
    y_pred: Any
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


def keras_signatures() -> dict[str, dict[str, Any]]:
    """Of each of Keras's layers: argument -> default, in order. An argument without a default has "required"."""
    import keras

    found = {}
    for name, layer in vars(keras.layers).items():
        if inspect.isclass(layer):
            arguments = inspect.signature(layer).parameters.values()
            named = [a for a in arguments if a.kind is a.POSITIONAL_OR_KEYWORD]
            found[name] = {a.name: "required" if a.default is a.empty else a.default for a in named}
    return found


LIBRARIES = {
    "keras": (ask_keras, ("keras", "jax")),
    "torch": (ask_torch, ("torch",)),
    "sklearn": (ask_sklearn, ("scikit-learn",)),
}


NEEDS = {"keras": ("keras", "jax"), "torch": ("torch",), "sklearn": ("sklearn",)}
"""The modules that each is imported from."""


def installed(library: str) -> bool:
    """Whether the library (and what it runs on) can be imported here."""
    return all(importlib.util.find_spec(module) for module in NEEDS[library])


def record(library: str, folder: Path, every: int = 1, new: bool = False) -> None:
    """Ask a library every case, or every n-th; write ``<library>.npz`` (answers) and ``<library>.json`` (versions).

    With ``new`` only what ``folder`` has no answer to; what is there stays.
    """
    ask, distributions = LIBRARIES[library]
    answers = {}
    if new:
        with np.load(folder / f"{library}.npz", allow_pickle=False) as file:
            answers = dict(file)
    answered = {name.rpartition("/")[0] for name in answers}
    for case in [case for case in CASES[::every] if case.key not in answered]:
        for what, value in (ask(case) or {}).items():
            answers[f"{case.key}/{what}"] = np.asarray(value)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{library}.npz", **answers)
    if library == "keras":
        lines = [f"{json.dumps(name)}: {json.dumps(a, default=repr)}" for name, a in keras_signatures().items()]
        (folder / "keras_signatures.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
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
    parser.add_argument("--every", type=int, default=1, metavar="N", help="ask the first case and every N-th after it")
    parser.add_argument("--new", action="store_true", help="ask only the cases without an answer yet, and add these")
    arguments = parser.parse_args()
    for library in arguments.libraries or [name for name in LIBRARIES if installed(name)]:
        record(library, arguments.into, arguments.every, arguments.new)


if __name__ == "__main__":
    main()
