"""Short words for the parts of a case."""

from __future__ import annotations

from typing import Any

from benchmarks.clinic.networks import Case

Entry = dict[str, Any]

LOSS = {
    "binary": "binary_crossentropy",
    "multiclass": "sparse_categorical_crossentropy",
    "regression": "mse",
}
POOL: Entry = {"type": "maxpool2d", "size": 2}
FLAT: Entry = {"type": "flatten"}
NORM: Entry = {"type": "batchnorm"}


def case(
    name: str,
    task: str,
    data: dict[str, Any],
    layers: list[Entry],
    optimizer: str,
    lr: float,
    batch_size: int | str,
    epochs: int,
    truth: tuple[str, ...] = (),
    accept: tuple[str, ...] = (),
    cure: dict[str, Any] | None = None,
    **more: Any,
) -> Case:
    """A case. ``cure``: the changes that take all of its troubles away, and nothing else."""
    return {
        "name": name,
        "task": task,
        "data": data,
        "layers": layers,
        "loss": LOSS[task],
        "optimizer": optimizer,
        "lr": lr,
        "batch_size": batch_size,
        "epochs": epochs,
        "truth": truth,
        "accept": accept,
        "cures": {truth[0]: cure} if cure else {},
        **more,
    }


def dense(units: int, activation: str, **more: Any) -> Entry:
    """A dense layer."""
    return {"type": "dense", "units": units, "activation": activation, **more}


def conv(filters: int, activation: str = "relu", **more: Any) -> Entry:
    """A convolution, 3 by 3, that keeps the size."""
    return {"type": "conv2d", "filters": filters, "kernel": 3, "padding": "same", "activation": activation, **more}


def dropout(rate: float) -> Entry:
    """Dropout."""
    return {"type": "dropout", "rate": rate}


def skip(*inner: Entry) -> Entry:
    """``x + f(x)``."""
    return {"type": "residual", "layers": list(inner)}


def stack(*given: Any, **more: Any) -> list[Entry]:
    """``stack(32, 16, "relu", 3)``: widths, their activation, and the head: softmax, or sigmoid for one unit.

    ``stack(32, "relu", 1, "linear")`` says the head's activation. ``more`` is for the hidden layers.
    """
    head = given[-1] if isinstance(given[-1], str) else None
    *widths, activation, units = given[:-1] if head else given
    hidden = [dense(width, activation, **more) for width in widths]
    return [*hidden, dense(units, head or ("sigmoid" if units == 1 else "softmax"))]
