"""What can be said of the network for a table and of its training: as it is by default, it does well on most tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

from thalweg.checks import Count, In, NotEmpty, check_fields, check_value
from thalweg.errors import NameNotFoundError, did_you_mean
from thalweg.fields import dataclass
from thalweg.layers.activation import check_activation

__all__ = ["Settings"]

Share = Annotated[float, In("[0, 1)")]
Positive = Annotated[float, In("(0, inf)")]


@dataclass(frozen=True)
class Settings:
    """How networks for a table are made and trained; None: the recipe says, by the task or by how many rows there are.

    Arguments:
        units: of the hidden layers, from the first to the last.
        activation: of the hidden layers, by name.
        dropout: the share of a hidden layer's units that a step leaves out.
        waves: how many waves each number stands beside; 0: none.
        wave_units: how many numbers one becomes with its waves, itself included.
        wave_deviation: of the frequencies.
        one_hot: categories of so many places at most become columns of 0 and 1, others vectors ...
        embedding_units: ... of so many numbers.
        learning_rate: the highest one.
        weight_decay: at the beginning; it ends before training does.
        label_smoothing: of classes.
        batch_size: rows of a step.
        epochs: at most; the best one by validation stays.
        members: how many networks are trained; predictions are their mean.
    """

    units: Annotated[tuple[Count, ...], NotEmpty()] = (128, 128)
    activation: str | None = None
    dropout: Share = 0.15
    waves: Annotated[int, In("[0, inf)")] = 16
    wave_units: Annotated[int, In("[2, inf)")] = 4
    wave_deviation: Positive = 0.1
    one_hot: Annotated[int, In("[0, inf)")] = 10
    embedding_units: Count = 8
    learning_rate: Positive | None = None
    weight_decay: Annotated[float, In("[0, inf)")] = 0.02
    label_smoothing: Share = 0.1
    batch_size: Count | None = None
    epochs: Count | None = None
    members: Count = 4

    def __post_init__(self) -> None:
        check_fields(self, "settings")
        check_activation(self.activation)

    @classmethod
    def of(cls, given: Settings | Mapping[str, Any] | None, epochs: int | None, members: int | None) -> Settings:
        """Settings from some of them by name, with the number of epochs and of members where those are told besides.

        Raises: NameNotFoundError for a name that there is not; ArgumentError for a value that cannot be.
        """
        known = check_value("train", "settings", cls | Mapping[str, Any] | None, given)
        settings = known if isinstance(known, cls) else cls._named(known or {})
        return dataclasses.replace(settings, epochs=epochs or settings.epochs, members=members or settings.members)

    @classmethod
    def _named(cls, given: Mapping[str, Any]) -> Settings:
        names = [field.name for field in dataclasses.fields(cls)]
        for name in given:
            if name not in names:
                raise NameNotFoundError(
                    "there is no such setting",
                    expected=f"one of {', '.join(names)}",
                    got=repr(name),
                    fix=did_you_mean(name, names),
                )
        return cls(**given)
