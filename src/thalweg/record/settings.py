"""What a training was told, as names with values that can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["compiled_settings", "flat"]


def compiled_settings(told: Mapping[str, Any] | None) -> dict[str, Any]:
    """Of what ``get_compile_config`` gives the optimizer and the loss, with the arguments that say something."""
    rule = (told or {}).get("optimizer")
    if told is None or not isinstance(rule, Mapping) or "class_name" not in rule:
        return {}
    from thalweg import optimizers  # who reads runs needs none

    usual = optimizers.get(rule["class_name"]).get_config()
    own = {
        name: value for name, value in rule["config"].items() if value != usual.get(name) and name != "learning_rate"
    }
    return {
        "optimizer": rule["class_name"],
        "learning_rate": _short(rule["config"].get("learning_rate")),
        **{f"optimizer.{name}": _short(value) for name, value in own.items()},
        "loss_function": _short(told.get("loss")),
    }


def _short(value: Any) -> Any:
    """A described object as the name of its class with its arguments behind."""
    if isinstance(value, Mapping) and "class_name" in value:
        return {"class": value["class_name"], **value.get("config", {})}
    return value


def flat(values: Mapping[str, Any], front: str = "") -> Iterator[tuple[str, Any]]:
    """Names with dots for what is nested.

    Example:
        >>> list(flat({"optimizer": {"name": "adam", "rate": 0.1}, "epochs": 3}))
        [('optimizer.name', 'adam'), ('optimizer.rate', 0.1), ('epochs', 3)]
    """
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{front}{name}.")
        else:
            yield f"{front}{name}", value
