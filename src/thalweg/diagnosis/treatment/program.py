"""What a user's program says of a training: the network, what ``compile`` and what ``fit`` was told. A value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

import numpy as np

from thalweg import optimizers
from thalweg.diagnosis.treatment import network as networks
from thalweg.diagnosis.treatment.network import Network, Place, name_of
from thalweg.fields import dataclass
from thalweg.model import Model, restoring

RATES = ("initial_learning_rate", "learning_rate", "warmup_target", "end_learning_rate")
"""What a schedule calls its rates."""

PATIENCE = "early_stopping"
"""Among the arguments of ``fit``: the patience of an EarlyStopping that restores the best weights."""


@dataclass(frozen=True, eq=False)
class Program:
    """A training as it is written down.

    Arguments:
        model: the description of the model (``restoring.description``).
        compile: what ``Model.get_compile_config`` gives.
        fit: arguments of ``fit`` but the data; ``early_stopping`` among them is a patience.
        kept: the training rows that are trained on; all unless given.
        cls: the class of the model.
    """

    model: Mapping[str, Any]
    compile: Mapping[str, Any]
    fit: Mapping[str, Any] = field(default_factory=dict)
    kept: np.ndarray | None = None
    cls: Any = None

    @classmethod
    def of(cls, model: Model, fit: Mapping[str, Any]) -> Program:
        """What there is. Raises ArgumentError for a model that no description can hold."""
        compiled = model.get_compile_config()
        assert compiled is not None, "a model with a compile of its own is refused before"
        return cls(restoring.description(model), compiled, dict(fit), None, type(model))

    def is_like(self, other: Program) -> bool:
        """Whether both say the same."""
        return self.kept is other.kept and (self.model, self.compile, self.fit) == (
            other.model,
            other.compile,
            other.fit,
        )

    def make(self) -> Model:
        """The model, compiled, without values."""
        made = self._uncompiled()
        made.compile_from_config(self.compile)
        return made

    def _uncompiled(self) -> Model:
        own = self.cls if self.cls is not None and restoring.class_name(self.cls) == self.model["class_name"] else None
        made: Model = restoring.restored(self.model, own)
        return made

    def count_weights(self) -> int:
        """How many numbers the parameters are."""
        return sum(p.type.size for p in self._uncompiled().parameters().values())

    # The network

    @property
    def network(self) -> Network | None:
        """The layers; None where a class of one's own says how they are connected, or there are several inputs."""
        config: Network = self.model["config"]
        several = "calls" in config and (len(config["inputs"]) > 1 or len(config["outputs"]) > 1)
        return config if "calls" in config and not several else None

    def with_network(self, network: Network) -> Program:
        """The same with other layers."""
        kind = self.model["class_name"]
        if kind == "Sequential" and not networks.is_stack(network):
            kind = "Model"
        return dataclasses.replace(self, model={**self.model, "class_name": kind, "config": network})

    def with_settings(self, names: Mapping[str, Mapping[str, Any]]) -> Program:
        """The same with other arguments of the layers of these names."""
        assert self.network is not None, "who changes layers has found them"
        return self.with_network(networks.with_settings(self.network, names))

    @property
    def hidden(self) -> list[Place]:
        """The layers with kernels before the head; none where the layers cannot be changed."""
        return [] if self.network is None else networks.hidden(self.network)

    @property
    def head(self) -> Place | None:
        """The layer of the last weights."""
        found = None if self.network is None else networks.head(self.network)
        return None if found is None else found[0]

    @property
    def weighted(self) -> list[Place]:
        """The hidden layers and the head."""
        return [*self.hidden, *([] if self.head is None else [self.head])]

    # How it is trained

    @property
    def optimizer(self) -> str:
        """By name."""
        return str(self.compile["optimizer"]["class_name"])

    @property
    def rate(self) -> float:
        """The learning rate, of a schedule that it begins with."""
        given = self.compile["optimizer"]["config"].get("learning_rate", 0.001)
        if not isinstance(given, Mapping):
            return float(given)
        own = given["config"]
        return float(next((own[name] for name in RATES if own.get(name)), 0.001))

    @property
    def has_rate(self) -> bool:
        """Whether there is one to change."""
        return "learning_rate" in self.compile["optimizer"]["config"]

    def with_rate(self, rate: float) -> Program:
        """The same at another rate; a schedule is stretched to begin with it."""
        given = self.compile["optimizer"]["config"].get("learning_rate")
        if not isinstance(given, Mapping):
            return self.with_optimizer_settings(learning_rate=rate)
        factor, own = rate / self.rate, dict(given["config"])
        own |= {name: own[name] * factor for name in RATES if isinstance(own.get(name), float | int)}
        if isinstance(own.get("values"), list | tuple):
            own["values"] = [value * factor for value in own["values"]]
        return self.with_optimizer_settings(learning_rate={**given, "config": own})

    def with_optimizer_settings(self, **settings: Any) -> Program:
        """The same with other arguments of the optimizer."""
        own = self.compile["optimizer"]
        return self._compiled(optimizer={**own, "config": {**own["config"], **settings}})

    def with_optimizer(self, name: str, rate: float, **settings: Any) -> Program:
        """The same with another optimizer."""
        made = optimizers.registry.get(name)
        made = dataclasses.replace(made, learning_rate=rate, **settings)
        return self._compiled(optimizer=optimizers.registry.config(made))

    @property
    def loss(self) -> str:
        """By name; "" for one that has none."""
        return str(name_of(self._loss) or "")

    @property
    def loss_settings(self) -> Mapping[str, Any]:
        """The arguments of the loss that were given."""
        return self._loss.get("config", {}) if isinstance(self._loss, Mapping) else {}

    @property
    def _loss(self) -> Any:
        given = self.compile["loss"]
        if isinstance(given, Mapping) and "class_name" not in given:
            given = list(given.values())
        return given[0] if isinstance(given, list | tuple) and len(given) == 1 else given

    def with_loss(self, name: str, **settings: Any) -> Program:
        """The same with another loss."""
        described = {"kind": "loss", "class_name": name, "config": settings} if settings else name
        return self._compiled(loss=described)

    def with_loss_weight(self, weight: float) -> Program:
        """The same with the loss multiplied by a number."""
        return self._compiled(loss_weights=weight)

    def _compiled(self, **changed: Any) -> Program:
        return dataclasses.replace(self, compile={**self.compile, **changed})

    @property
    def epochs(self) -> int:
        """That the training lasts."""
        return int(self.fit.get("epochs", 1))

    @property
    def batch_size(self) -> int | str:
        """Of a step; "full" for all rows."""
        given = self.fit.get("batch_size")
        return 32 if given is None else given

    def with_fit(self, **changed: Any) -> Program:
        """The same with other arguments of ``fit``."""
        return dataclasses.replace(self, fit={**self.fit, **changed})

    def with_rows(self, kept: np.ndarray) -> Program:
        """The same trained on these rows only."""
        return dataclasses.replace(self, kept=kept)

    def with_rows_again(self) -> Program:
        """The same trained on all rows."""
        return dataclasses.replace(self, kept=None)


Edit = Callable[[Program], Program]


@dataclass(frozen=True, eq=False)
class Change:
    """One prescription, as it can be made to a program.

    Arguments:
        words: what is changed, and why that should help.
        edit: makes the changed program.
    """

    words: str
    edit: Edit
