"""What the parameters of the perceptrons may be, and the network that they describe."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np

from thalweg import activations
from thalweg.checks import Count, In, OneOf, check_value
from thalweg.errors import ArgumentError
from thalweg.sklearn.design import Activation, Design, design, of_each_layer, ours

Share = Annotated[float, In("[0, 1)")]

RULES: dict[str, Any] = {
    "solver": Literal["lbfgs", "sgd", "adam"],
    "alpha": Annotated[float, In("[0, inf)")],
    "batch_size": Literal["auto"] | Count,
    "learning_rate": Literal["constant", "invscaling", "adaptive"],
    "learning_rate_init": Annotated[float, In("(0, inf)")],
    "power_t": Annotated[float, In("[0, inf)")],
    "max_iter": Count,
    "shuffle": bool,
    "tol": Annotated[float, In("[0, inf)")],
    "verbose": bool | Annotated[int, In("[0, inf)")],
    "warm_start": bool,
    "momentum": Annotated[float, In("[0, 1]")],
    "nesterovs_momentum": bool,
    "early_stopping": bool,
    "validation_fraction": Share,
    "beta_1": Share,
    "beta_2": Share,
    "epsilon": Annotated[float, In("(0, inf)")],
    "n_iter_no_change": Annotated[float, In("[1, inf]")],
    "max_fun": Count,
    "batch_normalization": bool,
    "threads": Count | None,
    "dtype": Annotated[str, OneOf("float32", "float64", "mixed_bfloat16")] | None,
}
"""What the parameters may be; those that are not here are looked at where they are used."""


def keep(estimator: Any, arguments: Mapping[str, Any]) -> None:
    """Set the parameters of a constructor as they are given, as scikit-learn wants it."""
    for name, value in arguments.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)


def check_parameters(estimator: Any, incremental: bool) -> None:
    """Raises ArgumentError for the first that does not fit."""
    owner = type(estimator).__name__
    for name, rule in RULES.items():
        value: Any = getattr(estimator, name)
        kind: Any = type(value)
        try:
            _fits(owner, name, kind, value)
        except TypeError:  # what cannot be hashed fits none of the rules
            check_value(owner, name, rule, value)
    if estimator.early_stopping and incremental:
        raise ArgumentError(
            "partial_fit does not support early_stopping=True",
            expected="early_stopping=False: one call is one epoch",
            got="early_stopping=True",
            fix="call fit, or score the estimator yourself between the calls",
        )
    varies = any(of_each_layer(estimator.dropout, 1)) or estimator.batch_normalization or estimator.callbacks
    if estimator.solver == "lbfgs" and varies:
        raise ArgumentError(
            "solver='lbfgs' needs the same loss at every try of a line search",
            expected="no dropout, batch_normalization and callbacks with it",
            got=f"dropout={estimator.dropout!r}, batch_normalization={estimator.batch_normalization}, "
            f"callbacks={estimator.callbacks!r:.60}",
            fix="use solver='adam', or leave them out",
        )


@lru_cache(1024)
def _fits(owner: str, name: str, kind: type, value: Any) -> None:
    """Raises ArgumentError for a value that does not fit. Kept, because searches fit thousands of times.

    Arguments:
        kind: the value's class: True is no 1.
    """
    check_value(owner, name, RULES[name], value)


def check_solver(estimator: Any) -> bool:
    """Whether there is a ``partial_fit``. Raises AttributeError for L-BFGS, which needs all rows."""
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit is only available for stochastic optimizers. lbfgs is not stochastic.")
    return True


def described_by(estimator: Any, features: int, outputs: int, out_activation: str, dtype: str) -> Design:
    """The network that the parameters describe. Raises ArgumentError."""
    owner = type(estimator).__name__
    sizes = estimator.hidden_layer_sizes
    hidden = check_value(
        owner,
        "hidden_layer_sizes",
        tuple[Count, ...],
        tuple(np.ravel(sizes).tolist()) if isinstance(sizes, np.ndarray) or np.ndim(sizes) == 0 else tuple(sizes),
    )
    each = {}
    for name, rule in (("activation", Any), ("dropout", Share)):
        values = tuple(check_value(owner, name, rule, v) for v in of_each_layer(getattr(estimator, name), len(hidden)))
        if len(values) != len(hidden):
            raise ArgumentError(
                f"{owner}: argument {name!r} does not fit the hidden layers",
                expected=f"one value for all, or one for each of the {len(hidden)} hidden layers",
                got=f"{name}={getattr(estimator, name)!r}",
                fix=f"give {name} one value, or as many as hidden_layer_sizes",
            )
        each[name] = values
    for activation in each["activation"]:
        activations.get(ours(activation))
    functions: tuple[Activation, ...] = each["activation"]
    return design(
        features,
        hidden,
        functions,
        each["dropout"],
        estimator.batch_normalization,
        outputs,
        out_activation,
        dtype,
    )
